//! A thread that owns something which blocks, and does one job after the other with it.

use std::{sync::Mutex, thread::JoinHandle};

use tokio::sync::{mpsc, oneshot};

use crate::{StoreError, StoreErrorKind};

/// Jobs that may wait; whoever brings more waits too.
const QUEUE: usize = 16;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// The thread's handle. The thread ends, and drops what it owns, once the handle is closed or dropped.
pub(super) struct Worker<T> {
    sender: Mutex<Option<mpsc::Sender<Job<T>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + 'static> Worker<T> {
    pub(super) fn start(name: &str, mut owned: T) -> std::io::Result<Self> {
        let (sender, mut jobs) = mpsc::channel::<Job<T>>(QUEUE);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = jobs.blocking_recv() {
                job(&mut owned);
            }
        })?;
        Ok(Worker { sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Has a job done. Once it is queued, dropping the future does not stop it.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Unavailable, "the store is closed");
        let sender = lock(&self.sender).clone().ok_or_else(closed)?;
        let (answer, result) = oneshot::channel();
        let job: Job<T> = Box::new(move |owned| {
            // Nobody waits for the answer any more: the job is done all the same.
            let _ = answer.send(job(owned));
        });
        sender.send(job).await.map_err(|_| closed())?;
        drop(sender);
        result.await.map_err(|_| closed())?
    }

    /// Lets the thread finish what is queued, and waits for it.
    pub(super) async fn close(&self) {
        drop(lock(&self.sender).take());
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
