//! HTML that is only tables and text, built anew: known elements without attributes, and escaped text.

use super::text;

/// Elements that may stand in the page.
const KNOWN: [&str; 26] = [
    "table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "pre", "code", "p", "div",
    "span", "b", "i", "em", "strong", "br", "ul", "ol", "li", "h3", "h4", "sub", "sup", "small",
];
/// Elements of which neither mark nor content is taken.
const DROPPED: [&str; 1] = ["style"];

/// The same HTML from known elements alone; nothing when it has any other.
pub(super) fn rebuilt(html: &str) -> Option<String> {
    let mut out = String::with_capacity(html.len());
    let mut open: Vec<&'static str> = Vec::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(&content(before));
        let (tag, behind) = after.split_once('>')?;
        rest = behind;
        let closes = tag.starts_with('/');
        let word = tag
            .trim_start_matches('/')
            .split(|c: char| c.is_whitespace() || c == '/')
            .next()?;
        let word = word.to_ascii_lowercase();
        if DROPPED.contains(&word.as_str()) {
            let lower = rest.to_ascii_lowercase();
            let end = lower.find("</style>")?;
            rest = rest.get(end + "</style>".len()..)?;
            continue;
        }
        let name = KNOWN.into_iter().find(|known| *known == word)?;
        if name == "br" {
            out.push_str("<br>");
        } else if closes {
            // Only what is open can be closed: the page around it stays whole.
            while let Some(last) = open.pop() {
                out.push_str(&format!("</{last}>"));
                if last == name {
                    break;
                }
            }
        } else {
            open.push(name);
            out.push_str(&format!("<{name}{}>", spans(tag)));
        }
    }
    out.push_str(&content(rest));
    for name in open.into_iter().rev() {
        out.push_str(&format!("</{name}>"));
    }
    Some(out)
}

/// `colspan` and `rowspan`, which are numbers.
fn spans(tag: &str) -> String {
    let mut out = String::new();
    for name in ["colspan", "rowspan"] {
        let value = tag
            .split_once(&format!(" {name}=\""))
            .and_then(|(_, rest)| rest.split('"').next());
        if let Some(value) = value.and_then(|value| value.parse::<u16>().ok()) {
            out.push_str(&format!(" {name}=\"{value}\""));
        }
    }
    out
}

/// Text between marks: what it says as a reference of a character stays one.
fn content(text: &str) -> String {
    let mut out = String::new();
    let mut pieces = text.split('&');
    out.push_str(&text::html(pieces.next().unwrap_or_default()));
    for piece in pieces {
        let reference = piece.split_once(';').map(|(name, _)| name).filter(|name| {
            let word = name.strip_prefix('#').unwrap_or(name);
            !word.is_empty() && word.len() <= 8 && word.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        out.push_str(if reference.is_some() { "&" } else { "&amp;" });
        out.push_str(&text::html(piece));
    }
    out
}
