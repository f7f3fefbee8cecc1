//! How far an answer has been sent, and how much of it may be sent now. Pure: bytes in, permission out.

use std::time::Duration;

use crate::ledger::Delivery;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// How an answer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As fast as the client takes it.
    #[default]
    Whole,
    /// Status line and headers byte by byte, with a pause after each.
    SlowHead(Duration),
    /// The body byte by byte, with a pause after each.
    SlowBody(Duration),
    /// Only so many bytes of the body.
    Cut { after: usize, ending: Ending },
}

/// How a connection ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In good order (FIN).
    Close,
    /// Torn off (RST).
    Reset,
}

/// One answer on its way. The default is an answer that nobody watches.
#[derive(Debug, Default)]
pub(crate) struct Transfer {
    manner: Manner,
    body_length: usize,
    delivery: Option<Delivery>,
    /// How many bytes of the blank line that ends the head were just seen.
    head_matched: usize,
    head_done: bool,
    body_sent: usize,
}

/// What may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    Write { bytes: usize, pause: Option<Duration> },
    End(Ending),
}

/// Where the head ends within some bytes.
struct Scan {
    head_bytes: usize,
    matched: usize,
    head_done: bool,
}

impl Transfer {
    /// An answer with a body of this length. Once its last byte is written, it is delivered.
    pub(crate) fn new(manner: Manner, body_length: usize, delivery: Option<Delivery>) -> Self {
        Transfer { manner, body_length, delivery, ..Transfer::default() }
    }

    /// Nothing more goes out: the next write ends the connection.
    pub(crate) fn ended(ending: Ending) -> Self {
        let manner = Manner::Cut { after: 0, ending };
        Transfer { manner, body_length: usize::MAX, head_done: true, ..Transfer::default() }
    }

    /// True when nobody wants to know how far it has come: as for the frames of a stream.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.manner == Manner::Whole && self.delivery.is_none()
    }

    /// How many of these next bytes may be written.
    pub(crate) fn permit(&self, next: &[u8]) -> Permit {
        let at_once = |bytes| Permit::Write { bytes, pause: None };
        let one_byte = |pause| Permit::Write { bytes: next.len().min(1), pause: Some(pause) };
        match self.manner {
            Manner::Whole => at_once(next.len()),
            Manner::SlowHead(pause) if !self.head_done => one_byte(pause),
            Manner::SlowHead(_) => at_once(next.len()),
            Manner::SlowBody(pause) if self.head_done => one_byte(pause),
            Manner::SlowBody(_) => at_once(self.scan(next).head_bytes),
            Manner::Cut { after, ending } => match after.saturating_sub(self.body_sent) {
                0 if self.head_done => Permit::End(ending),
                room => at_once(next.len().min(self.scan(next).head_bytes.saturating_add(room))),
            },
        }
    }

    /// The delivery that is complete once these bytes are written.
    pub(crate) fn completed_by(&self, bytes: &[u8]) -> Option<&Delivery> {
        let scan = self.scan(bytes);
        let body_sent = self.body_sent + bytes.len() - scan.head_bytes;
        self.delivery.as_ref().filter(|_| scan.head_done && body_sent == self.body_length)
    }

    /// These bytes were written. After the last one, the connection is an ordinary one again.
    pub(crate) fn advance(&mut self, written: &[u8]) {
        let scan = self.scan(written);
        self.body_sent += written.len() - scan.head_bytes;
        (self.head_matched, self.head_done) = (scan.matched, scan.head_done);
        if self.head_done && self.body_sent >= self.body_length {
            *self = Transfer::default();
        }
    }

    fn scan(&self, bytes: &[u8]) -> Scan {
        if self.head_done {
            return Scan { head_bytes: 0, matched: 0, head_done: true };
        }
        let mut matched = self.head_matched;
        for (index, byte) in bytes.iter().enumerate() {
            matched = match *byte == END_OF_HEAD[matched] {
                true => matched + 1,
                false => usize::from(*byte == b'\r'),
            };
            if matched == END_OF_HEAD.len() {
                return Scan { head_bytes: index + 1, matched: 0, head_done: true };
            }
        }
        Scan { head_bytes: bytes.len(), matched, head_done: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde";
    const HEAD: usize = ANSWER.len() - 5;

    /// Sends the answer in pieces of at most `piece` bytes. Gives what went out, the pauses, and how it ended.
    fn send(manner: Manner, piece: usize) -> (usize, usize, Option<Ending>, bool) {
        let delivery = Delivery::default();
        let mut transfer = Transfer::new(manner, 5, Some(delivery.clone()));
        let (mut sent, mut pauses) = (0, 0);
        while sent < ANSWER.len() {
            let next = &ANSWER[sent..ANSWER.len().min(sent + piece)];
            match transfer.permit(next) {
                Permit::End(ending) => return (sent, pauses, Some(ending), delivery.is_done()),
                Permit::Write { bytes, pause } => {
                    assert!(bytes > 0, "no progress");
                    if let Some(delivery) = transfer.completed_by(&next[..bytes]) {
                        delivery.set(true);
                    }
                    transfer.advance(&next[..bytes]);
                    sent += bytes;
                    pauses += usize::from(pause.is_some());
                }
            }
        }
        (sent, pauses, None, delivery.is_done())
    }

    #[test]
    fn a_whole_answer_is_delivered_however_it_is_cut_into_writes() {
        for piece in 1..=ANSWER.len() {
            assert_eq!(send(Manner::Whole, piece), (ANSWER.len(), 0, None, true));
        }
    }

    #[test]
    fn slow_head_and_slow_body_pause_after_each_of_their_bytes_and_deliver() {
        let pause = Duration::from_millis(1);
        for piece in 1..=ANSWER.len() {
            assert_eq!(send(Manner::SlowHead(pause), piece), (ANSWER.len(), HEAD, None, true));
            assert_eq!(send(Manner::SlowBody(pause), piece), (ANSWER.len(), 5, None, true));
        }
    }

    #[test]
    fn a_cut_answer_ends_after_its_bytes_and_is_not_delivered() {
        for piece in 1..=ANSWER.len() {
            for (after, ending) in [(0, Ending::Close), (2, Ending::Reset), (4, Ending::Close)] {
                let expected = (HEAD + after, 0, Some(ending), false);
                assert_eq!(send(Manner::Cut { after, ending }, piece), expected);
            }
        }
    }

    #[test]
    fn after_its_last_byte_the_connection_is_an_ordinary_one_again() {
        let mut transfer = Transfer::new(Manner::SlowBody(Duration::from_secs(1)), 5, None);
        transfer.advance(ANSWER);
        assert_eq!(transfer.permit(ANSWER), Permit::Write { bytes: ANSWER.len(), pause: None });
    }
}
