//! Cells and the document around them, in the shape of nbformat 4.5.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The name of the metadata that is ours, in cells and in the document.
pub(super) const NAMESPACE: &str = "stepwell";

/// The cells of a notebook in the making. Ids come from the role of a cell and stay the same from one
/// writing to the next.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<Value>,
    used: BTreeMap<&'static str, usize>,
}

/// A code cell.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) source: String,
    pub(super) tags: Vec<&'static str>,
    pub(super) hidden: bool,
    /// Its place in the order of execution; absent when it never ran.
    pub(super) count: Option<usize>,
    pub(super) outputs: Vec<Value>,
}

impl Cells {
    /// Adds a Markdown cell.
    pub(super) fn markdown(&mut self, role: &'static str, source: &str) {
        let id = self.id(role);
        self.cells.push(json!({
            "cell_type": "markdown",
            "id": id,
            "metadata": {NAMESPACE: {"role": role}},
            "source": lines(source),
        }));
    }

    /// Adds a code cell.
    pub(super) fn code(&mut self, role: &'static str, code: &Code) {
        let id = self.id(role);
        let mut metadata = json!({NAMESPACE: {"role": role}});
        if let Some(metadata) = metadata.as_object_mut() {
            if !code.tags.is_empty() {
                metadata.insert("tags".to_owned(), json!(code.tags));
            }
            if code.hidden {
                metadata.insert("jupyter".to_owned(), json!({"source_hidden": true}));
            }
        }
        self.cells.push(json!({
            "cell_type": "code",
            "execution_count": code.count,
            "id": id,
            "metadata": metadata,
            "outputs": code.outputs,
            "source": lines(&code.source),
        }));
    }

    /// Adds a finished cell under an id of ours.
    pub(super) fn add(&mut self, role: &'static str, cell: Value) {
        let id = self.id(role);
        self.adopt(cell, id);
    }

    /// Adds a finished cell under another id.
    pub(super) fn adopt(&mut self, mut cell: Value, id: String) {
        if let Some(cell) = cell.as_object_mut() {
            cell.insert("id".to_owned(), Value::String(id));
        }
        self.cells.push(cell);
    }

    /// The document with these cells; `about` is our own metadata.
    pub(super) fn into_document(self, about: &Value) -> Value {
        json!({
            "cells": self.cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {
                    "file_extension": ".py",
                    "mimetype": "text/x-python",
                    "name": "python",
                    "nbconvert_exporter": "python",
                    "pygments_lexer": "ipython3",
                },
                NAMESPACE: about,
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        })
    }

    fn id(&mut self, role: &'static str) -> String {
        let count = self.used.entry(role).or_default();
        *count += 1;
        if *count == 1 {
            role.to_owned()
        } else {
            format!("{role}-{count}")
        }
    }
}

/// The role of one of our cells.
pub(super) fn role(cell: &Value) -> &str {
    cell.pointer("/metadata/stepwell/role")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Text as nbformat keeps it: a list of lines, each with its end.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}
