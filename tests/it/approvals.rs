//! Questions to people: who may answer, how many must, what time does, and what asking for changes brings about.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use stepwell::approval::{Answer, Asked, People, Rules, Voter, authorize};
use stepwell::expression::{Lookup, Scope};
use stepwell::plan::Plan;
use stepwell::run::payload::{Closed, Values};
use stepwell::run::{
    ApprovalState, Command, Event, Refusal, RunScope, RunState, StepStatus, Vote, effects,
};
use stepwell::time::Timestamp;

use crate::cli_rig::Place;
use crate::machine::plan_of;
use crate::simulator::{Adopted, Ends, Simulation, World, vote};

fn people(users: &[&str], roles: &[&str]) -> People {
    let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    People {
        users: owned(users),
        roles: owned(roles),
    }
}

/// Rules, who started the run, whether it was escalated, a person, her roles, what is said to her.
type Case<'a> = (
    &'a Rules,
    Option<&'a str>,
    bool,
    &'a str,
    &'a [&'a str],
    &'a str,
);

/// The whole truth about who may answer: for every kind of rule and every kind of person.
#[test]
fn rule_10_one_function_says_who_may_answer() {
    let everybody = Rules::default();
    let named = Rules {
        people: Some(people(&["ada"], &["lead"])),
        escalate_to: Some(people(&["eve"], &["chief"])),
        ..Rules::default()
    };
    let others = Rules {
        allow_self: false,
        ..Rules::default()
    };
    let named_others = Rules {
        allow_self: false,
        ..named.clone()
    };
    let nobody = Rules {
        people: Some(People::default()),
        ..Rules::default()
    };
    let cases: &[Case<'_>] = &[
        (&everybody, None, false, "bob", &[], "yes"),
        (&everybody, Some("bob"), false, "bob", &[], "yes"),
        (&everybody, None, false, "", &[], "not_a_reviewer"),
        (&everybody, None, false, "  ", &[], "not_a_reviewer"),
        (&others, Some("bob"), false, "bob", &[], "self_approval"),
        (&others, Some("bob"), false, "ada", &[], "yes"),
        (&others, None, false, "bob", &[], "yes"),
        (&named, None, false, "ada", &[], "yes"),
        (&named, None, false, "Ada", &[], "not_a_reviewer"),
        (&named, None, false, "bob", &["lead"], "yes"),
        (&named, None, false, "bob", &["analyst"], "not_a_reviewer"),
        (&named, None, false, "lead", &[], "not_a_reviewer"),
        (&named, None, false, "eve", &[], "not_a_reviewer"),
        (&named, None, true, "eve", &[], "yes"),
        (&named, None, true, "bob", &["chief"], "yes"),
        (&named, None, true, "ada", &[], "yes"),
        (&named, None, true, "bob", &[], "not_a_reviewer"),
        (
            &named_others,
            Some("ada"),
            false,
            "ada",
            &[],
            "self_approval",
        ),
        (
            &named_others,
            Some("eve"),
            true,
            "eve",
            &[],
            "self_approval",
        ),
        (
            &named_others,
            Some("eve"),
            false,
            "eve",
            &[],
            "not_a_reviewer",
        ),
        (&named_others, Some("eve"), false, "ada", &[], "yes"),
        (&nobody, None, false, "ada", &["lead"], "not_a_reviewer"),
    ];
    for (rules, starter, escalated, name, roles, said) in cases {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let voter = Voter {
            name,
            roles: &roles,
        };
        for (answer, changes_left) in [
            (Answer::Approve, None),
            (Answer::Reject, Some(0)),
            (Answer::RequestChanges, Some(1)),
            (Answer::RequestChanges, Some(0)),
            (Answer::RequestChanges, None),
        ] {
            let asked = Asked {
                editor: None,
                rules,
                starter: *starter,
                escalated: *escalated,
                changes_left,
            };
            let found = authorize(&asked, voter, answer);
            let found = found.map_or_else(|denied| denied.code().as_str(), |()| "yes");
            let sent_back = answer != Answer::RequestChanges || changes_left == Some(1);
            let expected = match *said {
                "yes" if !sent_back => "no_changes_here",
                said => said,
            };
            assert_eq!(found, expected, "{name} {roles:?} {answer:?} {asked:?}");
        }
    }
}

const TWO_OF_THEM: &str = "steps:\n  - id: ask\n    approval:\n      title: Go?\n      required: 2\n      reject_quorum: 2\n      \
     timeout: 1h\n      remind: [10m, 20m]\n      reviewers: {users: [ada, bob, cem]}\n      form:\n        \
     scale: {type: float, default: 1.0}\n  - id: end\n    set: {scale: \"${{ steps.ask.outputs.scale }}\"}\n";

/// A run that has asked its first question.
fn asked(plan: &Arc<Plan>) -> Simulation {
    let mut run = Simulation::new(plan, &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    run
}

fn question(state: &RunState) -> &ApprovalState {
    state.approvals.values().last().unwrap()
}

fn says(run: &mut Simulation, person: &str, answer: Answer, form: &Value) -> Result<(), Refusal> {
    let vote = Vote {
        person: person.to_owned(),
        ..vote(
            question(&run.state),
            answer,
            form.as_object().cloned().unwrap_or_default(),
        )
    };
    run.submit(Command::Vote(vote))
}

fn code_of(result: Result<(), Refusal>) -> String {
    result.map_or_else(|refusal| refusal.code().to_string(), |()| "ok".to_owned())
}

#[test]
fn so_many_different_people_must_say_yes_and_the_last_ones_values_count() {
    let mut run = asked(&plan_of(TWO_OF_THEM));
    says(&mut run, "ada", Answer::Approve, &json!({"scale": 0.5})).unwrap();
    run.advance();
    assert_eq!(run.status_of("ask"), "waiting");
    let seq = run.state.seq;
    says(&mut run, "ada", Answer::Approve, &json!({"scale": 0.5})).unwrap();
    says(&mut run, "ada", Answer::Approve, &json!({})).unwrap();
    assert_eq!(run.state.seq, seq, "the same again has no effect");
    assert_eq!(
        code_of(says(&mut run, "eve", Answer::Approve, &json!({}))),
        "not_a_reviewer"
    );
    says(&mut run, "bob", Answer::Approve, &json!({"scale": 0.25})).unwrap();
    run.advance();
    assert_eq!(run.status_of("ask"), "succeeded");
    let outputs = run.state.step_with_id("end").unwrap().1.outputs.clone();
    assert_eq!(json!(outputs), json!({"scale": 0.25}));
}

#[test]
fn a_person_may_think_again_while_the_question_is_open() {
    let mut run = asked(&plan_of(TWO_OF_THEM));
    says(&mut run, "ada", Answer::Reject, &json!({})).unwrap();
    says(&mut run, "ada", Answer::Approve, &json!({})).unwrap();
    says(&mut run, "bob", Answer::Reject, &json!({})).unwrap();
    run.advance();
    assert_eq!(run.status_of("ask"), "waiting", "one yes, one no");
    says(&mut run, "ada", Answer::Reject, &json!({})).unwrap();
    run.advance();
    assert_eq!(run.status_of("ask"), "rejected");
    assert_eq!(run.state.status().as_str(), "rejected");
    assert_eq!(
        code_of(says(&mut run, "bob", Answer::Reject, &json!({}))),
        "ok"
    );
    assert_eq!(
        code_of(says(&mut run, "bob", Answer::Approve, &json!({}))),
        "already_decided"
    );
}

/// The instants at which a run wakes without being asked to.
fn wakes(run: &Simulation, now: Timestamp) -> Vec<(Timestamp, bool)> {
    let owed = effects(&run.state, now).into_iter();
    owed.map(|effect| match effect {
        stepwell::run::Effect::WakeAt { at, idle, .. } => (at, idle),
        other => panic!("{other:?}"),
    })
    .collect()
}

fn names(run: &Simulation) -> Vec<&'static str> {
    run.history.iter().map(|r| r.event.name()).collect()
}

#[test]
fn people_are_reminded_and_then_the_time_is_over() {
    let mut run = asked(&plan_of(TWO_OF_THEM));
    let begun = question(&run.state).request.expires_at.unwrap();
    assert_eq!(
        wakes(&run, Timestamp::from_micros(0)),
        [(question(&run.state).request.remind_at[0], true)]
    );
    says(&mut run, "ada", Answer::Approve, &json!({})).unwrap();
    run.rest(&mut World::sampling(0).voting(|_| None));
    let names = names(&run);
    let reminders = names.iter().filter(|n| **n == "ApprovalReminded").count();
    assert_eq!(reminders, 2, "{names:?}");
    let closed = question(&run.state).closed.clone().unwrap();
    assert_eq!(closed.0, Closed::Expired);
    assert!(closed.2 >= begun);
    assert_eq!(run.state.status().as_str(), "rejected");
    let why = run.state.step_with_id("ask").unwrap().1.why.clone();
    assert_eq!(why.unwrap(), "1 of 2 people said yes within 1h");
    assert_eq!(
        code_of(says(&mut run, "bob", Answer::Approve, &json!({}))),
        "already_decided"
    );
}

#[test]
fn on_timeout_may_fail_the_step_or_ask_more_people_once() {
    let with = |more: &str| {
        plan_of(&format!(
            "steps:\n  - id: ask\n    approval:\n      title: Go?\n      timeout: 1h\n      reviewers: {{users: [ada]}}\n      {more}\n"
        ))
    };
    let mut run = asked(&with("on_timeout: fail"));
    run.rest(&mut World::sampling(0).voting(|_| None));
    let failure = run.state.step_with_id("ask").unwrap().1.failure.clone();
    let failure = failure.unwrap();
    assert_eq!(failure.code, "approval_expired");
    assert_eq!(failure.kind.as_str(), "timeout");
    assert_eq!(run.state.status().as_str(), "failed");

    let escalating = with("on_timeout: escalate\n      escalate_to: {users: [eve]}");
    let mut run = asked(&escalating);
    assert_eq!(
        code_of(says(&mut run, "eve", Answer::Approve, &json!({}))),
        "not_a_reviewer"
    );
    let first = question(&run.state).expires_at().unwrap();
    run.at(first);
    run.advance();
    assert!(question(&run.state).escalated.is_some());
    let second = question(&run.state).expires_at().unwrap();
    assert_eq!(second, first.plus(Duration::from_secs(3_600)), "anew");
    let mut answered = run.crashed(run.history.len());
    says(&mut answered, "eve", Answer::Approve, &json!({})).unwrap();
    answered.advance();
    assert_eq!(answered.state.status().as_str(), "succeeded");
    run.at(second);
    run.advance();
    assert_eq!(run.state.status().as_str(), "rejected", "only once");
}

#[test]
fn the_log_decides_between_an_answer_and_the_end_of_the_time() {
    let plan = plan_of("steps:\n  - id: ask\n    approval: {title: Go?, timeout: 1h}\n");
    let due = |run: &Simulation| question(&run.state).expires_at().unwrap();
    // The answer is in the log first, even without what follows from it: it counts.
    let mut run = asked(&plan);
    says(&mut run, "ada", Answer::Approve, &json!({})).unwrap();
    let voted = names(&run).iter().position(|n| *n == "ApprovalVoted");
    let mut cut = run.crashed(voted.unwrap() + 1);
    assert!(question(&cut.state).closed.is_none());
    cut.at(due(&cut));
    cut.advance();
    assert_eq!(cut.state.status().as_str(), "succeeded");
    // What is due is recorded first: then the answer is late.
    let mut run = asked(&plan);
    run.at(due(&run));
    run.advance();
    assert_eq!(
        code_of(says(&mut run, "ada", Answer::Approve, &json!({}))),
        "already_decided"
    );
    // Nobody recorded it: the question is open in the log.
    let mut run = asked(&plan);
    run.at(due(&run));
    says(&mut run, "ada", Answer::Approve, &json!({})).unwrap();
    run.advance();
    assert_eq!(run.state.status().as_str(), "succeeded");
}

#[test]
fn a_form_may_need_a_value_for_a_no() {
    let plan = plan_of(
        "steps:\n  - id: ask\n    approval:\n      title: Go?\n      form:\n        \
         reason: {type: string, required_on: [reject]}\n        scale: {type: float}\n",
    );
    let mut run = asked(&plan);
    let mut tried = |answer, form: Value| code_of(says(&mut run, "ada", answer, &form));
    assert_eq!(tried(Answer::Reject, json!({})), "form_invalid");
    assert_eq!(tried(Answer::Approve, json!({})), "form_invalid", "scale");
    assert_eq!(tried(Answer::Reject, json!({"reason": 1})), "form_invalid");
    assert_eq!(tried(Answer::Reject, json!({"reason": "storm"})), "ok");
    let vote = question(&run.state).votes.last().unwrap().1.clone();
    assert_eq!(json!(vote.form), json!({"reason": "storm"}));
}

/// What may happen to an open question, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Says(&'static str, Answer),
    Time,
    Cancel,
    Crash,
}

const MOVES: [Move; 8] = [
    Move::Says("ada", Answer::Approve),
    Move::Says("ada", Answer::Reject),
    Move::Says("bob", Answer::Approve),
    Move::Says("cem", Answer::Reject),
    Move::Says("eve", Answer::Approve),
    Move::Time,
    Move::Cancel,
    Move::Crash,
];

/// Plays the moves; `advances` says whether bookkeeping follows each at once, as it does in the engine.
fn play(plan: &Arc<Plan>, moves: &[Move], advances: bool) {
    let mut run = asked(plan);
    for step in moves {
        match step {
            Move::Says(person, answer) => {
                let before = run.state.clone();
                let first = says(&mut run, person, *answer, &json!({}));
                let seq = run.state.seq;
                let again = says(&mut run, person, *answer, &json!({}));
                if first.is_ok() {
                    assert_eq!(again, Ok(()), "{moves:?}: the same answer again");
                    assert_eq!(run.state.seq, seq, "{moves:?}: has no effect");
                } else {
                    assert_eq!(run.state, before, "{moves:?}: a refusal changes nothing");
                }
            }
            Move::Time => {
                if let Some(due) = question(&run.state).due_at() {
                    run.at(due);
                    run.advance();
                }
            }
            Move::Cancel => {
                // After the end it is refused.
                let _ = run.submit(Command::Cancel { reason: None });
            }
            Move::Crash => {
                run = run.crashed(run.history.len() - 1);
                run.advance();
            }
        }
        if advances {
            run.advance();
        }
    }
    run.rest(&mut World::sampling(0).voting(|_| None));
    let asked = question(&run.state);
    let (outcome, ..) = asked
        .closed
        .clone()
        .unwrap_or_else(|| panic!("{moves:?}: it is closed"));
    let closes = names(&run)
        .iter()
        .filter(|n| **n == "ApprovalClosed")
        .count();
    assert_eq!(closes, 1, "{moves:?}");
    let yes: BTreeSet<String> = asked.tally().yes.iter().map(|p| (*p).to_owned()).collect();
    let allowed = ["ada", "bob", "cem"];
    assert!(
        yes.iter().all(|p| allowed.contains(&p.as_str())),
        "{moves:?}: {yes:?}"
    );
    let succeeded = run.status_of("ask") == "succeeded";
    let stopped = run.state.cancel.is_some();
    assert!(!succeeded || outcome == Closed::Approved, "{moves:?}");
    assert!(
        succeeded || stopped || outcome != Closed::Approved,
        "{moves:?}"
    );
    if outcome == Closed::Approved {
        assert!(yes.len() >= 2, "{moves:?}: {yes:?}");
    }
    assert!(run.state.ending.is_some(), "{moves:?}");
}

#[test]
fn every_order_of_four_moves_is_legal_and_closes_once() {
    let plan = plan_of(TWO_OF_THEM);
    let count = MOVES.len();
    for number in 0..count.pow(4) {
        let digit = |place: u32| MOVES[number / count.pow(place) % count];
        let moves = [digit(0), digit(1), digit(2), digit(3)];
        play(&plan, &moves, number % 3 != 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_random_orders_are_legal_and_close_once(picks in prop::collection::vec(0..MOVES.len(), 0..14), advances in any::<bool>()) {
        let moves: Vec<Move> = picks.iter().map(|pick| MOVES[*pick]).collect();
        play(&plan_of(TWO_OF_THEM), &moves, advances);
    }
}

const PY: &str = "python: {code: \"results = {'x': 1}\"}";

/// Answers each question as often as `wants` says with "not like this", then with yes.
fn wanting(wants: usize) -> World {
    let asked_before = std::cell::Cell::new(0);
    World::new(|_, attempt| Ends::With(json!({"x": attempt}))).voting(move |asked| {
        let sent_back = asked.request.changes_left > 0
            && asked.request.changes.is_some()
            && asked_before.get() < wants;
        if sent_back {
            asked_before.set(asked_before.get() + 1);
            return Some((Answer::RequestChanges, Values::new()));
        }
        Some((Answer::Approve, Values::new()))
    })
}

fn ran(world: &World) -> Vec<String> {
    let ledger = world.ledger.iter();
    ledger
        .map(|(step, times)| format!("{step} {times}"))
        .collect()
}

#[test]
fn rule_11_changes_rewind_to_a_step_with_the_text_and_so_often_at_most() {
    let text = format!(
        "steps:\n  - id: load\n    {PY}\n  - id: make\n    {PY}\n  - id: look\n    {PY}\n  - id: side\n    needs: [load]\n    {PY}\n  \
         - id: ask\n    needs: [look]\n    approval: {{title: Good?, on_changes: make, max_changes: 2}}\n  - id: end\n    {PY}\n"
    );
    let plan = plan_of(&text);
    let mut world = wanting(9);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "succeeded");
    assert_eq!(
        ran(&world),
        ["end 1", "load 1", "look 3", "make 3", "side 1"]
    );
    let make = run.state.step_with_id("make").unwrap().1;
    assert_eq!(
        make.attempts.iter().map(|a| a.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(make.rewound && make.current_attempts().len() == 1);
    let ids: BTreeSet<_> = run.state.approvals.keys().collect();
    assert_eq!(ids.len(), 3, "each time a question of its own");
    let scope = RunScope::new(&run.state);
    let Lookup::Value { value, .. } = scope.lookup(&["changes"]) else {
        panic!("`changes` is in scope")
    };
    let changes = value.to_json();
    assert_eq!(changes.as_array().unwrap().len(), 2);
    assert_eq!(changes[0]["by"], "ada");
    assert_eq!(changes[0]["text"], "as agreed");
    let mut third = run.crashed(
        run.history
            .iter()
            .rposition(|r| r.event.name() == "ApprovalRequested")
            .unwrap()
            + 1,
    );
    assert_eq!(
        code_of(says(&mut third, "ada", Answer::RequestChanges, &json!({}))),
        "no_changes_here",
        "a third time"
    );
    // A wish needs words, and a question that says where to go back to.
    let mut run = asked(&plan);
    run.rest(&mut World::sampling(0).voting(|_| None));
    let no_text = Vote {
        comment: None,
        ..vote(question(&run.state), Answer::RequestChanges, Values::new())
    };
    assert_eq!(
        code_of(run.submit(Command::Vote(no_text))),
        "comment_missing"
    );
    let mut run = asked(&plan_of(TWO_OF_THEM));
    assert_eq!(
        code_of(says(&mut run, "ada", Answer::RequestChanges, &json!({}))),
        "no_changes_here"
    );
}

/// Rewinds in every kind of place, and the counts of how often each step ran.
fn places() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let ask = "approval: {title: Good?, on_changes: make}";
    vec![
        (
            "an arm",
            format!(
                "steps:\n  - id: pick\n    switch:\n      - name: a\n        else: true\n        steps:\n          - id: before\n            {PY}\n          \
                 - id: make\n            {PY}\n          - id: ask\n            {ask}\n          - id: after\n            {PY}\n  - id: end\n    {PY}\n"
            ),
            vec!["end 1", "pick.after 1", "pick.before 1", "pick.make 2"],
        ),
        (
            "a switch between target and question",
            format!(
                "steps:\n  - id: make\n    {PY}\n  - id: pick\n    switch:\n      - name: a\n        else: true\n        steps:\n          - id: inner\n            {PY}\n  \
                 - id: ask\n    {ask}\n"
            ),
            vec!["make 2", "pick.inner 2"],
        ),
        (
            "a parallel",
            format!(
                "steps:\n  - id: both\n    parallel:\n      - name: left\n        steps:\n          - id: make\n            {PY}\n          - id: ask\n            {ask}\n      \
                 - name: right\n        steps:\n          - id: other\n            {PY}\n  - id: end\n    {PY}\n"
            ),
            vec!["both.left.make 2", "both.right.other 1", "end 1"],
        ),
        (
            "an item",
            format!(
                "steps:\n  - id: per\n    foreach:\n      items: [1, 2]\n      as: item\n      steps:\n        - id: make\n          {PY}\n        \
                 - id: ask\n          {ask}\n  - id: end\n    {PY}\n"
            ),
            vec!["end 1", "per[0].make 2", "per[1].make 1"],
        ),
        (
            "a foreach and an until between target and question",
            format!(
                "steps:\n  - id: make\n    {PY}\n  - id: per\n    foreach:\n      items: [1, 2]\n      as: item\n      steps:\n        - id: fit\n          {PY}\n  \
                 - id: poll\n    until:\n      condition: ${{{{ round.index >= 2 }}}}\n      max: 3\n      as: round\n      steps:\n        - id: try_it\n          {PY}\n  \
                 - id: ask\n    {ask}\n"
            ),
            vec![
                "make 2",
                "per[0].fit 2",
                "per[1].fit 2",
                "poll[1].try_it 2",
                "poll[2].try_it 2",
            ],
        ),
    ]
}

#[test]
fn changes_rewind_in_every_kind_of_place_whatever_event_it_crashes_after() {
    for (place, text, counts) in places() {
        let plan = plan_of(&text);
        let mut world = wanting(1);
        let mut base = Simulation::new(&plan, &json!({}));
        base.rest(&mut world);
        assert_eq!(base.state.status().as_str(), "succeeded", "{place}");
        assert_eq!(ran(&world), counts, "{place}");
        let steps = base.state.steps().count();
        assert_eq!(base.state.step_count(), steps, "{place}: the count is kept");
        assert_eq!(base.state.settled_count(), steps, "{place}");
        let rewinds = names(&base)
            .iter()
            .filter(|n| **n == "StepsRewound")
            .count();
        assert_eq!(rewinds, 1, "{place}");
        for kept in 1..=base.history.len() {
            let mut run = base.crashed(kept);
            let asked_for = names(&run).contains(&"ApprovalVoted");
            let mut world = wanting(usize::from(!asked_for));
            world.adopted = Adopted::Finished;
            run.rest(&mut world);
            assert_eq!(
                run.state.status().as_str(),
                "succeeded",
                "{place}: cut after {kept}"
            );
            let rewinds = names(&run).iter().filter(|n| **n == "StepsRewound").count();
            assert_eq!(rewinds, 1, "{place}: cut after {kept}");
            let numbers = |run: &Simulation| -> Vec<(String, Vec<u32>)> {
                let attempts = |state: &stepwell::run::StepState| {
                    state
                        .attempts
                        .iter()
                        .map(|attempt| attempt.number)
                        .collect()
                };
                let steps = run.state.steps();
                steps
                    .map(|(_, state)| (state.path.to_string(), attempts(state)))
                    .collect()
            };
            assert_eq!(numbers(&run), numbers(&base), "{place}: cut after {kept}");
        }
    }
}

#[test]
fn what_runs_beside_is_stopped_before_it_begins_anew_and_other_questions_are_superseded() {
    let text = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: slow\n    needs: [make]\n    {PY}\n  - id: other\n    needs: [make]\n    approval: {{title: Other?}}\n  \
         - id: ask\n    needs: [make]\n    approval: {{title: Good?, on_changes: make}}\n  - id: end\n    needs: [slow, other, ask]\n    {PY}\n"
    );
    let mut run = Simulation::new(&plan_of(&text), &json!({}));
    let mut world = World::sampling(0).voting(|_| None);
    run.rest(&mut world);
    // As if `slow` were still running.
    let begun = run.history.iter().rposition(
        |r| matches!(&r.event, Event::AttemptStarted(started) if started.step.as_str() == "slow"),
    );
    let mut run = run.crashed(begun.unwrap() + 1);
    run.advance();
    let good = run
        .state
        .open_approvals()
        .find(|a| a.request.changes.is_some());
    let wish = vote(good.unwrap(), Answer::RequestChanges, Values::new());
    run.submit(Command::Vote(wish)).unwrap();
    run.advance();
    assert!(!names(&run).contains(&"StepsRewound"), "slow still runs");
    let owed = effects(&run.state, Timestamp::from_micros(i64::MAX));
    assert!(
        matches!(owed.as_slice(), [stepwell::run::Effect::Kill { step, .. }] if step.as_str() == "slow"),
        "{owed:?}"
    );
    let other = run
        .state
        .approvals
        .values()
        .find(|a| a.request.changes.is_none());
    assert_eq!(
        other.unwrap().closed.as_ref().unwrap().0,
        Closed::Superseded
    );
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status().as_str(), "succeeded");
    assert_eq!(run.state.approvals.len(), 4, "both were asked again");
    let slow = run.state.step_with_id("slow").unwrap().1;
    assert_eq!(
        (slow.attempts.len(), slow.status),
        (2, StepStatus::Succeeded)
    );
}

#[test]
fn a_cancel_ends_a_run_that_is_about_to_begin_anew() {
    let text = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: ask\n    approval: {{title: Good?, on_changes: make}}\n"
    );
    let mut run = Simulation::new(&plan_of(&text), &json!({}));
    run.rest(&mut World::sampling(0).voting(|_| None));
    says(&mut run, "ada", Answer::RequestChanges, &json!({})).unwrap();
    run.submit(Command::Cancel { reason: None }).unwrap();
    let mut world = World::sampling(0).voting(|_| None);
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "cancelled");
    assert!(world.ledger.is_empty());
}

/// What the program knows of people: the command line, config.yml, and a store between the processes.
#[test]
fn two_people_send_back_look_again_and_agree() {
    let place = Place::new();
    place.write(
        "two.yml",
        "version: 1\nname: two\nsteps:\n  - id: make\n    set: {wishes: \"${{ len(changes) }}\"}\n  - id: ask\n    approval:\n      \
         title: Good after ${{ steps.make.outputs.wishes }}?\n      on_changes: make\n      required: 2\n      allow_self: false\n      \
         reviewers: {users: [ada], roles: [lead]}\n      timeout: 1h\noutputs: {wishes: \"${{ steps.make.outputs.wishes }}\"}\n",
    );
    place.write("config.yml", "people:\n  roles: {lead: [bob]}\n");
    let waiting = place.json(3, &["run", "two.yml"]);
    let asked = &waiting["waiting"][0];
    assert_eq!(asked["required"], 2);
    assert_eq!(
        asked["reviewers"],
        json!({"users": ["ada"], "roles": ["lead"]})
    );
    assert_eq!(asked["answers"], json!(["approve", "reject", "changes"]));
    assert!(asked["expires_at"].is_string());
    let me = place.run(&["approve", "@last"]);
    assert_eq!(me.code, Some(1));
    assert!(me.err.starts_with("error[not_a_reviewer]"), "{}", me.err);
    let listed = place.json(0, &["approvals"]);
    assert_eq!(listed["approvals"][0]["you"]["answers"], json!([]));
    let wish = [
        "request-changes",
        "@last",
        "--as",
        "bob",
        "--comment",
        "finer",
        "--resume",
    ];
    let again = place.json(3, &wish);
    assert_eq!(again["waiting"][0]["title"], "Good after 1?");
    let one = place.json(0, &["approve", "@last", "--as", "ada"]);
    assert_eq!(
        (&one["closed"], &one["yes"]),
        (&Value::Null, &json!(["ada"]))
    );
    assert_eq!(
        place.run(&["approve", "@last", "--as", "ada"]).code,
        Some(0)
    );
    let text = place.text(0, &["approvals"]);
    assert!(
        text.contains("1 of 2: ada") && text.contains("request-changes"),
        "{text}"
    );
    let done = place.json(0, &["approve", "@last", "--as", "bob", "--resume"]);
    assert_eq!(done["outputs"], json!({"wishes": 1}));
}

#[test]
fn the_questions_of_all_items_are_answered_at_once() {
    let place = Place::new();
    place.write(
        "many.yml",
        "version: 1\nname: many\nsteps:\n  - id: per\n    foreach:\n      items: [1, 2, 3]\n      as: item\n      key: ${{ item }}\n      steps:\n        \
         - id: ask\n          approval: {title: \"Item ${{ item }}?\", form: {scale: {type: float}}}\n",
    );
    place.json(3, &["run", "many.yml"]);
    let shown = place.run(&["approvals", "@last"]).out;
    let hint = shown.find("the 3 questions of `per` at once:\n  stepwell approve ");
    assert!(hint.is_some() && shown.contains(" --group per"), "{shown}");
    let all = ["approve", "@last", "--group", "per", "--form", "scale=0.5"];
    let answered = place.json(0, &all);
    let answered = answered["answered"].as_array().unwrap();
    assert_eq!(answered.len(), 3);
    assert!(
        answered.iter().all(|one| one["recorded"] == true),
        "{answered:?}"
    );
    let none = place.run(&all);
    assert_eq!(none.code, Some(2));
    assert!(
        none.err.starts_with("error[no_open_approval]"),
        "{}",
        none.err
    );
    assert_eq!(place.json(0, &["resume", "@last"])["status"], "succeeded");
}
