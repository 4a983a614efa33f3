//! Everything in `tests/fixtures/bad` is refused, and what is printed is what the snapshots say.

use std::path::Path;

use stepwell::workflow::{CompileOptions, SourceError, Sources, compile};

use crate::workflow_compile::shown;

/// Files that exist only here, one for each thing that can be wrong with a file.
pub(crate) struct Shelf;

impl Sources for Shelf {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path {
            "child.yml" => Ok(CHILD.as_bytes().to_vec()),
            "bad_child.yml" => Ok(BAD_CHILD.as_bytes().to_vec()),
            "parts/back.yml" => Ok(BACK.as_bytes().to_vec()),
            "parts/again.yml" => Ok(AGAIN.as_bytes().to_vec()),
            "warns.yml" => Ok(WARNS.as_bytes().to_vec()),
            "ok.py" => Ok(b"results = {'x': 1}\n".to_vec()),
            "broken.py" => Ok(b"import math\n\nresults = {'x': math.sqrt(2}\n".to_vec()),
            "latin.py" => Ok(b"# caf\xe9\n".to_vec()),
            "stages" => Err(SourceError::NotAFile),
            "secret.py" => Err(SourceError::NoPermission),
            "huge.py" => Err(SourceError::TooLarge),
            "linked_out.py" => Err(SourceError::Outside),
            _ => Err(SourceError::Missing),
        }
    }
}

const CHILD: &str = "version: 1
name: child
inputs: {day: date, count: {type: int, default: 3}}
steps:
  - {id: sum, set: {x: 1}}
outputs: {total: \"${{ steps.sum.outputs.x }}\"}
";
const BAD_CHILD: &str = "version: 1
name: bad_child
steps:
  - {id: sum, python: {file: missing.py}}
";
const BACK: &str = "version: 1
name: back
steps:
  - {id: sum, workflow: again.yml}
";
const AGAIN: &str = "version: 1
name: again
steps:
  - {id: more, workflow: {file: back.yml}}
";
const WARNS: &str = "version: 1
name: warns
steps:
  - {id: each, foreach: {items: [], steps: [{id: i, set: {x: 1}}]}}
";

const MARK: &str = "#### ";

/// The workflows of a fixture, with their titles.
pub(crate) fn cases(text: &str) -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix(MARK) {
            cases.push((title.to_owned(), String::new()));
        } else if let Some((_, body)) = cases.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    cases
}

#[test]
fn every_bad_workflow_is_refused_with_the_words_of_its_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad");
    let mut seen = 0;
    for fixture in std::fs::read_dir(folder).unwrap() {
        let path = fixture.unwrap().path();
        if path.extension().is_none_or(|end| end != "yml") {
            continue;
        }
        let mut printed = String::new();
        for (title, body) in cases(&std::fs::read_to_string(&path).unwrap()) {
            let compilation = compile("w.yml", body.as_bytes(), &Shelf, &CompileOptions::default());
            let said = shown(&compilation);
            assert!(
                !said.is_empty(),
                "{}: {title}: nothing was said",
                path.display()
            );
            let refused = compilation.plan.is_none();
            assert_eq!(refused, !title.starts_with("warning: "), "{title}: {said}");
            printed.push_str(&format!("{MARK}{title}\n{said}\n\n"));
            seen += 1;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(format!("bad_{name}"), printed);
    }
    assert!(seen >= 190, "only {seen} bad workflows");
}
