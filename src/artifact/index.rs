//! Small notes by digest, that may be lost: each is whole or not there, and says itself whether it is damaged.
//!
//! Every call here blocks; asynchronous callers use a blocking task.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::disk::{DiskError, Draft, Named as _, create_dir};
use crate::id::Digest;

/// Largest note, in bytes: 4 MiB.
const NOTE_BYTES_MAX: u64 = 4 << 20;
/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// What was found under a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Something that is not what was written.
    Damaged,
    /// The note.
    Note(Vec<u8>),
}

/// A folder of notes, `ab/cdef…` under it: the digest of the text in hexadecimal, a newline, the text.
#[derive(Debug, Clone)]
pub struct Index {
    folder: PathBuf,
}

impl Index {
    /// The index in that folder, which is made with the first note.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the note is, whether it is there or not.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (head, tail) = hex.split_at(2);
        self.folder.join(head).join(tail)
    }

    /// Reads a note. What can't be read is damaged.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Found {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(_) => return Found::Damaged,
        };
        let mut bytes = Vec::new();
        if file.take(NOTE_BYTES_MAX).read_to_end(&mut bytes).is_err() {
            return Found::Damaged;
        }
        let cut = bytes.iter().position(|byte| *byte == b'\n');
        let Some((head, text)) = cut.and_then(|cut| bytes.split_at_checked(cut)) else {
            return Found::Damaged;
        };
        let text = text.get(1..).unwrap_or_default();
        if head == Digest::of(text).hex().as_bytes() {
            Found::Note(text.to_vec())
        } else {
            Found::Damaged
        }
    }

    /// Writes a note; whoever reads meanwhile sees the old one or the new one.
    pub fn put(&self, digest: &Digest, text: &[u8]) -> Result<(), DiskError> {
        let path = self.path(digest);
        create_dir(path.parent().unwrap_or(&self.folder))?;
        let mut draft = Draft::new(&self.folder)?;
        draft.write(Digest::of(text).hex().as_bytes())?;
        draft.write(b"\n")?;
        draft.write(text)?;
        draft.publish(&path)
    }
}

/// The digest of the content of a file, read piece by piece.
pub fn digest_of_file(path: &Path) -> Result<Digest, DiskError> {
    // Looked at first: opening a pipe would wait for somebody who writes to it.
    if !fs::metadata(path).named("open", path)?.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not a plain file");
        return Err(DiskError::new("open", path, source));
    }
    let mut file = File::open(path).named("open", path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = file.read(&mut buffer).named("read", path)?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        };
        hash.update(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_whole_damaged_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::new(folder.path().join("notes"));
        let name = Digest::of(b"name");
        assert_eq!(index.get(&name), Found::Nothing);
        index.put(&name, b"{\"a\":\n1}").unwrap();
        index.put(&name, b"{\"a\":\n2}").unwrap();
        assert_eq!(index.get(&name), Found::Note(b"{\"a\":\n2}".to_vec()));
        let whole = fs::read(index.path(&name)).unwrap();
        for damage in [&whole[..whole.len() - 1], &whole[..10], b"", b"\n"] {
            fs::write(index.path(&name), damage).unwrap();
            assert_eq!(index.get(&name), Found::Damaged, "{damage:?}");
        }
    }

    #[test]
    fn a_file_has_the_digest_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes = vec![7; READ_BYTES * 2 + 1];
        fs::write(&path, &bytes).unwrap();
        assert_eq!(digest_of_file(&path).unwrap(), Digest::of(&bytes));
        assert!(digest_of_file(folder.path()).is_err());
    }
}
