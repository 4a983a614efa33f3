//! The state of one compilation.

use std::collections::HashMap;

use super::draft::{Draft, Named};
use super::retry::WrittenRetry;
use super::secrets::Secrets;
use super::sources::{Blobs, Reach, Sources, normalize};
use super::yaml::{Node, Report};
use super::{CompileOptions, SourceError};
use crate::code;
use crate::id::Digest;
use crate::plan::Mode;
use crate::python::analysis::Finding;

/// What every part of the compiler works on.
pub(super) struct Compiler<'a, 't> {
    pub(super) report: Report<'t>,
    pub(super) sources: &'a dyn Sources,
    pub(super) options: &'a CompileOptions,
    pub(super) blobs: Blobs,
    pub(super) defaults: Defaults,
    pub(super) secrets: Secrets,
    /// All steps, a switch before the steps of its arms.
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
    pub(super) timeout: Option<std::time::Duration>,
    pub(super) packages: Vec<String>,
    pub(super) requirements: Option<Digest>,
    pub(super) retry: Option<WrittenRetry>,
}

impl<'a, 't> Compiler<'a, 't> {
    pub(super) fn new(
        report: Report<'t>,
        sources: &'a dyn Sources,
        options: &'a CompileOptions,
    ) -> Self {
        Self {
            report,
            sources,
            options,
            blobs: Blobs::default(),
            defaults: Defaults::default(),
            secrets: Secrets::default(),
            drafts: Vec::new(),
            unreadable: HashMap::new(),
            by_id: HashMap::new(),
            rewinds: Vec::new(),
        }
    }

    /// Reads the text file that `node` names, relative to the workflow file.
    pub(super) fn read_file(&mut self, node: &Node, path: &str, reach: Reach) -> Option<String> {
        if path.is_empty() {
            self.report
                .error(code::BAD_FILE, node.span, "the path is empty");
            return None;
        }
        let Some(simple) = normalize(path, reach) else {
            self.outside(node, path);
            return None;
        };
        let read = match reach {
            Reach::Inside => self.sources.read(&simple),
            Reach::Anywhere => self.sources.read_anywhere(&simple),
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(SourceError::Outside) => {
                self.outside(node, path);
                return None;
            }
            Err(fault) => {
                self.report.error_with(
                    code::BAD_FILE,
                    node.span,
                    format!("`{path}` can't be used: {fault}"),
                    "paths are relative to the workflow file",
                );
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

    fn outside(&mut self, node: &Node, path: &str) {
        self.report.error_with(
            code::FILE_OUTSIDE,
            node.span,
            format!("`{path}` leaves the folder of the workflow file"),
            "move the file below that folder, or write `allow_outside: true` beside it",
        );
    }
}
