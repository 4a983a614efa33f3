//! `stepwell self-test`: passes where an installation works, says what is wrong where it does not, and leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli_rig::{Place, Ran, text};
use crate::jupyter_rig::{self, Program, TOKEN, TOKEN_NAME};

/// The command with a folder of its own for temporary files.
fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = place.command(&[&["self-test", "--json"], args].concat());
    command.env("TMPDIR", temporary(place));
    command
}

fn temporary(place: &Place) -> PathBuf {
    let folder = place.path("temporary");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn tested(mut command: Command, code: i32) -> Value {
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, Some(code), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn test<'d>(document: &'d Value, name: &str) -> &'d Value {
    let tests = document["tests"].as_array().unwrap();
    let found = tests.iter().find(|test| test["name"] == name);
    found.unwrap_or_else(|| panic!("no test {name}: {document:#}"))
}

/// What stands in a folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The output that `docs/commands.md` shows.
fn shown_in_the_page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## self-test\n").unwrap();
    let (_, block) = section.split_once("```text\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The same without what differs each time.
fn still(text: &str) -> String {
    let mut still = text.to_owned();
    for (pattern, word) in [
        (r"passed {3}[0-9a-z]{8} ", "passed   RUN "),
        (r"\d+\.\d s|\d+ min \d\d s", "TIME"),
        (" {2,}", "  "),
    ] {
        let pattern = regex_lite::Regex::new(pattern).unwrap();
        still = pattern.replace_all(&still, word).into_owned();
    }
    still
}

#[test]
fn it_passes_on_this_machine_and_leaves_nothing() {
    let place = Place::new();
    let before = entries(&place.path("."));
    let told = place
        .command(&["self-test"])
        .env("TMPDIR", temporary(&place))
        .output();
    let told = Ran::of(&told.unwrap());
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.out.ends_with("2 passed, 0 failed, 1 skipped\n"),
        "{told:?}"
    );
    assert_eq!(still(&told.out), still(&shown_in_the_page()));
    let document = tested(command(&place, &[]), 0);
    assert_eq!(document["passed"], true);
    assert_eq!(document["folder"], Value::Null);
    let container = test(&document, "container");
    assert_eq!(container["status"], "skipped");
    assert_eq!(container["evidence"], "no container endpoint is configured");
    let local = test(&document, "local");
    assert_eq!(local["status"], "passed", "{document:#}");
    assert!(text(&local["evidence"]).starts_with("results {\"answer\":42}; notebook"));
    assert!(text(&local["run_id"]).starts_with("run_"));
    assert!(local["seconds"].as_f64().unwrap() > 0.0);
    let failing = test(&document, "error_handling");
    assert_eq!(failing["status"], "passed", "{document:#}");
    assert!(
        text(&failing["evidence"]).starts_with(
            "CodeRuntimeError in line 2 of the code: IndexError: list index out of range"
        ),
        "{failing:#}"
    );
    assert_eq!(entries(&temporary(&place)), Vec::<String>::new());
    let mut after = entries(&place.path("."));
    after.retain(|name| name != "temporary");
    assert_eq!(after.len(), before.len(), "{after:?}");
}

#[test]
fn what_is_kept_can_be_looked_at() {
    let place = Place::new();
    let document = tested(command(&place, &["local", "--keep"]), 0);
    assert_eq!(
        document["tests"].as_array().unwrap().len(),
        1,
        "{document:#}"
    );
    let folder = text(&document["folder"]);
    assert!(
        folder.starts_with(temporary(&place).to_str().unwrap()),
        "{folder}"
    );
    let local = test(&document, "local");
    assert!(Path::new(text(&local["notebook_path"])).is_file());
    let shown = place.json(0, &["show", text(&local["run_id"]), "--data", folder]);
    assert_eq!(shown["status"], "succeeded", "{shown:#}");
}

#[test]
fn a_broken_interpreter_fails_with_its_cause() {
    let place = Place::new();
    place.write(
        "config.yml",
        "execution: {local: {python_env_path: no/such/python}}\n",
    );
    let document = tested(command(&place, &[]), 1);
    assert_eq!(document["passed"], false);
    for name in ["local", "error_handling"] {
        let failed = test(&document, name);
        assert_eq!(failed["status"], "failed", "{document:#}");
        assert_eq!(failed["code"], "python_env_path_invalid", "{document:#}");
        assert!(text(&failed["evidence"]).contains("no/such/python"));
        assert!(text(&failed["help"][0]).contains("virtual environment"));
    }
    // An interpreter that starts and runs nothing is no Python either.
    place.write("liar", "#!/bin/sh\necho 3.12.0\n");
    let mut rights = fs::metadata(place.path("liar")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    fs::set_permissions(place.path("liar"), rights).unwrap();
    place.write(
        "config.yml",
        "execution: {local: {python_env_path: liar}}\n",
    );
    let document = tested(command(&place, &["local"]), 1);
    let failed = test(&document, "local");
    assert_eq!(failed["status"], "failed", "{document:#}");
    assert!(text(&failed["evidence"]).contains("liar"), "{document:#}");
    assert_eq!(entries(&temporary(&place)), Vec::<String>::new());
}

#[test]
fn an_endpoint_that_nobody_answers_at_fails_alone() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    place.write(
        "config.yml",
        &format!("execution: {{container: {{jupyter_host: 127.0.0.1, jupyter_port: {port}}}}}\n"),
    );
    let document = tested(command(&place, &["container", "local"]), 1);
    let container = test(&document, "container");
    assert_eq!(container["code"], "connection_refused", "{document:#}");
    assert!(text(&container["evidence"]).starts_with("ContainerConnectivityError"));
    assert_eq!(test(&document, "local")["status"], "passed", "{document:#}");
}

#[test]
fn it_says_yes_to_its_own_code_where_all_code_asks() {
    let place = Place::new();
    place.write(
        "config.yml",
        "approval: {global_mode: all_capabilities, allow_self: false}\n",
    );
    let document = tested(command(&place, &["local"]), 0);
    let local = test(&document, "local");
    assert_eq!(local["asked"], true, "{document:#}");
    assert!(
        text(&local["evidence"]).contains("the policy asked first"),
        "{local:#}"
    );
}

#[test]
fn a_wrong_configuration_and_a_wrong_name_are_wrong_use() {
    let place = Place::new();
    let ran = place.run(&["self-test", "locally"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    place.write("config.yml", "aproval: {}\n");
    let ran = place.run(&["self-test"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `approval`?"), "{ran:?}");
}

#[test]
fn a_real_server_passes_with_and_without_a_shared_folder() {
    let Some(running) = jupyter_rig::shared(Program::Server) else {
        return;
    };
    for shared in [false, true] {
        let place = Place::new();
        let data = place.path("data");
        let shared = if shared {
            format!(", shared_folder: {:?}", data.display().to_string())
        } else {
            String::new()
        };
        place.write(
            "config.yml",
            &format!(
                "execution:\n  execution_method: container\n  container: {{jupyter_host: 127.0.0.1, \
                 jupyter_port: {}, token_env: {TOKEN_NAME}{shared}}}\n",
                running.port
            ),
        );
        let mut command = command(&place, &[]);
        command.env(TOKEN_NAME, TOKEN);
        let document = tested(command, 0);
        for name in ["container", "local", "error_handling"] {
            assert_eq!(test(&document, name)["status"], "passed", "{document:#}");
        }
        assert_eq!(entries(&temporary(&place)), Vec::<String>::new());
        assert!(!data.exists(), "what was made for the test is gone");
    }
    // A wrong token is a cause of its own.
    let place = Place::new();
    place.write(
        "config.yml",
        &format!(
            "execution: {{container: {{jupyter_host: 127.0.0.1, jupyter_port: {}, token_env: {TOKEN_NAME}}}}}\n",
            running.port
        ),
    );
    let mut command = command(&place, &["container"]);
    command.env(TOKEN_NAME, "wrong");
    let document = tested(command, 1);
    let code = &test(&document, "container")["code"];
    assert_eq!(code, "jupyter_unauthorized", "{document:#}");
}
