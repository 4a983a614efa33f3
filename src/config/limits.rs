//! `limits`: how much an attempt may use and leave.

use crate::executor::Limits;
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Keys, Node, Report};

const LIMITS: Keys = Keys {
    what: "`limits`",
    now: &[
        "stdout",
        "stderr",
        "results",
        "artifact",
        "memory",
        "files",
        "open_files",
        "cpu_time",
        "processes",
        "disk",
        "stop_grace",
    ],
    later: &["cpu"],
};

/// Fewest open files with which an interpreter starts.
const OPEN_FILES_MIN: u32 = 32;
const FILES_MAX: u32 = 10_000;
const OPEN_FILES_MAX: u32 = 1_048_576;

pub(super) fn read(report: &mut Report<'_>, node: &Node, limits: &mut Limits) {
    let Some(fields) = yaml::fields(report, node, &LIMITS) else {
        return;
    };
    let sizes = [
        ("stdout", &mut limits.stdout_bytes_max),
        ("stderr", &mut limits.stderr_bytes_max),
        ("results", &mut limits.results_bytes_max),
        ("artifact", &mut limits.artifact_bytes_max),
    ];
    for (key, limit) in sizes {
        let node = fields.get(key);
        if let Some(bytes) = node.and_then(|node| quantity::size(report, node)) {
            *limit = bytes;
        }
    }
    limits.memory_bytes = fields
        .get("memory")
        .and_then(|node| quantity::size(report, node));
    limits.disk_bytes_max = fields
        .get("disk")
        .and_then(|node| quantity::size(report, node));
    limits.cpu_time = fields
        .get("cpu_time")
        .and_then(|node| quantity::duration(report, node));
    let grace = fields.get("stop_grace");
    if let Some(grace) = grace.and_then(|node| quantity::grace(report, node)) {
        limits.stop_grace = grace;
    }
    limits.processes_max = fields
        .get("processes")
        .and_then(|node| yaml::whole(report, node, 1, OPEN_FILES_MAX));
    let files = fields.get("files");
    if let Some(count) = files.and_then(|node| yaml::whole(report, node, 1, FILES_MAX)) {
        limits.files_max = count;
    }
    let open = fields.get("open_files");
    if let Some(count) =
        open.and_then(|node| yaml::whole(report, node, OPEN_FILES_MIN, OPEN_FILES_MAX))
    {
        limits.open_files_max = count.into();
    }
}
