//! What the steps of every kind compile to: their plans, their paths, what they wait for, who sees whom.

use std::collections::HashMap;
use std::time::Duration;

use stepwell::failure::FailureKind;
use stepwell::id::StepPath;
use stepwell::plan::graph;
use stepwell::plan::{
    Body, EdgeKind, HandlerKind, NotifyTarget, OnWaitTimeout, Plan, Step, StepKind, Tolerance,
    WaitOn,
};
use stepwell::workflow::{
    Compilation, CompileOptions, SourceError, Sources, WORKFLOW_DEPTH_MAX, compile,
};

use crate::workflow_compile::shown;

/// Files by their paths below the folder of the first workflow.
#[derive(Default)]
struct Files(HashMap<String, String>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self(owned.collect())
    }
}

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        if path == "a.py" {
            return Ok(b"results = {'x': 1}\n".to_vec());
        }
        let text = self.0.get(path).ok_or(SourceError::Missing)?;
        Ok(text.as_bytes().to_vec())
    }
}

fn compiled(text: &str, files: &Files) -> Compilation {
    let text = format!("version: 1\nname: w\n{text}");
    compile(
        "flows/w.yml",
        text.as_bytes(),
        files,
        &CompileOptions::default(),
    )
}

fn plan_beside(text: &str, files: &Files) -> Plan {
    let compilation = compiled(text, files);
    let said = shown(&compilation);
    compilation.plan.unwrap_or_else(|| panic!("{text}\n{said}"))
}

fn plan(text: &str) -> Plan {
    plan_beside(text, &Files::default())
}

fn step<'p>(plan: &'p Plan, id: &str) -> &'p Step {
    plan.steps.with_id(id).unwrap()
}

fn edges(plan: &Plan, id: &str) -> String {
    let edges: Vec<String> = step(plan, id)
        .edges
        .iter()
        .map(|edge| format!("{} {:?}", edge.from, edge.kind))
        .collect();
    edges.join(", ")
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.path.as_str()).collect()
}

fn written(paths: &[StepPath]) -> Vec<&str> {
    paths.iter().map(StepPath::as_str).collect()
}

const NESTED: &str = r#"
steps:
  - {id: a, set: {x: 1, list: [1, 2]}}
  - {id: b, needs: [], set: {x: 1}}
  - id: per_item
    needs: []
    foreach:
      items: ${{ steps.a.outputs.list }}
      as: item_of
      key: k${{ item_of }}
      steps:
        - {id: fit, python: {file: a.py}, with: {n: "${{ item_of }}", b: "${{ steps.b.outputs.x }}"}}
        - id: poll
          until:
            condition: ${{ steps.check.outputs.x > item_of }}
            max: 3
            every: 10s
            steps:
              - {id: check, set: {x: "${{ round.index + steps.c.outputs.x }}", y: "${{ default(round.previous.check.x, 0) }}"}}
            collect: {last: "${{ steps.check.outputs.x }}", far: "${{ steps.fit.outputs.x + steps.d.outputs.x }}"}
      collect: {rms: "${{ steps.fit.outputs.rms + steps.poll.outputs.last + steps.poll.outputs.rounds }}"}
  - {id: c, needs: [], set: {x: 1}}
  - {id: d, needs: [], set: {x: 1}}
  - id: par
    needs: [per_item]
    parallel:
      - name: left
        steps: [{id: one, set: {x: 1}}, {id: two, set: {x: "${{ steps.c.outputs.x }}"}}]
      - name: right
        steps: [{id: three, set: {x: "${{ steps.per_item.outputs.rms }}"}}]
  - {id: end, set: {x: "${{ steps.par.outputs.left.two.x + len(steps.per_item.outputs.keys) + len(steps.per_item.failures) }}"}}
"#;

#[test]
fn steps_inside_containers_have_paths_parents_and_bodies() {
    let plan = plan(NESTED);
    assert_eq!(
        paths(&plan),
        [
            "a",
            "b",
            "per_item",
            "per_item.fit",
            "per_item.poll",
            "per_item.poll.check",
            "c",
            "d",
            "par",
            "par.left.one",
            "par.left.two",
            "par.right.three",
            "end"
        ]
    );
    let parent = |id| {
        let parent = step(&plan, id).parent.clone().unwrap();
        format!("{}/{}", parent.step, parent.arm)
    };
    assert_eq!(parent("fit"), "per_item/");
    assert_eq!(parent("check"), "per_item.poll/");
    assert_eq!(parent("two"), "par/left");
    let body = |id| {
        plan.steps
            .home(plan.steps.position_of_id(id).unwrap())
            .unwrap()
    };
    assert_eq!(body("poll"), (Body::Inside(2), 1));
    assert_eq!(body("check"), (Body::Inside(4), 0));
    assert_eq!(body("three").0, Body::Run);
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
}

#[test]
fn what_the_inside_of_a_loop_waits_for_is_waited_for_by_every_loop_around() {
    let plan = plan(NESTED);
    assert_eq!(
        edges(&plan, "fit"),
        "b Reference",
        "the step inside keeps its own edge"
    );
    assert_eq!(edges(&plan, "check"), "c Reference");
    assert_eq!(
        edges(&plan, "poll"),
        "per_item.fit Reference, d Reference, c After"
    );
    assert_eq!(
        edges(&plan, "per_item"),
        "a Reference, b After, d After, c After"
    );
    assert_eq!(
        edges(&plan, "par"),
        "per_item Needs",
        "nothing is hoisted out of a branch"
    );
    assert_eq!(edges(&plan, "two"), "c Reference, par.left.one Previous");
    assert_eq!(edges(&plan, "three"), "per_item Reference");
    assert_eq!(edges(&plan, "end"), "par Reference, per_item Reference");
}

#[test]
fn loops_carry_their_numbers_and_what_is_not_written() {
    let plan = plan(NESTED);
    let StepKind::Foreach(foreach) = &step(&plan, "per_item").kind else {
        panic!("no foreach");
    };
    assert_eq!(foreach.name, "item_of");
    assert_eq!((foreach.concurrency, foreach.tolerate), (10, None));
    assert!(foreach.fail_fast, "without `tolerate`");
    assert_eq!(written(&foreach.steps), ["per_item.fit", "per_item.poll"]);
    let StepKind::Until(until) = &step(&plan, "poll").kind else {
        panic!("no until");
    };
    assert_eq!((until.name.as_str(), until.max), ("round", 3));
    assert_eq!(until.every, Some(Duration::from_secs(10)));
    let StepKind::Parallel(parallel) = &step(&plan, "par").kind else {
        panic!("no parallel");
    };
    let names: Vec<&str> = parallel
        .branches
        .iter()
        .map(|branch| branch.name.as_str())
        .collect();
    assert_eq!(names, ["left", "right"]);
    assert_eq!(
        written(&parallel.branches[0].steps),
        ["par.left.one", "par.left.two"]
    );
}

#[test]
fn a_foreach_tolerates_a_count_or_a_share_and_then_does_not_stop_at_once() {
    for (words, tolerate, fail_fast) in [
        ("tolerate: 2", Some(Tolerance::Count(2)), false),
        ("tolerate: 10%", Some(Tolerance::Share(0.1)), false),
        (
            "tolerate: 0.5%, fail_fast: true",
            Some(Tolerance::Share(0.005)),
            true,
        ),
        ("fail_fast: false", None, false),
        ("concurrency: 1000", None, true),
    ] {
        let plan = plan(&format!(
            "steps: [{{id: e, foreach: {{items: [1], {words}, steps: [{{id: i, set: {{x: 1}}}}]}}}}]"
        ));
        let StepKind::Foreach(foreach) = &step(&plan, "e").kind else {
            panic!("no foreach");
        };
        assert_eq!(foreach.tolerate, tolerate, "{words}");
        assert_eq!(foreach.fail_fast, fail_fast, "{words}");
        assert_eq!(foreach.name, "item");
    }
}

const HANDLED: &str = r#"
steps:
  - {id: load, python: {file: a.py}}
  - {id: waiting_1, set: {x: 1}}
handlers:
  timeout: 5m
  finish:
    - http: {method: POST, url: "https://example.org/runs", body: "${{ run.summary }}"}
  failure:
    - {id: diagnose, python: {file: a.py}, with: {error: "${{ failure }}", all: "${{ failures }}"}}
    - notify: ops
      text: "${{ workflow.name }}: ${{ failure.step }} ${{ failure.message }} ${{ steps.load.status }}"
    - id: each
      if: ${{ failed('load') }}
      foreach: {items: "${{ failures }}", steps: [{id: note, set: {x: "${{ item }} ${{ steps.load.outputs.x }}"}}]}
  waiting:
    - {notify: ops, text: "${{ approval.title }} ${{ approval.url }} ${{ approval.step }} ${{ approval.deadline }}"}
"#;

#[test]
fn handlers_stand_at_the_end_and_their_steps_need_no_id() {
    let plan = plan(HANDLED);
    assert_eq!(
        paths(&plan),
        [
            "load",
            "waiting_1",
            "handlers.waiting.waiting_2",
            "handlers.failure.diagnose",
            "handlers.failure.failure_1",
            "handlers.failure.each",
            "handlers.failure.each.note",
            "handlers.finish.finish_1",
        ],
        "a made-up id is never one that is written"
    );
    assert_eq!(plan.handlers.timeout, Some(Duration::from_mins(5)));
    assert_eq!(
        written(plan.handlers.of(HandlerKind::Failure)),
        [
            "handlers.failure.diagnose",
            "handlers.failure.failure_1",
            "handlers.failure.each"
        ]
    );
    let body = |id| {
        plan.steps
            .home(plan.steps.position_of_id(id).unwrap())
            .unwrap()
    };
    assert_eq!(body("waiting_1"), (Body::Run, 1));
    assert_eq!(body("failure_1"), (Body::Handler(HandlerKind::Failure), 1));
    assert_eq!(body("note").0, Body::Inside(5));
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
}

#[test]
fn a_handler_is_a_chain_that_waits_for_nothing_outside() {
    let plan = plan(HANDLED);
    assert_eq!(edges(&plan, "diagnose"), "");
    assert_eq!(
        edges(&plan, "failure_1"),
        "handlers.failure.diagnose Previous"
    );
    assert_eq!(edges(&plan, "each"), "handlers.failure.failure_1 Previous");
    assert_eq!(edges(&plan, "note"), "");
    assert_eq!(edges(&plan, "finish_1"), "");
}

const CHILD: &str = "version: 1
name: child
inputs: {day: date, count: {type: int, default: 3}}
steps: [{id: sum, python: {file: sum.py}}, {id: below, workflow: deep/leaf.yml}]
outputs: {total: \"${{ steps.sum.outputs.x }}\", leaf: \"${{ steps.below.outputs.x }}\"}
";
const LEAF: &str = "version: 1
name: leaf
steps: [{id: one, python: {file: one.py}}]
outputs: {x: \"${{ steps.one.outputs.x }}\"}
";

#[test]
fn a_child_is_compiled_with_the_files_beside_it_and_its_plan_is_a_blob() {
    let files = Files::of(&[
        ("parts/child.yml", CHILD),
        ("parts/sum.py", "results = {'x': 2}\n"),
        ("parts/deep/leaf.yml", LEAF),
        ("parts/deep/one.py", "results = {'x': 3}\n"),
    ]);
    let compilation = compiled(
        "
steps:
  - {id: day, set: {x: 2026-11-22}}
  - {id: run, workflow: ./parts/child.yml, with: {day: \"${{ steps.day.outputs.x }}\"}}
  - {id: go, workflow: {file: parts/child.yml, wait: false}, with: {day: 2026-11-22, count: 4}}
  - {id: end, set: {x: \"${{ steps.run.outputs.total }} ${{ steps.go.outputs.run_id }}\"}}
",
        &files,
    );
    let said = shown(&compilation);
    let blob = |digest| {
        let found = compilation.blobs.iter().find(|(one, _)| *one == digest);
        found.map(|(_, bytes)| bytes.clone()).unwrap()
    };
    let plan = compilation
        .plan
        .as_ref()
        .unwrap_or_else(|| panic!("{said}"));
    let child_of = |plan: &Plan, id: &str| match &step(plan, id).kind {
        StepKind::Workflow(child) => child.clone(),
        other => panic!("{other:?}"),
    };
    let (run, go) = (child_of(plan, "run"), child_of(plan, "go"));
    assert_eq!(
        (run.file.as_str(), run.folder.as_str()),
        ("./parts/child.yml", "parts")
    );
    assert_eq!((run.name.as_str(), run.wait), ("child", true));
    assert_eq!(run.outputs, ["total", "leaf"]);
    assert_eq!((go.plan, go.wait), (run.plan, false));
    assert_eq!(step(plan, "run").with.len(), 1);
    assert_eq!(edges(plan, "run"), "day Reference");
    let child = Plan::from_bytes(&blob(run.plan)).unwrap();
    assert_eq!(child.source.file, "flows/parts/child.yml");
    assert_eq!(blob(child.source.digest), CHILD.as_bytes());
    let StepKind::Python(python) = &step(&child, "sum").kind else {
        panic!("no code");
    };
    assert_eq!(blob(python.code().unwrap()), b"results = {'x': 2}\n");
    let below = child_of(&child, "below");
    assert_eq!(below.folder, "deep");
    let leaf = Plan::from_bytes(&blob(below.plan)).unwrap();
    let StepKind::Python(python) = &step(&leaf, "one").kind else {
        panic!("no code");
    };
    assert_eq!(blob(python.code().unwrap()), b"results = {'x': 3}\n");
}

#[test]
fn a_child_outside_needs_a_word_and_the_files_beside_it_come_with_it() {
    let files = Files::of(&[
        ("../shared/child.yml", CHILD),
        ("../shared/sum.py", "results = {'x': 2}\n"),
        ("../shared/deep/leaf.yml", LEAF),
        ("../shared/deep/one.py", "results = {'x': 3}\n"),
    ]);
    let text = |word: &str| {
        let file = format!("{{file: ../shared/child.yml{word}}}");
        format!("steps: [{{id: a, workflow: {file}, with: {{day: 2026-11-22}}}}]")
    };
    let plan = plan_beside(&text(", allow_outside: true"), &files);
    let StepKind::Workflow(child) = &step(&plan, "a").kind else {
        panic!("no child");
    };
    assert_eq!(child.folder, "../shared");
    let refused = compiled(&text(""), &files);
    assert!(shown(&refused).contains("error[file_outside]"));
}

/// Files `0.yml` to the last, each of which runs the next one twice.
fn tower(height: usize) -> Files {
    let files = (0..height).map(|n| {
        let next = n + 1;
        let body = if next < height {
            format!("steps: [{{id: a, workflow: {next}.yml}}, {{id: b, workflow: {next}.yml}}]")
        } else {
            "steps: [{id: a, set: {x: 1}}]".to_owned()
        };
        (
            format!("{n}.yml"),
            format!("version: 1\nname: n{n}\n{body}\n"),
        )
    });
    Files(files.collect())
}

#[test]
fn a_tower_of_files_is_compiled_file_by_file_up_to_the_bound() {
    let top = "steps: [{id: a, workflow: 0.yml}, {id: b, workflow: 0.yml}]";
    let highest = compiled(top, &tower(WORKFLOW_DEPTH_MAX - 1));
    assert_eq!(shown(&highest), "");
    assert!(highest.plan.is_some());
    let higher = compiled(top, &tower(WORKFLOW_DEPTH_MAX));
    assert!(higher.plan.is_none());
    assert!(shown(&higher).contains("error[workflow_depth]"));
}

#[test]
fn waits_requests_and_messages_carry_what_is_written() {
    let plan = plan(
        r#"
secrets: {token: {env: TOKEN}}
defaults: {retry: {max_attempts: 5}}
steps:
  - {id: pause, wait: {duration: 1h30m}}
  - {id: until, wait: {until: "${{ run.started_at }}"}}
  - {id: beam, deadline: 2h, wait: {signal: beam_on, payload: {current: float}, timeout: 1h, on_timeout: continue}}
  - {id: any, wait: {signal: go}}
  - id: read
    http: {url: "https://example.org/${{ run.id }}", headers: {Authorization: "${{ secrets.token }}"}, expect: 200}
  - {id: write, timeout: 30s, http: {method: PUT, url: "https://example.org", body: {x: 1}, expect: [200, 201]}}
  - {id: again, retry: {max_attempts: 2, kinds: [timeout]}, http: {method: DELETE, url: "https://example.org"}}
  - {id: tell, notify: ops, text: "${{ steps.read.outputs.status }} ${{ steps.beam.outputs.timed_out }}"}
  - {id: hook, notify: {webhook: "https://example.org/hook", text: done}}
  - {id: note, set: {x: "${{ steps.any.outputs.whatever }} ${{ changes }}"}}
"#,
    );
    let wait = |id| match &step(&plan, id).kind {
        StepKind::Wait(wait) => wait.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(wait("pause").on, WaitOn::Duration(_)));
    assert!(matches!(wait("until").on, WaitOn::Until(_)));
    let beam = wait("beam");
    assert_eq!(beam.timeout, Some(Duration::from_hours(1)));
    assert_eq!(beam.on_timeout, OnWaitTimeout::Continue);
    let WaitOn::Signal { name, payload } = beam.on else {
        panic!("no signal");
    };
    assert_eq!(name, "beam_on");
    assert_eq!(payload.unwrap().len(), 1);
    let http = |id| match &step(&plan, id).kind {
        StepKind::Http(http) => http.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (http("read").method.as_str(), http("read").expect),
        ("GET", vec![200])
    );
    assert_eq!(http("write").expect, [200, 201]);
    assert_eq!(step(&plan, "write").timeout, Some(Duration::from_secs(30)));
    let attempts = |id| step(&plan, id).retry.max_attempts;
    assert_eq!(attempts("read"), 5, "reading is repeated as the file says");
    assert_eq!(
        attempts("write"),
        1,
        "what is said for all never repeats a write"
    );
    assert_eq!(attempts("again"), 2);
    assert_eq!(step(&plan, "again").retry.kinds, [FailureKind::Timeout]);
    assert_eq!(attempts("tell"), 5);
    let to = |id| match &step(&plan, id).kind {
        StepKind::Notify(notify) => notify.to.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(to("tell"), NotifyTarget::Channel("ops".to_owned()));
    assert!(matches!(to("hook"), NotifyTarget::Webhook(_)));
}

#[test]
fn merged_notebooks_are_waited_for_whatever_became_of_their_steps() {
    let plan = plan(
        "
steps:
  - {id: load, python: {file: a.py}}
  - {id: fit, needs: [], python: {file: a.py}}
  - {id: first, needs: load, notebook: {merge: fit}}
  - {id: report, notebook: {merge: [load, first], title: \"Run ${{ run.id }}\"}}
  - {id: ends, if: \"${{ exists(steps.report.outputs.notebook) }}\", succeed: null}
  - {id: stops, fail: {message: \"${{ steps.report.notebook }}\"}}
",
    );
    assert_eq!(edges(&plan, "first"), "load Needs, fit After");
    assert_eq!(edges(&plan, "report"), "load After, first Previous");
    let StepKind::Notebook(report) = &step(&plan, "report").kind else {
        panic!("no notebook");
    };
    assert_eq!(written(&report.merge), ["load", "first"]);
    assert!(report.title.is_some());
    let StepKind::Succeed(succeed) = &step(&plan, "ends").kind else {
        panic!("no end");
    };
    assert_eq!(succeed.message, None);
    assert!(
        step(&plan, "stops")
            .edges
            .iter()
            .any(|edge| edge.kind == EdgeKind::Reference)
    );
}

#[test]
fn drawings_show_what_stands_inside() {
    insta::assert_snapshot!("drawn_nested_text", graph::to_text(&plan(NESTED)));
    insta::assert_snapshot!("drawn_nested_mermaid", graph::to_mermaid(&plan(NESTED)));
    insta::assert_snapshot!("drawn_handlers_text", graph::to_text(&plan(HANDLED)));
    insta::assert_snapshot!("drawn_handlers_mermaid", graph::to_mermaid(&plan(HANDLED)));
}
