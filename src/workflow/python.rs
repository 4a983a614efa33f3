//! `python`: code from a file or written in place, and what it runs with.

use super::compiler::Compiler;
use super::draft::{Site, Use};
use super::sources::Reach;
use super::task;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node, place_inside};
use super::{keys, quantity};
use crate::code;
use crate::diagnostic::Span;
use crate::expression::Expression;
use crate::id::Digest;
use crate::plan::{
    ApproveCode, AskRules, CodeSource, IsolationLevel, Mode, NanPolicy, PythonStep, StepLimits,
};
use crate::python::analysis::{Finding, Rule, RuleSet, analyze};
use crate::python::cells;

fn line_index(finding: &Finding) -> usize {
    usize::try_from(finding.line.saturating_sub(1)).unwrap_or(usize::MAX)
}

/// The bytes of the code that the finding begins at.
fn span_of(finding: &Finding, text: &str) -> Span {
    let before: usize = text
        .split_inclusive('\n')
        .take(line_index(finding))
        .map(str::len)
        .sum();
    let line = text
        .get(before..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let column = usize::try_from(finding.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let inside = line
        .char_indices()
        .nth(column)
        .map_or(line.trim_end().len(), |(at, _)| at);
    // A fault at the very end of the code has no character of its own: the last one stands for it.
    let start = (before + inside).min(text.trim_end().len().saturating_sub(1));
    Span::new(start, start + 1)
}

/// Why Python can't read the code, if it can't.
fn unreadable(text: &str) -> Option<Finding> {
    let findings = analyze(text, &RuleSet::default()).findings;
    findings
        .into_iter()
        .find(|finding| Rule::find(&finding.rule).is_some_and(Rule::means_unreadable))
}

/// Fewest open files with which an interpreter starts.
pub(super) const OPEN_FILES_MIN: u32 = 32;
/// Most processes and open files that a limit may name.
pub(super) const COUNT_MAX: u32 = 1_048_576;

/// Where code comes from: one of these keys.
const SOURCES: [&str; 4] = ["file", "code", "notebook", "task"];

/// Code, its name in tracebacks, and the notebook that it comes from.
struct Written {
    file_name: String,
    source: CodeSource,
    notebook: Option<Digest>,
}

impl Compiler<'_, '_> {
    /// Reads `python:` of the step with this id.
    pub(super) fn python(
        &mut self,
        node: &Node,
        (id, given): (&str, &[&str]),
        uses: &mut Uses<'_>,
    ) -> Option<PythonStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::PYTHON)?;
        let execution = self.execution(fields).or(self
            .setting
            .options
            .default_execution
            .or(self.defaults.execution));
        let facts = self.facts(fields);
        let reach = self.reach(fields, &["file", "notebook", "requirements"]);
        let mode = match fields.get("mode") {
            Some(node) => self.mode(node),
            None => self.setting.options.default_mode.or(self.defaults.mode),
        };
        let packages = match fields.get("packages") {
            Some(node) => yaml::texts(&mut self.report, node),
            None => Some(self.defaults.packages.clone()),
        };
        let requirements = match task::requirements_file(fields) {
            Some(node) => self.requirements(node, reach),
            None => self.defaults.requirements,
        };
        let limits = match fields.get("limits") {
            Some(node) => self.step_limits(node),
            None => self.defaults.limits,
        };
        let isolation = match fields.get("isolation") {
            Some(node) => yaml::word(&mut self.report, node, &IsolationLevel::WORDS_OF_STEP),
            None => self.defaults.isolation,
        };
        let nan = fields.get("nan").and_then(|node| self.nan(node));
        self.can_be_held(fields, execution, isolation);
        let written = self.python_source(fields, (id, given), (reach, uses))?;
        Some(PythonStep {
            file_name: written.file_name,
            source: written.source,
            notebook: written.notebook,
            mode: mode.unwrap_or_default(),
            packages: packages.unwrap_or_default(),
            requirements,
            execution,
            facts,
            approve_code: None,
            limits,
            isolation,
            nan: nan.unwrap_or_default(),
        })
    }

    /// `nan: null` is the null of YAML to whoever writes it without quotes.
    fn nan(&mut self, node: &Node) -> Option<NanPolicy> {
        match node.kind {
            Kind::Null => Some(NanPolicy::Null),
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::List(_)
            | Kind::Map(_) => yaml::word(&mut self.report, node, &NanPolicy::WORDS),
        }
    }

    /// The code, or what it shall be written for.
    fn python_source(
        &mut self,
        fields: Fields<'_>,
        (id, given): (&str, &[&str]),
        (reach, uses): (Reach, &mut Uses<'_>),
    ) -> Option<Written> {
        let mut written = SOURCES.iter().filter_map(|key| fields.entry(key));
        let Some(first) = written.next() else {
            self.report.error_with(
                code::MISSING_KEY,
                fields.node().span,
                "`python` needs one of the keys `file`, `code`, `notebook` and `task`",
                "for example `python: {file: stages/load.py}`",
            );
            return None;
        };
        if let Some(second) = written.next() {
            let message = format!("`{}` and `{}` exclude each other", first.key, second.key);
            self.report
                .error(code::CONFLICTING_KEYS, second.node.span, message);
            return None;
        }
        let node = &first.node;
        if first.key != "task" {
            self.refuse_task_keys(fields, &first.key);
        }
        let plain = |file_name: String, source| Written {
            file_name,
            source,
            notebook: None,
        };
        match first.key.as_str() {
            "task" => {
                let task = self.task(fields, uses)?;
                Some(plain(format!("{id}.py"), CodeSource::Task(Box::new(task))))
            }
            "notebook" => self.notebook_source(node, given, reach),
            "file" => {
                let path = yaml::text(&mut self.report, node)?;
                if cells::is_notebook(path) {
                    let help = "write `notebook:` instead of `file:`";
                    let message = format!("`{path}` is a notebook");
                    self.report
                        .error_with(code::BAD_FILE, node.span, message, help);
                    return None;
                }
                let text = self.read_file(node, path, reach)?;
                let digest = self.check_python(node, path, &text);
                Some(plain(path.to_owned(), CodeSource::Code(digest)))
            }
            _ => {
                let text = yaml::text(&mut self.report, node)?;
                let file_name = format!("{id}.py");
                let digest = self.check_python(node, &file_name, text);
                Some(plain(file_name, CodeSource::Code(digest)))
            }
        }
    }

    /// The cells of a notebook as one code. Each must be Python by itself, since each is run by itself.
    fn notebook_source(&mut self, node: &Node, given: &[&str], reach: Reach) -> Option<Written> {
        let path = yaml::text(&mut self.report, node)?;
        if !cells::is_notebook(path) {
            let help = "the name of a notebook ends in `.ipynb`; `file:` is for code";
            let message = format!("`{path}` is no notebook");
            self.report
                .error_with(code::BAD_FILE, node.span, message, help);
            return None;
        }
        let text = self.read_file(node, path, reach)?;
        let source = match cells::read(&text, given) {
            Ok(source) => source,
            Err(fault) => {
                let message = format!("{path}: {}", fault.message);
                self.report
                    .error_with(code::BAD_FILE, node.span, message, fault.help);
                return None;
            }
        };
        for cell in cells::split(&source.code) {
            let Some(finding) = unreadable(cell.text) else {
                continue;
            };
            let line = cell
                .text
                .lines()
                .nth(line_index(&finding))
                .unwrap_or_default();
            let number = cell.number.unwrap_or_default();
            let what = match cells::magic(line) {
                Some(what) => format!("it is {what}, not Python"),
                None => finding.message.trim_end_matches('.').to_owned(),
            };
            let message = format!("{path}, cell {number}, line {}: {what}", finding.line);
            let help = format!("the line is: {}", line.trim());
            self.report
                .error_with(code::PYTHON_SYNTAX, node.span, message, help);
        }
        let digest = self.blobs.add(source.code.as_bytes());
        let page = serde_json::to_vec(&source.page).unwrap_or_default();
        Some(Written {
            file_name: path.to_owned(),
            source: CodeSource::Code(digest),
            notebook: Some(self.blobs.add(&page)),
        })
    }

    /// Code that could not be read is refused before anything runs.
    fn check_python(&mut self, node: &Node, file_name: &str, text: &str) -> Digest {
        let digest = self.blobs.add(text.as_bytes());
        let unreadable = self
            .unreadable
            .entry(digest)
            .or_insert_with(|| unreadable(text));
        if let Some(finding) = unreadable.clone() {
            self.unreadable_code(node, file_name, text, &finding);
        }
        digest
    }

    fn unreadable_code(&mut self, node: &Node, file_name: &str, text: &str, finding: &Finding) {
        let message = format!(
            "{file_name}, line {}: {}",
            finding.line,
            finding.message.trim_end_matches('.')
        );
        if node.text() == Some(text) {
            let span = place_inside(self.report.text(), node, span_of(finding, text));
            self.report.error(code::PYTHON_SYNTAX, span, message);
        } else {
            let line = text.lines().nth(line_index(finding)).unwrap_or_default();
            let help = format!("the line is: {}", line.trim());
            self.report
                .error_with(code::PYTHON_SYNTAX, node.span, message, help);
        }
    }

    pub(super) fn mode(&mut self, node: &Node) -> Option<Mode> {
        let word = yaml::text(&mut self.report, node)?;
        let mode = Mode::parse(word);
        if mode.is_none() {
            yaml::unknown_word(&mut self.report, node, word, &Mode::SPELLINGS);
        }
        mode
    }

    /// `limits:` of a step.
    pub(super) fn step_limits(&mut self, node: &Node) -> StepLimits {
        let Some(fields) = yaml::fields(&mut self.report, node, &keys::STEP_LIMITS) else {
            return StepLimits::default();
        };
        let report = &mut self.report;
        let mut size = |key: &str| {
            let node = fields.get(key)?;
            quantity::size(report, node)
        };
        let (memory, output, disk) = (size("memory"), size("output"), size("disk"));
        let mut whole = |key: &str, least: u32| {
            let node = fields.get(key)?;
            yaml::whole(report, node, least, COUNT_MAX)
        };
        let (processes, open_files) = (whole("processes", 1), whole("open_files", OPEN_FILES_MIN));
        let (cpu_time, stop_grace) = (fields.get("cpu_time"), fields.get("stop_grace"));
        StepLimits {
            memory,
            cpu_time: cpu_time.and_then(|node| quantity::duration(report, node)),
            stop_grace: stop_grace.and_then(|node| quantity::grace(report, node)),
            processes,
            open_files,
            output,
            disk,
        }
    }

    /// A file of requirement lines.
    pub(super) fn requirements(&mut self, node: &Node, reach: Reach) -> Option<Digest> {
        let path = yaml::text(&mut self.report, node)?;
        let text = self.read_file(node, path, reach)?;
        Some(self.blobs.add(text.as_bytes()))
    }

    /// Where the files may be: `allow_outside`, which says nothing without one of these keys.
    pub(super) fn reach(&mut self, fields: Fields<'_>, files: &[&str]) -> Reach {
        let Some(entry) = fields.entry("allow_outside") else {
            return Reach::Inside;
        };
        if !files.iter().any(|key| fields.get(key).is_some()) {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                format!(
                    "`allow_outside` does nothing without `{}`",
                    files.join("` or `")
                ),
                "it lets the path of a file leave the folder of the workflow file",
            );
        }
        match yaml::boolean(&mut self.report, &entry.node) {
            Some(true) => Reach::Anywhere,
            Some(false) | None => Reach::Inside,
        }
    }

    /// `approve_code:` true, or when and whom to ask.
    pub(super) fn approve_code(&mut self, node: &Node, uses: &mut Vec<Use>) -> Option<ApproveCode> {
        if let Kind::Bool(wanted) = node.kind {
            let when = Expression::parse("True").ok()?;
            let rules = AskRules::default();
            return wanted.then_some(ApproveCode { when, rules });
        }
        if node.text().is_some() {
            yaml::boolean(&mut self.report, node);
            return None;
        }
        let fields = yaml::fields(&mut self.report, node, &keys::APPROVE_CODE)?;
        let when = match fields.get("when") {
            Some(node) => self.condition(node, &mut Uses::new(Site::ApproveCode, uses))?,
            None => Expression::parse("True").ok()?,
        };
        let rules = self.ask_rules(fields, &mut Uses::new(Site::Step, uses));
        Some(ApproveCode { when, rules })
    }
}
