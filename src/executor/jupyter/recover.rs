//! Attempts whose engine went away: their kernels are found by what was recorded, asked, and removed.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::attempt::{Attempt, folder_failure};
use super::executor::Inner;
use super::kernel::{Fault, Kernel};
use super::record::Record;
use super::server::{KernelState, Server};
use crate::code;
use crate::executor::local::folder::{Folder, read_at_most};
use crate::executor::{Adoption, JobSecrets};
use crate::failure::{Failure, FailureKind};
use crate::redact::Redactor;

/// Between two looks at the lock of an attempt that somebody holds.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How long whoever holds an attempt may take to end it.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// How long a kernel may take beyond the grace of its code before it is removed.
const END_GRACE: Duration = Duration::from_millis(1_500);
/// Largest word of the end of an attempt in a shared folder, in bytes.
const END_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What became of the attempt; waits while it is seen to, or while its kernel works.
pub(super) async fn adopt(inner: Arc<Inner>, folder: Folder) -> Adoption {
    match look(&inner, &folder).await {
        Ok(adoption) => adoption,
        Err(failure) => lost(true, failure.message),
    }
}

fn lost(started: bool, evidence: impl Into<String>) -> Adoption {
    Adoption::Lost {
        started,
        evidence: evidence.into(),
    }
}

async fn hold(folder: &Folder) -> io::Result<File> {
    loop {
        if let Some(lock) = folder.try_lock()? {
            return Ok(lock);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

async fn look(inner: &Arc<Inner>, folder: &Folder) -> Result<Adoption, Failure> {
    let unreadable = |error: io::Error| folder_failure(folder, &error);
    let lock = hold(folder).await.map_err(unreadable)?;
    if let Some(outcome) = folder.outcome().map_err(unreadable)? {
        return Ok(Adoption::Finished(outcome));
    }
    let Some(record) = Record::read(folder).map_err(unreadable)? else {
        return Ok(lost(false, "the attempt was never given to a container"));
    };
    let mode = record.mode;
    let endpoint = inner.options.of(mode).clone();
    let server = inner.server_at(record.base.clone(), &endpoint)?;
    if !folder.has_started() {
        folder.put("abandoned", true).map_err(unreadable)?;
        remove_unstarted(inner, &server, (folder, &record)).await;
        return Ok(lost(false, "no kernel was ever asked to run the code"));
    }
    let Some(id) = record.kernel.clone() else {
        return Ok(lost(true, "its kernel was not recorded"));
    };
    let mut kernel = Kernel::new(server.clone(), id.clone(), record.session.clone());
    let (secrets, shared) = match knows(&mut kernel, &record, endpoint.patience).await {
        Ok(Known::Nothing) => {
            inner.remove(&server, &id, (folder, mode)).await;
            return Ok(lost(
                false,
                "the kernel had the code and was never asked to run it",
            ));
        }
        Ok(Known::Attempt(secrets)) => (secrets, false),
        Err(failure)
            if failure.code == code::KERNEL_DIED.as_str() && in_folder(folder, &record) =>
        {
            (JobSecrets::default(), true)
        }
        Err(failure) => {
            inner.remove(&server, &id, (folder, mode)).await;
            return Ok(lost(true, evidence(folder, &failure)));
        }
    };
    let order = folder.order().map_err(unreadable)?;
    let redactor = Redactor::new(&secrets.values).unwrap_or_default();
    let attempt = Attempt {
        inner: Arc::clone(inner),
        folder: folder.clone(),
        job: order.job,
        redactor,
        record,
        endpoint,
        server: server.clone(),
        _lock: lock,
    };
    let seen = if shared {
        attempt.take_from_folder(kernel, END_BYTES_MAX).await
    } else {
        attempt.see_through(kernel, true).await
    };
    Ok(match seen {
        Ok(outcome) => Adoption::Finished(outcome),
        Err(failure) => {
            inner.remove(&server, &id, (folder, mode)).await;
            lost(true, evidence(folder, &failure))
        }
    })
}

/// What a kernel knows of an attempt.
enum Known {
    /// It has it and was never asked to run it, and will not be.
    Nothing,
    /// It has run it; with the values that nobody may read.
    Attempt(JobSecrets),
}

/// Asks the kernel; the answer waits until the code has come to its end.
async fn knows(kernel: &mut Kernel, record: &Record, patience: Duration) -> Result<Known, Failure> {
    let order = json!({"op": "end", "attempt": record.attempt});
    let mut until = Instant::now() + patience;
    let answer = loop {
        kernel
            .connect_until(until)
            .await
            .map_err(Fault::into_failure)?;
        match kernel.ask(&order, None, &mut |_| {}).await {
            Ok(answer) => break answer,
            Err(Fault::Broken(failure)) if Instant::now() > until => return Err(failure),
            Err(Fault::Broken(_)) => until = Instant::now() + patience,
            Err(Fault::Interrupted) => {}
            Err(fault) => return Err(fault.into_failure()),
        }
    };
    match answer.get("state").and_then(Value::as_str) {
        Some("waiting") => Ok(Known::Nothing),
        Some("ended") => {
            let secrets = answer.get("secrets").cloned().unwrap_or_default();
            Ok(Known::Attempt(JobSecrets {
                values: serde_json::from_value(secrets).unwrap_or_default(),
                ..JobSecrets::default()
            }))
        }
        Some("cut") => Err(super::kernel::died(
            "it was interrupted while it saw to the code",
        )),
        Some(_) | None => Err(super::kernel::died("it knows nothing of the attempt")),
    }
}

/// Whether the end of the attempt lies in a folder that the kernel shares, and nothing in it needs a secret to be known.
fn in_folder(folder: &Folder, record: &Record) -> bool {
    record.shared.is_some() && !record.secrets && folder.has("end.json")
}

fn evidence(folder: &Folder, failure: &Failure) -> String {
    let size = |name: &str| folder.file(name).metadata().map_or(0, |file| file.len());
    format!(
        "the code may have begun; {}; stdout.log has {} bytes here, stderr.log {}; if the server comes back, the kernel may still run it",
        failure.message,
        size("stdout.log"),
        size("stderr.log"),
    )
}

/// Removes the kernel of an attempt that never began, also one of which only the name is known.
async fn remove_unstarted(inner: &Inner, server: &Server, (folder, record): (&Folder, &Record)) {
    let attempt = (folder, record.mode);
    if let Some(id) = &record.kernel {
        inner.remove(server, id, attempt).await;
        return;
    }
    if let Ok(Some(sessions)) = server.sessions().await {
        for (_, id) in sessions.iter().filter(|(path, _)| *path == record.path) {
            inner.remove(server, id, attempt).await;
        }
    }
}

/// Ends the attempt. When it returns well, its kernel is gone and none will start.
pub(super) async fn kill(inner: &Inner, folder: &Folder) -> Result<(), Failure> {
    if !folder.root().exists() {
        return Ok(());
    }
    stop(inner, folder).await.map_err(|failure| Failure {
        code: code::KILL_FAILED.as_str().to_owned(),
        message: format!(
            "the attempt in {} could not be stopped: {}",
            folder.root().display(),
            failure.message
        ),
        ..failure
    })
}

async fn stop(inner: &Inner, folder: &Folder) -> Result<(), Failure> {
    let unreadable = |error: io::Error| folder_failure(folder, &error);
    // Without the sign nobody who attends to the kernel listens; then it is ended below.
    let _unsigned = folder.ask_to_cancel();
    let grace = folder.stop_grace();
    let until = Instant::now() + grace + STOP_GRACE;
    let mut lock = folder.try_lock().map_err(unreadable)?;
    while lock.is_none() && Instant::now() < until {
        tokio::time::sleep(LOOK_PAUSE).await;
        lock = folder.try_lock().map_err(unreadable)?;
    }
    let Some(record) = Record::read(folder).map_err(unreadable)? else {
        return Ok(());
    };
    let endpoint = inner.options.of(record.mode);
    let server = inner.server_at(record.base.clone(), endpoint)?;
    let Some(id) = &record.kernel else {
        remove_unstarted(inner, &server, (folder, &record)).await;
        return Ok(());
    };
    if server.kernel(id).await? == KernelState::Gone {
        inner.remove(&server, id, (folder, record.mode)).await;
        return Ok(());
    }
    // The code first gets the time to leave its `finally` blocks, and its helpers are ended with it.
    server.interrupt(id).await?;
    let mut kernel = Kernel::new(server.clone(), id.clone(), record.session.clone());
    let order = json!({"op": "end", "attempt": record.attempt});
    let _ended = kernel
        .ask(&order, Some(grace.saturating_add(END_GRACE)), &mut |_| {})
        .await;
    kernel.disconnect();
    server.delete(id).await?;
    inner.remove(&server, id, (folder, record.mode)).await;
    match server.kernel(id).await? {
        KernelState::Gone => Ok(()),
        KernelState::Alive => Err(Failure::new(
            FailureKind::Infrastructure,
            code::KILL_FAILED,
            "the server still has the kernel",
        )),
    }
}

/// The end of an attempt as the kernel left it in the folder that it shares.
pub(super) fn end_in_folder(folder: &Folder, bytes_max: u64) -> io::Result<Value> {
    let text = read_at_most(&folder.internal("end.json"), bytes_max)?;
    Ok(serde_json::from_slice(&text)?)
}
