//! The envelope that carries one event in the log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{Digest, RunId};
use crate::time::Timestamp;

/// Position of an event in the history of its run: dense, from 1.
pub type Seq = u64;

/// Number of the writer that appended: it grows by one each time that a store is opened, so that a writer
/// which lost the store can be told from the one that holds it.
pub type Epoch = u64;

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The engine itself: bookkeeping, timers, recovery.
    Engine,
    /// A worker that carried out an effect.
    Worker(String),
    /// A person, by name.
    User(String),
    /// A schedule, by name.
    Schedule(String),
    /// A program, by the name of its token.
    Api(String),
}

impl Actor {
    /// The name of the worker, when it is one.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        match self {
            Self::Worker(name) => Some(name),
            Self::Engine | Self::User(_) | Self::Schedule(_) | Self::Api(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine => f.write_str("engine"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Schedule(id) => write!(f, "schedule:{id}"),
            Self::Api(id) => write!(f, "api:{id}"),
        }
    }
}

/// A text that is not an actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an actor (engine, worker:…, user:…, schedule:…, api:…)")]
pub struct ParseActorError(String);

impl FromStr for Actor {
    type Err = ParseActorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "engine" => Ok(Self::Engine),
            Some(("worker", id)) => Ok(Self::Worker(id.to_owned())),
            Some(("user", id)) => Ok(Self::User(id.to_owned())),
            Some(("schedule", id)) => Ok(Self::Schedule(id.to_owned())),
            Some(("api", id)) => Ok(Self::Api(id.to_owned())),
            Some(_) | None => Err(ParseActorError(text.to_owned())),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An event on its way into the log. The store gives it its place, its writer and its link to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// When it happened, as the writer's clock said. Informative: order is `seq`.
    pub time: Timestamp,
    /// Number of the event's kind, from the append-only registry in `run/event.rs`.
    pub kind: u16,
    /// Version of that kind's body.
    pub version: u8,
    /// Who caused it.
    pub actor: Actor,
    /// The event as JSON.
    pub body: Vec<u8>,
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The run whose history this belongs to.
    pub run: RunId,
    /// Its place in that history.
    pub seq: Seq,
    /// The writer that appended it.
    pub epoch: Epoch,
    /// Hash of the record before it in the same run; of the first record, [`Record::CHAIN_START`].
    pub previous: Digest,
    /// What was appended.
    pub content: NewRecord,
}

impl Record {
    /// The link of a run's first record.
    pub const CHAIN_START: Digest = Digest::from_bytes([0; 32]);

    /// The hash that the next record of this run must carry: over every field, in a fixed layout.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let actor = self.content.actor.to_string();
        let mut bytes = Vec::with_capacity(96 + actor.len() + self.content.body.len());
        bytes.extend_from_slice(b"stepwell.record.v1\0");
        bytes.extend_from_slice(self.run.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes.extend_from_slice(&self.content.time.as_micros().to_be_bytes());
        bytes.extend_from_slice(&self.content.kind.to_be_bytes());
        bytes.push(self.content.version);
        bytes.extend_from_slice(&(actor.len() as u64).to_be_bytes());
        bytes.extend_from_slice(actor.as_bytes());
        bytes.extend_from_slice(&self.content.body);
        Digest::of(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_survive_text() {
        for actor in [
            Actor::Engine,
            Actor::User("m.beam".into()),
            Actor::Worker("a:b".into()),
        ] {
            assert_eq!(actor.to_string().parse::<Actor>().unwrap(), actor);
        }
        assert!("nobody".parse::<Actor>().is_err());
    }

    #[test]
    fn every_field_changes_the_hash() {
        let record = Record {
            run: RunId::from_bytes([1; 16]),
            seq: 1,
            epoch: 1,
            previous: Record::CHAIN_START,
            content: NewRecord {
                time: Timestamp::from_micros(5),
                kind: 1,
                version: 1,
                actor: Actor::Engine,
                body: b"{}".to_vec(),
            },
        };
        let hash = record.hash();
        let changes: [fn(&mut Record); 7] = [
            |r| r.seq = 2,
            |r| r.epoch = 2,
            |r| r.previous = Digest::of(b"x"),
            |r| r.content.kind = 2,
            |r| r.content.version = 2,
            |r| r.content.actor = Actor::User("a".into()),
            |r| r.content.body.push(b' '),
        ];
        for change in changes {
            let mut other = record.clone();
            change(&mut other);
            assert_ne!(other.hash(), hash);
        }
    }
}
