//! Frames on the socket: two lengths of four bytes, big-endian, then a head of JSON and a tail of raw bytes. Event
//! bodies are in the tail, as they are.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::store::APPEND_BYTES_MAX;

/// Longest head, in bytes: 16 MiB. The longest is a full page of rows.
const HEAD_BYTES_MAX: usize = 16 << 20;
/// Longest tail, in bytes: the bodies of the largest append.
pub(super) const TAIL_BYTES_MAX: usize = APPEND_BYTES_MAX;
/// Bytes of the two lengths.
const LENGTHS: usize = 8;
/// A frame that has begun is whole after this time, or the other side hangs.
const FRAME_TIME: Duration = Duration::from_secs(20);

/// One message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

/// Writes a frame.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let length = |bytes: &[u8], most: usize| {
        let length = u32::try_from(bytes.len()).ok();
        length.filter(|_| bytes.len() <= most).ok_or_else(too_long)
    };
    let head = length(&frame.head, HEAD_BYTES_MAX)?.to_be_bytes();
    let tail = length(&frame.tail, TAIL_BYTES_MAX)?.to_be_bytes();
    let mut start = Vec::with_capacity(LENGTHS + frame.head.len());
    start.extend_from_slice(&head);
    start.extend_from_slice(&tail);
    start.extend_from_slice(&frame.head);
    let whole = async {
        to.write_all(&start).await?;
        to.write_all(&frame.tail).await?;
        to.flush().await
    };
    timeout(FRAME_TIME, whole)
        .await
        .unwrap_or_else(|_| Err(hangs()))
}

/// Reads the next frame, for whose beginning it waits as long as it takes; none at the end of the stream.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    read_within(from, FRAME_TIME).await
}

async fn read_within(
    from: &mut (impl AsyncRead + Unpin),
    time: Duration,
) -> io::Result<Option<Frame>> {
    let mut first = [0; 1];
    if from.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let [first] = first;
    timeout(time, rest(from, first))
        .await
        .unwrap_or_else(|_| Err(hangs()))
        .map(Some)
}

async fn rest(from: &mut (impl AsyncRead + Unpin), first: u8) -> io::Result<Frame> {
    let mut lengths = [0; LENGTHS - 1];
    from.read_exact(&mut lengths).await?;
    let [b, c, d, tail @ ..] = lengths;
    let head = usize::try_from(u32::from_be_bytes([first, b, c, d])).unwrap_or(usize::MAX);
    let tail = usize::try_from(u32::from_be_bytes(tail)).unwrap_or(usize::MAX);
    if head > HEAD_BYTES_MAX || tail > TAIL_BYTES_MAX {
        return Err(too_long());
    }
    Ok(Frame {
        head: take(from, head).await?,
        tail: take(from, tail).await?,
    })
}

/// So many bytes. Memory is taken as they come, not as they are announced.
async fn take(from: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame is too long")
}

fn hangs() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "a frame came to a halt in the middle",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_survive_the_way() {
        let mut bytes = Vec::new();
        let frames = [("{}", ""), ("", "x"), ("[1]", "\0\n\u{fe}")].map(|(head, tail)| Frame {
            head: head.into(),
            tail: tail.into(),
        });
        for frame in &frames {
            write(&mut bytes, frame).await.unwrap();
        }
        let mut from = bytes.as_slice();
        for frame in frames {
            assert_eq!(read(&mut from).await.unwrap(), Some(frame));
        }
        assert_eq!(read(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_cut_too_long_or_garbage_is_refused() {
        let mut bytes = Vec::new();
        let frame = Frame {
            head: b"{}".to_vec(),
            tail: b"body".to_vec(),
        };
        write(&mut bytes, &frame).await.unwrap();
        for cut in 1..bytes.len() {
            assert!(read(&mut &bytes[..cut]).await.is_err(), "cut at {cut}");
        }
        let garbage = b"GET / HTTP/1.1\r\n\r\n";
        assert!(read(&mut &garbage[..]).await.is_err());
        let frame = Frame {
            head: Vec::new(),
            tail: vec![0; TAIL_BYTES_MAX + 1],
        };
        assert!(write(&mut Vec::new(), &frame).await.is_err());
    }

    #[tokio::test]
    async fn a_frame_that_stops_in_the_middle_is_given_up() {
        let (mut one, mut other) = tokio::io::duplex(64);
        one.write_all(&[0, 0, 0]).await.unwrap();
        let error = read_within(&mut other, Duration::from_millis(20)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
