//! `stepwell config show`: the configuration in force.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::view::configuration::document;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::config::Config;

/// Look at the configuration
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(Show),
}

/// Print what the configuration decides
#[derive(Debug, Args)]
struct Show {
    /// Everything that is in force, not only what differs from the defaults
    #[arg(long)]
    effective: bool,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let Action::Show(show) = &arguments.action;
    let config = context.config()?;
    let shown = if show.effective {
        let execution = config.execution.resolved();
        document(&Config {
            execution,
            ..config
        })
    } else {
        let usual = document(&Config::default());
        differing(&document(&config), &usual).unwrap_or_else(|| json!({}))
    };
    let file = context.settings.config.as_deref();
    context.output.result(
        || json!({"file": file, "effective": show.effective, "config": shown}),
        || {
            let mut text = match file {
                Some(file) => format!("# {}\n", line(&file.display().to_string())),
                None => "# no config.yml: the defaults\n".to_owned(),
            };
            lines(&shown, &mut Vec::new(), &mut text);
            text
        },
    );
    Ok(Exit::Succeeded)
}

/// What is not as in the other one.
fn differing(value: &Value, usual: &Value) -> Option<Value> {
    if value == usual {
        return None;
    }
    let (Value::Object(entries), Value::Object(others)) = (value, usual) else {
        return Some(value.clone());
    };
    let kept = entries.iter().filter_map(|(key, value)| {
        let kept = differing(value, others.get(key).unwrap_or(&Value::Null))?;
        Some((key.clone(), kept))
    });
    Some(Value::Object(kept.collect::<Map<_, _>>()))
}

/// One line for each value, its keys joined by dots.
fn lines(value: &Value, path: &mut Vec<String>, text: &mut String) {
    if let Value::Object(entries) = value
        && !entries.is_empty()
    {
        for (key, value) in entries {
            path.push(key.clone());
            lines(value, path, text);
            path.pop();
        }
    } else if !path.is_empty() {
        let value = match value {
            Value::String(value) => line(value),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        text.push_str(&format!("{}: {value}\n", path.join(".")));
    }
}
