//! Code that goes for the process that watches it, and for the engine behind that. Which layer refuses what, and what
//! is left where there is none: both are closed to everybody but root.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stepwell::executor::OutcomeStatus;

use crate::cli_rig::{Place, Ran, text};
use crate::executor_rig::{Rig, is_alive};
use crate::hostile::results;
use crate::process_rig::wait_until;

/// Every way to another process, tried on the supervisor and on the engine: `allowed`, or the name of the error.
const TRIES: &str = r"import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)

class Vector(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]

def attach(pid):
    if libc.ptrace(16, pid, None, None) < 0:
        raise OSError(ctypes.get_errno(), 'ptrace')
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, None, None)

def read_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    here = Vector(ctypes.addressof(buffer), 8)
    there = Vector(ctypes.addressof(buffer), 8)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0:
        # Nothing at that address: the system has let us look.
        if ctypes.get_errno() != errno.EFAULT:
            raise OSError(ctypes.get_errno(), 'process_vm_readv')

def descriptors(pid):
    for name in os.listdir(f'/proc/{pid}/fd'):
        os.readlink(f'/proc/{pid}/fd/{name}')

WAYS = {
    'ptrace': attach,
    'process_vm_readv': read_memory,
    'mem': lambda pid: open(f'/proc/{pid}/mem', 'rb').close(),
    'environ': lambda pid: open(f'/proc/{pid}/environ', 'rb').read(),
    'fd': descriptors,
    'signal': lambda pid: os.kill(pid, 0),
}
supervisor = os.getppid()
with open(f'/proc/{supervisor}/status') as status:
    engine = next(int(line.split()[1]) for line in status if line.startswith('PPid'))
results = {}
for whom, pid in (('supervisor', supervisor), ('engine', engine)):
    for name, way in WAYS.items():
        try:
            way(pid)
            results[f'{whom} {name}'] = 'allowed'
        except OSError as error:
            results[f'{whom} {name}'] = errno.errorcode[error.errno]
";

/// The layer that refuses each.
const LAYERS: [(&str, &str); 6] = [
    ("ptrace", "seccomp"),
    ("process_vm_readv", "seccomp"),
    ("mem", "user_namespace"),
    ("environ", "user_namespace"),
    ("fd", "user_namespace"),
    ("signal", "landlock"),
];

fn is_refused(said: &Value) -> bool {
    ["EPERM", "EACCES"].contains(&text(said))
}

/// What the layers that held had to refuse, by what the outcome says of them.
fn refused_by_layers(said: &Value, outcome: &Value) {
    let layers = outcome["isolation"]["layers"].as_array().unwrap();
    for (way, name) in LAYERS {
        let layer = layers.iter().find(|layer| layer["name"] == name).unwrap();
        if layer["held"] != true {
            println!("NOT TESTED: this kernel has no {name}: {}", layer["reason"]);
            continue;
        }
        for whom in ["supervisor", "engine"] {
            let found = &said[format!("{whom} {way}")];
            assert!(is_refused(found), "{whom} {way} by {name}: {said:#}");
        }
    }
}

#[tokio::test]
async fn every_way_to_the_supervisor_and_the_engine_is_refused_by_its_layer() {
    let rig = Rig::new().await;
    let outcome = rig.run(TRIES).await;
    let said = results(&outcome).clone();
    refused_by_layers(&said, &serde_json::to_value(&outcome).unwrap());
}

/// A place of somebody who is not root; none where this machine lets nobody be that.
fn unprivileged(place: &Place) -> Option<Vec<String>> {
    if !nix::unistd::geteuid().is_root() {
        return Some(Vec::new());
    }
    let root = place.path("").parent().unwrap().to_owned();
    let owner = Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(root)
        .status();
    let words = "setpriv --reuid=65534 --regid=65534 --clear-groups env -u HOME -u VIRTUAL_ENV PATH=/usr/local/bin:/usr/bin:/bin";
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let can = |program: &[&str]| {
        Command::new(&words[0])
            .args(&words[1..])
            .args(program)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let able = owner.is_ok_and(|status| status.success())
        && can(&[env!("CARGO_BIN_EXE_stepwell"), "--version"])
        && can(&["python3", "--version"]);
    if !able {
        println!(
            "NOT TESTED: nobody but root can run the program and a python3 here, or there is no setpriv"
        );
    }
    able.then_some(words)
}

fn run(place: &Place, words: &[String], args: &[&str]) -> Ran {
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    line.push(env!("CARGO_BIN_EXE_stepwell"));
    line.extend(args);
    let mut command = Command::new(line[0]);
    command
        .args(&line[1..])
        .current_dir(place.path(""))
        .stdin(Stdio::null());
    for name in ["STEPWELL_DATA", "STEPWELL_CONFIG", "STEPWELL_LOG"] {
        command.env_remove(name);
    }
    Ran::of(&command.output().unwrap())
}

fn json_in(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn without_any_wall_supervisor_and_engine_are_still_closed_to_all_but_root() {
    for walls in [false, true] {
        let place = Place::new();
        if !walls {
            place.write("config.yml", "execution: {local: {isolation: off}}\n");
        }
        place.write("tries.py", TRIES);
        let Some(words) = unprivileged(&place) else {
            return;
        };
        let asked = run(&place, &words, &["exec", "--code", "tries.py", "--json"]);
        assert_eq!(asked.code, Some(3), "{asked:?}");
        let ran = run(&place, &words, &["approve", "@last", "--resume", "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let shown = run(&place, &words, &["show", "@last", "--json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        let folder = place
            .path("data")
            .join(text(&shown["folder"]))
            .join("python/1");
        let said = json_in(&folder.join("results.json"));
        let whom = ["supervisor", "engine"];
        for (way, whom) in LAYERS
            .iter()
            .flat_map(|(way, _)| whom.map(|whom| (*way, whom)))
        {
            let found = &said[format!("{whom} {way}")];
            if way == "signal" && !walls {
                // Signals go to every process of the same user: only Landlock keeps them in.
                assert_eq!(found, "allowed", "{said:#}");
            } else if way != "signal" {
                assert!(is_refused(found), "{whom} {way}: {said:#}");
            }
        }
        if walls {
            refused_by_layers(&said, &json_in(&folder.join("outcome.json")));
        }
    }
}

/// Where nothing keeps signals in, code can end its supervisor. Then nobody saw its end: what only reads is tried again
/// up to a limit, and everything that it has started is ended.
#[test]
fn a_supervisor_that_its_code_kills_is_an_attempt_that_was_interrupted() {
    let place = Place::new();
    place.write("config.yml", "execution: {local: {isolation: off}}\n");
    place.write(
        "code.py",
        "import os, signal, subprocess, time\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\n\
         open('pids', 'w').write(f'{os.getpid()}\\n{child.pid}\\n')\n\
         os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)\n",
    );
    let asked = place.run(&["exec", "--code", "code.py", "--json"]);
    assert_eq!(asked.code, Some(3), "{asked:?}");
    let ran = place.run(&["approve", "@last", "--resume", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let shown = place.json(0, &["show", "@last"]);
    let said = shown.to_string();
    assert!(said.contains("attempt_interrupted"), "{shown:#}");
    assert!(said.contains("the code had begun"), "{shown:#}");
    let folder = place.path("data").join(text(&shown["folder"]));
    assert!(folder.join("python/2").is_dir(), "it is tried again");
    assert!(!folder.join("python/11").exists(), "up to a limit");
    for attempt in 1..=10 {
        let pids = folder.join(format!("python/{attempt}/pids"));
        for pid in std::fs::read_to_string(pids).unwrap().lines() {
            wait_until("what the code started has ended", || !is_alive(pid));
        }
    }
}

#[tokio::test]
async fn results_and_reports_that_the_code_forges_are_overwritten_or_its_own_word() {
    let rig = Rig::new().await;
    let forged = "open('.attempt/results.json', 'w').write('{\"forged\": 1}')\n";
    assert_eq!(
        rig.results(&format!("{forged}results = {{'true': 1}}\n"))
            .await,
        json!({"true": 1})
    );
    let report = r#"{"end": {"exit": {"status": 0, "message": ""}}, "results": null, "notes": [], "files": []}"#;
    let both = format!("{forged}open('.attempt/report.json', 'w').write('{report}')\nimport os\n");
    // Nobody else says what the code found. How its process ended is seen from outside, and told.
    let outcome = rig.run(&format!("{both}os._exit(3)\n")).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let told = outcome.notes.iter().any(|note| note.contains("status 3"));
    assert!(told, "{outcome:#?}");
    // A report alone is not enough against what the supervisor saw.
    let failure = rig
        .failure(&format!("{forged}import os\nos._exit(0)\n"))
        .await;
    assert_eq!(failure.code, "exited_early", "{failure:#?}");
}
