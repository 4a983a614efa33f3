//! One attempt from its beginning to its end, held by a task that goes on when nobody waits for it any more.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::conclude::{asked, conclude, stopped, tampered};
use super::home::{self, End};
use super::kernel::{Fault, Kernel, QUICK, died, not_started};
use super::log::Logs;
use super::order::{record, variables, write};
use super::record::Record;
use super::recover;
use super::server::Server;
use super::stop::Stopper;
use super::{Endpoint, executor::Inner};
use crate::code;
use crate::executor::local::folder::Folder;
use crate::executor::verdict::Stop;
use crate::executor::{Job, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::plan::Mode;
use crate::redact::Redactor;

/// An attempt that this process holds.
pub(super) struct Attempt {
    pub(super) inner: Arc<Inner>,
    pub(super) folder: Folder,
    pub(super) job: Job,
    pub(super) redactor: Redactor,
    pub(super) record: Record,
    pub(super) endpoint: Endpoint,
    pub(super) server: Server,
    /// Held as long as somebody sees to the attempt.
    pub(super) _lock: File,
}

/// Runs the job to its end; what it leaves is in its folder.
pub(super) async fn run(inner: Arc<Inner>, job: Job) -> Result<Outcome, Failure> {
    let folder = Folder::new(job.folder.clone());
    let mut attempt = Attempt::begin(inner, folder, job).await?;
    let (kernel, identity) = match attempt.start().await {
        Ok(Some(started)) => started,
        Ok(None) => return attempt.give_up().await,
        Err(failure) => {
            attempt.remove().await;
            return Err(failure);
        }
    };
    tracing::debug!(kernel = %kernel.id, %identity, "a kernel has begun an attempt");
    attempt.see_through(kernel, false).await
}

impl Attempt {
    async fn begin(inner: Arc<Inner>, folder: Folder, job: Job) -> Result<Self, Failure> {
        let endpoint = inner.options.of(job.mode).clone();
        let server = inner.server(&endpoint)?;
        let redactor = Redactor::new(&job.secrets.values).map_err(|error| {
            Failure::new(
                FailureKind::Configuration,
                code::SECRET_INVALID,
                error.to_string(),
            )
        })?;
        let record = record(&inner, &endpoint, &folder, &job);
        let lock =
            write(&folder, &record, &job).map_err(|error| folder_failure(&folder, &error))?;
        Ok(Self {
            inner,
            folder,
            job,
            redactor,
            record,
            endpoint,
            server,
            _lock: lock,
        })
    }

    /// Starts a kernel and hands everything over; the code has not begun when this returns. None = somebody has cancelled.
    async fn start(&mut self) -> Result<Option<(Kernel, String)>, Failure> {
        if self.folder.is_to_cancel() {
            return Ok(None);
        }
        self.server
            .check_kernelspec(&self.endpoint.kernel_name)
            .await?;
        let mut started = self.kernel().await;
        if started.as_ref().is_err_and(may_pass) {
            self.remove().await;
            started = self.kernel().await;
        }
        let (mut kernel, hello) = started?;
        let identity = hello.get("identity").and_then(Value::as_str);
        let identity = identity.unwrap_or_default().to_owned();
        self.learn_packages(&mut kernel, &hello).await?;
        self.hand_over(&mut kernel).await?;
        if self.folder.is_to_cancel() {
            return Ok(None);
        }
        // From here on the code may have begun.
        self.record
            .start(&self.folder, self.job.mode == Mode::WriteAccess)
            .map_err(|error| folder_failure(&self.folder, &error))?;
        Ok(Some((kernel, identity)))
    }

    /// The attempt was cancelled before its code began.
    async fn give_up(self) -> Result<Outcome, Failure> {
        let outcome = stopped(Stop::Cancel, Some(&self.job), None);
        self.keep(&outcome)?;
        self.remove().await;
        Ok(outcome)
    }

    /// Lets the code run, or, when `began`, finds out about code that another engine has let run; to its outcome.
    pub(super) async fn see_through(
        self,
        mut kernel: Kernel,
        began: bool,
    ) -> Result<Outcome, Failure> {
        let limits = &self.job.limits;
        let kept = (limits.stdout_bytes_max, limits.stderr_bytes_max);
        let logs = Logs::new(&self.folder, kept, &self.redactor);
        let mut logs = logs.map_err(|error| folder_failure(&self.folder, &error))?;
        let (why, forced) = (Mutex::new(None), Arc::new(AtomicBool::new(false)));
        let stopper = Stopper {
            server: self.server.clone(),
            kernel: kernel.id.clone(),
            folder: self.folder.clone(),
            forced: Arc::clone(&forced),
        };
        let ended = tokio::select! {
            ended = self.talk(&mut kernel, &mut logs, began) => Some(ended),
            () = stopper.watch(&self.job, &why) => None,
        };
        let end = match ended {
            Some(Ok(end)) => end,
            Some(Err(failure)) if !forced.load(Ordering::SeqCst) => {
                if failure.code == code::KERNEL_DIED.as_str() || self.job.mode == Mode::ReadOnly {
                    self.remove().await;
                }
                return Err(failure);
            }
            Some(Err(_)) | None => return self.taken_away(asked(&why)).await,
        };
        let outcome = self.outcome(&mut kernel, end, (logs, asked(&why))).await?;
        self.keep(&outcome)?;
        let close = json!({"op": "close", "attempt": self.record.attempt});
        let _left_behind = kernel.ask(&close, Some(QUICK), &mut |_| {}).await;
        kernel.disconnect();
        self.remove().await;
        spawn_failed(outcome)
    }

    /// What the attempt left, brought here.
    async fn outcome(
        &self,
        kernel: &mut Kernel,
        end: End,
        (mut logs, stop): (Logs, Option<Stop>),
    ) -> Result<Outcome, Failure> {
        if end.tampered {
            if self.record.shared.is_some() {
                let renewed = self.folder.renew_inner();
                renewed.map_err(|error| folder_failure(&self.folder, &error))?;
            }
            return Ok(tampered(&self.folder, &self.redactor, &end, logs));
        }
        let target = (&self.folder, &self.record, &self.job);
        let brought = home::bring(kernel, target, &end, (&mut logs, &self.endpoint)).await;
        let too_large = brought.map_err(Fault::into_failure)?;
        let pair = (&self.job, &self.redactor);
        Ok(conclude(&self.folder, pair, end, (logs, stop, too_large)))
    }

    /// The kernel is gone, and the folder that it shared has everything.
    pub(super) async fn take_from_folder(
        self,
        mut kernel: Kernel,
        bytes_max: u64,
    ) -> Result<Outcome, Failure> {
        let unreadable = |error: io::Error| folder_failure(&self.folder, &error);
        let limits = &self.job.limits;
        let kept = (limits.stdout_bytes_max, limits.stderr_bytes_max);
        let mut logs = Logs::new(&self.folder, kept, &self.redactor).map_err(unreadable)?;
        let end = recover::end_in_folder(&self.folder, bytes_max).map_err(unreadable)?;
        let end = read_end(&end)?;
        let target = (&self.folder, &self.record, &self.job);
        home::bring(&mut kernel, target, &end, (&mut logs, &self.endpoint))
            .await
            .map_err(Fault::into_failure)?;
        let pair = (&self.job, &self.redactor);
        let outcome = conclude(&self.folder, pair, end, (logs, None, None));
        self.keep(&outcome)?;
        self.remove().await;
        spawn_failed(outcome)
    }

    /// The kernel did not obey and is gone; what it had collected went with it.
    async fn taken_away(self, stop: Option<Stop>) -> Result<Outcome, Failure> {
        let note = "the kernel did not answer to its interrupt and was removed: what the code left is lost";
        let stop = stop.unwrap_or(Stop::Timeout);
        let outcome = stopped(stop, Some(&self.job), Some(note));
        self.keep(&outcome)?;
        self.remove().await;
        Ok(outcome)
    }

    /// Asks the kernel to run the code and waits for its end, however often the connection breaks meanwhile.
    async fn talk(
        &self,
        kernel: &mut Kernel,
        logs: &mut Logs,
        began: bool,
    ) -> Result<End, Failure> {
        let run = self.order();
        let ask = json!({"op": "end", "attempt": self.record.attempt});
        let mut again = began;
        loop {
            let mut sink = |piece| logs.take(&piece);
            let order = if again { &ask } else { &run };
            let fault = match kernel.ask(order, None, &mut sink).await {
                Ok(answer) if again => match found(&answer)? {
                    Some(end) => return Ok(end),
                    // The request to run it never arrived, and nothing can have begun without it.
                    None => {
                        again = false;
                        continue;
                    }
                },
                Ok(answer) => return read_end(&answer),
                Err(fault) => fault,
            };
            match fault {
                Fault::Broken(failure) => {
                    tracing::info!(kernel = %kernel.id, %failure.message, "the connection to a kernel broke");
                    let until = Instant::now() + self.endpoint.patience;
                    kernel
                        .connect_until(until)
                        .await
                        .map_err(|fault| closed(fault.into_failure()))?;
                }
                Fault::Interrupted => {}
                Fault::Died(failure) => return Err(failure),
                Fault::Refused(message) => return Err(died(&message)),
            }
            again = true;
        }
    }

    fn order(&self) -> Value {
        let (job, limits) = (&self.job, &self.job.limits);
        json!({
            "op": "run",
            "attempt": self.record.attempt,
            "env": variables(job),
            "workflow_folder": job.source_folder,
            "secrets": job.secrets.values,
            "timeout_seconds": job.timeout.as_secs_f64(),
            "grace_seconds": limits.stop_grace.as_secs_f64(),
            "stdout_bytes_max": limits.stdout_bytes_max,
            "stderr_bytes_max": limits.stderr_bytes_max,
            "limits": {
                "open_files_max": limits.open_files_max,
                "artifact_bytes_max": limits.artifact_bytes_max,
                "memory_bytes": limits.memory_bytes,
                "cpu_seconds": limits.cpu_time.map(|time| time.as_secs().max(1)),
            },
        })
    }

    fn keep(&self, outcome: &Outcome) -> Result<(), Failure> {
        let kept = self
            .folder
            .write_outcome(outcome, self.job.mode == Mode::WriteAccess);
        kept.map_err(|error| folder_failure(&self.folder, &error))?;
        self.folder.show("outcome.json");
        self.folder.show("results.json");
        Ok(())
    }

    /// Removes the kernel. One that can't be removed now is removed by whoever comes next.
    pub(super) async fn remove(&self) {
        if let Some(id) = &self.record.kernel {
            let attempt = (&self.folder, self.record.mode);
            self.inner.remove(&self.server, id, attempt).await;
        }
    }
}

fn read_end(answer: &Value) -> Result<End, Failure> {
    End::deserialize(answer).map_err(|error| died(&format!("it answered nonsense: {error}")))
}

/// The end of the attempt; none when it never began.
fn found(answer: &Value) -> Result<Option<End>, Failure> {
    match answer.get("state").and_then(Value::as_str) {
        Some("ended") => read_end(answer.get("end").unwrap_or(&Value::Null)).map(Some),
        Some("waiting") => Ok(None),
        Some("cut") => Err(died("it was interrupted while it saw to the code")),
        Some(_) | None => Err(died("it knows nothing of the attempt")),
    }
}

/// A connection that could not be made again while code runs.
fn closed(failure: Failure) -> Failure {
    if failure.code == code::KERNEL_DIED.as_str() {
        return failure;
    }
    let mut closed = Failure::new(
        FailureKind::Infrastructure,
        code::WEBSOCKET_CLOSED,
        format!(
            "the connection to the kernel of the attempt broke and could not be made again: {}",
            failure.message
        ),
    );
    closed.cause = failure.cause;
    closed
}

/// Whether another kernel may do better. Servers choose ports before a kernel takes them, and somebody else may be
/// faster: such a kernel dies, or lives and is never heard.
fn may_pass(failure: &Failure) -> bool {
    [code::KERNEL_DIED, code::KERNEL_NOT_STARTED]
        .iter()
        .any(|code| failure.code == code.as_str())
}

/// A kernel that never said anything.
pub(super) fn slow(fault: Fault, server: &Server) -> Failure {
    match fault {
        Fault::Broken(failure)
            if [code::WEBSOCKET_CLOSED, code::REQUEST_TIMED_OUT]
                .iter()
                .any(|code| failure.code == code.as_str()) =>
        {
            let mut slow = not_started(&format!("{} gave no sign of it", server.shown()))
                .hint("the log of the Jupyter server says more; `execution.container.start_timeout` gives it more time");
            slow.cause = vec![failure.message];
            slow
        }
        Fault::Broken(_) | Fault::Died(_) | Fault::Interrupted | Fault::Refused(_) => {
            fault.into_failure()
        }
    }
}

pub(super) fn not_shared(message: &str) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        code::SHARED_FOLDER,
        format!("the kernel does not share the data folder: {message}"),
    )
    .hint("`execution.container.shared_folder` is the data folder as the kernel sees it")
}

pub(super) fn folder_failure(folder: &Folder, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::ATTEMPT_FOLDER,
        format!(
            "the folder {} can't be used: {error}",
            folder.root().display()
        ),
    )
}

/// An interpreter that could not be started ran nothing.
fn spawn_failed(outcome: Outcome) -> Result<Outcome, Failure> {
    use crate::executor::OutcomeStatus;
    match outcome.status {
        OutcomeStatus::Failed(failure) if failure.code == code::SPAWN_FAILED.as_str() => {
            Err(failure)
        }
        OutcomeStatus::Failed(_) | OutcomeStatus::Succeeded => Ok(outcome),
    }
}
