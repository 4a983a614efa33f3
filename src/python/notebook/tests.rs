use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::failure::FailureKind;

const CODE: &str = "import math\n\n# The area.\narea = math.pi * context.radius ** 2\nprint(area)\n\nresults = {\"area\": area}\n";

fn sample(context: &Value) -> AttemptNotebook<'_> {
    AttemptNotebook {
        workflow: "circles",
        run: "run_0",
        step: "area",
        attempt: 1,
        state: NotebookState::Succeeded,
        mode: "read_only",
        code: CODE,
        file_name: "stages/area.py",
        context,
        variables: &[],
        modules: None,
        covered: &[],
        started: Some(Timestamp::from_micros(0)),
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

fn cell<'a>(notebook: &'a Value, id: &str) -> &'a Value {
    notebook["cells"]
        .as_array()
        .unwrap()
        .iter()
        .find(|cell| cell["id"] == id)
        .unwrap_or_else(|| panic!("no cell {id}"))
}

fn source(cell: &Value) -> String {
    joined(&cell["source"])
}

fn joined(lines: &Value) -> String {
    let lines = lines.as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap()).collect()
}

/// What the JSON schema of nbformat 4.5 asks of the parts that are written here.
fn assert_valid(notebook: &Value) {
    assert_eq!(
        (&notebook["nbformat"], &notebook["nbformat_minor"]),
        (&json!(4), &json!(5))
    );
    assert!(notebook["metadata"]["kernelspec"]["name"].is_string());
    let mut seen = BTreeSet::new();
    for cell in notebook["cells"].as_array().unwrap() {
        let id = cell["id"].as_str().unwrap();
        assert!((1..=64).contains(&id.len()), "{id}");
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
            "{id}"
        );
        assert!(seen.insert(id.to_owned()), "{id} twice");
        assert!(cell["metadata"].is_object());
        joined(&cell["source"]);
        let mut keys: Vec<&str> = cell
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        if cell["cell_type"] == "markdown" || cell["cell_type"] == "raw" {
            assert_eq!(keys, ["cell_type", "id", "metadata", "source"]);
            continue;
        }
        assert_eq!(cell["cell_type"], "code");
        assert_eq!(
            keys,
            [
                "cell_type",
                "execution_count",
                "id",
                "metadata",
                "outputs",
                "source"
            ]
        );
        assert!(cell["execution_count"].is_null() || cell["execution_count"].is_u64());
        for output in cell["outputs"].as_array().unwrap() {
            assert_valid_output(output);
        }
    }
}

fn assert_valid_output(output: &Value) {
    match output["output_type"].as_str().unwrap() {
        "stream" => {
            assert!(["stdout", "stderr"].contains(&output["name"].as_str().unwrap()));
            joined(&output["text"]);
        }
        "error" => {
            assert!(output["ename"].is_string() && output["evalue"].is_string());
            joined(&output["traceback"]);
        }
        kind @ ("display_data" | "execute_result") => {
            assert!(output["metadata"].is_object());
            assert_eq!(output["execution_count"].is_u64(), kind == "execute_result");
            for (media_type, value) in output["data"].as_object().unwrap() {
                let text = value.is_string() || value.is_array();
                assert!(text || media_type == "application/json", "{media_type}");
            }
        }
        other => panic!("unknown output {other}"),
    }
}

#[test]
fn a_success_shows_what_was_printed_drawn_and_left() {
    let context = json!({"radius": 2});
    let results = json!({"area": 12.5});
    let mut sample = sample(&context);
    sample.stdout = "12.5\n";
    sample.results = Some(&results);
    sample.figures = vec![FigureData {
        title: "circle",
        path: "",
        media_type: "image/png",
        bytes: b"\x89PNG",
    }];
    let notebook = attempt(&sample);
    assert_valid(&notebook);
    let code = cell(&notebook, "code");
    assert_eq!(source(code), CODE.trim_end());
    assert_eq!(code["execution_count"], 1);
    assert_eq!(code["outputs"][0]["text"], json!(["12.5\n"]));
    assert_eq!(code["outputs"][1]["data"]["image/png"], "iVBORw==");
    let shown = &cell(&notebook, "results")["outputs"][0];
    assert_eq!(shown["execution_count"], 2);
    assert_eq!(shown["data"]["application/json"], results);
    assert!(joined(&shown["data"]["text/html"]).contains("<th>area</th><td>12.5</td>"));
    assert_eq!(
        cell(&notebook, "parameters")["metadata"]["tags"],
        json!(["parameters"])
    );
}

#[test]
fn code_that_waits_or_was_refused_has_no_outputs_and_says_so() {
    let context = json!({});
    for (state, words) in [
        (NotebookState::Waiting, "Waiting for approval"),
        (NotebookState::Rejected, "has not run"),
    ] {
        let notebook = attempt(&AttemptNotebook {
            state,
            ..sample(&context)
        });
        assert_valid(&notebook);
        assert!(source(cell(&notebook, "summary")).contains(words));
        assert_eq!(cell(&notebook, "code")["outputs"], json!([]));
        assert!(cell(&notebook, "code")["execution_count"].is_null());
    }
}

#[test]
fn the_users_own_traceback_becomes_an_error_output() {
    let context = json!({});
    let mut failure = Failure::new(FailureKind::Code, crate::code::USAGE, "it failed");
    failure.traceback = Some(
        "Traceback (most recent call last):\n  File \"stages/area.py\", line 4, in <module>\n    area = 1 / 0\nZeroDivisionError: division by zero\n"
            .to_owned(),
    );
    let printed = format!("half way\n{}", failure.traceback.clone().unwrap());
    let notebook = attempt(&AttemptNotebook {
        state: NotebookState::Failed,
        failure: Some(&failure),
        stderr: &printed,
        ..sample(&context)
    });
    assert_valid(&notebook);
    let code = cell(&notebook, "code");
    assert_eq!(
        source(code),
        CODE.trim_end(),
        "one cell, so that line 4 is line 4"
    );
    assert_eq!(code["metadata"]["tags"], json!(["raises-exception"]));
    assert_eq!(code["outputs"][0]["text"], json!(["half way\n"]));
    assert_eq!(code["outputs"][1]["ename"], "ZeroDivisionError");
    assert_eq!(code["outputs"][1]["evalue"], "division by zero");
    assert_eq!(code["outputs"][1]["traceback"].as_array().unwrap().len(), 4);
}

#[test]
fn a_failure_without_a_traceback_is_told_in_words() {
    let context = json!({});
    let failure = Failure::new(FailureKind::Timeout, crate::code::USAGE, "took over 5m")
        .hint("raise `timeout`");
    let notebook = attempt(&AttemptNotebook {
        state: NotebookState::Failed,
        failure: Some(&failure),
        ..sample(&context)
    });
    assert_valid(&notebook);
    let told = source(cell(&notebook, "failure"));
    assert!(
        told.contains("| message | took over 5m |") && told.contains("| kind | timeout |"),
        "{told}"
    );
    assert!(cell(&notebook, "code")["execution_count"].is_null());
}

#[test]
fn a_malicious_text_stays_text() {
    let context = json!({});
    let evil = "x|<script>alert(1)</script>\n# [y](javascript:z) `q` **b** $e$ \\";
    let approval = ApprovalLine {
        by: evil,
        at: Timestamp::from_micros(0),
        comment: evil,
        decision: "approved",
        subject: Digest::of(b"subject"),
    };
    let artifact = LinkData {
        title: evil,
        path: "javascript:alert(1)",
        bytes: 1,
        sha256: None,
    };
    let finding = FindingLine {
        rule: evil,
        severity: evil,
        file: None,
        line: 1,
        snippet: evil,
        message: evil,
    };
    let provenance = [(evil, evil.to_owned())];
    let results = json!({evil: evil});
    let svg = b"<svg><script>alert(1)</script></svg>";
    let notebook = attempt(&AttemptNotebook {
        workflow: evil,
        step: evil,
        mode: evil,
        approvals: vec![approval],
        artifacts: vec![
            artifact,
            LinkData {
                path: "../up",
                ..artifact
            },
        ],
        findings: &[finding],
        provenance: &provenance,
        results: Some(&results),
        figures: vec![FigureData {
            title: evil,
            path: "",
            media_type: "image/svg+xml",
            bytes: svg,
        }],
        ..sample(&context)
    });
    assert_valid(&notebook);
    for cell in notebook["cells"].as_array().unwrap() {
        if cell["cell_type"] == "markdown" {
            let text = source(cell);
            for markup in ["<script", "](javascript:", "**b", "$e", "\n# [", "`q"] {
                assert!(!text.contains(markup), "{markup} in {text}");
            }
        }
    }
    let html = joined(&cell(&notebook, "results")["outputs"][0]["data"]["text/html"]);
    assert!(!html.contains("<script"), "{html}");
    let drawing = &cell(&notebook, "code")["outputs"][0]["data"];
    assert!(drawing["image/svg+xml"].is_null());
    assert!(joined(&drawing["text/html"]).starts_with("<img src=\"data:image/svg+xml;base64,"));
    assert!(source(cell(&notebook, "artifacts")).contains("](javascript%3Aalert%281%29)"));
}

#[test]
fn drawings_are_embedded_only_while_they_merely_draw() {
    let context = json!({});
    for (svg, embedded) in [
        (
            "<?xml version=\"1.0\"?><svg><g id=\"a\"><use xlink:href=\"#m\" x=\"1\"/></g></svg>",
            true,
        ),
        ("<svg onload=\"alert(1)\"></svg>", false),
        ("<svg><g/onclick=alert(1)></g></svg>", false),
        ("<svg><a href=\"#x\"></a></svg>", false),
        ("<svg><use href=\"data:text/html,x\"/></svg>", false),
        ("<svg><foreignObject/></svg>", false),
        ("not a drawing", false),
    ] {
        let figure = FigureData {
            title: "",
            path: "",
            media_type: "image/svg+xml",
            bytes: svg.as_bytes(),
        };
        let notebook = attempt(&AttemptNotebook {
            figures: vec![figure],
            ..sample(&context)
        });
        let data = &cell(&notebook, "code")["outputs"][0]["data"];
        assert_eq!(data["image/svg+xml"].is_array(), embedded, "{svg}");
    }
}

#[test]
fn long_output_loses_its_middle_and_says_where_the_rest_is() {
    let context = json!({});
    let stdout = format!("first\n{}last\n", "é filler\n".repeat(100_000));
    let notebook = attempt(&AttemptNotebook {
        stdout: &stdout,
        truncated: true,
        ..sample(&context)
    });
    assert_valid(&notebook);
    let shown = joined(&cell(&notebook, "code")["outputs"][0]["text"]);
    assert!(shown.len() < 70_000 && shown.starts_with("first\n") && shown.contains("last\n"));
    assert!(shown.contains("truncated, full text in stdout.log"));
}

#[test]
fn the_context_survives_python_quotes() {
    let context = json!({"a": "'''\\'''\u{202e}", "b": "x".repeat(100), "é": "'"});
    let notebook = attempt(&sample(&context));
    let text = source(cell(&notebook, "parameters"));
    let literal = text.split("'''").nth(1).unwrap();
    assert_eq!(text.matches("'''").count(), 2);
    assert!(!text.contains('\u{202e}'));
    assert_eq!(serde_json::from_str::<Value>(literal).unwrap(), context);
}

#[test]
fn the_same_attempt_gives_the_same_bytes() {
    let context = json!({"b": 1, "a": [1, {"z": 1, "y": []}]});
    let text = to_text(&attempt(&sample(&context)));
    assert_eq!(text, to_text(&attempt(&sample(&context))));
    assert!(text.starts_with("{\n \"cells\": [\n  {\n   \"cell_type\": \"markdown\",\n"));
    assert!(text.ends_with("\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n"));
}

#[test]
fn a_run_holds_its_steps_under_ids_of_their_own() {
    let context = json!({"radius": 2});
    let inner = attempt(&AttemptNotebook {
        provenance: &[("engine", String::new())],
        ..sample(&context)
    });
    let outputs = json!({"area": 12.5});
    let step = StepSection {
        heading: "area",
        kind: "python",
        status: "succeeded",
        note: "",
        notebook: Some(inner),
        folder: "sum/1",
        outputs: Some(&outputs),
    };
    let skipped = StepSection {
        status: "skipped",
        note: "its condition was false",
        notebook: None,
        folder: "sum/1",
        ..step.clone()
    };
    let notebook = run(&RunNotebook {
        title: "circles",
        run: "run_0",
        status: "succeeded",
        inputs: &context,
        outputs: &Value::Null,
        steps: vec![step.clone(), skipped, step],
    });
    assert_valid(&notebook);
    let title = source(cell(&notebook, "title"));
    assert!(
        title.contains("| area | python | skipped | its condition was false |"),
        "{title}"
    );
    assert!(source(cell(&notebook, "step-2")).contains("| area | <code>12.5</code> |"));
    assert!(
        !source(cell(&notebook, "step")).contains("12.5"),
        "its notebook shows it"
    );
    let embedded: Vec<&Value> = notebook["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|cell| source(cell).starts_with("### Provenance"))
        .collect();
    assert_eq!(embedded.len(), 2);
    let helpers = notebook["cells"].as_array().unwrap().iter();
    assert_eq!(
        helpers
            .filter(|cell| source(cell).contains("class Context"))
            .count(),
        1
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_strings_and_values_make_a_valid_notebook(
        texts in prop::array::uniform8(any::<String>()),
        code in "([a-z =é]{0,6}\r?\n){0,12}",
        line in any::<usize>(),
        truncated in any::<bool>(),
        values in prop::array::uniform2(any_json()),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        state in prop::sample::select(vec![
            NotebookState::Waiting, NotebookState::Succeeded, NotebookState::Failed,
            NotebookState::Rejected, NotebookState::Cancelled, NotebookState::Unknown,
        ]),
        media_type in prop::sample::select(vec!["image/png", "image/svg+xml", "application/pdf", ""]),
    ) {
        let [a, b, c, d, e, f, g, h] = texts.each_ref().map(String::as_str);
        let [context, results] = &values;
        let mut failure = Failure::new(FailureKind::Code, crate::code::USAGE, a).hint(b);
        failure.traceback = g.contains(' ').then(|| format!("  File \"{g}\"\n{h}"));
        let finding = FindingLine { rule: a, severity: b, file: e.contains(' ').then_some(f), line, snippet: d, message: c };
        let made = attempt(&AttemptNotebook {
            workflow: a, run: b, step: c, mode: d, file_name: e, stdout: f, stderr: g,
            state, code: &code, results: Some(results),
            figures: vec![FigureData { title: h, path: "", media_type, bytes: &bytes }],
            artifacts: vec![LinkData { title: a, path: b, bytes: u64::MAX, sha256: Some(Digest::of(&bytes)) }],
            failure: (state == NotebookState::Failed).then_some(&failure),
            findings: &[finding],
            covered: &[ModuleText { path: g, digest: Digest::of(&bytes), text: Some(h) }],
            approvals: vec![ApprovalLine { by: d, at: Timestamp::from_micros(1), comment: e, decision: f, subject: Digest::of(&bytes) }],
            provenance: &[(g, h.to_owned()), (g, a.to_owned())],
            truncated,
            ..sample(context)
        });
        assert_valid(&made);
        prop_assert_eq!(source(cell(&made, "code")), code.trim_end_matches(['\n', '\r']));
        let step = StepSection { heading: a, kind: b, status: c, note: d, notebook: Some(made.clone()), folder: a, outputs: Some(results) };
        let whole = run(&RunNotebook { title: e, run: f, status: g, inputs: context, outputs: results, steps: vec![step.clone(), step] });
        assert_valid(&whole);
        prop_assert_eq!(serde_json::from_str::<Value>(&to_text(&whole)).unwrap()["cells"].clone().as_array().unwrap().len(), whole["cells"].as_array().unwrap().len());
    }
}
