//! Everything that a view needs beside the state: code to show, where files are, how commands are written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::cli::open::Opened;
use crate::cli::settings::Settings;
use crate::cli::view::panel::You;
use crate::engine::RunFolder;
use crate::id::{ApprovalId, Digest, StepPath};
use crate::run::payload::Subject;
use crate::run::{Reveal, RunState, StepState, nobody_may_approve};
use crate::service::approved::{self, Approved};

/// A run ready to be shown.
#[derive(Debug)]
pub(in crate::cli) struct Frame<'a> {
    /// The run.
    pub(in crate::cli) state: &'a RunState,
    /// Whether sensitive outputs are shown.
    pub(in crate::cli) reveal: Reveal,
    /// Its files.
    pub(in crate::cli) folder: RunFolder,
    /// Where things are.
    pub(in crate::cli) settings: &'a Settings,
    /// Who looks at it.
    pub(in crate::cli) you: You,
    code: HashMap<Digest, String>,
    approved: HashMap<StepPath, Approved>,
    /// Questions to which nobody may say yes any more.
    stuck: HashSet<ApprovalId>,
}

impl<'a> Frame<'a> {
    /// Brings the code that open questions are about. Code that can't be read is not shown; the question says so.
    pub(in crate::cli) async fn load(
        context: &'a Context,
        opened: &Opened,
        state: &'a RunState,
    ) -> Frame<'a> {
        let mut code = HashMap::new();
        let mut approved = HashMap::new();
        for asked in state.open_approvals() {
            let step = state.step(&asked.request.step).map(|(_, step)| step);
            let analysis = step.and_then(|step| step.analysis.as_ref());
            let written = step.and_then(StepState::generation);
            let written = written.map(|newest| &newest.record);
            let prompt = written.and_then(|written| written.prompt);
            for digest in prompt
                .into_iter()
                .chain(analysis.map(|analysis| analysis.code))
            {
                if let Ok(bytes) = opened.engine.blob(digest).await {
                    code.insert(digest, String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            if let Some(analysis) = analysis {
                let texts = approved::module_texts(opened, analysis, false);
                for (path, text) in texts.await {
                    let module = analysis.modules.get(&path);
                    code.extend(module.map(|module| (module.digest, text)));
                }
            }
            let step = &asked.request.step;
            if asked.request.subject == Subject::Code
                && let Some(before) = approved::last(opened, state, step).await
            {
                approved.insert(step.clone(), before);
            }
        }
        let people = |role: &str| opened.engine.people_of(role);
        let stuck = state.open_approvals();
        let stuck = stuck.filter(|asked| nobody_may_approve(state, asked, None, &people));
        let stuck = stuck.map(|asked| asked.request.approval.clone()).collect();
        Self {
            state,
            stuck,
            reveal: Reveal::No,
            folder: opened.engine.folder(state),
            settings: &context.settings,
            you: opened.you(),
            code,
            approved,
        }
    }

    /// Whether nobody may say yes to that question any more.
    pub(in crate::cli) fn is_stuck(&self, approval: &ApprovalId) -> bool {
        self.stuck.contains(approval)
    }

    /// The code of that step that was approved last.
    pub(in crate::cli) fn approved(&self, step: &StepPath) -> Option<&Approved> {
        self.approved.get(step)
    }

    /// The text of that code, or of its prompt.
    pub(in crate::cli) fn code(&self, digest: Digest) -> Option<&str> {
        self.code.get(&digest).map(String::as_str)
    }

    /// A path of the data folder as a person here would write it.
    pub(in crate::cli) fn shown(&self, relative: &str) -> String {
        self.settings.shown(&self.settings.data.join(relative))
    }

    /// The notebook of the whole run, when it is there.
    pub(in crate::cli) fn notebook(&self) -> Option<PathBuf> {
        Some(self.folder.notebook()).filter(|path: &PathBuf| Path::is_file(path))
    }
}
