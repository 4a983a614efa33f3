//! What the system of the seed had to mend after its users met it, with the outcome that is right here.
//!
//! | what happened there | test here |
//! |---|---|
//! | files in a folder that the container did not see; metadata not found | `executor_conformance`, `self_test` (with and without a shared folder) |
//! | a fault of the container was taken for one of the code, which was written anew | `seed_behaviour::a_container_that_nobody_answers_at_is_a_class_of_its_own` |
//! | settings and limits looked up in the wrong folder: "every channel not in database" | `limits_are_found_wherever_the_command_is_started` |
//! | a folder or a program as interpreter; an interpreter that has gone | `truth_surroundings`, `self_test` |
//! | an unknown generator, no generator at all | `installed`, `service` (`no_generator`) |
//! | the switch against writes was missing on the path of files, and passed by a static wish to ask | `the_switch_against_writes_holds_on_every_way_to_run_code` |
//! | an unknown spelling of a mode passed both gates | `service::a_mistake_in_the_request_is_refused_and_records_nothing` |
//! | an approval stayed for later steps; settings leaked between two of them | `seed_behaviour::an_approval_is_for_one_run_only`, `two_services_of_one_process_have_nothing_in_common` |
//! | inputs were missing in the notebook before an approval; no code was shown | `seed_behaviour::the_person_sees_everything` |
//! | tried again around a violation of limits | `generator_engine::what_a_policy_or_a_guard_refused_is_never_written_anew` |
//! | limits that can't be read were told as data that is missing | `limits_are_found_wherever_the_command_is_started`, `safety` |
//! | a mode that only reads was kept by patterns alone | `hostile`, `guard` |
//! | a notebook by another name in each mode, header and code apart, times of another zone | `a_notebook_has_one_name_and_its_times_say_their_zone` |
//! | figures by relative paths, figures of subfolders | `seed_behaviour::figures_are_found_and_their_paths_are_absolute` |
//! | a call that blocked everything | `seed_behaviour::two_calls_run_side_by_side` |
//! | values that could not be written | `executor_results` |
//! | the request was overwritten by an answer | `the_request_is_the_same_after_an_answer` |

use std::fs;

use serde_json::{Value, json};
use stepwell::service::{Command, OpenOptions, PythonExecutorService, RunnableConfig};

use crate::cli_rig::{Place, Ran, text};
use crate::service::{completed, request, service, service_with};

const WRITES: &str = "import epics\nepics.caput('MAG:01', 1)\nresults = {'written': True}\n";
/// Code in `write_access` is allowed, writes are switched off.
const OFF: &str = "execution: {modes: {write_access: {allows_writes: false}}}\n";

#[tokio::test]
async fn the_switch_against_writes_holds_on_every_way_to_run_code() {
    let data = tempfile::tempdir().unwrap();
    let answers = data.path().join("answers.md");
    fs::write(&answers, format!("## python\n\n```python\n{WRITES}```\n")).unwrap();
    let config = format!(
        "{OFF}generators: {{recorded: {{provider: scripted, file: {:?}}}}}\ndefault_generator: recorded\n",
        answers.display().to_string()
    );
    let service = service_with(data.path(), &config).await;
    let call = RunnableConfig::default().execution_mode("readwrite");
    let given = request("given", WRITES);
    let mut approved = request("approved", "");
    approved.code = None;
    approved.approved_code = Some(WRITES.to_owned());
    let mut task = approved.clone();
    task.approved_code = None;
    task.task_objective = "Set the magnet".to_owned();
    for request in [given, approved, task] {
        let outcome = service.invoke(request, &call).await.unwrap();
        let error = outcome.failed().unwrap_or_else(|| panic!("{outcome:#?}"));
        assert_eq!(error.class(), "PolicyViolationError", "{error}");
        assert!(!error.should_retry_code_generation(), "{error}");
    }
    // Code that a person puts in its place is no way around it either.
    let call = RunnableConfig::thread("edited").execution_mode("readwrite");
    let harmless = request("edited", "results = 1\n");
    let outcome = service.invoke(harmless, &call).await.unwrap();
    assert!(outcome.waiting().is_some(), "{outcome:#?}");
    let edited = service.invoke(Command::approve_with(WRITES), &call).await;
    assert_eq!(edited.unwrap_err().code(), "edit_refused");
}

#[test]
fn the_switch_against_writes_holds_for_files_notebooks_and_a_wish_to_ask() {
    let place = Place::new();
    place.write("config.yml", OFF);
    place.write("code.py", WRITES);
    let cell = json!({
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": WRITES, "outputs": [], "execution_count": null}],
    });
    place.write("code.ipynb", &cell.to_string());
    for (name, source) in [
        ("of_file", "file: code.py"),
        ("of_notebook", "notebook: code.ipynb"),
    ] {
        place.write(
            &format!("{name}.yml"),
            &format!(
                "version: 1\nname: {name}\nsteps:\n  - id: work\n    approve_code: true\n    \
                 python: {{{source}, mode: write_access}}\n"
            ),
        );
        let ran = place.json(1, &["run", &format!("{name}.yml")]);
        assert_eq!(ran["status"], "failed", "{ran:#}");
        assert!(
            ran["waiting"].as_array().is_none_or(Vec::is_empty),
            "{ran:#}"
        );
        assert!(
            ran.to_string().contains("has switched writes off"),
            "{ran:#}"
        );
    }
    let ran = place.json(1, &["exec", "--code", "code.py", "--mode", "readwrite"]);
    assert_eq!(
        ran["error"]["error_type"], "PolicyViolationError",
        "{ran:#}"
    );
}

#[test]
fn limits_are_found_wherever_the_command_is_started() {
    let place = Place::new();
    place.write(
        "lab/config.yml",
        "control_system: {write_limits: {file: limits.yml}}\n",
    );
    place.write("lab/limits.yml", "MAG:01: {min: 0, max: 5}\n");
    place.write("elsewhere/limits.yml", "OTHER: {min: 0, max: 1}\n");
    let limits = |folder: &str| -> Value {
        let mut command = place.command(&["doctor", "--json", "--config", "../lab/config.yml"]);
        let ran = Ran::of(&command.current_dir(place.path(folder)).output().unwrap());
        let doctor: Value = serde_json::from_str(&ran.out).unwrap();
        let checks = doctor["checks"].as_array().unwrap().iter();
        let mut found = checks.filter(|check| check["name"] == "channel limits");
        found.next().unwrap().clone()
    };
    let there = limits("lab");
    assert_eq!(there["status"], "ok", "{there:#}");
    assert_eq!(limits("elsewhere"), there);
    // A file that has gone is said to be unreadable, not to have no channel.
    fs::remove_file(place.path("lab/limits.yml")).unwrap();
    let gone = limits("elsewhere");
    assert_eq!(gone["status"], "fail", "{gone:#}");
    assert!(text(&gone["message"]).contains("limits.yml"), "{gone:#}");
}

#[tokio::test]
async fn two_services_of_one_process_have_nothing_in_common() {
    let (strict, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let strict = service_with(strict.path(), "approval: {global_mode: all_capabilities}\n").await;
    let open = service(open.path()).await;
    let call = RunnableConfig::thread("the same name");
    for _ in 0..2 {
        let waits = strict.invoke(request("same", "results = 1"), &call).await;
        assert!(waits.unwrap().waiting().is_some());
        let runs = open.invoke(request("same", "results = 1"), &call).await;
        completed(runs.unwrap());
    }
}

#[tokio::test]
async fn the_request_is_the_same_after_an_answer() {
    let data = tempfile::tempdir().unwrap();
    let call = RunnableConfig::thread("kept").execution_mode("readwrite");
    let mut asked = request("kept", "results = {'n': context.n}").context_value("n", 7);
    asked.user_query = "What is n?".to_owned();
    let first = service(data.path()).await;
    let outcome = first.invoke(asked.clone(), &call).await.unwrap();
    assert!(outcome.waiting().is_some(), "{outcome:#?}");
    let before = first.state("kept").await.unwrap().created.inputs.clone();
    drop(first);
    let options = OpenOptions::new(data.path()).program(env!("CARGO_BIN_EXE_stepwell"));
    let second = PythonExecutorService::open(options).await.unwrap();
    let result = completed(second.invoke(Command::approve(), &call).await.unwrap());
    assert_eq!(result.execution_result.results, json!({"n": 7}));
    let state = second.state("kept").await.unwrap();
    assert_eq!(state.created.inputs, before);
    assert!(format!("{before:?}").contains("What is n?"), "{before:?}");
    // The same request again is still the same, and another one is still another.
    let again = second.invoke(asked.clone(), &call).await.unwrap();
    assert_eq!(completed(again).run_id, result.run_id);
    asked.user_query = "What was n?".to_owned();
    let other = second.invoke(asked, &call).await;
    assert_eq!(other.unwrap_err().code(), "thread_taken");
}

#[tokio::test]
async fn a_notebook_has_one_name_and_its_times_say_their_zone() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let mut text = String::new();
    for mode in ["readonly", "readwrite"] {
        let call = RunnableConfig::thread(mode).execution_mode(mode);
        let outcome = service
            .invoke(request("named", "results = 1"), &call)
            .await
            .unwrap();
        let result = match outcome.waiting() {
            Some(_) => completed(service.invoke(Command::approve(), &call).await.unwrap()),
            None => completed(outcome),
        };
        let left = result.execution_result;
        let notebook = left.notebook_path.unwrap();
        assert_eq!(notebook, left.folder_path.join("notebook.ipynb"));
        let notebook: Value = serde_json::from_str(&fs::read_to_string(notebook).unwrap()).unwrap();
        let code: Vec<&Value> = notebook["cells"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|cell| cell["source"].to_string().contains("results = 1"))
            .collect();
        assert_eq!(code.len(), 1, "the code stands in one cell: {notebook:#}");
        let run = left
            .folder_path
            .ancestors()
            .nth(2)
            .unwrap()
            .join("run.ipynb");
        text += &notebook.to_string();
        text += &fs::read_to_string(run).unwrap();
    }
    let times = r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|.{4})";
    let times = regex_lite::Regex::new(times).unwrap();
    let zones: Vec<&str> = times
        .captures_iter(&text)
        .map(|time| time.get(1).unwrap().as_str())
        .collect();
    assert!(!zones.is_empty(), "{text}");
    let named = zones.iter().all(|zone| ["Z", " UTC"].contains(zone));
    assert!(named, "{zones:?}");
}
