//! Files of a run: kept as blobs, written for people.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::blocking;
use super::{Error, Shared};
use crate::artifact::{self, DiskError, disk};
use crate::executor::OutputFile;
use crate::run::payload::FileRef;

/// Keeps files of an attempt as blobs; they are on the disk when it returns, so an event may name them.
pub(super) async fn keep(
    shared: &Arc<Shared>,
    (absolute, relative): (&Path, &str),
    files: &[OutputFile],
) -> Result<Vec<FileRef>, Error> {
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        let path = absolute.join(&file.path);
        let blobs = Arc::clone(&shared.ports.blobs);
        let (digest, bytes) = blocking(move || {
            let digest = blobs.put_file(&path).map_err(Error::Blob)?;
            let bytes = std::fs::metadata(&path)
                .map(|metadata| metadata.len())
                .unwrap_or_default();
            Ok((digest, bytes))
        })
        .await?;
        kept.push(FileRef {
            path: format!("{relative}/{}", file.path),
            digest,
            bytes,
            media_type: file.media_type.clone(),
            title: file.title.clone(),
            description: file.description.clone(),
        });
    }
    Ok(kept)
}

/// Writes a file for people, its folder first; only its owner reads it.
pub(super) async fn write(path: PathBuf, text: String) -> Result<(), Error> {
    blocking(move || {
        disk::write_private(&path, text.as_bytes()).map_err(|source| {
            Error::Blob(artifact::Error::Disk(DiskError::new(
                "write", &path, source,
            )))
        })
    })
    .await
}
