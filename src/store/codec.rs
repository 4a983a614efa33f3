//! The bytes on disk (docs/storage-format.md): a fixed header of ours, a checksum, and a body that can evolve.
//!
//! bincode is named here and nowhere else. It writes the header and the small rows that never change their shape;
//! what evolves is JSON in the body.

use bincode::Options as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ACTOR_BYTES_MAX, BODY_BYTES_MAX};
use crate::id::{Digest, RunId};
use crate::run::{Actor, Epoch, NewRecord, Record, RunSummary, Seq};
use crate::time::Timestamp;

/// The format that is written. Its number stands in the first byte of every value.
pub(crate) const FORMAT: u8 = 1;
/// Longest value in the database, in bytes; what is longer has its body in a file of its own.
pub(crate) const VALUE_BYTES_MAX: usize = 4_096;
/// The body follows the header.
const INLINE: u8 = 1;
/// A reference to a file follows the header.
const IN_FILE: u8 = 2;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;
/// Bound of a decoded header, in bytes: its fixed fields and the longest actor.
const HEADER_BYTES_MAX: u64 = 256 + ACTOR_BYTES_MAX as u64;

/// The header of an event. The order and the types of its fields are the format: never change them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EventHeader {
    format: u8,
    codec: u8,
    kind: u16,
    version: u8,
    flags: u8,
    run: [u8; 16],
    seq: u64,
    epoch: u64,
    time_us: i64,
    previous: [u8; 32],
    actor: String,
    body_len: u32,
}

/// The header of a run's row.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RowHeader {
    format: u8,
    codec: u8,
    run: [u8; 16],
    body_len: u32,
}

/// A body that is kept in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct FileReference {
    digest: [u8; 32],
    length: u64,
}

/// A small number of ours, as kept under the `meta` keys.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Number {
    format: u8,
    value: u64,
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("its header cannot be read")]
    Header,
    #[error("it is cut or too long: {found} bytes instead of {expected}")]
    Length { expected: usize, found: usize },
    #[error("its checksum does not fit")]
    Checksum,
    #[error("it has format {0}, which this version does not know")]
    Format(u8),
    #[error("its content cannot be read: {0}")]
    Content(String),
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// In the value itself.
    Inline(Vec<u8>),
    /// In the file with that digest and that many bytes.
    InFile { digest: Digest, length: u64 },
}

fn options() -> impl bincode::Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_big_endian()
        .reject_trailing_bytes()
        .with_limit(HEADER_BYTES_MAX)
}

fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    options().serialize(value).map_err(|_| Error::Header)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    options().deserialize(bytes).map_err(|_| Error::Header)
}

/// Header, checksum over header and body, body.
fn frame<H: Serialize>(header: &H, body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = pack(header)?;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), body);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// The header and the body of a frame whose checksum fits. `body_len` says how long the header claims the body to be.
fn unframe<H: DeserializeOwned + Serialize>(
    bytes: &[u8],
    body_len: impl Fn(&H) -> u32,
) -> Result<(H, &[u8]), Error> {
    let format = bytes.first().copied().ok_or(Error::Header)?;
    if format != FORMAT {
        return Err(Error::Format(format));
    }
    let mut rest = bytes;
    // Read from a reader: how long the header is, is known only afterwards.
    let header: H = options()
        .deserialize_from(&mut rest)
        .map_err(|_| Error::Header)?;
    let expected = bytes.len() - rest.len() + CHECKSUM + body_len(&header) as usize;
    let length = Error::Length {
        expected,
        found: bytes.len(),
    };
    if expected != bytes.len() {
        return Err(length);
    }
    let (head, _) = bytes.split_at(bytes.len() - rest.len());
    let Some((checksum, body)) = rest.split_first_chunk::<CHECKSUM>() else {
        return Err(length);
    };
    let found = crc32c::crc32c_append(crc32c::crc32c(head), body);
    if found != u32::from_be_bytes(*checksum) {
        return Err(Error::Checksum);
    }
    Ok((header, body))
}

/// The value of an event. `in_file` is the digest of its body when that is kept in a file.
pub(crate) fn encode_event(record: &Record, in_file: Option<Digest>) -> Result<Vec<u8>, Error> {
    let content = &record.content;
    let reference = in_file
        .map(|digest| {
            pack(&FileReference {
                digest: *digest.as_bytes(),
                length: content.body.len() as u64,
            })
        })
        .transpose()?;
    let body = reference.as_ref().unwrap_or(&content.body);
    let header = EventHeader {
        format: FORMAT,
        codec: if reference.is_some() { IN_FILE } else { INLINE },
        kind: content.kind,
        version: content.version,
        flags: 0,
        run: *record.run.as_bytes(),
        seq: record.seq,
        epoch: record.epoch,
        time_us: content.time.as_micros(),
        previous: *record.previous.as_bytes(),
        actor: content.actor.to_string(),
        body_len: u32::try_from(body.len()).map_err(|_| Error::Header)?,
    };
    frame(&header, body)
}

/// Whether the body of that event is too long to stand in the value.
pub(crate) fn needs_file(record: &NewRecord) -> bool {
    /// Bytes of the header without the actor, and of the checksum.
    const FIXED: usize = 1 + 1 + 2 + 1 + 1 + 16 + 8 + 8 + 8 + 32 + 8 + 4 + CHECKSUM;
    FIXED + record.actor.to_string().len() + record.body.len() > VALUE_BYTES_MAX
}

/// The event in that value, with an empty body when that is in a file.
pub(crate) fn decode_event(bytes: &[u8]) -> Result<(Record, Body), Error> {
    let (header, body) = unframe(bytes, |header: &EventHeader| header.body_len)?;
    let body = match header.codec {
        INLINE => Body::Inline(body.to_vec()),
        IN_FILE => {
            let reference: FileReference = unpack(body)?;
            if reference.length > BODY_BYTES_MAX as u64 {
                return Err(Error::Content("its file is too long".to_owned()));
            }
            Body::InFile {
                digest: Digest::from_bytes(reference.digest),
                length: reference.length,
            }
        }
        codec => return Err(Error::Content(format!("unknown codec {codec}"))),
    };
    if header.flags != 0 {
        return Err(Error::Content(format!("unknown flags {}", header.flags)));
    }
    let actor: Actor = header
        .actor
        .parse()
        .map_err(|error: crate::run::ParseActorError| Error::Content(error.to_string()))?;
    let seq: Seq = header.seq;
    let epoch: Epoch = header.epoch;
    let record = Record {
        run: RunId::from_bytes(header.run),
        seq,
        epoch,
        previous: Digest::from_bytes(header.previous),
        content: NewRecord {
            time: Timestamp::from_micros(header.time_us),
            kind: header.kind,
            version: header.version,
            actor,
            body: match &body {
                Body::Inline(bytes) => bytes.clone(),
                Body::InFile { .. } => Vec::new(),
            },
        },
    };
    Ok((record, body))
}

/// The value of a run's row.
pub(crate) fn encode_row(row: &RunSummary) -> Result<Vec<u8>, Error> {
    let body = serde_json::to_vec(row).map_err(|error| Error::Content(error.to_string()))?;
    let header = RowHeader {
        format: FORMAT,
        codec: INLINE,
        run: *row.run.as_bytes(),
        body_len: u32::try_from(body.len()).map_err(|_| Error::Header)?,
    };
    frame(&header, &body)
}

/// The row in that value.
pub(crate) fn decode_row(bytes: &[u8]) -> Result<RunSummary, Error> {
    let (header, body) = unframe(bytes, |header: &RowHeader| header.body_len)?;
    if header.codec != INLINE {
        return Err(Error::Content(format!("unknown codec {}", header.codec)));
    }
    let row: RunSummary =
        serde_json::from_slice(body).map_err(|error| Error::Content(error.to_string()))?;
    if row.run.as_bytes() == &header.run {
        Ok(row)
    } else {
        Err(Error::Content("it is the row of another run".to_owned()))
    }
}

/// The value of a number under a `meta` key, or of the mark beside the database.
pub(crate) fn encode_number(value: u64) -> Result<Vec<u8>, Error> {
    let header = Number {
        format: FORMAT,
        value,
    };
    frame(&header, &[])
}

/// The number in that value.
pub(crate) fn decode_number(bytes: &[u8]) -> Result<u64, Error> {
    unframe(bytes, |_: &Number| 0).map(|(number, _)| number.value)
}

#[cfg(test)]
mod tests;
