//! Code that a generator wrote: by whom, and what was asked.

use super::Frame;
use super::text::{indented, line};
use crate::run::StepState;
use crate::run::payload::CodeGenerated;

/// Most lines of a prompt that are shown; all of it is in the folder of the attempt.
const PROMPT_LINES_MAX: usize = 60;
/// Width of what stands below a name.
const INDENT: usize = 4;

/// Who wrote the newest code of a step, in a few words.
pub(in crate::cli) fn by(step: &StepState) -> Option<String> {
    let record = &step.generation()?.record;
    if let Some(reused) = &record.reused {
        return Some(format!("the code of run {}", reused.run));
    }
    let times = step.generations.iter();
    let times = times
        .filter(|generation| generation.record.reused.is_none())
        .count();
    let times = match times {
        1 => String::new(),
        more => format!(", written {more} times"),
    };
    Some(format!(
        "code by {}{times}{}",
        line(author(record)),
        spent(step)
    ))
}

/// The model, or the generator that has none.
pub(super) fn author(record: &CodeGenerated) -> &str {
    record.model.as_ref().unwrap_or(&record.generator)
}

/// What all calls for a step cost, where it is known.
fn spent(step: &StepState) -> String {
    let costs = step.generations.iter();
    let costs = costs.filter_map(|generation| generation.record.cost.as_ref());
    let mut sum = 0.0;
    let mut currency = "";
    let mut about = "";
    for cost in costs {
        if cost.estimated {
            about = "about ";
        }
        sum += cost.amount;
        currency = &cost.currency;
    }
    if currency.is_empty() {
        String::new()
    } else {
        format!(", {about}{sum:.4} {}", line(currency))
    }
}

/// The facts of a question about such code.
pub(super) fn facts(record: &CodeGenerated) -> Vec<(String, String)> {
    let mut facts = vec![(
        "written by".to_owned(),
        format!(
            "{}  ({}, {})",
            line(author(record)),
            line(&record.generator),
            record.provider
        ),
    )];
    if let Some(reused) = &record.reused {
        let by = if reused.approved_by.is_empty() {
            String::new()
        } else {
            format!(", approved by {}", line(&reused.approved_by.join(", ")))
        };
        let editor = reused.circumstances.iter();
        let editor = editor.filter_map(|then| then.editor.as_deref());
        let changed: String = editor
            .map(|editor| format!(", changed by {}", line(editor)))
            .collect();
        facts.push((
            "taken from".to_owned(),
            format!("{}{changed}{by}", reused.run),
        ));
    }
    facts
}

/// The prompt.
pub(super) fn text(frame: &Frame<'_>, record: &CodeGenerated) -> String {
    let mut text = String::new();
    if let Some(prompt) = record.prompt.and_then(|digest| frame.code(digest)) {
        text.push_str("  prompt\n");
        let user = prompt
            .split_once("# User\n")
            .map_or(prompt, |(_, user)| user);
        let lines: Vec<&str> = user.trim().lines().collect();
        let shown = lines.get(..PROMPT_LINES_MAX).unwrap_or(&lines);
        text.push_str(&indented(&shown.join("\n"), INDENT));
        if lines.len() > PROMPT_LINES_MAX {
            let more = format!(
                "… {} more lines: prompts/prompt.md",
                lines.len() - PROMPT_LINES_MAX
            );
            text.push_str(&indented(&more, INDENT));
        }
    }
    text
}
