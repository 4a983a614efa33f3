//! Code that a person changes instead of saying yes or no to it: looked at before anything is recorded.

use std::sync::Arc;

use similar::TextDiff;

use super::history::History;
use super::secrets::Secrets;
use super::{Engine, Error, analyse};
use crate::approval::Verdict;
use crate::id::{ApprovalId, Digest, RunId};
use crate::python::analysis::CODE_BYTES_MAX;
use crate::run::payload::{AnalysisReported, CodeEdited};
use crate::run::{Actor, Command, Refusal, RunState, blocked, decide};

/// Lines around a change.
const CONTEXT_LINES: usize = 3;
/// Most bytes of the text of a change that the history keeps; both codes are kept whole.
const DIFF_BYTES_MAX: usize = 64 * 1024;

/// The code of a question as a person wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The question.
    pub approval: ApprovalId,
    /// Who wants it.
    pub person: String,
    /// On whose keyboard, when somebody speaks for another.
    pub typed_by: Option<String>,
    /// Why, in the person's words.
    pub comment: Option<String>,
    /// Digest of what the person was shown, when the caller knows it.
    pub seen: Option<Digest>,
    /// The code.
    pub code: String,
}

impl Engine {
    /// Gives other code to a step whose code is asked about. The policy looks at it first; what it refuses is not
    /// taken, and the question stays open. Otherwise the code is asked about anew, and the change counts as that
    /// person's yes where the rules of the question let her approve what she changed.
    ///
    /// # Errors
    /// The code is refused, the question is another one by now, or the store can't be written.
    pub async fn edit(&self, run: RunId, edit: Edit) -> Result<RunState, Error> {
        let mut history = History::load(Arc::clone(&self.shared), run).await?;
        history.advance().await?;
        let mut edited = self.edited(history.state(), &edit).await?;
        // Refused before anything is looked at: who may not change it learns nothing of it either.
        let events = decide(history.state(), Command::Edit(Box::new(edited.clone())))?;
        if !events.is_empty() {
            let preview = history.preview(events)?;
            edited.says_yes_to = self.looked_at(&preview, &edited).await?.subject;
        }
        let actor = Actor::User(edit.typed_by.unwrap_or(edit.person));
        self.command(run, actor, Command::Edit(Box::new(edited)))
            .await
    }

    async fn edited(&self, state: &RunState, edit: &Edit) -> Result<CodeEdited, Error> {
        let Some(asked) = state.approvals.get(&edit.approval) else {
            return Err(Refusal::UnknownApproval(edit.approval.clone()).into());
        };
        let request = &asked.request;
        if edit.code.len() > CODE_BYTES_MAX {
            return Err(not_editable(format!(
                "it has more than {CODE_BYTES_MAX} bytes"
            )));
        }
        if edit.code.trim().is_empty() {
            // A slip, most likely: nobody says yes to nothing.
            return Err(not_editable("it is empty".to_owned()));
        }
        let secrets = Secrets::of(&self.shared, state).await;
        if secrets.redactor().text(&edit.code) != edit.code {
            return Err(not_editable("it holds the value of a secret".to_owned()));
        }
        let step_state = state.step(&request.step).map(|(_, step)| step);
        let analysis = step_state.and_then(|step| step.analysis.as_ref());
        // Where nothing is known of the code, the decision says why it can't be changed.
        let base = analysis.map_or_else(|| Digest::of(b""), |analysis| analysis.code);
        let code = self
            .shared
            .ports
            .put_blob(edit.code.clone().into_bytes())
            .await?;
        let before = match analysis {
            Some(_) => self.shared.ports.get_blob(base).await?,
            None => Vec::new(),
        };
        let before = String::from_utf8_lossy(&before);
        Ok(CodeEdited {
            step: request.step.clone(),
            approval: edit.approval.clone(),
            person: edit.person.clone(),
            roles: self.roles_of(&edit.person),
            typed_by: edit.typed_by.clone(),
            subject_digest: edit.seen.unwrap_or(request.subject_digest),
            base,
            code,
            diff: diff(&before, &edit.code),
            says_yes_to: request.subject_digest,
            comment: edit.comment.clone(),
        })
    }

    /// What the analysis and the policy say of the changed code.
    async fn looked_at(
        &self,
        preview: &RunState,
        edited: &CodeEdited,
    ) -> Result<AnalysisReported, Error> {
        let report = analyse::judge(&self.shared, preview, &edited.step).await;
        let report = report.map_err(|failure| not_editable(failure.message))?;
        match report.decision.verdict {
            Verdict::Pass | Verdict::Ask => Ok(report),
            Verdict::Block => {
                let failure = blocked(&report);
                let findings = report.report.findings.iter();
                // What the reason says already is not said again.
                let lines: Vec<String> = findings
                    .filter(|found| !failure.message.contains(&found.message))
                    .take(3)
                    .map(|found| format!("{}: {}", found.place(), found.message))
                    .collect();
                let found = if lines.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", lines.join("; "))
                };
                Err(not_editable(format!("{}{found}", failure.message)))
            }
        }
    }
}

fn not_editable(why: String) -> Error {
    Refusal::NotEditable(why).into()
}

/// The unified diff, cut at the end of a line.
fn diff(before: &str, after: &str) -> String {
    let mut text = TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header("asked", "edited")
        .to_string();
    if text.len() > DIFF_BYTES_MAX {
        let end = text.floor_char_boundary(DIFF_BYTES_MAX);
        let end = text.get(..end).and_then(|head| head.rfind('\n'));
        text.truncate(end.map_or(0, |end| end + 1));
        text.push_str("… the rest of the change is left out here; both codes are kept whole\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_change_is_cut_at_a_line() {
        assert_eq!(
            diff("a\n", "b\n"),
            "--- asked\n+++ edited\n@@ -1 +1 @@\n-a\n+b\n"
        );
        let long = diff(
            "",
            &"é"
                .repeat(50)
                .chars()
                .chain(['\n'])
                .collect::<String>()
                .repeat(2_000),
        );
        assert!(long.len() < DIFF_BYTES_MAX + 100 && long.ends_with("whole\n"));
    }
}
