//! The notebooks that are written here, judged by Jupyter's own tools.
//!
//! `STEPWELL_TEST_PYTHON` names an interpreter that has `nbformat`, and for more `nbclient` with `ipykernel`,
//! and `nbconvert`. What is missing is skipped, with a line that says so.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests: they say what is skipped, and they may panic"
)]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stepwell::code;
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::Digest;
use stepwell::python::notebook::{
    self, ApprovalLine, AttemptNotebook, FigureData, FindingLine, LinkData, MergedNotebook,
    ModuleText, NotebookState, RunNotebook, StepSection,
};
use stepwell::time::Timestamp;

const CODE: &str = r#"total = sum(context.values)
print(context.étape.name, total)
save_artifact(total, "total")
results = {"total": total, "quote": context.quote}
"#;

/// The smallest PNG: one pixel.
const PIXEL: [u8; 67] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1, 0x48, 0xaf, 0xa4, 0x71, 0, 0, 0, 0, b'I', b'E', b'N',
    b'D', 0xae, 0x42, 0x60, 0x82,
];

const EVIL: &str = "</script><script>alert(1)</script> | [a](javascript:b) `c` \u{202e}";

fn sample(context: &Value) -> AttemptNotebook<'_> {
    AttemptNotebook {
        workflow: "totals",
        run: "run_0",
        step: "sum",
        attempt: 1,
        state: NotebookState::Succeeded,
        mode: "read_only",
        code: CODE,
        file_name: "stages/sum.py",
        context,
        variables: &[],
        modules: None,
        covered: &[],
        started: Some(Timestamp::from_micros(1_763_824_310_000_000)),
        stdout: "",
        stderr: "",
        truncated: false,
        shown: None,
        source: None,
        results: None,
        figures: Vec::new(),
        artifacts: Vec::new(),
        failure: None,
        findings: &[],
        approvals: Vec::new(),
        provenance: &[],
        packages: &[],
    }
}

fn context() -> Value {
    json!({
        "values": [1, 2, 3],
        "étape": {"name": "première 🙂"},
        "quote": "it's ''' and \\ and \"\"\" and \u{202e}",
        "keys": "a name that a dict has too",
    })
}

fn success(context: &Value, results: &Value) -> Value {
    notebook::attempt(&AttemptNotebook {
        stdout: "première 🙂 6\n",
        stderr: "a warning\n",
        results: Some(results),
        figures: vec![FigureData {
            title: "one pixel",
            path: "",
            media_type: "image/png",
            bytes: &PIXEL,
        }],
        artifacts: vec![LinkData {
            title: "",
            path: "artifacts/total.json",
            bytes: 1234,
            sha256: Some(Digest::of(b"6")),
        }],
        provenance: &[
            ("engine", "stepwell 0.1.0".to_owned()),
            ("python", "3.11.7".to_owned()),
            ("seconds", "0.31".to_owned()),
        ],
        ..sample(context)
    })
}

fn failed(context: &Value) -> Value {
    let mut failure = Failure::new(FailureKind::Code, code::USAGE, "division by zero");
    failure.traceback = Some(
        "Traceback (most recent call last):\n  File \"stages/sum.py\", line 1, in <module>\n    1 / 0\nZeroDivisionError: division by zero\n"
            .to_owned(),
    );
    notebook::attempt(&AttemptNotebook {
        state: NotebookState::Failed,
        code: "1 / 0\n",
        failure: Some(&failure),
        ..sample(context)
    })
}

fn waiting(context: &Value) -> Value {
    notebook::attempt(&AttemptNotebook {
        state: NotebookState::Waiting,
        mode: "write_access",
        findings: &[FindingLine {
            rule: "file_write",
            severity: "ask",
            file: None,
            line: 3,
            snippet: "open(name, 'w')",
            message: "writes a file",
        }],
        ..sample(context)
    })
}

fn hostile(context: &Value) -> Value {
    let results = json!({EVIL: EVIL, "rows": [{EVIL: EVIL}]});
    notebook::attempt(&AttemptNotebook {
        workflow: EVIL,
        step: EVIL,
        run: EVIL,
        mode: EVIL,
        stdout: EVIL,
        results: Some(&results),
        figures: vec![FigureData {
            title: EVIL,
            path: "",
            media_type: "image/svg+xml",
            bytes: b"<svg onload='alert(1)'><script>alert(1)</script></svg>",
        }],
        artifacts: vec![LinkData {
            title: EVIL,
            path: "javascript:alert(1)",
            bytes: 0,
            sha256: None,
        }],
        findings: &[FindingLine {
            rule: EVIL,
            severity: EVIL,
            file: Some(EVIL),
            line: 1,
            snippet: EVIL,
            message: EVIL,
        }],
        covered: &[ModuleText {
            path: EVIL,
            digest: Digest::of(b"module"),
            text: Some(EVIL),
        }],
        approvals: vec![ApprovalLine {
            by: EVIL,
            at: Timestamp::from_micros(0),
            comment: EVIL,
            decision: EVIL,
            subject: Digest::of(b"subject"),
        }],
        provenance: &[(EVIL, EVIL.to_owned())],
        ..sample(context)
    })
}

fn merged(context: &Value, inner: &[Value]) -> Value {
    let ran = inner.iter().cloned().map(Some);
    let steps = ran.chain([None]).map(|notebook| StepSection {
        heading: EVIL,
        kind: "python",
        status: if notebook.is_some() {
            "succeeded"
        } else {
            "skipped"
        },
        note: EVIL,
        notebook,
        folder: "sum/1",
        outputs: Some(context),
    });
    notebook::merged(&MergedNotebook {
        title: EVIL,
        workflow: EVIL,
        run: "run_0",
        steps: steps.collect(),
    })
}

fn whole_run(context: &Value, inner: &[Value]) -> Value {
    let steps = inner.iter().map(|notebook| StepSection {
        heading: "sum",
        kind: "python",
        status: "succeeded",
        note: "",
        notebook: Some(notebook.clone()),
        folder: "sum/1",
        outputs: Some(context),
    });
    notebook::run(&RunNotebook {
        title: "totals",
        run: "run_0",
        status: "succeeded",
        inputs: context,
        outputs: context,
        steps: steps.collect(),
    })
}

/// The interpreter to test with, when it can import all of these.
#[expect(
    clippy::disallowed_methods,
    reason = "which Python to test with is a matter of the machine"
)]
fn python_with(modules: &str) -> Option<String> {
    let Ok(python) = std::env::var("STEPWELL_TEST_PYTHON") else {
        println!("skipped: STEPWELL_TEST_PYTHON is not set");
        return None;
    };
    let import = format!("import {modules}");
    let found = Command::new(&python).args(["-c", &import]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} cannot import {modules}");
        return None;
    }
    Some(python)
}

fn run_script(python: &str, script: &str, folder: &Path) -> String {
    let output = Command::new(python)
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn jupyter_accepts_every_notebook_and_would_write_the_same_bytes() {
    let Some(python) = python_with("nbformat") else {
        return;
    };
    let (context, empty) = (context(), json!({}));
    let results = json!({"total": 6, "quote": "é", "rows": [{"a": 1.5}, {"b": null}]});
    let long = "line é\n".repeat(200_000);
    let many: Value = (0..100_000).collect();
    let huge = notebook::attempt(&AttemptNotebook {
        stdout: &long,
        context: &json!({"values": many}),
        results: Some(&json!({"values": many})),
        ..sample(&empty)
    });
    let bare = notebook::attempt(&AttemptNotebook {
        workflow: "",
        step: "",
        code: "",
        ..sample(&empty)
    });
    let all = [
        success(&context, &results),
        failed(&context),
        waiting(&context),
        hostile(&context),
        huge,
        bare,
    ];
    let folder = tempfile::tempdir().unwrap();
    for (number, notebook) in all
        .iter()
        .chain([&whole_run(&context, &all), &merged(&context, &all)])
        .enumerate()
    {
        let path = folder.path().join(format!("{number}.ipynb"));
        std::fs::write(path, notebook::to_text(notebook)).unwrap();
    }
    let script = r#"
import glob, nbformat
for path in sorted(glob.glob("*.ipynb")):
    text = open(path, encoding="utf-8").read()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n" == text, path
    print(path)
"#;
    assert_eq!(
        run_script(&python, script, folder.path()).lines().count(),
        8
    );
}

#[test]
fn a_notebook_runs_again_in_jupyter_with_the_same_results() {
    let Some(python) = python_with("nbformat, nbclient, ipykernel") else {
        return;
    };
    let context = context();
    let results = json!({"total": 6, "quote": context["quote"]});
    let folder = tempfile::tempdir().unwrap();
    let notebook = success(&context, &results);
    let path = folder.path().join("notebook.ipynb");
    std::fs::write(path, notebook::to_text(&notebook)).unwrap();
    let script = r#"
import nbformat, nbclient
notebook = nbformat.read("notebook.ipynb", as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(
    "assert context.keys == 'a name that a dict has too'\nimport json\nprint('RESULTS' + json.dumps(results))"))
nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
print(notebook.cells[-1].outputs[0].text.split("RESULTS")[1])
"#;
    let printed = run_script(&python, script, folder.path());
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), results);
}

#[test]
fn a_page_made_from_a_hostile_notebook_runs_no_script_of_it() {
    let Some(python) = python_with("nbconvert") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notebook.ipynb");
    std::fs::write(path, notebook::to_text(&hostile(&context()))).unwrap();
    let script = r#"
import nbconvert
print(nbconvert.HTMLExporter().from_filename("notebook.ipynb")[0])
"#;
    let page = run_script(&python, script, folder.path());
    assert!(page.contains("&lt;script&gt;alert(1)"));
    for markup in ["<script>alert(1)", "href=\"javascript:", "<svg onload"] {
        assert!(!page.contains(markup), "{markup}");
    }
}
