//! What was installed where code ran: the list that the executor made becomes a blob, which events name.

use std::fs;

use super::options::blocking;
use super::{Engine, Shared};
use crate::executor::packages::{LIST_BYTES_MAX, place};
use crate::id::Digest;
use crate::python::outcome::Packages;

/// Keeps the list as a blob before an event names it. None when the list is not there, or not what its name says:
/// then nothing is named.
pub(super) async fn keep(shared: &Shared, named: Option<Packages>) -> Option<Packages> {
    let named = named?;
    let path = place(&shared.options.data, named.digest);
    let read = blocking(move || Ok(fs::read(path).ok()));
    let list = read.await.ok().flatten()?;
    if list.len() > LIST_BYTES_MAX || Digest::of(&list) != named.digest {
        return None;
    }
    let kept = shared.ports.put_blob(list).await;
    if let Err(error) = &kept {
        tracing::warn!(%error, "the list of packages could not be kept");
    }
    kept.ok().map(|_| named)
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
