//! Files of a run: kept as blobs, written for people.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::act::Place;
use super::options::blocking;
use super::{Error, Shared};
use crate::artifact::{self, DiskError, disk, preview};
use crate::executor::OutputFile;
use crate::plan::Step;
use crate::run::payload::FileRef;

/// Whether something of the content may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It may.
    Yes,
    /// The step has outputs that are not shown, and a file may hold one.
    No,
}

impl Shown {
    /// What holds for the files of a step.
    pub(super) fn of(step: &Step) -> Self {
        if step.sensitive.is_empty() {
            Self::Yes
        } else {
            Self::No
        }
    }
}

/// Keeps files of an attempt as blobs; they are on the disk when it returns, so an event may name them.
pub(super) async fn keep(
    shared: &Arc<Shared>,
    (absolute, relative): (&Path, &str),
    files: &[OutputFile],
    shown: Shown,
) -> Result<Vec<FileRef>, Error> {
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        let path = absolute.join(&file.path);
        let blobs = Arc::clone(&shared.ports.blobs);
        let media_type = file.media_type.clone();
        let (digest, bytes, seen) = blocking(move || {
            let seen = (shown == Shown::Yes)
                .then(|| preview::preview(&path, &media_type))
                .flatten();
            let digest = blobs.put_file(&path).map_err(Error::Blob)?;
            let bytes = std::fs::metadata(&path)
                .map(|metadata| metadata.len())
                .unwrap_or_default();
            Ok((digest, bytes, seen))
        })
        .await?;
        kept.push(FileRef {
            path: format!("{relative}/{}", file.path),
            digest,
            bytes,
            media_type: file.media_type.clone(),
            kind: preview::kind(&file.media_type).to_owned(),
            preview: seen,
            title: file.title.clone(),
            description: file.description.clone(),
        });
    }
    Ok(kept)
}

/// Keeps bytes that an act left, as a blob and as a file named `name` in the folder of the attempt. The blob is
/// what counts, so a file that can't be written is only noted.
pub(super) async fn keep_bytes(
    place: &Place<'_>,
    (name, media_type): (&str, &str),
    bytes: Vec<u8>,
    notes: &mut Vec<String>,
) -> Result<FileRef, Error> {
    let (folder, path) = (place.folder(), &place.step_state.path);
    let relative = folder.attempt_relative(path, place.attempt);
    let target = folder.attempt(path, place.attempt).join(name);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let digest = place.shared.ports.put_blob(bytes.clone()).await?;
    if let Err(error) = write(target, bytes).await {
        notes.push(format!("{name}: {error}"));
    }
    Ok(FileRef {
        path: format!("{relative}/{name}"),
        digest,
        bytes: length,
        media_type: media_type.to_owned(),
        kind: preview::kind(media_type).to_owned(),
        preview: None,
        title: String::new(),
        description: String::new(),
    })
}

/// Writes a file for people, its folder first; only its owner reads it.
pub(super) async fn write(path: PathBuf, text: impl Into<Vec<u8>>) -> Result<(), Error> {
    let bytes = text.into();
    blocking(move || {
        disk::write_private(&path, &bytes).map_err(|source| {
            Error::Blob(artifact::Error::Disk(DiskError::new(
                "write", &path, source,
            )))
        })
    })
    .await
}
