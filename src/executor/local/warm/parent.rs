//! One parent: started, heard when it is ready, asked to fork.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, socketpair,
};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixDatagram, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::World;
use super::kind::Kind;
use crate::executor::local::folder::Folder;
use crate::executor::local::sandbox::Outline;
use crate::executor::local::{harness, surroundings};
use crate::executor::make_dir;

/// Longest time to import everything.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a parent may take to end once nobody wants it.
const END_GRACE: Duration = Duration::from_secs(5);
/// What is kept of what a parent prints, in bytes.
const SAID_BYTES_MAX: u64 = 4_000;
/// Longest first message of a parent.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A running parent. Dropped, it ends when it has done what it was asked for.
#[derive(Debug)]
pub(super) struct Parent {
    control: UnixDatagram,
    pub pid: u32,
    /// Attempts that were forked from it.
    pub forks: u32,
    /// Pairs that wait for their attempt. They end when this is dropped, and when this process ends.
    ahead: VecDeque<Pair>,
    /// Dropped with it: whoever waits for its end then waits no longer than a moment.
    _wanted: oneshot::Sender<()>,
}

/// Two processes that wait for an attempt: a supervisor and its template.
#[derive(Debug)]
pub(super) struct Pair {
    stream: std::os::unix::net::UnixStream,
    /// The walls behind which a copy of the template waits already. None = there is no copy yet.
    ready_for: Option<Outline>,
}

impl Pair {
    /// One that has had an attempt.
    pub(super) fn of(stream: UnixStream) -> io::Result<Self> {
        Ok(Self {
            stream: stream.into_std()?,
            ready_for: None,
        })
    }

    /// Has a copy made and sent behind these walls; the error means that the pair waits no more.
    fn prepare(&mut self, outline: &Outline) -> io::Result<()> {
        if self.ready_for.is_none() {
            tell(&self.stream, &line(outline)?)?;
            self.ready_for = Some(outline.clone());
        }
        Ok(())
    }
}

/// What a parent says when it has imported everything.
#[derive(Deserialize)]
struct Said {
    refused: Option<String>,
}

impl Parent {
    /// Starts one; the error says why there is none.
    pub(super) async fn start(world: &World, kind: &Kind) -> Result<Self, String> {
        let starting = Self::begin(world, kind).map_err(|error| error.to_string())?;
        let (parent, mut child) = starting;
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        let heard = tokio::time::timeout(START_TIMEOUT, parent.control.recv(&mut message)).await;
        let said: Option<Said> = match heard {
            Ok(Ok(len)) => message
                .get(..len)
                .and_then(|text| serde_json::from_slice(text).ok()),
            Ok(Err(_)) | Err(_) => None,
        };
        let Some(said) = said else {
            let _gone = child.start_kill();
            let mut printed = String::new();
            if let Some(stderr) = child.stderr.take() {
                // What it printed last is what went wrong.
                let _not_text = stderr
                    .take(SAID_BYTES_MAX)
                    .read_to_string(&mut printed)
                    .await;
            }
            let last = printed.lines().last().unwrap_or("it said nothing");
            return Err(format!("it ended while it was started: {last}"));
        };
        if let Some(reason) = said.refused {
            return Err(reason);
        }
        let (wanted, unwanted) = oneshot::channel();
        #[expect(
            clippy::disallowed_methods,
            reason = "a task of the executor's own: whose parent ends must be waited for"
        )]
        tokio::spawn(reap(child, unwanted));
        Ok(Self {
            _wanted: wanted,
            ..parent
        })
    }

    fn begin(world: &World, kind: &Kind) -> io::Result<(Self, Child)> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let matplotlib = world.matplotlib(kind.environment);
        make_dir(&matplotlib)?;
        let tools = harness::install(&world.tools())?;
        let child = Command::new(&kind.interpreter)
            .args(harness::FLAGS)
            .args(["-c", harness::WARM_BOOTSTRAP])
            .arg(&tools)
            .args(&kind.modules)
            .env_clear()
            .envs(surroundings::of_parent(&world.inherited, &matplotlib))
            .current_dir(&tools)
            .stdin(Stdio::null())
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let ours = std::os::unix::net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        let parent = Self {
            control: UnixDatagram::from_std(ours)?,
            pid: child.id().unwrap_or_default(),
            forks: 0,
            ahead: VecDeque::new(),
            _wanted: oneshot::channel().0,
        };
        Ok((parent, child))
    }

    /// Gives the attempt to a pair of processes that waits, or to one that is forked for it now. The end of the stream is
    /// the end of its supervisor; its first byte says that the attempt has one, and its second that the outcome is there.
    pub(super) fn hand_over(
        &mut self,
        world: &World,
        folder: &Folder,
        outline: &Outline,
    ) -> io::Result<UnixStream> {
        let order = line(&folder.root().to_string_lossy())?;
        // Others are behind walls that this attempt does not have.
        self.ahead
            .retain(|pair| pair.ready_for.as_ref().is_none_or(|ready| ready == outline));
        // Those that have a copy come first.
        self.ahead
            .make_contiguous()
            .sort_by_key(|pair| pair.ready_for.is_none());
        loop {
            let waiting = self.ahead.pop_front();
            let is_last = waiting.is_none();
            let mut pair = match waiting {
                Some(pair) => pair,
                None => self.pair(world)?,
            };
            let told = pair
                .prepare(outline)
                .and_then(|()| tell(&pair.stream, &order));
            if let Err(error) = told {
                // Somebody has ended it: there is another one.
                if is_last {
                    return Err(error);
                }
                continue;
            }
            self.forks += 1;
            return UnixStream::from_std(pair.stream);
        }
    }

    /// Has copies made for the next attempts, until so many wait: by pairs that have had an attempt, or new ones.
    pub(super) fn fork_ahead(
        &mut self,
        world: &World,
        outline: &Outline,
        ahead: usize,
    ) -> io::Result<()> {
        self.ahead.retain_mut(|pair| pair.prepare(outline).is_ok());
        while self.ahead.len() < ahead {
            let mut pair = self.pair(world)?;
            pair.prepare(outline)?;
            self.ahead.push_back(pair);
        }
        Ok(())
    }

    /// Keeps a pair that has had an attempt: one more than wait with a copy, so that the next attempts, one after another,
    /// need no other.
    pub(super) fn take_back(&mut self, pair: Pair, ahead: usize) {
        if self.ahead.len() <= ahead {
            self.ahead.push_back(pair);
        }
    }

    /// Asks for a pair of processes, which wait for an attempt until the stream is closed.
    fn pair(&self, world: &World) -> io::Result<Pair> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let order = json!({
            "program": text(&world.program),
            "arguments": [text(&world.program), "__supervise".to_owned(), text(&world.data), "ahead".to_owned()],
            "env": surroundings::passed(&world.inherited),
            // Their numbers differ between processors.
            "calls": world.copies.then(|| json!({
                "clone3": libc::SYS_clone3,
                "get_robust_list": libc::SYS_get_robust_list,
                "set_robust_list": libc::SYS_set_robust_list,
            })),
        })
        .to_string();
        let fds = [theirs.as_raw_fd()];
        let sent = sendmsg::<()>(
            self.control.as_raw_fd(),
            &[IoSlice::new(order.as_bytes())],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        if sent != order.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        ours.set_nonblocking(true)?;
        Ok(Pair {
            stream: ours,
            ready_for: None,
        })
    }

    /// Ends it at once, whatever it does.
    pub(super) fn end(&self) {
        // Its number is its own until `reap` has waited for it, and that is what drops `_wanted`'s other side.
        if let Some(pid) = i32::try_from(self.pid)
            .ok()
            .filter(|_| !self._wanted.is_closed())
        {
            let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Bytes of memory that it has.
    pub(super) fn memory(&self) -> u64 {
        const PAGE_BYTES: u64 = 4096;
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid));
        let resident = statm.ok().and_then(|text| {
            text.split_whitespace()
                .nth(1)
                .and_then(|pages| pages.parse::<u64>().ok())
        });
        resident.unwrap_or(0).saturating_mul(PAGE_BYTES)
    }
}

fn line(word: &(impl Serialize + ?Sized)) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    Ok(line)
}

/// Says it to a pair that waits; the error means that it waits no more.
fn tell(mut pair: &std::os::unix::net::UnixStream, order: &[u8]) -> io::Result<()> {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    match recv(pair.as_raw_fd(), &mut [0; 1], flags) {
        Err(Errno::EAGAIN) => pair.write_all(order),
        Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => Err(error.into()),
    }
}

/// Waits for the end of a parent; one that nobody wants any more has a moment for it.
async fn reap(mut child: Child, unwanted: oneshot::Receiver<()>) {
    // Nobody reads what libraries print when they are imported, but they may print it.
    let mut stderr = child.stderr.take();
    let drain = async {
        if let Some(stderr) = &mut stderr {
            let _gone = tokio::io::copy(stderr, &mut tokio::io::sink()).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::select! {
            _ended = child.wait() => {}
            _dropped = unwanted => {
                if tokio::time::timeout(END_GRACE, child.wait()).await.is_err() {
                    let _gone = child.kill().await;
                }
            }
        }
    };
    tokio::select! {
        () = ended => {}
        () = drain => {}
    }
}
