//! A Python file as a template: the facts of the task are handed in as data, never written into the code.

use std::path::{Path, PathBuf};

use super::extract::CODE_BYTES_MAX;
use super::{About, Answer, CodeGenerator, Found, Hearer, Request};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::time::BoxFuture;

/// The comment that begins the cell of parameters.
const CELL: &str = "# %%";
/// The word in it.
const TAG: &str = "parameters";

/// A Python file.
#[derive(Debug)]
pub struct TemplateGenerator {
    file: PathBuf,
}

impl TemplateGenerator {
    /// The template in a file, which is read when it is asked.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    async fn text(&self) -> Result<String, Failure> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        let read = read.unwrap_or_else(|error| Err(error.to_string()));
        read.map_err(|why| {
            let message = format!("the template {} can't be read: {why}", self.file.display());
            Failure::new(FailureKind::Configuration, code::GENERATOR_SCRIPT, message)
        })
    }

    async fn answer(&self, request: Request) -> Result<Answer, Failure> {
        let template = self.text().await?;
        let text = filled(&template, &request.facts.to_string());
        Ok(Answer {
            raw: text.clone(),
            text,
            is_code: true,
            ..Answer::default()
        })
    }
}

fn read(file: &Path) -> Result<String, String> {
    let about = std::fs::metadata(file).map_err(|error| error.to_string())?;
    let limit = u64::try_from(CODE_BYTES_MAX).unwrap_or(u64::MAX);
    if !about.is_file() || about.len() > limit {
        return Err("it is no plain file of at most 1 MiB".to_owned());
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// The template with a cell of values after its cell of parameters, whose own values are what holds without. A template
/// without such a cell is taken as it is.
fn filled(template: &str, facts: &str) -> String {
    // A text of JSON is a text of Python too.
    let literal = serde_json::Value::from(facts).to_string();
    let cell = format!(
        "# %% injected parameters\nimport json as _json\n\nparameters.update(_json.loads({literal}))\n\n"
    );
    let mut out = String::new();
    let (mut inside, mut done) = (false, false);
    for line in template.split_inclusive('\n') {
        if line.starts_with(CELL) {
            if inside && !done {
                out.push_str(&cell);
                done = true;
            }
            inside = line.contains(TAG);
        }
        out.push_str(line);
    }
    if inside && !done {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&cell);
    }
    out
}

impl CodeGenerator for TemplateGenerator {
    fn about(&self) -> About {
        About {
            provider: "template",
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
                "the template in {}",
                self.file.display()
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_data_behind_the_cell_of_parameters() {
        let template =
            "# %% tags=[\"parameters\"]\nparameters = {}\n# %% work\nresults = parameters\n";
        let text = filled(template, r#"{"task": "it's \"so\"\n"}"#);
        let at = |part: &str| text.find(part).unwrap();
        assert!(at("parameters = {}") < at("_json.loads"));
        assert!(at("_json.loads") < at("results = parameters"));
        assert!(
            text.contains(r#""{\"task\": \"it's \\\"so\\\"\\n\"}""#),
            "{text}"
        );
        assert_eq!(filled("results = {}\n", "{}"), "results = {}\n");
    }
}
