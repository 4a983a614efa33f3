//! Files and arguments that are wrong: refused with a place and a code before anything is recorded.

use serde_json::Value;

use crate::cli_rig::Place;

fn code_of(document: &Value) -> String {
    let one = &document["error"]["code"];
    let listed = [
        &document["diagnostics"],
        &document["files"][0]["diagnostics"],
    ];
    let first = listed.iter().find_map(|list| list[0]["code"].as_str());
    one.as_str()
        .or(first)
        .unwrap_or_else(|| panic!("{document}"))
        .to_owned()
}

/// Refused with that code, as JSON and as text, and nothing is recorded. What is wrong with that, if anything.
fn refused(place: &Place, args: &[&str], code: &str) -> Option<String> {
    let found = code_of(&place.json(2, args));
    let ran = place.run(args);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert!(!ran.err.contains("panicked at"), "{}", ran.err);
    assert!(!place.path("data").exists(), "{args:?} recorded something");
    let as_meant = found == code && ran.err.starts_with(&format!("error[{code}]: "));
    (!as_meant).then(|| format!("{args:?}: {found} instead of {code}\n{}", ran.err))
}

#[test]
fn a_broken_file_is_refused() {
    let place = Place::new();
    let with = |body: &str| format!("version: 1\nname: w\nsteps:\n  - id: a\n{body}");
    place.write("stages/other.py", "pass\n");
    place.write("broken.py", "def f(:\n");
    let cases = [
        ("empty", String::new(), "yaml_syntax"),
        (
            "torn",
            "version: 1\nname: 'w\nsteps:\n".to_owned(),
            "yaml_syntax",
        ),
        (
            "tab",
            "version: 1\nname: w\nsteps:\n\t- id: a\n".to_owned(),
            "yaml_tab",
        ),
        (
            "two",
            format!(
                "{}---\n{}",
                with("    set: {n: 1}\n"),
                with("    set: {n: 1}\n")
            ),
            "yaml_documents",
        ),
        (
            "twice",
            with("    set: {n: 1}\n    set: {n: 2}\n"),
            "duplicate_key",
        ),
        ("typo", with("    pyhton: {code: pass}\n"), "unknown_key"),
        (
            "python",
            with("    python: {code: 'x = = 1'}\n"),
            "python_syntax",
        ),
        (
            "python_file",
            with("    python: {file: broken.py}\n"),
            "python_syntax",
        ),
        (
            "gone",
            with("    python: {file: stages/gone.py}\n"),
            "bad_file",
        ),
        (
            "outside",
            with("    python: {file: ../../etc/passwd}\n"),
            "file_outside",
        ),
        ("folder", with("    python: {file: stages}\n"), "bad_file"),
        ("itself", with("    python: {file: .}\n"), "bad_file"),
        (
            "cycle",
            with("    needs: [b]\n    set: {n: 1}\n  - id: b\n    needs: [a]\n    set: {n: 1}\n"),
            "cycle",
        ),
        (
            "stranger",
            with("    set: {n: '${{ steps.nobody.outputs.n }}'}\n"),
            "unknown_step",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, text, code) in cases {
        let file = format!("{name} ü.yml");
        place.write(&file, &text);
        wrong.extend(refused(&place, &["run", &file], code));
        let said = code_of(&place.json(2, &["validate", &file]));
        assert_eq!(
            said,
            code_of(&place.json(2, &["run", &file])),
            "{name}: validate says the same"
        );
    }
    std::fs::write(place.path("latin.yml"), b"version: 1\nname: caf\xe9\n").unwrap();
    wrong.extend(refused(&place, &["run", "latin.yml"], "yaml_encoding"));
    std::fs::write(place.path("zeros.yml"), [0; 4096]).unwrap();
    assert_eq!(place.run(&["run", "zeros.yml"]).code, Some(2));
    place.write("large.yml", &"# comment\n".repeat(200_000));
    wrong.extend(refused(&place, &["run", "large.yml"], "file_unreadable"));
    wrong.extend(refused(&place, &["run", "."], "file_unreadable"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_inputs_are_refused() {
    let place = Place::new();
    place.write(
        "inputs.yml",
        "version: 1\nname: w\ninputs:\n  n: {type: int, max: 9}\n  when: {type: date, default: 2026-01-31}\n  \
         names: {type: list, items: string, default: []}\n  table: {type: file, required: false}\n\
         steps:\n  - id: a\n    set: {n: \"${{ inputs.n }}\"}\n",
    );
    let cases = [
        (vec![], "missing_input"),
        (vec!["n=one"], "wrong_type"),
        (vec!["n=1.5"], "wrong_type"),
        (vec!["n=10"], "bad_value"),
        (vec!["n=99999999999999999999"], "wrong_type"),
        (vec!["n=1", "when=31.1.2026"], "bad_value"),
        (vec!["n=1", "when=2026-02-30"], "bad_value"),
        (vec!["n=1", "names=[1]"], "wrong_type"),
        (vec!["n=1", "names=[\"a\""], "wrong_type"),
        (vec!["n=1", "table=nowhere.csv"], "input_file_missing"),
        (vec!["n=1", "m=1"], "unknown_input"),
        (vec!["n=@nowhere.txt"], "file_unreadable"),
    ];
    let mut wrong = Vec::new();
    for (inputs, code) in cases {
        let mut args = vec!["run", "inputs.yml"];
        for input in &inputs {
            args.extend(["-i", input]);
        }
        wrong.extend(refused(&place, &args, code));
    }
    for (name, text) in [("list.json", "[1]"), ("torn.json", "{\"n\": ")] {
        place.write(name, text);
        let args = ["run", "inputs.yml", "--inputs", name];
        wrong.extend(refused(&place, &args, "inputs_unreadable"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
