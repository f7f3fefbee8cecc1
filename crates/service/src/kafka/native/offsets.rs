//! Where groups are, and where partitions begin and end: for many partitions by one question.

use std::{collections::BTreeMap, ffi::CString, ptr::null, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    bindings::*,
    client::{Client, ClientContext},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

use super::{Answer, AskError, Question, array, text};

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

/// The offsets that a group has committed, whatever topics they are of. Empty when there is no such group.
///
/// It takes a consumer, though not one of this group: when the coordinator has moved, librdkafka (up to 2.12.1) looks
/// for the client's own coordinator, and a client that has no group of its own then crashes the process.
pub fn committed_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    group: &str,
    patience: Duration,
) -> Result<Offsets, AskError> {
    let kind = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let question = Question::new(consumer.client(), kind, patience)?;
    let group = Group::new(group)?;
    let answer = question.ask(|client, options, queue| {
        let mut groups = [group.0];
        // SAFETY: all four are live; librdkafka copies the group, of which it takes exactly one.
        unsafe { rd_kafka_ListConsumerGroupOffsets(client, groups.as_mut_ptr(), 1, options, queue) };
    })?;
    let committed = committed(&answer)?;
    Ok(committed.into_iter().filter(|(_, offset)| *offset >= 0).collect())
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

/// The one group that a question is about, freed in the end.
struct Group(*mut rd_kafka_ListConsumerGroupOffsets_t);

impl Group {
    fn new(name: &str) -> Result<Group, AskError> {
        let name = CString::new(name).map_err(|_| AskError::Failed {
            code: RDKafkaErrorCode::InvalidGroupId,
            text: "the name of a group holds a NUL".to_owned(),
        })?;
        // SAFETY: the name ends in NUL, and librdkafka copies it. Null stands for all partitions.
        Ok(Group(unsafe { rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), null()) }))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: it was made by its constructor in `new`, is owned by this value alone, and is freed once.
        unsafe { rd_kafka_ListConsumerGroupOffsets_destroy(self.0) };
    }
}

fn committed(answer: &Answer) -> Result<Offsets, AskError> {
    let result = rd_kafka_event_ListConsumerGroupOffsets_result;
    // SAFETY: the two belong together.
    let groups = unsafe { answer.items(result, rd_kafka_ListConsumerGroupOffsets_result_groups) };
    let group = *groups.first().ok_or(AskError::NoAnswer)?;
    // SAFETY: the group is one of this answer, and so are its partitions, unless there are none. No error stands for
    // success.
    unsafe {
        let failure = rd_kafka_error_code(rd_kafka_group_result_error(group));
        if failure != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(AskError::of(failure));
        }
        let list = rd_kafka_group_result_partitions(group);
        if list.is_null() {
            return Ok(Offsets::new());
        }
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        let partitions = array(|length| {
            *length = count;
            (*list).elems
        });
        partitions.iter().map(|partition| offset(partition)).collect()
    }
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

#[cfg(test)]
mod tests {
    use rdkafka::{ClientConfig, mocking::MockCluster, types::RDKafkaApiKey};

    use super::*;

    #[test]
    fn a_coordinator_that_has_moved_is_an_error_that_passes() {
        let cluster = MockCluster::new(1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "asks");
        let consumer: BaseConsumer = config.create().unwrap();
        let moved = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[moved]);
        let ask = || committed_offsets(&consumer, "asked", Duration::from_secs(5));
        let failed = ask();
        let expected = RDKafkaErrorCode::NotCoordinator;
        assert!(matches!(&failed, Err(AskError::Failed { code, .. }) if *code == expected), "{failed:?}");
        assert_eq!(ask().unwrap(), Offsets::new());
    }
}
