//! Attempts whose engine or supervisor went away: taking over their outcome, and ending what is left of them.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::control;
use super::folder::Folder;
use super::tree;
use crate::code;
use crate::executor::Adoption;
use crate::failure::{Failure, FailureKind};

/// Between two looks at the lock of a supervisor that another engine started.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How long a supervisor may take to end its attempt; then it is ended itself.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// How long killed processes may take to go.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// What became of the attempt; waits while its supervisor lives.
pub(super) async fn adopt(folder: &Folder) -> Adoption {
    match look(folder).await {
        Ok(adoption) => adoption,
        Err(error) => Adoption::Lost {
            // What can't be read may have run.
            started: true,
            evidence: format!("the folder of the attempt can't be read: {error}"),
        },
    }
}

async fn look(folder: &Folder) -> io::Result<Adoption> {
    if !folder.file("job.json").exists() && !folder.has_started() {
        return Ok(Adoption::Lost {
            started: false,
            evidence: "the attempt has no job.json: it was never handed over".to_owned(),
        });
    }
    let lock = loop {
        if let Some(lock) = folder.try_lock()? {
            break lock;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    };
    // Not before: while the code runs, what lies there may be of its own making.
    if let Some(outcome) = folder.outcome()? {
        return Ok(Adoption::Finished(outcome));
    }
    if !folder.has_started() {
        // A supervisor that is only now getting up finds this under the same lock, and goes.
        folder.put("abandoned", true)?;
        drop(lock);
        return Ok(Adoption::Lost {
            started: false,
            evidence: "no supervisor ever took the attempt, and none will".to_owned(),
        });
    }
    let stopped = end_marked(folder).await?;
    drop(lock);
    let size = |name: &str| folder.file(name).metadata().map_or(0, |file| file.len());
    let reached = if folder.has("begun") {
        "had begun"
    } else {
        "may have begun"
    };
    Ok(Adoption::Lost {
        started: true,
        evidence: format!(
            "the supervisor ended without an outcome; the code {reached}; stdout.log has {} bytes, \
             stderr.log {}; {stopped} processes of the attempt were still alive and were stopped",
            size("stdout.log"),
            size("stderr.log"),
        ),
    })
}

/// Ends the attempt. When it returns, no process of it is alive and none will start.
pub(super) async fn kill(folder: &Folder) -> Result<(), Failure> {
    if !folder.root().exists() {
        return Ok(());
    }
    stop(folder).await.map_err(|error| {
        Failure::new(
            FailureKind::Infrastructure,
            code::KILL_FAILED,
            format!(
                "the attempt in {} could not be stopped: {error}",
                folder.root().display()
            ),
        )
    })
}

async fn stop(folder: &Folder) -> io::Result<()> {
    // Without the sign the supervisor does not listen; then everything of the attempt is ended below.
    let _unsigned = folder.ask_to_cancel();
    control::ask(folder);
    let until = Instant::now() + folder.stop_grace() + STOP_GRACE;
    let mut lock = folder.try_lock()?;
    while lock.is_none() && Instant::now() < until {
        tokio::time::sleep(LOOK_PAUSE).await;
        lock = folder.try_lock()?;
    }
    // With the lock in hand there is no supervisor; without it there is one that doesn't answer, and it has the mark too.
    end_marked(folder).await?;
    Ok(())
}

/// Kills every process with the mark of the attempt and those below, until none is left. Returns how many there were.
async fn end_marked(folder: &Folder) -> io::Result<usize> {
    let line = format!("STEPWELL_MARK={}", folder.mark());
    let until = Instant::now() + KILL_GRACE;
    let supervisor = folder.supervisor_name();
    let mut left = tree::of_attempt(&line, &supervisor);
    let count = left.len();
    while !left.is_empty() {
        if Instant::now() > until {
            let numbers: Vec<String> = left.iter().map(ToString::to_string).collect();
            return Err(io::Error::other(format!(
                "still alive after SIGKILL: {}",
                numbers.join(", ")
            )));
        }
        tree::signal_all(&left, Signal::SIGKILL);
        tokio::time::sleep(Duration::from_millis(5)).await;
        left = tree::of_attempt(&line, &supervisor);
    }
    Ok(count)
}
