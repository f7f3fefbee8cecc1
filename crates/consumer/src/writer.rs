//! Hands batches to the sink, a few at a time, and brings back word of what is durable.

use std::{
    pin::pin,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tokio::runtime::Handle;

use crate::{assignment::Sealed, batch::Batch, promise::Promise, sink::Sink};

/// So many batches may be on their way whatever their size …
const MAX_BATCHES: usize = 4;
/// … and so many if all together are no more messages than one full batch: many collections with a price each.
const MAX_SMALL_BATCHES: usize = 16;
/// An operation that takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(10);

/// The batches on their way to the store.
pub(crate) struct Writers {
    runtime: Handle,
    sink: Arc<Sink>,
    max_messages: usize,
    promise: Promise,
    batches: usize,
    messages: usize,
    sender: Sender<Report>,
    reports: Receiver<Report>,
}

/// What became of a batch.
pub(crate) struct Report {
    /// What it held.
    pub(crate) sealed: Vec<Sealed>,
    /// True when all of it is durable.
    pub(crate) durable: bool,
    messages: usize,
}

/// Reports in any case: a writer that panics must not leave its partitions waiting for ever.
struct Reporter {
    report: Option<Report>,
    sender: Sender<Report>,
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            // Nobody listens any more when the consumer has ended.
            let _ = self.sender.send(report);
        }
    }
}

impl Writers {
    /// Writers that run on `runtime`.
    pub(crate) fn new(runtime: Handle, sink: Arc<Sink>, max_messages: usize, promise: Promise) -> Self {
        let (sender, reports) = channel();
        Writers { runtime, sink, max_messages, promise, batches: 0, messages: 0, sender, reports }
    }

    /// Whether a batch of so many messages may be handed over now.
    pub(crate) fn has_room(&self, messages: usize) -> bool {
        self.batches < MAX_BATCHES
            || (self.batches < MAX_SMALL_BATCHES && self.messages + messages <= self.max_messages)
    }

    /// True when nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.batches == 0
    }

    /// Hands a batch over.
    pub(crate) fn submit(&mut self, batch: Batch, sealed: Vec<Sealed>) {
        let messages = batch.len();
        self.batches += 1;
        self.messages += messages;
        let report = Report { sealed, durable: false, messages };
        let mut reporter = Reporter { report: Some(report), sender: self.sender.clone() };
        let (sink, promise) = (Arc::clone(&self.sink), self.promise);
        self.runtime.spawn(async move {
            promise.hold_write_back().await;
            let durable = sink.settle(batch).await;
            if let Some(report) = &mut reporter.report {
                report.durable = durable;
            }
        });
    }

    /// The next report, if there is one.
    pub(crate) fn report(&mut self) -> Option<Report> {
        if self.batches == 0 { None } else { self.reports.try_recv().ok().map(|report| self.count(report)) }
    }

    /// The next report, waiting for it.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<Report> {
        if self.batches == 0 {
            return None;
        }
        self.reports.recv_timeout(timeout).ok().map(|report| self.count(report))
    }

    fn count(&mut self, report: Report) -> Report {
        self.batches -= 1;
        self.messages -= report.messages;
        report
    }
}

/// Waits for `work`, however long it takes, and says so when it takes long. The work is never dropped: a driver
/// may be left in a bad state by that.
pub(crate) async fn watched<T>(work: impl Future<Output = T>, slow: impl Fn(Duration)) -> T {
    let mut work = pin!(work);
    let mut waited = Duration::ZERO;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SLOW) => {
                waited += SLOW;
                slow(waited);
            }
        }
    }
}
