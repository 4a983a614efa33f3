//! The catalogue of errors: every code is seen in a test, and those that no other test names are seen here.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepwell::service::{OpenOptions, PythonExecutorService};
use stepwell::store::AppendError;
use stepwell::{artifact, code, store};

use crate::cli_rig::{Place, Ran, text};

/// Every Rust file of the tests, and of the unit tests that have a file of their own or stand below `cfg(test)`.
fn tests_of(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_of(&path, out);
            continue;
        }
        let of_tests = path.components().any(|part| part.as_os_str() == "tests")
            || path.file_stem().is_some_and(|name| name == "tests");
        let is_text = ["rs", "snap"]
            .iter()
            .any(|end| path.extension().is_some_and(|is| is == *end));
        if !is_text {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if of_tests {
            out.push_str(&text);
        } else if let Some((_, tests)) = text.split_once("#[cfg(test)]") {
            out.push_str(tests);
        }
    }
}

#[test]
fn every_code_of_the_catalogue_is_seen_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    tests_of(&root.join("tests/it"), &mut tests);
    tests_of(&root.join("src"), &mut tests);
    let words: std::collections::HashSet<&str> = tests
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let pages = fs::read_dir(root.join("docs/errors")).unwrap();
    let mut seen = 0;
    let mut missing: Vec<String> = pages
        .map(|page| page.unwrap().path())
        .filter_map(|page: PathBuf| Some(page.file_stem()?.to_str()?.to_owned()))
        .inspect(|_| seen += 1)
        .filter(|code| {
            !words.contains(code.as_str()) && !words.contains(code.to_uppercase().as_str())
        })
        .collect();
    missing.sort();
    assert!(seen > 150, "only {seen} pages");
    assert_eq!(missing, Vec::<String>::new(), "codes that no test names");
}

fn failure(ran: &Value) -> &Value {
    &ran["failure"]["failure"]["code"]
}

fn workflow(place: &Place, name: &str, steps: &str) -> String {
    let file = format!("{name}.yml");
    place.write(
        &file,
        &format!("version: 1\nname: {name}\ninputs: {{any: {{type: map, default: {{go: 3}}}}}}\nsteps:\n{steps}"),
    );
    file
}

#[test]
fn a_word_that_is_no_code() {
    let place = Place::new();
    let said = place.json(2, &["explain", "connection_refusedd"]);
    assert_eq!(said["error"]["code"], "unknown_code", "{said:#}");
    assert!(said.to_string().contains("connection_refused"), "{said:#}");
}

#[test]
fn a_number_with_a_zero_before_it() {
    let place = Place::new();
    let file = workflow(&place, "number", "  - id: a\n    set: {n: 007}\n");
    let said = place.json(2, &["validate", &file]).to_string();
    assert!(said.contains("yaml_number"), "{said}");
}

#[test]
fn a_condition_that_is_no_bool() {
    let place = Place::new();
    let file = workflow(
        &place,
        "condition",
        "  - id: a\n    if: ${{ inputs.any.go }}\n    set: {n: 1}\n",
    );
    let ran = place.json(1, &["run", &file]);
    assert_eq!(failure(&ran), "condition_not_bool", "{ran:#}");
}

#[test]
fn a_signal_that_nobody_waits_for_and_one_that_never_comes() {
    let place = Place::new();
    let file = workflow(
        &place,
        "signal",
        "  - id: a\n    wait: {signal: beam_on, timeout: 1s}\n",
    );
    let run = place.json(0, &["run", &file, "--detach"]);
    let said = place.json(2, &["signal", text(&run["run_id"]), "beam_off"]);
    assert_eq!(said["error"]["code"], "unknown_signal", "{said:#}");
    let mut ran = place.run(&["resume", "@last", "--json"]);
    for _ in 0..60 {
        if ran.code != Some(3) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
        ran = place.run(&["resume", "@last", "--json"]);
    }
    let ended: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(failure(&ended), "signal_timeout", "{ended:#}");
}

#[test]
fn a_write_outside_the_folder() {
    let place = Place::new();
    place.write(
        "code.py",
        "open('/etc/stepwell-was-here', 'w').write('x')\n",
    );
    let ran = place.json(1, &["exec", "--code", "code.py"]);
    assert_eq!(ran["error"]["code"], "write_outside_run_folder", "{ran:#}");
}

#[test]
fn a_mock_that_fails() {
    let place = Place::new();
    let file = workflow(
        &place,
        "mocked",
        "  - id: a\n    python: {code: \"results = 1\"}\n",
    );
    place.write(
        "mocked.test.yml",
        &format!(
            "workflow: {file}\ncases:\n  - name: it fails\n    mocks: {{a: {{fails: {{message: gone}}}}}}\n    \
             expect: {{status: failed, failure: {{code: mocked_failure}}}}\n"
        ),
    );
    let ran = place.run(&["test", "mocked.test.yml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn answers_that_are_not_there() {
    let place = Place::new();
    place.write(
        "config.yml",
        "generators: {recorded: {provider: scripted, file: gone.md}}\ndefault_generator: recorded\n",
    );
    let ran = place.json(1, &["exec", "--task", "Count"]);
    assert_eq!(ran["error"]["code"], "generator_script", "{ran:#}");
}

#[test]
fn an_environment_that_can_not_be_made() {
    let place = Place::new();
    place.python(
        "one",
        "    retry: {max_attempts: 1}\n",
        "results = {'n': 1}",
    );
    let file = fs::read_to_string(place.path("one.yml")).unwrap();
    let needs = file.replace(
        "    python:\n",
        "    python:\n      packages: [something==1.0]\n",
    );
    place.write("one.yml", &needs);
    // An installer that fails in a way of its own.
    place.write(
        "bin/uv",
        "#!/bin/sh\necho 'the moon is in the wrong house' >&2\nexit 3\n",
    );
    fs::set_permissions(place.path("bin/uv"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", place.path("bin").display());
    let mut command = place.command(&["run", "one.yml", "--json"]);
    let ran = Ran::of(&command.env("PATH", path).output().unwrap());
    let ran: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(failure(&ran), "environment_failed", "{ran:#}");
    assert!(
        ran.to_string().contains("the moon is in the wrong house"),
        "{ran:#}"
    );
}

#[tokio::test]
async fn a_program_that_is_nowhere() {
    let data = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(data.path()).variables(BTreeMap::new());
    let error = PythonExecutorService::open(options).await.unwrap_err();
    assert_eq!(error.code(), "program_missing", "{error}");
}

#[test]
fn what_a_store_and_the_stored_files_say() {
    let conflict = AppendError::Conflict { actual: 3 };
    assert_eq!(conflict.code(), code::STORE_CONFLICT);
    let nothing = AppendError::Invalid("it has no records");
    assert_eq!(nothing.code(), code::STORE_MISUSE);
    assert_eq!(AppendError::Closed.code(), code::STORE_CLOSED);
    assert_eq!(store::Error::Closed.code(), code::STORE_CLOSED);
    let too_large = artifact::Error::TooLarge {
        path: PathBuf::from("blobs"),
        bytes: 2,
        limit: 1,
    };
    assert_eq!(too_large.code(), code::ARTIFACT_TOO_LARGE);
}
