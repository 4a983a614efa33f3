//! Pictures as notebook outputs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::FigureData;
use super::cell::lines;
use super::text;

/// A larger picture is named, not shown, in bytes of its file.
const FIGURE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Pictures past this sum are named, not shown, in bytes of their files.
const FIGURES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The outputs that show these pictures.
pub(super) fn outputs(figures: &[FigureData<'_>]) -> Vec<Value> {
    let mut left = FIGURES_BYTES_MAX;
    figures
        .iter()
        .map(|figure| {
            let fits = figure.bytes.len() <= FIGURE_BYTES_MAX.min(left);
            let picture = if fits { picture(figure) } else { None };
            if picture.is_some() {
                left -= figure.bytes.len();
            }
            output(figure, picture)
        })
        .collect()
}

fn output(figure: &FigureData<'_>, picture: Option<(&'static str, Value)>) -> Value {
    let title = if figure.title.trim().is_empty() {
        "figure".to_owned()
    } else {
        text::clipped(figure.title, 200)
    };
    let mut data = Map::new();
    let plain = if let Some((media_type, value)) = picture {
        data.insert(media_type.to_owned(), value);
        title
    } else {
        let size = text::size(u64::try_from(figure.bytes.len()).unwrap_or(u64::MAX));
        let kind = text::clipped(figure.media_type, 80);
        format!("{title} ({kind}, {size}): not shown here, see the folder figures/")
    };
    data.insert("text/plain".to_owned(), json!(lines(&plain)));
    json!({"data": data, "metadata": {}, "output_type": "display_data"})
}

/// The picture under the media type that shows it, if there is one.
pub(super) fn picture(figure: &FigureData<'_>) -> Option<(&'static str, Value)> {
    let encoded = || Value::String(STANDARD.encode(figure.bytes));
    match figure.media_type {
        "image/png" => Some(("image/png", encoded())),
        "image/jpeg" => Some(("image/jpeg", encoded())),
        "image/gif" => Some(("image/gif", encoded())),
        "image/svg+xml" => match std::str::from_utf8(figure.bytes) {
            Ok(svg) if is_passive(svg) => Some(("image/svg+xml", json!(lines(svg)))),
            // Shown as an image, a drawing can neither run scripts nor reach the page.
            Ok(_) | Err(_) => {
                let source = STANDARD.encode(figure.bytes);
                let html = format!("<img src=\"data:image/svg+xml;base64,{source}\">");
                Some(("text/html", json!([html])))
            }
        },
        _ => None,
    }
}

/// Elements that only draw: what plotting libraries write.
const DRAWING: [&str; 28] = [
    "circle",
    "clippath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "lineargradient",
    "marker",
    "mask",
    "metadata",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialgradient",
    "rdf:rdf",
    "rect",
    "stop",
    "style",
    "svg",
    "symbol",
    "text",
    "title",
    "tspan",
    "use",
    "cc:work",
    "dc:title",
];

/// Elements of the description that matplotlib writes into its drawings.
const DESCRIPTION: [&str; 6] = [
    "cc:agent",
    "dc:creator",
    "dc:date",
    "dc:format",
    "dc:type",
    "dc:rights",
];

/// Whether a drawing holds nothing but known drawing elements, no event handlers, and links to itself only.
/// Strict on purpose: a drawing that is refused is still shown, as an image.
fn is_passive(svg: &str) -> bool {
    let lower = svg.to_ascii_lowercase();
    let Some(body) = lower.find("<svg").and_then(|start| lower.get(start..)) else {
        return false;
    };
    let tags_known = body.split('<').skip(1).all(|tag| {
        let name = tag
            .trim_start_matches('/')
            .split(|c: char| c.is_whitespace() || c == '>' || c == '/')
            .next()
            .unwrap_or_default();
        name.starts_with("!--") || DRAWING.contains(&name) || DESCRIPTION.contains(&name)
    });
    let links_inside = body
        .split("href")
        .skip(1)
        .all(|rest| rest.starts_with("=\"#") || rest.starts_with("='#"));
    let handler = body
        .split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\''))
        .any(|word| word.starts_with("on") && word.contains('='));
    tags_known && links_inside && !handler && !body.contains("@import") && !body.contains("url(h")
}
