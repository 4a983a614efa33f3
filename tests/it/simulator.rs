//! A run without an engine: the pure machine, driven by hand in a world that a test describes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::approval::{Bounds, Changed, Covered, Decision, Modules, Rules, Verdict};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{Digest, RunId, StepPath};
use stepwell::plan::{Field, FieldType, Items, Mode, Plan, Step, StepKind};
use stepwell::python::analysis::{RuleSet, analyze};
use stepwell::python::outcome::Isolation;
use stepwell::run::payload::{
    AnalysisReported, Answer, AttemptStarted, CacheMissed, ChildRunClosed, ChildRunStarted,
    ChildRunWaiting, CodeEdited, CodeGenerated, EffectClass, Feedback, Miss, NotificationSent,
    Parts, Phase, PlanMigrated, ResultRecorded, RunCreated, StepReused, Trigger, Usage, Values,
};
use stepwell::run::{
    Actor, ApprovalState, Command, Effect, Event, Moment, Recorded, Refusal, RunState, RunStatus,
    Vote, advance, decide, effects, set_aside,
};
use stepwell::time::Timestamp;

/// How an attempt ends.
#[derive(Debug, Clone)]
pub(crate) enum Ends {
    /// Well, with these results.
    With(Value),
    /// With a failure of its code or surroundings.
    Failing(Failure),
}

/// What becomes of an attempt that was under way at a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// It finished while nobody watched.
    Finished,
    /// It left nothing, and its code may have begun.
    LostStarted,
    /// Its code never began.
    LostBefore,
}

type Python = dyn Fn(&Step, u32) -> Ends;
type Breaks = dyn Fn(&StepPath) -> bool;
type Voter = dyn Fn(&ApprovalState) -> Option<(Answer, Values)>;

/// The world outside the machine.
pub(crate) struct World {
    python: Box<Python>,
    voter: Box<Voter>,
    pub(crate) verdict: fn(&Step) -> Verdict,
    /// Whether people may approve what they started or changed.
    pub(crate) allow_self: bool,
    pub(crate) adopted: Adopted,
    /// Steps that fail by the address of the step, items included.
    pub(crate) item_fails: Option<Box<Breaks>>,
    /// How often the code of each step really ran.
    pub(crate) ledger: BTreeMap<StepPath, u32>,
    /// How often each step was analysed.
    pub(crate) analysed: u32,
    /// Whether the limits on what silent people do do not pass.
    pub(crate) stands_still: bool,
    /// Results that the cache has, by the step that may take them.
    pub(crate) kept: BTreeMap<StepPath, StepReused>,
}

impl World {
    pub(crate) fn new(python: impl Fn(&Step, u32) -> Ends + 'static) -> Self {
        Self {
            python: Box::new(python),
            voter: Box::new(|asked| Some((Answer::Approve, sample_form(asked)))),
            verdict: |step| match &step.kind {
                StepKind::Python(python) if python.mode == Mode::WriteAccess => Verdict::Ask,
                _ => Verdict::Pass,
            },
            allow_self: true,
            adopted: Adopted::LostStarted,
            item_fails: None,
            ledger: BTreeMap::new(),
            analysed: 0,
            stands_still: false,
            kept: BTreeMap::new(),
        }
    }

    /// Every step succeeds with results that fit its declared outputs.
    pub(crate) fn sampling(seed: u64) -> Self {
        Self::new(move |step, _| Ends::With(sample_results(step, seed)))
    }

    pub(crate) fn voting(
        mut self,
        voter: impl Fn(&ApprovalState) -> Option<(Answer, Values)> + 'static,
    ) -> Self {
        self.voter = Box::new(voter);
        self
    }
}

/// One run: its plan and its history.
pub(crate) struct Simulation {
    pub(crate) plan: Arc<Plan>,
    pub(crate) history: Vec<Recorded>,
    pub(crate) state: RunState,
    /// The plans that the run went on with later.
    pub(crate) later: Vec<Arc<Plan>>,
    clock: i64,
    /// The writer of what comes next.
    pub(crate) epoch: u64,
}

/// Folds a history whose plan may change on the way.
pub(crate) fn replayed(
    run: RunId,
    (plan, later): (&Arc<Plan>, &[Arc<Plan>]),
    history: &[Recorded],
) -> RunState {
    let mut state = RunState::begin(run, Arc::clone(plan), &history[0]).unwrap();
    for recorded in &history[1..] {
        if let Event::PlanMigrated(migrated) = &recorded.event {
            let plan = later.iter().find(|plan| plan.digest() == migrated.to);
            state.migrate(recorded, Arc::clone(plan.unwrap())).unwrap();
        } else {
            state.apply(recorded).unwrap();
        }
    }
    state
}

const RUN: RunId = RunId::from_bytes([7; 16]);
/// Rounds after which a run that has not come to rest never will.
const ROUNDS_MAX: usize = 100_000;

impl Simulation {
    pub(crate) fn new(plan: &Arc<Plan>, inputs: &Value) -> Self {
        Self::triggered(plan, inputs, Trigger::Manual)
    }

    pub(crate) fn triggered(plan: &Arc<Plan>, inputs: &Value, trigger: Trigger) -> Self {
        let created = Event::RunCreated(RunCreated {
            workflow: plan.name.clone(),
            plan: plan.digest(),
            engine: "test".to_owned(),
            inputs: inputs.as_object().cloned().unwrap_or_default(),
            trigger,
            folder: "runs/test".to_owned(),
            workflow_folder: None,
            base_url: Some("https://flows.example/".to_owned()),
            scheduled_at: Timestamp::from_micros(0),
            allow_self: true,
            labels: indexmap::IndexMap::new(),
            thread: None,
        });
        let first = Recorded {
            seq: 1,
            time: Timestamp::from_micros(1),
            epoch: 1,
            actor: Actor::Engine,
            event: created,
        };
        let state = RunState::begin(RUN, Arc::clone(plan), &first).unwrap();
        Self {
            plan: Arc::clone(plan),
            history: vec![first],
            state,
            later: Vec::new(),
            clock: 1,
            epoch: 1,
        }
    }

    /// The same run as it stands after a crash right behind its last event of that name.
    pub(crate) fn crashed_after(&self, name: &str) -> Self {
        let mut names = self.history.iter().map(|recorded| recorded.event.name());
        self.crashed(names.rposition(|other| other == name).unwrap() + 1)
    }

    /// The same run as it stands after a crash that kept the first `kept` events.
    pub(crate) fn crashed(&self, kept: usize) -> Self {
        let history = self.history[..kept].to_vec();
        let state = replayed(RUN, (&self.plan, &self.later), &history);
        Self {
            plan: Arc::clone(&self.plan),
            history,
            state,
            later: self.later.clone(),
            clock: self.clock,
            epoch: self.epoch,
        }
    }

    /// Lets time pass.
    pub(crate) fn sleep(&mut self, span: std::time::Duration) {
        self.clock += i64::try_from(span.as_micros()).unwrap();
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: Timestamp::from_micros(self.clock),
            draw: 0.5,
        }
    }

    pub(crate) fn record(&mut self, events: Vec<Event>) {
        for event in events {
            self.clock += 1;
            let recorded = Recorded {
                seq: self.state.seq + 1,
                time: Timestamp::from_micros(self.clock),
                epoch: self.epoch,
                actor: Actor::Engine,
                event,
            };
            self.state.apply(&recorded).unwrap_or_else(|error| {
                panic!(
                    "the machine made an illegal event: {error}\n{:#?}",
                    recorded.event
                )
            });
            self.history.push(recorded);
        }
    }

    /// Goes on with another plan, as the engine does after it compared them.
    pub(crate) fn migrate(&mut self, plan: &Arc<Plan>, changes: Vec<String>) {
        let migrated = PlanMigrated {
            from: self.state.plan_digest(),
            to: plan.digest(),
            changes,
        };
        let events = decide(&self.state, Command::Migrate(migrated)).unwrap();
        for event in events {
            self.clock += 1;
            let recorded = Recorded {
                seq: self.state.seq + 1,
                time: Timestamp::from_micros(self.clock),
                epoch: self.epoch,
                actor: Actor::Engine,
                event,
            };
            self.state.migrate(&recorded, Arc::clone(plan)).unwrap();
            self.history.push(recorded);
        }
        self.later.push(Arc::clone(plan));
    }

    pub(crate) fn submit(&mut self, command: Command) -> Result<(), Refusal> {
        let events = decide(&self.state, command)?;
        self.record(events);
        Ok(())
    }

    pub(crate) fn advance(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let events = advance(&self.state, self.moment());
            if events.is_empty() {
                return;
            }
            self.record(events);
        }
        panic!("bookkeeping never comes to an end");
    }

    /// One round of bookkeeping, as an engine does some before it writes.
    pub(crate) fn round(&mut self) {
        let events = advance(&self.state, self.moment());
        self.record(events);
    }

    /// Lets the clock go on to this instant.
    pub(crate) fn at(&mut self, instant: Timestamp) {
        self.clock = self.clock.max(instant.as_micros());
    }

    /// Goes on until the run has ended, or waits for a person who does not answer.
    pub(crate) fn rest(&mut self, world: &mut World) {
        if self.state.started_at.is_none() {
            self.submit(Command::Start).unwrap();
        }
        let mut begun: Vec<(StepPath, u32)> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            self.advance();
            if self.state.ending.is_some() {
                return;
            }
            let (naps, work): (Vec<Effect>, Vec<Effect>) = effects(&self.state, self.moment().now)
                .into_iter()
                .partition(|effect| matches!(effect, Effect::WakeAt { .. }));
            // Time passes only when nothing else is to be done, and for limits on people when they are silent.
            let (idle, naps): (Vec<Effect>, Vec<Effect>) = naps
                .into_iter()
                .partition(|nap| matches!(nap, Effect::WakeAt { idle: true, .. }));
            let first = |naps: Vec<Effect>| {
                naps.into_iter().min_by_key(|nap| match nap {
                    Effect::WakeAt { at, .. } => *at,
                    _ => Timestamp::from_micros(0),
                })
            };
            let work = work.into_iter().find(|effect| self.can_be_done(effect));
            let next = work.or_else(|| first(naps));
            if let Some(effect) = next {
                self.perform(effect, world, &mut begun);
            } else if let Some(vote) = self.next_vote(world) {
                self.submit(Command::Vote(vote)).unwrap();
            } else if let Some(effect) = first(idle).filter(|_| !world.stands_still) {
                self.perform(effect, world, &mut begun);
            } else {
                return;
            }
        }
        panic!("the run never comes to rest");
    }

    /// What the cache says of a step: what the world has for it, unless the step takes nothing.
    fn looked_up(&self, path: &StepPath, world: &World) -> Command {
        let (step, step_state) = self.state.step(path).unwrap();
        let aside = set_aside(&self.state, step, step_state);
        match (aside, world.kept.get(path)) {
            (None, Some(reused)) => Command::Reused(Box::new(reused.clone())),
            (aside, _) => Command::Missed(CacheMissed {
                step: path.clone(),
                key: Some(Digest::of(path.as_str().as_bytes())),
                parts: Parts::new(),
                reason: aside.unwrap_or(Miss::FirstTime),
            }),
        }
    }

    fn next_vote(&self, world: &World) -> Option<Vote> {
        self.state.open_approvals().find_map(|asked| {
            let (answer, form) = (world.voter)(asked)?;
            Some(by_the_next(asked, vote(asked, answer, form)))
        })
    }

    pub(crate) fn perform(
        &mut self,
        effect: Effect,
        world: &mut World,
        begun: &mut Vec<(StepPath, u32)>,
    ) {
        match effect {
            Effect::Analyse { step } => {
                world.analysed += 1;
                let report = self.analysis(&step, world);
                self.submit(Command::Analysed(report)).unwrap();
            }
            Effect::Generate { step, attempt } => {
                let started = writing(&step, attempt);
                self.submit(Command::BeginAttempt(started)).unwrap();
                begun.push((step, attempt));
            }
            Effect::Attend { step, attempt } if self.writes_code(&step) => {
                let mine = begun.contains(&(step.clone(), attempt));
                self.written(step, attempt, mine || world.adopted == Adopted::Finished);
            }
            Effect::LookUp { step } => {
                let missed = self.looked_up(&step, world);
                self.submit(missed).unwrap();
            }
            Effect::Execute { step, attempt } | Effect::Act { step, attempt } => {
                let started = self.started(&step, attempt);
                self.submit(Command::BeginAttempt(started)).unwrap();
                begun.push((step, attempt));
            }
            Effect::Attend { step, attempt } if begun.contains(&(step.clone(), attempt)) => {
                *world.ledger.entry(step.clone()).or_default() += 1;
                self.end(&step, attempt, world);
            }
            Effect::Attend { step, attempt } => match world.adopted {
                Adopted::Finished => self.end(&step, attempt, world),
                lost @ (Adopted::LostStarted | Adopted::LostBefore) => {
                    let started = lost == Adopted::LostStarted;
                    let evidence = "nothing".to_owned();
                    self.submit(Command::AttemptLost {
                        step,
                        attempt,
                        started,
                        evidence,
                    })
                    .unwrap();
                }
            },
            Effect::Kill { step, attempt } => {
                self.submit(Command::AttemptKilled { step, attempt })
                    .unwrap();
            }
            Effect::Tell {
                approval,
                occasion,
                channel,
            } => {
                let failure = None;
                let sent = NotificationSent {
                    approval,
                    occasion,
                    channel,
                    failure,
                };
                self.submit(Command::Told(sent)).unwrap();
            }
            Effect::WakeAt { at, .. } => self.clock = self.clock.max(at.as_micros()),
            Effect::Acquire { step } => {
                let admission = self.admission(step);
                self.submit(admission).unwrap();
            }
            Effect::StartChild { step } => {
                let (_, step_state) = self.state.step(&step).unwrap();
                let number = u32::try_from(step_state.children.len()).unwrap();
                let run = RunId::derive(self.moment().now, RUN, &step, number);
                self.submit(Command::ChildStarted(ChildRunStarted { step, run }))
                    .unwrap();
            }
            Effect::AttendChild { step, .. } => {
                *world.ledger.entry(step.clone()).or_default() += 1;
                self.submit(child_ended(step, RunStatus::Succeeded))
                    .unwrap();
            }
            Effect::LookAtChild { step, .. } => {
                self.submit(Command::ChildWaits(ChildRunWaiting {
                    step,
                    status: RunStatus::Running,
                    questions: Vec::new(),
                }))
                .unwrap();
            }
            Effect::CancelChild { step, .. } => {
                self.submit(child_ended(step, RunStatus::Cancelled))
                    .unwrap();
            }
        }
    }

    /// Whether it can be done now: a place that another step of this run holds can't be had.
    fn can_be_done(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Acquire { step } => decide(&self.state, self.admission(step.clone())).is_ok(),
            _ => true,
        }
    }

    /// Takes what is wished for; nobody but this run wants any.
    fn admission(&self, step: Option<StepPath>) -> Command {
        let slots = match &step {
            None => self.state.slots.as_ref(),
            Some(path) => self.state.step(path).unwrap().1.slots.as_ref(),
        };
        let wishes = slots.unwrap().wishes.iter();
        let room = wishes.map(|wish| wish.limit).collect();
        Command::Admit { step, room }
    }

    fn end(&mut self, path: &StepPath, attempt: u32, world: &World) {
        let (step, _) = self.state.step(path).unwrap();
        let (results, failure) = match (world.python)(step, attempt) {
            Ends::With(results) => (Some(results), None),
            Ends::Failing(failure) => (None, Some(failure)),
        };
        let bad = world.item_fails.as_ref().is_some_and(|fails| fails(path));
        let failure = if bad {
            Some(Failure::new(
                FailureKind::Code,
                stepwell::code::BAD_OUTPUT,
                "boom",
            ))
        } else {
            failure
        };
        let result = result(path, attempt, results);
        self.submit(Command::AttemptEnded { result, failure })
            .unwrap();
    }

    fn writes_code(&self, path: &StepPath) -> bool {
        let (_, state) = self.state.step(path).unwrap();
        state.open_attempt().map(|open| open.phase) == Some(Phase::Generate)
    }

    fn written(&mut self, step: StepPath, attempt: u32, answered: bool) {
        let command = if answered {
            let state = self.state.step(&step).unwrap().1;
            let number = state.generations.len();
            Command::Generated(generated(&step, Some(attempt), number))
        } else {
            let evidence = "nothing".to_owned();
            Command::AttemptLost {
                step,
                attempt,
                started: true,
                evidence,
            }
        };
        self.submit(command).unwrap();
    }

    pub(crate) fn analysis(&self, path: &StepPath, world: &World) -> AnalysisReported {
        let (step, state) = self.state.step(path).unwrap();
        let StepKind::Python(python) = &step.kind else {
            panic!("{path} is no Python step")
        };
        let code = state.code(python).unwrap();
        AnalysisReported {
            step: path.clone(),
            code,
            mode: python.mode,
            report: analyze("results = {}\n", &RuleSet::default()),
            decision: Decision {
                verdict: (world.verdict)(step),
                rule: "test".to_owned(),
                reason: "The test says so.".to_owned(),
                code: None,
            },
            environment: Digest::of(b"environment"),
            environment_text: "test".to_owned(),
            subject: subject(code, &state.inputs),
            covered: Covered::new(),
            modules: Modules::new(),
            bounds: Bounds::default(),
            changed: Changed::default(),
            files: Vec::new(),
            reuse: None,
            mark: None,
            reviewers: None,
            rules: Rules {
                allow_self: world.allow_self,
                ..Rules::default()
            },
            notebook: None,
        }
    }

    pub(crate) fn started(&self, path: &StepPath, attempt: u32) -> AttemptStarted {
        let (step, state) = self.state.step(path).unwrap();
        let StepKind::Python(python) = &step.kind else {
            let writes = step.kind.writes();
            return AttemptStarted {
                step: path.clone(),
                attempt,
                phase: Phase::Execute,
                executor: step.kind.as_str().to_owned(),
                placed_by: None,
                effect: if writes {
                    EffectClass::Write
                } else {
                    EffectClass::Read
                },
                environment: None,
                subject: None,
            };
        };
        AttemptStarted {
            step: path.clone(),
            attempt,
            phase: Phase::Execute,
            executor: "test".to_owned(),
            placed_by: None,
            effect: match python.mode {
                Mode::ReadOnly => EffectClass::Read,
                Mode::WriteAccess => EffectClass::Write,
            },
            environment: Some(Digest::of(b"environment")),
            subject: Some(state.analysis.as_ref().unwrap().subject),
        }
    }

    /// Statuses and outputs, without anything that differs from one way there to another.
    pub(crate) fn outcome(&self) -> Value {
        let steps: serde_json::Map<String, Value> = self
            .state
            .steps()
            .map(|(_, state)| {
                (
                    state.path.to_string(),
                    json!({"status": state.status, "outputs": state.outputs}),
                )
            })
            .collect();
        let outputs = self
            .state
            .ending
            .as_ref()
            .map(|ending| ending.outputs.clone());
        json!({"status": self.state.status(), "outputs": outputs, "steps": steps})
    }

    pub(crate) fn status_of(&self, step: &str) -> &'static str {
        self.state.step_with_id(step).unwrap().1.status.as_str()
    }
}

/// What a yes to code is bound to here.
pub(crate) fn subject(code: Digest, inputs: &Values) -> Digest {
    let seen = serde_json::to_vec(inputs).unwrap();
    Digest::of(&[code.as_bytes().as_slice(), &seen].concat())
}

/// A change of the code that a question is about.
pub(crate) fn edit(
    state: &RunState,
    asked: &ApprovalState,
    person: &str,
    code: &[u8],
) -> CodeEdited {
    let step = asked.request.step.clone();
    let found = state.step(&step).unwrap().1;
    let base = found.analysis.as_ref().map(|analysis| analysis.code);
    let code = Digest::of(code);
    CodeEdited {
        says_yes_to: subject(code, &found.inputs),
        step,
        approval: asked.request.approval.clone(),
        person: person.to_owned(),
        roles: Vec::new(),
        typed_by: None,
        subject_digest: asked.request.subject_digest,
        base: base.unwrap_or(Digest::of(b"")),
        code,
        diff: "-a\n+b\n".to_owned(),
        comment: None,
    }
}

pub(crate) fn vote(asked: &ApprovalState, answer: Answer, form: Values) -> Vote {
    Vote {
        approval: asked.request.approval.clone(),
        person: "ada".to_owned(),
        roles: Vec::new(),
        typed_by: None,
        answer,
        form,
        comment: Some("as agreed".to_owned()),
        seen: Some(asked.request.subject_digest),
    }
}

/// People who have every role; none of them starts runs.
pub(crate) const PEOPLE: [&str; 3] = ["bela", "cleo", "dora"];

/// The vote of somebody who may answer and has not yet, where a question says who may or wants several.
pub(crate) fn by_the_next(asked: &ApprovalState, vote: Vote) -> Vote {
    let rules = &asked.request.rules;
    let Some(reviewers) = rules.people.as_ref().filter(|_| rules.required > 1) else {
        return vote;
    };
    Vote {
        person: PEOPLE[asked.votes.len() % PEOPLE.len()].to_owned(),
        roles: reviewers.roles.clone(),
        ..vote
    }
}

pub(crate) fn child_ended(step: StepPath, status: RunStatus) -> Command {
    Command::ChildEnded(ChildRunClosed {
        step,
        status,
        outputs: Values::from_iter([("v".to_owned(), json!(1))]),
        failure: None,
        reason: None,
    })
}

pub(crate) fn result(path: &StepPath, attempt: u32, results: Option<Value>) -> ResultRecorded {
    ResultRecorded {
        step: path.clone(),
        attempt,
        results,
        figures: Vec::new(),
        artifacts: Vec::new(),
        notebook: None,
        folder: format!("runs/test/{path}/{attempt}"),
        notes: Vec::new(),
        seconds: 0.0,
        max_rss_bytes: 0,
        cpu_seconds: 0.0,
        cached_as: None,
        isolation: Isolation::default(),
        packages: None,
    }
}

/// Results that fit the declared outputs of a step; different seeds give different numbers.
pub(crate) fn sample_results(step: &Step, seed: u64) -> Value {
    let Some(outputs) = &step.outputs else {
        return json!({"seed": seed});
    };
    outputs
        .iter()
        .map(|(name, field)| (name.clone(), sample(field, seed)))
        .collect()
}

fn sample_form(asked: &ApprovalState) -> Values {
    let form = asked
        .request
        .form
        .iter()
        .filter(|(_, field)| field.default.is_none());
    form.map(|(name, field)| (name.clone(), sample(field, 0)))
        .collect()
}

/// A value that fits a field.
pub(crate) fn sample(field: &Field, seed: u64) -> Value {
    if let Some(choice) = field.choices.first() {
        return choice.clone();
    }
    let share = [0.95, 0.6, 0.2, 0.0, 1.0][usize::try_from(seed % 5).unwrap()];
    let (low, high) = (
        field.min.unwrap_or(0.0),
        field.max.unwrap_or(1.0).max(field.min.unwrap_or(0.0)),
    );
    match field.field_type {
        FieldType::String | FieldType::File => json!(format!("text {seed}")),
        FieldType::Int => json!(seed + u64::try_from(low.max(0.0) as i64).unwrap()),
        FieldType::Float => json!(low + (high - low) * share),
        FieldType::Bool => json!(seed.is_multiple_of(2)),
        FieldType::Date => json!("2026-11-22"),
        FieldType::Datetime => json!("2026-11-22T12:00:00Z"),
        FieldType::Duration => json!("1h30m"),
        FieldType::List => match &field.items {
            Some(Items::Each(item)) => json!([sample(item, seed), sample(item, seed + 1)]),
            Some(Items::Record(fields)) => json!([record(fields, seed)]),
            None => json!([seed]),
        },
        FieldType::Map => match &field.items {
            Some(Items::Record(fields)) => record(fields, seed),
            Some(Items::Each(item)) => json!({"a": sample(item, seed)}),
            None => json!({"a": seed}),
        },
    }
}

fn record(fields: &indexmap::IndexMap<String, Field>, seed: u64) -> Value {
    fields
        .iter()
        .map(|(name, field)| (name.clone(), sample(field, seed)))
        .collect()
}

/// The begin of an attempt to have code written.
pub(crate) fn writing(step: &StepPath, attempt: u32) -> AttemptStarted {
    AttemptStarted {
        step: step.clone(),
        attempt,
        phase: Phase::Generate,
        executor: "test".to_owned(),
        placed_by: None,
        effect: EffectClass::Read,
        environment: None,
        subject: None,
    }
}

/// Code that was written, another one for each number.
pub(crate) fn generated(step: &StepPath, attempt: Option<u32>, number: usize) -> CodeGenerated {
    CodeGenerated {
        step: step.clone(),
        attempt,
        generator: "test".to_owned(),
        provider: "fake".to_owned(),
        model: Some("fake-1".to_owned()),
        parameters: Value::Null,
        feedback: Feedback::None,
        fresh: false,
        prompt: Some(Digest::of(b"prompt")),
        answer: Some(Digest::of(b"answer")),
        code: Some(Digest::of(format!("code {number}").as_bytes())),
        failure: None,
        usage: Usage::default(),
        cost: None,
        seconds: 1.0,
        request_id: None,
        reused: None,
        approved_before: None,
    }
}
