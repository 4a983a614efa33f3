//! Removing files whose time is over. First the event that says so, then the files: after a crash in between the
//! next one goes on. Histories stay.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use super::history::History;
use super::{Engine, Error, RunFolder, ends_run, folder, notebook};
use crate::artifact::{DiskError, GRACE, Swept};
use crate::id::{Digest, RunId, StepPath};
use crate::plan::Plan;
use crate::run::payload::{FilesRemoved, MapItemClosed, ResultRecorded, StepReady, StepSucceeded};
use crate::run::{Actor, Command, Event, Overdue, Record, RunState, overdue};
use crate::store;
use crate::time::Timestamp;

/// Records read at a time.
const READ_RECORDS: usize = 4_096;
/// Text of a digest: what stands between its prefix and its end.
const HEX_CHARS: usize = 64;

/// What is to be removed.
#[derive(Debug, Clone)]
pub struct Pruning {
    /// How long files are kept where the workflow says nothing; none = for ever.
    pub usual: Option<Duration>,
    /// Only say what would be removed.
    pub dry: bool,
    /// Who wants it.
    pub actor: Actor,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default)]
pub struct Pruned {
    /// The runs and what of them.
    pub runs: Vec<(RunId, Overdue)>,
    /// Runs that somebody works on just now.
    pub busy: Vec<RunId>,
    /// Stored files that nothing refers to.
    pub blobs: Swept,
}

impl Engine {
    /// Removes the files of ended runs whose time is over, and the stored files that nothing refers to any more.
    /// Those of a run are let go a day after the run's own files: whoever forks it or takes a result of it just then
    /// still finds them, and refers to them.
    ///
    /// # Errors
    /// A history can't be read: then no stored file is removed, since it may be one that it refers to. Or the disk
    /// refused.
    pub async fn prune(&self, pruning: &Pruning) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        for run in self.every_row(&[]).await?.iter().map(|row| row.run) {
            match self.prune_run(run, pruning).await {
                Ok(Some(overdue)) => pruned.runs.push((run, overdue)),
                Ok(None) => {}
                Err(Error::Store(store::Error::Driven { .. })) => pruned.busy.push(run),
                Err(error) => return Err(error),
            }
        }
        let mut marks = Marks::default();
        for row in self.every_row(&[]).await? {
            self.mark(row.run, &mut marks).await?;
        }
        let kept = marks.kept;
        let (blobs, dry) = (Arc::clone(&self.shared.ports.blobs), pruning.dry);
        let swept = tokio::task::spawn_blocking(move || blobs.remove_all_but(&kept, dry)).await;
        pruned.blobs = swept
            .map_err(|error| broken_off(&error))?
            .map_err(Error::Blob)?;
        Ok(pruned)
    }

    async fn prune_run(&self, run: RunId, pruning: &Pruning) -> Result<Option<Overdue>, Error> {
        let state = self.state(run).await?;
        let now = self.shared.ports.clock.now();
        let due = overdue(&state, pruning.usual, now);
        if pruning.dry || (due.is_none() && !self.has_leftovers(&state)) {
            return Ok(due);
        }
        // Held until the files are gone, so that nobody takes the run up again meanwhile.
        let _lease = self.shared.ports.store.lease(run).await?;
        let mut history = History::load(Arc::clone(&self.shared), run).await?;
        let due = overdue(history.state(), pruning.usual, now);
        if let Some(due) = &due {
            let removed = FilesRemoved {
                steps: if due.whole {
                    Vec::new()
                } else {
                    due.steps.clone()
                },
                by: pruning.actor.to_string(),
                why: due.why.clone(),
            };
            let command = Command::RemoveFiles(removed);
            history.submit(command, pruning.actor.clone()).await?;
        }
        let state = history.into_state();
        self.remove_folders(&state).await?;
        if state.files_removed.is_none() && due.is_some() {
            notebook::write_run(&self.shared, &state).await;
        }
        Ok(due)
    }

    /// Folders that an event says are removed.
    fn removed_folders(&self, state: &RunState) -> Vec<PathBuf> {
        let home = RunFolder::new(&self.shared.options.data, &state.created.folder).path();
        if state.ending.is_none() {
            return Vec::new();
        }
        if state.files_removed.is_some() {
            return vec![home];
        }
        let gone = state
            .steps()
            .filter(|(_, step)| step.files_removed.is_some());
        let paths = gone.flat_map(|(step, _)| state.paths_of(&step.path));
        let paths: HashSet<_> = paths.collect();
        let folders = paths.iter().map(|path| home.join(folder::step_name(path)));
        folders.collect()
    }

    fn has_leftovers(&self, state: &RunState) -> bool {
        let folders = self.removed_folders(state);
        folders.iter().any(|folder| folder.exists())
    }

    async fn remove_folders(&self, state: &RunState) -> Result<(), Error> {
        let folders = self.removed_folders(state);
        let removed = tokio::task::spawn_blocking(move || {
            for folder in folders {
                match fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(DiskError::new("remove", &folder, error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            Ok(())
        });
        let removed = removed.await.map_err(|error| broken_off(&error))?;
        removed.map_err(|error| Error::Blob(error.into()))
    }

    /// Marks every stored file that the run refers to: each text in its events that reads like a digest. What only
    /// events of files name that were removed long enough ago is not marked.
    async fn mark(&self, run: RunId, marks: &mut Marks) -> Result<(), Error> {
        let state = self.state(run).await?;
        let gone = Gone::of(&state, self.shared.ports.clock.now());
        let mut next = 1;
        loop {
            let records = self.records(run, next, READ_RECORDS).await?;
            for record in &records {
                // A long body is itself a stored file.
                marks.kept.insert(Digest::of(&record.content.body));
                if !gone.covers(record) {
                    marks.text(&record.content.body);
                }
            }
            match records.last() {
                Some(last) => next = last.seq + 1,
                None => break,
            }
        }
        let later = state.versions.iter().map(|version| version.to);
        self.mark_plans(later.chain([state.created.plan]).collect(), marks)
            .await
    }

    /// Marks what plans refer to, and what the plans of the workflows refer to that they run: such a run may be yet to
    /// be started.
    async fn mark_plans(&self, mut plans: Vec<Digest>, marks: &mut Marks) -> Result<(), Error> {
        while let Some(digest) = plans.pop() {
            marks.kept.insert(digest);
            if !marks.plans.insert(digest) {
                continue;
            }
            let bytes = self.blob(digest).await?;
            marks.text(&bytes);
            plans.extend(Plan::from_bytes(&bytes)?.inner_plans());
        }
        Ok(())
    }
}

/// Stored files that are referred to.
#[derive(Default)]
struct Marks {
    kept: HashSet<Digest>,
    /// Plans that were looked into: runs share them.
    plans: HashSet<Digest>,
}

impl Marks {
    /// Adds everything that reads like a digest.
    fn text(&mut self, text: &[u8]) {
        let pieces = text.split(|byte| !byte.is_ascii_hexdigit());
        for piece in pieces.filter(|piece| piece.len() == HEX_CHARS) {
            let hex = String::from_utf8_lossy(piece);
            if let Ok(digest) = format!("sha256:{hex}").parse() {
                self.kept.insert(digest);
            }
        }
    }
}

fn broken_off(error: &JoinError) -> Error {
    Error::Internal(format!("the removal broke off: {error}"))
}

/// What is removed of a run.
struct Gone {
    whole: bool,
    steps: HashSet<StepPath>,
}

impl Gone {
    fn of(state: &RunState, now: Timestamp) -> Self {
        let long_ago = |at: Option<Timestamp>| at.is_some_and(|at| at.plus(GRACE) <= now);
        let steps = state.steps();
        let gone = steps.filter(|(_, step)| long_ago(step.files_removed));
        let paths = gone.flat_map(|(step, _)| state.paths_of(&step.path));
        Self {
            whole: long_ago(state.files_removed),
            steps: paths.collect(),
        }
    }

    /// Whether the record only tells of files that are removed. What can't be read tells of more.
    fn covers(&self, record: &Record) -> bool {
        if self.steps.is_empty() && !self.whole {
            return false;
        }
        let Ok(event) = Event::from_record(record) else {
            return false;
        };
        let step = if let Event::StepReady(StepReady { step, .. })
        | Event::StepSucceeded(StepSucceeded { step, .. })
        | Event::ResultRecorded(ResultRecorded { step, .. })
        | Event::MapItemClosed(MapItemClosed { step, .. }) = &event
        {
            step
        } else if let Event::StepReused(reused) = &event {
            &reused.step
        } else if let Event::StepCopied(copied) = &event {
            &copied.step
        } else {
            // The ends of a run repeat what its steps left.
            return self.whole && (ends_run(&event) || matches!(event, Event::RunDecided(_)));
        };
        self.steps.contains(step)
    }
}
