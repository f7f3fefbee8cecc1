//! `pricepipe dead-letters`: what could not be stored, to look at and to send again. Kafka alone.

pub(crate) mod args;
mod letter;
mod list;
mod replay;
mod show;

use std::ops::ControlFlow;

use pricepipe_core::Pipeline;
use rdkafka::message::BorrowedMessage;

use self::{
    args::{Action, DeadLettersArgs, LetterId},
    letter::Filter,
};
use crate::{
    cluster::{self, Cluster, scan::Ranges},
    exit::{Exit, Failed},
    file,
};

/// Lists, shows or replays dead letters.
pub(crate) fn dead_letters(args: &DeadLettersArgs) -> Result<(), Failed> {
    match &args.action {
        Action::List { file, filter, limit, output } => {
            list::list(&Letters::of(&file::pipeline(file)?)?, &Filter::of(filter)?, *limit, *output)
        }
        Action::Show { file, letter, output } => {
            show::show(&Letters::of(&file::pipeline(file)?)?, *letter, *output)
        }
        Action::Replay(args) => {
            let pipeline = file::pipeline(&args.file)?;
            replay::replay(&Letters::of(&pipeline)?, &pipeline, args)
        }
    }
}

/// The dead-letter topic of a pipeline.
struct Letters {
    cluster: Cluster,
    topic: String,
    /// What it holds now.
    ranges: Ranges,
}

impl Letters {
    fn of(pipeline: &Pipeline) -> Result<Letters, Failed> {
        let (cluster, topic) = (Cluster::required(pipeline)?, pipeline.dead_letter_topic().name.to_string());
        let known = cluster.existing(std::slice::from_ref(&topic))?;
        let ranges = cluster.ranges(&topic, known.iter().flat_map(cluster::partitions))?;
        Ok(Letters { cluster, topic, ranges })
    }

    fn scan(
        &self,
        ranges: &Ranges,
        each: impl FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        self.cluster.scan(&self.topic, ranges, each)
    }

    /// What has to be read to see these letters.
    fn ranges_of(&self, letters: &[LetterId]) -> Result<Ranges, Failed> {
        let mut ranges = Ranges::new();
        for id in letters {
            let held = self.ranges.get(&id.partition).filter(|held| held.contains(&id.offset));
            held.ok_or_else(|| self.not_there(*id))?;
            let range = ranges.entry(id.partition).or_insert(id.offset..id.offset);
            *range = range.start.min(id.offset)..range.end.max(id.offset + 1);
        }
        Ok(ranges)
    }

    fn not_there(&self, id: LetterId) -> Failed {
        let held = self.ranges.iter().filter(|(_, range)| !range.is_empty());
        let held: Vec<String> = held
            .map(|(partition, range)| format!("{partition}:{} to {partition}:{}", range.start, range.end - 1))
            .collect();
        let held = if held.is_empty() { "no letters".to_owned() } else { held.join(", ") };
        Failed::new(Exit::NotFound, format!("there is no dead letter {id}: {} holds {held}", self.topic))
    }
}
