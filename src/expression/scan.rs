//! A quick look at the text before any parser sees it: strings, brackets, how deep it can become.

use crate::diagnostic::Span;

use super::error::{Error, Fault};
use super::limit::{DEPTH_MAX, LINKS_MAX, TEXT_BYTES_MAX};

/// An open bracket and what has been chained inside it since the last comma.
struct Level {
    bracket: u8,
    at: usize,
    /// Operators, dots and brackets that may nest in the tree.
    links: usize,
    /// `if`, `else`, `for`, `lambda`: these nest across `and` and `or` as well.
    choices: usize,
}

impl Level {
    const fn new(bracket: u8, at: usize) -> Self {
        Self {
            bracket,
            at,
            links: 0,
            choices: 0,
        }
    }
}

/// Refuses a text that is too long or could become too deep, has unbalanced brackets or strings, or uses
/// f-strings, byte strings or comments.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let whole = Span::new(0, text.len());
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the expression is {} bytes long; at most {TEXT_BYTES_MAX} are allowed",
            text.len()
        );
        return Err(Fault::too_large(message)
            .help("compute it in a step, and refer to the step's output")
            .at(whole));
    }
    if text.trim().is_empty() {
        return Err(Fault::syntax("the expression is empty")
            .help("write `$${{` when you mean the characters `${{`")
            .at(whole));
    }
    let bytes = text.as_bytes();
    let mut levels = vec![Level::new(0, 0)];
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'"' | b'\'' => string_end(bytes, at).ok_or_else(|| open_string(at))?,
            b'#' => {
                return Err(
                    Fault::not_allowed("comments have no place in an expression")
                        .at(Span::new(at, at + 1)),
                );
            }
            _ if is_word(byte) => word(text, at, &mut levels)?,
            _ => {
                symbol(byte, at, &mut levels)?;
                at + 1
            }
        };
        measure(&levels, whole)?;
    }
    match levels.last() {
        Some(level) if level.bracket != 0 => Err(open_bracket(level.bracket, level.at)),
        Some(_) | None => Ok(()),
    }
}

fn measure(levels: &[Level], whole: Span) -> Result<(), Error> {
    let links: usize = levels.iter().map(|level| level.links + level.choices).sum();
    if levels.len() > DEPTH_MAX || links > LINKS_MAX {
        return Err(too_deep().at(whole));
    }
    Ok(())
}

/// The fault of a tree, or of brackets, deeper than [`DEPTH_MAX`].
pub(super) fn too_deep() -> Fault {
    Fault::too_large(format!(
        "the expression is nested more than {DEPTH_MAX} levels deep"
    ))
    .help("compute it in a step, or in several `set` steps")
}

fn symbol(byte: u8, at: usize, levels: &mut Vec<Level>) -> Result<(), Error> {
    let Some(level) = levels.last_mut() else {
        return Ok(());
    };
    match byte {
        b'(' | b'[' | b'{' => {
            level.links += 1;
            levels.push(Level::new(byte, at));
        }
        b')' | b']' | b'}' => {
            if level.bracket != opening(byte) {
                return Err(if level.bracket == 0 {
                    Fault::syntax(format!("`{}` closes nothing", char::from(byte)))
                        .at(Span::new(at, at + 1))
                } else {
                    open_bracket(level.bracket, level.at)
                });
            }
            levels.pop();
        }
        b',' => {
            level.links = 0;
            level.choices = 0;
        }
        b'.' | b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'@' | b'&' | b'|' | b'^' | b'<'
        | b'>' => level.links += 1,
        _ => {}
    }
    Ok(())
}

/// Reads a word or a number; returns where it ends.
fn word(text: &str, start: usize, levels: &mut [Level]) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let number = bytes.get(start).is_some_and(u8::is_ascii_digit);
    let length = bytes
        .iter()
        .skip(start)
        .take_while(|byte| is_word(**byte) || (number && **byte == b'.'))
        .count();
    let end = start + length;
    let word = text.get(start..end).unwrap_or_default();
    if matches!(bytes.get(end), Some(b'"' | b'\'')) {
        string_prefix(word, Span::new(start, end))?;
    }
    if let Some(level) = levels.last_mut() {
        match word {
            "and" | "or" => level.links = 0,
            "not" | "await" | "yield" | "from" => level.links += 1,
            "if" | "else" | "for" | "lambda" => level.choices += 1,
            _ => {}
        }
    }
    Ok(end)
}

fn string_prefix(word: &str, span: Span) -> Result<(), Error> {
    let refused = match word.to_ascii_lowercase().as_str() {
        "f" | "fr" | "rf" | "t" | "tr" | "rt" => {
            "join strings with `+`, or put several `${{ }}` into the text"
        }
        "b" | "br" | "rb" => "write a plain string",
        _ => return Ok(()),
    };
    Err(Fault::not_allowed(format!(
        "`{word}\"…\"` is not part of the expression language"
    ))
    .help(refused)
    .at(span))
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// One past the string that begins at `start` with a quote; `None` when it never ends.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = *bytes.get(start)?;
    let triple = bytes.get(start..start + 3) == Some(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    loop {
        let byte = *bytes.get(at)?;
        if byte == b'\\' {
            at += 2;
        } else if byte == quote && !triple {
            return Some(at + 1);
        } else if byte == quote && bytes.get(at..at + 3) == Some(&[quote; 3]) {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
}

/// Finds the `}}` that closes the expression which begins at `start`: counted by brackets and quotes.
pub(super) fn closing(text: &str, start: usize) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let mut brackets: Vec<(u8, usize)> = Vec::new();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = string_end(bytes, at).ok_or_else(|| open_string(at))?;
                continue;
            }
            b'(' | b'[' | b'{' => brackets.push((byte, at)),
            b')' | b']' | b'}' => match brackets.last() {
                Some((open, _)) if *open == opening(byte) => {
                    brackets.pop();
                }
                Some((open, opened)) => return Err(open_bracket(*open, *opened)),
                None if byte == b'}' && bytes.get(at + 1) == Some(&b'}') => return Ok(at),
                None => {
                    let message = format!("`{}` closes nothing", char::from(byte));
                    return Err(Fault::syntax(message).at(Span::new(at, at + 1)));
                }
            },
            _ => {}
        }
        at += 1;
    }
    Err(Fault::syntax("`${{` is never closed")
        .help("end the expression with `}}`, or write `$${{` for the characters themselves")
        .at(Span::new(start.saturating_sub(3), start)))
}

const fn opening(closing: u8) -> u8 {
    match closing {
        b')' => b'(',
        b']' => b'[',
        b'}' => b'{',
        _ => 0,
    }
}

fn open_string(at: usize) -> Error {
    Fault::syntax("the string is never closed")
        .help("a quote begins a string; write `\"it's\"` or `'it\\'s'`")
        .at(Span::new(at, at + 1))
}

fn open_bracket(bracket: u8, at: usize) -> Error {
    Fault::syntax(format!("`{}` is never closed", char::from(bracket))).at(Span::new(at, at + 1))
}
