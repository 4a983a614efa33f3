//! A captured stream: copied from its pipe to its file up to a limit, then read on and dropped.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::folder::{Folder, create};
use crate::python::outcome::StreamFile;
use crate::redact::{Piecewise, Redactor};

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks read in one go, so that a flood on one stream doesn't starve the other or the clock.
const CHUNKS_PER_TURN: usize = 16;

/// One of the two streams of the interpreter.
pub(super) struct Stream {
    pipe: Option<PipeReader>,
    file: File,
    name: &'static str,
    kept_max: u64,
    /// Bytes so far, free of secrets.
    seen: u64,
    secrets: Piecewise,
    /// The first fault of the file; the pipe is drained all the same, else the code would hang.
    fault: Option<io::Error>,
}

impl Stream {
    pub(super) fn new(
        folder: &Folder,
        name: &'static str,
        pipe: PipeReader,
        (kept_max, secrets): (u64, &Redactor),
    ) -> io::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            pipe: Some(pipe),
            file: create(&folder.file(name))?,
            name,
            kept_max,
            seen: 0,
            secrets: Piecewise::new(secrets.clone()),
            fault: None,
        })
    }

    /// The pipe to be polled, until its end.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.as_fd())
    }

    /// Copies what is there now; true when something was.
    pub(super) fn copy(&mut self) -> bool {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut any = false;
        for _ in 0..CHUNKS_PER_TURN {
            let Some(pipe) = &mut self.pipe else {
                return any;
            };
            let len = match pipe.read(&mut buffer) {
                Ok(0) => {
                    self.pipe = None;
                    return any;
                }
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return any,
                Err(_) => {
                    self.pipe = None;
                    return any;
                }
            };
            any = true;
            let shown = self.secrets.push(buffer.get(..len).unwrap_or_default());
            self.keep(&shown);
        }
        any
    }

    /// Writes bytes that are free of secrets, as far as there is room.
    fn keep(&mut self, bytes: &[u8]) {
        let left = self.kept_max.saturating_sub(self.seen);
        let kept = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.seen += bytes.len() as u64;
        if self.fault.is_none()
            && let Err(error) = self.file.write_all(bytes.get(..kept).unwrap_or_default())
        {
            self.fault = Some(error);
        }
    }

    /// Copies what is left after the writers are gone.
    pub(super) fn finish(mut self, notes: &mut Vec<String>) -> (StreamFile, Option<io::Error>) {
        while self.copy() {}
        let rest = self.secrets.finish();
        self.keep(&rest);
        let truncated = self.seen > self.kept_max;
        if truncated {
            notes.push(format!(
                "{} was cut: {} bytes were written, the first {} are kept",
                self.name, self.seen, self.kept_max
            ));
        }
        let file = StreamFile {
            path: self.name.to_owned(),
            bytes: self.seen,
            truncated,
        };
        (file, self.fault)
    }
}
