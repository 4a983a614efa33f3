//! The supervisor's loop: one thread, one poll over the clock, the signals, the door and both streams.

use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::control;
use super::folder::{Folder, Order};
use super::meter::Meter;
use super::sandbox::{self, Entered};
use super::stream::Stream;
use super::surroundings;
use super::tree;
use super::warm::{Origin, Streams};
use crate::executor::verdict::{Exit, Limit, Stop};
use crate::executor::{JobSecrets, Start, StreamFile};
use crate::redact::Redactor;

/// From the request to end to the kill.
const TERMINATE_GRACE: Duration = Duration::from_millis(500);
/// How long helpers (such as the resource tracker of multiprocessing) may outlive the interpreter.
const HELPER_GRACE: Duration = Duration::from_millis(300);
/// Between two rounds of killing.
const KILL_PAUSE: Duration = Duration::from_millis(10);
/// Most that a process says of its walls, in bytes.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// Processes that are named in a note.
const NAMES_MAX: usize = 5;

/// How an attempt ended, all its processes gone.
pub(super) struct Ended {
    pub exit: Exit,
    pub stop: Option<Stop>,
    pub notes: Vec<String>,
    pub stdout: StreamFile,
    pub stderr: StreamFile,
    pub stream_fault: Option<io::Error>,
    pub entered: Entered,
    pub start: Option<Start>,
    /// Whether the code asked for its own end by the pipe that is not its own.
    pub meddled: bool,
}

impl Ended {
    /// Whether nothing of the attempt can have reached the process that it was copied from: it came to its end by itself,
    /// behind every wall. Then another copy is as good as the first.
    pub(super) fn is_clean(&self) -> bool {
        let walled = |name| {
            self.entered
                .layers
                .iter()
                .any(|layer| layer.held && layer.name == name)
        };
        self.stop.is_none()
            && !self.meddled
            && matches!(self.exit, Exit::Status(_))
            && matches!(self.start, Some(Start::Warm))
            && walled(sandbox::LANDLOCK)
            && self.entered.layers.iter().all(|layer| layer.held)
    }
}

/// How far stopping has gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Interrupted,
    Terminated,
    Killed,
}

/// A running attempt.
pub(super) struct Watch {
    exit: Option<Exit>,
    stop: Option<Stop>,
    stage: Stage,
    /// When the next stage begins.
    due: Option<Instant>,
    /// From the interrupt to the request to end.
    grace: Duration,
    childless: bool,
    signals: SignalFd,
    control: File,
    /// Who wants the end leaves a sign first.
    folder: Folder,
    meddled: bool,
    stdout: Stream,
    stderr: Stream,
    notes: Vec<String>,
    begun: Begun,
    meter: Option<Meter>,
    /// The child of this process that is none of the attempt.
    aside: Option<Pid>,
}

/// The process that runs the code, or is about to.
struct Begun {
    main: Pid,
    entered: Entered,
    start: Option<Start>,
}

impl Watch {
    pub(super) fn start(
        folder: &Folder,
        order: &Order,
        (secrets, redactor): (&JobSecrets, &Redactor),
        (control, origin, aside): (File, Origin, Option<Pid>),
    ) -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
            signals.add(signal);
        }
        signals.thread_block()?;
        let signals =
            SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (out_reader, out_writer) = io::pipe()?;
        let (err_reader, err_writer) = io::pipe()?;
        let limits = &order.job.limits;
        let (out_max, err_max) = (limits.stdout_bytes_max, limits.stderr_bytes_max);
        let stdout = Stream::new(folder, "stdout.log", out_reader, (out_max, redactor))?;
        let stderr = Stream::new(folder, "stderr.log", err_reader, (err_max, redactor))?;
        let writers = (out_writer, err_writer);
        let begun = begin(folder, order, (secrets, origin), writers)?;
        let folders = vec![folder.root().to_owned(), order.temporary.clone()];
        Ok(Self {
            exit: None,
            stop: None,
            stage: Stage::Running,
            // A time-out beyond the clock is none.
            due: Instant::now().checked_add(order.job.timeout),
            grace: limits.stop_grace,
            childless: false,
            signals,
            control,
            folder: folder.clone(),
            meddled: false,
            stdout,
            stderr,
            notes: Vec::new(),
            begun,
            meter: Meter::new(limits, folders, aside),
            aside,
        })
    }

    /// Returns when no process of the attempt is alive.
    pub(super) fn finish(mut self) -> io::Result<Ended> {
        while self.exit.is_none() {
            let look = self.meter.as_ref().map(Meter::due);
            self.wait(self.due.into_iter().chain(look).min())?;
            self.measure();
            if self.stop.is_some() && self.stage == Stage::Running {
                self.escalate();
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.stop = self.stop.or(Some(Stop::Timeout));
                self.escalate();
            }
        }
        self.clear()?;
        if self.stop.is_none() {
            let passed = self.meter.as_ref().and_then(Meter::last_look);
            self.stop = passed.map(Stop::Limit);
        }
        let mut notes = self.notes;
        let (stdout, out_fault) = self.stdout.finish(&mut notes);
        let (stderr, err_fault) = self.stderr.finish(&mut notes);
        Ok(Ended {
            exit: self.exit.unwrap_or(Exit::Status(0)),
            stop: self.stop,
            notes,
            stdout,
            stderr,
            stream_fault: out_fault.or(err_fault),
            entered: self.begun.entered,
            start: self.begun.start,
            meddled: self.meddled,
        })
    }

    /// Looks at what is used. Code that has used up its time may say where it was; what eats the machine is ended at once.
    fn measure(&mut self) {
        if self.stop.is_some() {
            return;
        }
        let Some(limit) = self.meter.as_mut().and_then(Meter::look) else {
            return;
        };
        self.stop = Some(Stop::Limit(limit));
        match limit {
            Limit::CpuTime => {}
            Limit::Memory | Limit::Processes | Limit::Disk => self.stage = Stage::Terminated,
        }
        self.escalate();
    }

    /// Waits for whatever comes first, and takes note of it.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // Rounded up: waking a moment too early would spin.
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.control.as_fd(), PollFlags::POLLIN),
        ];
        let streams = [self.stdout.fd(), self.stderr.fd()];
        fds.extend(
            streams
                .into_iter()
                .flatten()
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.stdout.copy();
        self.stderr.copy();
        while let Some(signal) = self.signals.read_signal()? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                self.stop = self.stop.or(Some(Stop::Cancel));
            }
        }
        let asked = control::asked(&self.control);
        // Whatever woke this process: the code may have taken the word out of the pipe, or the pipe away.
        if self.folder.is_to_cancel() {
            self.stop = self.stop.or(Some(Stop::Cancel));
        } else {
            self.meddled |= asked;
        }
        self.reap()
    }

    fn reap(&mut self) -> io::Result<()> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) if pid == self.begun.main => {
                    self.exit = Some(Exit::Status(status));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.begun.main => {
                    self.exit = Some(Exit::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => {
                    let is_over = self.exit.is_some();
                    self.childless = is_over && self.aside.is_some_and(tree::has_only);
                    return Ok(());
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => {
                    self.childless = true;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Goes one stage further towards the end.
    fn escalate(&mut self) {
        let now = Instant::now();
        (self.stage, self.due) = match self.stage {
            Stage::Running => {
                // The interpreter alone: it is for the code to end its own helpers.
                tree::signal_all(&[self.begun.main], Signal::SIGINT);
                (Stage::Interrupted, now.checked_add(self.grace))
            }
            Stage::Interrupted => {
                tree::signal_all(&tree::below(self.aside), Signal::SIGTERM);
                (Stage::Terminated, Some(now + TERMINATE_GRACE))
            }
            Stage::Terminated | Stage::Killed => {
                tree::signal_all(&tree::below(self.aside), Signal::SIGKILL);
                (Stage::Killed, Some(now + KILL_PAUSE))
            }
        };
    }

    /// Ends what the interpreter left behind. As the adopter of orphans this process is childless only when
    /// the whole tree is gone, daemons included.
    fn clear(&mut self) -> io::Result<()> {
        let grace = Instant::now() + HELPER_GRACE;
        while !self.childless && Instant::now() < grace && self.stop.is_none() {
            self.wait(Some(grace))?;
        }
        let mut first = true;
        while !self.childless {
            let left = tree::below(self.aside);
            if first && self.stop.is_none() && !left.is_empty() {
                let names: Vec<String> = left
                    .iter()
                    .take(NAMES_MAX)
                    .map(|pid| tree::name(*pid))
                    .collect();
                self.notes.push(format!(
                    "{} processes outlived the code and were stopped: {}",
                    left.len(),
                    names.join(", ")
                ));
            }
            first = false;
            tree::signal_all(&left, Signal::SIGKILL);
            self.wait(Some(Instant::now() + KILL_PAUSE))?;
        }
        Ok(())
    }
}

/// Lets a process that was forked from a warm interpreter begin; or starts a fresh one, when there is none or it can't.
fn begin(
    folder: &Folder,
    order: &Order,
    (secrets, origin): (&JobSecrets, Origin),
    (stdout, stderr): (PipeWriter, PipeWriter),
) -> io::Result<Begun> {
    let reason = match origin {
        Origin::Fresh(reason) => reason,
        Origin::Warm(twin) => {
            let main = twin.pid();
            match twin.begin(folder, order, &Streams::new(&stdout, &stderr)) {
                Ok(entered) => {
                    return Ok(Begun {
                        main,
                        entered,
                        start: Some(Start::Warm),
                    });
                }
                Err(reason) => {
                    // It has run nothing yet, and won't.
                    let _gone = kill(main, Signal::SIGKILL);
                    let _gone = waitpid(main, None);
                    Some(reason)
                }
            }
        }
    };
    let (main, entered) = fresh(folder, order, secrets, (stdout, stderr))?;
    Ok(Begun {
        main,
        entered,
        start: reason.map(|reason| Start::Fresh { reason }),
    })
}

/// A new interpreter.
fn fresh(
    folder: &Folder,
    order: &Order,
    secrets: &JobSecrets,
    (stdout, stderr): (PipeWriter, PipeWriter),
) -> io::Result<(Pid, Entered)> {
    let (ear, said) = io::pipe()?;
    // The very program that runs here, even when its file was replaced by an upgrade since.
    let child = Command::new("/proc/self/exe")
        .arg0("stepwell")
        .arg("__launch")
        .arg(folder.root())
        .arg(Pid::this().to_string())
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .envs(surroundings::secret(&secrets.env))
        .stdin(Stdio::from(said))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    let main = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok((Pid::from_raw(main), entered(ear)))
}

/// What the process says of its walls, until it becomes the interpreter. One that died has said nothing.
fn entered(ear: impl Read) -> Entered {
    let mut text = Vec::new();
    let _dead = ear.take(SAID_BYTES_MAX).read_to_end(&mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}
