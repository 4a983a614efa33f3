//! From the bytes of a file to text: size, encoding, and characters that have no business there.

use super::FILE_BYTES_MAX;
use crate::code;
use crate::diagnostic::{Diagnostic, Place, Span};

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Reads the bytes of a file as text. A byte order mark is left out.
///
/// # Errors
/// The file is larger than [`FILE_BYTES_MAX`], not UTF-8, or holds control characters.
pub fn decode<'t>(file: &str, bytes: &'t [u8]) -> Result<&'t str, Box<Diagnostic>> {
    if bytes.len() > FILE_BYTES_MAX {
        let fault = Diagnostic::error(
            code::YAML_LIMIT,
            format!(
                "`{file}` has {} bytes; at most {FILE_BYTES_MAX} are read",
                bytes.len()
            ),
        )
        .help("keep data in files of their own and name them as inputs");
        return Err(Box::new(fault));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text =
        std::str::from_utf8(bytes).map_err(|fault| Box::new(not_utf8(file, bytes, &fault)))?;
    let Some((offset, found)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) else {
        return Ok(text);
    };
    let message = format!(
        "the control character U+{:04X} at byte {offset}",
        u32::from(found)
    );
    let fault = Diagnostic::error(code::YAML_ENCODING, message)
        .at(Place::locate(file, text, Span::new(offset, offset + 1)))
        .help("inside double quotes it can be written as an escape, such as \"\\0\" or \"\\x1b\"");
    Err(Box::new(fault))
}

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

fn not_utf8(file: &str, bytes: &[u8], fault: &std::str::Utf8Error) -> Diagnostic {
    let offset = fault.valid_up_to();
    let readable = bytes
        .get(..offset)
        .and_then(|part| std::str::from_utf8(part).ok())
        .unwrap_or_default();
    let help = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "it looks like UTF-16: save it as UTF-8",
        _ => "save it as UTF-8",
    };
    Diagnostic::error(
        code::YAML_ENCODING,
        format!("not UTF-8 text: the byte at offset {offset} starts no character"),
    )
    .at(Place::locate(file, readable, Span::new(offset, offset)))
    .help(help)
}
