//! Lists of what is installed in an environment: read when an environment is prepared, kept by their digest, so that
//! a step only names its list.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::executor::make_dir;
use crate::id::Digest;
use crate::python::outcome::Packages;

/// Largest list, in bytes: some ten thousand packages.
pub const LIST_BYTES_MAX: usize = 1024 * 1024;

/// The folder of the lists, beside the environments.
pub const FOLDER: &str = "packages";

/// Where the list of this digest is kept, whoever made it.
#[must_use]
pub fn place(data: &Path, digest: Digest) -> PathBuf {
    let name = format!("{}.txt", digest.hex());
    data.join("envs").join(FOLDER).join(name)
}

/// The lists that this process has made.
#[derive(Debug)]
pub(super) struct Lists {
    data: PathBuf,
    /// By the folders that were looked at, as long as nothing was put into them or taken out.
    known: Mutex<HashMap<Vec<(PathBuf, SystemTime)>, Packages>>,
}

impl Lists {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            known: Mutex::default(),
        }
    }

    /// What is installed in these folders. None when the list can't be kept: it is a record, not something to fail for.
    pub(super) fn of_folders(&self, folders: &[PathBuf]) -> Option<Packages> {
        let there = folders.iter().filter_map(|folder| {
            let modified = fs::metadata(folder).ok()?.modified().ok()?;
            Some((folder.clone(), modified))
        });
        let key: Vec<_> = there.collect();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&key).copied();
        drop(known);
        if found.is_some_and(|found| self.has(found)) {
            return found;
        }
        let packages = self.keep(&list(&distributions(folders)))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, packages);
        Some(packages)
    }

    /// Whether the list is kept.
    pub(super) fn has(&self, packages: Packages) -> bool {
        place(&self.data, packages.digest).is_file()
    }

    /// Keeps a list, unless it is kept already.
    pub(super) fn keep(&self, list: &str) -> Option<Packages> {
        let packages = Packages {
            digest: Digest::of(list.as_bytes()),
            count: u32::try_from(list.lines().count()).ok()?,
        };
        let path = place(&self.data, packages.digest);
        if list.len() > LIST_BYTES_MAX {
            return None;
        }
        if !path.is_file() {
            let part = path.with_extension(format!("{}.part", std::process::id()));
            let kept = make_dir(path.parent()?)
                .and_then(|()| fs::write(&part, list))
                .and_then(|()| fs::rename(&part, &path));
            if let Err(error) = kept {
                tracing::warn!(path = %path.display(), %error, "the list of packages could not be kept");
                return None;
            }
        }
        Some(packages)
    }
}

/// Names of the folders and files that say what is installed, without their ending.
fn distributions(folders: &[PathBuf]) -> Vec<String> {
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let names = entries.flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| {
            let stem = name.strip_suffix(".dist-info");
            let stem = stem.or_else(|| name.strip_suffix(".egg-info"));
            stem.map(str::to_owned)
        })
        .collect()
}

/// `name==version` on each line, sorted: names as indexes spell them, in small letters with hyphens.
fn list(names: &[String]) -> String {
    let mut lines: Vec<String> = names.iter().filter_map(|name| line(name)).collect();
    lines.sort();
    lines.dedup();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// `Foo_Bar-1.2-py3.11` is `foo-bar==1.2`. What names no version is passed over.
fn line(stem: &str) -> Option<String> {
    let mut parts = stem.split('-');
    let (name, version) = (parts.next()?, parts.next()?);
    let words = name.split(['_', '.']).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    (!name.is_empty() && !version.is_empty()).then(|| format!("{name}=={version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path, names: &[&str]) {
        for name in names {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
    }

    #[test]
    fn lists_are_sorted_kept_once_and_made_anew_when_something_is_installed() {
        let place = tempfile::tempdir().unwrap();
        let site = place.path().join("site");
        let names = [
            "numpy-2.4.6.dist-info",
            "Jupyter_Server-2.21.1.dist-info",
            "ruamel.yaml-0.18.dist-info",
            "PyYAML-6.0-py3.11.egg-info",
            "numpy",
            "no_version.egg-info",
            "zope__x-1.dist-info",
        ];
        install(&site, &names);
        let lists = Lists::new(place.path());
        let folders = [site.clone(), place.path().join("never")];
        let first = lists.of_folders(&folders).unwrap();
        let read = |packages: Packages| {
            fs::read_to_string(super::place(place.path(), packages.digest)).unwrap()
        };
        let text =
            "jupyter-server==2.21.1\nnumpy==2.4.6\npyyaml==6.0\nruamel-yaml==0.18\nzope-x==1\n";
        assert_eq!(read(first), text);
        assert_eq!(
            (first.count, first.digest),
            (5, Digest::of(text.as_bytes()))
        );
        assert_eq!(lists.of_folders(&folders), Some(first));
        // Somebody has cleared the folder of environments.
        fs::remove_dir_all(place.path().join("envs")).unwrap();
        assert_eq!(lists.of_folders(&folders), Some(first));
        assert_eq!(read(first), text);
        let before = fs::metadata(&site).unwrap().modified().unwrap();
        install(&site, &["attrs-26.1.dist-info"]);
        while fs::metadata(&site).unwrap().modified().unwrap() == before {
            fs::write(site.join("again"), "").unwrap();
            fs::remove_file(site.join("again")).unwrap();
        }
        let second = lists.of_folders(&folders).unwrap();
        assert!(read(second).starts_with("attrs==26.1\n"));
        assert_eq!(second.count, 6);
    }

    #[test]
    fn a_list_that_cannot_be_kept_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lists = Lists::new(file.path());
        assert_eq!(lists.keep("numpy==1\n"), None);
    }
}
