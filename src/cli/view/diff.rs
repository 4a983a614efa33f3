//! Two runs side by side: a table of what differs, then the changes of code.

use serde_json::Value;
use similar::TextDiff;

use super::table::table;
use super::text::{bold, cut, elapsed, safe, value};
use crate::run::{Agreement, FileDiff, RunDiff, StepDiff, ValueDiff};

/// Widest value in the table, in characters.
const VALUE_CHARS_MAX: usize = 40;
/// Most rows of one part of one step; the rest is counted, and `--json` has it.
const ROWS_MAX: usize = 50;
/// Lines around a change.
const CONTEXT_LINES: usize = 3;

type Row = [String; 4];

/// The comparison for people; `all` shows what is the same too.
pub(in crate::cli) fn text(diff: &RunDiff, changes: &[Option<String>], all: bool) -> String {
    let mut rows = Vec::new();
    values("", &diff.facts, all, &mut rows);
    values("inputs.", &diff.inputs, all, &mut rows);
    values("outputs.", &diff.outputs, all, &mut rows);
    for step in &diff.steps {
        step_rows(step, all, &mut rows);
    }
    let [a, b] = diff.runs.map(|run| run.short());
    let mut text = String::new();
    if diff.same {
        text.push_str("the runs are the same but for times\n");
    }
    if !rows.is_empty() {
        text.push_str(&table(
            ["", &format!("A {a}"), &format!("B {b}"), "DIFFERENCE"],
            &rows,
        ));
    }
    for change in changes.iter().flatten() {
        text.push_str(&format!("\n{}", safe(change)));
    }
    text
}

fn step_rows(step: &StepDiff, all: bool, rows: &mut Vec<Row>) {
    if step.agreement == Agreement::Same && !all {
        return;
    }
    let word = if step.agreement == Agreement::Differs {
        ""
    } else {
        told(step.agreement)
    };
    let [a, b] = step
        .seconds
        .map(|seconds| seconds.map_or(String::new(), shown_seconds));
    rows.push([bold(&safe(step.step.as_str())), a, b, word.to_owned()]);
    let whole = all || step.agreement != Agreement::Differs;
    values("  ", &step.facts, whole, rows);
    values("  inputs.", &step.inputs, all, rows);
    values("  outputs.", &step.outputs, all, rows);
    files(&step.files, all, rows);
}

fn shown_seconds(seconds: f64) -> String {
    std::time::Duration::try_from_secs_f64(seconds).map_or(String::new(), elapsed)
}

fn values(before: &str, list: &[ValueDiff], all: bool, rows: &mut Vec<Row>) {
    let wanted = list
        .iter()
        .filter(|value| all || value.agreement != Agreement::Same);
    let count = wanted.clone().count();
    rows.extend(wanted.take(ROWS_MAX).map(|one| {
        let name = cut(&format!("{before}{}", safe(&one.name)), VALUE_CHARS_MAX);
        [
            name,
            shown(one.a.as_ref()),
            shown(one.b.as_ref()),
            difference(one),
        ]
    }));
    more(before, count, rows);
}

fn more(before: &str, count: usize, rows: &mut Vec<Row>) {
    if count > ROWS_MAX {
        let rest = format!("{before}… {} more (--json has them)", count - ROWS_MAX);
        rows.push([rest, String::new(), String::new(), String::new()]);
    }
}

fn files(list: &[FileDiff], all: bool, rows: &mut Vec<Row>) {
    let wanted = list
        .iter()
        .filter(|file| all || file.agreement != Agreement::Same);
    let count = wanted.clone().count();
    rows.extend(wanted.take(ROWS_MAX).map(|file| {
        let name = format!("  {} {}", file.kind, safe(&file.name));
        let digest = |digest: Option<crate::id::Digest>| {
            digest.map_or("–".to_owned(), |digest| short(&digest.to_string()))
        };
        [
            name,
            digest(file.a),
            digest(file.b),
            told(file.agreement).to_owned(),
        ]
    }));
    more("  ", count, rows);
}

fn told(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Same => "same",
        Agreement::Differs => "differs",
        Agreement::OnlyA => "only in A",
        Agreement::OnlyB => "only in B",
    }
}

fn difference(one: &ValueDiff) -> String {
    let Some(absolute) = one.absolute else {
        return told(one.agreement).to_owned();
    };
    let share = one.relative.map_or(String::new(), |relative| {
        format!(" ({:+.3} %)", relative * 100.0)
    });
    format!("{absolute:+}{share}")
}

fn shown(one: Option<&Value>) -> String {
    one.map_or("–".to_owned(), |one| {
        let text = value(one);
        let text = if text.starts_with("sha256:") {
            short(&text)
        } else {
            text
        };
        cut(&text, VALUE_CHARS_MAX)
    })
}

/// The beginning of a digest: enough to tell two apart by eye.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

/// A unified diff of the code of one step.
pub(in crate::cli) fn unified(step: &str, a: &str, b: &str) -> String {
    let [from, to] = ["A", "B"].map(|name| format!("{name}/{step}.py"));
    TextDiff::from_lines(a, b)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&from, &to)
        .to_string()
}
