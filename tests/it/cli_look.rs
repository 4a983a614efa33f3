//! The commands that look: text and JSON.

use serde_json::{Value, json};

use crate::cli_rig::{ASKS, Place, text};

#[test]
fn an_empty_folder_stays_empty_when_somebody_looks() {
    let place = Place::new();
    assert_eq!(place.text(0, &["list"]), "no runs\n");
    assert_eq!(place.json(0, &["list"]), json!({"runs": []}));
    assert_eq!(place.text(0, &["approvals"]), "no open questions\n");
    assert_eq!(place.json(0, &["verify"])["sound"], true);
    let ran = place.run(&["show", "@last"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .starts_with("error[unknown_run]: there are no runs: there is no data folder `data`")
    );
    assert!(!place.path("data").exists());
}

#[test]
fn lists_show_the_newest_first_and_can_be_filtered() {
    let place = Place::new();
    place.json(0, &["run", "plain.yml"]);
    place.json(3, &["run", "asks.yml"]);
    insta::assert_snapshot!("cli_list", place.text(0, &["list"]));
    let names = |args: &[&str]| -> Vec<String> {
        let list = place.json(0, &[&["list"], args].concat());
        list["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| text(&run["workflow"]).to_owned())
            .collect()
    };
    assert_eq!(names(&[]), ["asks", "plain"]);
    assert_eq!(names(&["--limit", "1"]), ["asks"]);
    assert_eq!(names(&["--status", "waiting"]), ["asks"]);
    assert_eq!(
        names(&["--status", "waiting", "--status", "succeeded"]),
        ["asks", "plain"]
    );
    assert_eq!(names(&["--workflow", "plain"]), ["plain"]);
    assert_eq!(names(&["--workflow", "none"]), [""; 0]);
}

#[test]
fn a_run_is_found_by_any_end_of_its_id() {
    let place = Place::new();
    let first = place.json(0, &["run", "plain.yml"]);
    let second = place.json(0, &["run", "plain.yml"]);
    let (one, two) = (text(&first["run_id"]), text(&second["run_id"]));
    for word in [
        one,
        &one["run_".len()..],
        &one[one.len() - 8..],
        &one[..one.len() - 1],
    ] {
        assert_eq!(
            text(&place.json(0, &["show", word])["run_id"]),
            one,
            "{word}"
        );
    }
    assert_eq!(text(&place.json(0, &["show", "@last"])["run_id"]), two);
    let ran = place.run(&["show", &one[..8]]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error[ambiguous_run]"), "{}", ran.err);
    assert!(
        ran.err.contains(one) && ran.err.contains(two),
        "{}",
        ran.err
    );
    let ran = place.run(&["show", "run_zzz"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .starts_with("error[unknown_run]: there is no run `run_zzz`"),
        "{}",
        ran.err
    );
}

#[test]
fn the_history_is_shown_and_any_moment_of_it() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml", "-i", "depth=5"]);
    insta::assert_snapshot!("cli_show", place.text(0, &["show", "@last"]));
    insta::assert_snapshot!("cli_events", place.text(0, &["events", "@last"]));
    insta::assert_snapshot!(
        "cli_events_at",
        place.text(0, &["events", "@last", "--at", "3"])
    );
    let events = place.json(0, &["events", "@last"]);
    let seqs: Vec<u64> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(
        place.json(0, &["events", "@last", "--at", "1"])["status"],
        "pending"
    );
    let ran = place.run(&["events", "@last", "--at", "999"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error[unknown_event]"), "{}", ran.err);
}

#[test]
fn results_logs_and_notebooks_of_a_python_step() {
    let place = Place::new();
    place.python(
        "works",
        "",
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\nresults = {'n': 3}",
    );
    place.json(0, &["run", "works.yml"]);
    assert_eq!(place.text(0, &["logs", "@last"]), "out\n");
    assert_eq!(
        place.text(0, &["logs", "@last", "work", "--stderr"]),
        "err\n"
    );
    assert_eq!(
        place.json(0, &["logs", "@last"])["logs"][0]["stdout"],
        "out\n"
    );
    assert_eq!(
        place.json(0, &["results", "@last"])["outputs"],
        json!({"n": 3})
    );
    assert_eq!(
        place.json(0, &["results", "@last", "work"])["results"],
        json!({"n": 3})
    );
    let printed = place.run(&["notebook", "@last"]);
    assert!(place.path(printed.out.trim()).is_file(), "{printed:?}");
    let copied = place.run(&["notebook", "@last", "work", "-o", "copy.ipynb"]);
    assert_eq!(
        (copied.code, copied.out.as_str()),
        (Some(0), "copy.ipynb\n")
    );
    let notebook: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("copy.ipynb")).unwrap()).unwrap();
    assert_eq!(notebook["nbformat"], 4);
    for args in [
        ["logs", "@last", "wrok"],
        ["notebook", "@last", "wrok"],
        ["results", "@last", "wrok"],
    ] {
        let ran = place.run(&args);
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("did you mean `work`?"), "{}", ran.err);
    }
    place.json(0, &["run", "plain.yml"]);
    let ran = place.run(&["logs", "@last", "double"]);
    assert!(
        ran.err.starts_with("error[nothing_recorded]"),
        "{}",
        ran.err
    );
}

const NESTED: &str = "version: 1
name: nested
steps:
  - {id: load, set: {x: [1, 2]}}
  - {id: each, foreach: {items: \"${{ steps.load.outputs.x }}\", as: bpm, steps: [{id: fit, set: {x: \"${{ bpm }}\"}}]}}
  - {id: poll, until: {condition: true, max: 3, steps: [{id: ask, set: {x: 1}}]}}
  - {id: par, parallel: [{name: left, steps: [{id: one, set: {x: 1}}]}]}
  - {id: child, needs: [], workflow: parts/child.yml}
handlers:
  failure: [{notify: ops, text: \"${{ failure.message }}\"}]
";

#[test]
fn what_stands_inside_is_explained_and_faults_of_a_child_are_told_with_its_file() {
    let place = Place::new();
    place.write("nested.yml", NESTED);
    std::fs::create_dir(place.path("parts")).unwrap();
    place.write(
        "parts/child.yml",
        "version: 1\nname: child\nsteps: [{id: a, set: {x: 1}}]\n",
    );
    let told = place.text(0, &["validate", "nested.yml", "--explain"]);
    for line in [
        "  each.fit\n    runs for every bpm of each\n",
        "  poll.ask\n    runs in every round of poll\n",
        "  par.left.one\n    runs in the branch left of par\n",
        "  handlers.failure.failure_1\n    runs when the run failed\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    place.write("parts/child.yml", "version: 1\nname: child\nsteps: []\n");
    let ran = place.run(&["validate", "nested.yml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.err.contains("error[child_refused]") && ran.err.contains("parts/child.yml:3:8"),
        "{ran:?}"
    );
}

#[test]
fn workflows_are_validated_drawn_and_explained() {
    let place = Place::new();
    insta::assert_snapshot!(
        "cli_validate",
        place.text(0, &["validate", "asks.yml", "plain.yml", "--explain"])
    );
    place.write(
        "bad.yml",
        "version: 1\nname: bad\nsteps:\n  - id: a\n    needs: [b]\n    set: {x: 1}\n",
    );
    let ran = place.run(&["validate", "plain.yml", "bad.yml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.starts_with("plain.yml: valid"), "{ran:?}");
    assert!(
        ran.err.starts_with("error[unknown_step]") && ran.err.contains("bad.yml:5:"),
        "{ran:?}"
    );
    let document = place.json(2, &["validate", "bad.yml"]);
    assert_eq!(document["files"][0]["valid"], false);
    assert_eq!(document["files"][0]["diagnostics"][0]["place"]["line"], 5);
    assert_eq!(
        place.json(2, &["run", "bad.yml"])["diagnostics"][0]["code"],
        "unknown_step"
    );
    assert!(place.text(0, &["graph", "asks.yml"]).contains("dig (set)"));
    assert!(
        place
            .text(0, &["graph", "asks.yml", "--mermaid"])
            .starts_with("flowchart TD")
    );
    assert_eq!(place.json(0, &["graph", "asks.yml"])["workflow"], "asks");
}

#[test]
fn code_is_analysed_without_being_run() {
    let place = Place::new();
    place.write("calm.py", "results = {'n': 1}\n");
    place.write("wild.py", "import subprocess\nsubprocess.run(['true'])\n");
    let document = place.json(0, &["analyze", "calm.py"]);
    assert_eq!(
        (&document["verdict"], &document["risk"]),
        (&json!("pass"), &json!("low"))
    );
    assert_eq!(document["policy"]["needs_approval"], false);
    let document = place.json(0, &["analyze", "wild.py"]);
    assert_eq!(document["verdict"], "ask");
    assert_eq!(document["capabilities"], json!(["process"]));
    assert_eq!(document["findings"][0]["line"], 2);
    let text = place.text(0, &["analyze", "calm.py", "--mode", "write_access"]);
    assert!(
        text.starts_with("? ask: a person decides in mode write_access"),
        "{text}"
    );
    let ran = place.run(&["analyze", "calm.py", "--mode", "rw"]);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn a_new_folder_has_a_workflow_that_runs_and_nothing_is_overwritten() {
    let place = Place::new();
    place.write("new one/config.yml", "# mine\n");
    insta::assert_snapshot!("cli_init", place.text(0, &["init", "new one"]));
    assert_eq!(
        std::fs::read_to_string(place.path("new one/config.yml")).unwrap(),
        "# mine\n"
    );
    let document = place.json(0, &["run", "new one/workflow.yml", "-i", "count=3"]);
    assert_eq!(document["outputs"]["note"], "nobody was asked");
    assert_eq!(place.json(0, &["init", "new one"])["written"], json!([]));
    let here = place.json(0, &["init"]);
    assert_eq!(here["written"].as_array().unwrap().len(), 4, "{here}");
    place.json(0, &["validate", "workflow.yml"]);
    place.json(0, &["init", "other"]);
    let doctor = place.json(0, &["--config", "other/config.yml", "doctor"]);
    assert_eq!(doctor["checks"][0]["message"], "other/config.yml");
    assert_eq!(
        place.json(3, &["run", "other/workflow.yml"])["status"],
        "waiting"
    );
}

#[test]
fn a_sound_folder_is_verified_and_a_damaged_one_is_found() {
    let place = Place::new();
    let run = place.json(0, &["run", "plain.yml"]);
    let verified = place.json(0, &["verify"]);
    assert_eq!(verified["runs"], 1);
    assert!(verified["files"].as_u64().unwrap() >= 2, "{verified}");
    damage(&place, text(&run["plan"]));
    let verified = place.json(4, &["verify"]);
    assert_eq!(verified["sound"], false);
    assert_eq!(place.run(&["verify", "@last"]).code, Some(4));
    let doctor = place.json(1, &["doctor"]);
    assert_eq!(doctor["healthy"], false);
    assert_eq!(
        place.json(4, &["show", "@last"])["error"]["code"],
        "artifact_damaged"
    );
}

#[test]
fn doctor_says_why_each_unfinished_run_waits() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    place.json(0, &["run", "plain.yml", "--detach"]);
    let text = place.text(0, &["doctor"]);
    assert!(text.contains("asks waits for an answer to APR"), "{text}");
    assert!(text.contains("plain was created and never begun"), "{text}");
    assert!(text.contains("✓ python: python 3."), "{text}");
    place.write("config.yml", "execution:\n  modes:\n    write_access: {requires_approval: false}\napproval: {global_mode: disabled}\n");
    let text = place.text(0, &["doctor"]);
    assert!(
        text.contains(
            "! approval policy: code in the mode write_access writes without anybody being asked"
        ),
        "{text}"
    );
    place.write("config.yml", "approvals: {}\n");
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out
            .starts_with("✗ configuration: config.yml: error[unknown_key]"),
        "{}",
        ran.out
    );
}

#[test]
fn a_damaged_run_hides_no_question_of_another() {
    let place = Place::new();
    let damaged = place.json(3, &["run", "asks.yml"]);
    place.write("other.yml", &ASKS.replace("name: asks", "name: other"));
    let whole = place.json(3, &["run", "other.yml"]);
    damage(&place, text(&damaged["plan"]));
    let ran = place.run(&["approvals"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.starts_with("error[artifact_damaged]"),
        "{}",
        ran.err
    );
    let id = text(&whole["waiting"][0]["approval_id"]);
    assert!(ran.out.contains(id), "{}", ran.out);
    assert_eq!(place.run(&["approve", id, "--resume"]).code, Some(0));
}

/// Changes a stored file.
fn damage(place: &Place, digest: &str) {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let blob = place.path(&format!("data/blobs/{}/{}", &hex[..2], &hex[2..]));
    // Written anew, since the file itself may be read-only.
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "{}").unwrap();
}

#[test]
fn a_picture_goes_to_a_file_or_to_standard_output() {
    let place = Place::new();
    assert_eq!(
        place.text(0, &["graph", "plain.yml", "--svg", "-o", "out.svg"]),
        "wrote out.svg\n"
    );
    let written = std::fs::read_to_string(place.path("out.svg")).unwrap();
    assert!(written.starts_with("<svg ") && written.contains(">double<"));
    assert_eq!(place.run(&["graph", "plain.yml", "--svg"]).out, written);
    assert_eq!(place.json(0, &["graph", "plain.yml"])["svg"], written);
    place.text(2, &["graph", "plain.yml", "-o", "out.svg"]);
    place.text(4, &["graph", "plain.yml", "--svg", "-o", "none/out.svg"]);
}

#[test]
fn a_workflow_without_schedules_says_so_and_an_instant_must_be_one() {
    let place = Place::new();
    assert_eq!(
        place.text(0, &["schedule", "next", "plain.yml"]),
        "plain has no schedules\n"
    );
    let document = place.json(0, &["schedule", "next", "plain.yml"]);
    assert_eq!(document, json!({"workflow": "plain", "schedules": []}));
    let ran = place.run(&["schedule", "next", "plain.yml", "--after", "noon"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("`noon` is no instant"), "{}", ran.err);
}

#[test]
fn doctor_looks_at_limits_secrets_and_notebooks() {
    let place = Place::new();
    let checks = |code: i32, name: &str| -> Vec<serde_json::Value> {
        let doctor = place.json(code, &["doctor"]);
        let checks = doctor["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["name"] == name)
            .cloned()
            .collect()
    };
    place.json(0, &["run", "plain.yml"]);
    assert_eq!(checks(0, "secrets")[0]["status"], "ok");
    assert_eq!(checks(0, "notebooks")[0]["status"], "ok");
    assert_eq!(checks(0, "memory limit")[0]["status"], "warn");
    place.write("config.yml", "limits: {memory: 2GiB}\n");
    assert_eq!(
        checks(0, "memory limit")[0]["message"],
        "2.0 GiB for each process"
    );
    let run = place.json(0, &["show", "@last"]);
    let notebook = place
        .path("data")
        .join(text(&run["folder"]))
        .join("run.ipynb");
    let whole = std::fs::read_to_string(&notebook).unwrap();
    std::fs::write(&notebook, "{}").unwrap();
    let broken = checks(1, "notebooks");
    assert_eq!(
        (&broken[0]["status"], broken.len()),
        (&json!("fail"), 1),
        "{broken:?}"
    );
    assert!(broken[0]["help"].is_string());
    std::fs::write(&notebook, whole).unwrap();
    place.write(
        "secret.yml",
        "version: 1\nname: secret\nsecrets: {token: {env: NOBODY_SETS_THIS}}\nsteps:\n  - id: ask\n    approval: {title: Go?}\n  \
         - id: work\n    env: {TOKEN: \"${{ secrets.token }}\"}\n    python: {code: 'results = 1'}\n",
    );
    place.json(3, &["run", "secret.yml"]);
    let missing = checks(1, "secrets");
    assert!(
        text(&missing[0]["message"]).contains("NOBODY_SETS_THIS"),
        "{missing:?}"
    );
}

#[test]
fn doctor_looks_at_generators_gateways_and_limits_of_channels() {
    let place = Place::new();
    let checks = |code: i32, name: &str| -> Vec<(String, String)> {
        let doctor = place.json(code, &["doctor"]);
        let checks = doctor["checks"].as_array().unwrap().iter();
        let named = checks.filter(|check| check["name"] == name);
        named
            .map(|check| {
                let of = |key: &str| text(&check[key]).to_owned();
                (of("status"), of("message"))
            })
            .collect()
    };
    assert!(checks(0, "generators")[0].1.contains("none set up"));
    assert!(checks(0, "channel limits")[0].1.contains("none"));
    assert!(checks(0, "gateways").is_empty());

    // A list of models, and a port where nobody is.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = server.local_addr().unwrap();
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            answer(stream, r#"{"data": [{"id": "small"}, {"id": "large"}]}"#);
        }
    });
    place.write("answers.md", "## 1\nresults = 1\n");
    place.write(
        "config.yml",
        &format!(
            "generators:\n  a_here: {{provider: openai, base_url: \"http://{base}/v1\", model: small}}\n  \
             b_other: {{provider: ollama, base_url: \"http://{base}\", model: tiny}}\n  \
             c_key: {{provider: anthropic, base_url: \"http://{base}/v1\", model: small, api_key: {{env: NOBODY_SETS_THIS}}}}\n  \
             d_script: {{provider: scripted, file: answers.md}}\n  \
             e_program: {{provider: command, command: [no-such-program-4711]}}\n\
             default_generator: a_here\n\
             execution: {{modes: {{read_only: {{gateway: {{address: 127.0.0.1, port: {port}}}}}}}}}\n\
             control_system: {{write_limits: {{file: gone.yml}}}}\n"
        ),
    );
    let found = checks(1, "generators");
    let expected = [
        ("ok", "has the model small"),
        (
            "warn",
            "does not list the model tiny; it lists small, large",
        ),
        ("warn", "generator_key_missing"),
        ("ok", "answers.md"),
        ("warn", "generator_command"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((status, message), (health, piece)) in found.iter().zip(expected) {
        assert!(status == health && message.contains(piece), "{found:#?}");
    }
    let gateways = checks(1, "gateways");
    assert_eq!(gateways[0].0, "fail", "{gateways:?}");
    assert_eq!(checks(1, "channel limits")[0].0, "fail");

    // One way to the machine for both modes: nothing but the guard is left between them.
    for (of_writes, is_same) in [(port, true), (port ^ 1, false)] {
        let gateway = |port: u16| format!("{{gateway: {{address: 127.0.0.1, port: {port}}}}}");
        place.write(
            "config.yml",
            &format!(
                "execution: {{modes: {{read_only: {}, write_access: {}}}}}\n",
                gateway(port),
                gateway(of_writes)
            ),
        );
        let gateways = checks(1, "gateways");
        let warned = gateways.iter().any(|(status, message)| {
            status == "warn" && message.contains("by the gateway of write_access")
        });
        assert_eq!(warned, is_same, "{gateways:?}");
    }
}

/// Answers one request with a document.
fn answer(mut stream: std::net::TcpStream, body: &str) {
    use std::io::{Read as _, Write as _};
    let mut buffer = [0; 4096];
    let _read = stream.read(&mut buffer);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _sent = stream.write_all((head + body).as_bytes());
}

#[test]
fn the_configuration_in_force_is_shown_without_values_of_the_environment() {
    let place = Place::new();
    let shown = place.json(0, &["config", "show"]);
    assert_eq!(
        (&shown["file"], &shown["config"]),
        (&serde_json::Value::Null, &json!({}))
    );
    let all = place.json(0, &["config", "show", "--effective"]);
    let python = &all["config"]["approval"]["capabilities"]["python_execution"];
    assert_eq!(python, &json!({"enabled": true, "mode": "control_writes"}));
    place.write(
        "config.yml",
        "execution: {container: {jupyter_host: lab.example}, modes: {write_access: {container: {jupyter_port: 8889}}}}\n",
    );
    let all = place.json(0, &["config", "show", "--effective"]);
    let modes = &all["config"]["execution"]["modes"];
    let (read, write) = (&modes["read_only"], &modes["write_access"]);
    assert_eq!(read["kernel_name"], "python3-epics-readonly", "{read:#}");
    assert_eq!(write["kernel_name"], "python3-epics-write", "{write:#}");
    for (mode, port) in [(read, 8888), (write, 8889)] {
        assert_eq!(mode["container"]["jupyter_host"], "lab.example", "{mode:#}");
        assert_eq!(mode["container"]["jupyter_port"], port, "{mode:#}");
    }
    assert_eq!(
        (&read["writable"], &write["writable"]),
        (&json!([]), &json!("everywhere"))
    );
    place.write(
        "config.yml",
        "execution:\n  modes:\n    read_only: {environment: {GATEWAY: hidden}}\napproval: {global_mode: all_capabilities}\n",
    );
    let shown = place.json(0, &["config", "show"]);
    assert_eq!(
        shown["config"],
        json!({
            "execution": {"modes": {"read_only": {"environment": ["GATEWAY"]}}},
            "approval": {"global_mode": "all_capabilities"},
        })
    );
    place.write(
        "config.yml",
        "execution:\n  execution_method: auto\n  container: {jupyter_host: lab.example, token_env: LAB_TOKEN}\n  \
         local: {isolation: require, warm: false}\n  modes:\n    write_access: {network: none, gateway: {address: gw.example, port: 5064}}\n\
         generators:\n  gpt: {provider: openai, model: m, api_key: {env: GPT_KEY}}\n\
         control_system:\n  write_limits: {channels: {\"A:SET\": {min: 0, max: 2}}}\n\
         people: {roles: {analyst: [bob, ada]}}\n",
    );
    let shown = &place.json(0, &["config", "show"])["config"];
    for (at, value) in [
        ("/execution/execution_method", json!("auto")),
        ("/execution/container/jupyter_host", json!("lab.example")),
        ("/execution/container/token_env", json!("LAB_TOKEN")),
        ("/execution/local/isolation", json!("require")),
        ("/execution/local/warm", json!(false)),
        ("/execution/modes/write_access/network", json!("none")),
        ("/execution/modes/write_access/gateway/port", json!(5064)),
        ("/generators/gpt/api_key", json!({"env": "GPT_KEY"})),
        (
            "/control_system/write_limits/channels/A:SET/max",
            json!(2.0),
        ),
        ("/people/roles/analyst", json!(["ada", "bob"])),
    ] {
        assert_eq!(shown.pointer(at), Some(&value), "{at}: {shown}");
    }
    place.write(
        "config.yml",
        "execution:\n  modes:\n    read_only: {environment: {GATEWAY: hidden}}\napproval: {global_mode: all_capabilities}\n",
    );
    let text = place.text(0, &["config", "show"]);
    assert!(
        text.contains("approval.global_mode: all_capabilities") && !text.contains("hidden"),
        "{text}"
    );
}

#[test]
fn events_and_attempts_name_the_process_that_did_the_work() {
    if std::env::var_os("STEPWELL_TEST_PYTHON").is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no Python");
        eprintln!("passed over: there is no Python for tests");
        return;
    }
    let place = Place::new();
    place.python("work", "", "results = {'n': 1}");
    let mut command = place.command(&["run", "work.yml", "--json"]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let number = child.id();
    let printed = child.wait_with_output().unwrap().stdout;
    let run: Value = serde_json::from_slice(&printed).unwrap();
    let worker = text(&run["steps"]["work"]["attempts"][0]["worker"]).to_owned();
    let (host, process) = worker.rsplit_once(':').unwrap();
    assert!(
        !host.is_empty() && process == number.to_string(),
        "{worker}"
    );
    let actors = |place: &Place| {
        let events = place.json(0, &["events", "@last"])["events"].clone();
        let events = events.as_array().unwrap().clone();
        let begun = |one: &&Value| one["name"] == "AttemptStarted";
        let begun = events.iter().find(begun).unwrap();
        (text(&begun["actor"]).to_owned(), begun["seq"].to_string())
    };
    assert_eq!(actors(&place).0, format!("worker:{worker}"));
    // A name of its own; while the code runs, it stands beside the step.
    place.write("config.yml", "engine: {worker: lab-1}\n");
    place.json(0, &["run", "work.yml"]);
    let (actor, seq) = actors(&place);
    assert_eq!(actor, "worker:lab-1");
    let shown = place.text(0, &["events", "@last", "--at", &seq]);
    assert!(shown.contains("by lab-1"), "{shown}");
}
