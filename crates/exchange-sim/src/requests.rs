//! Every request that came in: the proof that no client called before it was allowed to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::http::Uri;
use serde::Serialize;

use crate::locked;

/// A request to the simulated exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// 1, 2, 3 … in the order of arrival.
    pub number: u64,
    /// When it arrived, by the monotonic clock.
    #[serde(skip)]
    pub arrived: Instant,
    /// When it arrived, in milliseconds since 1970.
    pub time_millis: i64,
    /// The path, such as `/api/v3/ticker/price`.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The status of the answer; none while there is none, as when a fault makes the request hang.
    pub status: Option<u16>,
}

/// Every request that came in, or the latest of them when it is bounded. Clones share one log.
#[derive(Clone, Debug)]
pub struct RequestLog {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug)]
struct Log {
    requests: VecDeque<Request>,
    capacity: usize,
    total: u64,
}

impl RequestLog {
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        let log = Log { requests: VecDeque::new(), capacity: capacity.unwrap_or(usize::MAX), total: 0 };
        RequestLog { log: Arc::new(Mutex::new(log)) }
    }

    /// Notes an arrival. Gives the number of the request.
    pub(crate) fn arrived(&self, uri: &Uri, time_millis: i64) -> u64 {
        let mut log = locked(&self.log);
        log.total += 1;
        let request = Request {
            number: log.total,
            arrived: Instant::now(),
            time_millis,
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            status: None,
        };
        log.requests.push_back(request);
        if log.requests.len() > log.capacity {
            log.requests.pop_front();
        }
        log.total
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut log = locked(&self.log);
        // Found from the back: the request is among the latest, if it is still held at all.
        if let Some(request) = log.requests.iter_mut().rev().find(|request| request.number == number) {
            request.status = Some(status);
        }
    }

    /// How many requests ever came in.
    pub fn total(&self) -> u64 {
        locked(&self.log).total
    }

    /// The requests that it still holds, the oldest first.
    pub fn entries(&self) -> Vec<Request> {
        locked(&self.log).requests.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_with_their_query_and_the_status_that_they_got() {
        let log = RequestLog::new(Some(2));
        for n in 1..=3 {
            let uri: Uri = format!("/api/v3/ticker/price?symbol=S{n}").parse().unwrap();
            assert_eq!(log.arrived(&uri, 5), n);
        }
        log.answered(1, 500);
        log.answered(2, 429);
        let kept: Vec<_> = log.entries().into_iter().map(|r| (r.number, r.query, r.status)).collect();
        assert_eq!(kept, [(2, "symbol=S2".to_owned(), Some(429)), (3, "symbol=S3".to_owned(), None)]);
        assert_eq!(log.total(), 3);
    }
}
