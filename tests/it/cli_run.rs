//! `run`, `resume`, `cancel`: exit codes, outcomes, interruptions.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::cli_rig::{Place, Ran, mode, text};

/// The beginning of code that says which process it is.
const WRITE_PID: &str = "import os, time\nwith open('pid.part', 'w') as f:\n    f.write(str(os.getpid()))\n\
    os.rename('pid.part', 'pid')\n";

#[test]
fn a_run_that_succeeds_prints_its_outputs_and_ends_with_0() {
    let place = Place::new();
    let ran = place.run(&["run", "plain.yml", "-i", "n=21", "-i", "numbers=[1, 2, 3]"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    insta::assert_snapshot!("cli_run_succeeded", place.still(&ran.out));
    insta::assert_snapshot!("cli_run_progress", place.still(&ran.err));
    assert!(
        !ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'),
        "no control codes without a terminal"
    );
    assert_eq!(mode(&place.path("data")), 0o700);
}

#[test]
fn the_document_of_a_run_has_what_programs_rely_on() {
    let place = Place::new();
    place.write("inputs.json", r#"{"n": 4, "numbers": [5]}"#);
    let document = place.json(
        0,
        &["run", "plain.yml", "--inputs", "inputs.json", "-i", "n=5"],
    );
    assert_eq!(document["inputs"], json!({"n": 5, "numbers": [5]}));
    assert_eq!(document["outputs"], json!({"n": 10, "sum": 5}));
    assert_eq!(document["status"], "succeeded");
    assert_eq!(document["workflow"], "plain");
    assert_eq!(document["pipeline_completed"], true);
    assert_eq!(document["steps"]["double"]["status"], "succeeded");
    assert_eq!(document["waiting"], json!([]));
    assert_eq!(
        place.json(0, &["show", "@last"]),
        document,
        "show prints the same document"
    );
}

#[test]
fn a_value_may_come_from_a_file() {
    let place = Place::new();
    place.write("numbers.json", "[7, 8]\n");
    let document = place.json(0, &["run", "plain.yml", "-i", "numbers=@numbers.json"]);
    assert_eq!(document["outputs"]["sum"], 15);
}

#[test]
fn file_inputs_become_absolute_and_must_exist() {
    let place = Place::new();
    place.write(
        "sub/files.yml",
        "version: 1\nname: files\ninputs:\n  a: {type: file, default: a.csv}\n  b: {type: file}\nsteps:\n  - id: s\n    \
         set: {a: \"${{ inputs.a }}\", b: \"${{ inputs.b }}\"}\n",
    );
    place.write("sub/a.csv", "");
    place.write("b.csv", "");
    let document = place.json(0, &["run", "sub/files.yml", "-i", "b=b.csv"]);
    assert_eq!(
        text(&document["inputs"]["a"]),
        place.path("sub/a.csv").to_str().unwrap()
    );
    assert_eq!(
        text(&document["inputs"]["b"]),
        place.path("b.csv").to_str().unwrap()
    );
    let ran = place.run(&["run", "sub/files.yml", "-i", "b=nowhere.csv"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .starts_with("error[input_file_missing]: the file of the input `b`"),
        "{}",
        ran.err
    );
    assert_eq!(
        place.json(0, &["list"])["runs"].as_array().unwrap().len(),
        1,
        "no run was recorded"
    );
}

#[test]
fn a_run_that_fails_shows_the_users_traceback_and_ends_with_1() {
    let place = Place::new();
    place.python(
        "fails",
        "",
        "def f(x):\n    return 1 / x\nprint('before')\nf(0)",
    );
    let ran = place.run(&["run", "fails.yml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for part in [
        "✗ fails failed",
        "failure: step work (code, python_exception)",
        "File \"work.py\", line 2, in f",
        "ZeroDivisionError: division by zero",
        "what it printed: stepwell logs",
    ] {
        assert!(ran.out.contains(part), "`{part}` in {}", ran.out);
    }
    let logs = place.run(&["logs", "@last", "work"]);
    assert_eq!((logs.code, logs.out.as_str()), (Some(0), "before\n"));
    let document = place.json(1, &["resume", "@last"]);
    assert_eq!(document["failure"]["failure"]["code"], "python_exception");
}

#[test]
fn a_detached_run_has_not_begun_until_it_is_resumed() {
    let place = Place::new();
    insta::assert_snapshot!(
        "cli_run_detached",
        place.text(0, &["run", "plain.yml", "--detach"])
    );
    assert_eq!(place.json(0, &["show", "@last"])["status"], "pending");
    assert_eq!(place.json(0, &["resume", "@last"])["status"], "succeeded");
    assert_eq!(
        place.run(&["resume", "@last"]).code,
        Some(0),
        "an ended run gives its outcome"
    );
}

#[test]
fn many_runs_are_resumed_at_once_and_the_gravest_counts() {
    let place = Place::new();
    assert_eq!(place.run(&["resume", "--all"]).out, "no unfinished runs\n");
    place.json(0, &["run", "plain.yml", "--detach"]);
    place.json(0, &["run", "asks.yml", "--detach"]);
    let document = place.json(3, &["resume", "--all"]);
    let statuses: Vec<&str> = document["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| text(&run["status"]))
        .collect();
    assert_eq!(statuses, ["succeeded", "waiting"], "oldest first");
}

#[test]
fn ctrl_c_leaves_a_run_that_goes_on_and_is_adopted() {
    let place = Place::new();
    let code = format!("{WRITE_PID}time.sleep(5)\nresults = {{'n': 1}}");
    place.python("naps", "", &code);
    let child = place
        .command(&["run", "naps.yml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_pid(&place);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(
        ran.err.contains("interrupted: nothing is lost.")
            && ran.err.contains("\n  stepwell resume "),
        "{}",
        ran.err
    );
    let document = place.json(0, &["resume", "@last"]);
    assert_eq!(document["outputs"], json!({"n": 1}));
    let attempts = &document["steps"]["work"]["attempts"];
    assert_eq!(
        attempts.as_array().unwrap().len(),
        1,
        "adopted, not repeated: {attempts}"
    );
}

/// Starts the program in a terminal of 40 columns, types Ctrl-C once its step runs, prints what was shown.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
child, screen = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
shown, typed = b"", False
while True:
    try:
        part = os.read(screen, 4096)
    except OSError:
        break
    shown += part
    if not typed and b"a_step_with" in shown:
        os.write(screen, b"\x03")
        typed = True
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn a_terminal_sees_live_lines_and_its_ctrl_c_leaves_the_run_resumable() {
    let place = Place::new();
    place.python("live", "", "import time\ntime.sleep(5)\nresults = {'n': 1}");
    let text = std::fs::read_to_string(place.path("live.yml")).unwrap();
    let id = "a_step_with_a_name_that_is_longer_than_the_terminal_is_wide";
    place.write(
        "live.yml",
        &text
            .replace("id: work", &format!("id: {id}"))
            .replace("steps.work", &format!("steps.{id}")),
    );
    let program = env!("CARGO_BIN_EXE_stepwell");
    let mut terminal = std::process::Command::new("python3");
    terminal
        .args(["-c", TERMINAL, program, "run", "live.yml"])
        .current_dir(place.path(""));
    let ran = Ran::of(&terminal.output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.out.contains("\u{1b}["), "live lines move the cursor");
    assert!(
        !ran.out.contains(id),
        "a long name is cut at the edge: {}",
        ran.out
    );
    assert!(
        ran.out.contains("interrupted: nothing is lost."),
        "{}",
        ran.out
    );
    assert_eq!(
        place.json(0, &["resume", "@last"])["outputs"],
        json!({"n": 1})
    );
}

#[test]
fn a_cancelled_run_leaves_no_process_behind() {
    let place = Place::new();
    place.python("hangs", "", &format!("{WRITE_PID}time.sleep(600)"));
    let mut child = place
        .command(&["run", "hangs.yml"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = wait_for_pid(&place);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        kill(pid, None).is_ok(),
        "the step goes on without its engine"
    );
    let ran = place.run(&["cancel", "@last", "--reason", "enough"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("hangs was cancelled"), "{}", ran.out);
    assert!(
        kill(pid, None).is_err(),
        "the step is dead when cancel returns"
    );
    assert_eq!(place.run(&["resume", "@last"]).code, Some(1));
    let again = place.run(&["cancel", "@last"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.starts_with("error[run_ended]"), "{}", again.err);
}

/// The process of the step, once its code has begun.
fn wait_for_pid(place: &Place) -> Pid {
    let begun = Instant::now();
    loop {
        let mut found = Vec::new();
        find(&place.path("data/runs"), "pid", &mut found);
        if let Some(pid) = found.first().and_then(|text| text.parse().ok()) {
            return Pid::from_raw(pid);
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the step never began"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn find(folder: &std::path::Path, name: &str, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            find(&entry.path(), name, out);
        } else if entry.file_name() == name {
            let mut text = String::new();
            std::fs::File::open(entry.path())
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            out.push(text);
        }
    }
}
