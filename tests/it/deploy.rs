//! `deploy/jupyter` is true: what the Dockerfile installs and starts is started here, without a container, with the
//! configuration of its README, and the real program runs steps of both modes there.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use regex_lite::Regex;
use serde_json::Value;

use crate::cli_rig::{Place, Ran, text};
use crate::control_rig::python_with;
use crate::process_rig::wait_until;

const TOKENS: [(&str, &str); 2] = [
    ("JUPYTER_READ_TOKEN", "token-of-read-0123456789"),
    ("JUPYTER_WRITE_TOKEN", "token-of-write-0123456789"),
];

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/jupyter");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// The first group of every match.
fn all(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = pattern.captures_iter(text);
    found.map(|found| found[1].to_owned()).collect()
}

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends its kernels when it is asked to end.
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _gone = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _gone = self.child.wait();
    }
}

/// Installs the kernels as the Dockerfile does, below a home of its own.
fn install_kernels(python: &Path, home: &Path) -> Vec<String> {
    let names = all(
        r"ipykernel install --user --name (\S+)",
        &read("Dockerfile"),
    );
    for name in &names {
        let mut install = Command::new(python);
        install.args(["-m", "ipykernel", "install", "--user", "--name", name]);
        let done = install.env("HOME", home).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    names
}

/// Starts what the Dockerfile starts.
fn start(python: &Path, home: &Path, token: &str) -> Server {
    let dockerfile = read("Dockerfile");
    let command = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("CMD "));
    let command: Vec<String> = serde_json::from_str(command.unwrap()).unwrap();
    assert_eq!(command[..2], ["jupyter", "server"], "{command:?}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let args = command[1..].iter().map(|arg| {
        arg.replace("--ip=0.0.0.0", "--ip=127.0.0.1")
            .replace("--port=8888", &format!("--port={port}"))
    });
    let mut server = Command::new(python.with_file_name("jupyter"));
    // In the image it is a user of its own.
    server.args(args).arg("--allow-root");
    server.env("HOME", home).env("JUPYTER_TOKEN", token);
    server.current_dir(home);
    let out = Stdio::null;
    let child = server.stdin(out()).stdout(out()).stderr(out()).spawn();
    let server = Server {
        child: child.unwrap(),
        port,
    };
    wait_until("the server listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    server
}

#[test]
fn the_compose_file_and_the_configuration_fit_each_other() {
    let (compose, readme) = (read("compose.yml"), read("README.md"));
    let published = all(r"127\.0\.0\.1:(\d+):8888", &compose);
    assert_eq!(all(r"jupyter_port: (\d+)", &readme), published);
    for (name, _) in TOKENS {
        assert!(compose.contains(&format!("${{{name}:?")), "{name}");
        assert!(readme.contains(&format!("token_env: {name}")), "{name}");
    }
    assert_eq!(compose.matches("build: .").count(), published.len());
}

#[test]
fn what_the_image_starts_runs_steps_of_both_modes() {
    let Some(python) = python_with("jupyter_server, ipykernel") else {
        return;
    };
    let place = Place::new();
    let home = place.path("home");
    fs::create_dir(&home).unwrap();
    let names = install_kernels(&python, &home);
    assert_eq!(names, ["python3-epics-readonly", "python3-epics-write"]);
    let servers = TOKENS.map(|(_, token)| start(&python, &home, token));
    let config = read("README.md");
    let config = config.split("```").nth(1).unwrap();
    let config = config
        .trim_start_matches("yaml")
        .replace("8888", &servers[0].port.to_string())
        .replace("8889", &servers[1].port.to_string());
    place.write("config.yml", &config);
    place.write(
        "two.yml",
        "version: 1\nname: two\nsteps:\n  - id: look\n    python: {code: 'results = {\"n\": 1}'}\n    outputs: {n: int}\n  \
         - id: act\n    python: {code: 'results = {\"n\": context.n + 1}', mode: write_access}\n    \
         with: {n: \"${{ steps.look.outputs.n }}\"}\n    outputs: {n: int}\noutputs: {n: \"${{ steps.act.outputs.n }}\"}\n",
    );
    let json = |code: i32, args: &[&str]| -> Value {
        let mut command = place.command(&[args, &["--json"]].concat());
        let ran = Ran::of(&command.envs(TOKENS).output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        serde_json::from_str(&ran.out).unwrap()
    };
    let doctor = json(0, &["doctor"]);
    let checks = doctor["checks"].as_array().unwrap().iter();
    let containers: Vec<&Value> = checks.filter(|one| one["name"] == "containers").collect();
    assert!(containers.len() >= 4, "{doctor:#}");
    assert!(
        containers.iter().all(|one| one["status"] == "ok"),
        "{containers:#?}"
    );
    json(3, &["run", "two.yml"]);
    let ended = json(0, &["approve", "@last", "--resume"]);
    assert_eq!(ended["outputs"]["n"], 2, "{ended:#}");
    let run = text(&ended["run_id"]);
    for step in ["look", "act"] {
        let reasons = json(0, &["explain", run, step]).to_string();
        assert!(reasons.contains("it runs in `container`"), "{reasons}");
    }
    assert_eq!(text(&ended["status"]), "succeeded");
}
