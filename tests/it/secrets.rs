//! Secrets reach the code that names them, and nothing that is kept.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use stepwell::executor::fake::{FakeAnswer as Ran, FakeExecutor};
use stepwell::run::RunStatus;
use stepwell::store::memory::MemoryStore;
use stepwell::transport::fake::{FakeAnswer, FakeTransport};

use crate::cli_rig::Place;
use crate::engine::{Rig, compiled, create, events};
use crate::process_rig::wait_until;

const TOKEN: &str = "t0ken w1th \"quotes\" é";
const FILED: &str = "second-hidden-value";

const WORKFLOW: &str = r#"version: 1
name: keeps
inputs:
  text: {type: string, default: "${{ '$' }}{{ secrets.filed }}"}
secrets:
  token: {env: KEEPS_TOKEN}
  filed: {file: private/filed.txt}
steps:
  - id: tell
    on_failure: continue
    env:
      TOKEN: "bearer ${{ secrets.token }}"
      TEXT: ${{ inputs.text }}
    python: {file: tell.py}
  - id: fails
    needs: [tell]
    env:
      TOKEN: ${{ secrets.token }}
      FILED: ${{ secrets.filed }}
    on_failure: continue
    python: {file: fails.py}
outputs:
  seen: ${{ steps.tell.outputs.seen }}
"#;

const TELL: &str = r#"
import base64, json, os, sys, time, urllib.parse
token = os.environ["TOKEN"].removeprefix("bearer ")
assert len(token) == 21, len(token)
assert os.environ["TEXT"] == "$" + "{{ secrets.filed }}", os.environ["TEXT"]
print("plain", token)
print(base64.b64encode(("user:" + token).encode()).decode())
print(json.dumps(token), urllib.parse.quote(token), repr(token))
os.write(1, token.encode()[:9]); time.sleep(0.2); os.write(1, token.encode()[9:] + b"\n")
print(token, file=sys.stderr)
with open("note.txt", "w") as file:
    file.write("x" * 65530 + token)
os.mkdir("sub")
with open("sub/" + token + ".log", "w") as file:
    file.write(token)
with open(".hidden", "w") as file:
    file.write(token)
path = save_artifact("see " + token, "about " + token, "described by " + token)
results = {"seen": token, token: [1, {"deep": token}], "length": len(token)}
"#;

const FAILS: &str = r#"
import os
results = {"before": os.environ["FILED"]}
raise ValueError(os.environ["TOKEN"] + " and " + os.environ["FILED"])
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("keeps.yml", WORKFLOW);
    place.write("tell.py", TELL);
    place.write("fails.py", FAILS);
    place.write("private/filed.txt", &format!("{FILED}\n"));
    // Reading the environment would be asked about otherwise.
    place.write("config.yml", "approval: {global_mode: disabled}\n");
    place
}

fn run(place: &Place, args: &[&str], token: Option<&str>) -> Output {
    let mut command: Command = place.command(args);
    if let Some(token) = token {
        command.env("KEEPS_TOKEN", token);
    }
    command.output().unwrap()
}

/// Files below the folder with these bytes in them or in their names.
fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let shown = path.display().to_string();
        let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        if has(entry.file_name().as_encoded_bytes()) {
            found.push(format!("name {shown}"));
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(holding(&path, needle));
        } else if entry.file_type().unwrap().is_file() && has(&fs::read(&path).unwrap_or_default())
        {
            found.push(shown);
        }
    }
    found
}

fn nothing_is_kept(place: &Place) {
    let data = place.path("data");
    for secret in [TOKEN, FILED] {
        let json = json!(secret).to_string();
        let ascii = json.trim_matches('"').replace('é', "\\u00e9");
        for needle in [secret, json.trim_matches('"'), &ascii, &secret[2..]] {
            assert_eq!(holding(&data, needle.as_bytes()), Vec::<String>::new());
        }
    }
}

#[test]
fn nothing_that_is_kept_holds_a_secret_that_the_code_told() {
    let place = place();
    let ran = run(&place, &["run", "keeps.yml", "--json"], Some(TOKEN));
    let text =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{text}");
    assert!(!text.contains(FILED) && !text.contains(TOKEN), "{text}");
    nothing_is_kept(&place);
    let folder = place.path("data/runs");
    let masked = holding(&folder, b"***token***");
    for file in [
        "stdout.log",
        "stderr.log",
        "note.txt",
        ".hidden",
        "notebook.ipynb",
        "outcome.json",
        "run.ipynb",
    ] {
        assert!(
            masked
                .iter()
                .any(|path| path.ends_with(&format!("/{file}"))),
            "{file}: {masked:#?}"
        );
    }
    assert!(
        masked
            .iter()
            .any(|path| path.starts_with("name ") && path.ends_with("/sub/***token***.log"))
    );
    let shown = place.json(0, &["show", "@last"]);
    assert_eq!(shown["outputs"]["seen"], "***token***");
    let shown = shown.to_string();
    assert!(shown.contains("***token*** and ***filed***"), "{shown}");
    assert!(
        shown.contains("${{ secrets.token }}") || !shown.contains("bearer"),
        "{shown}"
    );
}

#[test]
fn a_secret_that_is_not_there_fails_its_step_by_name() {
    let place = place();
    fs::remove_file(place.path("private/filed.txt")).unwrap();
    for (token, code) in [(None, "secret_missing"), (Some("abc"), "secret_invalid")] {
        run(&place, &["run", "keeps.yml"], token);
        let shown = place.json(0, &["show", "@last"]);
        let tell = &shown["steps"]["tell"];
        assert_eq!(tell["failure"]["code"], code, "{shown:#}");
        assert_eq!(tell["failure"]["kind"], "configuration");
        let message = tell["failure"]["message"].as_str().unwrap();
        assert!(
            message.contains("`token`") && message.contains("KEEPS_TOKEN"),
            "{message}"
        );
        assert_eq!(
            holding(&place.path("data"), b"job.json"),
            Vec::<String>::new()
        );
    }
}

#[test]
fn what_a_killed_attempt_left_is_freed_of_secrets_by_the_next_engine() {
    let place = place();
    place.write(
        "tell.py",
        r#"
import os, time
token = os.environ["TOKEN"]
with open("note.txt", "w") as file:
    file.write(token)
if os.environ["STEPWELL_ATTEMPT"] == "1":
    with open("parent.part", "w") as file:
        file.write(str(os.getppid()))
    os.rename("parent.part", "parent.txt")
    time.sleep(600)
results = {"seen": "again"}
"#,
    );
    let mut engine = place
        .command(&["run", "keeps.yml"])
        .env("KEEPS_TOKEN", TOKEN)
        .spawn()
        .unwrap();
    let runs = place.path("data/runs");
    let told = || {
        let found = holding(&runs, b"parent.txt");
        found
            .iter()
            .find_map(|path| fs::read_to_string(path.strip_prefix("name ")?).ok())
    };
    wait_until("the code runs", || runs.is_dir() && told().is_some());
    let supervisor = told().unwrap();
    // While it runs the code's own file is there; of Stepwell's own files and processes none has the value.
    let during = holding(&place.path("data"), b"t0ken");
    assert!(
        during.len() == 1 && during[0].ends_with("note.txt"),
        "{during:?}"
    );
    let environ = fs::read(format!("/proc/{supervisor}/environ")).unwrap();
    assert!(!environ.windows(5).any(|window| window == b"t0ken"));
    engine.kill().unwrap();
    engine.wait().unwrap();
    let supervisor = Pid::from_raw(supervisor.parse().unwrap());
    kill(supervisor, Signal::SIGKILL).unwrap();
    let ran = run(&place, &["resume", "@last"], Some(TOKEN));
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    nothing_is_kept(&place);
}

#[tokio::test]
async fn a_secret_in_a_header_reaches_the_other_side_and_not_the_history() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{FILED}\n")).unwrap();
    let mut rig = Rig::new(MemoryStore::new());
    rig.transport = Arc::new(FakeTransport::default().on_request(|asked| {
        let told: Vec<&String> = asked.headers.iter().map(|(_, value)| value).collect();
        FakeAnswer::json(200, &json!({"told": told}))
    }));
    let engine = rig.engine(&Arc::new(FakeExecutor::new(|_| Ran::results(json!({})))));
    let made = compiled(&format!(
        r#"
inputs:
  text: {{type: string}}
secrets:
  token: {{file: "{}"}}
steps:
  - id: ask
    http:
      method: GET
      url: http://a.example
      headers:
        X-Token: Bearer ${{{{ secrets.token }}}}
        X-Text: ${{{{ inputs.text }}}}
"#,
        file.path().display()
    ));
    let run = create(&engine, &made, json!({"text": "${{ secrets.token }}"})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded, "{:?}", state.ending);
    let asked = rig.transport.requests();
    let sent: Vec<&str> = asked[0]
        .headers
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(sent, [&format!("Bearer {FILED}"), "${{ secrets.token }}"]);
    let outputs = state
        .step_with_id("ask")
        .unwrap()
        .1
        .outputs
        .clone()
        .unwrap();
    assert_eq!(outputs["body"]["told"][0], "Bearer ***token***");
    for recorded in events(&engine, run).await {
        let body = recorded.event.to_json().to_string();
        assert!(!body.contains(FILED), "{body}");
    }
}
