//! The supervisor's side: how its interpreter comes to be, and the process that was forked for it.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, IoSlice, PipeWriter, Write as _};
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::json;

use super::FRESH;
use crate::executor::local::folder::{Folder, Order};
use crate::executor::local::sandbox::{Entered, Walls};
use crate::executor::local::{harness, launch};

/// Longest time that a forked process may take to go behind the walls.
const ENTER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the interpreter of an attempt comes to be.
#[derive(Debug)]
pub(in crate::executor::local) enum Origin {
    /// It is started anew: because of this, when there are warm ones.
    Fresh(Option<String>),
    /// It was forked already, and waits.
    Warm(Twin),
}

impl Origin {
    /// What the engine, or the process that became this one, has said: nothing, `fresh REASON`, or `warm CHILD`.
    pub(in crate::executor::local) fn read(
        mut args: impl Iterator<Item = OsString>,
    ) -> Option<Self> {
        let Some(word) = args.next() else {
            return Some(Self::Fresh(None));
        };
        let rest = args.next()?.into_string().ok()?;
        match word.to_str()? {
            "fresh" => Some(Self::Fresh(Some(rest))),
            "warm" => {
                let child = rest.parse().ok()?;
                Some(Self::Warm(Twin(Pid::from_raw(child))))
            }
            _ => None,
        }
    }

    /// Whether the engine has waited too long for this one, and has started another.
    pub(in crate::executor::local) fn is_overtaken(&self, folder: &Folder) -> bool {
        match self {
            Self::Fresh(_) => false,
            Self::Warm(_) => folder.has(FRESH),
        }
    }

    /// Tells the engine that the attempt has its supervisor.
    pub(in crate::executor::local) fn say_taken(&self) {
        match self {
            Self::Fresh(_) => {}
            Self::Warm(_) => {
                let mut engine = io::stdout();
                // An engine that died meanwhile finds the outcome later.
                let _gone = engine.write_all(b"t").and_then(|()| engine.flush());
            }
        }
    }
}

/// The streams of the code.
#[derive(Debug)]
pub(in crate::executor::local) struct Streams([RawFd; 2]);

impl Streams {
    pub(in crate::executor::local) fn new(stdout: &PipeWriter, stderr: &PipeWriter) -> Self {
        Self([stdout.as_raw_fd(), stderr.as_raw_fd()])
    }
}

/// The process that was forked for the attempt. It listens to the standard input of its supervisor.
#[derive(Debug)]
pub(in crate::executor::local) struct Twin(Pid);

/// What it says when it is behind the walls.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    failed: Option<String>,
}

impl Twin {
    pub(in crate::executor::local) fn pid(&self) -> Pid {
        self.0
    }

    /// Sends it behind the walls and lets it run the code; or says why it has not begun and never will.
    pub(in crate::executor::local) fn begin(
        &self,
        folder: &Folder,
        order: &Order,
        streams: &Streams,
    ) -> Result<Entered, String> {
        let walls = Walls::prepare(folder, order);
        if let Some(missing) = &walls.entered.refused {
            return Err(format!("this machine has no {missing}"));
        }
        let document = document(folder, order, &walls);
        let mut socket = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map(UnixStream::from)
            .and_then(|socket| send(socket, &document, &walls, streams))
            .map_err(|error| format!("the forked process could not be told what to do: {error}"))?;
        let said =
            hear(&socket).map_err(|error| format!("the forked process did not answer: {error}"))?;
        if let Some(reason) = said.failed {
            return Err(format!(
                "the forked process could not enter its walls: {reason}"
            ));
        }
        // From here on the code may run.
        socket
            .write_all(b"g")
            .map_err(|error| format!("the forked process is gone: {error}"))?;
        Ok(walls.entered)
    }
}

/// Sends the streams, the rules for files, and the document.
fn send(
    mut socket: UnixStream,
    document: &[u8],
    walls: &Walls,
    streams: &Streams,
) -> io::Result<UnixStream> {
    let mut fds = streams.0.to_vec();
    fds.extend(walls.files.as_ref().map(AsRawFd::as_raw_fd));
    let head = (document.len() as u64).to_le_bytes();
    let slices = [IoSlice::new(&head)];
    let rights = [ControlMessage::ScmRights(&fds)];
    let sent = sendmsg::<()>(
        socket.as_raw_fd(),
        &slices,
        &rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    if sent != head.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    socket.set_write_timeout(Some(ENTER_TIMEOUT))?;
    socket.write_all(document)?;
    Ok(socket)
}

fn hear(socket: &UnixStream) -> io::Result<Said> {
    socket.set_read_timeout(Some(ENTER_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// What the forked process is to become.
fn document(folder: &Folder, order: &Order, walls: &Walls) -> Vec<u8> {
    let job = &order.job;
    let limits: Vec<(String, u64)> = launch::bounds(&job.limits)
        .into_iter()
        .map(|(resource, value)| (format!("{resource:?}").replace("RLIMIT_", ""), value))
        .collect();
    let hex = |bytes: &Vec<u8>| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
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
        "arguments": arguments,
        "env": env,
        "limits": limits,
        "processes": job.limits.processes_max,
        "no_new_privileges": walls.wanted,
        "namespaces": walls.namespaces,
        "landlock": walls.files.is_some().then_some(libc::SYS_landlock_restrict_self),
        "seccomp": walls.calls.iter().map(hex).collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes()
}
