//! A notebook as the code of a step: cell by cell, with its parameters, its outputs and its failures.

use std::fs;

use serde_json::{Value, json};

use crate::cli_rig::Place;
use crate::notebook_rerun::{judge, place, python, same_again};

const WORKFLOW: &str = r#"version: 1
name: orbit
inputs:
  day: {type: string, default: "2026-11-23"}
steps:
  - id: study
    python: {notebook: orbit.ipynb}
    with: {day: "${{ inputs.day }}", count: 4}
    outputs: {total: int, day: string}
outputs: {total: "${{ steps.study.outputs.total }}"}
"#;

fn code(text: &str) -> Value {
    json!({"cell_type": "code", "id": "x", "metadata": {}, "execution_count": 7, "source": text,
           "outputs": [{"output_type": "stream", "name": "stdout", "text": "an old output"}]})
}

fn orbit(cells: &[Value]) -> String {
    let mut all = vec![
        json!({"cell_type": "markdown", "metadata": {}, "source": ["# Orbit\n", "Of *one* day."]}),
        json!({"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "day = \"never\"\ncount = 1", "outputs": []}),
    ];
    all.extend_from_slice(cells);
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": all}).to_string()
}

fn written(place: &Place, run: &Value) -> Value {
    let path = place
        .path("data")
        .join(run["steps"]["study"]["notebook"].as_str().unwrap());
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn sources(notebook: &Value) -> Vec<(String, &Value)> {
    let cells = notebook["cells"].as_array().unwrap().iter();
    let joined = |cell: &Value| {
        let lines = cell["source"].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap()).collect::<String>()
    };
    cells.map(|cell| (joined(cell), cell)).collect()
}

#[test]
fn cells_run_in_order_in_one_namespace_and_keep_their_own_outputs() {
    let Some(python) = python() else { return };
    let place = place(&python);
    place.write("orbit.yml", WORKFLOW);
    let cells = [
        code(
            "import pandas as pd\nimport matplotlib.pyplot as plt\nprint(\"for\", day)\ntable = pd.DataFrame({\"x\": range(count)})\ntable",
        ),
        code(""),
        code(
            "plt.plot(table[\"x\"])\nplt.title(\"Rising\")\nplt.show()\nimport sys\nprint(\"done\", file=sys.stderr)\ntable[\"x\"].max();",
        ),
        json!({"cell_type": "markdown", "metadata": {}, "source": "The end."}),
        code(
            "display(table.head(1))\nresults = {\"total\": int(table[\"x\"].sum()), \"day\": day}\nresults[\"total\"]",
        ),
    ];
    place.write("orbit.ipynb", &orbit(&cells));
    let run = same_again(&python, &place, "orbit.yml", &["study"]);
    assert_eq!(run["outputs"]["total"], 6);
    assert_eq!(run["steps"]["study"]["outputs"]["day"], "2026-11-23");
    let notebook = written(&place, &run);
    let shown = sources(&notebook);
    let find = |piece: &str| {
        let found = shown.iter().position(|(text, _)| text.contains(piece));
        found.unwrap_or_else(|| panic!("{piece}"))
    };
    let (parameters, injected) = (find("day = \"never\""), find("day = context[\"day\"]"));
    assert_eq!(injected, parameters + 1);
    assert_eq!(
        shown[injected].1["metadata"]["tags"],
        json!(["injected-parameters"])
    );
    assert!(find("Of *one* day.") < parameters && find("The end.") < find("display(table"));
    let outputs = |piece: &str| shown[find(piece)].1["outputs"].as_array().unwrap();
    let first = outputs("print(\"for\"");
    assert_eq!(first[0]["text"], json!(["for 2026-11-23\n"]));
    assert_eq!(first[1]["output_type"], "execute_result");
    assert_eq!(first[1]["execution_count"], 2);
    assert!(first[1]["data"]["text/html"].to_string().contains("<table"));
    let drawn = outputs("plt.plot");
    assert!(drawn[0]["data"]["image/png"].is_string(), "{drawn:?}");
    assert_eq!(drawn[0]["data"]["text/plain"], json!(["Rising"]));
    assert_eq!((&drawn[1]["name"], drawn.len()), (&json!("stderr"), 2));
    let last = outputs("display(table");
    assert_eq!(last[0]["output_type"], "display_data");
    assert_eq!(last[1]["data"]["text/plain"], json!(["6"]));
    assert!(!notebook.to_string().contains("an old output"));
    judge(&python, &place);
}

#[test]
fn a_cell_that_fails_ends_it_and_says_which() {
    let place = Place::new();
    place.write("orbit.yml", WORKFLOW);
    let cells = [
        code("def half(n):\n    return n / 0\n\nprint('before')"),
        code("\nx = half(count)"),
        code("raise RuntimeError('never reached')"),
    ];
    place.write("orbit.ipynb", &orbit(&cells));
    let run = place.json(1, &["run", "orbit.yml", "--data", "data"]);
    let failure = &run["steps"]["study"]["failure"];
    assert_eq!(
        failure["message"],
        "cell 3: ZeroDivisionError: division by zero"
    );
    let traceback = failure["traceback"].as_str().unwrap();
    assert!(
        traceback.contains("File \"orbit.ipynb, cell 3\", line 2"),
        "{traceback}"
    );
    assert!(
        traceback.contains("File \"orbit.ipynb, cell 2\", line 2, in half"),
        "{traceback}"
    );
    assert!(traceback.contains("x = half(count)"), "{traceback}");
    let notebook = written(&place, &run);
    let shown = sources(&notebook);
    let by = |piece: &str| {
        shown
            .iter()
            .find(|(text, _)| text.contains(piece))
            .unwrap()
            .1
    };
    let failed = by("x = half(count)");
    assert_eq!(failed["outputs"][0]["ename"], "ZeroDivisionError");
    assert_eq!(
        failed["outputs"].as_array().unwrap().len(),
        1,
        "the traceback is there once"
    );
    assert_eq!(failed["metadata"]["tags"], json!(["raises-exception"]));
    assert_eq!(by("never reached")["execution_count"], Value::Null);
    assert_eq!(
        by("print('before')")["outputs"][0]["text"],
        json!(["before\n"])
    );
}

#[test]
fn a_notebook_that_writes_asks_about_its_cells_and_only_they_count() {
    let place = Place::new();
    place.write(
        "orbit.yml",
        &WORKFLOW.replace("orbit.ipynb}", "orbit.ipynb, mode: write_access}"),
    );
    let cells = [code(
        "import subprocess\nsubprocess.run(['true'])\nresults = {'total': 1, 'day': day}",
    )];
    place.write("orbit.ipynb", &orbit(&cells));
    let asked = |place: &Place| {
        let run = place.json(3, &["run", "orbit.yml", "--data", "data"]);
        let analysis = run["steps"]["study"]["analysis"].clone();
        let finding = analysis["findings"][0]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(finding.starts_with("cell 2, line 2: "), "{finding}");
        (analysis["subject"].clone(), run)
    };
    let (first, run) = asked(&place);
    let waiting = sources(&written(&place, &run))
        .iter()
        .any(|(text, cell)| text.contains("subprocess.run") && cell["outputs"] == json!([]));
    assert!(waiting);
    // Outputs, counts and prose are not part of it.
    let other = orbit(&cells)
        .replace("an old output", "another")
        .replace("Of *one* day.", "Text.");
    place.write("orbit.ipynb", &other);
    assert_eq!(asked(&place).0, first);
    place.write(
        "orbit.ipynb",
        &orbit(&cells).replace("['true']", "['false']"),
    );
    let (other, _) = asked(&place);
    assert_ne!(other, first);
    let ran = place.run(&["approve", "@last", "--data", "data", "--resume"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_python_cannot_read_is_refused_with_cell_and_line() {
    let place = Place::new();
    for (cell, said) in [
        (
            "x = 1\n%matplotlib inline",
            "orbit.ipynb, cell 2, line 2: it is a magic of IPython, not Python",
        ),
        (
            "%%bash\nls",
            "cell 2, line 1: `%%bash` is a magic of IPython, not Python",
        ),
        ("!ls", "it is a command of the shell, not Python"),
        ("if True:\nx = 1", "orbit.ipynb, cell 2, line 2:"),
        ("x = '''", "orbit.ipynb, cell 2, line 1:"),
    ] {
        place.write("orbit.yml", WORKFLOW);
        place.write("orbit.ipynb", &orbit(&[code(cell), code("'''\n")]));
        let ran = place.run(&["validate", "orbit.yml"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(
            ran.err.contains(said) || ran.out.contains(said),
            "{cell}: {ran:?}"
        );
    }
    place.write(
        "orbit.yml",
        &WORKFLOW.replace("notebook: orbit", "file: orbit"),
    );
    let ran = place.run(&["validate", "orbit.yml"]);
    assert!(
        format!("{ran:?}").contains("write `notebook:` instead of `file:`"),
        "{ran:?}"
    );
}
