//! Processes of an attempt: found through `/proc`, stopped by number.

use std::collections::{HashMap, HashSet};
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Every living process below `root`, `root` itself not included. Zombies don't count.
pub(super) fn descendants(root: Pid) -> Vec<Pid> {
    let parents: HashMap<Pid, Pid> = processes()
        .filter_map(|pid| Some((pid, parent_of_living(pid)?)))
        .collect();
    let mut found = HashSet::from([root]);
    loop {
        let before = found.len();
        let below: Vec<Pid> = parents
            .iter()
            .filter(|(_, parent)| found.contains(parent))
            .map(|(pid, _)| *pid)
            .collect();
        found.extend(below);
        if found.len() == before {
            break;
        }
    }
    found.remove(&root);
    found.into_iter().collect()
}

/// Every living process below this one, but this child.
pub(super) fn below(aside: Option<Pid>) -> Vec<Pid> {
    let mut found = descendants(Pid::this());
    found.retain(|pid| Some(*pid) != aside);
    found
}

/// Whether this process has no other child than this one.
pub(super) fn has_only(child: Pid) -> bool {
    match fs::read_to_string("/proc/thread-self/children") {
        Ok(children) => children
            .split_ascii_whitespace()
            .all(|pid| pid == child.to_string()),
        // A kernel without that list.
        Err(_) => below(Some(child)).is_empty(),
    }
}

/// Every living process whose environment has this line or whose name is this one, and those below it, whose environment
/// may be another.
pub(super) fn of_attempt(line: &str, supervisor: &str) -> Vec<Pid> {
    let mut found: HashSet<Pid> = HashSet::new();
    for pid in marked(line, supervisor) {
        if found.insert(pid) {
            found.extend(descendants(pid));
        }
    }
    found.remove(&Pid::this());
    found.into_iter().collect()
}

/// Those that show it themselves, this process not included. The environment of supervisors is closed to others.
fn marked(line: &str, supervisor: &str) -> Vec<Pid> {
    let wanted = line.as_bytes();
    processes()
        .filter(|pid| *pid != Pid::this() && parent_of_living(*pid).is_some())
        .filter(|pid| {
            let marked = fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|env| env.split(|byte| *byte == 0).any(|entry| entry == wanted));
            marked || name(*pid) == supervisor
        })
        .collect()
}

/// The marks of all processes whose environment can be read.
pub(super) fn marks() -> HashSet<String> {
    const NAME: &[u8] = b"STEPWELL_MARK=";
    processes()
        .filter_map(|pid| fs::read(format!("/proc/{pid}/environ")).ok())
        .filter_map(|env| {
            let mut entries = env.split(|byte| *byte == 0);
            let mark = entries.find_map(|entry| entry.strip_prefix(NAME))?;
            Some(String::from_utf8_lossy(mark).into_owned())
        })
        .collect()
}

/// Sends a signal to each; those that are gone already don't matter.
pub(super) fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _gone = kill(*pid, signal);
    }
}

/// The name of a process for people; empty when it is gone.
pub(super) fn name(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|text| text.trim_end().to_owned())
        .unwrap_or_default()
}

fn processes() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
}

fn parent_of_living(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the last bracket ends it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.next()?.parse().ok().map(Pid::from_raw)
}

/// What a process uses.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Used {
    /// Pages of memory.
    pub pages: u64,
    /// Processor time, in ticks.
    pub ticks: u64,
    /// Threads; at least one.
    pub tasks: u64,
}

/// What a living process uses.
pub(super) fn used(pid: Pid) -> Option<Used> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Counted from the state, which follows the name: utime 11, stime 12, of children 13 and 14, threads 17, rss 21.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    Some(Used {
        pages: number(21)?,
        ticks: [11, 12, 13, 14].into_iter().filter_map(number).sum(),
        tasks: number(17)?,
    })
}
