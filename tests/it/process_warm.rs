//! Warm interpreters and the pairs that wait in them, when the engine is killed: nothing of them is left.

use std::fs;
use std::path::PathBuf;

use crate::cli_rig::text;
use crate::process_rig::{Process, Scene, kill_command, wait_until};

const CONFIG: &str =
    "execution:\n  modes: {read_only: {writable: [.]}}\n  local: {warm: {from: 1, wait: 60s}}\n";

impl Scene {
    fn with(config: &str) -> Self {
        let scene = Self::new();
        scene.place.write("config.yml", config);
        scene
    }

    /// Processes that belong to no attempt: parents, and pairs that wait.
    fn idle(&self) -> Vec<Process> {
        let mut all = self.processes();
        all.retain(|process| {
            let name = fs::read_to_string(format!("/proc/{}/comm", process.pid));
            let environment = fs::read(format!("/proc/{}/environ", process.pid));
            let environment = environment.unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment);
            let mark = environment
                .split('\0')
                .find(|entry| entry.starts_with("STEPWELL_MARK="));
            let unused = mark.is_none_or(|mark| mark.ends_with(&"0".repeat(32)));
            unused
                && name.is_ok_and(|name| !name.starts_with("sw-") && !name.is_empty())
                && (process.command.contains("harness.warm")
                    || process.command.contains("\0ahead\0"))
        });
        all
    }
}

#[test]
fn no_pair_that_waits_outlives_an_engine_that_was_killed() {
    let scene = Scene::with(CONFIG);
    let gate = scene.place.path("gate");
    let code = format!(
        "import os, time\nwhile not os.path.exists({:?}): time.sleep(0.01)\nresults = {{'n': 1}}\n",
        gate.display().to_string()
    );
    scene.place.python("waits", "", &code);
    let run = scene.place.json(0, &["run", "waits.yml", "--detach"]);
    let run = text(&run["run_id"]).to_owned();
    let mut engine = scene.start(&["resume", &run]);
    wait_until("a pair waits beside the step", || {
        let begun = scene
            .attempt("waits", "work", 1)
            .is_some_and(|folder| folder.join(".attempt/begun").exists());
        // The parent, the template of the step, and the three of the pair that waits.
        begun && scene.idle().len() == 5
    });
    assert!(kill_command(&mut engine));
    // The template goes with its supervisor.
    wait_until("nothing waits any more", || scene.idle().len() == 1);
    assert_eq!(scene.supervisors().len(), 1, "the step goes on");
    fs::write(gate, "").unwrap();
    scene.quiet();
    let document = scene.place.json(0, &["resume", &run]);
    assert_eq!(text(&document["status"]), "succeeded");
    let started = scene.events(&run);
    let started = started
        .iter()
        .filter(|event| event["name"] == "AttemptStarted");
    assert_eq!(started.count(), 1, "its outcome was taken over");
    scene.quiet();
}

#[test]
fn no_parent_outlives_an_engine_that_was_killed_while_it_imported() {
    let scene = Scene::with(CONFIG);
    let python = python_with_a_slow_scipy(&scene);
    let local = format!(
        "local: {{python_env_path: {:?}, ",
        python.display().to_string()
    );
    let config = CONFIG.replace("local: {", &local).replace("60s", "1s");
    scene.place.write("config.yml", &config);
    let gate = scene.place.path("gate");
    let code = format!(
        "import os, time\nif False:\n    import scipy\nwhile not os.path.exists({:?}): time.sleep(0.01)\nresults = {{'n': 1}}\n",
        gate.display().to_string()
    );
    scene.place.python("waits", "", &code);
    let run = scene.place.json(0, &["run", "waits.yml", "--detach"]);
    let run = text(&run["run_id"]).to_owned();
    let mut engine = scene.start(&["resume", &run]);
    let importing = scene.place.path("importing");
    wait_until("the parent imports", || importing.exists());
    assert_eq!(scene.idle().len(), 1);
    assert!(kill_command(&mut engine));
    wait_until("it is gone", || scene.idle().is_empty());
    fs::write(gate, "").unwrap();
    scene.quiet();
}

/// A virtual environment in which one library takes longer to import than any test.
fn python_with_a_slow_scipy(scene: &Scene) -> PathBuf {
    let question = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
    let asked = std::process::Command::new("python3")
        .args(["-c", question])
        .output()
        .unwrap();
    let said = String::from_utf8(asked.stdout).unwrap();
    let [real, version] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}");
    };
    let venv = scene.place.path("venv");
    let home = PathBuf::from(real);
    let home = home.parent().unwrap();
    let package = format!("venv/lib/python{version}/site-packages/scipy/__init__.py");
    let importing = scene.place.path("importing").display().to_string();
    scene.place.write(
        &package,
        &format!("import time\nopen({importing:?}, 'w').close()\ntime.sleep(3600)\n"),
    );
    scene
        .place
        .write("venv/pyvenv.cfg", &format!("home = {}\n", home.display()));
    fs::create_dir(venv.join("bin")).unwrap();
    std::os::unix::fs::symlink(real, venv.join("bin/python")).unwrap();
    venv
}
