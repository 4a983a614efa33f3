//! Events of the parser into a tree, without recursion: 100,000 brackets cost nothing but an error.

use std::collections::{HashMap, HashSet};

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, StrInput};

use super::node::{Entry, Kind, Node};
use super::report::Report;
use super::{ALIAS_BYTES_MAX, ALIASES_MAX, DEPTH_MAX, NODES_MAX, explain, scalar};
use crate::code;
use crate::diagnostic::Span;

/// The one document of the text as a tree; `None` when there is none to go on with. Faults go to the report.
pub fn tree(report: &mut Report<'_>) -> Option<Node> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        // One more than allowed, so that the fault is reported here with our words.
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
    };
    let parser = Parser::new_from_str_with_options(report.text(), options);
    Builder::new(report).build(parser)
}

/// A list or a map whose end was not seen yet.
struct Frame {
    start: usize,
    anchor: usize,
    nodes_before: usize,
    /// How deep the finished values in it are nested.
    depth: usize,
    open: Open,
}

/// A finished value that has an anchor.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

enum Open {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: HashSet<String>,
        key: Option<Key>,
        merged: Vec<Node>,
    },
}

/// A key that waits for its value; `name` is none when the key itself was refused.
struct Key {
    name: Option<String>,
    span: Span,
    merge: bool,
}

/// Stops the reading: the report already says why.
struct Stop;

struct Builder<'r, 't> {
    report: &'r mut Report<'t>,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchored: HashMap<usize, Anchored>,
    documents: usize,
    nodes: usize,
    aliases: usize,
    alias_bytes: usize,
}

impl<'r, 't> Builder<'r, 't> {
    fn new(report: &'r mut Report<'t>) -> Self {
        Self {
            report,
            stack: Vec::new(),
            root: None,
            anchored: HashMap::new(),
            documents: 0,
            nodes: 0,
            aliases: 0,
            alias_bytes: 0,
        }
    }

    fn build(mut self, mut parser: Parser<'t, StrInput<'t>>) -> Option<Node> {
        while let Some(next) = parser.next_event() {
            let taken = match next {
                Ok((event, span)) => self.take(event, &span),
                Err(fault) => {
                    explain::syntax(self.report, &fault);
                    Err(Stop)
                }
            };
            if taken.is_err() {
                return None;
            }
        }
        if self.root.is_none() {
            self.report.error(
                code::YAML_SYNTAX,
                Span::default(),
                "the file holds no document",
            );
        }
        self.root
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's enum is open; the other events carry no data"
    )]
    fn take(&mut self, event: Event<'t>, at: &granit_parser::Span) -> Result<(), Stop> {
        let span = bytes_of(at);
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.count(1, span)?;
                self.scalar(&text, style, anchor, span);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.open(Open::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let open = Open::Map {
                    entries: Vec::new(),
                    seen: HashSet::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(open, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                Ok(())
            }
            Event::Anchor(_, name) => {
                self.anchor(&name, span);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                self.report.error_with(
                    code::YAML_ANCHOR,
                    span,
                    format!("no anchor `&{name}` stands before this alias"),
                    "text that begins with * must be quoted",
                );
                self.value(null(span));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents > 1 {
            self.report.error_with(
                code::YAML_DOCUMENTS,
                span,
                "a second document begins here",
                "one file is one document: remove the line `---` or make two files",
            );
            return Err(Stop);
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, at: &granit_parser::Span) {
        if tagged {
            let span = at.tag_span().as_ref().map_or(bytes_of(at), bytes_of);
            self.report.error_with(
                code::YAML_TAG,
                span,
                "tags (`!…`) are not read",
                "leave the tag out; text that begins with ! must be quoted",
            );
        }
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            return self.stop(
                span,
                format!("the document has more than {NODES_MAX} values"),
            );
        }
        Ok(())
    }

    fn stop(&mut self, span: Span, message: String) -> Result<(), Stop> {
        self.report.error(code::YAML_LIMIT, span, message);
        Err(Stop)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: Span) {
        let plain = style == ScalarStyle::Plain;
        if self.wants_key() {
            let merge = plain && text == "<<";
            self.key(Some(text.to_owned()), span, merge);
            return;
        }
        let kind = if plain {
            scalar::plain(self.report, span, text)
        } else {
            Kind::Text {
                text: text.to_owned(),
                plain,
            }
        };
        let node = Node { span, kind };
        if anchor > 0 {
            let (node, nodes, depth) = (node.clone(), 1, 0);
            self.anchored
                .insert(anchor, Anchored { node, nodes, depth });
        }
        self.value(node);
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.stack.last().map(|frame| &frame.open),
            Some(Open::Map { key: None, .. })
        )
    }

    /// Notes the key whose value comes next.
    fn key(&mut self, name: Option<String>, span: Span, merge: bool) {
        let Some(Frame {
            open: Open::Map { seen, key, .. },
            ..
        }) = self.stack.last_mut()
        else {
            return;
        };
        let doubled = match &name {
            Some(name) if !merge => !seen.insert(name.clone()),
            Some(_) | None => false,
        };
        let message = name
            .as_ref()
            .filter(|_| doubled)
            .map(|name| format!("the key `{name}` stands twice in this map"));
        *key = Some(Key {
            name: name.filter(|_| !doubled),
            span,
            merge,
        });
        if let Some(message) = message {
            self.report.error(code::DUPLICATE_KEY, span, message);
        }
    }

    fn open(&mut self, open: Open, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH_MAX {
            return self.stop(
                span,
                format!("lists and maps are nested deeper than {DEPTH_MAX}"),
            );
        }
        let nodes_before = self.nodes;
        self.count(1, span)?;
        self.stack.push(Frame {
            start: span.start,
            anchor,
            nodes_before,
            depth: 0,
            open,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let span = Span::new(frame.start, self.content_end(frame.start, end.end));
        let depth = frame.depth + 1;
        self.deepen(depth);
        let kind = match frame.open {
            Open::List(items) => Kind::List(items),
            Open::Map {
                mut entries,
                seen,
                merged,
                ..
            } => {
                self.merge(&mut entries, seen, merged);
                Kind::Map(entries)
            }
        };
        let node = Node { span, kind };
        if frame.anchor > 0 {
            let (node, nodes) = (node.clone(), self.nodes - frame.nodes_before);
            self.anchored
                .insert(frame.anchor, Anchored { node, nodes, depth });
        }
        if self.wants_key() {
            self.report.error_with(
                code::YAML_SYNTAX,
                node.span,
                "a key must be text, not a list or a map",
                "`{{ … }}` is written `${{ … }}`, and inside [ ] and { } it stands in quotes",
            );
            self.key(None, node.span, false);
            return;
        }
        self.value(node);
    }

    /// Tells the collection around that something of this depth stands in it.
    fn deepen(&mut self, depth: usize) {
        if let Some(around) = self.stack.last_mut() {
            around.depth = around.depth.max(depth);
        }
    }

    /// The end of a block collection is where the next thing begins: blanks before it are not part of it.
    fn content_end(&self, start: usize, end: usize) -> usize {
        self.report
            .text()
            .get(start..end)
            .map_or(end, |part| start + part.trim_end().len())
    }

    /// `<<`: the keys of other maps, where this one has none of that name.
    fn merge(&mut self, entries: &mut Vec<Entry>, mut seen: HashSet<String>, merged: Vec<Node>) {
        for source in merged {
            let span = source.span;
            let maps = match source.kind {
                Kind::List(items) => items,
                Kind::Map(_)
                | Kind::Null
                | Kind::Bool(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text { .. } => vec![source],
            };
            for map in maps {
                let Kind::Map(more) = map.kind else {
                    self.report
                        .error(code::WRONG_TYPE, span, "`<<` takes a map or a list of maps");
                    continue;
                };
                entries.extend(more.into_iter().filter(|one| seen.insert(one.key.clone())));
            }
        }
    }

    fn value(&mut self, node: Node) {
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map {
                entries,
                key,
                merged,
                ..
            }) => match key.take() {
                Some(Key { merge: true, .. }) => merged.push(node),
                Some(Key {
                    name: Some(name),
                    span,
                    ..
                }) => entries.push(Entry {
                    key: name,
                    key_span: span,
                    node,
                }),
                Some(Key { name: None, .. }) | None => {}
            },
        }
    }

    fn anchor(&mut self, name: &str, span: Span) {
        if !self.is_private() {
            self.report.error_with(
                code::YAML_ANCHOR,
                span,
                format!("the anchor `&{name}` stands outside the `x-` keys"),
                "define shared parts under a top-level key such as `x-shared` and use them with *name",
            );
        }
    }

    /// Whether what is read now belongs to a top-level `x-` key.
    fn is_private(&self) -> bool {
        let Some(Frame {
            open: Open::Map { key, entries, .. },
            ..
        }) = self.stack.first()
        else {
            return false;
        };
        let name = match key {
            Some(key) => key.name.as_deref(),
            // A scalar's anchor is told after the scalar, which took the key already.
            None => entries.last().map(|entry| entry.key.as_str()),
        };
        name.is_some_and(|name| name.starts_with("x-"))
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            return self.stop(
                span,
                format!("the document has more than {ALIASES_MAX} aliases"),
            );
        }
        let Some(target) = self.anchored.get(&anchor) else {
            self.report.error(
                code::YAML_ANCHOR,
                span,
                "an alias inside the very thing that it names",
            );
            self.value(null(span));
            return Ok(());
        };
        let (nodes, depth, node) = (target.nodes, target.depth, target.node.clone());
        self.count(nodes, span)?;
        self.alias_bytes += node.span.end.saturating_sub(node.span.start);
        if self.alias_bytes > ALIAS_BYTES_MAX {
            return self.stop(
                span,
                format!("the aliases repeat more than {ALIAS_BYTES_MAX} bytes"),
            );
        }
        if self.stack.len() + depth > DEPTH_MAX {
            return self.stop(
                span,
                format!("lists and maps are nested deeper than {DEPTH_MAX}"),
            );
        }
        self.deepen(depth);
        if self.wants_key() {
            let name = node.text().map(str::to_owned);
            self.key(name, span, false);
        } else {
            self.value(node);
        }
        Ok(())
    }
}

fn null(span: Span) -> Node {
    Node {
        span,
        kind: Kind::Null,
    }
}

fn bytes_of(span: &granit_parser::Span) -> Span {
    let byte = |marker: &Marker| marker.byte_offset().unwrap_or(marker.index());
    let start = byte(&span.start);
    Span::new(start, byte(&span.end).max(start))
}
