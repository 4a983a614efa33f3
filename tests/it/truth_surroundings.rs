//! A hostile machine: no Python, no packages, no network, no rights, no space, somebody else at work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli_rig::{Place, Ran, text};

const ONE: &str = "results = {'n': 1}";

fn json_of(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(!ran.err.contains("panicked at"), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Runs a one-step workflow with that environment; the failure of the step, in a run that says that it failed.
fn failure_with(place: &Place, name: &str, env: &[(&str, &Path)]) -> Value {
    let file = format!("{name}.yml");
    let output = place
        .command(&["run", &file, "--json"])
        .envs(env.iter().copied())
        .output();
    let document = json_of(&Ran::of(&output.unwrap()), 1);
    assert_eq!(document["status"], "failed");
    assert_eq!(document["steps"]["work"]["status"], "failed");
    assert_eq!(place.json(0, &["verify"])["sound"], true);
    document["steps"]["work"]["failure"].clone()
}

#[test]
fn without_python_the_step_fails_and_says_so() {
    let place = Place::new();
    place.python("one", "", ONE);
    let empty = place.path("no programs");
    fs::create_dir(&empty).unwrap();
    let failure = failure_with(&place, "one", &[("PATH", &empty)]);
    assert_eq!(
        (&failure["kind"], &failure["code"]),
        (&json!("configuration"), &json!("python_missing"))
    );
    assert!(text(&failure["hint"]).contains("python_env_path"));
    // Too old, broken, no program at all.
    for (name, script) in [
        ("old", "#!/bin/sh\nprintf '/usr/bin/true\\n3.6.1\\n'\n"),
        ("mute", "#!/bin/sh\nexit 7\n"),
        ("no program", "text"),
    ] {
        place.write(&format!("{name}/python3"), script);
        executable(&place.path(&format!("{name}/python3")));
        let failure = failure_with(&place, "one", &[("PATH", &place.path(name))]);
        assert_eq!(failure["code"], "python_missing", "{name}: {failure}");
    }
    assert_eq!(
        place.json(0, &["run", "one.yml"])["outputs"],
        json!({"n": 1}),
        "the same folder, with Python"
    );
}

#[test]
fn a_configured_python_that_is_none_is_named() {
    let place = Place::new();
    place.python("one", "", ONE);
    place.write("text.txt", "no program");
    for path in ["./nowhere", "./text.txt", "."] {
        place.write(
            "config.yml",
            &format!("framework: {{execution: {{local: {{python_env_path: {path}}}}}}}\n"),
        );
        let failure = failure_with(&place, "one", &[]);
        assert_eq!(
            failure["code"], "python_env_path_invalid",
            "{path}: {failure}"
        );
        assert_eq!(failure["kind"], "configuration");
    }
}

/// Environments without any network: nothing of the machine's settings or caches is used.
fn without_network<'a>(links: &'a Path, more: &[(&'a str, &'a Path)]) -> Vec<(&'a str, &'a Path)> {
    let mut env = vec![
        ("HOME", links),
        ("PIP_CONFIG_FILE", Path::new("/dev/null")),
        ("PIP_RETRIES", Path::new("1")),
        ("PIP_TIMEOUT", Path::new("2")),
        ("UV_HTTP_RETRIES", Path::new("0")),
        ("UV_NO_CONFIG", Path::new("1")),
    ];
    env.extend(more);
    env
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let place = Place::new();
    place.python("one", "", ONE);
    let file = fs::read_to_string(place.path("one.yml")).unwrap();
    let needs = file.replace(
        "    python:\n",
        "    python:\n      packages: [stepwell-no-such-package==1.0]\n",
    );
    place.write("one.yml", &needs);
    let links = place.path("no links");
    fs::create_dir(&links).unwrap();
    let off = Path::new("1");
    let here = [
        ("PIP_NO_INDEX", off),
        ("UV_NO_INDEX", off),
        ("PIP_FIND_LINKS", links.as_path()),
        ("UV_FIND_LINKS", links.as_path()),
    ];
    let failure = failure_with(&place, "one", &without_network(&links, &here));
    assert_eq!(failure["code"], "environment_package_missing", "{failure}");
    assert!(
        failure.to_string().contains("stepwell-no-such-package"),
        "{failure}"
    );
}

#[test]
fn an_index_that_nobody_answers_at_is_no_network() {
    let place = Place::new();
    place.python("one", "    retry: {max_attempts: 1}\n", ONE);
    let file = fs::read_to_string(place.path("one.yml")).unwrap();
    let needs = file.replace(
        "    python:\n",
        "    python:\n      packages: [stepwell-no-such-package==1.0]\n",
    );
    place.write("one.yml", &needs);
    let links = place.path("no links");
    fs::create_dir(&links).unwrap();
    let nobody = Path::new("http://127.0.0.1:9/simple");
    let there = [
        ("PIP_FIND_LINKS", links.as_path()),
        ("UV_FIND_LINKS", links.as_path()),
        ("PIP_INDEX_URL", nobody),
        ("UV_INDEX_URL", nobody),
        ("UV_DEFAULT_INDEX", nobody),
    ];
    let failure = failure_with(&place, "one", &without_network(&links, &there));
    assert_eq!(
        (&failure["kind"], &failure["code"]),
        (&json!("infrastructure"), &json!("environment_offline")),
        "{failure}"
    );
}

fn executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether this machine lets a test change what only root may. The continuous integration skips nothing.
fn is_root(what: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    assert!(
        root || std::env::var_os("CI").is_none(),
        "needs root: {what}"
    );
    if !root {
        println!("skipped, only for root: {what}");
    }
    root
}

#[test]
fn somebody_elses_data_folder_is_refused() {
    if !is_root("a data folder of another user") {
        return;
    }
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    let folder = place.path("");
    let binary = folder.join("stepwell");
    fs::copy(env!("CARGO_BIN_EXE_stepwell"), &binary).unwrap();
    for path in [&folder, folder.parent().unwrap(), &binary] {
        executable(path);
    }
    let as_nobody = |args: &[&str]| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&binary)
            .args(args)
            .arg("--json")
            .current_dir(&folder)
            .output();
        json_of(&Ran::of(&output.unwrap()), 4)
    };
    for rights in [0o700, 0o755] {
        fs::set_permissions(place.path("data"), fs::Permissions::from_mode(rights)).unwrap();
        for args in [
            vec!["list"],
            vec!["run", "plain.yml"],
            vec!["approve", "@last"],
        ] {
            let refused = as_nobody(&args);
            assert_eq!(
                refused["error"]["code"], "store_read_only",
                "{rights:o} {args:?}: {refused}"
            );
        }
    }
    assert_eq!(
        place.json(0, &["list"])["runs"].as_array().unwrap().len(),
        1,
        "nothing was added"
    );
    assert_eq!(place.json(0, &["verify"])["sound"], true);
}

/// A small file system that only commands in its own mount namespace see; it goes with the process that holds it.
struct Small {
    holder: Child,
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}

impl Small {
    fn mount(folder: &Path, size: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let script = "mount -t tmpfs -o size=\"$2\" none \"$1\" && echo && exec sleep 600";
        let mut holder = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .arg(folder)
            .arg(size)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
        Self { holder }
    }

    fn enter(&self, place: &Place, program: &str, args: &[&str]) -> Ran {
        let output = Command::new("nsenter")
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .arg(format!("--wdns={}", place.path("").display()))
            .arg(program)
            .args(args)
            .env("STEPWELL_DATA", place.path("small"))
            .output();
        Ran::of(&output.unwrap())
    }

    fn stepwell(&self, place: &Place, args: &[&str]) -> Ran {
        let ran = self.enter(place, env!("CARGO_BIN_EXE_stepwell"), args);
        assert!(!ran.err.contains("panicked at"), "{}", ran.err);
        ran
    }

    fn json(&self, place: &Place, code: i32, args: &[&str]) -> Value {
        json_of(&self.stepwell(place, &[args, &["--json"]].concat()), code)
    }
}

#[test]
fn a_disk_that_is_full_before_a_run_refuses_it() {
    if !is_root("a full disk") {
        return;
    }
    let place = Place::new();
    let small = Small::mount(&place.path("small"), "64m");
    small.json(&place, 3, &["run", "asks.yml"]);
    let fill = "cat /dev/zero > small/filler";
    small.enter(&place, "sh", &["-c", fill]);
    for args in [vec!["run", "plain.yml"], vec!["approve", "@last"]] {
        let refused = small.json(&place, 4, &args);
        assert_eq!(refused["error"]["code"], "disk_full", "{args:?}: {refused}");
    }
    small.enter(&place, "rm", &["small/filler"]);
    let runs = small.json(&place, 0, &["list"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(
        small.json(&place, 0, &["approve", "@last", "--resume"])["status"],
        "succeeded"
    );
    assert_eq!(small.json(&place, 0, &["verify"])["sound"], true);
}

#[test]
fn a_disk_that_fills_up_under_a_step_loses_nothing() {
    if !is_root("a full disk") {
        return;
    }
    let place = Place::new();
    // It fills the disk as long as the flag is there.
    let code = "import os\nflag = os.path.join(os.environ['STEPWELL_WORKFLOW_DIR'], 'flag')\nif os.path.exists(flag):\n    \
                with open('filler.bin', 'wb') as file:\n        while True:\n            file.write(bytes(1 << 16))\n            file.flush()\n\
                results = {'n': 1}";
    place.python(
        "fills",
        "    retry: {max_attempts: 3, delay: 100ms}\n",
        code,
    );
    place.write("flag", "");
    let small = Small::mount(&place.path("small"), "64m");
    let created = small.json(&place, 0, &["run", "fills.yml", "--detach"]);
    let run = text(&created["run_id"]).to_owned();
    let began = Instant::now();
    let ran = small.stepwell(&place, &["resume", &run, "--json"]);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert!(matches!(ran.code, Some(1 | 4)), "{ran:?}");
    assert!(ran.out.contains("disk_full"), "{ran:?}");
    fs::remove_file(place.path("flag")).unwrap();
    small.enter(&place, "sh", &["-c", "find small -name filler.bin -delete"]);
    let state = small.json(&place, 0, &["show", &run]);
    if ran.code == Some(4) {
        assert_eq!(state["status"], "running", "{state}");
        assert_eq!(
            small.json(&place, 0, &["resume", &run])["outputs"],
            json!({"n": 1})
        );
    } else {
        assert_eq!(
            state["steps"]["work"]["failure"]["code"], "disk_full",
            "{state}"
        );
    }
    assert_eq!(
        small.json(&place, 0, &["run", "fills.yml"])["outputs"],
        json!({"n": 1})
    );
    let verified = small.json(&place, 0, &["verify"]);
    assert_eq!(verified["sound"], true, "{verified}");
}
