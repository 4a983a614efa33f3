//! `deploy/jupyter` is true: what the Dockerfile installs and starts is started here, without a container, with the
//! configuration of its README, and the real program runs steps of both modes there. The compose file is checked against
//! the schema of its specification (tests/fixtures/compose).

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

/// Asks as the container does whether the server is well.
fn is_healthy(python: &Path, port: u16) {
    let dockerfile = read("Dockerfile").replace("\\\n", " ");
    let line = dockerfile
        .lines()
        .find(|line| line.starts_with("HEALTHCHECK"));
    let (_, command) = line.unwrap().split_once("CMD ").unwrap();
    let command: Vec<String> = serde_json::from_str(command).unwrap();
    assert_eq!(command[0], "python");
    let ask = |port: u16| {
        let mut asked = Command::new(python);
        let args = command[1..]
            .iter()
            .map(|arg| arg.replace("8888", &port.to_string()));
        asked.args(args).stderr(Stdio::null());
        asked.status().unwrap().success()
    };
    wait_until("the server is well", || ask(port));
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap().port();
    drop(free);
    assert!(!ask(nobody), "nobody listens there");
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
    assert_eq!(compose.matches("<<: *kept-apart").count(), published.len());
    // Each port has the token of its own mode.
    let document: Value = serde_saphyr::from_str(&compose).unwrap();
    let of_service = |name: &str| {
        let service = &document["services"][name];
        let port = all(r"127\.0\.0\.1:(\d+):8888", text(&service["ports"][0]));
        let token = all(
            r"\$\{(\w+):\?",
            text(&service["environment"]["JUPYTER_TOKEN"]),
        );
        format!("jupyter_port: {}, token_env: {}", port[0], token[0])
    };
    let pairs = ["read", "write"].map(of_service);
    let told = all(r"(jupyter_port: \d+, token_env: \w+)", &readme);
    assert_eq!(told, pairs);
    let (_, for_writes) = readme.split_once("write_access:").unwrap();
    assert!(for_writes.contains(&pairs[1]), "{for_writes}");
}

/// Words that begin a line of a Dockerfile, as its reference lists them.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The instructions of the Dockerfile, continued lines joined: the word, and what follows.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let split = |line: &str| {
        let (word, rest) = line.split_once(' ').unwrap();
        (word.to_owned(), rest.trim().to_owned())
    };
    lines.map(split).collect()
}

#[test]
fn the_dockerfile_copies_what_is_there_and_starts_as_nobody_special() {
    let found = instructions();
    let of = |word: &str| -> Vec<&str> {
        let same = found.iter().filter(|(known, _)| known == word);
        same.map(|(_, rest)| rest.as_str()).collect()
    };
    for (word, _) in &found {
        assert!(INSTRUCTIONS.contains(&word.as_str()), "{word}");
    }
    assert_eq!(found[0].0, "FROM");
    let copied = of("COPY");
    assert_eq!(copied.len(), 1);
    let (source, target) = copied[0].split_once(' ').unwrap();
    let lines = read(source);
    assert!(
        of("RUN")[0].contains(&format!("-r {target}")),
        "what is copied is not installed"
    );
    for name in ["jupyter-server==", "ipykernel==", "packaging"] {
        assert!(lines.contains(name), "{name}: {lines}");
    }
    let user = of("USER");
    assert_eq!(user, ["stepwell"]);
    assert!(of("RUN")[0].contains("useradd --create-home stepwell"));
    assert_eq!(of("WORKDIR"), ["/home/stepwell"]);
    let position = |word: &str, nth: usize| {
        let places = found
            .iter()
            .enumerate()
            .filter(|(_, (known, _))| known == word);
        places.map(|(at, _)| at).nth(nth).unwrap()
    };
    // The kernels are installed for the user that starts the server.
    assert!(position("RUN", 0) < position("USER", 0) && position("USER", 0) < position("RUN", 1));
}

/// The anchors of a YAML file put in where they are named, and as JSON.
fn merged(mut document: Value) -> Value {
    let services = document["services"].as_object_mut().unwrap();
    for service in services.values_mut() {
        let fields = service.as_object_mut().unwrap();
        if let Some(Value::Object(shared)) = fields.remove("<<") {
            for (name, value) in shared {
                fields.entry(name).or_insert(value);
            }
        }
    }
    document
}

#[test]
fn the_compose_file_is_one_by_the_schema_of_its_specification() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compose");
    let schema = fs::read_to_string(fixtures.join("compose-spec.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    // It names its draft by another address than the draft does itself.
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let compose: Value = serde_saphyr::from_str(&read("compose.yml")).unwrap();
    let compose = merged(compose);
    let faults = |document: &Value| -> Vec<String> {
        let faults = validator.iter_errors(document);
        faults.map(|fault| fault.to_string()).collect()
    };
    assert_eq!(faults(&compose), Vec::<String>::new());
    for service in ["read", "write"] {
        let kept = &compose["services"][service];
        assert_eq!(kept["cap_drop"], serde_json::json!(["ALL"]), "{kept:#}");
        assert_eq!(
            kept["security_opt"],
            serde_json::json!(["no-new-privileges:true"])
        );
        assert!(kept["mem_limit"].is_string() && kept["pids_limit"].is_number());
        // Anything more may open what is closed above: `privileged`, `network_mode`, `volumes`.
        let fields: Vec<&String> = kept.as_object().unwrap().keys().collect();
        let known = "build cap_drop environment mem_limit pids_limit ports restart security_opt";
        assert!(
            fields
                .iter()
                .all(|name| known.split(' ').any(|one| one == *name)),
            "{fields:?}"
        );
    }
    let mut wrong = compose;
    wrong["services"]["read"]["mem_limitt"] = "4g".into();
    assert_eq!(faults(&wrong).len(), 1);
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
    for server in &servers {
        is_healthy(&python, server.port);
    }
    let doctor = json(0, &["doctor"]);
    let checks = doctor["checks"].as_array().unwrap().iter();
    let containers: Vec<&Value> = checks.filter(|one| one["name"] == "containers").collect();
    assert!(containers.len() >= 4, "{doctor:#}");
    // What runs here is in no container, and it says so.
    let open: Vec<&&Value> = containers
        .iter()
        .filter(|one| one["status"] != "ok")
        .collect();
    assert!(
        open.len() == 2
            && open
                .iter()
                .all(|one| text(&one["message"]).contains("isolation: ")),
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
