//! What a step's code meets: names, files, imports, failures, output.

use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde_json::json;
use stepwell::executor::{Executor as _, Limits, OutcomeStatus};
use stepwell::failure::FailureKind;

use crate::executor_rig::{Rig, SECRET, failure_of, read};

#[tokio::test]
async fn the_code_runs_as_a_real_main_from_its_own_bytes() {
    let rig = Rig::new().await;
    let code = r#"from __future__ import annotations
import dataclasses, inspect, pickle, sys, __main__
text = """one
two
    three"""
@dataclasses.dataclass
class Point:
    x: int
    y: "Point | None" = None
def area(w, h):
    return w * h
if __name__ == "__main__":
    results = {
        "text": text,
        "pickled": pickle.loads(pickle.dumps(Point(3))) == Point(3),
        "main": __main__.area is area and sys.modules["__main__"].__dict__ is globals(),
        "source": inspect.getsource(area),
        "class_source": inspect.getsource(Point).splitlines()[0],
        "argv": len(sys.argv), "own": open(__file__).read().startswith("from __future__"),
        "stdlib_code": __import__("code").InteractiveConsole.__name__,
    }
"#;
    let results = rig.results(code).await;
    assert_eq!(results["text"], "one\ntwo\n    three");
    assert_eq!(results["source"], "def area(w, h):\n    return w * h\n");
    assert_eq!(results["class_source"], "@dataclasses.dataclass");
    assert_eq!(results["stdlib_code"], "InteractiveConsole");
    for (key, value) in [
        ("pickled", json!(true)),
        ("main", json!(true)),
        ("argv", json!(1)),
        ("own", json!(true)),
    ] {
        assert_eq!(results[key], value, "{key}");
    }
}

#[tokio::test]
async fn byte_order_marks_cookies_and_crlf_are_pythons_business() {
    let rig = Rig::new().await;
    let job = rig.job("\u{feff}x = 'é'\r\nresults = [x, '''a\r\nb''']\r\n");
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.results, Some(json!(["é", "a\nb"])));
    assert_eq!(read(&job, "code.py"), job.code);
}

#[tokio::test]
async fn context_is_read_by_attribute_and_by_key_and_keys_win() {
    let rig = Rig::new().await;
    let mut job = rig.job(
        r#"
import json, copy, pickle
try:
    context.bpn
except AttributeError as error:
    missing = str(error)
results = {
    "items": context.items, "deep": context.load.rows[1].x, "key": context["load"]["rows"][0]["x"],
    "len": len(context), "in": "load" in context, "dict": type(dict(context)).__name__, "keys": sorted(context),
    "get": context.load.get("none", 5), "missing": missing, "json": json.loads(json.dumps(context.load)),
    "copy": copy.deepcopy(context).load.rows[0].x, "pickle": pickle.loads(pickle.dumps(context)).load.rows[0].x,
    "float": context.float,
}
"#,
    );
    job.context = json!({"items": [1, 2], "keys": "k", "load": {"rows": [{"x": 1}, {"x": "é😀"}]}, "float": 0.1});
    let outcome = rig.executor.execute(job).await.unwrap();
    let results = outcome
        .results
        .unwrap_or_else(|| panic!("{:?}", outcome.status));
    assert_eq!(results["items"], json!([1, 2]));
    assert_eq!(results["deep"], "é😀");
    assert_eq!(
        (&results["key"], &results["len"], &results["in"]),
        (&json!(1), &json!(4), &json!(true))
    );
    assert_eq!(results["keys"], json!(["float", "items", "keys", "load"]));
    assert_eq!(
        (&results["get"], &results["dict"]),
        (&json!(5), &json!("dict"))
    );
    assert_eq!(
        results["missing"],
        "context has no 'bpn'; it has 'items', 'keys', 'load', 'float'"
    );
    assert_eq!(results["json"], json!({"rows": [{"x": 1}, {"x": "é😀"}]}));
    assert_eq!(
        (&results["copy"], &results["pickle"], &results["float"]),
        (&json!(1), &json!(1), &json!(0.1))
    );
}

/// Each line: code, expected failure code, a piece of the message.
#[tokio::test]
async fn every_end_has_its_own_code() {
    let rig = Rig::new().await;
    let table = [
        (
            "1/0",
            "python_exception",
            "ZeroDivisionError: division by zero",
        ),
        ("x = (1,\n", "python_syntax_error", "SyntaxError"),
        (
            "import no_such_thing.sub",
            "module_missing",
            "no_such_thing",
        ),
        ("import sys; sys.exit(3)", "exit_status", "exit status 3"),
        ("raise SystemExit('beam lost')", "exit_status", "beam lost"),
        ("import os; os._exit(0)", "exited_early", "status 0"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "SIGSEGV"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "killed",
            "memory",
        ),
        ("raise MemoryError", "memory_exceeded", "MemoryError"),
        (
            "raise KeyboardInterrupt",
            "python_exception",
            "KeyboardInterrupt",
        ),
        (
            "open('/dev/full', 'wb', 0).write(b'x')",
            "disk_full",
            "No space left",
        ),
        (
            "open('big', 'wb').truncate(2 << 30)",
            "files_too_large",
            "File too large",
        ),
        (
            "class E(Exception):\n  def __str__(self): raise ValueError\nraise E()",
            "python_exception",
            "could not be read",
        ),
    ];
    for (code, expected, piece) in table {
        let failure = rig.failure(code).await;
        assert_eq!(failure.code, expected, "{code}: {failure:#?}");
        assert!(
            failure.message.contains(piece),
            "{code}: {}",
            failure.message
        );
    }
    for code in [
        "import sys; sys.exit()",
        "import sys; sys.exit(0)",
        "raise SystemExit(None)",
        "pass",
    ] {
        assert_eq!(
            rig.run(code).await.status,
            OutcomeStatus::Succeeded,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_traceback_has_the_users_frames_lines_and_name_only() {
    let rig = Rig::new().await;
    let failure = rig
        .failure("def f():\n    return {}['k']\ntry:\n    f()\nexcept KeyError as error:\n    raise ValueError('worse') from error\n")
        .await;
    let traceback = failure.traceback.unwrap();
    assert!(traceback.starts_with("Traceback (most recent call last):\n  File \"stages/load.py\", line 4, in <module>\n    f()\n"), "{traceback}");
    assert!(
        traceback.contains("  File \"stages/load.py\", line 2, in f\n    return {}['k']\n"),
        "{traceback}"
    );
    assert!(
        traceback.contains("direct cause of the following exception"),
        "{traceback}"
    );
    assert!(traceback.ends_with("ValueError: worse\n"), "{traceback}");
    assert!(
        !traceback.contains("stepwell_harness") && !traceback.contains("code.py"),
        "{traceback}"
    );
    assert_eq!(failure.detail["line"], 6);
    assert_eq!(failure.kind, FailureKind::Code);

    let failure = rig.failure("a = 1\nb = a +* 2\n").await;
    let traceback = failure.traceback.unwrap();
    assert!(
        traceback.starts_with("  File \"stages/load.py\", line 2\n    b = a +* 2\n"),
        "{traceback}"
    );
    assert!(traceback.contains('^'), "{traceback}");
    assert_eq!(failure.detail["line"], 2);

    let failure = rig.failure("def f(): f()\nf()").await;
    assert!(
        failure
            .traceback
            .unwrap()
            .contains("Previous line repeated")
    );
}

#[tokio::test]
async fn memory_beyond_the_limit_is_a_memory_error() {
    let rig = Rig::new().await;
    let mut job = rig.job("x = bytearray(2_000_000_000)");
    job.limits = Limits {
        memory_bytes: Some(500_000_000),
        ..Limits::default()
    };
    let failure = failure_of(rig.executor.execute(job).await.unwrap());
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("memory_exceeded", FailureKind::Resources)
    );
}

#[tokio::test]
async fn nothing_of_the_engine_reaches_the_processes_of_a_step() {
    let rig = Rig::new().await;
    // A file that whoever started the engine left open for its children.
    let left_open = std::fs::File::open("/dev/null").unwrap();
    fcntl(&left_open, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let mut job = rig.job(
        "import os\nparent = open(f'/proc/{os.getppid()}/environ').read()\n\
         results = {'parent': parent.split('\\0'), 'fds': len(os.listdir('/proc/self/fd')),\n\
         'env': dict(os.environ), 'cwd': os.getcwd()}",
    );
    // What is behind the wall is looked at without it.
    job.protection.isolation = stepwell::plan::IsolationLevel::Off;
    job.env
        .insert("EPICS_CA_ADDR_LIST".to_owned(), "10.0.0.1".to_owned());
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    let results = outcome.results.unwrap();
    assert!(!results.to_string().contains(SECRET.1), "{results}");
    for entry in results["parent"].as_array().unwrap() {
        let name = entry.as_str().unwrap().split('=').next().unwrap();
        let passed = [
            "",
            "PATH",
            "LANG",
            "LC_ALL",
            "TZ",
            "LD_LIBRARY_PATH",
            "STEPWELL_MARK",
        ];
        assert!(
            passed.contains(&name) || name.contains("BLAS_") || name.contains("OMP_"),
            "{entry}"
        );
    }
    assert_eq!(results["fds"], 4, "three streams and the listing itself");
    assert_eq!(results["cwd"], job.folder.to_str().unwrap());
    let env = &results["env"];
    assert_eq!(env["EPICS_CA_ADDR_LIST"], "10.0.0.1");
    assert_eq!(
        (&env["STEPWELL_STEP"], &env["STEPWELL_MODE"]),
        (&json!("load"), &json!("read_only"))
    );
    assert_eq!(env["STEPWELL_RUN_ID"], job.run.to_string());
    assert_eq!(env["STEPWELL_ATTEMPT"], job.attempt.to_string());
    assert!(
        !Path::new(env["TMPDIR"].as_str().unwrap()).exists(),
        "temporary files are gone"
    );
}

#[tokio::test]
async fn helpers_beside_the_workflow_import_and_stay_clean() {
    let rig = Rig::new().await;
    let source = rig.data.path().join("my workflow é");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("helper.py"), "VALUE = 42").unwrap();
    std::fs::write(
        source.join("json.py"),
        "raise RuntimeError('hides the library')",
    )
    .unwrap();
    let mut job = rig.job("import helper, json, os\nresults = [helper.VALUE, json.loads('1'), os.environ['STEPWELL_WORKFLOW_DIR']]");
    job.source_folder = Some(source.clone());
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(
        outcome.results,
        Some(json!([42, 1, source.to_str().unwrap()]))
    );
    assert!(!source.join("__pycache__").exists());
}

#[tokio::test]
async fn spaces_quotes_and_unicode_in_paths_are_fine() {
    let rig = Rig::new().await;
    let mut job = rig.job("save_artifact('x', 'Ergebnis für Müller.txt')\nresults = 1/0");
    job.folder = rig.data.path().join("it's a \"run\" — β\\n/größe");
    job.file_name = "stages/\"größe\".py".to_owned();
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(
        outcome.artifacts[0].path,
        "artifacts/Ergebnis_für_Müller.txt"
    );
    assert!(
        failure_of(outcome)
            .traceback
            .unwrap()
            .contains("stages/\"größe\".py")
    );
}

#[tokio::test]
async fn pools_of_processes_work_however_they_start() {
    let rig = Rig::new().await;
    let code = r#"
import multiprocessing, concurrent.futures
factor = context.factor
def work(x):
    return x * factor + context["factor"]
if __name__ == "__main__":
    results = {}
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            results[method] = pool.map(work, [1, 2, 3])
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        results["futures"] = list(pool.map(work, [1, 2]))
"#;
    let mut job = rig.job(code);
    job.context = json!({"factor": 10});
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(
        outcome.status,
        OutcomeStatus::Succeeded,
        "{outcome:#?} {}",
        read(&job, "stderr.log")
    );
    let results = outcome.results.unwrap();
    for method in ["fork", "spawn", "forkserver"] {
        assert_eq!(results[method], json!([20, 30, 40]), "{method}");
    }
    assert_eq!(results["futures"], json!([20, 30]));
    assert_eq!(outcome.notes, Vec::<String>::new());
}

#[tokio::test]
async fn a_forked_child_that_falls_off_the_end_does_not_answer_for_its_parent() {
    let rig = Rig::new().await;
    let results = rig.results("import os\npid = os.fork()\nresults = 'child' if pid == 0 else 'parent'\nif pid: os.waitpid(pid, 0)").await;
    assert_eq!(results, json!("parent"));
}

#[tokio::test]
async fn a_missing_interpreter_is_an_error_of_the_surroundings() {
    let rig = Rig::new().await;
    let mut job = rig.job("pass");
    job.environment.interpreter = "/nowhere/python".into();
    let failure = rig.executor.execute(job).await.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("spawn_failed", FailureKind::Infrastructure)
    );
    let mut job = rig.job("pass");
    job.environment.interpreter = "/bin/false".into();
    let failure = failure_of(rig.executor.execute(job).await.unwrap());
    assert_eq!(failure.code, "interpreter_failed");
}
