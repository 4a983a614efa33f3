//! Random plans in random order: completions, answers, time, cancels, pauses, losses and crashes come in any order
//! that the world may choose, and the machine stays legal and alive.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use stepwell::approval::Verdict;
use stepwell::code;
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{Digest, StepPath};
use stepwell::plan::{Plan, StepKind, WaitOn};
use stepwell::run::payload::{Answer, ChildRunWaiting, Closed, EffectClass, Values};
use stepwell::run::{
    ApprovalState, Command, Effect, Event, Recorded, RunStatus, StepStatus, Vote, effects,
    may_have_begun,
};

use crate::inner_runs::compiled_with;
use crate::simulator::{Adopted, Ends, PEOPLE, Simulation, World, child_ended, edit, sample, vote};

const PY: &str = "python: {code: 'results = {}'}";
const CHILD: &str = "version: 1\nname: child\nsteps: [{id: a, set: {v: 1}}]\noutputs: {v: '${{ steps.a.outputs.v }}'}\n";
const WRITE: &str = "python: {code: 'results = {}', mode: write_access}";

/// What a step of a random plan is.
#[derive(Debug, Clone)]
struct Draft {
    kind: u8,
    needs: u16,
    explicit: bool,
    condition: u8,
    on_failure: u8,
    lock: bool,
    deadline: bool,
}

/// A random workflow.
#[derive(Debug, Clone)]
struct Flow {
    steps: Vec<Draft>,
    handlers: u8,
    group: u8,
    timeout: bool,
}

fn flows() -> impl Strategy<Value = Flow> {
    let step = (
        0..16_u8,
        any::<u16>(),
        any::<bool>(),
        0..8_u8,
        0..5_u8,
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.1),
    );
    let step = step.prop_map(
        |(kind, needs, explicit, condition, on_failure, lock, deadline)| Draft {
            kind,
            needs,
            explicit,
            condition,
            on_failure,
            lock,
            deadline,
        },
    );
    let steps = prop::collection::vec(step, 1..7);
    (steps, 0..64_u8, 0..5_u8, prop::bool::weighted(0.15)).prop_map(
        |(steps, handlers, group, timeout)| Flow {
            steps,
            handlers,
            group,
            timeout,
        },
    )
}

impl Flow {
    fn text(&self) -> String {
        let mut text = String::new();
        if self.timeout {
            text += "timeout: 3h\n";
        }
        text += match self.group {
            0 => "concurrency: {group: beam}\n",
            1 => "concurrency: {group: beam, when_full: cancel_new}\n",
            2 => {
                "concurrency: {group: beam, when_full: cancel_running, release_while_waiting: false}\n"
            }
            _ => "",
        };
        text += "steps:\n";
        for (index, step) in self.steps.iter().enumerate() {
            step.tell(index, &mut text);
        }
        let asked = |bit: u8| self.handlers & (1 << bit) != 0;
        let handlers = [
            (
                0,
                "  waiting:\n    - id: hw\n      notify: {webhook: 'http://a.example', text: \"${{ approval.title }}\"}\n".to_owned(),
            ),
            (1, format!("  failure:\n    - id: hf\n      {PY}\n")),
            (
                2,
                "  cancel:\n    - id: hc\n      approval: {title: is it off?}\n".to_owned(),
            ),
            (3, format!("  reject:\n    - id: hr\n      {WRITE}\n")),
            (
                4,
                "  success:\n    - id: hs\n      set: {v: 1}\n".to_owned(),
            ),
            (
                5,
                "  finish:\n    - id: hx\n      http: {method: POST, url: 'http://a.example'}\n"
                    .to_owned(),
            ),
        ];
        if handlers.iter().any(|(bit, _)| asked(*bit)) {
            text += "handlers:\n";
        }
        for (_, handler) in handlers.iter().filter(|(bit, _)| asked(*bit)) {
            text += handler;
        }
        text
    }

    fn plan(&self) -> Arc<Plan> {
        compiled_with(&self.text(), &[("child.yml", CHILD)]).0
    }
}

impl Draft {
    fn tell(&self, index: usize, text: &mut String) {
        let back = index
            .checked_sub(1)
            .filter(|_| !self.explicit)
            .map(|last| format!(", on_changes: s{last}, max_changes: 2"))
            .unwrap_or_default();
        let of = format!("required: 2, reviewers: {{users: [{}]}}", PEOPLE.join(", "));
        let kind = match self.kind {
            0 => PY.to_owned(),
            1 => WRITE.to_owned(),
            2 => format!("approval: {{title: go on{back}}}"),
            3 => format!(
                "approval: {{title: two, {of}{back}, timeout: 2h, remind: [1h], notify: [ops]}}"
            ),
            4 => format!("approval: {{title: late{back}, timeout: 1h, on_timeout: fail}}"),
            5 => "http: {url: 'http://a.example'}".to_owned(),
            6 => "http: {method: POST, url: 'http://a.example'}".to_owned(),
            7 => "notify: {webhook: 'http://a.example', text: hello}".to_owned(),
            8 => "workflow: {file: child.yml}".to_owned(),
            9 => format!(
                "foreach:\n      items: [1, 2]\n      tolerate: 50%\n      steps:\n        - id: f{index}\n          {PY}\n        - id: g{index}\n          approval: {{title: item, on_changes: f{index}, max_changes: 1}}\n        - id: h{index}\n          {WRITE}"
            ),
            10 => format!(
                "until:\n      condition: ${{{{ round.index >= 2 }}}}\n      max: 3\n      every: 5m\n      steps:\n        - id: u{index}\n          {PY}"
            ),
            11 => format!(
                "parallel:\n      - name: left\n        steps:\n          - id: l{index}\n            {WRITE}\n      - name: right\n        steps:\n          - id: r{index}\n            approval: {{title: beside}}\n          - id: q{index}\n            workflow: {{file: child.yml}}"
            ),
            12 => format!(
                "switch:\n      - name: one\n        when: ${{{{ {} % 2 == 0 }}}}\n        steps:\n          - id: n{index}\n            {PY}\n          - id: m{index}\n            approval: {{title: arm, on_changes: n{index}}}\n      - name: two\n        else: true\n        set: {{v: 2}}",
                self.needs
            ),
            13 => format!("wait: {{signal: beam{index}, timeout: 1h, on_timeout: continue}}"),
            14 => "wait: {duration: 30m}".to_owned(),
            _ => "set: {v: 1}".to_owned(),
        };
        let _ = writeln!(text, "  - id: s{index}\n    {kind}");
        if self.explicit {
            let from = (0..index).filter(|bit| self.needs & (1 << bit) != 0);
            let from: Vec<String> = from.map(|from| format!("s{from}")).collect();
            let _ = writeln!(text, "    needs: [{}]", from.join(", "));
        }
        match (self.condition, index.checked_sub(1)) {
            (0, _) => *text += "    if: ${{ 1 > 2 }}\n",
            (1, Some(last)) => {
                let _ = writeln!(text, "    if: ${{{{ failed('s{last}') }}}}");
            }
            (2, _) => *text += "    if: ${{ always() }}\n",
            _ => {}
        }
        match self.on_failure {
            0 => *text += "    on_failure: continue\n",
            1 => *text += "    on_failure: skip_dependents\n",
            _ => {}
        }
        if self.lock {
            *text += "    locks: [magnet]\n";
            if (8..=12).contains(&self.kind) {
                *text += "    release_on_wait: true\n";
            }
        }
        if self.deadline {
            *text += "    deadline: 4h\n";
        }
    }
}

/// The world that picks what comes next.
struct Chance {
    run: Simulation,
    world: World,
    fails: Rc<Cell<bool>>,
    begun: Vec<(StepPath, u32)>,
}

fn says(asked: &ApprovalState, person: &str, answer: Answer) -> Vote {
    let mut form = Values::new();
    for (name, field) in &asked.request.form {
        if name == "answer" {
            let word = if person == "bela" {
                "done"
            } else {
                "run_again"
            };
            form.insert(name.clone(), json!(word));
        } else if field.default.is_none() {
            form.insert(name.clone(), sample(field, 0));
        }
    }
    Vote {
        person: person.to_owned(),
        ..vote(asked, answer, form)
    }
}

impl Chance {
    fn new(plan: &Arc<Plan>) -> Self {
        let fails = Rc::new(Cell::new(false));
        let failing = Rc::clone(&fails);
        let world = World::new(move |_, _| {
            if failing.get() {
                Ends::Failing(Failure::new(FailureKind::Code, code::BAD_OUTPUT, "boom"))
            } else {
                Ends::With(json!({"v": 1}))
            }
        });
        let mut run = Simulation::new(plan, &json!({}));
        run.submit(Command::Start).unwrap();
        Self {
            run,
            world,
            fails,
            begun: Vec::new(),
        }
    }

    fn owed(&self) -> Vec<Effect> {
        effects(&self.run.state, self.run.moment().now)
    }

    /// Something happens; `pick` says what. A refused command changes nothing.
    fn happens(&mut self, pick: u16) {
        let (what, which) = (pick % 32, usize::from(pick / 32));
        match what {
            // Work goes on, well or not.
            0..=13 => self.works(which, what),
            14..=18 => self.answers(which),
            19 => self.passes(which),
            20 => self.signals(which),
            21 if which.is_multiple_of(8) => {
                let _ = self.run.submit(Command::Cancel { reason: None });
            }
            22 if which.is_multiple_of(3) => {
                let _ = self.run.submit(Command::Pause { reason: None });
            }
            23 | 24 => {
                let _ = self.run.submit(Command::Unpause);
            }
            25 => self.child_tells(which),
            26 => self.stale(which),
            27 | 28 => self.crashes(),
            30 => self.edits(which),
            29 if which.is_multiple_of(4) => {
                let again = Command::Reopen {
                    from: Vec::new(),
                    by: "ada".to_owned(),
                    reason: None,
                    seen: None,
                    bypass: stepwell::run::payload::CacheBypassed::default(),
                };
                let _ = self.run.submit(again);
            }
            _ => self.run.round(),
        }
    }

    fn works(&mut self, which: usize, what: u16) {
        self.run.advance();
        let owed = self.owed();
        let owed: Vec<&Effect> = owed
            .iter()
            .filter(|effect| !matches!(effect, Effect::WakeAt { .. } | Effect::Acquire { .. }))
            .chain(
                owed.iter()
                    .filter(|effect| matches!(effect, Effect::Acquire { .. })),
            )
            .collect();
        let Some(effect) = owed.get(which % owed.len().max(1)) else {
            return;
        };
        let effect = (*effect).clone();
        self.fails.set(what == 12);
        self.world.adopted =
            [Adopted::LostStarted, Adopted::LostBefore, Adopted::Finished][which % 3];
        match (&effect, what) {
            (Effect::Acquire { step }, _) => {
                let room = vec![1; 2];
                let step = step.clone();
                let _ = self.run.submit(Command::Admit { step, room });
            }
            (Effect::AttendChild { step, .. }, 11..=13) => {
                let ends = [RunStatus::Failed, RunStatus::Rejected, RunStatus::Cancelled];
                let ended = child_ended(step.clone(), ends[which % 3]);
                self.run.submit(ended).unwrap();
            }
            _ => self.run.perform(effect, &mut self.world, &mut self.begun),
        }
        self.fails.set(false);
    }

    fn answers(&mut self, which: usize) {
        let open: Vec<ApprovalState> = self.run.state.open_approvals().cloned().collect();
        let Some(asked) = open.get(which % open.len().max(1)) else {
            return;
        };
        let answers = [
            Answer::Approve,
            Answer::RequestChanges,
            Answer::Approve,
            Answer::Reject,
            Answer::Approve,
        ];
        let person = PEOPLE[which % PEOPLE.len()];
        let says = says(asked, person, answers[which / 3 % answers.len()]);
        let _ = self.run.submit(Command::Vote(says));
    }

    /// Somebody changes the code that is asked about, or wants to.
    fn edits(&mut self, which: usize) {
        let open: Vec<ApprovalState> = self.run.state.approvals.values().cloned().collect();
        let Some(asked) = open.get(open.len().wrapping_sub(1 + which % 3)) else {
            return;
        };
        let person = PEOPLE[which % PEOPLE.len()];
        let code = format!("results = {{'edit': {}}}\n", which % 4);
        let mut edited = edit(&self.run.state, asked, person, code.as_bytes());
        if which.is_multiple_of(5) {
            edited.says_yes_to = Digest::of(b"other surroundings");
        }
        let _ = self.run.submit(Command::Edit(Box::new(edited)));
    }

    fn passes(&mut self, which: usize) {
        self.run.advance();
        let wakes: Vec<_> = self
            .owed()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::WakeAt { at, .. } => Some(at),
                _ => None,
            })
            .collect();
        match wakes.get(which % (wakes.len() + 1)) {
            Some(at) => self.run.at(*at),
            None => self.run.sleep(Duration::from_secs(600)),
        }
    }

    fn signals(&mut self, which: usize) {
        let names = self
            .run
            .plan
            .steps
            .iter()
            .filter_map(|step| match &step.kind {
                StepKind::Wait(wait) => match &wait.on {
                    WaitOn::Signal { name, .. } => Some(name.clone()),
                    WaitOn::Duration(_) | WaitOn::Until(_) => None,
                },
                _ => None,
            });
        let names: Vec<String> = names.collect();
        if let Some(name) = names.get(which % names.len().max(1)) {
            let _ = self.run.submit(Command::Signal {
                name: name.clone(),
                payload: Values::new(),
                key: Some(format!("{}", which % 3)),
            });
        }
    }

    fn child_tells(&mut self, which: usize) {
        let steps: Vec<StepPath> = self
            .run
            .state
            .steps()
            .filter(|(step, _)| matches!(step.kind, StepKind::Workflow(_)))
            .map(|(_, state)| state.path.clone())
            .collect();
        let statuses = [RunStatus::Waiting, RunStatus::Running, RunStatus::Paused];
        if let Some(step) = steps.get(which % steps.len().max(1)) {
            let _ = self.run.submit(Command::ChildWaits(ChildRunWaiting {
                step: step.clone(),
                status: statuses[which % 3],
                questions: Vec::new(),
            }));
        }
    }

    /// News of an attempt that may be over long since.
    fn stale(&mut self, which: usize) {
        let steps = self.run.state.steps();
        let steps: Vec<StepPath> = steps.map(|(_, state)| state.path.clone()).collect();
        let Some(step) = steps.get(which % steps.len().max(1)).cloned() else {
            return;
        };
        let attempt = 1 + u32::try_from(which % 2).unwrap();
        // Of an attempt that is under way it would be news of the world, not stale.
        let (_, state) = self.run.state.step(&step).unwrap();
        if state.open_attempt().is_some() {
            return;
        }
        let evidence = "long ago".to_owned();
        let commands = [
            Command::AttemptKilled {
                step: step.clone(),
                attempt,
            },
            Command::AttemptLost {
                step: step.clone(),
                attempt,
                started: true,
                evidence,
            },
            child_ended(step, RunStatus::Pending),
        ];
        let _ = self.run.submit(commands[which % 2].clone());
    }

    fn crashes(&mut self) {
        let again = self.run.crashed(self.run.history.len());
        assert_eq!(again.state, self.run.state, "the history gives the state");
        self.run = again;
        self.begun.clear();
    }

    /// From here on everything goes well and everybody says yes: the run must end.
    fn ends_well(&mut self) {
        let _ = self.run.submit(Command::Unpause);
        self.world.adopted = Adopted::LostStarted;
        self.world.stands_still = true;
        let plain = std::mem::replace(&mut self.world, World::sampling(0));
        self.world = plain.voting(|_| None);
        for _ in 0..200 {
            self.run.rest(&mut self.world);
            if self.run.state.ending.is_some() {
                return;
            }
            let before = self.run.history.len();
            let open: Vec<ApprovalState> = self.run.state.open_approvals().cloned().collect();
            for (asked, person) in open
                .iter()
                .flat_map(|asked| PEOPLE.map(|person| (asked, person)))
            {
                let _ = self
                    .run
                    .submit(Command::Vote(says(asked, person, Answer::Approve)));
                self.run.advance();
            }
            (0..8).for_each(|which| self.signals(which));
            if self.run.history.len() == before {
                // Only time can help.
                self.world.stands_still = false;
                self.run.rest(&mut self.world);
                self.world.stands_still = true;
            }
            assert!(
                self.run.state.ending.is_some() || self.run.history.len() > before,
                "nothing moves it on: {:?} {:#?}",
                self.run.state.status(),
                standing(&self.run)
            );
        }
        panic!("it never ends: {:#?}", standing(&self.run));
    }
}

fn standing(run: &Simulation) -> Vec<String> {
    let steps = run.state.steps();
    let told = steps.map(|(_, state)| {
        format!(
            "{} {} {:?} {:?}",
            state.path,
            state.status.as_str(),
            state.slots,
            state.stop
        )
    });
    let names = run.history.iter().map(|one| one.event.name().to_owned());
    told.chain(names).collect()
}

/// What must hold of every history, whatever happened.
fn keeps_its_promises(history: &[Recorded], plan: &Plan) -> Result<(), String> {
    let mut terminal = 0;
    // Writes that were begun and that no person has spoken of since.
    let mut begun: BTreeMap<StepPath, u32> = BTreeMap::new();
    let mut succeeded: BTreeMap<StepPath, bool> = BTreeMap::new();
    let mut asked: BTreeMap<_, StepPath> = BTreeMap::new();
    let mut digests = BTreeMap::new();
    // The newest look at the code of each step, code that a person changed, and what people said yes to.
    let (mut looked, mut changed) = (BTreeMap::new(), BTreeMap::new());
    let mut yes = BTreeSet::new();
    let forgive = |begun: &mut BTreeMap<StepPath, u32>, paths: &[StepPath]| {
        begun.retain(|step, _| {
            !paths.iter().any(|path| {
                let rest = step.as_str().strip_prefix(path.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        });
    };
    for one in history {
        match &one.event {
            event if stepwell::engine::ends_run(event) => terminal += 1,
            Event::RunReopened(again) => {
                terminal -= 1;
                changed.clear();
                // A person named them, and was told of the writes.
                forgive(&mut begun, &again.steps);
                succeeded.retain(|step, _| !again.steps.contains(step));
                begun.clear();
                succeeded.clear();
            }
            Event::ApprovalRequested(request) => {
                asked.insert(request.approval.clone(), request.step.clone());
                digests.insert(request.approval.clone(), request.subject_digest);
            }
            Event::ApprovalVoted(voted) => {
                begun.remove(&asked[&voted.approval]);
            }
            Event::StepsRewound(rewound) => {
                changed.clear();
                forgive(&mut begun, &rewound.steps);
                let paths = &rewound.steps;
                succeeded.retain(|step, _| {
                    !paths
                        .iter()
                        .any(|path| step.as_str().starts_with(path.as_str()))
                });
            }
            Event::AttemptFailed(failed) if !may_have_begun(&failed.failure) => {
                begun.remove(&failed.step);
            }
            Event::ApprovalClosed(closed) if closed.outcome == Closed::Approved => {
                let digest = digests[&closed.approval];
                yes.insert((asked[&closed.approval].clone(), digest));
            }
            Event::AnalysisReported(report) => {
                if changed
                    .get(&report.step)
                    .is_some_and(|code| *code != report.code)
                {
                    return Err(format!("{}: changed code was not looked at", report.step));
                }
                looked.insert(report.step.clone(), report.clone());
            }
            Event::CodeEdited(edited) => {
                changed.insert(edited.step.clone(), edited.code);
                looked.remove(&edited.step);
            }
            Event::StepSucceeded(ended) => {
                succeeded.insert(ended.step.clone(), true);
            }
            Event::AttemptStarted(started) => {
                if let Some(subject) = started.subject {
                    let Some(report) = looked.get(&started.step) else {
                        return Err(format!("{} runs code that nobody looked at", started.step));
                    };
                    let may = report.decision.verdict == Verdict::Pass
                        || yes.contains(&(started.step.clone(), subject));
                    if !may || report.subject != subject {
                        return Err(format!("{} runs code without a yes", started.step));
                    }
                }
                if succeeded.contains_key(&started.step) {
                    return Err(format!("{} begins after its success", started.step));
                }
                if started.effect == EffectClass::Write {
                    let times = begun.entry(started.step.clone()).or_default();
                    *times += 1;
                    if *times > 1 {
                        return Err(format!("{} writes again by itself", started.step));
                    }
                }
            }
            _ => {}
        }
        if !(0..=1).contains(&terminal) {
            return Err(format!("{terminal} ends of {}", plan.name));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    /// Every order of what may happen is legal; the run always ends, or says whom it waits for; it ends once; nothing
    /// that succeeded runs again and no write is made twice without a person.
    #[test]
    fn whatever_comes_in_whatever_order_the_run_stays_legal_and_alive(flow in flows(), picks in prop::collection::vec(any::<u16>(), 0..160)) {
        let plan = flow.plan();
        let mut chance = Chance::new(&plan);
        for pick in picks {
            chance.happens(pick);
            // A run that rests has a reason that stands in its state.
            let mut rests = chance.run.crashed(chance.run.history.len());
            rests.advance();
            if rests.state.ending.is_none() && effects(&rests.state, rests.moment().now).is_empty() {
                let state = &rests.state;
                let reason = match state.status() {
                    RunStatus::Waiting | RunStatus::Paused => true,
                    _ => state.steps().any(|(_, step)| step.status == StepStatus::Unknown),
                };
                prop_assert!(reason, "{}\n{:#?}", flow.text(), standing(&rests));
            }
        }
        chance.ends_well();
        let kept = keeps_its_promises(&chance.run.history, &plan);
        prop_assert!(kept.is_ok(), "{:?}\n{}\n{:#?}", kept, flow.text(), standing(&chance.run));
    }
}

#[test]
fn random_orders_reach_every_kind_of_event_that_they_are_to_try() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let picks = prop::collection::vec(any::<u16>(), 160);
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for _ in 0..150 {
        let plan = flows().new_tree(&mut runner).unwrap().current().plan();
        let mut chance = Chance::new(&plan);
        for pick in picks.new_tree(&mut runner).unwrap().current() {
            chance.happens(pick);
        }
        chance.ends_well();
        for one in &chance.run.history {
            *seen.entry(one.event.name()).or_default() += 1;
        }
    }
    for name in [
        "ApprovalClosed",
        "ApprovalReminded",
        "AttemptOutcomeUnknown",
        "BranchChosen",
        "ChildRunClosed",
        "ChildRunWaiting",
        "CodeEdited",
        "DeadlinePassed",
        "HandlerEnded",
        "HandlerTimedOut",
        "MapItemClosed",
        "NotificationSent",
        "RoundClosed",
        "RunAdmitted",
        "RunCancelRequested",
        "RunPaused",
        "RunReopened",
        "RunTimedOut",
        "SignalConsumed",
        "SlotsReleased",
        "StepAdmitted",
        "StepRejected",
        "StepsRewound",
    ] {
        assert!(
            seen.get(name).is_some_and(|times| *times >= 3),
            "{name}: {seen:#?}"
        );
    }
}
