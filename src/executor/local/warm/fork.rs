//! The supervisor's side: how its interpreter comes to be, and the process that was forked for it.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, IoSlice, PipeWriter, Write as _};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{Pid, chdir, dup2_stderr};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::FRESH;
use crate::executor::local::folder::{Folder, Order, create};
use crate::executor::local::sandbox::{Ahead, Entered, Outline};
use crate::executor::local::{harness, launch};

/// Longest time that a forked process may take to go behind the walls.
const ENTER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the interpreter of an attempt comes to be.
#[derive(Debug)]
pub(in crate::executor::local) enum Origin {
    /// It is started anew: because of this, when there are warm ones.
    Fresh(Option<String>),
    /// It was forked already, and waits. So does its supervisor: which attempt they are for is said last.
    Warm(Box<Twin>),
}

impl Origin {
    /// What the engine, or the process that became this one, has said: nothing, `fresh REASON`, or `ahead CHILD`.
    pub(in crate::executor::local) fn read(
        mut args: impl Iterator<Item = OsString>,
    ) -> Option<Self> {
        let Some(word) = args.next() else {
            return Some(Self::Fresh(None));
        };
        let rest = args.next()?.into_string().ok()?;
        match word.to_str()? {
            "fresh" => Some(Self::Fresh(Some(rest))),
            "ahead" => {
                let child = rest.parse().ok()?;
                Some(Self::Warm(Box::new(Twin {
                    pid: Pid::from_raw(child),
                    ahead: Err("it was not asked".to_owned()),
                })))
            }
            _ => None,
        }
    }

    /// The folder of the attempt: the one that was named; or, for a pair that was forked ahead, the one that the engine
    /// names when it has an attempt for it. None = there will be none: the engine has no use for it, or the twin is gone.
    pub(in crate::executor::local) fn folder(
        &mut self,
        named: OsString,
    ) -> io::Result<Option<Folder>> {
        match self {
            Self::Fresh(_) => Ok(Some(Folder::new(named))),
            Self::Warm(twin) => {
                let mut engine = BufReader::new(stream(&io::stdout())?);
                let Some(outline) = wait::<Outline>(&mut engine, true)? else {
                    return Ok(None);
                };
                if !twin.prepare(outline) {
                    return Ok(None);
                }
                // One that could not enter them is gone; a fresh interpreter takes its place, and the reason is told.
                let Some(folder) = wait::<String>(&mut engine, twin.ahead.is_ok())? else {
                    return Ok(None);
                };
                let folder = Folder::new(PathBuf::from(folder));
                chdir(folder.root())?;
                dup2_stderr(create(&folder.internal("supervisor.log"))?)?;
                Ok(Some(folder))
            }
        }
    }

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
        self.say(b"t");
    }

    /// The outcome is written.
    pub(in crate::executor::local) fn say_done(self) {
        self.say(b"d");
    }

    fn say(self, word: &[u8]) {
        if self.0 {
            let mut engine = io::stdout();
            // An engine that died meanwhile finds the outcome later.
            let _gone = engine.write_all(word).and_then(|()| engine.flush());
        }
    }
}

/// Waits for the next word of the engine. The end of its socket is the end of the engine, or of its interest.
fn wait<T: DeserializeOwned>(
    engine: &mut BufReader<UnixStream>,
    with_twin: bool,
) -> io::Result<Option<T>> {
    let twin = io::stdin();
    while engine.buffer().is_empty() {
        let mut fds = [
            PollFd::new(engine.get_ref().as_fd(), PollFlags::POLLIN),
            // It says nothing before it is asked; only its end is heard.
            PollFd::new(twin.as_fd(), PollFlags::empty()),
        ];
        let looked_at = if with_twin { 2 } else { 1 };
        let (fds_now, _) = fds.split_at_mut(looked_at);
        match poll(fds_now, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        let [said, gone] = fds.map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        if said {
            break;
        }
        if gone {
            return Ok(None);
        }
    }
    let mut line = String::new();
    engine.read_line(&mut line)?;
    // Without the end of its line it is only the beginning of a word.
    let word = line.strip_suffix('\n');
    Ok(word.and_then(|word| serde_json::from_str(word).ok()))
}

/// A standard stream that is a socket.
fn stream(of: &impl AsFd) -> io::Result<UnixStream> {
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

/// The process that was forked for the attempt. It listens to the standard input of its supervisor.
#[derive(Debug)]
pub(in crate::executor::local) struct Twin {
    pid: Pid,
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
    pub(in crate::executor::local) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it behind the walls that attempts with this outline have in common. False = it is gone without a word.
    fn prepare(&mut self, outline: Outline) -> bool {
        let ahead = Ahead::prepare(outline);
        let hex =
            |bytes: &Vec<u8>| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let document = json!({
            "no_new_privileges": ahead.is_wanted(),
            "namespaces": ahead.namespaces,
            "seccomp": ahead.calls.iter().map(hex).collect::<Vec<_>>(),
        });
        match ask(&document, &[]) {
            Ok(said) => self.ahead = said.map(|_| ahead),
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
        let mut socket = ask(&document, &fds)??;
        // From here on the code may run.
        socket
            .write_all(b"g")
            .map_err(|error| format!("the forked process is gone: {error}"))?;
        Ok(walls.entered)
    }
}

/// Says it to the twin, and waits until it has done it. Inside is why it could not, outside why it said nothing.
fn ask(document: &serde_json::Value, fds: &[RawFd]) -> Result<Result<UnixStream, String>, String> {
    let document = document.to_string().into_bytes();
    let socket = stream(&io::stdin())
        .and_then(|socket| send(socket, &document, fds))
        .map_err(|error| format!("the forked process could not be told what to do: {error}"))?;
    let said =
        hear(&socket).map_err(|error| format!("the forked process did not answer: {error}"))?;
    Ok(match said.failed {
        None => Ok(socket),
        Some(reason) => Err(format!(
            "the forked process could not enter its walls: {reason}"
        )),
    })
}

/// Sends the document with open files.
fn send(mut socket: UnixStream, document: &[u8], fds: &[RawFd]) -> io::Result<UnixStream> {
    let head = (document.len() as u64).to_le_bytes();
    let slices = [IoSlice::new(&head)];
    let rights = [ControlMessage::ScmRights(fds)];
    let sent = sendmsg::<()>(
        socket.as_raw_fd(),
        &slices,
        if fds.is_empty() { &[] } else { &rights },
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
