//! The vocabulary of the log: everything that can happen to a run, in the past tense.
//!
//! Each kind has a number from an append-only registry and a version of its body. Numbers are never used
//! again and never depend on the order of the enum. Bodies are JSON, so a later version may add fields.

use serde::{Deserialize, Serialize};

use super::payload::{
    AnalysisReported, ApprovalClosed, ApprovalEscalated, ApprovalReminded, ApprovalRequested,
    ApprovalVoted, AttemptEnded, AttemptFailed, AttemptOutcomeUnknown, AttemptStarted,
    BranchChosen, CacheBypassed, CacheMissed, ChildRunClosed, ChildRunStarted, ChildRunWaiting,
    CodeEdited, CodeGenerated, DeadlinePassed, FilesRemoved, HandlerEnded, HandlerNamed,
    MapExpanded, MapItemClosed, MapItemStarted, NotificationSent, PlanMigrated, ResultRecorded,
    RetryScheduled, RoundClosed, RoundStarted, RunCreated, RunDecided, RunEnded, RunFailed,
    RunPaused, RunQueued, RunReopened, SignalConsumed, SignalReceived, SlotsReleased, StepAdmitted,
    StepBlocked, StepCopied, StepFailed, StepQueued, StepReady, StepReused, StepSucceeded,
    StepsRewound,
};
use super::record::{Actor, NewRecord, Record};
use crate::id::StepPath;
use crate::time::Timestamp;

/// A request to stop a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCancelRequested {
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A step that was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepNamed {
    /// The step.
    pub step: StepPath,
    /// Why, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

macro_rules! events {
    ($($number:literal $version:literal $name:ident($body:ty): $doc:literal,)*) => {
        /// Something that happened to a run.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $(#[doc = $doc] $name($body),)*
        }

        /// The registry: number, version of the body, name.
        pub const REGISTRY: &[(u16, u8, &str)] = &[$(($number, $version, stringify!($name)),)*];

        impl Event {
            /// The number of its kind.
            #[must_use]
            pub fn kind(&self) -> u16 {
                match self { $(Self::$name(_) => $number,)* }
            }

            /// The version of its body.
            #[must_use]
            pub fn version(&self) -> u8 {
                match self { $(Self::$name(_) => $version,)* }
            }

            /// The name of its kind.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self { $(Self::$name(body) => serde_json::to_vec(body),)* }
            }

            /// Its body as a JSON value, for people and programs.
            #[must_use]
            pub fn to_json(&self) -> serde_json::Value {
                match self { $(Self::$name(body) => serde_json::to_value(body).unwrap_or_default(),)* }
            }

            fn from_parts(kind: u16, version: u8, body: &[u8]) -> Result<Self, EventError> {
                match (kind, version) {
                    $(($number, $version) => serde_json::from_slice::<$body>(body)
                        .map(Self::$name)
                        .map_err(|source| EventError::Body { kind: stringify!($name), source }),)*
                    (kind, version) => Err(EventError::Unknown { kind, version }),
                }
            }
        }
    };
}

events! {
    1 1 RunCreated(RunCreated): "The run exists: its plan, inputs and origin are fixed.",
    2 1 RunStarted(Empty): "Work began.",
    3 1 RunCancelRequested(RunCancelRequested): "Somebody asked to stop it.",
    4 1 RunSucceeded(RunEnded): "It ended well.",
    5 1 RunFailed(RunFailed): "It ended with a failure.",
    6 1 RunRejected(RunEnded): "It ended because a person said no.",
    7 1 RunCancelled(RunEnded): "It was stopped; no process of it is alive.",

    8 1 RunPaused(RunPaused): "An operator holds it: nothing new begins.",
    9 1 RunUnpaused(Empty): "It goes on.",
    11 1 RunReopened(RunReopened): "It goes on after its end: what did not succeed, or was named, begins anew.",
    12 1 PlanMigrated(PlanMigrated): "It goes on with another version of its plan.",
    13 1 RunTimedOut(Empty): "Its time is over; what runs is stopped.",
    14 1 RunQueued(RunQueued): "It waits for a place in its group.",
    15 1 RunAdmitted(Empty): "It has its place.",
    16 1 FilesRemoved(FilesRemoved): "The time of files is over; they are being removed, what happened stays.",

    10 1 RunDecided(RunDecided): "Its own steps have ended and so is its result; handlers go on.",

    20 1 StepReady(StepReady): "Its inputs are evaluated, once.",
    21 1 StepSkipped(StepBlocked): "Its condition was false, or no arm was chosen.",
    22 1 StepNotRun(StepBlocked): "Something that it needs did not succeed.",
    23 1 StepSucceeded(StepSucceeded): "It ended well; its outputs are fixed.",
    24 1 StepFailed(StepFailed): "It ended with a failure.",
    25 1 StepRejected(StepBlocked): "A person said no.",
    26 1 StepCancelled(StepNamed): "It was stopped.",
    32 1 StepsRewound(StepsRewound): "Steps begin anew, because a person asked for changes.",

    27 1 StepQueued(StepQueued): "It waits for places or locks.",
    28 1 StepAdmitted(StepAdmitted): "It has them.",
    31 1 DeadlinePassed(DeadlinePassed): "The deadline of a step has passed; what runs of it is stopped.",
    33 1 StepCopied(Box<StepCopied>): "What another run did stands for it.",
    29 1 StepReused(Box<StepReused>): "An earlier result stands for what its code would leave.",
    30 1 CacheMissed(CacheMissed): "No earlier result was taken, so its code runs.",
    35 1 CacheBypassed(CacheBypassed): "Somebody wants code to run although a result may be kept.",
    34 1 SlotsReleased(SlotsReleased): "A run or a step gave up what it held while people are waited for.",

    40 1 AttemptStarted(AttemptStarted): "An attempt is about to begin; written before anything runs.",
    41 1 AttemptSucceeded(AttemptEnded): "The attempt ended well.",
    42 1 AttemptFailed(AttemptFailed): "The attempt ended with a failure.",
    43 1 AttemptOutcomeUnknown(AttemptOutcomeUnknown): "A write was interrupted; nobody knows how far it came.",
    44 1 RetryScheduled(RetryScheduled): "Another attempt will begin at a fixed time.",

    45 1 CodeGenerated(CodeGenerated): "Code was written for a step, or taken from an earlier run.",

    46 1 CodeEdited(Box<CodeEdited>): "A person changed code that was asked about; it is looked at and asked about anew.",

    60 1 AnalysisReported(AnalysisReported): "The code was analysed and the policy asked.",

    70 1 ApprovalRequested(ApprovalRequested): "A question to people is open.",
    71 1 ApprovalVoted(ApprovalVoted): "A person answered.",
    72 1 ApprovalClosed(ApprovalClosed): "The question is decided.",
    73 1 ApprovalReminded(ApprovalReminded): "People are to be reminded of a question.",
    75 1 ApprovalEscalated(ApprovalEscalated): "Nobody answered in time; more people may, and the time begins anew.",

    80 1 ResultRecorded(ResultRecorded): "What an attempt left is kept.",

    90 1 BranchChosen(BranchChosen): "A switch took an arm.",
    91 1 MapExpanded(MapExpanded): "The items of a foreach are fixed.",
    92 1 MapItemStarted(MapItemStarted): "The steps of an item came to life.",
    93 1 MapItemClosed(MapItemClosed): "An item has ended.",
    94 1 RoundStarted(RoundStarted): "The steps of a round came to life.",
    95 1 RoundClosed(RoundClosed): "A round has ended and the condition was tried.",
    96 1 ChildRunStarted(ChildRunStarted): "A step started a run of its own.",
    97 1 ChildRunWaiting(ChildRunWaiting): "Only people can move that run on.",
    98 1 ChildRunClosed(ChildRunClosed): "That run has ended.",

    100 1 SignalReceived(SignalReceived): "A signal came from outside.",
    101 1 SignalConsumed(SignalConsumed): "A step that waited took a signal.",

    74 1 NotificationSent(NotificationSent): "A channel was told of a question, or could not be.",

    110 1 HandlerStarted(HandlerNamed): "A handler began.",
    111 1 HandlerEnded(HandlerEnded): "A handler has ended; the result of the run is not changed by it.",
    112 1 HandlerTimedOut(HandlerNamed): "The time of a handler is over; it is being stopped.",
}

/// A body without fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Empty {}

/// A record that can't be read as an event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A newer Stepwell wrote it.
    #[error("event kind {kind} version {version} is not known to this version")]
    Unknown {
        /// Number of the kind.
        kind: u16,
        /// Version of the body.
        version: u8,
    },
    /// The body does not fit the kind.
    #[error("the body of a {kind} event can't be read")]
    Body {
        /// Name of the kind.
        kind: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Nesting of JSON that its reader certainly takes.
const NESTING_SAFE: usize = 120;

/// Deepest nesting of JSON.
fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

impl Event {
    /// The record to append.
    ///
    /// # Errors
    /// A value can't be written as JSON, or is nested so deeply that it could not be read back.
    pub fn to_record(&self, time: Timestamp, actor: Actor) -> Result<NewRecord, EventError> {
        let unfit = |source| EventError::Body {
            kind: self.name(),
            source,
        };
        let body = self.body().map_err(unfit)?;
        // What could not be read back must never be in a history: the whole run would be lost with it.
        if nesting(&body) > NESTING_SAFE {
            serde_json::from_slice::<serde_json::Value>(&body).map_err(unfit)?;
        }
        Ok(NewRecord {
            time,
            kind: self.kind(),
            version: self.version(),
            actor,
            body,
        })
    }

    /// Reads an event back.
    ///
    /// # Errors
    /// The kind is newer than this version, or the body is damaged.
    pub fn from_record(record: &Record) -> Result<Self, EventError> {
        let NewRecord {
            kind,
            version,
            body,
            ..
        } = &record.content;
        Self::from_parts(*kind, *version, body)
    }

    /// An event of the same kind with another body.
    ///
    /// # Errors
    /// The body does not fit the kind.
    pub fn with_body(&self, body: &serde_json::Value) -> Result<Self, EventError> {
        Self::from_parts(self.kind(), self.version(), body.to_string().as_bytes())
    }

    /// The name of a kind, also of one that this version can't read.
    #[must_use]
    pub fn kind_name(kind: u16) -> &'static str {
        REGISTRY
            .iter()
            .find(|(number, _, _)| *number == kind)
            .map_or("Unknown", |(_, _, name)| name)
    }
}

/// An event with its place and time, as the fold takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the history.
    pub seq: super::Seq,
    /// When it happened, as recorded.
    pub time: Timestamp,
    /// The writer that appended it.
    pub epoch: super::Epoch,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// Reads a record of the log.
    ///
    /// # Errors
    /// See [`Event::from_record`].
    pub fn from_record(record: &Record) -> Result<Self, EventError> {
        Ok(Self {
            seq: record.seq,
            time: record.content.time,
            epoch: record.epoch,
            actor: record.content.actor.clone(),
            event: Event::from_record(record)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_registry_are_unique() {
        let mut numbers: Vec<u16> = REGISTRY.iter().map(|(number, _, _)| *number).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn a_newer_kind_is_refused_by_name() {
        let error = Event::from_parts(9_999, 1, b"{}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "event kind 9999 version 1 is not known to this version"
        );
    }
}
