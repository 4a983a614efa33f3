//! What was installed where code ran: the list that the executor made becomes a blob, which events name.

use std::fs;
use std::path::Path;

use super::{Engine, Shared};
use crate::artifact::Blobs;
use crate::executor::packages::{LIST_BYTES_MAX, place};
use crate::id::Digest;
use crate::python::outcome::Packages;

/// Keeps the list as a blob before an event names it; gives its lines too. None when the list is not there, or not what
/// its name says: then nothing is named. It reads and writes files.
pub(super) fn keep(
    blobs: &Blobs,
    data: &Path,
    named: Option<Packages>,
) -> Option<(Packages, Vec<String>)> {
    let named = named?;
    let list = fs::read(place(data, named.digest)).ok();
    let list = list.filter(|list| list.len() <= LIST_BYTES_MAX)?;
    if Digest::of(&list) != named.digest {
        return None;
    }
    if let Err(error) = blobs.put(&list) {
        tracing::warn!(%error, "the list of packages could not be kept");
        return None;
    }
    // One that is no text is kept all the same; nobody reads it line by line.
    Some((named, split(list).unwrap_or_default()))
}

fn split(list: Vec<u8>) -> Option<Vec<String>> {
    let text = String::from_utf8(list).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

/// The lines of a list; none when it is not kept any more.
pub(super) async fn lines(shared: &Shared, named: Packages) -> Option<Vec<String>> {
    split(shared.ports.get_blob(named.digest).await.ok()?)
}

impl Engine {
    /// The packages of that list, `name==version`, sorted; none when it is not kept any more.
    pub async fn packages(&self, named: Packages) -> Option<Vec<String>> {
        lines(&self.shared, named).await
    }
}
