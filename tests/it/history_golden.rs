//! Histories of released formats, kept as they were written: they must fold to the same state for ever.
//!
//! `STEPWELL_WRITE_GOLDEN=1` writes a history that is not there yet; one that is there is never written again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{RunId, StepPath};
use stepwell::plan::Plan;
use stepwell::run::payload::{Answer, FilesRemoved, Values};
use stepwell::run::{Actor, Command, NewRecord, REGISTRY, Record, Recorded, RunState, run_json};

use crate::crash::product_plans;
use crate::machine::plan_of;
use crate::simulator::{Ends, Simulation, World, replayed, sample, sample_results};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/histories/v1")
}

/// Every way that a run can go, so that every kind of event stands in some golden history.
fn stories() -> Vec<(String, Arc<Plan>, Simulation)> {
    let mut stories = Vec::new();
    for (name, plan) in product_plans() {
        let inputs: Value = plan
            .inputs
            .iter()
            .map(|(name, field)| (name.clone(), sample(field, 1)))
            .collect();
        let mut run = Simulation::new(&plan, &inputs);
        run.rest(&mut World::sampling(1));
        let file = name.rsplit('/').next().unwrap_or_default();
        stories.push((file.replace(".yml", ""), plan, run));
    }
    let troubled = plan_of(
        "steps:\n  - id: flaky\n    python: {code: 'results = {}'}\n    retry: {max_attempts: 2, delay: 1s, kinds: [code]}\n    \
         on_failure: continue\n  - id: skipped\n    if: ${{ 1 > 2 }}\n    set: {x: 1}\n  - id: needs_it\n    needs: [skipped]\n    \
         set: {y: 2}\n  - id: pick\n    needs: []\n    switch:\n      - name: a\n        when: ${{ 1 > 2 }}\n        set: {v: 1}\n      \
         - name: b\n        else: true\n        steps:\n          - id: inner\n            set: {w: 1}\n        set: {v: 2}\n  \
         - id: write\n    needs: []\n    python: {code: 'results = {}', mode: write_access}\n  - id: ask\n    needs: []\n    approval: {title: go on}\n",
    );
    let boom = || Failure::new(FailureKind::Code, stepwell::code::BAD_OUTPUT, "boom");
    let world = || {
        World::new(move |step, _| {
            if step.id == "flaky" {
                Ends::Failing(boom())
            } else {
                Ends::With(sample_results(step, 0))
            }
        })
    };
    let mut rejected = Simulation::new(&troubled, &json!({}));
    rejected.rest(
        &mut world().voting(|asked| match asked.request.step.as_str() {
            "ask" => Some((Answer::Reject, Values::new())),
            _ => Some((Answer::Approve, Values::new())),
        }),
    );
    let mut unknown = rejected.crashed_after("AttemptStarted");
    unknown.rest(&mut world().voting(|_| None));
    let mut cancelled = unknown.crashed(unknown.history.len());
    cancelled
        .submit(Command::Cancel {
            reason: Some("storm".to_owned()),
        })
        .unwrap();
    cancelled.rest(&mut world());
    let mut failed = Simulation::new(
        &plan_of("steps:\n  - id: a\n    python: {code: 'results = {}'}\n"),
        &json!({}),
    );
    failed.rest(&mut World::new(move |_, _| Ends::Failing(boom())));
    let mut pruned = Simulation::new(&failed.plan, &json!({}));
    pruned.rest(&mut World::sampling(1));
    for steps in [vec![StepPath::new("a")], Vec::new()] {
        let removed = FilesRemoved {
            steps,
            by: "user:ada".to_owned(),
            why: "kept for 30d after the end of the run".to_owned(),
        };
        pruned.submit(Command::RemoveFiles(removed)).unwrap();
    }
    stories.push(("pruned".to_owned(), Arc::clone(&pruned.plan), pruned));
    let handled = handled();
    stories.push(("handlers".to_owned(), Arc::clone(&handled.plan), handled));
    stories.push(("rejected".to_owned(), Arc::clone(&troubled), rejected));
    stories.push(("unknown".to_owned(), Arc::clone(&troubled), unknown));
    stories.push(("cancelled".to_owned(), troubled, cancelled));
    stories.push(("failed".to_owned(), Arc::clone(&failed.plan), failed));
    for (name, run) in crate::rerun::stories() {
        stories.push((name.to_owned(), Arc::clone(&run.plan), run));
    }
    for (name, run) in crate::edits::stories() {
        stories.push((name.to_owned(), Arc::clone(&run.plan), run));
    }
    for (name, run) in crate::cache::stories() {
        stories.push((name.to_owned(), Arc::clone(&run.plan), run));
    }
    for (name, run) in crate::flow::stories() {
        stories.push((name.to_owned(), Arc::clone(&run.plan), run));
    }
    stories.push(unanswered());
    stories.push(acted());
    stories
}

/// Actions of a program's own: one that reads, and one that writes and whose end nobody saw.
fn acted() -> (String, Arc<Plan>, Simulation) {
    let plan = plan_of(
        "steps:\n  - id: frame\n    action: camera.frame\n    with: {exposure: 2}\n    outputs: {path: string}\n  \
         - id: entry\n    action: {name: log.entry, mode: write_access}\n    with: {text: \"${{ steps.frame.outputs.path }}\"}\n",
    );
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut World::sampling(0));
    let mut run = run.crashed_after("AttemptStarted");
    let again = json!({"answer": "run_again"});
    let again = again.as_object().cloned().unwrap_or_default();
    run.rest(&mut World::sampling(0).voting(move |_| Some((Answer::Approve, again.clone()))));
    ("acted".to_owned(), plan, run)
}

/// A question that is sent back, then nobody answers: people are reminded, more are asked, the time is over.
fn unanswered() -> (String, Arc<Plan>, Simulation) {
    let plan = plan_of(
        "steps:\n  - id: make\n    set: {wishes: \"${{ len(changes) }}\"}\n  - id: ask\n    approval:\n      title: Good?\n      \
         reviewers: {users: [ada]}\n      remind: [10m]\n      timeout: 1h\n      on_timeout: escalate\n      \
         escalate_to: {users: [eve]}\n      on_changes: make\n",
    );
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut World::sampling(0).voting(|asked| {
        let first = asked.request.changes_left == 5;
        first.then(|| (Answer::RequestChanges, Values::new()))
    }));
    ("unanswered".to_owned(), plan, run)
}

/// A run that tells of its question, fails, and whose last handler runs out of time.
fn handled() -> Simulation {
    let plan = plan_of(
        "steps:\n  - id: ask\n    approval: {title: go on, notify: [ops]}\n  - id: read\n    \
         http: {method: GET, url: 'http://a.example/${{ steps.ask.status }}'}\n  - id: stop\n    fail: {message: enough}\n\
         handlers:\n  timeout: 1m\n  waiting:\n    - id: tell\n      notify: {webhook: 'http://a.example', text: \"${{ approval.title }}\"}\n  \
         failure:\n    - id: why\n      set: {message: \"${{ failure.message }}\"}\n  finish:\n    - id: seen\n      approval: {title: seen?}\n",
    );
    let mut run = Simulation::new(&plan, &json!({}));
    let mut world = World::sampling(0).voting(|asked| {
        (asked.request.step.as_str() == "ask").then(|| (Answer::Approve, Values::new()))
    });
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "failed");
    run
}

fn to_json(plan: &Plan, run: &Simulation) -> Value {
    let records: Vec<Value> = run
        .history
        .iter()
        .map(|recorded| {
            let record = recorded.event.to_record(recorded.time, recorded.actor.clone()).unwrap();
            json!({
                "seq": recorded.seq, "epoch": recorded.epoch, "time": record.time, "kind": record.kind,
                "version": record.version, "actor": record.actor, "body": serde_json::from_slice::<Value>(&record.body).unwrap(),
            })
        })
        .collect();
    let later: Vec<Value> = run
        .later
        .iter()
        .map(|plan| serde_json::to_value(plan.as_ref()).unwrap())
        .collect();
    json!({"later_plans": later, "plan": serde_json::to_value(plan).unwrap(), "records": records, "state": run_json(&run.state)})
}

fn read(document: &Value) -> RunState {
    let plan = Plan::from_bytes(document["plan"].to_string().as_bytes()).unwrap();
    let run: RunId = document["state"]["run_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let history: Vec<Recorded> = document["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let record = Record {
                run,
                seq: line["seq"].as_u64().unwrap(),
                epoch: line["epoch"].as_u64().unwrap(),
                previous: Record::CHAIN_START,
                content: NewRecord {
                    time: line["time"].as_str().unwrap().parse().unwrap(),
                    kind: u16::try_from(line["kind"].as_u64().unwrap()).unwrap(),
                    version: u8::try_from(line["version"].as_u64().unwrap()).unwrap(),
                    actor: line["actor"].as_str().unwrap().parse::<Actor>().unwrap(),
                    body: line["body"].to_string().into_bytes(),
                },
            };
            Recorded::from_record(&record).unwrap()
        })
        .collect();
    let later = document["later_plans"].as_array().into_iter().flatten();
    let later: Vec<Arc<Plan>> = later
        .map(|plan| Arc::new(Plan::from_bytes(plan.to_string().as_bytes()).unwrap()))
        .collect();
    replayed(run, (&Arc::new(plan), &later), &history)
}

#[test]
fn golden_histories_fold_to_the_state_that_they_folded_to_when_they_were_written() {
    if std::env::var("STEPWELL_WRITE_GOLDEN").is_ok() {
        std::fs::create_dir_all(folder()).unwrap();
        for (name, plan, run) in stories() {
            let path = folder().join(format!("{name}.json"));
            if !path.exists() {
                std::fs::write(
                    path,
                    serde_json::to_string_pretty(&to_json(&plan, &run)).unwrap() + "\n",
                )
                .unwrap();
            }
        }
    }
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let state = read(&document);
        // Later versions may add fields to the document; what stood there must stand there still.
        contains(
            &run_json(&state),
            &document["state"],
            &path.display().to_string(),
        );
        for line in document["records"].as_array().unwrap() {
            kinds.insert(line["kind"].as_u64().unwrap());
        }
    }
    let missing: Vec<_> = REGISTRY
        .iter()
        .filter(|(kind, _, _)| !kinds.contains(&u64::from(*kind)))
        .collect();
    assert!(missing.is_empty(), "no golden history has {missing:?}");
}

fn contains(found: &Value, golden: &Value, place: &str) {
    match (found, golden) {
        (Value::Object(found), Value::Object(golden)) => {
            for (key, value) in golden {
                let there = found
                    .get(key)
                    .unwrap_or_else(|| panic!("{place}.{key} is gone"));
                contains(there, value, &format!("{place}.{key}"));
            }
        }
        (Value::Array(found), Value::Array(golden)) => {
            assert_eq!(found.len(), golden.len(), "{place}");
            for (index, (found, golden)) in found.iter().zip(golden).enumerate() {
                contains(found, golden, &format!("{place}[{index}]"));
            }
        }
        (found, golden) => assert_eq!(found, golden, "{place}"),
    }
}

#[test]
fn events_survive_their_bodies() {
    for (name, _, run) in stories() {
        for recorded in &run.history {
            let content = recorded
                .event
                .to_record(recorded.time, recorded.actor.clone())
                .unwrap();
            let record = Record {
                run: run.state.run,
                seq: recorded.seq,
                epoch: recorded.epoch,
                previous: Record::CHAIN_START,
                content,
            };
            assert_eq!(&Recorded::from_record(&record).unwrap(), recorded, "{name}");
        }
    }
}
