//! Replay: 10,000 events, read from the store, decoded and folded.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use stepwell::approval::{Decision, Verdict};
use stepwell::id::{Digest, RunId, StepPath};
use stepwell::plan::{Plan, StepKind};
use stepwell::python::analysis::{RuleSet, analyze};
use stepwell::python::outcome::Isolation;
use stepwell::run::payload::{
    AnalysisReported, AttemptStarted, EffectClass, Phase, ResultRecorded, RunCreated, Trigger,
};
use stepwell::run::{
    Actor, Command, Effect, Event, Moment, Record, Recorded, RunState, advance, decide, effects,
    summary,
};
use stepwell::store::{APPEND_RECORDS_MAX, Append, EventStore as _};
use stepwell::time::Timestamp;

use crate::rig::{self, Workflow};
use crate::samples::Samples;
use crate::table::{Bar, Table};

const EVENTS: usize = 10_000;
const ROUNDS: usize = 20;

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let folder = rig::folder();
    let (store, _) = rig::store(folder.path());
    // A Python step without a question leaves six events.
    let plan = Workflow::of(&python_steps(EVENTS / 6 + 1)).plan;
    let history = History::simulated(&plan);
    let events = history.events.len().min(EVENTS);
    runtime.block_on(history.store(&store));
    let (mut read, mut fold) = <(Samples, Samples)>::default();
    // The first round warms the caches and is not counted.
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let records = runtime
            .block_on(store.read(history.state.run, 1, EVENTS))
            .unwrap();
        let after_read = begun.elapsed();
        let state = replayed(&plan, &records);
        let after_fold = begun.elapsed();
        assert_eq!(state.seq, events as u64);
        if round > 0 {
            read.push_millis(after_read);
            fold.push_millis(after_fold - after_read);
        }
    }
    let what = format!("replay of {events} events, warm: decode and apply");
    table.alone(&what, &fold, "ms", Some(Bar::AtMost(10.0)));
    let what = "before it: reading them from the store, checksums and links checked";
    table.alone(what, &read, "ms", None);
}

/// Decodes and folds one after another, as the engine does.
fn replayed(plan: &Arc<Plan>, records: &[Record]) -> RunState {
    let (first, rest) = records.split_first().unwrap();
    let begun = Recorded::from_record(first).unwrap();
    let mut state = RunState::begin(first.run, Arc::clone(plan), &begun).unwrap();
    for record in rest {
        state
            .apply(&Recorded::from_record(record).unwrap())
            .unwrap();
    }
    state
}

fn python_steps(steps: usize) -> String {
    let lines = (1..=steps).map(|step| {
        format!("  - {{id: s{step}, with: {{n: {step}}}, python: {{code: 'results = {{}}'}}}}\n")
    });
    format!(
        "version: 1\nname: long\nsteps:\n{}",
        lines.collect::<String>()
    )
}

/// A run made by the machine alone, without engine or processes.
struct History {
    state: RunState,
    events: Vec<Recorded>,
    micros: i64,
}

impl History {
    fn simulated(plan: &Arc<Plan>) -> Self {
        let created = RunCreated {
            workflow: plan.name.clone(),
            plan: plan.digest(),
            engine: "bench".to_owned(),
            inputs: serde_json::Map::new(),
            trigger: Trigger::Manual,
            folder: "runs/bench".to_owned(),
            workflow_folder: None,
            base_url: None,
            scheduled_at: Timestamp::from_micros(0),
            allow_self: true,
            labels: indexmap::IndexMap::new(),
            thread: None,
        };
        let first = recorded(1, Event::RunCreated(created), 1);
        let state = RunState::begin(RunId::from_bytes([7; 16]), Arc::clone(plan), &first).unwrap();
        let mut history = Self {
            state,
            events: vec![first],
            micros: 1,
        };
        history.submit(Command::Start);
        while history.state.ending.is_none() {
            history.follow();
        }
        history
    }

    fn follow(&mut self) {
        let moment = Moment {
            now: Timestamp::from_micros(self.micros),
            draw: 0.5,
        };
        let events = advance(&self.state, moment);
        if !events.is_empty() {
            return self.record(events);
        }
        match effects(&self.state, moment.now).remove(0) {
            Effect::Analyse { step } => self.submit(Command::Analysed(self.analysis(&step))),
            Effect::Execute { step, attempt } => {
                let subject = Digest::of(step.as_str().as_bytes());
                self.submit(Command::BeginAttempt(AttemptStarted {
                    step,
                    attempt,
                    phase: Phase::Execute,
                    executor: "local".to_owned(),
                    placed_by: None,
                    effect: EffectClass::Read,
                    environment: Some(Digest::of(b"environment")),
                    subject: Some(subject),
                }));
            }
            Effect::Attend { step, attempt } => self.submit(Command::AttemptEnded {
                result: result(step, attempt),
                failure: None,
            }),
            owed @ (Effect::Kill { .. }
            | Effect::LookUp { .. }
            | Effect::WakeAt { .. }
            | Effect::Act { .. }
            | Effect::Generate { .. }
            | Effect::Acquire { .. }
            | Effect::Tell { .. }
            | Effect::StartChild { .. }
            | Effect::AttendChild { .. }
            | Effect::CancelChild { .. }
            | Effect::LookAtChild { .. }) => panic!("{owed:?}"),
        }
    }

    fn submit(&mut self, command: Command) {
        let events = decide(&self.state, command).unwrap();
        self.record(events);
    }

    fn record(&mut self, events: Vec<Event>) {
        for event in events {
            self.micros += 1;
            let next = recorded(self.state.seq + 1, event, self.micros);
            self.state.apply(&next).unwrap();
            self.events.push(next);
        }
    }

    fn analysis(&self, path: &StepPath) -> AnalysisReported {
        let (step, _) = self.state.step(path).unwrap();
        let StepKind::Python(python) = &step.kind else {
            panic!("{path} is no Python step");
        };
        AnalysisReported {
            step: path.clone(),
            code: python.code().unwrap(),
            mode: python.mode,
            report: analyze("import numpy\nresults = {}\n", &RuleSet::default()),
            decision: Decision {
                verdict: Verdict::Pass,
                rule: "bench".to_owned(),
                reason: "Nobody has to be asked.".to_owned(),
                code: None,
            },
            environment: Digest::of(b"environment"),
            environment_text: "python 3.13".to_owned(),
            subject: Digest::of(path.as_str().as_bytes()),
            covered: stepwell::approval::Covered::new(),
            modules: stepwell::approval::Modules::new(),
            bounds: stepwell::approval::Bounds::default(),
            changed: stepwell::approval::Changed::default(),
            files: Vec::new(),
            reuse: None,
            mark: None,
            reviewers: None,
            rules: stepwell::approval::Rules::default(),
            notebook: None,
        }
    }

    async fn store(&self, store: &stepwell::store::sled::SledStore) {
        for chunk in self.events.chunks(APPEND_RECORDS_MAX) {
            let records = chunk
                .iter()
                .map(|recorded| {
                    let actor = recorded.actor.clone();
                    recorded.event.to_record(recorded.time, actor).unwrap()
                })
                .collect();
            let mut row = summary(&self.state);
            row.last_seq = chunk.last().unwrap().seq;
            let append = Append {
                run: self.state.run,
                expected: chunk[0].seq - 1,
                records,
                summary: row,
            };
            store.append(append).await.unwrap();
        }
    }
}

fn recorded(seq: u64, event: Event, micros: i64) -> Recorded {
    Recorded {
        seq,
        time: Timestamp::from_micros(micros),
        epoch: 1,
        actor: Actor::Engine,
        event,
    }
}

fn result(step: StepPath, attempt: u32) -> ResultRecorded {
    ResultRecorded {
        folder: format!("runs/bench/{step}/{attempt}"),
        step,
        attempt,
        results: Some(json!({"mean": 0.25, "values": [1.5, 2.5, 3.5], "name": "BPM:01:X"})),
        figures: Vec::new(),
        artifacts: Vec::new(),
        notebook: None,
        notes: Vec::new(),
        seconds: 0.1,
        max_rss_bytes: 100 << 20,
        cpu_seconds: 0.1,
        cached_as: None,
        isolation: Isolation::default(),
        packages: None,
    }
}
