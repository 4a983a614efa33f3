//! What the code prints, as it comes from the kernel: freed of secrets, up to a limit, every byte once.

use std::fs::File;
use std::io::{self, Write as _};

use super::kernel::Piece;
use crate::executor::StreamFile;
use crate::executor::local::folder::{Folder, create};
use crate::redact::{Piecewise, Redactor};

/// One of the two streams.
pub(super) struct Log {
    file: File,
    name: &'static str,
    kept_max: u64,
    /// Bytes of the stream that were taken.
    taken: u64,
    /// The same, free of secrets.
    shown: u64,
    secrets: Piecewise,
    fault: Option<io::Error>,
}

impl Log {
    fn new(
        folder: &Folder,
        name: &'static str,
        kept_max: u64,
        secrets: &Redactor,
    ) -> io::Result<Self> {
        Ok(Self {
            file: create(&folder.file(name))?,
            name,
            kept_max,
            taken: 0,
            shown: 0,
            secrets: Piecewise::new(secrets.clone()),
            fault: None,
        })
    }

    /// Takes what is new of a piece; one that lies further on is fetched later.
    pub(super) fn take(&mut self, offset: u64, data: &[u8]) {
        let Some(known) = self.taken.checked_sub(offset) else {
            return;
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let Some(new) = data.get(known..).filter(|new| !new.is_empty()) else {
            return;
        };
        self.taken += new.len() as u64;
        let shown = self.secrets.push(new);
        self.keep(&shown);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let left = self.kept_max.saturating_sub(self.shown);
        let kept = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.shown += bytes.len() as u64;
        if self.fault.is_none()
            && let Err(error) = self.file.write_all(bytes.get(..kept).unwrap_or_default())
        {
            self.fault = Some(error);
        }
    }

    /// Bytes that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The end of a stream of which the code wrote `written` bytes.
    pub(super) fn finish(
        mut self,
        written: u64,
        notes: &mut Vec<String>,
    ) -> (StreamFile, Option<io::Error>) {
        let rest = self.secrets.finish();
        self.keep(&rest);
        let bytes = self.shown + written.saturating_sub(self.taken);
        let truncated = bytes > self.kept_max;
        if truncated {
            notes.push(format!(
                "{} was cut: {bytes} bytes were written, the first {} are kept",
                self.name, self.kept_max
            ));
        }
        let file = StreamFile {
            path: self.name.to_owned(),
            bytes,
            truncated,
        };
        (file, self.fault)
    }
}

/// Both streams.
pub(super) struct Logs {
    pub(super) stdout: Log,
    pub(super) stderr: Log,
}

impl Logs {
    pub(super) fn new(folder: &Folder, kept: (u64, u64), secrets: &Redactor) -> io::Result<Self> {
        Ok(Self {
            stdout: Log::new(folder, "stdout.log", kept.0, secrets)?,
            stderr: Log::new(folder, "stderr.log", kept.1, secrets)?,
        })
    }

    pub(super) fn take(&mut self, piece: &Piece) {
        match piece.stream.as_str() {
            "stdout" => self.stdout.take(piece.offset, &piece.data),
            "stderr" => self.stderr.take(piece.offset, &piece.data),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_come_twice_or_too_early_are_taken_once_and_in_order() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let redactor = Redactor::new([("token", "hidden")]).unwrap();
        let mut log = Log::new(&folder, "stdout.log", 12, &redactor).unwrap();
        for (offset, data) in [
            (0, "ab"),
            (0, "abc"),
            (5, "never"),
            (3, "hid"),
            (2, "chidden!"),
        ] {
            log.take(offset, data.as_bytes());
        }
        assert_eq!(log.taken(), 10);
        let mut notes = Vec::new();
        let (file, fault) = log.finish(30, &mut notes);
        assert!(fault.is_none());
        let text = std::fs::read_to_string(place.path().join("stdout.log")).unwrap();
        assert_eq!(text, "abc***token*");
        assert_eq!((file.bytes, file.truncated), (15 + 20, true));
        assert_eq!(notes.len(), 1);
    }
}
