//! The files that a workflow names. The compiler asks for them; whoever calls it reads the disk.

use std::collections::HashSet;

use crate::id::Digest;

/// Reads the files that stand beside a workflow.
pub trait Sources {
    /// The bytes of the file at `path`, which is relative to the folder of the workflow file, written with
    /// `/` and never leaves that folder by its text. That no symbolic link leads out is the reader's duty.
    ///
    /// # Errors
    /// Says why the file can't be used.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;

    /// The same for a path that may leave the folder, since the author allowed it: it is relative to the folder
    /// and may begin with `../`, or it is absolute.
    ///
    /// # Errors
    /// Says why the file can't be used.
    fn read_anywhere(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.read(path)
    }
}

/// Where the files may be that a workflow names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Below the folder of the workflow file.
    Inside,
    /// Anywhere: `allow_outside: true`.
    Anywhere,
}

/// Why a file can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It is a folder, a socket or the like.
    #[error("it is not a file")]
    NotAFile,
    /// It may not be read.
    #[error("it may not be read: permission denied")]
    NoPermission,
    /// It is larger than the reader takes.
    #[error("it is too large")]
    TooLarge,
    /// It lies outside the folder of the workflow, perhaps behind a symbolic link.
    #[error("it lies outside the folder of the workflow file")]
    Outside,
    /// The disk failed.
    #[error("reading it failed")]
    Failed,
}

/// No files at all, for texts that need none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn read(&self, _path: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError::Missing)
    }
}

/// The path in its simplest form, or nothing when it leads where it may not.
pub(super) fn normalize(path: &str, reach: Reach) -> Option<String> {
    let absolute = path.starts_with('/');
    if path.contains('\\') || (absolute && reach == Reach::Inside) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            // There is nothing above the root.
            ".." if absolute => {}
            ".." if reach == Reach::Inside => return None,
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    Some(match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}

/// What the plan refers to by digest, each content once.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    list: Vec<(Digest, Vec<u8>)>,
    known: HashSet<Digest>,
}

impl Blobs {
    pub(super) fn add(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        if self.known.insert(digest) {
            self.list.push((digest, bytes.to_vec()));
        }
        digest
    }

    pub(super) fn into_list(self) -> Vec<(Digest, Vec<u8>)> {
        self.list
    }
}
