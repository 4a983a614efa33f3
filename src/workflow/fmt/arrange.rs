//! Whole entries of maps in their order, and blank lines between the parts of a file.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::yaml::{Entry, Kind, Node};
use super::layout::Layout;
use super::place::Place;

/// Steps of at most so many lines may stand close together.
const CLOSE_STEP_LINES: usize = 3;

/// The text with its entries in order.
pub(super) fn arranged(layout: &Layout<'_>, root: &Node) -> String {
    let mut sheet = Sheet {
        layout,
        regions: HashMap::new(),
        dashes: HashMap::new(),
        breaks: HashSet::new(),
    };
    // Where blank lines mean something, none may come or go; a lone carriage return ends a line that we don't see.
    let whole = (0..layout.len()).map(|line| layout.line(line));
    if !layout.keeps_blank_lines() && !whole.into_iter().any(|line| line.contains('\r')) {
        sheet.walk(root, Place::Top);
        if let Some(steps) = root.entry("steps") {
            sheet.part_steps(&steps.node);
        }
    }
    let mut lines = Vec::new();
    sheet.print(&mut lines, 0..layout.len(), None);
    super::joined(&lines)
}

/// The lines of a map that has an order.
struct Region {
    end: usize,
    /// In their new order.
    parts: Vec<Part>,
}

/// An entry of such a map: the comments above it, its key, its value.
struct Part {
    lines: Range<usize>,
    /// The line of the key.
    row: usize,
    /// Whether its author left a blank line before it.
    apart: bool,
    /// Whether it has blank lines around it in any case.
    section: bool,
    rank: Option<usize>,
}

/// A map before its entries are put in order.
struct Found {
    column: usize,
    /// The column of the dash before its first key.
    dash: Option<usize>,
    parts: Vec<Part>,
    /// The order stays as it is.
    fixed: bool,
    end: usize,
}

struct Sheet<'l, 't> {
    layout: &'l Layout<'t>,
    /// By their first line.
    regions: HashMap<usize, Region>,
    /// Lines whose dash comes or goes, with its column and whether it is there afterwards.
    dashes: HashMap<usize, (usize, bool)>,
    /// Lines with a blank line before them.
    breaks: HashSet<usize>,
}

impl Sheet<'_, '_> {
    /// Finds the maps that have an order.
    fn walk(&mut self, node: &Node, place: Place) {
        if place == Place::Free || self.layout.is_flow(node) {
            return;
        }
        match &node.kind {
            Kind::Map(entries) => {
                if place.has_order()
                    && let Some(found) = self.find(entries, place)
                {
                    self.order(found, place);
                }
                for entry in entries {
                    self.walk(&entry.node, place.under(&entry.key));
                }
            }
            Kind::List(items) => {
                for item in items {
                    self.walk(item, place.item());
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } => {}
        }
    }

    /// The entries of a map by lines; none when it is not written one entry below the other.
    fn find(&self, entries: &[Entry], place: Place) -> Option<Found> {
        let first = entries.first()?;
        let column = self.layout.before(first.key_span.start).len();
        let dash = self.dash_before(first.key_span.start, column)?;
        if (dash.is_some()) != (place == Place::Step) {
            return None;
        }
        let mut found = Found {
            column,
            dash,
            parts: Vec::new(),
            fixed: false,
            end: 0,
        };
        for (at, entry) in entries.iter().enumerate() {
            let next = entries.get(at + 1).map(|next| next.key_span.start);
            self.add(&mut found, entry, next, place)?;
        }
        self.close(&mut found);
        Some(found)
    }

    /// The column of the dash before the first key, or that there is none; nothing when something else stands there.
    fn dash_before(&self, key: usize, column: usize) -> Option<Option<usize>> {
        let before = self.layout.before(key);
        if before.bytes().all(|byte| byte == b' ') {
            return Some(None);
        }
        let blanks = before.strip_suffix("- ")?;
        (blanks.bytes().all(|byte| byte == b' ')).then(|| Some(column - 2))
    }

    /// Adds the next entry; `next` is where the key after it begins.
    fn add(
        &self,
        found: &mut Found,
        entry: &Entry,
        next: Option<usize>,
        place: Place,
    ) -> Option<()> {
        let layout = self.layout;
        let row = layout.line_of(entry.key_span.start);
        let floor = found.parts.last().map(|part| part.lines.end);
        let before = layout.before(entry.key_span.start);
        let odd = layout
            .slice(entry.key_span)
            .starts_with(['*', '&', '!', '?']);
        let alone = floor.is_none() || before.bytes().all(|byte| byte == b' ');
        if odd || !alone || before.len() != found.column || floor.is_some_and(|floor| row < floor) {
            return None;
        }
        let limit = next.unwrap_or(usize::MAX);
        found.fixed |= !stands_within(&entry.node, entry.key_span.end..limit)
            || layout.first(&entry.node) == Some('&');
        let end = layout.end_of_entry(entry.key_span, &entry.node);
        let last = layout.last_line(end).max(row);
        if end > limit || !self.is_indented(row + 1..last + 1, found.column) {
            return None;
        }
        let above = match (floor, found.dash) {
            (None, Some(_)) => row,
            (None, None) => self.first_comments(row, found.column),
            (Some(floor), _) => self.comments_above(row, floor, found.column),
        };
        if let Some(part) = found.parts.last_mut() {
            // What stands between them belongs to the entry before, if it is indented like something in it.
            let between = part.lines.end..above;
            found.fixed |= between
                .clone()
                .filter_map(|line| layout.comment(line))
                .any(|column| column <= found.column);
            part.lines.end = between
                .rev()
                .find(|line| !layout.is_blank(*line))
                .map_or(part.lines.end, |line| line + 1);
        }
        found.parts.push(Part {
            lines: above..last + 1,
            row,
            apart: floor.is_some() && above > 0 && layout.is_blank(above - 1),
            section: place == Place::Top
                && last > row
                && matches!(entry.node.kind, Kind::List(_) | Kind::Map(_)),
            rank: place.rank(&entry.key),
        });
        Some(())
    }

    /// Whether nothing in these lines can be an entry of a map in that column.
    fn is_indented(&self, mut lines: Range<usize>, column: usize) -> bool {
        let layout = self.layout;
        lines.all(|line| {
            let text = layout.line(line).trim_start();
            layout.is_inside(line)
                || text.is_empty()
                || text.starts_with('#')
                || layout.column(line) > column
                // A list may stand in the column of its key.
                || (layout.column(line) == column && (text == "-" || text.starts_with("- ")))
        })
    }

    /// The first of the comments directly above a line, in that column.
    fn comments_above(&self, row: usize, floor: usize, column: usize) -> usize {
        (floor..row)
            .rev()
            .take_while(|line| self.layout.comment(*line) == Some(column))
            .last()
            .unwrap_or(row)
    }

    /// The same for the first key of the file. Comments that the file begins with are about the file.
    fn first_comments(&self, row: usize, column: usize) -> usize {
        let above = self.comments_above(row, 0, column);
        let begins = above == 0 || self.layout.line(above - 1).starts_with("---");
        if begins { row } else { above }
    }

    /// Gives the last entry the comments below it that are indented like something in it.
    fn close(&self, found: &mut Found) {
        let Some(part) = found.parts.last_mut() else {
            return;
        };
        for line in part.lines.end..self.layout.len() {
            match self.layout.comment(line) {
                Some(column) if column > found.column => part.lines.end = line + 1,
                Some(column) => {
                    found.fixed |= found.dash.is_none_or(|dash| column > dash);
                    break;
                }
                None if self.layout.is_blank(line) => {}
                None => break,
            }
        }
        found.end = part.lines.end;
    }

    /// Puts the entries in order and notes their region.
    fn order(&mut self, found: Found, place: Place) {
        let Some(first) = found.parts.first() else {
            return;
        };
        let (start, old) = (first.lines.start, first.row);
        let mut order: Vec<usize> = (0..found.parts.len()).collect();
        if !found.fixed {
            let rank = |at: &usize| found.parts.get(*at).and_then(|part| part.rank);
            let mut sorted: Vec<usize> = order.clone();
            sorted.retain(|at| rank(at).is_some());
            sorted.sort_by_key(rank);
            let mut sorted = sorted.into_iter();
            for slot in &mut order {
                if rank(slot).is_some() {
                    *slot = sorted.next().unwrap_or(*slot);
                }
            }
        }
        let moved = !order.is_sorted();
        if place == Place::Step && !moved {
            return;
        }
        let new = order.first().and_then(|at| found.parts.get(*at));
        if let (Some(new), Some(dash)) = (new, found.dash)
            && new.row != old
        {
            // Above the dash its comment would be about the step.
            if new.lines.start != new.row {
                return;
            }
            self.dashes.insert(new.row, (dash, true));
            self.dashes.insert(old, (dash, false));
        }
        let parts = in_order(found.parts, &order);
        let end = found.end;
        self.regions.insert(start, Region { end, parts });
    }

    /// Blank lines between the steps of the file, when one of them is long.
    fn part_steps(&mut self, steps: &Node) {
        let Kind::List(items) = &steps.kind else {
            return;
        };
        let Some(first) = items.first().filter(|_| !self.layout.is_flow(steps)) else {
            return;
        };
        let column = self.layout.column(self.layout.line_of(first.span.start));
        let (mut above, mut floor, mut long) = (Vec::new(), 0, false);
        for item in items {
            let row = self.layout.line_of(item.span.start);
            let end = self.layout.end_of(item);
            let last = self.layout.last_line(end);
            let dash = self.layout.column(row) == column
                && self.layout.line(row).trim_start().starts_with("- ");
            if !dash || row < floor {
                return;
            }
            let lines = (row..=last).filter(|line| {
                !self.layout.is_blank(*line) && self.layout.comment(*line).is_none()
            });
            long |= lines.count() > CLOSE_STEP_LINES;
            above.push(self.comments_above(row, floor, column));
            floor = last + 1;
        }
        if long {
            self.breaks.extend(above.into_iter().skip(1));
        }
    }

    /// Prints these lines; `begun` is the first line of the region that is being printed.
    fn print(&self, out: &mut Vec<String>, lines: Range<usize>, begun: Option<usize>) {
        let mut line = lines.start;
        while line < lines.end {
            if begun != Some(line) {
                if self.breaks.contains(&line) {
                    part(out);
                }
                if let Some(region) = self.regions.get(&line) {
                    self.print_region(out, region, line);
                    line = region.end;
                    continue;
                }
            }
            out.push(self.text(line));
            line += 1;
        }
    }

    fn print_region(&self, out: &mut Vec<String>, region: &Region, start: usize) {
        let mut after_section = false;
        for (at, one) in region.parts.iter().enumerate() {
            if at > 0 && (one.apart || one.section || after_section) {
                part(out);
            }
            self.print(out, one.lines.clone(), Some(start));
            after_section = one.section;
        }
    }

    fn text(&self, line: usize) -> String {
        let text = self.layout.line(line);
        match self.dashes.get(&line) {
            Some((column, there)) => {
                let sign = if *there { "- " } else { "  " };
                let head = text.get(..*column).unwrap_or_default();
                let rest = text.get(column + 2..).unwrap_or_default();
                format!("{head}{sign}{rest}")
            }
            None => text.to_owned(),
        }
    }
}

/// The parts in that order. A blank line beside a section is ours, not the author's: it stays behind.
fn in_order(mut parts: Vec<Part>, order: &[usize]) -> Vec<Part> {
    let mut after_section = false;
    for part in &mut parts {
        part.apart &= !after_section && !part.section;
        after_section = part.section;
    }
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|at| parts.get_mut(*at).and_then(Option::take))
        .collect()
}

fn part(out: &mut Vec<String>) {
    if out.last().is_some_and(|last| !last.is_empty()) {
        out.push(String::new());
    }
}

/// Whether a value and all in it was written there; what an alias or a merge brings was not.
fn stands_within(node: &Node, bytes: Range<usize>) -> bool {
    let here = matches!(node.kind, Kind::Null) || bytes.contains(&node.span.start);
    here && match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } => true,
        Kind::List(items) => items.iter().all(|item| stands_within(item, bytes.clone())),
        Kind::Map(entries) => entries.iter().all(|entry| {
            bytes.contains(&entry.key_span.start) && stands_within(&entry.node, bytes.clone())
        }),
    }
}
