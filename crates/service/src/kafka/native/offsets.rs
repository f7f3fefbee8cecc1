//! Where partitions begin and end: for many partitions by one question.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    bindings::*,
    client::{Client, ClientContext},
};

use super::{Answer, AskError, Question, text};

/// An offset for each topic and partition.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// One end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The oldest message that is still there.
    Oldest,
    /// One after the newest message.
    Newest,
}

/// One end of each of these partitions.
pub fn offsets_of<C: ClientContext>(
    client: &Client<C>,
    partitions: &[(String, i32)],
    end: End,
    patience: Duration,
) -> Result<Offsets, AskError> {
    if partitions.is_empty() {
        return Ok(Offsets::new());
    }
    let offset = match end {
        End::Oldest => Offset::Beginning,
        End::Newest => Offset::End,
    };
    let list: TopicPartitionList =
        partitions.iter().map(|(topic, partition)| (topic.clone(), *partition, offset)).collect();
    let question = Question::new(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, patience)?;
    let answer = question.ask(|client, options, queue| {
        // SAFETY: all four are live; librdkafka copies the list.
        unsafe { rd_kafka_ListOffsets(client, list.ptr(), options, queue) };
    })?;
    found(&answer)
}

fn found(answer: &Answer) -> Result<Offsets, AskError> {
    // SAFETY: the two belong together.
    let infos = unsafe { answer.items(rd_kafka_event_ListOffsets_result, rd_kafka_ListOffsets_result_infos) };
    // SAFETY: each is an item of this answer, and has a partition.
    infos
        .iter()
        .map(|info| unsafe { offset(rd_kafka_ListOffsetsResultInfo_topic_partition(*info)) })
        .collect()
}

/// # Safety
///
/// `partition` must be a partition of a live answer.
unsafe fn offset(partition: *const rd_kafka_topic_partition_t) -> Result<((String, i32), i64), AskError> {
    // SAFETY: by the contract; the topic is a text that ends in NUL.
    unsafe {
        let topic = text((*partition).topic).unwrap_or_default();
        let failure = (*partition).err;
        if failure == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(((topic, (*partition).partition), (*partition).offset));
        }
        let text = format!("no offset of {topic}, partition {}", (*partition).partition);
        Err(AskError::Failed { code: failure.into(), text })
    }
}
