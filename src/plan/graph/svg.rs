//! A plan as a picture: SVG that needs nothing else, for light and dark pages.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::layout::{Placed, Point, Size, lay};
use crate::plan::{EdgeKind, HandlerKind, Mode, Plan, Step, StepKind};

/// Around the whole picture, in pixels.
const MARGIN: i32 = 24;
/// Inside a container, in pixels.
const PADDING: i32 = 14;
/// Height of a box with two lines, in pixels.
const BOX_HEIGHT: i32 = 46;
/// Height of a line of text over a group, in pixels.
const TITLE_HEIGHT: i32 = 24;
/// Height of a small line, in pixels.
const SMALL_HEIGHT: i32 = 16;
/// Width of a letter, rather too much than too little, in pixels.
const LETTER: i32 = 8;
/// The same of small text.
const SMALL_LETTER: i32 = 6;
/// Narrowest box, in pixels.
const BOX_WIDTH_MIN: i32 = 112;
/// Longest label; more is cut and stands in the tooltip.
const LABEL_CHARS_MAX: usize = 34;
/// Deepest nesting that is drawn. The language allows less.
const DEPTH_MAX: usize = 64;

const STYLE: &str = "\
:root{color-scheme:light dark}\
.page{fill:#fff}.box{fill:#f6f8fa;stroke:#8c959f}.python{fill:#ddf4ff;stroke:#218bff}\
.write{fill:#ffebe9;stroke:#cf222e}.approval{fill:#fff8c5;stroke:#bf8700}\
.container{fill:#8c959f14;stroke:#8c959f}.group{fill:none;stroke:#8c959f;stroke-dasharray:3 3}\
text{font:600 13px system-ui,sans-serif;fill:#1f2328}.small{font-weight:400;font-size:11px;fill:#59636e}\
.edge{fill:none;stroke:#59636e;stroke-width:1.4}.edge.order{stroke-dasharray:5 4}\
.tip{fill:#59636e}\
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.box{fill:#161b22;stroke:#6e7681}\
.python{fill:#0c2d4d;stroke:#388bfd}.write{fill:#49130f;stroke:#f85149}.approval{fill:#3a2d04;stroke:#d29922}\
text{fill:#e6edf3}.small{fill:#9198a1}.edge{stroke:#9198a1}.tip{fill:#9198a1}}";

/// Draws the plan as SVG. Dashed arrows only order; the others ask for success.
#[must_use]
pub fn to_svg(plan: &Plan) -> String {
    let top: Vec<usize> = (0..plan.steps.len())
        .filter(|index| {
            let step = plan.steps.get(*index);
            step.is_some_and(|step| step.parent.is_none())
        })
        .collect();
    let mut groups = vec![Group::of(plan, None, &top, 0)];
    for kind in HandlerKind::ALL {
        let members = positions(plan, plan.handlers.of(kind));
        if !members.is_empty() {
            let title = Title {
                name: format!("handlers: {}", kind.as_str()),
                small: None,
            };
            groups.push(Group::of(plan, Some(title), &members, 0));
        }
    }
    let gap = PADDING * 2;
    let width = groups.iter().map(|group| group.size.w).max().unwrap_or(0) + 2 * MARGIN;
    let title = cut(&plan.name);
    let width = width.max(text_width(&title) + 2 * MARGIN);
    let heights: i32 = groups.iter().map(|group| group.size.h + gap).sum();
    let height = heights - gap + 2 * MARGIN + TITLE_HEIGHT;
    let mut out = head(width, height, &plan.name);
    label(
        &mut out,
        "",
        Point {
            x: MARGIN,
            y: MARGIN + 10,
        },
        &title,
    );
    let mut y = MARGIN + TITLE_HEIGHT;
    for group in &groups {
        group.draw(&mut out, Point { x: MARGIN, y });
        y += group.size.h + gap;
    }
    out.push_str("</svg>\n");
    out
}

fn head(width: i32, height: i32, name: &str) -> String {
    let name = escape(name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{name}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    )
}

/// Steps that stand together: the workflow itself, an arm, a branch, a body.
struct Group {
    title: Option<Title>,
    nodes: Vec<Node>,
    placed: Placed,
    links: Vec<Link>,
    size: Size,
}

/// What stands over a group: its name, and when it is taken.
struct Title {
    name: String,
    small: Option<String>,
}

impl Title {
    fn width(&self) -> i32 {
        let small = self.small.as_deref().map_or(0, small_width);
        text_width(&self.name).max(small)
    }

    fn height(&self) -> i32 {
        TITLE_HEIGHT + self.small.as_ref().map_or(0, |_| SMALL_HEIGHT)
    }
}

/// A step with what stands in it.
struct Node {
    class: &'static str,
    label: String,
    small: String,
    tooltip: String,
    groups: Vec<Group>,
    size: Size,
}

struct Link {
    order: bool,
    tooltip: String,
}

impl Group {
    fn of(plan: &Plan, title: Option<Title>, members: &[usize], depth: usize) -> Self {
        let nodes: Vec<Node> = members
            .iter()
            .filter_map(|index| plan.steps.get(*index))
            .map(|step| Node::of(plan, step, depth))
            .collect();
        let (pairs, links) = links(plan, members);
        let sizes: Vec<Size> = nodes.iter().map(|node| node.size).collect();
        let placed = lay(&sizes, &pairs);
        let mut size = placed.size;
        if let Some(title) = &title {
            size.w = size.w.max(title.width()) + 2 * PADDING;
            size.h += title.height() + if nodes.is_empty() { 0 } else { PADDING };
        }
        Self {
            title,
            nodes,
            placed,
            links,
            size,
        }
    }

    fn draw(&self, out: &mut String, at: Point) {
        let mut inner = at;
        if let Some(title) = &self.title {
            rect(out, "group", at, self.size);
            let x = at.x + PADDING;
            label(out, "", Point { x, y: at.y + 17 }, &title.name);
            if let Some(small) = &title.small {
                label(out, "small", Point { x, y: at.y + 33 }, small);
            }
            inner = Point {
                x: at.x + (self.size.w - self.placed.size.w) / 2,
                y: at.y + title.height(),
            };
        }
        for (node, spot) in self.nodes.iter().zip(&self.placed.spots) {
            let spot = Point {
                x: inner.x + spot.x,
                y: inner.y + spot.y,
            };
            node.draw(out, spot);
        }
        for (link, route) in self.links.iter().zip(&self.placed.routes) {
            link.draw(out, inner, route);
        }
    }
}

impl Node {
    fn of(plan: &Plan, step: &Step, depth: usize) -> Self {
        let groups = if depth < DEPTH_MAX {
            inside(plan, step, depth + 1)
        } else {
            Vec::new()
        };
        let label = cut(step.name.as_deref().unwrap_or(&step.id));
        let small = cut(&small_text(step));
        let texts = text_width(&label).max(small_width(&small)) + 2 * PADDING;
        let mut size = Size {
            w: texts.max(BOX_WIDTH_MIN),
            h: BOX_HEIGHT,
        };
        if !groups.is_empty() {
            let widths: i32 = groups.iter().map(|group| group.size.w + PADDING).sum();
            let height = groups.iter().map(|group| group.size.h).max().unwrap_or(0);
            size.w = size.w.max(widths + PADDING);
            size.h += height + PADDING;
        }
        Self {
            class: class(step),
            label,
            small,
            tooltip: tooltip(step),
            groups,
            size,
        }
    }

    fn draw(&self, out: &mut String, at: Point) {
        let _ = writeln!(out, "<g><title>{}</title>", escape(&self.tooltip));
        let class = if self.groups.is_empty() {
            self.class
        } else {
            "container"
        };
        rect(out, class, at, self.size);
        let x = at.x + PADDING;
        label(out, "", Point { x, y: at.y + 20 }, &self.label);
        label(out, "small", Point { x, y: at.y + 36 }, &self.small);
        out.push_str("</g>\n");
        let widths: i32 = self.groups.iter().map(|group| group.size.w + PADDING).sum();
        let mut x = at.x + (self.size.w - (widths - PADDING)) / 2;
        for group in &self.groups {
            let y = at.y + BOX_HEIGHT;
            group.draw(out, Point { x, y });
            x += group.size.w + PADDING;
        }
    }
}

/// The groups of steps inside a step, side by side.
fn inside(plan: &Plan, step: &Step, depth: usize) -> Vec<Group> {
    if let StepKind::Switch(switch) = &step.kind {
        let arms = switch.arms.iter().map(|arm| {
            let when = arm.when.as_ref();
            let when = when.map_or_else(|| "else".to_owned(), |when| format!("when {when}"));
            let title = Title {
                name: cut(&arm.name),
                small: Some(cut(&when)),
            };
            Group::of(plan, Some(title), &positions(plan, &arm.steps), depth)
        });
        return arms.collect();
    }
    if let StepKind::Parallel(parallel) = &step.kind {
        let branches = parallel.branches.iter().map(|branch| {
            let members = positions(plan, &branch.steps);
            let title = Title {
                name: cut(&branch.name),
                small: None,
            };
            Group::of(plan, Some(title), &members, depth)
        });
        return branches.collect();
    }
    let body = step.kind.body();
    if body.is_empty() {
        return Vec::new();
    }
    vec![Group::of(plan, None, &positions(plan, &body), depth)]
}

fn positions(plan: &Plan, paths: &[crate::id::StepPath]) -> Vec<usize> {
    let found = paths.iter().filter_map(|path| plan.steps.position(path));
    found.collect()
}

/// The arrows between the members of a group. What a step inside a member waits for, the member waits for.
fn links(plan: &Plan, members: &[usize]) -> (Vec<(usize, usize)>, Vec<Link>) {
    let mut home: HashMap<&str, usize> = HashMap::new();
    for (place, index) in members.iter().enumerate() {
        if let Some(step) = plan.steps.get(*index) {
            home.insert(step.path.as_str(), place);
        }
    }
    // Every step stands behind the one around it.
    let mut steps: Vec<(&Step, usize)> = Vec::new();
    for step in plan.steps.iter() {
        let around = step.parent.as_ref().map(|parent| parent.step.as_str());
        let own = home.get(step.path.as_str()).copied();
        let place = own.or_else(|| around.and_then(|around| home.get(around).copied()));
        if let Some(place) = place {
            home.insert(step.path.as_str(), place);
            steps.push((step, place));
        }
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut links: Vec<Link> = Vec::new();
    let mut known: HashMap<(usize, usize), usize> = HashMap::new();
    for (step, to) in steps {
        for edge in &step.edges {
            let Some(from) = home
                .get(edge.from.as_str())
                .copied()
                .filter(|from| *from != to)
            else {
                continue;
            };
            let order = matches!(edge.kind, EdgeKind::After);
            let words = format!("{} waits for {}", step.path, edge.from);
            let place = *known.entry((from, to)).or_insert(links.len());
            if let Some(link) = links.get_mut(place) {
                link.order &= order;
                let _ = write!(link.tooltip, "\n{words}");
            } else {
                pairs.push((from, to));
                links.push(Link {
                    order,
                    tooltip: words,
                });
            }
        }
    }
    (pairs, links)
}

impl Link {
    fn draw(&self, out: &mut String, from: Point, route: &[Point]) {
        let mut points = route.iter().map(|point| Point {
            x: from.x + point.x,
            y: from.y + point.y,
        });
        let Some(mut last) = points.next() else {
            return;
        };
        let mut path = format!("M{} {}", last.x, last.y);
        for point in points {
            if point.x == last.x {
                let _ = write!(path, "V{}", point.y);
            } else {
                let middle = (last.y + point.y) / 2;
                let _ = write!(
                    path,
                    "C{} {middle} {} {middle} {} {}",
                    last.x, point.x, point.x, point.y
                );
            }
            last = point;
        }
        let class = if self.order { "edge order" } else { "edge" };
        let _ = writeln!(
            out,
            "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"{path}\"><title>{}</title></path>",
            escape(&self.tooltip)
        );
    }
}

fn class(step: &Step) -> &'static str {
    if let Some(python) = step.kind.as_python() {
        return match python.mode {
            Mode::ReadOnly => "python",
            Mode::WriteAccess => "write",
        };
    }
    if matches!(step.kind, StepKind::Approval(_)) {
        "approval"
    } else {
        "box"
    }
}

fn small_text(step: &Step) -> String {
    let kind = match step.kind.as_python() {
        Some(python) if python.mode == Mode::WriteAccess => "python, write access",
        Some(_) | None => step.kind.as_str(),
    };
    match &step.condition {
        Some(condition) => format!("{kind}, if {condition}"),
        None => kind.to_owned(),
    }
}

fn tooltip(step: &Step) -> String {
    let mut text = format!("{} ({})", step.path, step.kind.as_str());
    if let Some(description) = &step.description {
        let _ = write!(text, "\n{description}");
    }
    if let Some(condition) = &step.condition {
        let _ = write!(text, "\nif {condition}");
    }
    text
}

fn rect(out: &mut String, class: &str, at: Point, size: Size) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
        at.x, at.y, size.w, size.h
    );
}

fn label(out: &mut String, class: &str, at: Point, text: &str) {
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    let _ = writeln!(
        out,
        "<text{class} x=\"{}\" y=\"{}\">{}</text>",
        at.x,
        at.y,
        escape(text)
    );
}

/// A label on one line that is not too long.
fn cut(text: &str) -> String {
    let line: Vec<char> = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .collect();
    if line.len() <= LABEL_CHARS_MAX {
        return line.into_iter().collect();
    }
    let kept: String = line.into_iter().take(LABEL_CHARS_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

fn text_width(text: &str) -> i32 {
    LETTER * letters(text)
}

fn small_width(text: &str) -> i32 {
    SMALL_LETTER * letters(text)
}

/// Letters beyond Latin count twice: many of them are wide.
fn letters(text: &str) -> i32 {
    text.chars()
        .map(|letter| if letter < '\u{2000}' { 1 } else { 2 })
        .sum()
}

/// Text as XML may hold it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            letter if letter.is_control() => out.push('\u{FFFD}'),
            letter => out.push(letter),
        }
    }
    out
}
