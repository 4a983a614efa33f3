//! `events --follow` and `logs --follow`: what somebody sees who looks on while another process drives.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::cli_rig::{Place, Ran, text};

/// Two steps; each prints before and after the other process has had time to look.
const SLOW: &str = r#"version: 1
name: slow
steps:
  - id: first
    python:
      code: |
        import time
        print("alpha", flush=True)
        time.sleep(0.6)
        print("βeta", flush=True)
        results = {}
  - id: second
    python: {code: 'print("gamma")'}
"#;

/// Starts a command whose output is read at its end.
fn start(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(child: Child) -> Ran {
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn whoever_follows_sees_all_of_it_and_stops_with_the_run() {
    let place = Place::new();
    place.write("slow.yml", SLOW);
    let run = place.json(0, &["run", "slow.yml", "--detach"]);
    let run = text(&run["run_id"]);
    let events = start(&place, &["events", run, "--follow", "--json"]);
    let logs = start(&place, &["logs", run, "-f", "--json"]);
    let told = start(&place, &["logs", run, "second", "-f"]);
    std::thread::sleep(Duration::from_millis(300));
    place.json(0, &["resume", run]);
    let (events, logs, told) = (end(events), end(logs), end(told));
    assert_eq!(events.code, Some(0), "{}", events.err);
    let seen: Vec<Value> = lines(&events.out);
    let whole = place.json(0, &["events", run]);
    assert_eq!(&seen, whole["events"].as_array().unwrap());
    assert_eq!(seen.last().unwrap()["name"], "RunSucceeded");
    assert_eq!(logs.code, Some(0), "{}", logs.err);
    let printed: String = lines(&logs.out)
        .iter()
        .map(|line| format!("{}:{}", text(&line["step"]), text(&line["text"])))
        .collect();
    // In how many pieces the text of a step comes is a matter of luck.
    let (first, second) = printed.split_once("second:").unwrap();
    assert_eq!(first.replace("first:", ""), "alpha\nβeta\n", "{printed}");
    assert_eq!(second.replace("second:", ""), "gamma\n", "{printed}");
    assert_eq!(told.out, "gamma\n", "{}", told.err);
}

fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn following_a_run_that_has_ended_ends_at_once() {
    let place = Place::new();
    let run = place.json(0, &["run", "plain.yml"]);
    let run = text(&run["run_id"]);
    let followed = place.text(0, &["events", run, "-f"]);
    let listed = place.text(0, &["events", run]);
    let bare = |text: &str| {
        text.lines()
            .map(|l| l.trim_start().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(bare(&followed), bare(&listed));
    assert_eq!(
        place.text(0, &["logs", run, "-f"]),
        place.text(0, &["logs", run])
    );
    let ran = place.run(&["events", run, "--follow", "--at", "2"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
}
