//! Connections that can be made to fail: bytes that dribble, stop or are torn off. The only file that touches a
//! socket's bytes.
//!
//! A handler cannot do that by itself: HTTP libraries write a correct response or none. So each connection's
//! stream knows how the answer that comes next is to be sent, and does that to the bytes as they pass.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{
    ledger::Delivery,
    locked,
    transfer::{Ending, Permit, Transfer},
};

/// Accepts connections whose answers can be spoilt.
#[derive(Debug)]
pub(crate) struct SimListener {
    listener: TcpListener,
    stop: CancellationToken,
    alive: mpsc::Sender<()>,
}

impl SimListener {
    /// Connections end when `stop` is cancelled; `alive` is dropped with the last of them.
    pub(crate) fn new(listener: TcpListener, stop: CancellationToken, alive: mpsc::Sender<()>) -> Self {
        SimListener { listener, stop, alive }
    }
}

impl Listener for SimListener {
    type Io = SimStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (SimStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Without it an answer in small pieces waits for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off Nagle's algorithm");
        }
        (SimStream::new(stream, &self.stop, self.alive.clone()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The handler's end of a connection: says how the next answer is sent.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<Mutex<Transfer>>);

impl Connection {
    pub(crate) fn send_next_as(&self, transfer: Transfer) {
        *locked(&self.0) = transfer;
    }
}

impl Connected<IncomingStream<'_, SimListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, SimListener>) -> Self {
        Connection(stream.io().transfer.clone())
    }
}

/// A connection's stream.
pub(crate) struct SimStream {
    stream: TcpStream,
    transfer: Arc<Mutex<Transfer>>,
    pause: Option<Pin<Box<Sleep>>>,
    stop: CancellationToken,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    _alive: mpsc::Sender<()>,
}

impl SimStream {
    fn new(stream: TcpStream, stop: &CancellationToken, alive: mpsc::Sender<()>) -> Self {
        SimStream {
            stream,
            transfer: Arc::default(),
            pause: None,
            stop: stop.clone(),
            stopped: Box::pin(stop.clone().cancelled_owned()),
            _alive: alive,
        }
    }

    /// Writes what is permitted, and keeps the delivery true to what was written.
    fn write_permitted(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut transfer = locked(&self.transfer);
        if transfer.is_unwatched() {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        let (allowed, pause) = match transfer.permit(buf) {
            Permit::Write { bytes, pause } => (&buf[..bytes], pause),
            Permit::End(ending) => return Poll::Ready(Err(self.end(ending))),
        };
        // Said before the last byte leaves: a client that has the whole answer must never read otherwise.
        let completed = transfer.completed_by(allowed).cloned();
        completed.iter().for_each(|delivery| delivery.set(true));
        let result = Pin::new(&mut self.stream).poll_write(cx, allowed);
        let written = if let Poll::Ready(Ok(written)) = result { written } else { 0 };
        if written < allowed.len() {
            completed.iter().for_each(|delivery: &Delivery| delivery.set(false));
        }
        transfer.advance(&allowed[..written]);
        self.pause = pause.filter(|_| written > 0).map(|pause: Duration| Box::pin(sleep(pause)));
        result
    }

    fn end(&self, ending: Ending) -> io::Error {
        match ending {
            Ending::Close => io::ErrorKind::BrokenPipe.into(),
            // With a linger time of zero, closing the socket sends RST instead of FIN.
            Ending::Reset => {
                self.stream.set_zero_linger().err().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into())
            }
        }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.stop.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        self.write_permitted(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
