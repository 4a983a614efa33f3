//! What an attempt begins with: its variables, what is recorded of it, its folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use super::Endpoint;
use super::executor::Inner;
use super::record::Record;
use crate::executor::Job;
use crate::executor::local::folder::{Folder, Order};
use crate::executor::make_dir;

/// What the environment of the code has beside that of the kernel.
pub(super) fn variables(job: &Job) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    set("MPLBACKEND", "Agg".to_owned());
    set("PYTHONUTF8", "1".to_owned());
    set("PYTHONUNBUFFERED", "1".to_owned());
    set("PYTHONHASHSEED", "0".to_owned());
    set("STEPWELL_RUN_ID", job.run.to_string());
    set("STEPWELL_STEP", job.step.to_string());
    set("STEPWELL_MODE", job.mode.to_string());
    set("STEPWELL_ATTEMPT", job.attempt.to_string());
    for (name, value) in job.env.iter().chain(&job.secrets.env) {
        set(name, value.clone());
    }
    env
}

pub(super) fn record(inner: &Inner, endpoint: &Endpoint, folder: &Folder, job: &Job) -> Record {
    let mark = folder.mark();
    let short: String = mark.chars().take(12).collect();
    let step = job.step.as_str().replace('/', ".");
    let shared = endpoint.shared.as_ref().and_then(|shared| {
        let inside = folder.root().strip_prefix(&inner.options.data).ok()?;
        Some(shared.kernel.join(inside).to_string_lossy().into_owned())
    });
    Record {
        base: endpoint.base.clone(),
        mode: job.mode,
        kernel_name: endpoint.kernel_name.clone(),
        path: format!("stepwell/{}/{step}/{}-{short}", job.run, job.attempt),
        session: mark.clone(),
        attempt: mark,
        shared,
        secrets: !job.secrets.values.is_empty(),
        kernel: None,
    }
}

pub(super) fn write(folder: &Folder, record: &Record, job: &Job) -> io::Result<File> {
    if !folder.root().is_absolute() {
        return Err(io::Error::other("the path is not absolute"));
    }
    if folder.file("job.json").exists() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "it holds another attempt",
        ));
    }
    make_dir(&folder.internal(""))?;
    let lock = folder
        .try_lock()?
        .ok_or_else(|| io::Error::other("somebody else sees to it"))?;
    record.write(folder)?;
    folder.write(&Order {
        job: job.clone(),
        env: Vec::new(),
        tools: std::path::PathBuf::new(),
        temporary: std::path::PathBuf::new(),
        secrets_follow: record.secrets,
        cache: Vec::new(),
        offered: Default::default(),
    })?;
    Ok(lock)
}
