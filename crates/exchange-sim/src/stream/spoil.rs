//! What faults do to the frames of a connection. Pure: frames in, frames and orders out; chance has a seed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    Cut,
    fault::{OddFrame, StreamFault},
    frame::Frame,
};
use crate::faults::StreamFaultInForce;

/// What the connection is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Send {
        text: String,
        data_of: Option<Arc<str>>,
    },
    SendBinary(Vec<u8>),
    SendUnknown,
    /// The notice that the server goes.
    Notice,
    End(Cut),
    FallSilent,
}

/// What was done to the frames of a symbol, or of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spoilt {
    pub(super) dropped: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
}

/// The faults of a connection and how far each has come.
#[derive(Debug)]
pub(super) struct Spoiler {
    faults: Vec<StreamFaultInForce>,
    /// The faults that act once and have acted, by the number of their rule.
    acted: Vec<u64>,
    random: Rng,
    /// Data frames sent.
    sent: u64,
    held: Option<Frame>,
    held_before: bool,
    end_at: Option<Instant>,
}

impl Spoiler {
    pub(super) fn new(seed: u64) -> Self {
        let random = Rng::with_seed(seed);
        Spoiler {
            faults: Vec::new(),
            acted: Vec::new(),
            random,
            sent: 0,
            held: None,
            held_before: false,
            end_at: None,
        }
    }

    /// The faults that are in force from now on.
    pub(super) fn meet(&mut self, faults: Vec<StreamFaultInForce>, now: Instant) {
        self.faults = faults;
        self.expire(now);
    }

    /// Ends the faults whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.faults.retain(|met| met.until.is_none_or(|until| now < until));
    }

    pub(super) fn has(&self, fault: &StreamFault) -> bool {
        self.faults.iter().any(|met| met.fault == *fault)
    }

    /// True when the connection must end because its notice has run out.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.end_at.is_some_and(|end| now >= end)
    }

    /// Takes a frame, and adds what becomes of it to the steps.
    pub(super) fn take(&mut self, mut frame: Frame, now: Instant, steps: &mut Vec<Step>) -> Spoilt {
        let mut spoilt = Spoilt::default();
        if frame.data_of.is_none() {
            steps.push(Step::Send { text: frame.text, data_of: None });
            return spoilt;
        }
        if self.happens(|fault| match fault {
            StreamFault::Drop { percent } => Some(*percent),
            _ => None,
        }) {
            spoilt.dropped = 1;
            return spoilt;
        }
        if self.has(&StreamFault::ExtraField) && frame.text.ends_with('}') {
            frame.text.pop();
            frame.text.push_str(r#","aFieldOfTheFuture":{"new":[1,null]}}"#);
        }
        if self.held.is_none()
            && self.happens(|fault| match fault {
                StreamFault::Reorder { percent } => Some(*percent),
                _ => None,
            })
        {
            (self.held, self.held_before) = (Some(frame), false);
            spoilt.reordered = 1;
            return spoilt;
        }
        spoilt.duplicated = self.send(frame, now, steps);
        if let Some(held) = self.held.take() {
            spoilt.duplicated += self.send(held, now, steps);
        }
        spoilt
    }

    /// The end of what was to be said now. A frame that waits for the one after it waits for so long at most.
    pub(super) fn pause(&mut self, now: Instant, steps: &mut Vec<Step>) {
        self.act(now, steps);
        if let Some(held) = self.held.take_if(|_| self.held_before) {
            self.send(held, now, steps);
        }
        self.held_before = self.held.is_some();
    }

    /// Sends a frame as often as faults say. Gives how many of them were too many.
    fn send(&mut self, frame: Frame, now: Instant, steps: &mut Vec<Step>) -> u64 {
        let flood = self.faults.iter().find_map(|met| match met.fault {
            StreamFault::Flood { times } => Some(u64::from(times)),
            _ => None,
        });
        let twice = self.happens(|fault| match fault {
            StreamFault::Duplicate { percent } => Some(*percent),
            _ => None,
        });
        let times = flood.unwrap_or(1) + u64::from(twice);
        for _ in 0..times {
            steps.push(Step::Send { text: frame.text.clone(), data_of: frame.data_of.clone() });
            self.sent += 1;
            self.act(now, steps);
        }
        times - 1
    }

    /// Whether a fault of some percentage happens to this frame.
    fn happens(&mut self, percent: impl Fn(&StreamFault) -> Option<u8>) -> bool {
        let percent = self.faults.iter().find_map(|met| percent(&met.fault));
        percent.is_some_and(|percent| self.random.u8(0..100) < percent)
    }

    /// Lets those faults act whose number of frames has come.
    fn act(&mut self, now: Instant, steps: &mut Vec<Step>) {
        for met in &self.faults {
            let (after, step) = match &met.fault {
                StreamFault::Cut { after_frames, close: None } => (after_frames, Step::End(Cut::Abort)),
                StreamFault::Cut { after_frames, close: Some(code) } => {
                    (after_frames, Step::End(Cut::Close(*code, "scripted")))
                }
                StreamFault::HalfOpen { after_frames } => (after_frames, Step::FallSilent),
                StreamFault::Insert { after_frames, frame } => (after_frames, odd(frame)),
                StreamFault::Shutdown { after_frames, .. } => (after_frames, Step::Notice),
                _ => continue,
            };
            // Counted from when the connection met the fault.
            if self.sent < met.met_at_frame + after || self.acted.contains(&met.rule) {
                continue;
            }
            self.acted.push(met.rule);
            if let StreamFault::Shutdown { cut_after_millis, .. } = met.fault {
                self.end_at = Some(now + Duration::from_millis(cut_after_millis));
            }
            steps.push(step);
        }
    }

    /// Data frames sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}

fn odd(frame: &OddFrame) -> Step {
    let text = |text: String| Step::Send { text, data_of: None };
    match frame {
        OddFrame::Binary => Step::SendBinary(vec![0, 159, 146, 150]),
        OddFrame::Malformed => text(r#"{"e":"trade","#.to_owned()),
        OddFrame::UnknownType => Step::SendUnknown,
        OddFrame::Oversized { bytes } => text(format!(r#"{{"padding":"{}"}}"#, "x".repeat(*bytes))),
        OddFrame::Text { text: own } => text(own.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoiler(faults: &[StreamFault]) -> Spoiler {
        let mut spoiler = Spoiler::new(7);
        let met = faults.iter().zip(1..).map(|(fault, rule)| StreamFaultInForce {
            rule,
            fault: fault.clone(),
            until: None,
            met_at_frame: 0,
        });
        spoiler.meet(met.collect(), Instant::now());
        spoiler
    }

    /// What becomes of the frames `{"n":0}`, `{"n":1}` …, as text, and how many were spoilt.
    fn run(spoiler: &mut Spoiler, frames: u64) -> (Vec<String>, Spoilt) {
        let (mut steps, mut total) = (Vec::new(), Spoilt::default());
        for n in 0..frames {
            let frame = Frame { text: format!(r#"{{"n":{n}}}"#), data_of: Some("A".into()) };
            let spoilt = spoiler.take(frame, Instant::now(), &mut steps);
            total.dropped += spoilt.dropped;
            total.duplicated += spoilt.duplicated;
            total.reordered += spoilt.reordered;
        }
        spoiler.pause(Instant::now(), &mut steps);
        spoiler.pause(Instant::now(), &mut steps);
        let told = steps.into_iter().map(|step| match step {
            Step::Send { text, .. } => text,
            other => format!("{other:?}"),
        });
        (told.collect(), total)
    }

    #[test]
    fn without_faults_everything_is_sent_in_order() {
        assert_eq!(run(&mut spoiler(&[]), 3).0, [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#]);
    }

    #[test]
    fn a_seed_drops_and_doubles_the_same_frames_again() {
        let faults = [StreamFault::Drop { percent: 20 }, StreamFault::Duplicate { percent: 10 }];
        let (told, spoilt) = run(&mut spoiler(&faults), 1_000);
        assert_eq!(run(&mut spoiler(&faults), 1_000), (told.clone(), spoilt));
        assert!((150..250).contains(&spoilt.dropped) && (40..120).contains(&spoilt.duplicated), "{spoilt:?}");
        assert_eq!(told.len() as u64, 1_000 - spoilt.dropped + spoilt.duplicated);
    }

    #[test]
    fn reordered_frames_come_one_place_later_and_none_is_lost() {
        let (told, spoilt) = run(&mut spoiler(&[StreamFault::Reorder { percent: 30 }]), 500);
        let numbers: Vec<i64> = told.iter().map(|t| t[5..t.len() - 1].parse().unwrap()).collect();
        assert!(spoilt.reordered > 50 && numbers.len() == 500);
        assert!(numbers.iter().zip(0..).all(|(n, place)| (n - place).abs() <= 1), "{numbers:?}");
        let all: std::collections::BTreeSet<_> = numbers.into_iter().collect();
        assert_eq!(all.len(), 500);
    }

    #[test]
    fn what_counts_frames_acts_once_when_they_are_sent() {
        let faults = [
            StreamFault::Insert { frame: OddFrame::Malformed, after_frames: 1 },
            StreamFault::Cut { after_frames: 2, close: Some(1001) },
        ];
        let (told, _) = run(&mut spoiler(&faults), 2);
        let expected = [r#"{"n":0}"#, r#"{"e":"trade","#, r#"{"n":1}"#, r#"End(Close(1001, "scripted"))"#];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_flood_repeats_and_an_extra_field_stays_json() {
        let (told, spoilt) =
            run(&mut spoiler(&[StreamFault::Flood { times: 3 }, StreamFault::ExtraField]), 1);
        assert_eq!((told.len(), spoilt.duplicated), (3, 2));
        assert!(
            serde_json::from_str::<serde_json::Value>(&told[0]).unwrap()["aFieldOfTheFuture"].is_object()
        );
    }
}
