//! The files of an attempt, freed of secrets once none of its processes is alive and before anybody sees them.
//!
//! Text is rewritten. In other files (pictures, archives, arrays) nothing is changed, since that would break
//! them: a note says which of them hold a secret as it is.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::folder::{Folder, create, read_at_most};
use crate::executor::make_dir;
use crate::executor::report::REPORT_BYTES_MAX;
use crate::redact::{Piecewise, Redactor};

/// What Stepwell wrote itself before the code began, without secrets.
const OWN: [&str; 5] = [
    "code.py",
    "context.json",
    "job.json",
    "supervisor.lock",
    ".attempt/harness.json",
];
/// Documents, which must stay JSON.
const DOCUMENTS: [&str; 3] = [
    ".attempt/results.json",
    ".attempt/report.json",
    ".attempt/outputs.json",
];
/// Folders below the attempt's that are looked into.
const DEPTH_MAX: usize = 64;
/// Bytes that are read at a time, and that say whether a file is text.
const CHUNK_BYTES: usize = 64 * 1024;

/// Frees every file of the attempt of secrets, its name included. What can't be rewritten is removed.
pub(in crate::executor) fn folder(folder: &Folder, secrets: &Redactor, notes: &mut Vec<String>) {
    if secrets.is_empty() {
        return;
    }
    let mut files = Vec::new();
    walk(folder.root(), "", 0, &mut files);
    for relative in files {
        let path = folder.file(&relative);
        let shown = secrets.text(&relative).into_owned();
        let cleaned = if DOCUMENTS.contains(&relative.as_str()) {
            document(folder, &path, secrets)
        } else {
            plain(folder, &path, secrets)
        };
        match cleaned.and_then(|held| rename(folder, &relative, &shown).map(|()| held)) {
            Ok(false) => {}
            Ok(true) => notes.push(format!(
                "{shown} holds a secret and is not text: it was left as it is"
            )),
            Err(error) => {
                let removed = match fs::remove_file(&path) {
                    Ok(()) => "was removed",
                    Err(_) => "could not be removed either",
                };
                notes.push(format!(
                    "{shown} could not be freed of secrets and {removed}: {}",
                    error.kind()
                ));
            }
        }
    }
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        // A name that is no UTF-8 is never listed as a result.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if metadata.is_dir() && depth < DEPTH_MAX {
            walk(&entry.path(), &format!("{path}/"), depth + 1, found);
        } else if metadata.is_file() && !OWN.contains(&path.as_str()) {
            found.push(path);
        }
    }
}

/// A file whose name holds a secret gets another.
fn rename(folder: &Folder, relative: &str, shown: &str) -> io::Result<()> {
    if relative == shown {
        return Ok(());
    }
    let from = folder.file(relative);
    let mut to = folder.file(shown);
    if let Some(parent) = to.parent() {
        make_dir(parent)?;
    }
    let mut number = 2_u64;
    while to.symlink_metadata().is_ok() {
        to = folder.file(&format!("{shown} {number}"));
        number += 1;
    }
    fs::rename(&from, to)?;
    let mut parent = from.parent();
    while let Some(folder) = parent.filter(|folder| fs::remove_dir(folder).is_ok()) {
        parent = folder.parent();
    }
    Ok(())
}

fn document(folder: &Folder, path: &Path, secrets: &Redactor) -> io::Result<bool> {
    let text = read_at_most(path, REPORT_BYTES_MAX)?;
    let Ok(value) = serde_json::from_slice::<Value>(&text) else {
        return plain(folder, path, secrets);
    };
    let shown = secrets.value(&value);
    if shown != value {
        let part = part(folder);
        create(&part)?.write_all(&serde_json::to_vec(&shown)?)?;
        fs::rename(part, path)?;
    }
    Ok(false)
}

/// True = there is a secret in it, and it is still there.
fn plain(folder: &Folder, path: &Path, secrets: &Redactor) -> io::Result<bool> {
    let mut text = true;
    if !copy(path, secrets, |_| Ok(()), &mut text)? {
        return Ok(false);
    }
    if !text {
        return Ok(true);
    }
    // A new file: another name that the code may have given to the old one doesn't lead here any more.
    let part = part(folder);
    let mut file = create(&part)?;
    copy(path, secrets, |bytes| file.write_all(bytes), &mut text)?;
    fs::rename(part, path)?;
    Ok(false)
}

fn part(folder: &Folder) -> PathBuf {
    folder.internal("clean.part")
}

/// Reads the file through the redactor; says whether there was a secret in it, and whether it is text.
fn copy(
    path: &Path,
    secrets: &Redactor,
    mut keep: impl FnMut(&[u8]) -> io::Result<()>,
    text: &mut bool,
) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut stream = Piecewise::new(secrets.clone());
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut first = true;
    loop {
        let len = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = chunk.get(..len).unwrap_or_default();
        if std::mem::take(&mut first) {
            *text = !piece.contains(&0);
        }
        keep(&stream.push(piece))?;
    }
    keep(&stream.finish())?;
    Ok(stream.found())
}
