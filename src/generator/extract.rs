//! The code in an answer: exactly one fenced block, and never what a model only thought.

use super::{Answer, Stop};
use crate::code;
use crate::failure::{Failure, FailureKind};

/// Largest code that is taken, in bytes: as much as the analysis reads.
pub const CODE_BYTES_MAX: usize = 1 << 20;

/// The code of an answer.
///
/// # Errors
/// The answer was cut off or refused, or does not hold exactly one piece of Python.
pub fn code(answer: &Answer) -> Result<String, Failure> {
    match &answer.stop {
        Stop::End | Stop::Other(_) => {}
        Stop::Length => return Err(cut_off(answer.output_tokens)),
        Stop::Unusable(why) => return Err(no_code(why)),
        Stop::Refused(why) => {
            let message = format!(
                "the generator refused to write the code: {}",
                first_line(why)
            );
            return Err(failure(code::GENERATION_REFUSED, message));
        }
    }
    // No Python begins with such a mark: what was to be code alone is an answer as people get it.
    let marks = ["```", "~~~"];
    let is_fenced = marks.map(|mark| answer.text.trim_start().starts_with(mark));
    let found = if answer.is_code && !is_fenced.contains(&true) {
        answer.text.clone()
    } else {
        fenced(&without_thoughts(&answer.text))?
    };
    if found.trim().is_empty() {
        return Err(no_code("the answer is empty"));
    }
    if found.len() > CODE_BYTES_MAX {
        return Err(no_code("the code in the answer is larger than 1 MiB"));
    }
    let mut found = found;
    if !found.ends_with('\n') {
        found.push('\n');
    }
    Ok(found)
}

fn cut_off(tokens: Option<u64>) -> Failure {
    let at = tokens.map_or_else(String::new, |tokens| format!(" after {tokens} tokens"));
    let message = format!("the answer was cut off{at}, so its code is not whole");
    failure(code::GENERATION_CUT_OFF, message)
        .hint("raise `max_tokens` of the generator in config.yml, or ask for less in one step")
}

fn no_code(why: &str) -> Failure {
    let message = format!("the generator's answer holds no code that could be taken: {why}");
    failure(code::GENERATION_NO_CODE, message)
}

fn failure(code: code::Code, message: String) -> Failure {
    Failure::new(FailureKind::Code, code, message)
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("it gave no reason")
        .chars()
        .take(300)
        .collect()
}

/// Marks between which reasoning models put what they only think.
const THOUGHTS: [(&str, &str); 3] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
];

/// The text without thoughts; thoughts that never end swallow the rest, those whose beginning is lost what is before.
fn without_thoughts(text: &str) -> String {
    let mut text = text.to_owned();
    for (begin, end) in THOUGHTS {
        while let Some(from) = text.find(begin) {
            let rest = text.get(from..).unwrap_or_default();
            let to = rest
                .find(end)
                .map_or(text.len(), |at| from + at + end.len());
            text.replace_range(from..to, "");
        }
        if let Some(at) = text.rfind(end) {
            text.replace_range(..at + end.len(), "");
        }
    }
    text
}

/// The one block of Python. Blocks of other languages are no code; a block that never ends was cut off.
fn fenced(text: &str) -> Result<String, Failure> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open: Option<(String, String, String)> = None;
    // What stands before the mark stands before each line, as in a list.
    let mut indent = 0;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let fence: String = trimmed
            .chars()
            .take_while(|c| matches!(c, '`' | '~'))
            .collect();
        open = match open {
            None if fence.len() >= 3 => {
                let language = trimmed.trim_start_matches(['`', '~']).trim();
                let language = language.split([' ', '{', ',']).next().unwrap_or_default();
                indent = line.len() - trimmed.len();
                Some((fence, language.to_ascii_lowercase(), String::new()))
            }
            None => None,
            Some((mark, language, body)) if trimmed.trim_end() == mark => {
                blocks.push((language, body));
                None
            }
            Some((mark, language, mut body)) => {
                let before = line.bytes().take(indent);
                let spaces = before.take_while(u8::is_ascii_whitespace).count();
                body.push_str(line.get(spaces..).unwrap_or_default());
                body.push('\n');
                Some((mark, language, body))
            }
        };
    }
    if open.is_some() {
        return Err(no_code("its fenced block never ends"));
    }
    let is_python = |language: &str| matches!(language, "" | "python" | "python3" | "py");
    let mut python = blocks
        .into_iter()
        .filter(|(language, _)| is_python(language));
    match (python.next(), python.next()) {
        (Some((_, body)), None) => Ok(body),
        (Some(_), Some(_)) => Err(no_code(
            "it has several blocks of Python, and one was asked for",
        )),
        (None, _) => Err(no_code("it has no fenced block of Python")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        Answer {
            text: text.to_owned(),
            ..Answer::default()
        }
    }

    #[test]
    fn one_block_is_the_code_whatever_is_said_around_it() {
        let text = "Sure!\n```python\nresults = {\"a\": \"```not a fence\"}\n```\nDone.";
        assert_eq!(
            code(&answer(text)).unwrap(),
            "results = {\"a\": \"```not a fence\"}\n"
        );
        assert_eq!(code(&answer("```\nx = 1\n```")).unwrap(), "x = 1\n");
        assert_eq!(code(&answer("~~~py\nx = 1\n~~~")).unwrap(), "x = 1\n");
        let other = "```bash\npip install x\n```\n```python\nx = 1\n```";
        assert_eq!(code(&answer(other)).unwrap(), "x = 1\n");
    }

    #[test]
    fn a_block_in_a_list_stands_as_far_to_the_right_as_its_mark() {
        let text = "1. So:\n\n   ```python\n   if True:\n       x = 1\n\n  y = 2\n   ```\n";
        assert_eq!(
            code(&answer(text)).unwrap(),
            "if True:\n    x = 1\n\ny = 2\n"
        );
    }

    #[test]
    fn code_alone_that_comes_in_a_block_is_the_block() {
        let mut structured = answer("\n```python\nx = 1\n```\n");
        structured.is_code = true;
        assert_eq!(code(&structured).unwrap(), "x = 1\n");
        structured.text = "x = '```'\n".to_owned();
        assert_eq!(code(&structured).unwrap(), "x = '```'\n");
    }

    #[test]
    fn thoughts_are_never_code() {
        let text =
            "<think>\n```python\nimport os; os.remove('/')\n```\n</think>\n```python\nx = 1\n```";
        assert_eq!(code(&answer(text)).unwrap(), "x = 1\n");
        let endless = "<think>\n```python\nx = 1\n```";
        assert_eq!(
            code(&answer(endless)).unwrap_err().code,
            "generation_no_code"
        );
        let headless = "```python\nbad()\n```\n</think>\n```python\nx = 1\n```";
        assert_eq!(code(&answer(headless)).unwrap(), "x = 1\n");
    }

    #[test]
    fn what_is_not_exactly_one_block_is_refused() {
        for text in [
            "",
            "Sorry",
            "results = {}",
            "```python\nx = 1",
            "```python\n\n```",
            "```python\nx = 1\n```\n```python\ny = 2\n```",
        ] {
            let failure = code(&answer(text)).unwrap_err();
            assert_eq!(failure.code, "generation_no_code", "{text:?}");
            assert_eq!(failure.kind, FailureKind::Code);
        }
    }

    #[test]
    fn what_was_cut_off_or_refused_is_no_code() {
        let mut cut = answer("```python\nx = 1\n```");
        cut.stop = Stop::Length;
        cut.output_tokens = Some(64);
        let failure = code(&cut).unwrap_err();
        assert_eq!(failure.code, "generation_cut_off");
        assert!(failure.message.contains("after 64 tokens"));
        cut.stop = Stop::Refused("I can't.\nmore".to_owned());
        assert_eq!(code(&cut).unwrap_err().code, "generation_refused");
    }
}
