//! Which files the code may write and read: rules in the kernel (Landlock).

use std::cell::Cell;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{SFlag, fstat};

use super::{LANDLOCK, Outline, held, missing};
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

/// A place, open, with what may be read of it. A rule for a file that has rights of folders counts as one that holds in
/// part, and then all of them do.
fn readable(path: &Path) -> Option<(PathFd, BitFlags<AccessFs>)> {
    let place = PathFd::new(path).ok()?;
    let kind = SFlag::from_bits_truncate(fstat(&place).ok()?.st_mode & SFlag::S_IFMT.bits());
    let reads = AccessFs::from_read(WANTED);
    let reads = if kind == SFlag::S_IFDIR {
        reads
    } else {
        reads & AccessFs::from_file(WANTED)
    };
    Some((place, reads))
}

/// What is ruled, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::executor::local) struct Handled {
    writes: bool,
    reads: bool,
}

/// Most files that are held open for further attempts: far below what a process may have open.
fn open_max() -> usize {
    const OPEN_MAX: usize = 400;
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    OPEN_MAX.min(usize::try_from(soft / 2).unwrap_or(OPEN_MAX))
}

impl Handled {
    fn of(outline: &Outline) -> Self {
        Self {
            writes: !outline.writes_outside,
            reads: !outline.hidden.is_empty(),
        }
    }

    /// The accesses that rules say something about.
    fn access(self) -> BitFlags<AccessFs> {
        let mut access = BitFlags::<AccessFs>::empty();
        if self.writes {
            access |= AccessFs::from_write(WANTED);
        }
        if self.reads {
            access |= AccessFs::from_read(WANTED);
        }
        access
    }

    /// What holds, when it does.
    pub(in crate::executor::local) fn reason(self) -> &'static str {
        match (self.writes, self.reads) {
            (true, true) => {
                "writes only in its own folder, modes and times of files apart; what is hidden can't be read; signals only to its own processes"
            }
            (true, false) => {
                "writes only in its own folder, modes and times of files apart; signals only to its own processes"
            }
            (false, true) => {
                "what is hidden can't be read or written; signals only to its own processes; writes are free in this mode"
            }
            (false, false) => "signals only to its own processes; writes are free in this mode",
        }
    }
}

/// What the machine has beside what is hidden, as it was when it was looked at.
#[derive(Debug)]
pub(in crate::executor::local) struct Machine {
    hidden: Vec<PathBuf>,
    given: Vec<PathBuf>,
    /// The same, open for the rules of further attempts, each with what may be read of it; nothing where it is too much.
    open: Vec<(PathFd, BitFlags<AccessFs>)>,
    seen: Seen,
}

impl Machine {
    fn new(hidden: &[PathBuf]) -> Self {
        let mut seen = Seen::default();
        let given = without(hidden, &mut seen);
        // What is gone meanwhile is no reason to fail, but to look again the next time.
        let open = Some(&given).filter(|given| given.len() <= open_max());
        let open = open.and_then(|given| given.iter().map(|path| readable(path)).collect());
        Self {
            hidden: hidden.to_owned(),
            open: open.unwrap_or_default(),
            given,
            seen,
        }
    }

    /// Whether it is what it would be if it was looked at now.
    fn is_current(&self) -> bool {
        self.seen.is_current()
    }
}

/// The rules that do not depend on the attempt. Nothing is entered yet.
#[derive(Debug)]
pub(in crate::executor::local) struct Fixed {
    ruleset: RulesetCreated,
    handled: Handled,
    machine: Rc<Machine>,
}

impl Fixed {
    /// The rules for devices and for what is hidden, as the machine is now; or was before, if nothing has changed.
    pub(in crate::executor::local) fn new(
        outline: &Outline,
        before: Option<Rc<Machine>>,
    ) -> Result<Self, RulesetError> {
        let handled = Handled::of(outline);
        let access = handled.access();
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .scope(Scope::Signal | Scope::AbstractUnixSocket)?;
        if !access.is_empty() {
            ruleset = ruleset.handle_access(access)?;
        }
        let mut ruleset = ruleset.create()?;
        let before =
            before.filter(|machine| machine.hidden == outline.hidden && machine.is_current());
        let machine = before.unwrap_or_else(|| Rc::new(Machine::new(&outline.hidden)));
        if handled.reads {
            // Names are seen everywhere; what is in the files is not.
            ruleset = ruleset.add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?;
            let reads = AccessFs::from_read(WANTED);
            let open = machine.open.iter();
            let open = open.map(|(place, reads)| PathBeneath::new(place, *reads));
            ruleset = ruleset.add_rules(open.map(Ok::<_, RulesetError>))?;
            let others = machine.given.iter().skip(machine.open.len());
            ruleset = ruleset.add_rules(path_beneath_rules(others, reads))?;
        }
        if handled.writes {
            // Devices are written to; none is made, and no folder of them changed.
            let plain = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
            let shared = plain | AccessFs::MakeReg | AccessFs::RemoveFile;
            let device = |path: &str| if path == "/dev/shm" { shared } else { plain };
            for path in DEVICES {
                ruleset = ruleset.add_rules(path_beneath_rules([path], device(path) & access))?;
            }
        }
        Ok(Self {
            ruleset,
            handled,
            machine,
        })
    }

    /// Whether they are what they would be if they were made now.
    pub(in crate::executor::local) fn is_current(&self) -> bool {
        self.machine.is_current()
    }

    /// What they were made from.
    pub(in crate::executor::local) fn machine(&self) -> Rc<Machine> {
        Rc::clone(&self.machine)
    }

    /// The rules of the attempt.
    pub(in crate::executor::local) fn complete(
        self,
        folder: &Folder,
        order: &Order,
    ) -> Result<(RulesetCreated, Handled), RulesetError> {
        let (mut ruleset, handled) = (self.ruleset, self.handled);
        if handled.writes {
            let own = own_folders(folder, order);
            ruleset = ruleset.add_rules(path_beneath_rules(&own, handled.access()))?;
        }
        Ok((ruleset, handled))
    }
}

/// What the rules for hidden files were made from: the folders that were listed, and what is mounted.
#[derive(Debug, Default)]
struct Seen {
    folders: Vec<(PathBuf, Option<Stamp>)>,
    mounts: Option<Mounts>,
}

/// What changes when something is made, removed or renamed in a folder: device, number, and times of change.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

/// A change within one tick of the clock may not show: a folder that was changed so shortly before is not trusted.
const TICK: Duration = Duration::from_millis(50);

impl Seen {
    /// Takes note of a folder that is about to be listed.
    fn look(&mut self, folder: &Path) {
        if self.folders.is_empty() {
            self.mounts = Mounts::look();
        }
        let settled = fs::metadata(folder)
            .and_then(|found| found.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|since| since > TICK));
        let found = stamp(folder).filter(|_| settled);
        self.folders.push((folder.to_owned(), found));
    }

    fn is_current(&self) -> bool {
        let same =
            |(path, before): &(PathBuf, Option<Stamp>)| before.is_some() && stamp(path) == *before;
        let mounts = || self.mounts.as_ref().is_some_and(Mounts::are_current);
        self.folders.is_empty() || (self.folders.iter().all(same) && mounts())
    }
}

fn stamp(folder: &Path) -> Option<Stamp> {
    let found = fs::metadata(folder).ok()?;
    let modified = (found.mtime(), found.mtime_nsec());
    let changed = (found.ctime(), found.ctime_nsec());
    Some((found.dev(), found.ino(), modified, changed))
}

/// What is mounted: a rule is about the folder that was there, and not about what is mounted over it later.
#[derive(Debug)]
struct Mounts {
    /// The list, of which the kernel says once when it has changed since it was opened.
    list: File,
    changed: Cell<bool>,
}

impl Mounts {
    fn look() -> Option<Self> {
        let list = File::open("/proc/self/mountinfo").ok()?;
        let changed = Cell::new(false);
        Some(Self { list, changed })
    }

    fn are_current(&self) -> bool {
        let mut asked = [PollFd::new(self.list.as_fd(), PollFlags::POLLPRI)];
        let polled = poll(&mut asked, PollTimeout::ZERO);
        let said = asked.iter().any(|fd| fd.any().unwrap_or(true));
        if polled.is_err() || said {
            self.changed.set(true);
        }
        !self.changed.get()
    }
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
fn without(hidden: &[PathBuf], seen: &mut Seen) -> Vec<PathBuf> {
    let mut given = Vec::new();
    let mut todo = vec![PathBuf::from("/")];
    while let Some(folder) = todo.pop() {
        seen.look(&folder);
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
    let entered = Fixed::new(&Outline::of(order), None)
        .and_then(|fixed| fixed.complete(folder, order))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_since_is_known_until_somebody_looks_again() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: only root can mount");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let before = Mounts::look().unwrap();
        assert!(before.are_current());
        let run = |program: &str, args: &[&str]| {
            let mut command = std::process::Command::new(program);
            command.args(args).arg(place.path()).status().unwrap()
        };
        let mounted = run("mount", &["-t", "tmpfs", "none"]);
        assert!(mounted.success());
        let seen = [before.are_current(), before.are_current()];
        assert!(run("umount", &[]).success());
        assert_eq!(seen, [false, false]);
    }
}
