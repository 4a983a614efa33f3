//! What the code left in its folder, once none of its processes is alive.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::pattern;
use crate::code;
use crate::executor::report::Named;
use crate::executor::{Limits, OutputFile};
use crate::failure::{Failure, FailureKind};

/// Folders below the attempt's that are looked into.
const DEPTH_MAX: usize = 8;
/// Files that are Stepwell's own; hidden ones are passed over anyway.
const OWN: [&str; 6] = [
    "code.py",
    "context.json",
    "job.json",
    "stdout.log",
    "stderr.log",
    "supervisor.lock",
];

/// What Stepwell puts beside them at the end, under names that the code may have taken for files of its own.
const RESERVED: [&str; 3] = ["notebook.ipynb", "outcome.json", "results.json"];

/// Figures and artifacts.
#[derive(Debug, Default)]
pub(in crate::executor) struct Collected {
    pub figures: Vec<OutputFile>,
    pub artifacts: Vec<OutputFile>,
    /// Why they are too many or too large.
    pub failure: Option<Failure>,
}

/// Lists the files of the attempt: those that the code named first, in its order, then the others by name. With
/// patterns, others that fit none of them and are no pictures are left out.
pub(in crate::executor) fn collect(
    root: &Path,
    (named, patterns): (&[Named], &[String]),
    limits: &Limits,
    notes: &mut Vec<String>,
) -> Collected {
    let moved = make_room(root, notes);
    let mut paths = Vec::new();
    walk(root, "", &mut paths, notes);
    paths.sort();
    let named: HashMap<&str, (usize, &Named)> = named
        .iter()
        .enumerate()
        .map(|(index, file)| (file.path.as_str(), (index, file)))
        .collect();
    // What the code and the workflow call a file by.
    let known = |path: &str| called(path, &moved);
    paths.sort_by_key(|(path, _)| {
        named
            .get(known(path).as_str())
            .map_or(usize::MAX, |(index, _)| *index)
    });
    for pattern in patterns {
        if !paths
            .iter()
            .any(|(path, _)| pattern::fits(pattern, &known(path)))
        {
            notes.push(format!(
                "no file fits the pattern `{pattern}` of `artifacts`"
            ));
        }
    }
    let wanted = |path: &str| {
        let path = known(path);
        let path = path.as_str();
        patterns.is_empty()
            || named.contains_key(path)
            || media_type(path).starts_with("image/")
            || patterns.iter().any(|pattern| pattern::fits(pattern, path))
    };
    let mut collected = Collected::default();
    let mut bytes_total: u64 = 0;
    for (path, bytes) in paths {
        if !wanted(&path) {
            continue;
        }
        bytes_total = bytes_total.saturating_add(bytes);
        let said = named.get(known(&path).as_str()).map(|(_, file)| *file);
        let file = OutputFile {
            title: said.map(|file| file.title.clone()).unwrap_or_default(),
            description: said
                .map(|file| file.description.clone())
                .unwrap_or_default(),
            media_type: media_type(&path).to_owned(),
            path,
            bytes,
        };
        let list = if is_figure(&file) {
            &mut collected.figures
        } else {
            &mut collected.artifacts
        };
        list.push(file);
    }
    bound(&mut collected, bytes_total, limits, notes);
    collected
}

/// Gives another name to whatever the code has put where a file of ours comes; from which name to which.
fn make_room(root: &Path, notes: &mut Vec<String>) -> Vec<(&'static str, String)> {
    let mut moved = Vec::new();
    for name in RESERVED {
        let is_there = |name: &str| fs::symlink_metadata(root.join(name)).is_ok();
        if !is_there(name) {
            continue;
        }
        let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut free = format!("{stem}.code.{suffix}");
        let mut number = 2_u64;
        while is_there(&free) {
            free = format!("{stem}.code_{number}.{suffix}");
            number += 1;
        }
        match fs::rename(root.join(name), root.join(&free)) {
            Ok(()) => {
                notes.push(format!(
                    "`{name}` is a name of Stepwell's own files: what the code left there is kept as `{free}`"
                ));
                moved.push((name, free));
            }
            Err(error) => notes.push(format!("`{name}` of the code could not be moved: {error}")),
        }
    }
    moved
}

/// The path of a file before it got another name.
fn called(path: &str, moved: &[(&str, String)]) -> String {
    let before = moved.iter().find_map(|(before, after)| {
        let rest = path.strip_prefix(after.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{before}{rest}"))
    });
    before.unwrap_or_else(|| path.to_owned())
}

fn bound(collected: &mut Collected, bytes_total: u64, limits: &Limits, notes: &mut Vec<String>) {
    let files_max = usize::try_from(limits.files_max).unwrap_or(usize::MAX);
    let count = collected.figures.len().max(collected.artifacts.len());
    let message = if count > files_max {
        format!("the code left {count} files of one sort; {files_max} are allowed")
    } else if bytes_total > limits.artifact_bytes_max {
        format!(
            "the code left {bytes_total} bytes in files; {} are allowed",
            limits.artifact_bytes_max
        )
    } else {
        return;
    };
    collected.failure = Some(
        Failure::new(FailureKind::Resources, code::FILES_TOO_LARGE, message)
            .hint("write fewer or smaller files, or raise the limit")
            .detail(json!({"files": count, "bytes": bytes_total})),
    );
    let mut left = limits.artifact_bytes_max;
    let mut fits = |file: &OutputFile| match left.checked_sub(file.bytes) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    // What is listed is kept, byte for byte, holes included.
    collected.figures.retain(&mut fits);
    collected.artifacts.retain(&mut fits);
    collected.figures.truncate(files_max);
    collected.artifacts.truncate(files_max);
    notes.push("not every file of the attempt is listed".to_owned());
}

/// Plain files only: a link could lead to anything of the machine.
fn walk(folder: &Path, prefix: &str, found: &mut Vec<(String, u64)>, notes: &mut Vec<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            notes.push(format!(
                "a file was left out, since its name is no UTF-8: {}",
                entry.file_name().display()
            ));
            continue;
        };
        if name.starts_with('.')
            || name == "__pycache__"
            || (prefix.is_empty() && OWN.contains(&name.as_str()))
        {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if metadata.is_dir() && prefix.matches('/').count() < DEPTH_MAX {
            walk(&entry.path(), &format!("{path}/"), found, notes);
        } else if metadata.is_file() {
            found.push((path, metadata.len()));
        }
    }
}

/// Pictures are figures wherever they lie, except those that the code kept with `save_artifact`.
fn is_figure(file: &OutputFile) -> bool {
    file.media_type.starts_with("image/") && !file.path.starts_with("artifacts/")
}

fn media_type(path: &str) -> &'static str {
    let suffix = path.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    match suffix.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "svg" => "image/svg+xml",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "txt" | "log" | "dat" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "yml" | "yaml" => "application/yaml",
        "xml" => "application/xml",
        "ipynb" => "application/x-ipynb+json",
        "parquet" => "application/vnd.apache.parquet",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "h5" | "hdf5" => "application/x-hdf5",
        "npy" | "npz" => "application/x-npy",
        _ => "application/octet-stream",
    }
}

/// Whether that is the name of a picture.
pub(in crate::executor) fn is_image(path: &str) -> bool {
    media_type(path).starts_with("image/")
}
