//! Sets single configuration entries of topics. What is not named stays as it is, which rust-rdkafka's
//! `alter_configs` cannot promise: it resets everything that it is not given.

use std::{collections::BTreeMap, ffi::CString, time::Duration};

use rdkafka::{
    bindings::*,
    client::{Client, ClientContext},
    error::RDKafkaErrorCode,
};

use super::{Answer, AskError, Question, text};

/// Of each topic whether it worked, or else the error's code and the brokers' words.
pub type Changed = Vec<(String, Result<(), (RDKafkaErrorCode, String)>)>;

/// Sets configuration entries of topics.
pub fn set_topic_configs<C: ClientContext>(
    client: &Client<C>,
    topics: &BTreeMap<String, BTreeMap<String, String>>,
    patience: Duration,
) -> Result<Changed, AskError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let kind = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let question = Question::new(client, kind, patience)?;
    let changes: Vec<Change> =
        topics.iter().map(|(topic, entries)| Change::new(topic, entries)).collect::<Result<_, _>>()?;
    let answer = question.ask(|client, options, queue| {
        let mut changes: Vec<_> = changes.iter().map(|change| change.0).collect();
        // SAFETY: all are live; librdkafka copies the changes.
        unsafe {
            rd_kafka_IncrementalAlterConfigs(client, changes.as_mut_ptr(), changes.len(), options, queue);
        }
    })?;
    Ok(changed(&answer))
}

/// The change of one topic, freed in the end.
struct Change(*mut rd_kafka_ConfigResource_t);

impl Change {
    fn new(topic: &str, entries: &BTreeMap<String, String>) -> Result<Change, AskError> {
        let topic = native(topic)?;
        // SAFETY: the name ends in NUL, and librdkafka copies it.
        let change = Change(unsafe {
            rd_kafka_ConfigResource_new(rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic.as_ptr())
        });
        for (key, value) in entries {
            let (key, value) = (native(key)?, native(value)?);
            let set = rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            // SAFETY: the change is live; both texts end in NUL, and librdkafka copies them. The error is ours, and is
            // freed once; null, which stands for none, may be asked for its code and be freed as well.
            let failure = unsafe {
                let error = rd_kafka_ConfigResource_add_incremental_config(
                    change.0,
                    key.as_ptr(),
                    set,
                    value.as_ptr(),
                );
                let code = rd_kafka_error_code(error);
                rd_kafka_error_destroy(error);
                code
            };
            if failure != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(AskError::of(failure));
            }
        }
        Ok(change)
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // SAFETY: it was made by its constructor in `new`, is owned by this value alone, and is freed once.
        unsafe { rd_kafka_ConfigResource_destroy(self.0) };
    }
}

fn native(text: &str) -> Result<CString, AskError> {
    CString::new(text).map_err(|_| AskError::Failed {
        code: RDKafkaErrorCode::InvalidConfig,
        text: "a topic's name or configuration holds a NUL".to_owned(),
    })
}

fn changed(answer: &Answer) -> Changed {
    let result = rd_kafka_event_IncrementalAlterConfigs_result;
    // SAFETY: the two belong together.
    let topics = unsafe { answer.items(result, rd_kafka_IncrementalAlterConfigs_result_resources) };
    let changed = |topic: &*const rd_kafka_ConfigResource_t| {
        // SAFETY: each is an item of this answer; its texts end in NUL and live as long as it, or are null.
        let (name, code, reason) = unsafe {
            let name = text(rd_kafka_ConfigResource_name(*topic)).unwrap_or_default();
            let reason = text(rd_kafka_ConfigResource_error_string(*topic)).unwrap_or_default();
            (name, rd_kafka_ConfigResource_error(*topic), reason)
        };
        let failed = code != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        (name, if failed { Err((code.into(), reason)) } else { Ok(()) })
    };
    topics.iter().map(changed).collect()
}
