//! What each line of a text is: blank, a comment, or the inside of a scalar, where nothing may be touched.

use super::super::yaml::{Kind, Node};
use crate::diagnostic::Span;

/// A text in lines.
#[derive(Debug)]
pub(super) struct Layout<'t> {
    text: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Lines after the first of a scalar.
    inside: Vec<bool>,
    /// Lines whose blanks at the end mean something.
    verbatim: Vec<bool>,
    keeps: bool,
}

impl<'t> Layout<'t> {
    /// The lines of a text with this tree.
    pub(super) fn new(text: &'t str, root: &Node) -> Self {
        let mut starts: Vec<usize> = vec![0];
        starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        let mut layout = Self {
            text,
            inside: vec![false; starts.len()],
            verbatim: vec![false; starts.len()],
            starts,
            keeps: false,
        };
        layout.mark(root);
        layout
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The line that this byte stands in.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        self.starts
            .partition_point(|start| *start <= byte)
            .saturating_sub(1)
    }

    /// Where a line begins.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// A line without its end.
    pub(super) fn line(&self, line: usize) -> &'t str {
        let text = self.slice(Span::new(self.start(line), self.start(line + 1)));
        text.strip_suffix('\n').unwrap_or(text)
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The text before this byte in its line.
    pub(super) fn before(&self, byte: usize) -> &'t str {
        self.slice(Span::new(self.start(self.line_of(byte)), byte))
    }

    /// The first character of a value.
    pub(super) fn first(&self, node: &Node) -> Option<char> {
        self.text.get(node.span.start..)?.chars().next()
    }

    /// Whether a scalar goes on in that line.
    pub(super) fn is_inside(&self, line: usize) -> bool {
        self.inside.get(line).copied().unwrap_or_default()
    }

    /// Whether the blanks at the end of that line belong to a scalar.
    pub(super) fn is_verbatim(&self, line: usize) -> bool {
        self.verbatim.get(line).copied().unwrap_or_default()
    }

    /// Whether a scalar keeps the blank lines behind it (`|+`), so that none may come or go.
    pub(super) fn keeps_blank_lines(&self) -> bool {
        self.keeps
    }

    /// Whether nothing stands there.
    pub(super) fn is_blank(&self, line: usize) -> bool {
        !self.is_inside(line) && self.line(line).trim().is_empty()
    }

    /// The column of a comment that has the line for itself.
    pub(super) fn comment(&self, line: usize) -> Option<usize> {
        let text = self.line(line);
        let bare = text.trim_start();
        (bare.starts_with('#') && !self.is_inside(line)).then(|| text.len() - bare.len())
    }

    /// The column where a line with something in it begins.
    pub(super) fn column(&self, line: usize) -> usize {
        let text = self.line(line);
        text.len() - text.trim_start().len()
    }

    /// One past the last byte of a value itself. What the tree says of block style may hold comments.
    pub(super) fn end_of(&self, node: &Node) -> usize {
        match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } => {
                node.span.start + self.slice(node.span).trim_end().len()
            }
            Kind::List(_) | Kind::Map(_) if self.is_flow(node) => node.span.end,
            Kind::List(items) => items
                .iter()
                .map(|item| self.end_of(item))
                .fold(node.span.start + 1, usize::max),
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| self.end_of_entry(entry.key_span, &entry.node))
                .fold(node.span.start + 1, usize::max),
        }
    }

    /// The last line of something that ends before this byte.
    pub(super) fn last_line(&self, end: usize) -> usize {
        let mut last = self.line_of(end.saturating_sub(1));
        while self.is_inside(last + 1) {
            last += 1;
        }
        last
    }

    /// One past the last byte of a key and its value.
    pub(super) fn end_of_entry(&self, key: Span, node: &Node) -> usize {
        // The place of nothing may be where the next thing begins.
        if matches!(node.kind, Kind::Null) && self.slice(node.span).trim().is_empty() {
            return key.end;
        }
        self.end_of(node).max(key.end)
    }

    /// Whether it is a list or a map in brackets.
    pub(super) fn is_flow(&self, node: &Node) -> bool {
        matches!(self.first(node), Some('{' | '['))
    }

    fn mark(&mut self, node: &Node) {
        match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
            Kind::Text { plain: true, .. } => self.mark_lines(node.span, false),
            Kind::Text { text, .. } => match self.block_head(node.span) {
                Some(head) => self.mark_block(head, node.span, text.trim().is_empty()),
                None => self.mark_lines(node.span, true),
            },
            Kind::List(items) => items.iter().for_each(|item| self.mark(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.mark(&entry.node)),
        }
    }

    /// A scalar of several lines that is not block style.
    fn mark_lines(&mut self, span: Span, quoted: bool) {
        let end = span.start + self.slice(span).trim_end().len();
        let first = self.line_of(span.start);
        let last = self.line_of(end.saturating_sub(1).max(span.start));
        set(&mut self.inside, first + 1, last + 1);
        if quoted {
            set(&mut self.verbatim, first, last);
        }
    }

    /// The line of the head (`|`, `>-` …) of a text, when it is a block scalar. Its span begins with its content.
    fn block_head(&self, span: Span) -> Option<usize> {
        let row = self.line_of(span.start);
        let own = self.before(span.start).trim().is_empty();
        let is_empty = |line: &usize| self.line(*line).trim().is_empty();
        let head = if own {
            (0..row).rev().find(|line| !is_empty(line))?
        } else {
            row
        };
        let text = self.line(head);
        let bare = text.split_once(" #").map_or(text, |(before, _)| before);
        let mut sign = bare.split_whitespace().next_back()?.chars();
        let is_head = matches!(sign.next(), Some('|' | '>'))
            && sign.all(|c| matches!(c, '+' | '-') || c.is_ascii_digit());
        is_head.then_some(head)
    }

    /// A block scalar goes on in all lines that are indented as its content is.
    fn mark_block(&mut self, head: usize, span: Span, empty: bool) {
        let bare = self.line(head);
        let bare = bare.split_once(" #").map_or(bare, |(before, _)| before);
        let sign = bare.split_whitespace().next_back();
        let keeps = sign.is_some_and(|sign| sign.contains('+'));
        self.keeps |= keeps;
        let row = self.line_of(span.start);
        let indent = self.before(span.start).len();
        let is_empty = |line: usize| self.line(line).trim_matches(' ').is_empty();
        let mut end = if empty {
            row
        } else {
            (row..self.len())
                .find(|line| !is_empty(*line) && self.indent(*line) < indent)
                .unwrap_or(self.len())
        };
        let is_rest = |line: usize| is_empty(line) && self.line(line).len() <= indent;
        while !keeps && end > head + 1 && is_rest(end - 1) {
            end -= 1;
        }
        set(&mut self.inside, head + 1, end);
        set(&mut self.verbatim, head + 1, end);
    }

    /// How many blanks a line begins with.
    fn indent(&self, line: usize) -> usize {
        let text = self.line(line);
        text.len() - text.trim_start_matches(' ').len()
    }
}

fn set(marks: &mut [bool], from: usize, to: usize) {
    for mark in marks.iter_mut().take(to).skip(from) {
        *mark = true;
    }
}
