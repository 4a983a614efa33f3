//! Wrong use and a hostile world: locked, read-only, broken pipes, bad settings.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::cli_rig::Place;

#[test]
fn every_page_can_be_read_and_every_code_is_listed() {
    let place = Place::new();
    let codes = place.json(0, &["explain"]);
    assert_eq!(
        codes["codes"].as_array().unwrap().len(),
        stepwell::code::ALL.len()
    );
    assert!(
        place
            .text(0, &["explain", "store_locked"])
            .starts_with("# store_locked\n")
    );
    assert!(
        place.json(0, &["explain", "usage"])["page"]
            .as_str()
            .unwrap()
            .contains("## What to do")
    );
    let ran = place.run(&["explain", "store_loked"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("did you mean `store_locked`?"),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_use_ends_with_2_and_says_how_it_is_used() {
    let place = Place::new();
    let cases: [(&[&str], &str); 7] = [
        (&["rnu", "plain.yml"], "unrecognized subcommand 'rnu'"),
        (&["run"], "<FILE>"),
        (
            &["run", "plain.yml", "--mode", "rw"],
            "a mode is read_only or write_access",
        ),
        (&["run", "plain.yml", "-i", "n"], "write -i NAME=VALUE"),
        (&["run", "plain.yml", "-i", "m=1"], "error[unknown_input]"),
        (
            &["run", "nowhere.yml"],
            "error[file_unreadable]: nowhere.yml can't be read",
        ),
        (&["list", "--status", "done"], "a run is pending, running"),
    ];
    for (args, part) in cases {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(
            ran.err.starts_with("error[") && ran.err.contains(part),
            "{args:?}: {}",
            ran.err
        );
        assert_eq!(ran.out, "");
        let document = place.json(2, args);
        assert!(
            document["error"]["code"].is_string() || document["diagnostics"].is_array(),
            "{document}"
        );
    }
    let bare = place.run(&[]);
    assert_eq!(bare.code, Some(2));
    assert!(bare.err.contains("Usage: stepwell"), "{}", bare.err);
    assert!(
        place
            .text(0, &["--help"])
            .contains("Exit codes: 0 succeeded")
    );
    assert_eq!(
        place.text(0, &["--version"]),
        format!("stepwell {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_help_of_every_command_is_complete() {
    let place = Place::new();
    let commands = [
        "init",
        "validate",
        "graph",
        "analyze",
        "run",
        "list",
        "show",
        "events",
        "logs",
        "results",
        "notebook",
        "approvals",
        "approve",
        "reject",
        "resume",
        "cancel",
        "verify",
        "doctor",
        "config",
        "exec",
        "explain",
    ];
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md")).unwrap();
    for command in commands {
        let help = place.text(0, &[command, "--help"]);
        assert!(
            help.contains(&format!("Usage: stepwell {command}")),
            "{help}"
        );
        assert!(
            page.contains(&format!("\n## {command}")),
            "docs/commands.md has no section {command}"
        );
        for option in help.lines().filter_map(long_option) {
            let global = [
                "--data",
                "--config",
                "--json",
                "--quiet",
                "--verbose",
                "--help",
            ];
            assert!(
                global.contains(&option) || page.contains(option),
                "docs/commands.md does not name {option} of {command}"
            );
        }
    }
}

/// The long option that a line of help describes.
fn long_option(line: &str) -> Option<&str> {
    let start = line.trim_start().find("--").filter(|at| *at <= 4)?;
    let rest = &line.trim_start()[start..];
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .next()
        .filter(|word| word.len() > 2)
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    for args in [["events", "@last"], ["show", "@last"], ["explain", "usage"]] {
        let mut child = place
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), err.as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_a_fault() {
    let place = Place::new();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = place.command(&["explain"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(4));
}

#[test]
fn a_folder_in_use_names_its_holder() {
    let place = Place::new();
    place.python("naps", "", "import time\ntime.sleep(4)\nresults = {'n': 1}");
    let mut child = place
        .command(&["run", "naps.yml"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| line.ends_with("· work")),
        "the step begins"
    );
    // As if it were a version that does not serve others.
    std::fs::remove_file(place.path("data/store.sock")).unwrap();
    let document = place.json(4, &["list"]);
    assert_eq!(document["error"]["code"], "store_locked");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("process {}", child.id())) && message.contains("run naps.yml"),
        "{message}"
    );
    assert_eq!(
        lines
            .map(Result::unwrap)
            .filter(|line| line.contains("✓ work"))
            .count(),
        1
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    // A file stands where the folder should be: refused for every user, root too.
    place.write("taken", "");
    let ran = place.run(&["--data", "taken", "run", "plain.yml"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.starts_with("error[file_unwritable]") && ran.err.contains("taken"),
        "{}",
        ran.err
    );
    let doctor = place.json(1, &["--data", "taken", "doctor"]);
    assert_eq!(doctor["healthy"], false);
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = place.path("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    let ran = place.run(&["run", "plain.yml"]);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(ran.code, Some(4), "{ran:?}");
}

#[test]
fn options_go_before_the_environment_and_printed_commands_repeat_them() {
    let place = Place::new();
    let ran = place
        .command(&["run", "plain.yml"])
        .env("STEPWELL_DATA", "from env")
        .output()
        .unwrap();
    assert!(ran.status.success());
    assert!(place.path("from env/store").exists());
    let ran = place
        .command(&["--data", "from option", "run", "asks.yml"])
        .env("STEPWELL_DATA", "from env")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(3));
    assert!(place.path("from option/store").exists());
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(
        out.contains("stepwell --data 'from option' approve apr_"),
        "{out}"
    );
}

#[test]
fn a_configuration_with_faults_refuses_and_a_named_one_must_be_there() {
    let place = Place::new();
    place.write("config.yml", "approval: {global_mode: never}\n");
    let ran = place.run(&["run", "plain.yml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("config.yml:1:"), "{}", ran.err);
    assert!(!place.path("data").exists(), "nothing was recorded");
    let ran = place.run(&["--config", "none.yml", "list"]);
    assert_eq!(
        ran.code,
        Some(0),
        "nothing to open, nothing to configure: {ran:?}"
    );
    let ran = place.run(&["--config", "none.yml", "run", "plain.yml"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.starts_with("error[file_unreadable]: none.yml"),
        "{}",
        ran.err
    );
}

#[test]
fn the_policy_of_the_configuration_decides() {
    let place = Place::new();
    place.write("config.yml", "approval: {global_mode: all_capabilities}\n");
    place.python("calm", "", "results = {'n': 1}");
    let document = place.json(3, &["run", "calm.yml"]);
    assert_eq!(document["waiting"][0]["subject"], "code");
    place.write("config.yml", "");
    place.python("writes", "", "results = {'n': 1}");
    assert_eq!(
        place.json(3, &["run", "writes.yml", "--mode", "write_access"])["status"],
        "waiting"
    );
    assert_eq!(
        place.json(0, &["run", "writes.yml"])["outputs"],
        json!({"n": 1})
    );
}

#[test]
fn logging_goes_to_standard_error_and_names_the_run() {
    let place = Place::new();
    let ran = place
        .command(&["run", "plain.yml", "-q"])
        .env("STEPWELL_LOG", "stepwell=debug")
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(
        err.lines()
            .filter(|line| line.contains("appended"))
            .all(|line| line.contains("run=run_")),
        "{err}"
    );
    assert!(err.contains("appended"), "{err}");
    let bad = place
        .command(&["list"])
        .env("STEPWELL_LOG", "stepwell=loud")
        .output()
        .unwrap();
    assert_eq!(bad.status.code(), Some(2));
    let quiet = place.run(&["run", "plain.yml", "-q"]);
    assert_eq!(quiet.err, "", "quiet is quiet");
}
