//! The only printer: results on standard output, everything else on standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use serde_json::Value;

use super::error::Error;
use super::view::text::safe;
use crate::diagnostic::{Diagnostic, Severity};

/// How a command talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Manner {
    /// One JSON document on standard output instead of text.
    pub(super) json: bool,
    /// No progress, no remarks.
    pub(super) quiet: bool,
    /// No colours, even on a terminal.
    pub(super) plain: bool,
}

/// Prints. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Output {
    manner: Manner,
    bars: MultiProgress,
    broken: Arc<AtomicBool>,
    left: Arc<AtomicBool>,
}

impl Output {
    /// A printer to the streams of this process.
    pub(super) fn new(manner: Manner) -> Self {
        console::set_colors_enabled(!manner.plain && io::stdout().is_terminal());
        console::set_colors_enabled_stderr(!manner.plain && io::stderr().is_terminal());
        // Without a terminal the bars are hidden: no control code ever reaches a file.
        Self {
            manner,
            bars: MultiProgress::new(),
            broken: Arc::default(),
            left: Arc::default(),
        }
    }

    /// Whether one JSON document is wanted.
    pub(super) fn is_json(&self) -> bool {
        self.manner.json
    }

    /// Whether progress and remarks are unwanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.manner.quiet
    }

    /// Whether a person watches standard error on a terminal that moves its cursor.
    pub(super) fn is_live(&self) -> bool {
        console::Term::stderr().features().is_attended() && !self.manner.quiet
    }

    /// Where live lines are drawn.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Whether something could not be printed for another reason than a reader that went away.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whether whoever read the results went away.
    pub(super) fn reader_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Prints the result: the document with `--json`, the text otherwise.
    pub(super) fn result(&self, document: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        if self.manner.json {
            self.document(&document());
        } else {
            self.text(&text());
        }
    }

    /// Prints a JSON document, indented.
    pub(super) fn document(&self, document: &Value) {
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        self.text(&text);
    }

    /// Prints text, with a newline at its end.
    pub(super) fn text(&self, text: &str) {
        let newline = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        self.bytes(format!("{text}{newline}").as_bytes());
    }

    /// Prints bytes as they are; what only a terminal would obey is shown instead of obeyed there.
    pub(super) fn raw(&self, bytes: &[u8]) {
        if io::stdout().is_terminal() {
            self.bytes(safe(&String::from_utf8_lossy(bytes)).as_bytes());
        } else {
            self.bytes(bytes);
        }
    }

    /// Prints a JSON document on one line, as one of many.
    pub(super) fn line(&self, document: &Value) {
        self.text(&document.to_string());
    }

    fn bytes(&self, bytes: &[u8]) {
        self.written(self.bars.suspend(|| {
            let mut stream = io::stdout().lock();
            stream.write_all(bytes).and_then(|()| stream.flush())
        }));
    }

    /// Prints a remark for people on standard error, unless they want quiet.
    pub(super) fn remark(&self, text: &str) {
        if !self.manner.quiet {
            self.aside(text);
        }
    }

    /// Prints on standard error. When nobody can be told there, nothing else can be done about it.
    pub(super) fn aside(&self, text: &str) {
        let _unheard = self
            .bars
            .suspend(|| writeln!(io::stderr().lock(), "{text}"));
    }

    /// Prints diagnostics on standard error.
    pub(super) fn diagnostics(&self, diagnostics: &[Diagnostic]) {
        let mut text = String::new();
        for diagnostic in diagnostics {
            let _infallible = writeln!(text, "{}", painted(diagnostic));
        }
        if !text.is_empty() {
            self.aside(text.trim_end());
        }
    }

    /// Prints what went wrong: on standard error, and with `--json` as the document.
    pub(super) fn error(&self, error: &Error) {
        if self.manner.json {
            self.document(&error.to_json());
        } else {
            self.diagnostics(error.diagnostics());
        }
    }

    /// A reader that went away, as in `stepwell list | head -1`, is no fault.
    fn written(&self, result: io::Result<()>) {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.left.store(true, Ordering::Relaxed);
            }
            Err(_) => self.broken.store(true, Ordering::Relaxed),
            Ok(()) => {}
        }
    }
}

fn painted(diagnostic: &Diagnostic) -> String {
    let text = safe(&diagnostic.to_string());
    let Some((head, rest)) = text.split_once(']') else {
        return text;
    };
    let style = console::Style::new().for_stderr().bold();
    let style = match diagnostic.severity {
        Severity::Error => style.red(),
        Severity::Warning => style.yellow(),
    };
    format!("{}{rest}", style.apply_to(format!("{head}]")))
}

/// Where log lines go: standard error, above the live lines.
#[derive(Debug, Clone)]
pub(super) struct LogWriter(pub(super) Output);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .bars
            .suspend(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
