//! What a client that only administers has to say by itself. Nothing else takes it from the client, so it has to be fetched from time
//! to time, or it piles up.

use std::ptr::NonNull;

use rdkafka::{
    bindings::*,
    client::{Client, ClientContext},
    error::RDKafkaErrorCode,
};

use super::Answer;

/// The setting by which a client hands its errors over instead of only logging them.
pub const ERRORS_AS_EVENTS: (&str, &str) = ("enabled_events", "8");

/// An error that the client met by itself: a broker that is away, a login that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which.
    pub code: RDKafkaErrorCode,
    /// In librdkafka's words.
    pub text: String,
}

/// Takes the errors that the client has met since it was last asked, oldest first, and forgets what it would have
/// logged: they say the same. The client's settings have to hold [`ERRORS_AS_EVENTS`]. Does not block.
pub fn notices<C: ClientContext>(client: &Client<C>) -> Vec<Notice> {
    // SAFETY: the client is borrowed, so it is live. The reference to its queue is given back below.
    let Some(queue) = NonNull::new(unsafe { rd_kafka_queue_get_main(client.native_ptr()) }) else {
        return Vec::new();
    };
    let mut notices = Vec::new();
    // SAFETY: the queue is live until it is given back; an event that was polled belongs to `Answer`.
    while let Some(event) = NonNull::new(unsafe { rd_kafka_queue_poll(queue.as_ptr(), 0) }) {
        let event = Answer(event);
        // SAFETY: the event is live.
        if unsafe { rd_kafka_event_type(event.0.as_ptr()) } == RD_KAFKA_EVENT_ERROR {
            // SAFETY: as above.
            let code = unsafe { rd_kafka_event_error(event.0.as_ptr()) };
            notices.push(Notice { code: code.into(), text: event.error_text() });
        }
    }
    // SAFETY: it is the reference that was got above, and is given back once.
    unsafe { rd_kafka_queue_destroy(queue.as_ptr()) };
    notices
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use rdkafka::{ClientConfig, admin::AdminClient, client::DefaultClientContext};

    use super::*;

    #[test]
    fn a_client_says_that_nobody_is_there() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set(ERRORS_AS_EVENTS.0, ERRORS_AS_EVENTS.1);
        let client: AdminClient<DefaultClientContext> = config.create().unwrap();
        let mut said = Vec::new();
        let start = Instant::now();
        while said.is_empty() && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(20));
            said = notices(client.inner());
        }
        let codes: Vec<_> = said.iter().map(|notice| notice.code).collect();
        assert!(codes.contains(&RDKafkaErrorCode::BrokerTransportFailure), "{said:?}");
        assert!(said.iter().any(|notice| notice.text.contains("Connection refused")), "{said:?}");
    }
}
