//! Questions to the brokers for which rust-rdkafka has no binding. Network I/O, and the only unsafe code of pricepipe.
//!
//! Every function blocks until the brokers have answered or patience is at its end.
#![expect(unsafe_code, reason = "rust-rdkafka binds only a part of librdkafka's admin interface")]

mod configs;
mod notices;
mod offsets;
mod topics;

use std::{ffi::CStr, marker::PhantomData, ptr::NonNull, ptr::null_mut, slice, time::Duration};

use rdkafka::{
    bindings::*,
    client::{Client, ClientContext},
    error::{KafkaError, RDKafkaErrorCode},
};

pub use configs::{Changed, set_topic_configs};
pub use notices::{ERRORS_AS_EVENTS, Notice, notices};
pub use offsets::{End, Offsets, offsets_of};
pub use topics::{Copies, Described, DescribedTopic, describe_topics, topic_id};

/// Why a question has no answer. Every kind may pass.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No client could be made.
    #[error("cannot create a client to ask the brokers")]
    Client(#[source] KafkaError),
    /// The brokers did not answer.
    #[error("no answer from the brokers in time")]
    NoAnswer,
    /// librdkafka or the brokers answered with an error.
    #[error("{text} ({code})")]
    Failed {
        /// Which.
        code: RDKafkaErrorCode,
        /// In their words.
        text: String,
    },
}

impl AskError {
    /// An error of which only the code is known.
    fn of(code: rd_kafka_resp_err_t) -> AskError {
        let code = RDKafkaErrorCode::from(code);
        AskError::Failed { code, text: "the brokers refuse".to_owned() }
    }
}

/// Everything that a question needs, freed in the end. The client outlives it.
struct Question<'client> {
    client: *mut rd_kafka_t,
    queue: NonNull<rd_kafka_queue_t>,
    options: NonNull<rd_kafka_AdminOptions_t>,
    patience: Duration,
    borrowed: PhantomData<&'client ()>,
}

impl<'client> Question<'client> {
    fn new<C: ClientContext>(
        client: &'client Client<C>,
        kind: rd_kafka_admin_op_t,
        patience: Duration,
    ) -> Result<Self, AskError> {
        let client = client.native_ptr();
        // SAFETY: the client is live for at least as long as the borrow that `Question` holds.
        let (queue, options) =
            unsafe { (rd_kafka_queue_new(client), rd_kafka_AdminOptions_new(client, kind)) };
        // Each of the two only fails when memory is out, and librdkafka aborts then.
        let (Some(queue), Some(options)) = (NonNull::new(queue), NonNull::new(options)) else {
            return Err(AskError::NoAnswer);
        };
        let question = Question { client, queue, options, patience, borrowed: PhantomData };
        // SAFETY: the options are live. The error text may be left out.
        let set = unsafe {
            rd_kafka_AdminOptions_set_request_timeout(options.as_ptr(), question.millis(), null_mut(), 0)
        };
        if set == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            Ok(question)
        } else {
            Err(AskError::of(set))
        }
    }

    fn millis(&self) -> i32 {
        i32::try_from(self.patience.as_millis()).unwrap_or(i32::MAX - 1_000)
    }

    /// Sends the question by `send`, which gets the client, the options and the queue for the answer.
    fn ask(
        &self,
        send: impl FnOnce(*mut rd_kafka_t, *const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
    ) -> Result<Answer, AskError> {
        send(self.client, self.options.as_ptr(), self.queue.as_ptr());
        // librdkafka answers by itself when the patience is over; the second is for it to do so.
        // SAFETY: the queue is live, and polled by this thread alone.
        let event = unsafe { rd_kafka_queue_poll(self.queue.as_ptr(), self.millis() + 1_000) };
        let answer = NonNull::new(event).map(Answer).ok_or(AskError::NoAnswer)?;
        answer.failure().map_or(Ok(answer), Err)
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // SAFETY: each was made by its constructor in `new`, is owned by this value alone, and is freed once.
        unsafe {
            rd_kafka_AdminOptions_destroy(self.options.as_ptr());
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// An event of librdkafka's, freed in the end.
struct Answer(NonNull<rd_kafka_event_t>);

impl Answer {
    fn failure(&self) -> Option<AskError> {
        // SAFETY: the event is live for as long as `self`.
        let code = unsafe { rd_kafka_event_error(self.0.as_ptr()) };
        let failed = code != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        failed.then(|| AskError::Failed { code: code.into(), text: self.error_text() })
    }

    fn error_text(&self) -> String {
        // SAFETY: the event is live for as long as `self`; the text ends in NUL, lives as long as the event, and is
        // copied.
        unsafe { text(rd_kafka_event_error_string(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// What `result` and `items` make of the answer. Nothing when it is the answer to another question.
    ///
    /// # Safety
    ///
    /// `items` must take what `result` returns, and tell a length that is true.
    unsafe fn items<R, T>(
        &self,
        result: unsafe extern "C" fn(*mut rd_kafka_event_t) -> *const R,
        items: unsafe extern "C" fn(*const R, *mut usize) -> *mut *const T,
    ) -> &[*const T] {
        // SAFETY: the event is live for as long as `self`, and the result and its items live as long as the event.
        unsafe {
            let result = result(self.0.as_ptr());
            if result.is_null() { &[] } else { array(|count| items(result, count)) }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the event came from a poll, is owned by this value alone, and is freed once.
        unsafe { rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// The array whose place and length librdkafka tells.
///
/// # Safety
///
/// `get` must return null, or the place of as many live values as it writes to its argument, which live for `'a`.
unsafe fn array<'a, T>(get: impl FnOnce(*mut usize) -> *mut T) -> &'a [T] {
    let mut count = 0;
    let first = get(&mut count);
    // SAFETY: by the contract.
    if first.is_null() { &[] } else { unsafe { slice::from_raw_parts(first, count) } }
}

/// A copy of a text of librdkafka's.
///
/// # Safety
///
/// `text` must be null or a live text that ends in NUL.
unsafe fn text(text: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: by the contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
