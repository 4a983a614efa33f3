//! The state of one compilation.

use std::collections::HashMap;

use super::SourceError;
use super::child::{self, Setting};
use super::draft::{Draft, Named};
use super::retry::WrittenRetry;
use super::secrets::Secrets;
use super::sources::{Blobs, Reach, normalize};
use super::yaml::{Node, Report};
use crate::code;
use crate::id::Digest;
use crate::plan::{Execution, IsolationLevel, Mode, StepLimits};
use crate::python::analysis::Finding;

/// What every part of the compiler works on.
pub(super) struct Compiler<'a, 't> {
    pub(super) report: Report<'t>,
    pub(super) setting: Setting<'a>,
    pub(super) blobs: Blobs,
    pub(super) defaults: Defaults,
    pub(super) secrets: Secrets,
    /// All steps, a container before the steps inside it.
    pub(super) drafts: Vec<Draft>,
    /// Code that was looked at, and why it can't be read.
    pub(super) unreadable: HashMap<Digest, Option<Finding>>,
    /// Positions in `drafts`.
    pub(super) by_id: HashMap<String, usize>,
    /// Approvals, by their positions, and the steps that they go back to.
    pub(super) rewinds: Vec<(usize, Named)>,
}

/// What `defaults:` says.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) mode: Option<Mode>,
    pub(super) execution: Option<Execution>,
    pub(super) timeout: Option<std::time::Duration>,
    pub(super) packages: Vec<String>,
    pub(super) requirements: Option<Digest>,
    pub(super) limits: StepLimits,
    pub(super) isolation: Option<IsolationLevel>,
    pub(super) retry: Option<WrittenRetry>,
}

impl<'a, 't> Compiler<'a, 't> {
    pub(super) fn new(report: Report<'t>, setting: Setting<'a>) -> Self {
        Self {
            report,
            setting,
            blobs: Blobs::default(),
            defaults: Defaults::default(),
            secrets: Secrets::default(),
            drafts: Vec::new(),
            unreadable: HashMap::new(),
            by_id: HashMap::new(),
            rewinds: Vec::new(),
        }
    }

    /// The path that `node` names, in its simplest form, relative to the workflow file.
    pub(super) fn simple_path(&mut self, node: &Node, path: &str, reach: Reach) -> Option<String> {
        if path.is_empty() {
            self.report
                .error(code::BAD_FILE, node.span, "the path is empty");
            return None;
        }
        let simple = normalize(path, reach);
        if simple.is_none() {
            self.outside(node, path);
        }
        simple
    }

    /// Reads the text file that `node` names, relative to the workflow file.
    pub(super) fn read_file(&mut self, node: &Node, path: &str, reach: Reach) -> Option<String> {
        let simple = self.simple_path(node, path, reach)?;
        let below = self.setting.origin.below(&simple);
        let bytes = match child::read(self.setting.sources, &below, reach) {
            Ok(bytes) => bytes,
            Err(fault) => {
                self.unreadable_file(node, path, fault);
                return None;
            }
        };
        String::from_utf8(bytes)
            .map_err(|fault| {
                let offset = fault.utf8_error().valid_up_to();
                self.report.error_with(
                    code::BAD_FILE,
                    node.span,
                    format!("`{path}` is not UTF-8 text: see the byte at offset {offset}"),
                    "save it as UTF-8",
                );
            })
            .ok()
    }

    /// Reports a file that can't be used.
    pub(super) fn unreadable_file(&mut self, node: &Node, path: &str, fault: SourceError) {
        if fault == SourceError::Outside {
            self.outside(node, path);
            return;
        }
        self.report.error_with(
            code::BAD_FILE,
            node.span,
            format!("`{path}` can't be used: {fault}"),
            "paths are relative to the workflow file",
        );
    }

    fn outside(&mut self, node: &Node, path: &str) {
        self.report.error_with(
            code::FILE_OUTSIDE,
            node.span,
            format!("`{path}` leaves the folder of the workflow file"),
            "move the file below that folder, or write `allow_outside: true` beside it",
        );
    }
}
