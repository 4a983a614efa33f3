//! Recorded answers from a file: for examples, tests, and places without a model.
//!
//! The file is Markdown. A heading says what an answer is for, and the answer follows until the next one:
//! `## sha256:…` for one prompt, `## STEP 2` for the second time that code is written for a step, `## STEP` for every
//! time, `## 1`, `## 2` … in order, whatever the step.

use std::path::PathBuf;

use super::{About, Answer, CodeGenerator, Found, Hearer, Request};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::time::BoxFuture;

/// Largest file of answers, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Recorded answers.
#[derive(Debug)]
pub struct ScriptedGenerator {
    file: PathBuf,
}

impl ScriptedGenerator {
    /// The answers of a file, which is read when it is asked.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    async fn text(&self) -> Result<String, Failure> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        let text = read.unwrap_or_else(|error| Err(error.to_string()));
        let shown = self.file.display();
        text.map_err(|why| missing(format!("the answers in {shown} can't be read: {why}")))
    }

    async fn answer(&self, request: Request) -> Result<Answer, Failure> {
        let text = self.text().await?;
        let shown = self.file.display();
        let digest = request.prompt.digest().to_string();
        let (step, number) = (&request.step, request.number);
        let wanted = [
            digest.clone(),
            format!("{step} {number}"),
            step.clone(),
            number.to_string(),
        ];
        let sections = sections(&text);
        let found = wanted
            .iter()
            .find_map(|wanted| sections.iter().find(|(title, _)| title == wanted));
        let Some((_, answer)) = found else {
            let message =
                format!("{shown} has no answer for `{step}`, time {number} (prompt {digest})");
            return Err(missing(message).hint(format!(
                "write it under the heading `## {step} {number}` or `## {digest}`"
            )));
        };
        Ok(Answer {
            text: answer.clone(),
            raw: answer.clone(),
            ..Answer::default()
        })
    }
}

fn missing(message: String) -> Failure {
    Failure::new(FailureKind::Configuration, code::GENERATOR_SCRIPT, message)
}

fn read(file: &std::path::Path) -> Result<String, String> {
    let about = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err("it is no plain file of at most 4 MiB".to_owned());
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// The sections of a file: heading and text. `##` inside a fenced block is a comment of the code.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        match line.strip_prefix("## ").filter(|_| !fenced) {
            Some(title) => {
                let words: Vec<&str> = title.split_whitespace().collect();
                sections.push((words.join(" "), String::new()));
            }
            None => {
                if let Some((_, body)) = sections.last_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    sections
}

impl CodeGenerator for ScriptedGenerator {
    fn about(&self) -> About {
        About {
            provider: "scripted",
            model: None,
        }
    }

    fn generate<'a>(
        &'a self,
        request: Request,
        _: Hearer<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(self.answer(request))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Found, Failure>> {
        Box::pin(async {
            self.text().await?;
            Ok(Found::sure(format!(
                "the answers in {}",
                self.file.display()
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_in_code_are_comments() {
        let text = "intro\n## fit 1\n```python\n## not a heading\nx = 1\n```\n## fit\nagain\n";
        let found = sections(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "fit 1");
        assert!(found[0].1.contains("## not a heading"));
        assert_eq!(found[1], ("fit".to_owned(), "again\n".to_owned()));
    }
}
