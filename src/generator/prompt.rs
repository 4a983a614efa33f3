//! What a generator is asked, in words. Pure: the same facts give the same text.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::shape;
use crate::canonical::canonical_json;
use crate::id::Digest;

/// A question to a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Role and rules, the same for every task.
    pub system: String,
    /// The task.
    pub user: String,
}

impl Prompt {
    /// Its identity.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(
            &json!({"system": self.system, "user": self.user}),
        ))
    }

    /// As people read it.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        format!("# System\n\n{}\n\n# User\n\n{}\n", self.system, self.user)
    }
}

/// Everything that a prompt is made of.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the code shall do.
    pub task: String,
    /// What it shall leave: text, or a map from names to what they are.
    pub expects: Option<Value>,
    /// What else must hold.
    pub requirements: Vec<String>,
    /// What a person asked for.
    pub user_query: Option<String>,
    /// What the inputs are, in words.
    pub context_note: Option<String>,
    /// The inputs; only their types and shapes are told.
    pub inputs: Map<String, Value>,
    /// Names and types of declared outputs.
    pub outputs: Vec<(String, String)>,
    /// What the environment is and has, one line each.
    pub environment: Vec<String>,
    /// Whether the code may act on the control system.
    pub may_write: bool,
    /// The code that did not do, and why.
    pub previous: Option<Previous>,
    /// What people want different: who, and what.
    pub changes: Vec<(String, String)>,
}

/// Code that did not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Previous {
    /// The code, if there was some.
    pub code: Option<String>,
    /// Why, in a sentence; empty when people say it.
    pub problem: String,
    /// The traceback of the code.
    pub traceback: Option<String>,
}

/// Longest traceback in a prompt, in characters: the end says most.
const TRACEBACK_CHARS_MAX: usize = 3_000;

const RULES: &str = "\
You write Python for one step of a scientific analysis pipeline. Your code runs unattended as a script.

Answer with exactly one fenced block, ```python … ```, and nothing outside it.

Rules:
- The inputs are in the variable `context`, which exists already: `context.name` or `context[\"name\"]`. Never create it, \
never overwrite it, never replace its values by values of your own.
- Put everything that you find into the dictionary `results`. Its values are numbers, text, booleans, None, lists and \
dictionaries with text as keys.
- Never invent data. When something is missing, raise an exception that says what.
- Import only the standard library and the packages that are listed. Read no files that the task does not name.
- Figures that are open in matplotlib at the end are kept: create them, never call show().
- `save_artifact(obj, title, description)` keeps any other object as a file.
- No input(), no return outside a function, no endless loops, no sub-processes.";

const EXAMPLES: &str = "\
Example. Task: Report mean and largest value of `readings`. Inputs: readings: list of 240 float
```python
readings = [float(value) for value in context.readings]
if not readings:
    raise ValueError(\"readings is empty\")
results = {\"mean\": sum(readings) / len(readings), \"max\": max(readings)}
```

Example. Task: Count the values of `rows` above `limit` for each name. Inputs: rows: list of 60 map {name: text, \
value: float}; limit: float
```python
counts = {}
for row in context[\"rows\"]:
    if row[\"value\"] > context[\"limit\"]:
        counts[row[\"name\"]] = counts.get(row[\"name\"], 0) + 1
results = {\"counts\": counts}
```";

/// Writes the prompt.
#[must_use]
pub fn write(facts: &Facts) -> Prompt {
    let mut user = String::new();
    section(&mut user, "Task", &facts.task);
    if let Some(query) = &facts.user_query {
        section(&mut user, "What a person asked for", query);
    }
    section(&mut user, "Inputs in `context`", &inputs(facts));
    section(&mut user, "What `results` must hold", &expected(facts));
    if !facts.requirements.is_empty() {
        section(&mut user, "Requirements", &list(&facts.requirements));
    }
    section(&mut user, "Environment", &list(&facts.environment));
    section(&mut user, "Mode", mode(facts.may_write));
    if let Some(previous) = &facts.previous {
        section(&mut user, "The code before this one", &before(previous));
    }
    if !facts.changes.is_empty() {
        let changes = facts
            .changes
            .iter()
            .map(|(by, text)| format!("{by}: {text}"));
        let changes: Vec<String> = changes.collect();
        section(&mut user, "Changes that people asked for", &list(&changes));
    }
    user.push_str(&ending(facts));
    Prompt {
        system: format!("{RULES}\n\n{EXAMPLES}"),
        user,
    }
}

fn section(out: &mut String, title: &str, text: &str) {
    let text = text.trim();
    if !text.is_empty() {
        let _infallible = write!(out, "## {title}\n\n{text}\n\n");
    }
}

fn list<T: AsRef<str>>(lines: &[T]) -> String {
    let lines = lines
        .iter()
        .map(|line| format!("- {}\n", line.as_ref().trim()));
    lines.collect()
}

fn inputs(facts: &Facts) -> String {
    let mut text = list(&shape::describe(&facts.inputs));
    if text.is_empty() {
        text.push_str("There are none: `context` is empty.\n");
    }
    if let Some(note) = &facts.context_note {
        text.push('\n');
        text.push_str(note.trim());
    }
    text
}

fn expected(facts: &Facts) -> String {
    let mut lines: Vec<String> = Vec::new();
    match &facts.expects {
        None => {}
        Some(Value::String(text)) => lines.push(text.clone()),
        Some(Value::Object(map)) => {
            lines.extend(map.iter().map(|(name, what)| match what {
                Value::String(text) => format!("`{name}`: {text}"),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => format!("`{name}`: {what}"),
            }));
        }
        Some(other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_))) => {
            lines.push(other.to_string());
        }
    }
    let declared = facts.outputs.iter();
    lines.extend(declared.map(|(name, what)| format!("key `{name}`, of type {what}")));
    list(&lines)
}

fn mode(may_write: bool) -> &'static str {
    if may_write {
        "The code may write to the control system, exactly what the task says and nothing else. A person reads it first."
    } else {
        "Read only: the code must not write to any control system, and writes files only below its current folder."
    }
}

fn before(previous: &Previous) -> String {
    let mut text = String::new();
    if let Some(code) = &previous.code {
        let _infallible = write!(text, "```python\n{}\n```\n\n", code.trim_end());
    }
    if !previous.problem.is_empty() {
        let _infallible = write!(text, "It did not do: {}\n\n", previous.problem.trim());
    }
    if let Some(traceback) = &previous.traceback {
        let skipped = traceback
            .chars()
            .count()
            .saturating_sub(TRACEBACK_CHARS_MAX);
        let end: String = traceback.chars().skip(skipped).collect();
        let _infallible = write!(text, "```\n{}\n```\n\n", end.trim_end());
        text.push_str("Find the cause and write the whole script anew.\n");
    }
    text
}

/// The last line says what the end of the code looks like: small models keep to it.
fn ending(facts: &Facts) -> String {
    let declared: Vec<&str> = if facts.outputs.is_empty() {
        let named = facts.expects.as_ref().and_then(Value::as_object);
        named
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect()
    } else {
        facts
            .outputs
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    };
    if declared.is_empty() {
        return "End the script by assigning the dictionary `results`.\n".to_owned();
    }
    let keys: Vec<String> = declared
        .iter()
        .map(|name| format!("\"{name}\": …"))
        .collect();
    format!("End the script with: results = {{{}}}\n", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let inputs = json!({"rows": [1.5, 2.5], "name": "BPM:01"});
        Facts {
            task: "Mean of the rows".to_owned(),
            inputs: inputs.as_object().cloned().unwrap(),
            outputs: vec![("mean".to_owned(), "float".to_owned())],
            environment: vec!["Python 3.11.2".to_owned(), "numpy 2.1.0".to_owned()],
            ..Facts::default()
        }
    }

    #[test]
    fn values_of_inputs_are_never_told() {
        let prompt = write(&facts());
        assert!(
            prompt.user.contains("`rows`: list of 2 float"),
            "{}",
            prompt.user
        );
        assert!(!prompt.user.contains("BPM:01"), "{}", prompt.user);
        assert!(
            prompt.user.contains("results = {\"mean\": …}"),
            "{}",
            prompt.user
        );
        assert!(prompt.user.contains("numpy 2.1.0"), "{}", prompt.user);
    }

    #[test]
    fn a_failed_try_is_told_with_its_code_and_traceback() {
        let mut facts = facts();
        facts.previous = Some(Previous {
            code: Some("x = 1/0\n".to_owned()),
            problem: "ZeroDivisionError: division by zero".to_owned(),
            traceback: Some("a".repeat(5_000)),
        });
        facts.changes = vec![("ada".to_owned(), "use the median".to_owned())];
        let prompt = write(&facts);
        assert!(
            prompt.user.contains("```python\nx = 1/0\n```"),
            "{}",
            prompt.user
        );
        assert!(prompt.user.contains("division by zero"));
        assert!(prompt.user.contains("- ada: use the median"));
        assert!(prompt.user.matches('a').count() > 3_000);
        assert!(prompt.user.len() < 5_000, "the traceback is cut");
    }

    #[test]
    fn the_identity_follows_every_word() {
        let mut other = facts();
        other.may_write = true;
        assert_ne!(write(&facts()).digest(), write(&other).digest());
        assert_eq!(write(&facts()).digest(), write(&facts()).digest());
    }
}
