//! Markdown as far as notebooks of runs need it: headings, lists, tables, quotes, code, emphasis, links, pictures inside.
//! Whatever else it holds is shown as it is written.

use super::text;

/// The text as HTML. No mark of the source gets through but `<code>`, which our own text uses.
pub(super) fn html(source: &str) -> String {
    let mut out = String::new();
    let lines: Vec<&str> = source.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += block(&lines, at, line.trim_end(), &mut out).max(1);
    }
    out
}

/// Writes the block that begins at a line; how many lines it has.
fn block(lines: &[&str], at: usize, line: &str, out: &mut String) -> usize {
    let rest = lines.get(at..).unwrap_or_default();
    if line.trim().is_empty() {
        return 1;
    }
    if line.starts_with("```") {
        let body: Vec<&str> = rest
            .iter()
            .skip(1)
            .copied()
            .take_while(|line| !line.starts_with("```"))
            .collect();
        out.push_str(&format!(
            "<pre class=\"code\"><code>{}</code></pre>\n",
            text::html(&body.join("\n"))
        ));
        return body.len() + 2;
    }
    let level = line.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&level) && line.as_bytes().get(level) == Some(&b' ') {
        let title = inline(line.get(level..).unwrap_or_default().trim());
        out.push_str(&format!("<h{level}>{title}</h{level}>\n"));
        return 1;
    }
    if line.starts_with('|') && rest.get(1).is_some_and(|next| is_rule(next)) {
        let rows: Vec<&str> = rest
            .iter()
            .copied()
            .take_while(|line| line.starts_with('|'))
            .collect();
        table(&rows, out);
        return rows.len();
    }
    if line.starts_with('>') {
        let body: Vec<&str> = rest
            .iter()
            .copied()
            .take_while(|line| line.starts_with('>'))
            .collect();
        let inner: Vec<&str> = body
            .iter()
            .map(|line| line.trim_start_matches('>').trim_start())
            .collect();
        out.push_str(&format!(
            "<blockquote>{}</blockquote>\n",
            inline(&inner.join(" "))
        ));
        return body.len();
    }
    if let Some(kind) = item(line) {
        let body: Vec<&str> = rest
            .iter()
            .copied()
            .take_while(|line| item(line) == Some(kind))
            .collect();
        let items: String = body
            .iter()
            .map(|line| format!("<li>{}</li>\n", inline(after_mark(line))))
            .collect();
        out.push_str(&format!("<{kind}>\n{items}</{kind}>\n"));
        return body.len();
    }
    let is_more = |line: &&str| {
        !line.trim().is_empty() && !line.starts_with(['#', '|', '>', '`']) && item(line).is_none()
    };
    let body: Vec<&str> = rest.iter().copied().take_while(is_more).collect();
    let body = if body.is_empty() { vec![line] } else { body };
    out.push_str(&format!("<p>{}</p>\n", inline(&body.join("\n"))));
    body.len()
}

fn is_rule(line: &str) -> bool {
    line.starts_with('|')
        && line.contains('-')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// `ul` or `ol` when the line is an item.
fn item(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    if ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark)) {
        return Some("ul");
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && line.get(digits..)?.starts_with(". ")).then_some("ol")
}

fn after_mark(line: &str) -> &str {
    line.trim_start()
        .split_once(' ')
        .map_or("", |(_, rest)| rest)
}

fn table(rows: &[&str], out: &mut String) {
    out.push_str("<div class=\"rich\"><table>\n");
    for (index, row) in rows.iter().enumerate().filter(|(index, _)| *index != 1) {
        let tag = if index == 0 { "th" } else { "td" };
        let inner = row.trim().trim_start_matches('|');
        let inner = inner.strip_suffix('|').unwrap_or(inner);
        let cells: Vec<String> = inner.split('|').map(|cell| inline(cell.trim())).collect();
        if index == 0 && cells.iter().all(String::is_empty) {
            continue;
        }
        let cells: String = cells
            .iter()
            .map(|cell| format!("<{tag}>{cell}</{tag}>"))
            .collect();
        out.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    out.push_str("</table></div>\n");
}

/// The text of a line: code, emphasis, links; everything else escaped.
fn inline(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let used = piece(rest, &mut out).unwrap_or_else(|| {
            out.push_str(&text::html(c.encode_utf8(&mut [0; 4])));
            c.len_utf8()
        });
        rest = rest.get(used..).unwrap_or_default();
    }
    out
}

/// Writes what begins with a mark; how many bytes it has, if it is one.
fn piece(rest: &str, out: &mut String) -> Option<usize> {
    if let Some(body) = rest.strip_prefix("<code>") {
        let (body, _) = body.split_once("</code>")?;
        out.push_str(&format!("<code>{}</code>", inline(body)));
        return Some("<code></code>".len() + body.len());
    }
    if let Some(body) = rest.strip_prefix('`') {
        let (body, _) = body.split_once('`')?;
        out.push_str(&format!("<code>{}</code>", text::html(body)));
        return Some(body.len() + 2);
    }
    if let Some(next) = rest
        .strip_prefix('\\')
        .and_then(|next| next.chars().next())
        .filter(char::is_ascii_punctuation)
    {
        out.push_str(&text::html(next.encode_utf8(&mut [0; 4])));
        return Some(2);
    }
    if rest.starts_with('&') {
        let (name, _) = rest.get(1..)?.split_once(';')?;
        let known = matches!(name, "amp" | "lt" | "gt" | "quot")
            || name
                .strip_prefix('#')
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        return known.then(|| {
            out.push_str(&format!("&{name};"));
            name.len() + 2
        });
    }
    for (mark, tag) in [("**", "strong"), ("*", "em")] {
        if let Some(body) = rest.strip_prefix(mark) {
            let (body, _) = body.split_once(mark)?;
            if body.is_empty() || body.starts_with(' ') {
                return None;
            }
            out.push_str(&format!("<{tag}>{}</{tag}>", inline(body)));
            return Some(body.len() + 2 * mark.len());
        }
    }
    link(rest, out)
}

/// `[text](target)`: only to places on the web and beside the page.
fn link(rest: &str, out: &mut String) -> Option<usize> {
    let body = rest.strip_prefix('[')?;
    let (label, behind) = body.split_once("](")?;
    let (target, _) = behind.split_once(')')?;
    if label.contains(['[', '\n']) || target.contains([' ', '\n', '"', '<']) {
        return None;
    }
    let has_scheme = target
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|head| head.contains(':'));
    let is_web = target.starts_with("https://") || target.starts_with("http://");
    let used = label.len() + target.len() + 4;
    if has_scheme && !is_web {
        out.push_str(&inline(label));
    } else {
        out.push_str(&format!(
            "<a href=\"{}\" rel=\"noreferrer\">{}</a>",
            text::html(target),
            inline(label)
        ));
    }
    Some(used)
}
