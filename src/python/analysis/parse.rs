//! From text to tree, or to the findings that say why there is none.

use ruff_python_ast::{ModModule, PySourceType};
use ruff_python_parser::{Parsed, parse_unchecked_source};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::compile;
use super::nesting;
use super::rules::Rule;

/// Longest code that is analysed, in bytes.
pub const CODE_BYTES_MAX: usize = 1024 * 1024;
/// Most syntax errors that are reported for one text.
const SYNTAX_ERRORS_MAX: usize = 20;

/// Why a text was not read to its end.
pub(super) struct Fault {
    pub(super) rule: Rule,
    pub(super) range: TextRange,
    pub(super) message: String,
}

impl Fault {
    fn at(rule: Rule, offset: usize, message: String) -> Self {
        let start = TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX));
        Self {
            rule,
            range: TextRange::empty(start),
            message,
        }
    }
}

/// The same for code that is to run: what Python parses and then refuses to compile is a syntax error too.
pub(super) fn compiled(code: &str) -> Result<Parsed<ModModule>, Vec<Fault>> {
    let parsed = parse(code)?;
    let refusals = compile::refusals(code, &parsed.syntax().body);
    if refusals.is_empty() {
        return Ok(parsed);
    }
    let refusals = refusals.into_iter().take(SYNTAX_ERRORS_MAX);
    Err(refusals
        .map(|(range, message)| Fault {
            rule: Rule::Syntax,
            range,
            message,
        })
        .collect())
}

/// Parses a module. With syntax errors there is no tree: half a tree would say too little.
pub(super) fn parse(code: &str) -> Result<Parsed<ModModule>, Vec<Fault>> {
    if code.len() > CODE_BYTES_MAX {
        let message = format!(
            "The code has {} bytes; at most {CODE_BYTES_MAX} are analysed.",
            code.len()
        );
        return Err(vec![Fault::at(Rule::TooLarge, 0, message)]);
    }
    if let Some(offset) = code.find('\0') {
        let message = "The code contains a NUL byte, which Python refuses.".to_owned();
        return Err(vec![Fault::at(Rule::Syntax, offset, message)]);
    }
    if nesting::too_deep(code) {
        let message = format!(
            "The code nests more than {} levels deep.",
            nesting::NESTING_MAX
        );
        return Err(vec![Fault::at(Rule::TooDeep, 0, message)]);
    }
    let parsed = parse_unchecked_source(code, PySourceType::Python);
    if parsed.errors().is_empty() {
        return Ok(parsed);
    }
    Err(parsed
        .errors()
        .iter()
        .take(SYNTAX_ERRORS_MAX)
        .map(|error| Fault {
            rule: Rule::Syntax,
            range: error.range(),
            message: format!("{}.", error.error),
        })
        .collect())
}
