//! Two runs side by side: what was given, what was done, what came out.

use serde::Serialize;
use serde_json::{Value, json};

use super::payload::FileRef;
use super::state::{AttemptStatus, RunState, StepState};
use crate::id::{Digest, RunId, StepPath};

/// How far two values or files agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// They are the same.
    Same,
    /// They are not.
    Differs,
    /// Only the first run has it.
    OnlyA,
    /// Only the second run has it.
    OnlyB,
}

impl Agreement {
    fn of<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> Self {
        match (a, b) {
            (Some(a), Some(b)) if a == b => Self::Same,
            (None, None) => Self::Same,
            (Some(_), Some(_)) => Self::Differs,
            (Some(_), None) => Self::OnlyA,
            (None, Some(_)) => Self::OnlyB,
        }
    }
}

/// One value in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueDiff {
    /// Where it stands: `rms`, `fit.slope`, `rows[3]`.
    pub name: String,
    /// In the first run.
    pub a: Option<Value>,
    /// In the second run.
    pub b: Option<Value>,
    /// How far they agree.
    pub agreement: Agreement,
    /// For numbers, the second less the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// For numbers, that as a share of the first; none when that is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
}

/// One file of a step in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// `figure` or `artifact`.
    pub kind: &'static str,
    /// Its name in the folder of the attempt.
    pub name: String,
    /// Its digest in the first run.
    pub a: Option<Digest>,
    /// Its digest in the second run.
    pub b: Option<Digest>,
    /// How far they agree.
    pub agreement: Agreement,
}

/// One step in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepDiff {
    /// The step.
    pub step: StepPath,
    /// Whether anything but its duration differs.
    pub agreement: Agreement,
    /// Status, number of attempts, arm, mode, digest of the code, failure.
    pub facts: Vec<ValueDiff>,
    /// What it was given.
    pub inputs: Vec<ValueDiff>,
    /// What it gave out.
    pub outputs: Vec<ValueDiff>,
    /// Figures and artifacts.
    pub files: Vec<FileDiff>,
    /// Seconds that its attempts took. They never count as a difference.
    pub seconds: [Option<f64>; 2],
    /// The code of both, where it was looked at.
    #[serde(skip)]
    pub code: [Option<Digest>; 2],
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDiff {
    /// The runs.
    pub runs: [RunId; 2],
    /// Whether nothing but times differs.
    pub same: bool,
    /// Workflow, source, plan, status.
    pub facts: Vec<ValueDiff>,
    /// What they were given.
    pub inputs: Vec<ValueDiff>,
    /// What they gave out.
    pub outputs: Vec<ValueDiff>,
    /// Their steps, those of the first run first.
    pub steps: Vec<StepDiff>,
}

/// Compares two runs. Ids, folders and times are different in any two runs and are left out.
#[must_use]
pub fn compare(a: &RunState, b: &RunState) -> RunDiff {
    let facts = vec![
        fact("workflow", json!(a.plan.name), json!(b.plan.name)),
        fact(
            "source",
            json!(a.plan.source.digest),
            json!(b.plan.source.digest),
        ),
        fact("plan", json!(a.plan_digest()), json!(b.plan_digest())),
        fact("status", json!(a.status()), json!(b.status())),
    ];
    let given = |state: &RunState| json!(state.created.inputs);
    let left = |state: &RunState| json!(state.ending.as_ref().map(|ending| &ending.outputs));
    let inputs = values(&given(a), &given(b));
    let outputs = values(&left(a), &left(b));
    let of_a = a.steps().map(|(_, step)| {
        let other = b.step(&step.path).map(|(_, other)| other);
        step_diff(&step.path, Some(step), other)
    });
    let only_b = b
        .steps()
        .filter(|(_, step)| a.step(&step.path).is_none())
        .map(|(_, step)| step_diff(&step.path, None, Some(step)));
    let steps: Vec<StepDiff> = of_a.chain(only_b).collect();
    let same = all_same(&[&facts, &inputs, &outputs])
        && steps.iter().all(|step| step.agreement == Agreement::Same);
    RunDiff {
        runs: [a.run, b.run],
        same,
        facts,
        inputs,
        outputs,
        steps,
    }
}

fn all_same(lists: &[&Vec<ValueDiff>]) -> bool {
    lists
        .iter()
        .flat_map(|list| list.iter())
        .all(|value| value.agreement == Agreement::Same)
}

fn step_diff(path: &StepPath, a: Option<&StepState>, b: Option<&StepState>) -> StepDiff {
    let facts: Vec<ValueDiff> = step_facts(a)
        .into_iter()
        .zip(step_facts(b))
        .filter(|((_, a), (_, b))| !(a.is_null() && b.is_null()))
        .map(|((name, a), (_, b))| fact(name, a, b))
        .collect();
    let inputs = values(
        &json!(a.map(|step| &step.inputs)),
        &json!(b.map(|step| &step.inputs)),
    );
    let outputs = values(
        &json!(a.map(|step| &step.outputs)),
        &json!(b.map(|step| &step.outputs)),
    );
    let files = files(a, b);
    let same = all_same(&[&facts, &inputs, &outputs])
        && files.iter().all(|file| file.agreement == Agreement::Same);
    let agreement = match (a, b) {
        (Some(_), None) => Agreement::OnlyA,
        (None, Some(_)) => Agreement::OnlyB,
        (Some(_), Some(_)) | (None, None) if same => Agreement::Same,
        (Some(_), Some(_)) | (None, None) => Agreement::Differs,
    };
    StepDiff {
        step: path.clone(),
        agreement,
        facts,
        inputs,
        outputs,
        files,
        seconds: [a.and_then(seconds), b.and_then(seconds)],
        code: [a.and_then(code), b.and_then(code)],
    }
}

fn code(step: &StepState) -> Option<Digest> {
    step.analysis.as_ref().map(|analysis| analysis.code)
}

/// Facts of a step by name; the same names in the same order for every step.
fn step_facts(step: Option<&StepState>) -> [(&'static str, Value); 7] {
    let analysis = step.and_then(|step| step.analysis.as_ref());
    let failure = step.and_then(|step| step.failure.as_ref());
    let attempts = step
        .map(|step| step.attempts.len())
        .filter(|count| *count > 0);
    [
        ("status", json!(step.map(|step| step.status))),
        (
            "arm",
            json!(
                step.and_then(|step| step.branch.as_ref())
                    .map(|branch| &branch.arm)
            ),
        ),
        ("attempts", json!(attempts)),
        ("mode", json!(analysis.map(|analysis| analysis.mode))),
        ("code", json!(analysis.map(|analysis| analysis.code))),
        (
            "environment",
            json!(analysis.map(|analysis| analysis.environment)),
        ),
        (
            "failure",
            json!(failure.map(|failure| format!("{}: {}", failure.code, failure.message))),
        ),
    ]
}

/// Time in attempts that ended.
fn seconds(step: &StepState) -> Option<f64> {
    let ended = step
        .attempts
        .iter()
        .filter(|attempt| attempt.status != AttemptStatus::Open);
    let times: Vec<f64> = ended
        .filter_map(|attempt| Some(attempt.ended_at?.since(attempt.started_at).as_secs_f64()))
        .collect();
    (!times.is_empty()).then(|| times.iter().sum())
}

fn files(a: Option<&StepState>, b: Option<&StepState>) -> Vec<FileDiff> {
    let (left, right) = (
        a.map(left).unwrap_or_default(),
        b.map(left).unwrap_or_default(),
    );
    let find = |list: &[Left], kind, name: &str| {
        list.iter()
            .find(|(k, n, _)| *k == kind && n == name)
            .map(|(_, _, digest)| *digest)
    };
    let only_right = right
        .iter()
        .filter(|(kind, name, _)| find(&left, *kind, name).is_none());
    left.iter()
        .chain(only_right)
        .map(|(kind, name, _)| {
            let (a, b) = (find(&left, *kind, name), find(&right, *kind, name));
            FileDiff {
                kind,
                name: name.clone(),
                agreement: Agreement::of(a.as_ref(), b.as_ref()),
                a,
                b,
            }
        })
        .collect()
}

/// Kind, name and digest of a file.
type Left = (&'static str, String, Digest);

fn left(step: &StepState) -> Vec<Left> {
    let Some(result) = &step.result else {
        return Vec::new();
    };
    let name = |file: &FileRef| {
        let below = file.path.strip_prefix(&result.folder);
        below
            .unwrap_or(&file.path)
            .trim_start_matches('/')
            .to_owned()
    };
    let figures = result
        .figures
        .iter()
        .map(|file| ("figure", name(file), file.digest));
    let artifacts = result
        .artifacts
        .iter()
        .map(|file| ("artifact", name(file), file.digest));
    figures.chain(artifacts).collect()
}

fn fact(name: &str, a: Value, b: Value) -> ValueDiff {
    let there = |value: Value| Some(value).filter(|value| !value.is_null());
    leaf(name.to_owned(), there(a).as_ref(), there(b).as_ref())
}

/// Two documents value by value: maps by key, lists by place. `null` as a whole is no document.
#[must_use]
fn values(a: &Value, b: &Value) -> Vec<ValueDiff> {
    let there = |value: &'_ Value| !value.is_null();
    let mut found = Vec::new();
    let pair = (Some(a).filter(|a| there(a)), Some(b).filter(|b| there(b)));
    if pair != (None, None) {
        walk("", pair, &mut found);
    }
    found
}

/// A value in both runs, where it is there.
type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

fn walk(name: &str, pair: Pair<'_>, found: &mut Vec<ValueDiff>) {
    if let Some(keys) = keys(pair) {
        for key in keys {
            let inner = if name.is_empty() {
                key.clone()
            } else {
                format!("{name}.{key}")
            };
            let of = |value: Option<&'_ Value>| value.and_then(|value| value.get(&key)).cloned();
            let (a, b) = (of(pair.0), of(pair.1));
            walk(&inner, (a.as_ref(), b.as_ref()), found);
        }
    } else if let (Some(Value::Array(a)), Some(Value::Array(b))) = pair {
        for place in 0..a.len().max(b.len()) {
            let inner = format!("{name}[{place}]");
            walk(&inner, (a.get(place), b.get(place)), found);
        }
        if a.is_empty() && b.is_empty() {
            found.push(leaf(name.to_owned(), pair.0, pair.1));
        }
    } else {
        found.push(leaf(name.to_owned(), pair.0, pair.1));
    }
}

/// Every key of two maps (one may be missing), when that is what they are and one of them has any.
fn keys((a, b): Pair<'_>) -> Option<Vec<String>> {
    let map = |value: Option<&Value>| {
        value.map_or(Some(Vec::new()), |value| {
            Some(value.as_object()?.keys().cloned().collect::<Vec<String>>())
        })
    };
    let (mut keys, more) = (map(a)?, map(b)?);
    for key in more {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    (!keys.is_empty()).then_some(keys)
}

fn leaf(name: String, a: Option<&Value>, b: Option<&Value>) -> ValueDiff {
    let agreement = Agreement::of(a, b);
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let numbers = number(a)
        .zip(number(b))
        .filter(|_| agreement == Agreement::Differs);
    ValueDiff {
        name,
        a: a.cloned(),
        b: b.cloned(),
        agreement,
        absolute: numbers.map(|(a, b)| b - a),
        relative: numbers.and_then(|(a, b)| (a != 0.0).then(|| (b - a) / a.abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &Value, b: &Value) -> Vec<(String, Agreement, Option<f64>, Option<f64>)> {
        values(a, b)
            .into_iter()
            .map(|value| (value.name, value.agreement, value.absolute, value.relative))
            .collect()
    }

    #[test]
    fn documents_are_compared_value_by_value() {
        use Agreement::{Differs, OnlyA, OnlyB, Same};
        let a = json!({"rms": 2.0, "name": "x", "rows": [1, 2], "fit": {"slope": 0, "old": null}});
        let b =
            json!({"rms": 3.0, "name": "x", "rows": [1], "fit": {"slope": -1}, "new": {"k": 1}});
        let expected = [
            ("rms", Differs, Some(1.0), Some(0.5)),
            ("name", Same, None, None),
            ("rows[0]", Same, None, None),
            ("rows[1]", OnlyA, None, None),
            ("fit.slope", Differs, Some(-1.0), None),
            ("fit.old", OnlyA, None, None),
            ("new.k", OnlyB, None, None),
        ];
        let expected: Vec<_> = expected
            .map(|(name, agreement, absolute, relative)| {
                (name.to_owned(), agreement, absolute, relative)
            })
            .into();
        assert_eq!(shown(&a, &b), expected);
    }

    #[test]
    fn what_is_of_another_kind_differs_as_a_whole() {
        use Agreement::{Differs, OnlyB, Same};
        assert_eq!(
            shown(&json!({"a": [1]}), &json!({"a": {"b": 1}})),
            [("a".into(), Differs, None, None)]
        );
        assert_eq!(
            shown(&json!({"a": []}), &json!({"a": []})),
            [("a".into(), Same, None, None)]
        );
        assert_eq!(
            shown(&Value::Null, &json!({"a": 1})),
            [("a".into(), OnlyB, None, None)]
        );
        assert_eq!(shown(&Value::Null, &Value::Null), []);
    }
}
