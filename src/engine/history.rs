//! One run's history and its fold, kept in step: the only place that appends.

use std::path::Path;
use std::sync::Arc;

use super::commit::Batch;
use super::{Error, Shared, generate, secrets};
use crate::id::{Digest, RunId};
use crate::plan::Plan;
use crate::redact::Redactor;
use crate::run::payload::{AttemptStarted, CacheBypassed, PlanMigrated, RunCreated, StepCopied};
use crate::run::{
    self, Actor, Command, Effect, Event, Moment, Recorded, RunState, Seq, advance, decide, effects,
};
use crate::store::{Append, AppendError};

/// Rounds of bookkeeping that share one durable write.
const ROUNDS_PER_COMMIT: usize = 2;
/// How often a command is decided anew because somebody else appended first; each time means that they got on.
const CONFLICTS_MAX: usize = 1_000;
/// Records read at a time.
const READ_RECORDS: usize = 4_096;

/// A run's history with the state that it folds to.
#[derive(Debug)]
pub(super) struct History {
    shared: Arc<Shared>,
    state: Arc<RunState>,
    /// The last event that is known to be durable, and was told to listeners.
    durable: Seq,
    /// What no event may hold.
    secrets: Redactor,
}

/// A command that was decided and folded, and is not durable.
struct Decided {
    batch: Batch,
    /// The last event before it.
    expected: Seq,
    /// How many events it means itself, with the attempt that was begun.
    own: usize,
    begun: bool,
}

impl History {
    /// Appends the first event of a new run.
    pub(super) async fn create(
        shared: Arc<Shared>,
        run: RunId,
        plan: Arc<Plan>,
        (created, actor): (RunCreated, Actor),
        (copies, bypass): (Vec<StepCopied>, CacheBypassed),
    ) -> Result<Self, Error> {
        let moment = shared.moment();
        let folder = created.workflow_folder.as_deref().map(Path::new);
        let secrets = secrets::redactor(&shared, &plan, folder).await;
        let created = secrets::without(&secrets, Event::RunCreated(created))?;
        let first = recorded(&shared, 1, created, moment, &actor);
        let state = RunState::begin(run, plan, &first)?;
        let mut history = Self {
            shared,
            state: Arc::new(state),
            durable: 0,
            secrets,
        };
        let mut batch = Batch::of_command(1);
        batch.push(first)?;
        if !bypass.is_empty() {
            let bypass = vec![Event::CacheBypassed(bypass)];
            history.fold(&mut batch, bypass, moment, &actor)?;
        }
        let copies = copies.into_iter().map(Box::new).map(Event::StepCopied);
        let copies = copies.collect();
        history.fold(&mut batch, copies, moment, &Actor::Engine)?;
        history.append(batch, 0).await?;
        Ok(history)
    }

    /// Reads and folds a run.
    pub(super) async fn load(shared: Arc<Shared>, run: RunId) -> Result<Self, Error> {
        let state = replay(&shared, run, Seq::MAX).await?;
        let folder = state.created.workflow_folder.as_deref().map(Path::new);
        let secrets = secrets::redactor(&shared, &state.plan, folder).await;
        Ok(Self {
            shared,
            durable: state.seq,
            state: Arc::new(state),
            secrets,
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn state(&self) -> &Arc<RunState> {
        &self.state
    }

    pub(super) fn into_state(self) -> RunState {
        Arc::unwrap_or_clone(self.state)
    }

    /// Decides a command; when it returns without an error, the events are durable. When somebody else appended
    /// first, it is decided anew from what stands there now.
    pub(super) async fn submit(&mut self, command: Command, actor: Actor) -> Result<(), Error> {
        self.submit_with(command, None, actor).await.map(|_| ())
    }

    /// The same, with the attempt that is owed next when the command is taken: where nothing follows by itself in
    /// between, both become durable in one write. Gives whether the attempt was begun.
    pub(super) async fn submit_with(
        &mut self,
        command: Command,
        next: Option<&AttemptStarted>,
        actor: Actor,
    ) -> Result<bool, Error> {
        for _ in 0..CONFLICTS_MAX {
            match self.submit_once(command.clone(), next, &actor).await {
                Err(Error::Append(AppendError::Conflict { .. })) => self.reload().await?,
                other => return other,
            }
        }
        self.submit_once(command, next, &actor).await
    }

    /// The same as [`History::submit`]. `look` sees the state that follows while it becomes durable; what it gives comes
    /// back when that state is the one that stands there since.
    pub(super) async fn submit_and_look<T>(
        &mut self,
        command: Command,
        actor: Actor,
        look: impl FnOnce(&Arc<RunState>) -> T,
    ) -> Result<Option<T>, Error> {
        let Some(decided) = self.decided(command.clone(), None, &actor).await? else {
            return Ok(None);
        };
        let seen = look(&self.state);
        match self.commit(decided).await {
            Ok(stands) => Ok(stands.then_some(seen)),
            Err(Error::Append(AppendError::Conflict { .. })) => {
                drop(seen);
                self.reload().await?;
                self.submit(command, actor).await.map(|()| None)
            }
            Err(error) => Err(error),
        }
    }

    async fn submit_once(
        &mut self,
        command: Command,
        next: Option<&AttemptStarted>,
        actor: &Actor,
    ) -> Result<bool, Error> {
        let Some(decided) = self.decided(command, next, actor).await? else {
            return Ok(false);
        };
        let begun = decided.begun;
        self.commit(decided).await.map(|_| begun)
    }

    /// Decides the command and folds what follows, to be made durable. None = nothing follows.
    async fn decided(
        &mut self,
        command: Command,
        next: Option<&AttemptStarted>,
        actor: &Actor,
    ) -> Result<Option<Decided>, Error> {
        if matches!(command, Command::Vote(_) | Command::Edit(_)) {
            // What is due by the clock goes before an answer that comes now: an answer that comes too late
            // is late whether or not somebody was up when the time was over.
            self.advance().await?;
        }
        let moment = self.shared.moment();
        let mut events = decide(&self.state, command)?;
        if events.is_empty() {
            return Ok(None);
        }
        let expected = self.state.seq;
        let mut own = events.len();
        let mut batch = Batch::of_command(own);
        self.fold(&mut batch, events, moment, actor)?;
        events = next.map_or_else(Vec::new, |next| self.begun_next(next, moment));
        let begun = !events.is_empty();
        own += events.len();
        batch.keep_whole(own);
        self.fold(&mut batch, events, moment, actor)?;
        self.rounds(&mut batch, moment)?;
        Ok(Some(Decided {
            batch,
            expected,
            own,
            begun,
        }))
    }

    /// Makes durable what was decided. False = what a command means is durable, and something else than was folded
    /// follows it.
    async fn commit(&mut self, decided: Decided) -> Result<bool, Error> {
        let own_last = decided.expected.saturating_add(decided.own as u64);
        match self.append(decided.batch, decided.expected).await {
            // To decide it anew would do it twice. What was to follow in later commits is derived from what stands there
            // now.
            Err(Error::Append(AppendError::Conflict { .. })) if self.durable >= own_last => {
                self.reload().await.map(|()| false)
            }
            other => other.map(|()| true),
        }
    }

    /// The beginning of that attempt, when it is what is owed now and nothing follows by itself before it.
    fn begun_next(&self, next: &AttemptStarted, moment: Moment) -> Vec<Event> {
        let owed = Effect::Execute {
            step: next.step.clone(),
            attempt: next.attempt,
        };
        let follows = !advance(&self.state, moment).is_empty();
        if follows || !effects(&self.state, moment.now).contains(&owed) {
            return Vec::new();
        }
        decide(&self.state, Command::BeginAttempt(next.clone())).unwrap_or_default()
    }

    /// Goes on with another plan, which is durable already.
    pub(super) async fn migrate(
        &mut self,
        migrated: PlanMigrated,
        plan: Arc<Plan>,
        actor: Actor,
    ) -> Result<(), Error> {
        let moment = self.shared.moment();
        let events = decide(&self.state, Command::Migrate(migrated))?;
        let expected = self.state.seq;
        let state = Arc::make_mut(&mut self.state);
        let mut batch = Batch::of_command(events.len());
        for event in events {
            let next = recorded(&self.shared, state.seq + 1, event, moment, &actor);
            state.migrate(&next, Arc::clone(&plan))?;
            batch.push(next)?;
        }
        self.append(batch, expected).await
    }

    /// Appends bookkeeping until nothing follows any more.
    pub(super) async fn advance(&mut self) -> Result<(), Error> {
        loop {
            let expected = self.state.seq;
            let moment = self.shared.moment();
            let mut batch = Batch::of_command(0);
            self.rounds(&mut batch, moment)?;
            if batch.is_empty() {
                return Ok(());
            }
            match self.append(batch, expected).await {
                Err(Error::Append(AppendError::Conflict { .. })) => self.reload().await?,
                other => other?,
            }
        }
    }

    /// Takes in what others have appended. What is here must be durable.
    pub(super) async fn refresh(&mut self) -> Result<(), Error> {
        loop {
            let (shared, run) = (&self.shared, self.state.run);
            let records = shared
                .ports
                .store
                .read(run, self.durable + 1, READ_RECORDS)
                .await?;
            let state = Arc::make_mut(&mut self.state);
            for record in &records {
                let recorded = Recorded::from_record(record)?;
                fold(shared, state, &recorded).await?;
                self.durable = recorded.seq;
                shared.tell_event(run, &recorded);
            }
            if records.len() < READ_RECORDS {
                return Ok(());
            }
        }
    }

    /// Reads the run anew, since the state is ahead of the log: what was to be appended was not.
    async fn reload(&mut self) -> Result<(), Error> {
        let run = self.state.run;
        self.state = Arc::new(replay(&self.shared, run, self.durable).await?);
        self.refresh().await
    }

    /// The bookkeeping of one commit: a step's end and the next one's start share it.
    fn rounds(&mut self, batch: &mut Batch, moment: Moment) -> Result<(), Error> {
        for _ in 0..ROUNDS_PER_COMMIT {
            let events = advance(&self.state, moment);
            self.fold(batch, events, moment, &Actor::Engine)?;
        }
        Ok(())
    }

    /// The state as it would be after these events and what follows from them; nothing is written.
    pub(super) fn preview(&self, events: Vec<Event>) -> Result<RunState, Error> {
        let mut state = RunState::clone(&self.state);
        let moment = self.shared.moment();
        for event in events {
            let next = recorded(&self.shared, state.seq + 1, event, moment, &Actor::Engine);
            state.apply(&next)?;
        }
        Ok(state)
    }

    /// Folds events before they are written: what can't follow is never appended. After an error of the
    /// append the state is ahead of the log, so this history is read again or given up.
    /// Every event goes through here, and loses the secrets that somebody's code or a person put into it.
    fn fold(
        &mut self,
        batch: &mut Batch,
        events: Vec<Event>,
        moment: Moment,
        actor: &Actor,
    ) -> Result<(), Error> {
        let state = Arc::make_mut(&mut self.state);
        for event in events {
            let event = secrets::without(&self.secrets, event)?;
            let next = recorded(&self.shared, state.seq + 1, event, moment, actor);
            if batch.is_full() {
                batch.cut(run::summary(state));
            }
            let (next, record) = batch.fit(next)?;
            batch
                .withdrawn
                .extend(generate::withdrawn_by(state, &next.event));
            state.apply(&next)?;
            batch.add(next, record);
        }
        Ok(())
    }

    /// Appends in commits that a store takes. A history is whole at every event, so a batch may be cut anywhere but
    /// in what a command itself means.
    async fn append(&mut self, mut batch: Batch, expected: Seq) -> Result<(), Error> {
        let run = self.state.run;
        batch.cut(run::summary(&self.state));
        for code in &batch.withdrawn {
            generate::withdraw(&self.shared, *code).await?;
        }
        let mut expected = expected;
        let mut other_writer = false;
        for commit in batch.commits {
            let append = Append {
                run,
                expected,
                records: commit.records,
                summary: commit.row,
            };
            let appended = self.shared.ports.store.append(append).await?;
            for recorded in &commit.events {
                tracing::debug!(%run, seq = recorded.seq, event = recorded.event.name(), "appended");
                self.shared.tell_event(run, recorded);
            }
            self.durable = appended.last;
            if commit.events.iter().any(|event| lets_go(&event.event)) {
                self.shared.queue.release();
            }
            let writer = appended.records.first().map(|record| record.epoch);
            other_writer |= writer != commit.events.first().map(|folded| folded.epoch);
            expected = appended.last;
        }
        if other_writer {
            // The store changed hands on the way: the records carry another writer than was folded.
            self.state = Arc::new(replay(&self.shared, run, self.durable).await?);
        }
        Ok(())
    }
}

fn recorded(shared: &Shared, seq: Seq, event: Event, moment: Moment, actor: &Actor) -> Recorded {
    let epoch = shared.ports.store.epoch();
    Recorded {
        seq,
        time: moment.now,
        epoch,
        actor: actor.clone(),
        event,
    }
}

/// Reads a run up to event `last` and folds each event as it comes, so that no more than a page of them is held.
pub(super) async fn replay(shared: &Shared, run: RunId, last: Seq) -> Result<RunState, Error> {
    let mut state: Option<RunState> = None;
    loop {
        let known = state.as_ref().map_or(0, |state| state.seq);
        let left = usize::try_from(last.saturating_sub(known)).unwrap_or(usize::MAX);
        let limit = left.min(READ_RECORDS);
        if limit == 0 {
            break;
        }
        let records = shared.ports.store.read(run, known + 1, limit).await?;
        for record in &records {
            let recorded = Recorded::from_record(record)?;
            match &mut state {
                Some(state) => fold(shared, state, &recorded).await?,
                None => state = Some(begin(shared, run, &recorded).await?),
            }
        }
        if records.len() < limit {
            break;
        }
    }
    state.ok_or(Error::NoRun(run))
}

/// Folds one event that is durable. A change of the plan needs the new plan at hand.
async fn fold(shared: &Shared, state: &mut RunState, recorded: &Recorded) -> Result<(), Error> {
    if let Event::PlanMigrated(migrated) = &recorded.event {
        let plan = plan_of(shared, migrated.to).await?;
        state.migrate(recorded, plan)?;
    } else {
        state.apply(recorded)?;
    }
    Ok(())
}

async fn begin(shared: &Shared, run: RunId, first: &Recorded) -> Result<RunState, Error> {
    let Event::RunCreated(created) = &first.event else {
        return Err(Error::NoRun(run));
    };
    let plan = plan_of(shared, created.plan).await?;
    Ok(RunState::begin(run, plan, first)?)
}

/// The plan with that digest, shared by the runs at hand.
pub(super) async fn plan_of(shared: &Shared, digest: Digest) -> Result<Arc<Plan>, Error> {
    if let Some(plan) = shared.plans.get(digest) {
        return Ok(plan);
    }
    let bytes = shared.ports.get_blob(digest).await?;
    let plan = Arc::new(Plan::from_bytes(&bytes)?);
    shared.plans.share(digest, &plan);
    Ok(plan)
}

/// Whether somebody who waits for a place may find one after this event.
fn lets_go(event: &Event) -> bool {
    matches!(
        event,
        Event::SlotsReleased(_)
            | Event::StepSucceeded(_)
            | Event::StepFailed(_)
            | Event::StepRejected(_)
            | Event::StepCancelled(_)
            | Event::StepsRewound(_)
    ) || super::ends_run(event)
}
