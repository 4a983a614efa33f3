//! What was installed where code ran: the list that the executor made becomes a blob, which events name.

use std::fs;
use std::sync::Arc;

use super::options::blocking;
use super::{Engine, Error, Shared};
use crate::executor::packages::{LIST_BYTES_MAX, place};
use crate::id::Digest;
use crate::python::outcome::Packages;

/// Keeps the list as a blob before an event names it. None when the list is not there, or not what its name says:
/// then nothing is named.
pub(super) async fn keep(shared: &Shared, named: Option<Packages>) -> Option<Packages> {
    let named = named?;
    let path = place(&shared.options.data, named.digest);
    let blobs = Arc::clone(&shared.ports.blobs);
    let kept = blocking(move || {
        let list = fs::read(path).ok();
        let list = list.filter(|list| list.len() <= LIST_BYTES_MAX);
        let Some(list) = list.filter(|list| Digest::of(list) == named.digest) else {
            return Ok(None);
        };
        blobs.put(&list).map(Some).map_err(Error::Blob)
    })
    .await;
    if let Err(error) = &kept {
        tracing::warn!(%error, "the list of packages could not be kept");
    }
    kept.ok().flatten().map(|_| named)
}

/// The lines of a list; none when it is not kept any more.
pub(super) async fn lines(shared: &Shared, named: Packages) -> Option<Vec<String>> {
    let bytes = shared.ports.get_blob(named.digest).await.ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

impl Engine {
    /// The packages of that list, `name==version`, sorted; none when it is not kept any more.
    pub async fn packages(&self, named: Packages) -> Option<Vec<String>> {
        lines(&self.shared, named).await
    }
}
