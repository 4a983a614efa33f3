//! The supervisor's side: how its interpreter comes to be, and the process that was forked for it.

use std::io::{self, BufRead as _, BufReader, IoSlice, PipeWriter, Write as _};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::json;

use super::{BEGUN, DONE, FRESH, TAKEN, WAITS};
use crate::executor::local::folder::{Folder, Order};
use crate::executor::local::sandbox::{Ahead, Entered, Machine, Outline};
use crate::executor::local::{harness, launch};

/// Longest time that a forked process may take to go behind the walls.
pub(super) const ENTER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the interpreter of an attempt comes to be.
#[derive(Debug)]
pub(in crate::executor::local) enum Origin {
    /// It is started anew: because of this, when there are warm ones.
    Fresh(Option<String>),
    /// It was forked already, and waits.
    Warm(Box<Twin>),
}

impl Origin {
    /// Whether the engine has waited too long for this one, and has started another.
    pub(in crate::executor::local) fn is_overtaken(&self, folder: &Folder) -> bool {
        match self {
            Self::Fresh(_) => false,
            Self::Warm(_) => folder.has(FRESH),
        }
    }

    /// How the engine is told.
    pub(in crate::executor::local) fn teller(&self) -> Teller {
        Teller(matches!(self, Self::Warm(_)))
    }
}

/// Tells the engine of an attempt that was forked how far it is; that of a fresh one waits for the end of its supervisor.
#[derive(Debug, Clone, Copy)]
pub(in crate::executor::local) struct Teller(bool);

impl Teller {
    /// The attempt has its supervisor.
    pub(in crate::executor::local) fn say_taken(self) {
        self.say(TAKEN);
    }

    /// The outcome is written; and whether this process then waits for another attempt.
    pub(in crate::executor::local) fn say_done(self, waits: bool) {
        self.say(if waits { WAITS } else { DONE });
    }

    fn say(self, word: u8) {
        if self.0 {
            let mut engine = io::stdout();
            // An engine that died meanwhile finds the outcome later.
            let _gone = engine.write_all(&[word]).and_then(|()| engine.flush());
        }
    }
}

/// A standard stream that is a socket.
pub(super) fn stream(of: &impl AsFd) -> io::Result<UnixStream> {
    Ok(UnixStream::from(of.as_fd().try_clone_to_owned()?))
}

/// The streams of the code.
#[derive(Debug)]
pub(in crate::executor::local) struct Streams([RawFd; 2]);

impl Streams {
    pub(in crate::executor::local) fn new(stdout: &PipeWriter, stderr: &PipeWriter) -> Self {
        Self([stdout.as_raw_fd(), stderr.as_raw_fd()])
    }
}

/// The process that was forked for the attempt.
#[derive(Debug)]
pub(in crate::executor::local) struct Twin {
    pid: Pid,
    socket: UnixStream,
    /// The walls; it is behind those that do not depend on the attempt. Or why it will not run anything.
    ahead: Result<Ahead, String>,
}

/// What it says when it is behind the walls.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    failed: Option<String>,
}

impl Twin {
    pub(super) fn new(pid: Pid, socket: UnixStream) -> Self {
        Self {
            pid,
            socket,
            ahead: Err("it was not asked".to_owned()),
        }
    }

    pub(in crate::executor::local) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Whether it is behind the walls that it was sent to.
    pub(super) fn is_ready(&self) -> bool {
        self.ahead.is_ok()
    }

    /// Sends it behind the walls that attempts with this outline have in common. False = it is gone without a word.
    /// What is known of the machine from an earlier attempt spares the look.
    pub(super) fn prepare(&mut self, outline: Outline, machine: &mut Option<Rc<Machine>>) -> bool {
        let ahead = Ahead::prepare(outline, machine.take());
        *machine = ahead.machine();
        let hex =
            |bytes: &Vec<u8>| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let document = json!({
            "no_new_privileges": ahead.is_wanted(),
            "namespaces": ahead.namespaces,
            "seccomp": ahead.calls.as_ref().map(hex),
        });
        match ask(&self.socket, &document, &[]) {
            Ok(said) => self.ahead = said.map(|()| ahead),
            Err(_) => return false,
        }
        true
    }

    /// Sends it behind the last walls and lets it run the code; or says why it has not begun and never will.
    pub(in crate::executor::local) fn begin(
        self,
        folder: &Folder,
        order: &Order,
        streams: &Streams,
    ) -> Result<Entered, String> {
        let ahead = self.ahead?;
        if ahead.outline != Outline::of(order) {
            return Err("its walls are those of another kind of steps".to_owned());
        }
        let processes = ahead.namespaces.and(order.job.limits.processes_max);
        let walls = ahead.complete(folder, order);
        if let Some(missing) = &walls.entered.refused {
            return Err(format!("this machine has no {missing}"));
        }
        let mut fds = streams.0.to_vec();
        fds.extend(walls.files.as_ref().map(AsRawFd::as_raw_fd));
        let document = document(folder, order, (processes, walls.files.is_some()));
        ask(&self.socket, &document, &fds)??;
        // From here on the code may run.
        (&self.socket)
            .write_all(b"g")
            .map_err(|error| format!("the forked process is gone: {error}"))?;
        Teller(true).say(BEGUN);
        Ok(walls.entered)
    }
}

/// Says it to the twin, and waits until it has done it. Inside is why it could not, outside why it said nothing.
fn ask(
    socket: &UnixStream,
    document: &serde_json::Value,
    fds: &[RawFd],
) -> Result<Result<(), String>, String> {
    let document = document.to_string().into_bytes();
    send(socket, &document, fds)
        .map_err(|error| format!("the forked process could not be told what to do: {error}"))?;
    let said =
        hear(socket).map_err(|error| format!("the forked process did not answer: {error}"))?;
    Ok(match said.failed {
        None => Ok(()),
        Some(reason) => Err(format!(
            "the forked process could not enter its walls: {reason}"
        )),
    })
}

/// Sends the document with open files.
fn send(mut socket: &UnixStream, document: &[u8], fds: &[RawFd]) -> io::Result<()> {
    let head = (document.len() as u64).to_le_bytes();
    pass(socket, &head, fds)?;
    socket.set_write_timeout(Some(ENTER_TIMEOUT))?;
    socket.write_all(document)
}

/// Sends a few bytes and open files with them.
pub(super) fn pass(socket: &UnixStream, bytes: &[u8], fds: &[RawFd]) -> io::Result<()> {
    let slices = [IoSlice::new(bytes)];
    let rights = [ControlMessage::ScmRights(fds)];
    let sent = sendmsg::<()>(
        socket.as_raw_fd(),
        &slices,
        if fds.is_empty() { &[] } else { &rights },
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

fn hear(socket: &UnixStream) -> io::Result<Said> {
    socket.set_read_timeout(Some(ENTER_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// What the forked process is to become, with the most processes that it may have and whether there are rules for files.
fn document(
    folder: &Folder,
    order: &Order,
    (processes, landlock): (Option<u32>, bool),
) -> serde_json::Value {
    let job = &order.job;
    let limits: Vec<(String, u64)> = launch::bounds(&job.limits)
        .into_iter()
        .map(|(resource, value)| (format!("{resource:?}").replace("RLIMIT_", ""), value))
        .collect();
    let env: serde_json::Map<String, serde_json::Value> = order
        .env
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let mut arguments = vec![job.environment.interpreter.to_string_lossy()];
    arguments.extend(harness::FLAGS.map(Into::into));
    arguments.extend(["-c".into(), harness::BOOTSTRAP.into()]);
    arguments.extend([
        order.tools.to_string_lossy(),
        folder.root().to_string_lossy(),
    ]);
    json!({
        "folder": folder.root().to_string_lossy(),
        "mark": folder.mark(),
        "arguments": arguments,
        "env": env,
        "limits": limits,
        "processes": processes,
        "landlock": landlock.then_some(libc::SYS_landlock_restrict_self),
    })
}
