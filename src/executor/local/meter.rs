//! What the processes of an attempt use together, looked at from outside while they run: limits of the system bind
//! one process each, and some of them do not bind root.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::tree;
use crate::executor::Limits;
use crate::executor::verdict::Limit;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the disk, which take longer.
const DISK_PAUSE: Duration = Duration::from_millis(500);
/// Folders below that are looked into.
const DEPTH_MAX: usize = 32;

/// Looks at the processes and the files of an attempt.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    folders: Vec<PathBuf>,
    /// The child of this process that is none of the attempt.
    aside: Option<Pid>,
    /// What children used that were gone before the attempt began.
    seconds_before: f64,
    due: Instant,
    disk_due: Instant,
    ticks_per_second: f64,
    page_bytes: u64,
}

impl Meter {
    /// One that looks at what the limits name; none when they name nothing.
    pub(super) fn new(limits: &Limits, folders: Vec<PathBuf>, aside: Option<Pid>) -> Option<Self> {
        let named = limits.memory_bytes.is_some()
            || limits.cpu_time.is_some()
            || limits.processes_max.is_some()
            || limits.disk_bytes_max.is_some();
        let number = |variable| sysconf(variable).ok().flatten().unwrap_or_default();
        let now = Instant::now();
        named.then(|| Self {
            limits: *limits,
            folders,
            aside,
            seconds_before: seconds_of_the_dead(),
            due: now + PAUSE,
            disk_due: now + PAUSE,
            ticks_per_second: f64::from(u32::try_from(number(SysconfVar::CLK_TCK)).unwrap_or(100)),
            page_bytes: u64::try_from(number(SysconfVar::PAGE_SIZE)).unwrap_or(4096),
        })
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The limit that is passed, when it is time to look.
    pub(super) fn look(&mut self) -> Option<Limit> {
        let now = Instant::now();
        if now < self.due {
            return None;
        }
        self.due = now + PAUSE;
        self.processes().or_else(|| self.disk(now))
    }

    fn processes(&self) -> Option<Limit> {
        let limits = &self.limits;
        if limits.memory_bytes.is_none()
            && limits.cpu_time.is_none()
            && limits.processes_max.is_none()
        {
            return None;
        }
        let (mut bytes, mut ticks, mut tasks) = (0, 0, 0);
        for pid in tree::below(self.aside) {
            let used = tree::used(pid).unwrap_or_default();
            bytes += used.pages * self.page_bytes;
            ticks += used.ticks;
            tasks += used.tasks;
        }
        if limits
            .processes_max
            .is_some_and(|max| tasks > u64::from(max))
        {
            return Some(Limit::Processes);
        }
        if limits.memory_bytes.is_some_and(|max| bytes > max) {
            return Some(Limit::Memory);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks of a hundredth of a second stay far below 2^53"
        )]
        let seconds =
            ticks as f64 / self.ticks_per_second + seconds_of_the_dead() - self.seconds_before;
        let over = |max: Duration| seconds > max.as_secs_f64();
        limits.cpu_time.is_some_and(over).then_some(Limit::CpuTime)
    }

    fn disk(&mut self, now: Instant) -> Option<Limit> {
        let max = self.limits.disk_bytes_max?;
        if now < self.disk_due {
            return None;
        }
        self.disk_due = now + DISK_PAUSE;
        self.is_too_much(max).then_some(Limit::Disk)
    }

    fn is_too_much(&self, max: u64) -> bool {
        let mut bytes = 0;
        for folder in &self.folders {
            add(folder, 0, max, &mut bytes);
        }
        bytes > max
    }

    /// Whether what is left passes the limit of the disk, once all processes are gone.
    pub(super) fn last_look(&self) -> Option<Limit> {
        let max = self.limits.disk_bytes_max?;
        self.is_too_much(max).then_some(Limit::Disk)
    }
}

/// Processor time of processes that have ended already.
fn seconds_of_the_dead() -> f64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |used| {
        let micros = used.user_time().num_microseconds() + used.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
    })
}

/// Adds what is in the folder, as the disk holds it; stops when it is too much anyway.
fn add(folder: &Path, depth: usize, max: u64, bytes: &mut u64) {
    use std::os::unix::fs::MetadataExt as _;

    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        *bytes += metadata.blocks() * 512;
        if *bytes > max {
            return;
        }
        if metadata.is_dir() && depth < DEPTH_MAX {
            add(&entry.path(), depth + 1, max, bytes);
        }
    }
}
