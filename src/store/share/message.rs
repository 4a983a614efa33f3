//! What the owner of a store and other processes say to each other.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::{WireAppendError, WireError};
use super::frame::Frame;
use crate::id::{Digest, RunId};
use crate::run::{Actor, Epoch, NewRecord, Record, RunSummary, Seq};
use crate::store::{ListQuery, Page, Report};
use crate::time::Timestamp;

/// Number of this protocol. Both sides speak the same, or they part.
pub(super) const PROTOCOL: u32 = 1;

/// The first word of a client.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) version: String,
}

/// The owner's answer to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Greeting {
    Welcome {
        epoch: Epoch,
        /// Who the owner is.
        owner: String,
    },
    Refused {
        why: String,
    },
}

/// Something asked of the owner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) ask: Ask,
}

/// What is asked. Bodies of events are in the tail, one after the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    Append {
        run: RunId,
        expected: Seq,
        records: Vec<NewHead>,
        summary: Box<RunSummary>,
    },
    Read {
        run: RunId,
        from: Seq,
        limit: usize,
    },
    Summary {
        run: RunId,
    },
    List {
        query: ListQuery,
    },
    Resolve {
        abbreviation: String,
        limit: usize,
    },
    Verify {
        run: Option<RunId>,
    },
    Watch {
        run: RunId,
    },
    Unwatch {
        run: RunId,
    },
    /// Are you there?
    Ping,
}

/// Something that the owner says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Say {
    /// The answer to a call.
    Answer { id: u64, answer: Answer },
    /// Somebody appended to a run that is watched.
    Notice { run: RunId, last: Seq },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The client has the records; this seals them.
    Appended {
        epoch: Epoch,
        previous: Digest,
    },
    NotAppended(WireAppendError),
    Records {
        heads: Vec<Head>,
        /// Whether the limit was not reached because the frame was full.
        more: bool,
    },
    Summary(Option<Box<RunSummary>>),
    Page(Page),
    Runs(Vec<RunId>),
    Report(Report),
    Watched {
        last: Seq,
    },
    Done,
    Failed(WireError),
}

/// A record on its way into the log, without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NewHead {
    /// In microseconds after 1970: the text of a time has fewer than a record can hold.
    time_us: i64,
    kind: u16,
    version: u8,
    actor: Actor,
    length: usize,
}

/// A record of the log, without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    seq: Seq,
    epoch: Epoch,
    previous: Digest,
    new: NewHead,
}

/// A message that is none.
#[derive(Debug, thiserror::Error)]
#[error("it is no message of this protocol: {0}")]
pub(super) struct NoMessage(String);

impl Frame {
    /// A frame with that message.
    pub(super) fn of(message: &impl Serialize, tail: Vec<u8>) -> Result<Self, NoMessage> {
        let head = serde_json::to_vec(message).map_err(|error| NoMessage(error.to_string()))?;
        Ok(Self { head, tail })
    }

    /// The message in it.
    pub(super) fn message<T: DeserializeOwned>(&self) -> Result<T, NoMessage> {
        serde_json::from_slice(&self.head).map_err(|error| NoMessage(error.to_string()))
    }
}

impl NewHead {
    fn of(record: &NewRecord) -> Self {
        Self {
            time_us: record.time.as_micros(),
            kind: record.kind,
            version: record.version,
            actor: record.actor.clone(),
            length: record.body.len(),
        }
    }

    fn with(self, body: Vec<u8>) -> NewRecord {
        NewRecord {
            time: Timestamp::from_micros(self.time_us),
            kind: self.kind,
            version: self.version,
            actor: self.actor,
            body,
        }
    }
}

/// New records as heads and a tail.
pub(super) fn split_new(records: &[NewRecord]) -> (Vec<NewHead>, Vec<u8>) {
    let heads = records.iter().map(NewHead::of).collect();
    let bodies = records.iter().map(|record| record.body.as_slice());
    (heads, bodies.collect::<Vec<_>>().concat())
}

/// New records of heads and a tail.
pub(super) fn join_new(heads: Vec<NewHead>, tail: &[u8]) -> Result<Vec<NewRecord>, NoMessage> {
    let lengths: Vec<usize> = heads.iter().map(|head| head.length).collect();
    let bodies = cut(&lengths, tail)?;
    let joined = heads.into_iter().zip(bodies);
    Ok(joined.map(|(head, body)| head.with(body)).collect())
}

/// Records as heads and a tail: as many as fit a tail of `most` bytes, at least one.
pub(super) fn split(records: &[Record], most: usize) -> (Vec<Head>, Vec<u8>) {
    let mut heads = Vec::with_capacity(records.len());
    let mut tail = Vec::new();
    for record in records {
        let body = &record.content.body;
        if !heads.is_empty() && tail.len() + body.len() > most {
            break;
        }
        tail.extend_from_slice(body);
        heads.push(Head {
            seq: record.seq,
            epoch: record.epoch,
            previous: record.previous,
            new: NewHead::of(&record.content),
        });
    }
    (heads, tail)
}

/// Records of a run of heads and a tail.
pub(super) fn join(run: RunId, heads: Vec<Head>, tail: &[u8]) -> Result<Vec<Record>, NoMessage> {
    let lengths: Vec<usize> = heads.iter().map(|head| head.new.length).collect();
    let bodies = cut(&lengths, tail)?;
    let joined = heads.into_iter().zip(bodies);
    Ok(joined
        .map(|(head, body)| Record {
            run,
            seq: head.seq,
            epoch: head.epoch,
            previous: head.previous,
            content: head.new.with(body),
        })
        .collect())
}

fn cut(lengths: &[usize], tail: &[u8]) -> Result<Vec<Vec<u8>>, NoMessage> {
    let wrong = || NoMessage("the bodies have other lengths than announced".to_owned());
    let mut rest = tail;
    let mut bodies = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (body, left) = rest.split_at_checked(*length).ok_or_else(wrong)?;
        bodies.push(body.to_vec());
        rest = left;
    }
    if rest.is_empty() {
        Ok(bodies)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::sample;

    #[test]
    fn bodies_that_do_not_fit_their_lengths_are_refused() {
        let records = vec![sample::record("one"), sample::record("")];
        let (heads, tail) = split_new(&records);
        assert_eq!(join_new(heads, &tail).unwrap(), records);
        for wrong in [&tail[..tail.len() - 1], &[tail.clone(), vec![1]].concat()] {
            let (heads, _) = split_new(&records);
            assert!(join_new(heads, wrong).is_err());
        }
    }
}
