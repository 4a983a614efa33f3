//! Which files the code may write and read: rules in the kernel (Landlock).

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};

use super::{LANDLOCK, held, missing};
use crate::executor::Layer;
use crate::executor::local::folder::{Folder, Order};

/// The newest rules that are asked for; an older kernel gives what it has.
const WANTED: ABI = ABI::V6;
/// Devices that programs write to without a thought, and memory that processes of one program share.
const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/shm",
];
/// Most rules of one attempt; a folder with more entries beside something hidden is given as far as they go.
const RULES_MAX: usize = 4_000;

/// What is ruled, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::executor::local) struct Handled {
    writes: bool,
    reads: bool,
}

impl Handled {
    fn of(order: &Order) -> Self {
        Self {
            writes: !order.job.protection.writes_outside,
            reads: !order.job.protection.hidden.is_empty(),
        }
    }

    /// What holds, when it does.
    pub(in crate::executor::local) fn reason(self) -> &'static str {
        match (self.writes, self.reads) {
            (true, true) => {
                "writes only in its own folder; what is hidden can't be read; signals only to its own processes"
            }
            (true, false) => "writes only in its own folder; signals only to its own processes",
            (false, true) => {
                "what is hidden can't be read or written; signals only to its own processes; writes are free in this mode"
            }
            (false, false) => "signals only to its own processes; writes are free in this mode",
        }
    }
}

/// The rules of the attempt. Nothing is entered yet.
pub(in crate::executor::local) fn ruleset(
    folder: &Folder,
    order: &Order,
) -> Result<(RulesetCreated, Handled), RulesetError> {
    let handled = Handled::of(order);
    let (reads, writes) = (AccessFs::from_read(WANTED), AccessFs::from_write(WANTED));
    let mut access = BitFlags::<AccessFs>::empty();
    if handled.writes {
        access |= writes;
    }
    if handled.reads {
        access |= reads;
    }
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?;
    if !access.is_empty() {
        ruleset = ruleset.handle_access(access)?;
    }
    let mut ruleset = ruleset.create()?;
    if handled.reads {
        let hidden = &order.job.protection.hidden;
        // Names are seen everywhere; what is in the files is not.
        ruleset = ruleset.add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?;
        let given = without(hidden);
        ruleset = ruleset.add_rules(path_beneath_rules(&given, reads))?;
    }
    if handled.writes {
        let own = own_folders(folder, order);
        ruleset = ruleset.add_rules(path_beneath_rules(&own, access))?;
        // Devices are written to; none is made, and no folder of them changed.
        let plain = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        let shared = plain | AccessFs::MakeReg | AccessFs::RemoveFile;
        let device = |path: &str| if path == "/dev/shm" { shared } else { plain };
        for path in DEVICES {
            ruleset = ruleset.add_rules(path_beneath_rules([path], device(path) & access))?;
        }
    }
    Ok((ruleset, handled))
}

/// Folders that the code may do with as it likes.
fn own_folders(folder: &Folder, order: &Order) -> Vec<PathBuf> {
    let mut own = vec![folder.root().to_owned(), order.temporary.clone()];
    own.extend(order.job.protection.writable.iter().cloned());
    own.extend(order.cache.iter().cloned());
    own
}

/// Everything of the machine but what is hidden: the entries beside it and beside the folders above it. Links are left
/// out: where they lead to is given by its own place, or not at all.
fn without(hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut given = Vec::new();
    let mut todo = vec![PathBuf::from("/")];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if hidden.contains(&path) || entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                continue;
            }
            if hidden.iter().any(|hidden| hidden.starts_with(&path)) {
                todo.push(path);
            } else if given.len() < RULES_MAX {
                given.push(path);
            }
        }
    }
    given
}

pub(super) fn enter(folder: &Folder, order: &Order) -> Layer {
    let entered = ruleset(folder, order)
        .and_then(|(ruleset, handled)| Ok((ruleset.restrict_self()?.ruleset, handled)));
    match entered {
        Ok((RulesetStatus::FullyEnforced, handled)) => held(LANDLOCK, handled.reason()),
        Ok((RulesetStatus::PartiallyEnforced, _)) => {
            missing(LANDLOCK, "this kernel knows only a part of the rules")
        }
        Ok((RulesetStatus::NotEnforced, _)) => missing(LANDLOCK, "this kernel has it not"),
        Err(error) => missing(LANDLOCK, &error.to_string()),
    }
}

/// Paths as the kernel sees them; what is not there needs no hiding.
pub(in crate::executor::local) fn real(hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = hidden
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .filter(|path| path != Path::new("/"))
        .collect();
    found.sort();
    found.dedup();
    found
}
