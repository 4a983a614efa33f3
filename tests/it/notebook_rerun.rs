//! Notebooks of finished steps run again in a fresh kernel of Jupyter and give the same results, and Jupyter's own tools
//! take every notebook that a run writes.
//!
//! `STEPWELL_TEST_PYTHON` names an interpreter with `nbclient`, `nbconvert`, `ipykernel` and the libraries of the
//! workflows; without it these tests are skipped, with a line that says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli_rig::Place;

/// Runs each notebook with all its cells, and prints its results as the harness writes them.
const RERUN: &str = r#"
import asyncio, glob, json, os, sys
import nbformat
from nbclient import NotebookClient

tools = glob.glob(sys.argv[1] + "/tools/harness-*")[0]
ASK = f"""
import sys
sys.path.append({tools!r})
from stepwell_harness.encode import Encoder
print("RESULTS" + Encoder("results", 1 << 24, False).encode(results))
"""

def again(path):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    folder = os.path.dirname(path)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    text = "".join(out.text for out in notebook.cells[-1].outputs if out.output_type == "stream")
    return json.loads(text.split("RESULTS")[1])

print(json.dumps([again(path) for path in sys.argv[2:]]))
"#;

/// Every notebook is valid, and becomes a page.
const JUDGE: &str = r#"
import sys, nbformat
from nbconvert import HTMLExporter
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    page = HTMLExporter().from_notebook_node(notebook)[0]
    assert "</html>" in page, path
print(len(sys.argv) - 1)
"#;

/// The interpreter to test with.
pub(crate) fn python() -> Option<String> {
    let python = std::env::var("STEPWELL_TEST_PYTHON").ok();
    if python.is_none() {
        println!("skipped: STEPWELL_TEST_PYTHON is not set");
    }
    python
}

pub(crate) fn script(python: &str, text: &str, arguments: &[&Path]) -> String {
    let output = Command::new(python)
        .arg("-c")
        .arg(text)
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Copies an example without its packages, which are those of the interpreter here.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.extension().is_some_and(|suffix| suffix == "yml") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.contains("packages:"));
            fs::write(target, lines.collect::<Vec<_>>().join("\n")).unwrap();
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

pub(crate) fn place(python: &str) -> Place {
    let place = Place::new();
    let config = format!("framework: {{execution: {{local: {{python_env_path: {python}}}}}}}\n");
    place.write("config.yml", &config);
    place
}

/// Runs the workflow, and the notebook of each of these steps again: its results are those of the run.
pub(crate) fn same_again(python: &str, place: &Place, workflow: &str, steps: &[&str]) -> Value {
    let run = place.json(0, &["run", workflow, "--data", "data"]);
    let data = place.path("data");
    let notebooks: Vec<PathBuf> = steps
        .iter()
        .map(|step| data.join(run["steps"][step]["notebook"].as_str().unwrap()))
        .collect();
    let mut arguments = vec![data.as_path()];
    arguments.extend(notebooks.iter().map(PathBuf::as_path));
    let again: Vec<Value> = serde_json::from_str(&script(python, RERUN, &arguments)).unwrap();
    let results = place.json(0, &["results", "@last", "--data", "data"]);
    for (step, again) in steps.iter().zip(again) {
        assert_eq!(results["steps"][step]["results"], again, "{step}");
    }
    run
}

pub(crate) fn judge(python: &str, place: &Place) {
    let mut notebooks = Vec::new();
    walk(&place.path("data/runs"), &mut notebooks);
    assert!(!notebooks.is_empty());
    let paths: Vec<&Path> = notebooks.iter().map(PathBuf::as_path).collect();
    let judged = script(python, JUDGE, &paths);
    assert_eq!(judged.trim(), notebooks.len().to_string());
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "ipynb") {
            found.push(path);
        }
    }
}

#[test]
fn the_notebooks_of_the_quickstart_give_the_same_results_again() {
    let Some(python) = python() else { return };
    let place = place(&python);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    copy(&examples, &place.path("workflows"));
    same_again(
        &python,
        &place,
        "workflows/quickstart.yml",
        &["load", "analyse"],
    );
    judge(&python, &place);
}

const SEVERAL: &str = r#"version: 1
name: several
inputs:
  names: {type: list, items: string, default: ["é", b]}
steps:
  - id: measure
    python: {file: measure.py}
    with: {rows: 40000, names: "${{ inputs.names }}"}
    env: {SCALE: "2.5"}
  - id: fit
    python:
      code: |
        import pandas as pd
        import matplotlib.pyplot as plt
        table = pd.DataFrame(context.table).set_index("name")
        figure, axes = plt.subplots()
        axes.plot(table["x"])
        plt.show()
        with open("out.txt", "w") as file:
            file.write("kept")
        path = save_artifact(table, "table.csv")
        again = pd.read_csv(path)
        results = {"mean": float(again["x"].mean()), "kept": open("out.txt").read(), "rows": len(context.long)}
    with:
      table: ${{ steps.measure.outputs.table }}
      long: ${{ steps.measure.outputs.long }}
  - id: each
    foreach:
      items: ${{ inputs.names }}
      as: name
      key: ${{ name }}
      steps:
        - id: shout
          python:
            code: |
              import sys
              results = {"loud": context.name.upper()}
              sys.exit(0)
          with: {name: "${{ name }}"}
"#;

#[test]
fn modules_long_inputs_tables_files_and_items_come_back_too() {
    let Some(python) = python() else { return };
    let place = place(&python);
    place.write("several.yml", SEVERAL);
    place.write("helper.py", "def scaled(x, scale):\n    return x * scale\n");
    place.write(
        "measure.py",
        "import os\nfrom helper import scaled\n\nscale = float(os.environ[\"SCALE\"])\n\
         results = {\n    \"table\": [{\"name\": name, \"x\": scaled(i, scale)} for i, name in enumerate(context.names)],\n    \
         \"long\": [i / 7 for i in range(context.rows)],\n}\n",
    );
    let steps = ["measure", "fit", "each[é].shout", "each[b].shout"];
    let run = same_again(&python, &place, "several.yml", &steps);
    let fit = place
        .path("data")
        .join(run["steps"]["fit"]["notebook"].as_str().unwrap());
    let text = fs::read_to_string(&fit).unwrap();
    assert!(text.contains("inputs_from_file"), "the inputs are long");
    judge(&python, &place);

    // Beside other inputs the notebook says so instead of computing something else.
    let context = fit.with_file_name("context.json");
    let inputs = fs::read_to_string(&context).unwrap();
    fs::write(&context, inputs.replacen("0.0", "0.1", 1)).unwrap();
    let output = Command::new(&python)
        .args(["-c", RERUN])
        .args([&place.path("data"), &fit])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("is not what the step got"), "{told}");
}

const LARGE: &str = r#"version: 1
name: large
steps:
  - id: make
    python:
      code: |
        import numpy as np
        import pandas as pd
        n = 60_000
        table = pd.DataFrame({
            "x": np.arange(n) / 7,
            "n": np.arange(n, dtype="int32"),
            "ok": [i % 3 == 0 for i in range(n)],
            "name": [f"monitor {i % 5}, é" for i in range(n)],
            "at": pd.date_range("2026-03-29", periods=n, freq="min", tz="Europe/Berlin"),
        }, index=pd.Index(np.arange(n) * 2, name="turn"))
        table.loc[4, "x"] = np.nan
        results = {"table": table, "matrix": np.outer(np.arange(700), np.arange(700)), "one": table["x"], "few": [1, 2]}
    outputs: {table: list, matrix: list, one: list, few: {type: list, items: int}}
  - id: use
    python:
      code: |
        table = context.table.load()
        results = {
            "sum": float(table["x"].sum()), "missing": int(table["x"].isna().sum()), "rows": len(table),
            "dtypes": [str(dtype) for dtype in table.dtypes], "index": [table.index.name, int(table.index[1])],
            "last": str(table["at"].iloc[-1]), "exact": float(table["x"].iloc[-1]) == 59_999 / 7,
            "corner": int(context.matrix.load()[-1, -1]), "series": float(context.one.load().iloc[1]),
            "shape": context.table.shape, "first": context.table.preview[0]["name"],
        }
        table.to_csv("copy.csv")
        handed = context.matrix
        results["handed"] = handed
    with:
      table: ${{ steps.make.outputs.table }}
      matrix: ${{ steps.make.outputs.matrix }}
      one: ${{ steps.make.outputs.one }}
  - id: last
    python: {code: "results = {'sum': int(context.matrix.load().sum()), 'rows': context.rows}"}
    with: {matrix: "${{ steps.use.outputs.handed }}", rows: "${{ steps.make.outputs.table.shape[0] }}"}
"#;

#[test]
fn large_tables_and_arrays_go_from_step_to_step_as_files() {
    let Some(python) = python() else { return };
    let place = place(&python);
    place.write("large.yml", LARGE);
    let run = same_again(&python, &place, "large.yml", &["use", "last"]);
    let made = &run["steps"]["make"]["outputs"];
    assert_eq!(made["few"], serde_json::json!([1, 2]));
    let path = made["table"]["path"].as_str().unwrap();
    assert!(place.path("data").join(path).is_file(), "{path}");
    let digest = made["table"]["sha256"].as_str().unwrap();
    let kept = &run["steps"]["make"]["artifacts"];
    assert!(
        kept.as_array()
            .unwrap()
            .iter()
            .any(|file| file["digest"] == digest && file["path"] == path)
    );
    let table = kept
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == path)
        .unwrap();
    assert_eq!(
        (&table["type"], &table["preview"]["row_count"]),
        (&"table".into(), &60_000.into())
    );
    let shown = place.run(&["show", "@last", "--data", "data"]).out;
    assert!(shown.contains("60000 rows × 6 columns"), "{shown}");
    let used = &run["steps"]["use"]["outputs"];
    assert_eq!(used["missing"], 1);
    assert_eq!(used["exact"], true);
    assert_eq!(used["index"], serde_json::json!(["turn", 2]));
    assert_eq!(used["corner"], 699 * 699);
    assert_eq!(used["first"], "monitor 0, é");
    assert_eq!(used["shape"], serde_json::json!([60_000, 5]));
    let dtypes = used["dtypes"].as_array().unwrap();
    assert_eq!(
        (&dtypes[0], &dtypes[1], &dtypes[2]),
        (&"float64".into(), &"int32".into(), &"bool".into())
    );
    assert!(
        dtypes[4].as_str().unwrap().ends_with("Europe/Berlin]"),
        "{dtypes:?}"
    );
    assert_eq!(used["handed"], made["matrix"]);
    assert_eq!(run["steps"]["last"]["outputs"]["rows"], 60_000);
}

#[test]
fn the_notebook_of_a_run_runs_again_from_its_first_cell_to_its_last() {
    let Some(python) = python() else { return };
    let place = place(&python);
    place.write("several.yml", SEVERAL);
    place.write("helper.py", "def scaled(x, scale):\n    return x * scale\n");
    place.write(
        "measure.py",
        "from helper import scaled\n\nresults = {\"table\": [{\"name\": \"a\", \"x\": scaled(1.0, 2)}], \"long\": [1] * context.rows}\n",
    );
    let run = place.json(0, &["run", "several.yml", "--data", "data"]);
    let data = place.path("data");
    let page = data.join(run["folder"].as_str().unwrap()).join("run.ipynb");
    let again: Value = serde_json::from_str(&script(&python, RERUN, &[&data, &page])).unwrap();
    assert_eq!(again[0]["loud"], "B", "the results of the last step");
    let text = fs::read_to_string(&page).unwrap();
    let links: Vec<&str> = text
        .match_indices("](")
        .filter_map(|(at, _)| text[at + 2..].split(')').next())
        .collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(page.with_file_name(link).is_file(), "{link}");
    }
}

#[test]
fn jupyter_takes_the_notebooks_of_what_waits_fails_and_is_refused() {
    let Some(python) = python() else { return };
    let place = place(&python);
    place.write(
        "states.yml",
        r#"version: 1
name: states
steps:
  - id: waits
    needs: []
    python: {mode: write_access, code: "results = {'n': len(context.long)}"}
    with: {long: "${{ [str(n) for n in range(9000)] }}", longer: "${{ ['x' * 100 for n in range(4000)] }}"}
  - id: fails
    needs: []
    python: {code: "print('before')\n1 / 0\n"}
  - id: exits
    needs: []
    python: {code: "import sys\nsys.exit('not today')\n"}
"#,
    );
    let ran = place.run(&["run", "states.yml", "--data", "data"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    judge(&python, &place);
    let mut found = Vec::new();
    walk(&place.path("data/runs"), &mut found);
    let names: Vec<&str> = found
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    assert!(names.contains(&"waiting.ipynb") && names.contains(&"run.ipynb"));
    let waiting = found
        .iter()
        .find(|path| path.ends_with("waits/waiting.ipynb"));
    let again = script(&python, RERUN, &[&place.path("data"), waiting.unwrap()]);
    assert_eq!(again.trim(), r#"[{"n": 9000}]"#);
}
