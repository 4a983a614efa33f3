//! Everything that the system of the seed got wrong or had to mend, with the outcome that is right here.
//!
//! | what happened there | test here |
//! |---|---|
//! | triple-quoted strings got extra blanks | `text_is_untouched_and_future_imports_work` |
//! | `from __future__` was a syntax error | `text_is_untouched_and_future_imports_work` |
//! | the code that ran was not kept | `text_is_untouched_and_future_imports_work` |
//! | `sys.exit(0)` was a failure, and lost the output | `an_exit_with_0_is_a_success_and_keeps_the_output` |
//! | no `results` burned three attempts | `no_results_are_a_success` |
//! | NaN made invalid JSON; tuple keys left a stub | `what_json_cannot_say_is_named_and_never_lost_in_silence`, `executor_results` |
//! | a list as results was lost | `results_may_be_a_list` |
//! | failing code ran three times, the reason was lost | `code_that_fails_fails_once_and_says_why`, `service::code_that_fails_keeps_its_class_its_lines_and_its_place` |
//! | fail, then fixed: the loop of generation and feedback | `code_that_failed_is_written_anew_with_what_went_wrong` |
//! | `retries=1` still made three calls; "failed" without a reason | `so_many_generations_as_asked_for_and_the_reason_is_told` |
//! | the acceptance tests, with nothing but an objective | `the_acceptance_tests_run_from_objectives_alone`, `seed_container` |
//! | a container that can't be reached was a fault of the code | `a_container_that_nobody_answers_at_is_a_class_of_its_own` |
//! | wrong advice after an import error in a library | `a_name_that_a_module_lacks_is_no_missing_package` |
//! | "session" in a message made it a fault of the surroundings | `words_in_a_message_decide_nothing` |
//! | `expected_results` as text, `thread_id` beside `configurable`, mode, time and place of one call | `the_calls_of_the_seed_are_honoured_as_written` |
//! | an unknown mode passed both gates | `service::a_mistake_in_the_request_is_refused_and_records_nothing` |
//! | a time-out left grandchildren alive | `a_time_out_ends_the_grandchildren_too`, `executor_processes` |
//! | children saw every secret of the engine | `children_see_no_secrets_of_the_engine` |
//! | two executions blocked each other | `two_calls_run_side_by_side` |
//! | two contexts of one type lost one | `service::another_component_reads_what_it_knows` |
//! | edited code was ignored | `edited_code_is_what_runs`, `edits`, `rerun_cli` (`fork --code`) |
//! | approved code was ignored | `approved_code_is_what_runs_and_is_analysed_all_the_same` |
//! | resume in a new process was a `KeyError` | `service::a_write_waits_over_a_restart_and_runs_once_when_it_is_approved`, `cli_exec` |
//! | a no looked like a crash | `service::a_no_is_an_outcome_of_its_own` |
//! | fresh and resumed calls gave different types | `service::a_write_waits_over_a_restart_and_runs_once_when_it_is_approved` |
//! | a no after a yes, a second yes | `service::a_write_waits_over_a_restart_and_runs_once_when_it_is_approved` |
//! | an approval stayed for later steps | `an_approval_is_for_one_run_only` |
//! | the person saw no code, no concerns, no mode, no link | `the_person_sees_everything`, `service::a_write_waits_over_a_restart_and_runs_once_when_it_is_approved` |
//! | retried around a block | `what_the_policy_blocks_is_never_tried` |
//! | `model.eval()`, `queue.put()`, `d.get()` counted as danger | `harmless_names_ask_nobody`, `analysis_corpus` |
//! | `getattr(pv, "put")` and the like passed | `a_hidden_write_does_not_pass`, `analysis_corpus` |
//! | figures in subfolders were missed; links led nowhere | `figures_are_found_and_their_paths_are_absolute` |
//! | notebooks without outputs | `figures_are_found_and_their_paths_are_absolute`, `notebook_validate` |
//! | a warning on standard error made the status an error | `a_warning_is_no_failure` |
//! | folders were open to everybody | `figures_are_found_and_their_paths_are_absolute` |
//! | a kill of the service lost the run, its orphan was never collected | `process_points`, `process_kill` |
//! | settings in two places, one of them ignored; a folder or a program as interpreter | `config`, `truth_surroundings` |
//! | `global_mode` and `mode` together | `approval::policy` |

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::service::{
    Command, OpenOptions, PythonExecutionRequest, PythonExecutorError, PythonExecutorService,
    PythonServiceResult, RunnableConfig,
};

use crate::executor_rig::is_alive;
use crate::service::{completed, failed, request, service, service_with};

struct Bench {
    data: tempfile::TempDir,
    service: PythonExecutorService,
}

impl Bench {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let service = service(data.path()).await;
        Self { data, service }
    }

    async fn success(&self, code: &str) -> PythonServiceResult {
        let config = RunnableConfig::default();
        completed(
            self.service
                .invoke(request("seed", code), &config)
                .await
                .unwrap(),
        )
    }

    async fn results(&self, code: &str) -> Value {
        self.success(code).await.execution_result.results
    }

    async fn failure(&self, code: &str) -> PythonExecutorError {
        let config = RunnableConfig::default();
        failed(
            self.service
                .invoke(request("seed", code), &config)
                .await
                .unwrap(),
        )
    }
}

#[tokio::test]
async fn text_is_untouched_and_future_imports_work() {
    let bench = Bench::new().await;
    let code = "from __future__ import annotations\ntext = '''one\n  two\n\tthree'''\nresults = {'text': text}\n";
    let result = bench.success(code).await;
    assert_eq!(
        result.execution_result.results,
        json!({"text": "one\n  two\n\tthree"})
    );
    let kept = result.execution_result.folder_path.join("code.py");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), code);
}

#[tokio::test]
async fn an_exit_with_0_is_a_success_and_keeps_the_output() {
    let result = Bench::new()
        .await
        .success("import sys\nprint('mine')\nresults = 1\nsys.exit(0)\n")
        .await;
    assert_eq!(result.execution_result.stdout, "mine\n");
    assert_eq!(
        (result.execution_result.results, result.attempt),
        (json!(1), 1)
    );
}

#[tokio::test]
async fn no_results_are_a_success() {
    let result = Bench::new().await.success("x = 1\n").await;
    assert_eq!(
        (&result.execution_result.results, result.attempt),
        (&Value::Null, 1)
    );
    assert!(!result.execution_result.notes.is_empty(), "and it is noted");
}

#[tokio::test]
async fn what_json_cannot_say_is_named_and_never_lost_in_silence() {
    let bench = Bench::new().await;
    for (code, word, place) in [
        (
            "results = {'a': [1.0, float('nan')]}",
            "results_not_finite",
            "a",
        ),
        ("results = {'a': float('inf')}", "results_not_finite", "a"),
        ("results = {('x', 1): 2}", "results_key", "x"),
    ] {
        let error = bench.failure(code).await;
        assert!(
            matches!(&error, PythonExecutorError::CodeRuntimeError(_)),
            "{error}"
        );
        assert_eq!(error.code(), word);
        assert!(error.message().contains(place), "{error}");
    }
}

#[tokio::test]
async fn results_may_be_a_list() {
    assert_eq!(
        Bench::new()
            .await
            .results("results = [1, 'two', None]")
            .await,
        json!([1, "two", null])
    );
}

#[tokio::test]
async fn code_that_fails_fails_once_and_says_why() {
    let bench = Bench::new().await;
    let error = bench
        .failure("try:\n    int('x')\nexcept ValueError as inner:\n    raise RuntimeError('outer') from inner\n")
        .await;
    assert!(error.message().contains("outer"), "{error}");
    let traceback = error.traceback().unwrap();
    assert!(
        traceback.contains("invalid literal for int()"),
        "the cause is there: {traceback}"
    );
    assert_eq!(error.detail().attempt, Some(1));
    let step = error
        .detail()
        .folder
        .clone()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let entries = std::fs::read_dir(step).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    assert_eq!(folders.count(), 1, "one folder for one attempt");
}

#[tokio::test]
async fn a_name_that_a_module_lacks_is_no_missing_package() {
    let error = Bench::new()
        .await
        .failure("from json import no_such_name\n")
        .await;
    assert!(error.message().contains("no_such_name"), "{error}");
    let said = error.to_json().to_string();
    assert!(!said.contains("pip install"), "{said}");
}

#[tokio::test]
async fn words_in_a_message_decide_nothing() {
    let error = Bench::new()
        .await
        .failure("raise ValueError('kernel session: connection timeout')")
        .await;
    assert_eq!(error.class(), "CodeRuntimeError");
    assert!(!error.should_retry_execution());
    assert_eq!(error.detail().attempt, Some(1), "it was not tried again");
}

#[tokio::test]
async fn the_calls_of_the_seed_are_honoured_as_written() {
    let bench = Bench::new().await;
    let request: PythonExecutionRequest = serde_json::from_value(json!({
        "user_query": "q",
        "task_objective": "t",
        "expected_results": "Analysis results",
        "execution_folder_name": "analysis",
        "capability_context_data": {"a": 1},
        "code": "import os, time\nresults = {'mode': os.environ['STEPWELL_MODE'], 'a': context.a}\n\
                 time.sleep(context.get('sleep', 0))",
    }))
    .unwrap();
    let config: RunnableConfig = serde_json::from_value(json!({
        "thread_id": "analysis_default",
        "configurable": {"execution_mode": "readonly", "max_execution_time": 300, "execution_method": "local"},
    }))
    .unwrap();
    let result = completed(
        bench
            .service
            .invoke(request.clone(), &config)
            .await
            .unwrap(),
    );
    assert_eq!(
        result.execution_result.results,
        json!({"mode": "read_only", "a": 1})
    );
    assert_eq!(result.thread_id.as_deref(), Some("analysis_default"));
    let short: RunnableConfig =
        serde_json::from_value(json!({"configurable": {"max_execution_time": 0.5}})).unwrap();
    let slow = request.context_value("sleep", 60);
    let error = failed(bench.service.invoke(slow, &short).await.unwrap());
    assert_eq!(
        (error.class(), error.code()),
        ("ExecutionTimeoutError", "timed_out"),
        "{error}"
    );
    let outcome: Command = serde_json::from_value(json!({"resume": {"approved": true}})).unwrap();
    assert_eq!(outcome, Command::approve());
}

#[tokio::test]
async fn a_time_out_ends_the_grandchildren_too() {
    let bench = Bench::new().await;
    let code = "import multiprocessing, os, time\n\
                def child(path):\n    open(path, 'w').write(str(os.getpid()))\n    time.sleep(600)\n\
                if __name__ == '__main__':\n    path = os.path.abspath('pid')\n    \
                multiprocessing.Process(target=child, args=(path,)).start()\n    time.sleep(600)\n";
    let config = RunnableConfig::default().max_execution_time(Duration::from_secs(8));
    let error = failed(
        bench
            .service
            .invoke(request("slow", code), &config)
            .await
            .unwrap(),
    );
    assert_eq!(error.class(), "ExecutionTimeoutError", "{error}");
    let pid = std::fs::read_to_string(error.detail().folder.clone().unwrap().join("pid")).unwrap();
    assert!(!is_alive(&pid), "process {pid} is alive");
}

#[tokio::test]
async fn children_see_no_secrets_of_the_engine() {
    let data = tempfile::tempdir().unwrap();
    let mut variables: BTreeMap<String, String> = std::env::vars().collect();
    variables.insert("SEED_API_KEY".to_owned(), "hunter2".to_owned());
    let options = OpenOptions::new(data.path())
        .program(env!("CARGO_BIN_EXE_stepwell"))
        .variables(variables);
    let service = PythonExecutorService::open(options).await.unwrap();
    // By what the kernel shows of every process that can be seen, not by asking the interpreter alone.
    let code = "import os\ntry:\n    parent = open(f'/proc/{os.getppid()}/environ').read()\nexcept OSError:\n    parent = ''\n\
                results = {'seen': 'hunter2' in str(dict(os.environ)) + parent}\n";
    let result = service
        .invoke(request("env", code), &RunnableConfig::default())
        .await
        .unwrap();
    assert_eq!(
        completed(result).execution_result.results,
        json!({"seen": false})
    );
}

#[tokio::test]
async fn two_calls_run_side_by_side() {
    let data = tempfile::tempdir().unwrap();
    let service = service_with(data.path(), "engine: {steps_at_once: 2}\n").await;
    let meeting = tempfile::tempdir().unwrap();
    // Each ends only when the other has begun.
    let code = "import os, time\nmine, other = (os.path.join(context.folder, name) for name in context.names)\n\
                open(mine, 'w').close()\nuntil = time.time() + 30\n\
                while not os.path.exists(other) and time.time() < until:\n    time.sleep(0.01)\n\
                results = {'met': os.path.exists(other)}\n";
    let one = |names: Value| {
        let request = request("meet", code)
            .context_value("folder", meeting.path().to_str().unwrap())
            .context_value("names", names);
        let service = &service;
        async move {
            let config = RunnableConfig::default().execution_mode("readwrite");
            let run = service.submit(request, &config).await.unwrap();
            assert!(service.wait(run).await.unwrap().waiting().is_some());
            completed(service.resume(run, Command::approve()).await.unwrap())
        }
    };
    let (first, second) = tokio::join!(one(json!(["a", "b"])), one(json!(["b", "a"])));
    for result in [first, second] {
        assert_eq!(result.execution_result.results, json!({"met": true}));
    }
}

#[tokio::test]
async fn approved_code_is_what_runs_and_is_analysed_all_the_same() {
    let bench = Bench::new().await;
    let mut request = PythonExecutionRequest::new("q", "something else", "approved");
    request.approved_code = Some("results = {'ran': 'approved'}".to_owned());
    let result = completed(
        bench
            .service
            .invoke(request.clone(), &RunnableConfig::default())
            .await
            .unwrap(),
    );
    assert_eq!(result.execution_result.results, json!({"ran": "approved"}));
    assert!(result.analysis.is_some());
    let write = RunnableConfig::default().execution_mode("readwrite");
    let outcome = bench.service.invoke(request, &write).await.unwrap();
    assert!(
        outcome.waiting().is_some(),
        "an approval from elsewhere is none of ours: {outcome:?}"
    );
}

#[tokio::test]
async fn an_approval_is_for_one_run_only() {
    let bench = Bench::new().await;
    for thread in ["first", "second"] {
        let config = RunnableConfig::thread(thread).execution_mode("readwrite");
        let outcome = bench
            .service
            .invoke(request("w", "results = 1"), &config)
            .await
            .unwrap();
        assert!(
            outcome.waiting().is_some(),
            "{thread} must ask: {outcome:?}"
        );
        completed(
            bench
                .service
                .invoke(Command::approve(), &config)
                .await
                .unwrap(),
        );
    }
}

#[tokio::test]
async fn edited_code_is_what_runs() {
    let bench = Bench::new().await;
    let config = RunnableConfig::thread("edited").execution_mode("readwrite");
    let outcome = bench
        .service
        .invoke(request("w", "results = 1"), &config)
        .await;
    let asked = outcome.unwrap().waiting().unwrap().approvals[0].clone();
    let refused = bench
        .service
        .invoke(Command::approve_with("results = ("), &config)
        .await;
    assert_eq!(refused.unwrap_err().code(), "edit_refused");
    let edited: Command =
        serde_json::from_value(json!({"resume": {"approved": true, "code": "results = 2"}}))
            .unwrap();
    let result = completed(bench.service.invoke(edited.clone(), &config).await.unwrap());
    assert_eq!(result.execution_result.results, json!(2));
    assert_eq!(result.generated_code, "results = 2");
    // The same answer again is the same answer, also by the name of the question.
    for again in [edited.clone(), edited.to(asked.approval_id)] {
        let again = completed(bench.service.invoke(again, &config).await.unwrap());
        assert_eq!(again.execution_result.results, json!(2));
    }
    // The very code that is asked about, handed back, is a plain yes.
    let config = RunnableConfig::thread("as it was").execution_mode("readwrite");
    let outcome = bench
        .service
        .invoke(request("w", "results = 1"), &config)
        .await;
    assert!(outcome.unwrap().waiting().is_some());
    let same = Command::approve_with("results = 1");
    let result = completed(bench.service.invoke(same, &config).await.unwrap());
    assert_eq!(result.execution_result.results, json!(1));
}

#[tokio::test]
async fn the_person_sees_everything() {
    let bench = Bench::new().await;
    let code = "import epics\nepics.caput('MAG:01', context.current)\n";
    let mut request = request("set", code).context_value("current", 2.5);
    request.task_objective = "Set the magnet".to_owned();
    let config = RunnableConfig::thread("set").execution_mode("readwrite");
    let outcome = bench.service.invoke(request, &config).await.unwrap();
    let asked = outcome.waiting().unwrap().approvals[0].clone();
    assert_eq!(asked.code.as_deref(), Some(code));
    assert_eq!(asked.step_objective.as_deref(), Some("Set the magnet"));
    assert_eq!(asked.inputs.get("current"), Some(&json!(2.5)));
    assert_eq!(asked.execution_mode.unwrap().as_str(), "write_access");
    assert!(asked.environment.unwrap().contains("python"));
    let lines: Vec<u32> = asked
        .safety_concerns
        .iter()
        .map(|finding| finding.line)
        .collect();
    assert!(
        lines.contains(&2),
        "the write is found where it is: {:?}",
        asked.safety_concerns
    );
    let notebook = std::fs::read_to_string(asked.notebook_path.unwrap()).unwrap();
    assert!(
        notebook.contains("caput") && notebook.contains("2.5"),
        "code and context are in it"
    );
    assert!(asked.notebook_link.unwrap().starts_with("file:///"));
}

#[tokio::test]
async fn what_the_policy_blocks_is_never_tried() {
    let bench = Bench::new().await;
    let error = bench
        .failure("import epics\nepics.caput('MAG:01', 1)\n")
        .await;
    assert_eq!(error.class(), "PolicyViolationError", "{error}");
    assert!(!error.should_retry_execution() && !error.should_retry_code_generation());
    assert_eq!(error.detail().attempt, None, "no attempt was begun");
}

#[tokio::test]
async fn harmless_names_ask_nobody() {
    let code = "import queue\nclass Model:\n    def eval(self):\n        return 'evaluated'\n\
                q = queue.Queue()\nq.put(1)  # not os.system, not caput(\n\
                results = {'eval': Model().eval(), 'get': {'a': 2}.get('a'), 'q': q.get(), 'text': 'exec( subprocess'}\n";
    assert_eq!(
        Bench::new().await.results(code).await,
        json!({"eval": "evaluated", "get": 2, "q": 1, "text": "exec( subprocess"})
    );
}

#[tokio::test]
async fn a_hidden_write_does_not_pass() {
    let bench = Bench::new().await;
    for code in [
        "from epics import PV\npv = PV('MAG:01')\ngetattr(pv, 'put')(5)\n",
        "import importlib\nimportlib.import_module('sub' + 'process').run(['true'])\n",
        "getattr(__builtins__, 'ev' + 'al')('1')\n",
    ] {
        let config = RunnableConfig::default();
        let outcome = bench
            .service
            .invoke(request("hidden", code), &config)
            .await
            .unwrap();
        let stopped = outcome.waiting().is_some()
            || outcome
                .failed()
                .is_some_and(|error| error.class() == "PolicyViolationError");
        assert!(stopped, "{code}: {outcome:#?}");
    }
}

#[tokio::test]
async fn figures_are_found_and_their_paths_are_absolute() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new().await;
    let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let code = format!(
        "import base64, os\nos.makedirs('plots/deep')\nopen('plots/deep/one.png', 'wb').write(base64.b64decode('{pixel}'))\n\
         print('drawn')\nresults = {{'n': 1}}\n"
    );
    let result = bench.success(&code).await;
    let left = result.execution_result;
    assert_eq!(
        left.figure_paths,
        [left.folder_path.join("plots/deep/one.png")]
    );
    assert!(left.folder_path.is_absolute() && left.figure_paths[0].is_file());
    let notebook = std::fs::read_to_string(left.notebook_path.unwrap()).unwrap();
    let notebook: Value = serde_json::from_str(&notebook).unwrap();
    assert!(
        notebook["metadata"]["kernelspec"]["name"].is_string(),
        "{notebook:#}"
    );
    let text = notebook.to_string();
    assert!(
        text.contains("drawn") && text.contains("image/png"),
        "outputs are in it"
    );
    let mode = std::fs::metadata(bench.data.path().join("runs"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[tokio::test]
async fn a_warning_is_no_failure() {
    let code = "import warnings, sys\nwarnings.warn('mind the gap')\nprint('noise', file=sys.stderr)\nresults = 1\n";
    assert_eq!(Bench::new().await.results(code).await, json!(1));
}

/// A service whose code comes from these recorded answers.
async fn writing(data: &std::path::Path, answers: &str) -> PythonExecutorService {
    let file = data.join("answers.md");
    std::fs::write(&file, answers).unwrap();
    let config = format!(
        "generators: {{recorded: {{provider: scripted, file: {:?}}}}}\ndefault_generator: recorded\n",
        file.display().to_string()
    );
    service_with(data, &config).await
}

fn answer(heading: &str, code: &str) -> String {
    format!("## {heading}\n\n```python\n{code}\n```\n\n")
}

#[tokio::test]
async fn code_that_failed_is_written_anew_with_what_went_wrong() {
    let data = tempfile::tempdir().unwrap();
    let answers = answer("python 1", "results = {'n': context.n / 0}")
        + &answer("python 2", "results = {'n': context.n + 1}");
    let service = writing(data.path(), &answers).await;
    let request = PythonExecutionRequest::new("q", "Add one", "fixed")
        .expecting("n")
        .context_value("n", 41);
    let result = completed(
        service
            .invoke(request, &RunnableConfig::thread("fixed"))
            .await
            .unwrap(),
    );
    assert_eq!(result.execution_result.results, json!({"n": 42}));
    assert_eq!((result.generation_attempt, result.attempt), (2, 2));
    assert_eq!(
        result.generated_code.trim(),
        "results = {'n': context.n + 1}"
    );
}

#[tokio::test]
async fn so_many_generations_as_asked_for_and_the_reason_is_told() {
    let data = tempfile::tempdir().unwrap();
    let service = writing(data.path(), &answer("python", "results = {'n': 1 / 0}")).await;
    for retries in [1, 2] {
        let mut request = PythonExecutionRequest::new("q", "Divide", "never");
        request.retries = Some(retries);
        let thread = format!("never-{retries}");
        let error = failed(
            service
                .invoke(request, &RunnableConfig::thread(&thread))
                .await
                .unwrap(),
        );
        assert_eq!(error.class(), "CodeRuntimeError", "{error}");
        assert!(
            error.to_json().to_string().contains("division by zero"),
            "{error}"
        );
        let state = service.state(thread.as_str()).await.unwrap();
        let written = state.step_with_id("python").unwrap().1.generations.len();
        assert_eq!(written, retries as usize);
    }
}

#[tokio::test]
async fn the_acceptance_tests_run_from_objectives_alone() {
    let data = tempfile::tempdir().unwrap();
    let local = writing(
        data.path(),
        &answer("python", "results = {'answer': 6 * 7}"),
    )
    .await;
    let request = PythonExecutionRequest::new(
        "Test local execution",
        "Simple mathematical calculation",
        "test_local",
    );
    let config: RunnableConfig = serde_json::from_value(
        json!({"thread_id": "test_local", "configurable": {"execution_method": "local"}}),
    )
    .unwrap();
    let result = completed(local.invoke(request, &config).await.unwrap());
    assert!(result.execution_result.success);
    let data = tempfile::tempdir().unwrap();
    let broken = writing(
        data.path(),
        &answer("python", "raise RuntimeError('on purpose')"),
    )
    .await;
    let request = PythonExecutionRequest::new(
        "Test error handling",
        "Generate code with intentional error",
        "test_error",
    );
    let outcome = broken
        .invoke(request, &RunnableConfig::thread("test_error"))
        .await
        .unwrap();
    let error = failed(outcome);
    assert!(
        matches!(error, PythonExecutorError::CodeRuntimeError(_)),
        "{error}"
    );
}

#[tokio::test]
async fn seed_container() {
    let Some(running) = crate::jupyter_rig::shared(crate::jupyter_rig::Program::Server) else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let answers = data.path().join("answers.md");
    let code = "import os, statistics\nprint('there')\n\
                results = {'mean': statistics.mean([1, 2, 6]), 'kernel': os.environ.get('KERNEL_OF_THE_TESTS')}";
    std::fs::write(&answers, answer("python", code)).unwrap();
    let config = format!(
        "execution:\n  container: {{jupyter_host: 127.0.0.1, jupyter_port: {}, token_env: {}, shared_folder: {:?}}}\n\
         generators: {{recorded: {{provider: scripted, file: {:?}}}}}\ndefault_generator: recorded\n",
        running.port,
        crate::jupyter_rig::TOKEN_NAME,
        data.path().display().to_string(),
        answers.display().to_string(),
    );
    let mut variables: BTreeMap<String, String> = std::env::vars().collect();
    variables.insert(
        crate::jupyter_rig::TOKEN_NAME.to_owned(),
        crate::jupyter_rig::TOKEN.to_owned(),
    );
    let options = OpenOptions::new(data.path())
        .program(env!("CARGO_BIN_EXE_stepwell"))
        .variables(variables)
        .config_text(config);
    let service = PythonExecutorService::open(options).await.unwrap();
    let request = PythonExecutionRequest::new(
        "Test container execution",
        "Generate simple plot and statistical analysis",
        "test_container",
    );
    let config: RunnableConfig = serde_json::from_value(
        json!({"thread_id": "test_container", "configurable": {"execution_method": "container"}}),
    )
    .unwrap();
    let result = completed(service.invoke(request, &config).await.unwrap());
    assert!(result.execution_result.success);
    assert_eq!(
        result.execution_result.results,
        json!({"mean": 3, "kernel": "readonly"})
    );
    assert_eq!(result.execution_result.stdout, "there\n");
    assert!(result.execution_result.notebook_path.unwrap().is_file());
}

#[tokio::test]
async fn a_container_that_nobody_answers_at_is_a_class_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = format!(
        "execution:\n  container: {{jupyter_host: 127.0.0.1, jupyter_port: {port}, shared_folder: {:?}}}\n",
        data.path().display().to_string()
    );
    let service = service_with(data.path(), &config).await;
    let mut request = request("unreachable", "results = 1");
    request.retries = Some(1);
    let config = RunnableConfig::default().execution_method("container");
    let error = failed(service.invoke(request, &config).await.unwrap());
    assert_eq!(
        (error.class(), error.code()),
        ("ContainerConnectivityError", "connection_refused"),
        "{error:#?}"
    );
    assert!(error.should_retry_execution() && !error.should_retry_code_generation());
}
