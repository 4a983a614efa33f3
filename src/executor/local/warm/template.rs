//! The supervisor's side of a pair: the engine, which names attempts, and the template, which is copied for each of them.

use std::ffi::CString;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, chdir, dup2_stderr};
use serde::de::DeserializeOwned;

use super::fork::{ENTER_TIMEOUT, Twin, pass, stream};
use crate::executor::local::folder::{Folder, create};
use crate::executor::local::sandbox::{Machine, Outline};

/// The name of a supervisor that waits for an attempt, in the list of processes.
const WAITING: &str = "stepwell";

/// The process of which each attempt gets a copy. It runs no code itself.
#[derive(Debug)]
pub(in crate::executor::local) struct Template {
    pid: Pid,
    asks: UnixStream,
    engine: BufReader<UnixStream>,
    /// What the rules for files were made from.
    machine: Option<Rc<Machine>>,
    /// Whether it has become what it should have been copied to: this system does not let it be copied.
    is_used_up: bool,
    /// Where this process is while it has no attempt, and what it says there.
    home: (PathBuf, OwnedFd),
}

impl Template {
    /// The one with this number.
    pub(in crate::executor::local) fn new(pid: Pid, home: PathBuf) -> io::Result<Self> {
        Ok(Self {
            pid,
            asks: stream(&io::stdin())?,
            engine: BufReader::new(stream(&io::stdout())?),
            machine: None,
            is_used_up: false,
            home: (home, io::stderr().as_fd().try_clone_to_owned()?),
        })
    }

    /// Waits for the next attempt, with a process that is to run it: the engine says first what walls it will have, and
    /// then where it is. None = there will be none: the engine has no use for this pair, or one of its processes is gone.
    pub(in crate::executor::local) fn next(&mut self) -> io::Result<Option<(Folder, Twin)>> {
        let Some(outline) = wait::<Outline>(&mut self.engine, Some(&self.asks))? else {
            return Ok(None);
        };
        let (pid, socket) = self.copy()?;
        let mut twin = Twin::new(pid, socket);
        if !twin.prepare(outline, &mut self.machine) {
            return Ok(None);
        }
        // One that could not enter its walls is gone; a fresh interpreter takes its place, and the reason is told.
        let listened_to = twin.is_ready().then(|| twin.socket());
        let Some(folder) = wait::<String>(&mut self.engine, listened_to)? else {
            return Ok(None);
        };
        let folder = Folder::new(PathBuf::from(folder));
        chdir(folder.root())?;
        dup2_stderr(create(&folder.internal("supervisor.log"))?)?;
        Ok(Some((folder, twin)))
    }

    /// Leaves the attempt that is over.
    pub(in crate::executor::local) fn rest(&self) -> io::Result<()> {
        // Whoever ends it now does not mean the next attempt.
        SigSet::all().thread_unblock()?;
        let (home, stderr) = &self.home;
        prctl::set_name(&CString::new(WAITING)?)?;
        chdir(home)?;
        Ok(dup2_stderr(stderr)?)
    }

    /// Its number, when it is a process beside that of the attempt.
    pub(in crate::executor::local) fn pid(&self) -> Option<Pid> {
        (!self.is_used_up).then_some(self.pid)
    }

    /// A copy, with our end of its socket.
    fn copy(&mut self) -> io::Result<(Pid, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        pass(&self.asks, b"c", &[theirs.as_raw_fd()])?;
        let mut number = [0; 4];
        self.asks.set_read_timeout(Some(ENTER_TIMEOUT))?;
        self.asks.read_exact(&mut number)?;
        let pid = Pid::from_raw(i32::from_ne_bytes(number));
        self.is_used_up = pid == self.pid;
        Ok((pid, ours))
    }
}

/// Waits for the next word of the engine. The end of its socket is the end of the engine, or of its interest; that of the
/// other one is the end of who was to run the attempt.
fn wait<T: DeserializeOwned>(
    engine: &mut BufReader<UnixStream>,
    other: Option<&UnixStream>,
) -> io::Result<Option<T>> {
    while engine.buffer().is_empty() {
        let mut fds = vec![PollFd::new(engine.get_ref().as_fd(), PollFlags::POLLIN)];
        // It says nothing before it is asked; only its end is heard.
        fds.extend(other.map(|other| PollFd::new(other.as_fd(), PollFlags::empty())));
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        let said = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let mut heard = fds.iter().map(said);
        if heard.next() == Some(true) {
            break;
        }
        if heard.next() == Some(true) {
            return Ok(None);
        }
    }
    let mut line = String::new();
    engine.read_line(&mut line)?;
    // Without the end of its line it is only the beginning of a word.
    let word = line.strip_suffix('\n');
    Ok(word.and_then(|word| serde_json::from_str(word).ok()))
}
