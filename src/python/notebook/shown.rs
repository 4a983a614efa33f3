//! What the code gave out, cell by cell and in order, as the harness recorded it. It comes from a process that ran
//! somebody's code: only what is known to be an output is taken over.

use serde_json::{Map, Value, json};

use super::cell::lines;
use super::{FigureData, figure, output};

/// Media types of text that a notebook may hold.
const TEXTS: [&str; 4] = ["text/plain", "text/html", "text/markdown", "text/latex"];
/// Media types of pictures, written in base64.
const PICTURES: [&str; 3] = ["image/png", "image/jpeg", "image/gif"];

/// What each cell gave out.
#[derive(Debug, Default)]
pub(super) struct Shown<'a> {
    cells: Vec<(usize, &'a [Value])>,
}

impl<'a> Shown<'a> {
    /// Reads the record; what is none is empty.
    pub(super) fn read(record: Option<&'a Value>) -> Self {
        let cells = record.and_then(|record| record.get("cells")?.as_array());
        let cell = |cell: &'a Value| {
            let number = usize::try_from(cell.get("cell")?.as_u64()?).ok()?;
            let outputs = cell.get("outputs")?.as_array()?;
            Some((number, outputs.as_slice()))
        };
        Self {
            cells: cells.into_iter().flatten().filter_map(cell).collect(),
        }
    }

    /// The cells that were begun, in order; code without cells is the cell 0.
    pub(super) fn begun(&self) -> impl Iterator<Item = usize> {
        self.cells
            .iter()
            .map(|(number, _)| *number)
            .filter(|number| *number > 0)
    }

    /// What a cell gave out, as outputs of a notebook; `count` is its place in the order of execution.
    pub(super) fn of(&self, number: usize, count: usize, figures: &[FigureData<'_>]) -> Vec<Value> {
        let outputs = self.cells.iter().filter(|(found, _)| *found == number);
        outputs
            .flat_map(|(_, outputs)| outputs.iter())
            .filter_map(|found| taken(found, count, figures))
            .collect()
    }

    /// What was printed, as one text.
    pub(super) fn printed(&self, name: &str) -> String {
        let outputs = self.cells.iter().flat_map(|(_, outputs)| outputs.iter());
        outputs
            .filter(|output| text_of(output, "name") == Some(name))
            .filter_map(|output| text_of(output, "text"))
            .collect()
    }

    /// The figures that have their place among the outputs.
    pub(super) fn figures(&self) -> impl Iterator<Item = &'a str> {
        let outputs = self.cells.iter().flat_map(|(_, outputs)| outputs.iter());
        outputs.filter_map(|output| text_of(output, "path"))
    }

    /// Whether anything but printed text was recorded.
    pub(super) fn is_rich(&self) -> bool {
        let mut outputs = self.cells.iter().flat_map(|(_, outputs)| outputs.iter());
        outputs.any(|output| text_of(output, "output_type") != Some("stream"))
    }
}

fn text_of<'a>(output: &'a Value, key: &str) -> Option<&'a str> {
    output.get(key).and_then(Value::as_str)
}

fn taken(found: &Value, count: usize, figures: &[FigureData<'_>]) -> Option<Value> {
    let data = || bundle(found.get("data")?.as_object()?);
    match text_of(found, "output_type")? {
        "stream" => {
            let name = match text_of(found, "name")? {
                "stdout" => "stdout",
                "stderr" => "stderr",
                _ => return None,
            };
            output::stream(name, text_of(found, "text")?, false)
        }
        "figure" => {
            let path = text_of(found, "path")?;
            let figure = figures.iter().find(|figure| figure.path == path)?;
            figure::outputs(std::slice::from_ref(figure)).pop()
        }
        "display_data" => {
            Some(json!({"data": data()?, "metadata": {}, "output_type": "display_data"}))
        }
        "execute_result" => Some(json!({
            "data": data()?, "execution_count": count, "metadata": {}, "output_type": "execute_result",
        })),
        _ => None,
    }
}

/// The forms of a value that are known and what they say they are.
fn bundle(found: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut data = Map::new();
    for (media_type, value) in found {
        let Some(text) = value.as_str() else { continue };
        if TEXTS.contains(&media_type.as_str()) {
            data.insert(media_type.clone(), json!(lines(text)));
        } else if PICTURES.contains(&media_type.as_str()) {
            let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=\n".contains(&b);
            if text.bytes().all(is_base64) {
                data.insert(media_type.clone(), json!(text));
            }
        } else if media_type == "image/svg+xml" {
            let drawing = FigureData {
                title: "",
                path: "",
                media_type,
                bytes: text.as_bytes(),
            };
            if let Some((kind, picture)) = figure::picture(&drawing) {
                data.entry(kind).or_insert(picture);
            }
        }
    }
    (!data.is_empty()).then_some(data)
}
