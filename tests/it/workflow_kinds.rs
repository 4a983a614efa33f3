//! What the steps of every kind compile to: their plans, their paths, what they wait for, who sees whom.

use std::collections::HashMap;
use std::time::Duration;

use stepwell::id::StepPath;
use stepwell::plan::{Body, Plan, Step, StepKind, Tolerance};
use stepwell::workflow::{Compilation, CompileOptions, SourceError, Sources, compile};

use crate::workflow_compile::shown;

/// Files by their paths below the folder of the first workflow.
#[derive(Default)]
struct Files(HashMap<String, String>);

#[expect(dead_code, reason = "used by the next tests")]
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
