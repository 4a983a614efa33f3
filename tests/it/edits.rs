//! Code that a person changes instead of saying yes or no: looked at anew, asked about anew, never run without a yes.

use serde_json::{Value, json};
use stepwell::approval::Verdict;
use stepwell::id::{Digest, StepPath};
use stepwell::run::payload::{Answer, Closed, CodeEdited, Phase, Values};
use stepwell::run::{Command, Event, Refusal, RunStatus};

use crate::cli_rig::{Place, text};
use crate::machine::plan_of;
use crate::simulator::{Adopted, Simulation, World, edit, vote};

const WRITE: &str = "steps:\n  - id: a\n    python: {code: \"results = {}\", mode: write_access}\n";
const MADE: &[u8] = b"results = {'made': 1}\n";

fn asks(_: &stepwell::plan::Step) -> Verdict {
    Verdict::Ask
}

fn silent(allow_self: bool) -> World {
    let mut world = World::sampling(0).voting(|_| None);
    world.verdict = asks;
    world.allow_self = allow_self;
    world
}

/// A run that waits for a yes to its code.
fn asked(yaml: &str, allow_self: bool) -> Simulation {
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut silent(allow_self));
    run
}

fn change(run: &Simulation, person: &str, code: &[u8]) -> CodeEdited {
    let open = run.state.open_approvals().next().unwrap();
    edit(&run.state, open, person, code)
}

fn submit(run: &mut Simulation, edited: CodeEdited) -> Result<(), Refusal> {
    run.submit(Command::Edit(Box::new(edited)))
}

fn says(run: &mut Simulation, person: &str, answer: Answer) -> Result<(), Refusal> {
    let open = run.state.open_approvals().next().unwrap().clone();
    let vote = vote(&open, answer, Values::new());
    run.submit(Command::Vote(stepwell::run::Vote {
        person: person.to_owned(),
        ..vote
    }))
}

/// What began, with the code that was analysed last.
fn ran(run: &Simulation) -> Vec<(StepPath, Digest)> {
    let mut codes = std::collections::BTreeMap::new();
    let mut ran = Vec::new();
    for one in &run.history {
        match &one.event {
            Event::AnalysisReported(report) => {
                codes.insert(report.step.clone(), report.code);
            }
            Event::AttemptStarted(started) if started.phase == Phase::Execute => {
                ran.push((started.step.clone(), codes[&started.step]));
            }
            _ => {}
        }
    }
    ran
}

#[test]
fn whoever_may_approve_what_she_changed_has_said_yes_to_it() {
    let mut run = asked(WRITE, true);
    let first = run.state.open_approvals().next().unwrap().clone();
    let edited = change(&run, "ada", MADE);
    submit(&mut run, edited.clone()).unwrap();
    submit(&mut run, edited).unwrap();
    run.rest(&mut silent(true));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(ran(&run), [("a".into(), Digest::of(MADE))]);
    let all: Vec<_> = run.state.approvals.values().cloned().collect();
    let how = |place: usize| all[place].closed.clone().map(|(how, by, _)| (how, by));
    assert_eq!(how(0), Some((Closed::Superseded, "ada".to_owned())));
    assert_eq!(how(1), Some((Closed::Approved, "ada".to_owned())));
    assert_eq!(all[1].request.edited_by.as_deref(), Some("ada"));
    assert!(all[1].request.reason.starts_with("ada changed the code. "));
    // Whoever looked at the code before and says yes late says it to something else.
    let late = Command::Vote(vote(&first, Answer::Approve, Values::new()));
    assert_eq!(run.submit(late), Err(Refusal::Changed));
}

#[test]
fn where_nobody_approves_their_own_work_somebody_else_must() {
    let mut run = asked(WRITE, false);
    let edited = change(&run, "ada", MADE);
    submit(&mut run, edited).unwrap();
    run.rest(&mut silent(false));
    assert_eq!(run.state.status(), RunStatus::Waiting);
    assert_eq!(ran(&run), []);
    let refused = says(&mut run, "ada", Answer::Approve).unwrap_err();
    assert_eq!(refused.code().as_str(), "self_approval");
    // Another change makes bela the one who may not, and ada the one who may.
    let other = change(&run, "bela", b"results = {'made': 2}\n");
    submit(&mut run, other).unwrap();
    run.rest(&mut silent(false));
    assert!(says(&mut run, "bela", Answer::Approve).is_err());
    says(&mut run, "ada", Answer::Approve).unwrap();
    run.rest(&mut silent(false));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(
        ran(&run),
        [("a".into(), Digest::of(b"results = {'made': 2}\n"))]
    );
}

#[test]
fn who_changed_the_code_may_still_say_no() {
    let mut run = asked(WRITE, false);
    let edited = change(&run, "ada", MADE);
    submit(&mut run, edited).unwrap();
    run.rest(&mut silent(false));
    says(&mut run, "ada", Answer::Reject).unwrap();
    run.rest(&mut silent(false));
    assert_eq!(run.state.status(), RunStatus::Rejected);
}

#[test]
fn a_yes_to_what_was_looked_at_is_none_to_what_is_asked() {
    let mut run = asked(WRITE, true);
    let mut edited = change(&run, "ada", MADE);
    // The surroundings changed between the look and the analysis.
    edited.says_yes_to = Digest::of(b"other surroundings");
    submit(&mut run, edited).unwrap();
    run.rest(&mut silent(true));
    assert_eq!(run.state.status(), RunStatus::Waiting);
    assert_eq!(ran(&run), []);
}

#[test]
fn a_change_is_refused_where_it_can_not_be() {
    let mut run = asked(WRITE, true);
    let good = change(&run, "ada", MADE);
    let mut refused = |edited: CodeEdited| submit(&mut run, edited).unwrap_err().code().as_str();
    let base = CodeEdited {
        code: good.base,
        ..good.clone()
    };
    assert_eq!(refused(base), "edit_refused");
    let other = CodeEdited {
        base: Digest::of(b"x"),
        ..good.clone()
    };
    assert_eq!(refused(other), "approval_changed");
    let unseen = CodeEdited {
        subject_digest: Digest::of(b"x"),
        ..good.clone()
    };
    assert_eq!(refused(unseen), "approval_changed");
    let nobody = CodeEdited {
        person: " ".to_owned(),
        ..good.clone()
    };
    assert_eq!(refused(nobody), "not_a_reviewer");
    // An analysis of the code before is not taken for one of the changed code.
    let old = run.analysis(&"a".into(), &silent(true));
    submit(&mut run, good.clone()).unwrap();
    run.advance();
    assert!(run.submit(Command::Analysed(old)).is_err());
    // Two at once: the second is told.
    let second = CodeEdited {
        person: "bela".to_owned(),
        code: Digest::of(b"y"),
        ..good
    };
    assert_eq!(
        submit(&mut run, second).unwrap_err().code().as_str(),
        "approval_changed"
    );
    let mut author = Simulation::new(
        &plan_of("steps:\n  - id: q\n    approval: {title: go}\n"),
        &json!({}),
    );
    author.rest(&mut silent(true));
    let open = author.state.open_approvals().next().unwrap().clone();
    let edited = edit(&author.state, &open, "ada", MADE);
    assert_eq!(
        submit(&mut author, edited).unwrap_err().code().as_str(),
        "edit_refused"
    );
}

#[test]
fn code_that_was_written_or_stands_in_an_item_is_changed_too() {
    let task = "steps:\n  - id: a\n    python: {task: make something}\n    retry: {max_attempts: 2, delay: 1ms, kinds: [code]}\n";
    let items = "steps:\n  - id: many\n    foreach:\n      items: [1, 2]\n      as: it\n      steps:\n        - id: a\n          \
                 python: {code: 'results = {}', mode: write_access}\n";
    for (yaml, step, others) in [(task, "a", 0), (items, "many[1].a", 1)] {
        let mut run = asked(yaml, true);
        let open = run
            .state
            .open_approvals()
            .find(|asked| asked.request.step.as_str() == step);
        let edited = edit(&run.state, &open.unwrap().clone(), "ada", MADE);
        submit(&mut run, edited).unwrap();
        run.rest(&mut silent(true));
        assert_eq!(ran(&run), [(step.into(), Digest::of(MADE))], "{step}");
        assert_eq!(run.state.open_approvals().count(), others, "{step}");
    }
}

/// What happens after changed code, in a history of its own each.
pub(crate) fn stories() -> Vec<(&'static str, Simulation)> {
    let mut own = asked(WRITE, true);
    let edited = change(&own, "ada", MADE);
    submit(&mut own, edited).unwrap();
    own.rest(&mut silent(true));
    let mut second = asked(WRITE, false);
    let edited = change(&second, "ada", MADE);
    submit(&mut second, edited).unwrap();
    second.rest(&mut silent(false));
    says(&mut second, "bela", Answer::Approve).unwrap();
    second.rest(&mut silent(false));
    vec![("edited", own), ("edited_by_another", second)]
}

#[test]
fn changed_code_is_not_lost_whatever_event_it_crashes_after() {
    for (place, (name, base)) in stories().into_iter().enumerate() {
        assert_eq!(base.state.status(), RunStatus::Succeeded, "{name}");
        let is_edit = |event: &Event| matches!(event, Event::CodeEdited(_));
        let edited = base
            .history
            .iter()
            .position(|one| is_edit(&one.event))
            .unwrap();
        for kept in 1..=base.history.len() {
            for adopted in [Adopted::Finished, Adopted::LostBefore] {
                let mut run = base.crashed(kept);
                let mut world = silent(place == 0);
                world.adopted = adopted;
                run.rest(&mut world);
                if kept <= edited {
                    assert_eq!(ran(&run), [], "{name}: crash after {kept}");
                    continue;
                }
                if place == 1 && run.state.status() == RunStatus::Waiting {
                    assert_eq!(ran(&run), [], "{name}: crash after {kept}");
                    says(&mut run, "bela", Answer::Approve).unwrap();
                    run.rest(&mut world);
                }
                assert_eq!(run.outcome(), base.outcome(), "{name}: crash after {kept}");
                let codes = ran(&run)
                    .into_iter()
                    .all(|(_, code)| code == Digest::of(MADE));
                assert!(codes, "{name}: crash after {kept}");
            }
        }
    }
}

/// Asks because of its mode, and leaves what it was.
const CLI: &str = "version: 1\nname: writes\nsteps:\n  - id: work\n    python:\n      mode: write_access\n      \
code: |\n        results = {'n': 1}\noutputs: {n: \"${{ steps.work.outputs.n }}\"}\n";

fn place(config: &str) -> (Place, String) {
    let place = Place::new();
    place.write("writes.yml", CLI);
    place.write("config.yml", config);
    place.write("mine.py", "results = {'n': 2}\n");
    place.json(3, &["run", "writes.yml"]);
    let asked = open(&place);
    (place, text(&asked["approval_id"]).to_owned())
}

fn open(place: &Place) -> Value {
    place.json(0, &["approvals"])["approvals"][0].clone()
}

#[test]
fn approve_with_a_file_runs_that_code() {
    let (place, asked) = place("");
    let said = place.json(
        0,
        &["approve", &asked, "--edit", "mine.py", "--comment", "twice"],
    );
    assert_eq!(
        (&said["answer"], &said["counts_as_yes"]),
        (&json!("edit"), &json!(true))
    );
    assert!(
        text(&said["diff"]).contains("-results = {'n': 1}\n+results = {'n': 2}\n"),
        "{said}"
    );
    assert!(
        text(&said["next"]).starts_with("stepwell resume "),
        "{said}"
    );
    // The same again is no error; a yes to the code before is one.
    place.json(0, &["approve", &asked, "--edit", "mine.py"]);
    let late = place.run(&["approve", &asked]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.err.starts_with("error[approval_changed]"), "{late:?}");
    assert_eq!(
        place.json(0, &["resume", "@last"])["outputs"],
        json!({"n": 2})
    );
    let shown = place.run(&["explain", "@last", "work"]).out;
    assert!(shown.contains("changed the code"), "{shown}");
    assert_eq!(place.json(0, &["verify"])["sound"], true);
}

#[test]
fn code_from_standard_input_is_taken_and_driven_on() {
    let (place, asked) = place("");
    let mut command = place.command(&["approve", &asked, "--edit", "-", "--resume", "--json"]);
    command.stdin(std::fs::File::open(place.path("mine.py")).unwrap());
    let output = command.output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["outputs"], json!({"n": 2}), "{output:?}");
    let (place, asked) = self::place("");
    let none = place.run(&["approve", &asked, "--edit"]);
    assert_eq!(none.code, Some(2), "no terminal, no editor: {none:?}");
}

#[test]
fn somebody_else_is_asked_and_shown_the_change() {
    let (place, asked) = place("approval: {allow_self: false}\n");
    let ran = place.run(&[
        "approve", &asked, "--edit", "mine.py", "--as", "ada", "--resume",
    ]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.out.contains("edited    by ada since it was asked"),
        "{ran:?}"
    );
    assert!(ran.out.contains("+results = {'n': 2}"), "{ran:?}");
    let second = open(&place);
    assert_eq!(second["edited"]["person"], "ada");
    assert_ne!(second["subject_digest"], json!(null));
    let id = text(&second["approval_id"]);
    let own = place.run(&["approve", id, "--as", "ada"]);
    assert!(own.err.starts_with("error[self_approval]"), "{own:?}");
    let done = place.json(0, &["approve", id, "--as", "bela", "--resume"]);
    assert_eq!(done["outputs"], json!({"n": 2}));
}

#[test]
fn what_the_policy_refuses_is_not_taken_and_the_question_stays() {
    let (place, asked) = place("");
    for (code, why) in [
        ("results = {\n", "Line 2: unexpected EOF while parsing."),
        ("results = {'n': 1}\n", "nothing is changed"),
        (" \n", "it is empty"),
    ] {
        place.write("mine.py", code);
        let ran = place.run(&["approve", &asked, "--edit", "mine.py"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.starts_with("error[edit_refused]"), "{ran:?}");
        assert!(ran.err.contains(why), "{why}: {ran:?}");
        assert_eq!(open(&place)["approval_id"], json!(asked));
    }
    // Code that only reads may not be turned into code that writes.
    let place = Place::new();
    place.write(
        "reads.yml",
        &CLI.replace("mode: write_access", "mode: read_only")
            .replace(
                "    python:\n",
                "    approve_code: {when: true}\n    python:\n",
            ),
    );
    place.json(3, &["run", "reads.yml"]);
    place.write(
        "mine.py",
        "import epics\nepics.caput('A', 1)\nresults = {'n': 1}\n",
    );
    let asked = open(&place);
    let ran = place.run(&["approve", text(&asked["approval_id"]), "--edit", "mine.py"]);
    assert!(
        ran.err.starts_with("error[edit_refused]") && ran.err.contains("Line 2: `epics.caput`"),
        "{ran:?}"
    );
    assert_eq!(open(&place)["approval_id"], asked["approval_id"]);
    assert_eq!(
        place.json(0, &["approve", "@last", "--resume"])["outputs"],
        json!({"n": 1})
    );
}

/// The only one who is asked changes the code, and may not say yes to what she changed.
#[test]
fn a_change_that_leaves_nobody_who_may_say_yes_is_told_at_once() {
    let config = |people: &str| {
        format!("approval: {{allow_self: false}}\npeople: {{roles: {{lead: [{people}]}}}}\n")
    };
    let place = Place::new();
    place.write("config.yml", &config("ada"));
    let lead = "    approve_code: {when: true, reviewers: {roles: [lead]}}\n    python:\n";
    place.write("edited.yml", &CLI.replace("    python:\n", lead));
    place.write("mine.py", "results = {'n': 2}\n");
    let edit = || {
        place.json(3, &["run", "edited.yml"]);
        let asked = open(&place);
        let id = text(&asked["approval_id"]);
        place.run(&[
            "approve", id, "--edit", "mine.py", "--as", "ada", "--resume",
        ])
    };
    let ran = edit();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let said = "warning[self_approval]: too few people may say yes to the changed code of work";
    assert!(ran.err.contains(said), "{ran:?}");
    let row = "fewer people than must say yes may";
    assert!(ran.out.contains(row), "the question says it too: {ran:?}");
    // The way out that it names.
    place.write("config.yml", &config("ada, bela"));
    let shown = place.text(0, &["approvals"]);
    assert!(!shown.contains(row), "{shown}");
    let id = open(&place)["approval_id"].clone();
    place.json(0, &["approve", text(&id), "--as", "bela", "--resume"]);
    // Where somebody else is asked too, nothing is said.
    let ran = edit();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        !ran.err.contains("too few people may say yes") && !ran.out.contains(row),
        "{ran:?}"
    );
}
