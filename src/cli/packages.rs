//! The packages that the steps of a run had, listed once for all steps that had the same.

use serde_json::{Map, Value, json};

use super::open::Opened;
use crate::run::RunState;

/// Most packages of one list that are printed.
const LISTED_MAX: usize = 500;

/// Adds `packages`: by the digest that steps name, what stands in that list.
pub(super) async fn list(opened: &Opened, state: &RunState, document: &mut Value) {
    let results = state.steps().filter_map(|(_, step)| step.result.as_ref());
    let named = results.filter_map(|result| result.packages);
    let mut lists = Map::new();
    for packages in named {
        let key = packages.digest.to_string();
        if lists.contains_key(&key) {
            continue;
        }
        let Some(mut lines) = opened.engine.packages(packages).await else {
            continue;
        };
        let hidden = lines.len().saturating_sub(LISTED_MAX);
        lines.truncate(LISTED_MAX);
        if hidden > 0 {
            lines.push(format!("and {hidden} more"));
        }
        lists.insert(key, json!(lines));
    }
    if let Some(fields) = document.as_object_mut() {
        fields.insert("packages".to_owned(), Value::Object(lists));
    }
}
