//! The service interface on real Python: requests, names of requests, answers, errors.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::service::{
    Command, ContextStore, ErrorCategory, ExpectedResults, OpenOptions, Outcome, Pipeline,
    PythonCapability, PythonExecutionRequest, PythonExecutorError, PythonExecutorService,
    PythonServiceResult, RunnableConfig,
};

/// A service on a data folder, with an environment that can run Python and nothing else.
pub(crate) async fn service(data: &Path) -> PythonExecutorService {
    service_with(data, "").await
}

/// The same by this configuration.
pub(crate) async fn service_with(data: &Path, config: &str) -> PythonExecutorService {
    let options = OpenOptions::new(data)
        .program(env!("CARGO_BIN_EXE_stepwell"))
        .person("ada")
        .config_text(config);
    PythonExecutorService::open(options).await.unwrap()
}

pub(crate) fn request(folder: &str, code: &str) -> PythonExecutionRequest {
    PythonExecutionRequest::new("a test", "", folder).code(code)
}

pub(crate) fn completed(outcome: Outcome) -> PythonServiceResult {
    match outcome {
        Outcome::Completed(result) => *result,
        other => panic!("{other:#?}"),
    }
}

pub(crate) fn failed(outcome: Outcome) -> PythonExecutorError {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:#?}"),
    }
}

/// Code of a write step that counts how often it ran.
fn counting(ledger: &Path) -> String {
    format!(
        "with open({:?}, 'a') as ledger:\n    ledger.write('x')\nresults = {{'ran': True}}\n",
        ledger.display().to_string()
    )
}

fn count(ledger: &Path) -> usize {
    std::fs::read_to_string(ledger).map_or(0, |text| text.len())
}

#[tokio::test]
async fn a_request_with_code_gives_everything_that_it_left() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let code = "print('hello', context.limits.low)\nopen('note.txt', 'w').write('x')\n\
                results = {'sum': sum(context.values), 'words': ['a', 'é']}\n";
    let request = request("Stage 1", code)
        .expecting("a sum")
        .context_value("values", json!([1, 2, 3.5]))
        .context_value("limits", json!({"low": -1}))
        .context_value("odd }} \"key\" ${ {", json!(1));
    let config = RunnableConfig::default().max_execution_time(Duration::from_secs(60));
    let result = completed(service.invoke(request, &config).await.unwrap());
    assert!(result.is_successful());
    let left = &result.execution_result;
    assert_eq!(left.results, json!({"sum": 6.5, "words": ["a", "é"]}));
    assert_eq!(left.stdout, "hello -1\n");
    assert_eq!(result.generated_code, code);
    assert_eq!((result.attempt, result.mode.as_str()), (1, "read_only"));
    assert!(result.environment.is_some() && result.analysis.is_some());
    let notebook = left.notebook_path.clone().unwrap();
    let text = std::fs::read_to_string(&notebook).unwrap();
    assert!(text.contains("hello -1"), "the output is in the notebook");
    assert_eq!(
        left.notebook_link.clone().unwrap(),
        format!("file://{}", notebook.display())
    );
    assert_eq!(left.artifact_paths, [left.folder_path.join("note.txt")]);
    assert!(
        left.folder_path.to_str().unwrap().contains("/stage_1-"),
        "{left:?}"
    );
    let document = result.to_json();
    for name in [
        "code",
        "output",
        "results",
        "figure_paths",
        "notebook_link",
        "execution_time",
    ] {
        assert!(document["PYTHON_RESULTS"].get(name).is_some(), "{name}");
    }
    assert_eq!(document["execution_result"]["success"], true);
}

#[tokio::test]
async fn code_that_fails_keeps_its_class_its_lines_and_its_place() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let code = "def halve(x):\n    return x / 0\n\n\nprint('so far')\nhalve(2)\n";
    let config = RunnableConfig::thread("test_error");
    let error = failed(
        service
            .invoke(request("test_error", code), &config)
            .await
            .unwrap(),
    );
    assert!(
        matches!(&error, PythonExecutorError::CodeRuntimeError(_)),
        "{error}"
    );
    assert_eq!(error.category(), ErrorCategory::Code);
    assert!(error.message().contains("division by zero"), "{error}");
    let traceback = error.traceback().unwrap();
    assert!(
        traceback.contains("line 6") && traceback.contains("line 2, in halve"),
        "{traceback}"
    );
    let detail = error.detail();
    assert_eq!(detail.attempt, Some(1));
    let folder = detail.folder.clone().unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.join("stdout.log")).unwrap(),
        "so far\n"
    );
    assert!(error.should_retry_code_generation() && !error.should_retry_execution());
    // The same again is told again, and not tried again.
    let again = failed(
        service
            .invoke(request("test_error", code), &config)
            .await
            .unwrap(),
    );
    assert_eq!(again, error);
}

#[tokio::test]
async fn a_mistake_in_the_request_is_refused_and_records_nothing() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let usual = RunnableConfig::default;
    let cases = [
        (
            request("a", "x = 1"),
            usual().execution_mode("READONLY"),
            "ConfigurationError",
            "bad_value",
        ),
        (
            request("a", "x = 1"),
            usual().execution_method("podman"),
            "ConfigurationError",
            "bad_value",
        ),
        (
            request("a", "x = "),
            usual(),
            "CodeSyntaxError",
            "python_syntax",
        ),
        (
            PythonExecutionRequest::default(),
            usual(),
            "ConfigurationError",
            "missing_key",
        ),
        (
            request("a", "x = 1"),
            RunnableConfig::thread(""),
            "ConfigurationError",
            "bad_value",
        ),
        (
            request("a", "x = 1"),
            usual().max_execution_time(Duration::ZERO),
            "ConfigurationError",
            "bad_value",
        ),
    ];
    for (request, config, class, code) in cases {
        let error = service.invoke(request.clone(), &config).await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (class, code),
            "{request:?}: {error}"
        );
    }
    assert!(service.engine().unfinished().await.unwrap().is_empty());
    let unknown = serde_json::from_value::<PythonExecutionRequest>(json!({"user_qery": "x"}));
    assert!(unknown.is_err(), "an unknown field is refused");
}

#[tokio::test]
async fn a_question_has_the_bounds_of_the_code_and_its_change_since_the_last_yes() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let ask = async |thread: &str, step: u32| {
        let config = RunnableConfig::thread(thread).execution_mode("readwrite");
        let code = format!("step = {step}\nresults = {{'n': step}}\n");
        let outcome = service
            .invoke(request("ramp", &code), &config)
            .await
            .unwrap();
        (
            outcome.waiting().expect("a write asks").approvals[0].clone(),
            config,
        )
    };
    let (first, config) = ask("one", 1).await;
    for bound in ["memory", "processes", "isolation", "network"] {
        let told = first.bounds.get(bound);
        assert!(
            told.is_some_and(|told| !told.is_empty()),
            "{bound}: {:?}",
            first.bounds
        );
    }
    assert_eq!(first.approved_before, None);
    let yes = Command::approve().by("bob").seen(first.subject_digest);
    completed(service.invoke(yes, &config).await.unwrap());
    let (second, _) = ask("two", 2).await;
    let before = second.approved_before.clone().unwrap();
    assert_eq!(before.by, "bob");
    let diff = before.diff.unwrap();
    assert!(diff.contains("-step = 1\n+step = 2\n"), "{diff}");
    let document = serde_json::to_value(&second).unwrap();
    assert!(
        document["bounds"]["memory"].is_string() && document["approved_before"]["at"].is_string()
    );
    let (third, _) = ask("three", 1).await;
    assert_eq!(third.approved_before.unwrap().diff, None, "the same code");
}

#[tokio::test]
async fn a_write_waits_over_a_restart_and_runs_once_when_it_is_approved() {
    let data = tempfile::tempdir().unwrap();
    let ledger = data.path().join("ledger");
    let config = RunnableConfig::thread("write").execution_mode("readwrite");
    let first = service(data.path()).await;
    let outcome = first
        .invoke(request("write", &counting(&ledger)), &config)
        .await
        .unwrap();
    let waiting = outcome.waiting().expect("a write asks").clone();
    let asked = &waiting.approvals[0];
    assert_eq!(asked.approval_type, "code");
    assert_eq!(asked.code.as_deref(), Some(counting(&ledger).as_str()));
    assert_eq!(waiting.thread_id.as_deref(), Some("write"));
    assert!(Path::new(asked.notebook_path.as_deref().unwrap()).is_file());
    assert_eq!(
        outcome.to_json()["error"],
        Value::Null,
        "waiting is no error"
    );
    drop(first);
    let second = service(data.path()).await;
    assert_eq!(count(&ledger), 0);
    // The same request comes back to the same question.
    let again = second
        .invoke(request("write", &counting(&ledger)), &config)
        .await
        .unwrap();
    assert_eq!(again.waiting(), Some(&waiting));
    let yes = Command::approve().by("bob").seen(asked.subject_digest);
    let outcome = second.invoke(yes.clone(), &config).await.unwrap();
    assert_eq!(
        completed(outcome.clone()).execution_result.results,
        json!({"ran": true})
    );
    assert_eq!(count(&ledger), 1);
    // The same answer again is the same answer.
    assert_eq!(second.invoke(yes, &config).await.unwrap(), outcome);
    assert_eq!(count(&ledger), 1);
    let error = second
        .invoke(Command::reject("too late"), &config)
        .await
        .unwrap_err();
    assert_eq!(error.class(), "WorkflowError", "{error}");
}

#[tokio::test]
async fn a_no_is_an_outcome_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let ledger = data.path().join("ledger");
    let service = service(data.path()).await;
    let config = RunnableConfig::thread("write").execution_mode("write_access");
    let run = service
        .submit(request("write", &counting(&ledger)), &config)
        .await
        .unwrap();
    assert!(service.wait(run).await.unwrap().waiting().is_some());
    let error = service.resume(run, Command::reject("")).await.unwrap_err();
    assert_eq!(error.code(), "comment_missing");
    let outcome = service
        .resume(run, Command::reject("not today").by("bob"))
        .await
        .unwrap();
    let Outcome::Rejected(rejected) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(rejected.by.as_deref(), Some("bob"));
    assert_eq!(rejected.reason.as_deref(), Some("not today"));
    assert_eq!(count(&ledger), 0);
    let error = service.resume(run, Command::approve()).await.unwrap_err();
    assert_eq!(error.class(), "WorkflowError", "a yes after a no: {error}");
    assert_eq!(count(&ledger), 0);
}

#[tokio::test]
async fn one_name_is_one_request_and_one_run_whoever_calls() {
    let data = tempfile::tempdir().unwrap();
    let ledger = data.path().join("ledger");
    let (one, two) = (service(data.path()).await, service(data.path()).await);
    let config = RunnableConfig::thread("nightly");
    let code = format!("import time\ntime.sleep(0.5)\n{}", counting(&ledger));
    // Writing outside the run folder in read_only is refused by the policy, so it runs with write access, unasked.
    let config = config.execution_mode("readwrite");
    let (first, second) = tokio::join!(
        one.submit(request("nightly", &code), &config),
        two.submit(request("nightly", &code), &config)
    );
    let run = first.unwrap();
    assert_eq!(run, second.unwrap(), "both come to the same run");
    assert!(one.wait("nightly").await.unwrap().waiting().is_some());
    let (first, second) = tokio::join!(one.resume(run, Command::approve()), two.wait(run));
    completed(first.unwrap());
    assert!(!matches!(second.unwrap(), Outcome::Failed(_)));
    assert_eq!(count(&ledger), 1);
    let error = two
        .invoke(request("nightly", "results = 2"), &config)
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        ("WorkflowError", "thread_taken"),
        "{error}"
    );
    let status = two.status("nightly").await.unwrap();
    assert_eq!(
        (status.run_id, status.thread_id.as_deref()),
        (run, Some("nightly"))
    );
    let created = two.state(run).await.unwrap().created.thread.unwrap();
    assert_eq!(created.id, "nightly", "the history knows its name");
    assert_eq!(
        two.status("never").await.unwrap_err().code(),
        "unknown_thread"
    );
}

#[tokio::test]
async fn a_name_that_was_given_before_a_crash_has_the_run_that_it_promised() {
    let data = tempfile::tempdir().unwrap();
    let config = RunnableConfig::thread("crashed");
    let run = {
        let other = tempfile::tempdir().unwrap();
        let first = service(other.path()).await;
        let run = first
            .submit(request("crashed", "results = 1"), &config)
            .await
            .unwrap();
        // The name is durable and the run is not: what a crash between the two leaves.
        let names = std::fs::read_dir(other.path().join("threads")).unwrap();
        let name = names.map(|entry| entry.unwrap().path()).next().unwrap();
        let text = std::fs::read_to_string(&name).unwrap();
        let threads = data.path().join("threads");
        std::fs::create_dir(&threads).unwrap();
        let text = text.replace("\"created\":true", "\"created\":false");
        std::fs::write(threads.join(name.file_name().unwrap()), text).unwrap();
        run
    };
    let service = service(data.path()).await;
    let result = completed(
        service
            .invoke(request("crashed", "results = 1"), &config)
            .await
            .unwrap(),
    );
    assert_eq!(result.run_id, run);
    // A run that was there and is gone is not made again.
    let names = std::fs::read_dir(data.path().join("threads")).unwrap();
    let name = names.map(|entry| entry.unwrap().path()).next().unwrap();
    let text = std::fs::read_to_string(&name).unwrap();
    let text = text.replace(&run.to_string(), "run_00000000000000000000000000");
    std::fs::write(&name, text).unwrap();
    let error = service
        .invoke(request("crashed", "results = 1"), &config)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "thread_gone", "{error}");
}

#[tokio::test]
async fn stages_hand_results_on_and_a_finished_stage_is_not_run_again() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let config = RunnableConfig::thread("job");
    let mut seen = Vec::new();
    for _restart in 0..2 {
        let mut pipeline = Pipeline::new(&service, config.clone());
        let first = request("stage1_preprocessing", "results = {'clean': [1.0, 2.0]}");
        let clean = pipeline
            .stage("preprocessing", first)
            .await
            .unwrap()
            .unwrap();
        let second = request(
            "stage2_analysis",
            "results = {'n': len(context.preprocessing_results.clean)}",
        )
        .context_value("preprocessing_results", clean);
        pipeline.stage("analysis", second).await.unwrap();
        let document = pipeline.to_json();
        assert_eq!(document["pipeline_completed"], true, "{document:#}");
        assert_eq!(
            document["stages"]["analysis"]["execution_result"]["results"],
            json!({"n": 2})
        );
        seen.push(document);
    }
    assert_eq!(seen[0], seen[1], "the second time nothing ran");
}

#[tokio::test]
async fn another_component_reads_what_it_knows() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let mut context = ContextStore::new();
    context.put_value("ORBIT", "before", json!({"rms": 2.0}), "a measured orbit");
    context.put_value("ORBIT", "after", json!({"rms": 0.5}), "a measured orbit");
    context.set_capability_context_data(
        "python_context",
        json!({
            "task_objective": "compare",
            "data_available": true,
            "analysis_requirements": ["Generate statistical summary"],
            "expected_results": "a ratio",
            "code": "results = {'ratio': context.ORBIT.before.rms / context.ORBIT.after.rms}",
        }),
    );
    let ability = PythonCapability::new(&service);
    let result = ability
        .execute(&context, &RunnableConfig::thread("c"))
        .await
        .unwrap();
    assert!(result.is_successful, "{result:?}");
    let document = result.to_capability_json();
    assert_eq!(document["analysis_results"], json!({"ratio": 4.0}));
    assert_eq!(document["success"], true);
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["PYTHON_RESULTS"]["results"], json!({"ratio": 4.0}));
    let state = service.state("c").await.unwrap();
    let prompts = &state.created.inputs["capability_prompts"];
    assert!(
        prompts
            .to_string()
            .contains("context.ORBIT.after: dict {rms: float}; a measured orbit"),
        "{prompts}"
    );
    context.set_capability_context_data("python_context", json!({"objective": "x"}));
    let error = ability
        .execute(&context, &RunnableConfig::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unknown_key");
}

#[tokio::test]
async fn without_code_and_without_a_generator_the_answer_is_clear() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let mut request =
        PythonExecutionRequest::new("q", "Simple mathematical calculation", "test_local");
    request.expected_results = Some(ExpectedResults::Text("a number".to_owned()));
    let error = service
        .invoke(request, &RunnableConfig::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        ("ConfigurationError", "no_generator"),
        "{error}"
    );
    assert_eq!(error.category(), ErrorCategory::Configuration);
    assert!(service.engine().unfinished().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_that_is_there_gives_modules_and_files() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("helper.py"), "FACTOR = 3\n").unwrap();
    std::fs::write(folder.path().join("n.txt"), "14").unwrap();
    let service = service(data.path()).await;
    let code = "import os\nfrom helper import FACTOR\nfolder = os.environ['STEPWELL_WORKFLOW_DIR']\n\
                results = {'n': FACTOR * int(open(os.path.join(folder, 'n.txt')).read())}\n";
    let mut request = request("again", code);
    request.existing_execution_folder = Some(folder.path().to_owned());
    let config = RunnableConfig::default();
    let result = completed(service.invoke(request.clone(), &config).await.unwrap());
    assert_eq!(result.execution_result.results, json!({"n": 42}));
    request.existing_execution_folder = Some("nowhere".into());
    assert_eq!(
        service.invoke(request, &config).await.unwrap_err().code(),
        "bad_file"
    );
}

#[tokio::test]
async fn who_asks_is_who_starts_and_may_be_kept_from_answering() {
    let data = tempfile::tempdir().unwrap();
    let service = service_with(data.path(), "approval: {allow_self: false}\n").await;
    let mut request = request("own", "results = 1");
    request
        .session_context
        .insert("user_id".to_owned(), json!("carol"));
    let config = RunnableConfig::thread("own").execution_mode("readwrite");
    let outcome = service.invoke(request, &config).await.unwrap();
    assert!(outcome.waiting().is_some(), "{outcome:?}");
    let own = service
        .invoke(Command::approve().by("carol"), &config)
        .await
        .unwrap_err();
    assert_eq!(own.code(), "self_approval", "{own}");
    completed(
        service
            .invoke(Command::approve().by("bob"), &config)
            .await
            .unwrap(),
    );
}
