//! What rehearsals gave, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::steps::mark;
use super::table::table;
use super::text::{elapsed, indented, line, painted_mark};
use crate::plan::Plan;
use crate::rehearsal::chaos::Chaos;
use crate::rehearsal::{Case, Judgement, Mismatch};

/// The cases of a file, one line each; what failed is told below its line.
pub(in crate::cli) fn cases(file: &str, judged: &[(&Case, Judgement)]) -> String {
    let mut text = format!("{}\n", line(file));
    for (case, judgement) in judged {
        let sign = if judgement.passed() { "✓" } else { "✗" };
        let took = elapsed(judgement.run.elapsed());
        let status = judgement.run.state().status().as_str();
        let name = line(&case.name);
        let _infallible = writeln!(
            text,
            "  {} {name}  ({status}, {took} simulated)",
            painted_mark(sign)
        );
        for mismatch in &judgement.mismatches {
            text.push_str(&told(mismatch));
        }
        if !judgement.passed() {
            text.push_str(&happened(judgement));
        }
    }
    let failed = judged.iter().filter(|(_, judgement)| !judgement.passed());
    let (failed, all) = (failed.count(), judged.len());
    let _infallible = match failed {
        0 => writeln!(text, "{all} passed"),
        _ => writeln!(text, "{failed} of {all} failed"),
    };
    text
}

fn told(mismatch: &Mismatch) -> String {
    let mut text = format!(
        "      {}\n        expected  {}\n        actual    {}\n",
        line(&mismatch.what),
        line(&mismatch.expected),
        line(&mismatch.actual)
    );
    if let Some(help) = &mismatch.help {
        text.push_str("        for example\n");
        text.push_str(&indented(help, 10));
    }
    text
}

/// Every step of the run with where it stands and why.
fn happened(judgement: &Judgement) -> String {
    let state = judgement.run.state();
    let mut text = "      what happened\n".to_owned();
    for (_, step) in state.steps() {
        let failure = step.failure.as_ref().map(|failure| &failure.message);
        let why = failure.or(step.why.as_ref()).map(|why| line(why));
        let arm = step.branch.as_ref().map(|branch| &branch.arm);
        let _infallible = write!(
            text,
            "        {} {}  {}",
            painted_mark(mark(step.status)),
            line(step.path.as_str()),
            step.status.as_str()
        );
        if let Some(arm) = arm {
            let _infallible = write!(text, ", arm {}", line(arm));
        }
        if let Some(why) = why {
            let _infallible = write!(text, ": {why}");
        }
        text.push('\n');
    }
    for asked in state.open_approvals() {
        let _infallible = writeln!(
            text,
            "        open question of {}: {} ({})",
            line(asked.request.step.as_str()),
            line(&asked.request.title),
            line(&asked.request.reason)
        );
    }
    text
}

/// The same as a document.
pub(in crate::cli) fn cases_json(file: &str, plan: &Plan, judged: &[(&Case, Judgement)]) -> Value {
    let cases: Vec<Value> = judged
        .iter()
        .map(|(case, judgement)| {
            let state = judgement.run.state();
            let steps = state.steps().map(|(_, step)| {
                let told = json!({"status": step.status, "outputs": step.outputs});
                (step.path.to_string(), told)
            });
            let steps: serde_json::Map<String, Value> = steps.collect();
            let mismatches = judgement.mismatches.iter().map(|one| {
                json!({"what": one.what, "expected": one.expected, "actual": one.actual, "help": one.help})
            });
            json!({
                "name": case.name,
                "passed": judgement.passed(),
                "mismatches": mismatches.collect::<Vec<_>>(),
                "status": state.status(),
                "path": judgement.path(),
                "steps": steps,
                "outputs": state.ending.as_ref().map(|ending| &ending.outputs),
                "seconds": judgement.run.elapsed().as_secs_f64(),
            })
        })
        .collect();
    json!({"file": file, "workflow": plan.name, "cases": cases})
}

/// What chaos gave.
pub(in crate::cli) fn chaos(file: &str, found: &Chaos) -> String {
    let mut text = format!("{}\n", line(file));
    let _infallible = writeln!(
        text,
        "  {} runs: something came between after {} of {} events; without it the run is {}",
        found.runs,
        found.tried,
        found.events,
        found.status.as_str()
    );
    if let Some(remark) = &found.remark {
        let _infallible = writeln!(text, "  {}", line(remark));
    }
    if !found.steps.is_empty() {
        let rows: Vec<[String; 5]> = found
            .steps
            .iter()
            .map(|step| {
                [
                    format!("  {}", line(&step.step)),
                    step.kind.to_owned(),
                    step.normally.to_string(),
                    step.at_most.to_string(),
                    step.meaning.clone(),
                ]
            })
            .collect();
        text.push_str(&table(
            ["  STEP", "KIND", "BEGINS", "AT MOST", "WHEN INTERRUPTED"],
            &rows,
        ));
    }
    for step in &found.steps {
        if let Some(finding) = &step.finding {
            let (sign, name) = (painted_mark("?"), line(&step.step));
            let _infallible = writeln!(text, "  {sign} {name}: {finding}");
        }
    }
    if !found.unreached.is_empty() {
        let names = line(&found.unreached.join(", "));
        let _infallible = writeln!(text, "  not reached with these inputs and mocks: {names}");
    }
    for broken in &found.broken {
        let _infallible = writeln!(
            text,
            "  {} {}\n      {}",
            painted_mark("✗"),
            line(&broken.what),
            line(&broken.when)
        );
    }
    if found.hidden > 0 {
        let _infallible = writeln!(text, "  {} more are not shown", found.hidden);
    }
    let sentence = match found.broken.is_empty() {
        true => format!("  {} every promise was kept\n", painted_mark("✓")),
        false => format!(
            "  {} promises were broken\n",
            found.broken.len() + found.hidden
        ),
    };
    text.push_str(&sentence);
    text
}

/// The same as a document.
pub(in crate::cli) fn chaos_json(file: &str, plan: &Plan, found: &Chaos) -> Value {
    let steps = found.steps.iter().map(|step| {
        json!({
            "step": step.step,
            "kind": step.kind,
            "writes": step.writes,
            "begins": step.normally,
            "at_most": step.at_most,
            "when_interrupted": step.meaning,
            "finding": step.finding,
        })
    });
    let broken = found
        .broken
        .iter()
        .map(|broken| json!({"what": broken.what, "when": broken.when}));
    json!({
        "file": file,
        "workflow": plan.name,
        "status": found.status,
        "remark": found.remark,
        "events": found.events,
        "tried": found.tried,
        "runs": found.runs,
        "kept": found.broken.is_empty(),
        "broken": broken.collect::<Vec<_>>(),
        "not_shown": found.hidden,
        "steps": steps.collect::<Vec<_>>(),
        "unreached": found.unreached,
    })
}
