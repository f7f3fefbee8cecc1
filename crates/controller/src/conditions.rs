//! Conditions: a closed set of types and reasons, and how one follows another. Pure.
//!
//! # Guarantees
//! - `lastTransitionTime` changes only with `status`, and a condition that says the same again is the same.
//! - `Ready` is `True` only when every other condition is; else it has the reason and the words of the one that says most:
//!   one that is false before one that only waits, and that before one that is not known.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// A message is cut after this many bytes; the API server takes more, but nobody reads it.
const LONGEST_MESSAGE: usize = 1_024;

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant),)+ }
            }
        }
    };
}

closed_set! {
    /// What a condition is about, in the order in which they are shown and matter.
    ConditionType {
        /// The sum of the others.
        Ready,
        /// Whether the spec can be followed.
        SpecValid,
        /// Whether the Kafka cluster answers and lets us in.
        KafkaReachable,
        /// Whether all topics are as the spec says.
        TopicsReady,
        /// Whether all producers run as the spec says.
        ProducerAvailable,
        /// Whether all consumers run as the spec says.
        ConsumerAvailable,
    }
}

closed_set! {
    /// Whether it is so.
    State {
        /// It is.
        True,
        /// It is not.
        False,
        /// It is not known.
        Unknown,
    }
}

closed_set! {
    /// Why it is so.
    Reason {
        /// Everything is as it should be, and prices flow.
        Running,
        /// `spec.suspend` is set.
        Suspended,
        /// The annotation [`crate::labels::PAUSED`] is set.
        Paused,
        /// The pipeline is being deleted.
        Deleting,
        /// The spec can be followed.
        Valid,
        /// The spec cannot be followed.
        Invalid,
        /// It was not looked at yet.
        NotChecked,
        /// A Secret or a key of it is not there.
        SecretMissing,
        /// A Secret's content cannot be used.
        SecretUnusable,
        /// Neither the pipeline nor the operator names a Kafka cluster.
        NoKafkaCluster,
        /// Kafka answers.
        Reachable,
        /// Kafka does not answer.
        Unreachable,
        /// Kafka refuses the user or the password.
        AuthenticationFailed,
        /// The topics are as the spec says.
        InSync,
        /// Kafka or a rule of ours refuses what the spec asks of a topic.
        TopicRefused,
        /// Another pipeline owns a topic.
        TopicConflict,
        /// All replicas run.
        Available,
        /// Replicas are being started or replaced.
        Progressing,
        /// Replicas cannot be started.
        Failed,
        /// No replicas are wanted.
        ScaledToZero,
        /// The API server does not allow it; the message names the verb.
        Forbidden,
        /// An object of that name belongs to somebody else.
        ObjectConflict,
        /// The API server refuses it for another reason.
        ApplyFailed,
    }
}

/// What was found out about one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub about: ConditionType,
    /// Whether it is so.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// The same for a person: what happened and what to do. Never a secret.
    pub message: String,
}

impl Finding {
    /// It is so.
    pub fn good(about: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Finding { about, state: State::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn bad(about: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Finding { about, state: State::False, reason, message: message.into() }
    }

    /// It is not known.
    pub fn unknown(about: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Finding { about, state: State::Unknown, reason, message: message.into() }
    }
}

/// Writes a finding into the conditions, which stay in the order of [`ConditionType`].
pub fn set(conditions: &mut Vec<Condition>, finding: &Finding, generation: i64, now: Timestamp) {
    let type_ = finding.about.as_str();
    let position = conditions.iter().position(|condition| condition.type_ == type_);
    let previous = position.map(|position| conditions.remove(position));
    let status = finding.state.as_str();
    let last_transition_time = match previous {
        Some(previous) if previous.status == status => previous.last_transition_time,
        _ => Time(whole_seconds(now)),
    };
    conditions.push(Condition {
        last_transition_time,
        message: shortened(&finding.message),
        observed_generation: Some(generation),
        reason: finding.reason.as_str().to_owned(),
        status: status.to_owned(),
        type_: type_.to_owned(),
    });
    conditions.sort_by_key(|condition| rank(&condition.type_));
}

/// The condition of a type.
pub fn get(conditions: &[Condition], about: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == about.as_str())
}

/// What the other conditions come to. `suspended` wins over all but an invalid spec and workers that could not be ended.
pub fn ready(conditions: &[Condition], suspended: bool) -> Finding {
    let matters = |about: &&ConditionType| {
        !suspended || ![ConditionType::KafkaReachable, ConditionType::TopicsReady].contains(about)
    };
    let amiss = PARTS.iter().filter(matters).filter_map(|about| amiss(conditions, *about));
    let worst = amiss.min_by_key(|(rank, finding)| (finding.reason == Reason::Suspended, *rank));
    match worst {
        Some((_, finding)) if !suspended || finding.reason != Reason::Suspended => finding,
        _ if suspended => {
            let message = "nothing is polled and nothing is stored; set spec.suspend to false to go on";
            Finding::bad(ConditionType::Ready, Reason::Suspended, message)
        }
        _ => {
            let message = "prices flow from the exchange into the store";
            Finding::good(ConditionType::Ready, Reason::Running, message)
        }
    }
}

/// The conditions that [`ConditionType::Ready`] sums up.
const PARTS: &[ConditionType] = &[
    ConditionType::SpecValid,
    ConditionType::KafkaReachable,
    ConditionType::TopicsReady,
    ConditionType::ProducerAvailable,
    ConditionType::ConsumerAvailable,
];

/// How little is said by a condition that is not good, and what the whole has of it.
fn amiss(conditions: &[Condition], about: ConditionType) -> Option<(u8, Finding)> {
    let Some(condition) = get(conditions, about) else {
        let message = format!("{} was not checked yet", about.as_str());
        return Some((2, Finding::unknown(ConditionType::Ready, Reason::NotChecked, message)));
    };
    let rank = match (condition.status.as_str(), condition.reason.as_str()) {
        (status, _) if status == State::True.as_str() => return None,
        (status, _) if status == State::Unknown.as_str() => 2,
        (_, reason) if reason == Reason::Progressing.as_str() => 1,
        _ => 0,
    };
    Some((rank, summary(condition)))
}

/// A condition that is not good, as the state of the whole.
fn summary(condition: &Condition) -> Finding {
    let state = if condition.status == State::False.as_str() { State::False } else { State::Unknown };
    let reason = Reason::ALL.iter().copied().find(|reason| reason.as_str() == condition.reason);
    Finding {
        about: ConditionType::Ready,
        state,
        reason: reason.unwrap_or(Reason::NotChecked),
        message: condition.message.clone(),
    }
}

fn rank(type_: &str) -> usize {
    ConditionType::ALL.iter().position(|about| about.as_str() == type_).unwrap_or(usize::MAX)
}

/// The API server keeps whole seconds; finer ones would differ from what is read back.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn shortened(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let mut end = LONGEST_MESSAGE;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests;
