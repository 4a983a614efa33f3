//! Notebooks of steps that ran in containers: the same as those of this machine, from the real programs, through the
//! whole program. And what a kernel gives out is as boxed in the page as what a process here does.

use std::fs;

use serde_json::{Value, json};

use crate::cli_rig::{Place, text};
use crate::jupyter_rig::{Program, TOKEN, TOKEN_NAME, shared};

/// A place whose steps run here, or in the kernels of that program with `run --execution container`.
fn place(program: Program, more: &str) -> Option<Place> {
    let running = shared(program)?;
    let python = std::env::var("STEPWELL_TEST_PYTHON").ok()?;
    let place = Place::new();
    let config = format!(
        "limits: {{results: 64KiB}}\nexecution:\n  local: {{python_env_path: {python:?}}}\n  container: {{jupyter_host: 127.0.0.1, jupyter_port: {}, token_env: {TOKEN_NAME}{more}}}\n",
        running.port
    );
    place.write("config.yml", &config);
    Some(place)
}

fn said(place: &Place, code: i32, args: &[&str]) -> Value {
    let mut command = place.command(&[args, &["--json"]].concat());
    let output = command.env(TOKEN_NAME, TOKEN).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{told}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the program knows of a step, without what must differ: where it ran, when, and in which run.
fn known(place: &Place, run: &Value, step: &str) -> Value {
    let (id, folder) = (text(&run["run_id"]), text(&run["folder"]));
    let found = &run["steps"][step];
    let files = |name: &str| -> Value {
        let files = found[name].as_array().unwrap().iter();
        let told = files.map(|file| {
            json!({"path": file["path"], "digest": file["digest"], "bytes": file["bytes"], "type": file["type"],
                "media_type": file["media_type"], "preview": file["preview"], "title": file["title"]})
        });
        told.collect()
    };
    let notebook = place.path("data").join(text(&found["notebook"]));
    let notebook: Value = serde_json::from_str(&fs::read_to_string(notebook).unwrap()).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter();
    let cells: Vec<&Value> = cells.filter(|cell| !is_of_the_place(cell)).collect();
    let document = json!({
        "status": found["status"], "outputs": found["outputs"], "failure": found["failure"], "notes": found["notes"],
        "figures": files("figures"), "artifacts": files("artifacts"), "packages": found["packages"], "cells": cells,
    });
    let whole = document
        .to_string()
        .replace(folder, "RUNS")
        .replace(id, "RUN");
    serde_json::from_str(&whole).unwrap()
}

/// What the notebook says of where and when, and what it needs to run again there.
fn is_of_the_place(cell: &Value) -> bool {
    let role = cell["metadata"]["stepwell"]["role"].as_str();
    role.is_some_and(|role| ["summary", "surroundings", "provenance"].contains(&role))
}

fn steps(run: &Value) -> Vec<String> {
    run["steps"].as_object().unwrap().keys().cloned().collect()
}

/// A notebook whose first cell is tagged for the parameters.
fn cells(sources: &[&str]) -> String {
    let cells = sources.iter().enumerate().map(|(at, source)| {
        let tags = if at == 0 { json!(["parameters"]) } else { json!([]) };
        json!({"cell_type": "code", "id": format!("c{at}"), "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": null})
    });
    let cells: Vec<Value> = cells.collect();
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": cells})
        .to_string()
}

const STUDY: &str = r#"version: 1
name: study
inputs:
  day: {type: string, default: "2026-11-23"}
steps:
  - id: load
    python:
      code: |
        import pandas as pd, numpy as np
        n = 4000
        table = pd.DataFrame({"x": np.arange(n) / 7, "name": [f"é {i % 5}" for i in range(n)]})
        display(table.head(2))
        print("loaded", n)
        table.head(20).to_csv("first.csv", index=False)
        save_artifact({"rows": n}, "about.json")
        save_artifact("<b>a page</b>", "page.html")
        results = {"table": table, "matrix": np.outer(np.arange(200), np.arange(200)), "text": "é" * 50_000, "n": n}
    outputs: {table: list, matrix: list, text: string, n: int}
  - id: study
    python: {notebook: study.ipynb}
    with:
      day: ${{ inputs.day }}
      table: ${{ steps.load.outputs.table }}
      text: ${{ steps.load.outputs.text }}
    outputs: {mean: float, day: string}
  - id: fails
    python: {notebook: fails.ipynb}
    with: {n: "${{ steps.load.outputs.n }}"}
    on_failure: continue
"#;

fn written(place: &Place) {
    place.write("study.yml", STUDY);
    let study = [
        "day = 'never'",
        "rows = table.load()\nprint('for', day, len(rows))\nrows.head(3)",
        "import matplotlib.pyplot as plt\nplt.plot(rows['x'][:50]); plt.title('Rising')\nplt.show()",
        "import sys\nprint('beside', file=sys.stderr)\nclass Rich:\n    def __repr__(self): return 'rich'\n    def _repr_markdown_(self): return '**bold**'\ndisplay(Rich())\nresults = {'mean': float(rows['x'].mean()), 'day': day, 'text': len(text.load())}\nresults['mean']",
    ];
    place.write("study.ipynb", &cells(&study));
    let fails = [
        "n = 0",
        "def half(n):\n    return n / 0\nprint('before')",
        "print('in it')\nhalf(n)",
        "print('never')",
    ];
    place.write("fails.ipynb", &cells(&fails));
}

#[test]
fn a_run_in_containers_leaves_the_notebooks_and_artifacts_of_this_machine() {
    for (program, more) in [
        (Program::Server, ""),
        (Program::Server, ", shared_folder: SHARED"),
        (Program::Gateway, ""),
    ] {
        let Some(place) = place(program, more) else {
            return;
        };
        let config = fs::read_to_string(place.path("config.yml")).unwrap();
        let data = place.path("data").display().to_string();
        place.write(
            "config.yml",
            &config.replace("SHARED", &format!("{data:?}")),
        );
        written(&place);
        let here = said(&place, 0, &["run", "study.yml"]);
        let there = said(&place, 0, &["run", "study.yml", "--execution", "container"]);
        for step in steps(&here) {
            let (here, there) = (known(&place, &here, &step), known(&place, &there, &step));
            let (left, right) = (format!("{here:#}"), format!("{there:#}"));
            let difference = similar::TextDiff::from_lines(&left, &right);
            let difference = difference.unified_diff().context_radius(2).to_string();
            assert_eq!(difference, "", "{program:?}{more} {step}");
        }
        let shown = said(&place, 0, &["explain", text(&there["run_id"]), "study"]).to_string();
        assert!(shown.contains("it runs in `container`"), "{shown}");
        right(&place, &there);
    }
}

/// They are not only the same, but what they should be.
fn right(place: &Place, run: &Value) {
    let load = &run["steps"]["load"];
    let types: Vec<&str> = load["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| text(&file["type"]))
        .collect();
    for kind in ["table", "json", "html", "file"] {
        assert!(types.contains(&kind), "{kind}: {types:?}");
    }
    assert_eq!(load["outputs"]["table"]["$artifact"], "table");
    assert_eq!(run["steps"]["study"]["outputs"]["day"], "2026-11-23");
    assert_eq!(
        run["steps"]["study"]["figures"].as_array().unwrap().len(),
        1
    );
    let failure = &run["steps"]["fails"]["failure"];
    assert_eq!(
        failure["message"],
        "cell 3: ZeroDivisionError: division by zero"
    );
    let path = place
        .path("data")
        .join(text(&run["steps"]["study"]["notebook"]));
    let notebook: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let cells = notebook["cells"].as_array().unwrap();
    let with = |word: &str| {
        let found = cells
            .iter()
            .find(|cell| cell["cell_type"] == "code" && cell["source"].to_string().contains(word));
        &found.unwrap_or_else(|| panic!("{word}"))["outputs"]
    };
    assert_eq!(
        with("print('for'")[0]["text"],
        json!(["for 2026-11-23 4000\n"])
    );
    assert_eq!(with("print('for'")[1]["output_type"], "execute_result");
    assert!(with("plt.plot")[0]["data"]["image/png"].is_string());
    assert_eq!(
        with("class Rich")[1]["data"]["text/markdown"],
        json!(["**bold**"])
    );
    let named = &run["steps"]["study"]["packages"];
    let about = &notebook["metadata"]["stepwell"];
    let listed = about["packages"].as_array().unwrap();
    assert_eq!(named["count"], listed.len(), "{named}");
    let line = text(&about["provenance"]["Packages"]);
    assert!(
        line.contains("matplotlib==") && line.contains(text(&named["digest"])),
        "{line}"
    );
}

/// What a page must not have: read by a real parser of HTML.
const FAULTS: &str = r#"
import sys
from html.parser import HTMLParser

class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.faults, self.frames, self.inside = [], [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            value = (value or "").strip().lower()
            if name.startswith("on") or value.startswith(("javascript:", "vbscript:")):
                self.faults.append(f"{tag} has {name}={value}")
            if name in ("src", "href", "data", "action") and not value.startswith(("data:image/", "https://", "http://")) and ":" in value:
                self.faults.append(f"{tag} has {name}={value}")
        if tag in ("script", "object", "embed", "link", "base", "form", "svg", "math", "template", "noscript"):
            self.faults.append(f"there is a {tag}")
        if tag == "iframe":
            given = dict(attributes)
            if given.get("sandbox") != "" or "src" in given:
                self.faults.append(f"a frame is open: {attributes}")
            self.frames.append(given.get("srcdoc", ""))

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
for frame in page.frames:
    if not frame.startswith("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'"):
        page.faults.append("a frame has no policy of its own")
print(len(page.frames))
print("\n".join(page.faults))
"#;

const HOSTILE: &str = r#"version: 1
name: hostile
steps:
  - id: shows
    python:
      code: |
        class Shown:
            def __init__(self, **kinds): self.kinds = {kind.replace("_", "/", 1).replace("__", "+"): text for kind, text in kinds.items()}
            def __repr__(self): return "<script>alert('plain')</script>"
            def _repr_mimebundle_(self, **_): return self.kinds
        EVIL = '"></iframe></main><script>alert(1)</script><img src=x onerror=alert(1)>'
        for kinds in [
            {"text_html": "<script>alert(1)</script><b>x</b>"},
            {"text_html": "<table onclick='alert(1)'><tr><td style='background:url(javascript:alert(1))'><a href='javascript:alert(1)'>x</a></td></tr></table>"},
            {"text_html": EVIL + "&quot;&#34;&gt;<script>"},
            {"text_html": "<table><tr><td>&lt;script&gt;alert(1)&lt;/script&gt;</td></tr></table><svg/onload=alert(1)>"},
            {"image_svg__xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>" + EVIL},
            {"text_markdown": "[a](javascript:alert(1)) <script>alert(1)</script> ![x](x' onerror='alert(1))" + EVIL},
            {"image_png": "AAAA\" onerror=\"alert(1)"},
            {"image_png": EVIL},
            {"application_javascript": "alert(1)"},
            {"text_latex": EVIL},
            {"<script>": EVIL},
        ]:
            display(Shown(**kinds))
        print(EVIL)
        import sys
        print("\x1b[31m" + EVIL, file=sys.stderr)
        save_artifact("x", EVIL[:40], EVIL)
        results = {EVIL: EVIL}
        raise ValueError(EVIL)
    on_failure: continue
  - id: cells
    python: {notebook: hostile.ipynb}
    on_failure: continue
"#;

#[test]
fn hostile_outputs_of_a_kernel_are_boxed_like_those_of_a_process_here() {
    let Some(place) = place(Program::Server, "") else {
        return;
    };
    place.write("hostile.yml", HOSTILE);
    let shown = [
        "x = 1",
        "class H:\n    def __repr__(self): return '<script>alert(2)</script>'\n    def _repr_html_(self): return '<script>alert(1)</script>'\nH()",
        "display(H())\nprint('</pre><script>alert(3)</script>')\nraise RuntimeError('</pre><script>alert(4)</script>')",
    ];
    let source: Value = serde_json::from_str(&cells(&shown)).unwrap();
    let mut source = source;
    source["cells"].as_array_mut().unwrap().push(json!({
        "cell_type": "markdown", "id": "m", "metadata": {}, "source": "<script>alert(5)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>",
    }));
    source["cells"].as_array_mut().unwrap().push(json!({
        "cell_type": "raw", "id": "r", "metadata": {"format": "text/html"}, "source": "<script>alert(6)</script>",
    }));
    place.write("hostile.ipynb", &source.to_string());
    let mut pages = Vec::new();
    for more in [&[][..], &["--execution", "container"][..]] {
        let run = said(&place, 0, &[&["run", "hostile.yml"], more].concat());
        assert_eq!(run["steps"]["shows"]["status"], "failed", "{run:#}");
        let (id, folder) = (text(&run["run_id"]), text(&run["folder"]));
        for step in ["shows", "cells", ""] {
            let name = format!("{}-{step}.html", pages.len());
            let mut args = vec!["notebook", id];
            args.extend((!step.is_empty()).then_some(step));
            args.extend(["-o", &name]);
            assert_eq!(place.run(&args).code, Some(0));
            let path = place.path(&name);
            let python = std::env::var("STEPWELL_TEST_PYTHON").unwrap();
            let judged = crate::notebook_rerun::script(&python, FAULTS, &[&path]);
            let (frames, faults) = judged.split_once('\n').unwrap();
            assert_eq!(faults.trim(), "", "{step} {more:?}");
            let frames: usize = frames.parse().unwrap();
            assert!(
                frames >= if step == "cells" { 2 } else { 3 },
                "{step}: {frames} frames"
            );
            let page = fs::read_to_string(&path).unwrap();
            pages.push((step, page.replace(folder, "RUNS").replace(id, "RUN")));
        }
    }
    let (here, there) = pages.split_at(3);
    for ((step, here), (_, there)) in here.iter().zip(there) {
        assert_eq!(outputs(here), outputs(there), "{step}");
    }
}

/// The parts of a page that come from code.
fn outputs(page: &str) -> Vec<&str> {
    let marks = [
        "<iframe",
        "<figure",
        "<pre class=\"value\"",
        "<pre class=\"std",
        "<pre class=\"error",
    ];
    let lines = page.lines();
    lines
        .filter(|line| marks.iter().any(|mark| line.contains(mark)))
        .collect()
}
