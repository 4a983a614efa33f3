//! `workflows/epics_setpoint` with the real program, before a real soft IOC and a gateway that takes no puts. An
//! independent client reads what the machine has.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli_rig::{Place, Ran, text};
use crate::control_rig::{Server, python_with, start};

const FILE: &str = "workflows/epics_setpoint/epics_setpoint.yml";
const CONFIG: &str = "workflows/epics_setpoint/config.yml";

/// The example in a folder of its own, its IOC, and the gateway before it.
struct Machine {
    place: Place,
    python: PathBuf,
    ports: [String; 2],
    ioc: Server,
    _gateway: Server,
}

fn free_port() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port().to_string()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("__pycache__") {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|end| end == "py" || end == "yml")
        {
            found.push(path);
        }
    }
    found
}

impl Machine {
    fn new() -> Option<Self> {
        let python = python_with("caproto")?;
        let place = Place::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for path in files(&root.join("workflows/epics_setpoint")) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            place.write(name, &fs::read_to_string(&path).unwrap());
        }
        // The interpreter of the tests has the package already.
        let packages = "    packages: [\"caproto>=1.3\"]\n";
        let machine = Self::started(place, python);
        machine.change(FILE, packages, "");
        Some(machine)
    }

    fn started(place: Place, python: PathBuf) -> Self {
        let script = place.path("workflows/epics_setpoint/ioc.py");
        let [real, gateway] = [free_port(), free_port()];
        let ioc = start(&python, &script, &["--port", &real]);
        let more = ["--port", &gateway, "--read-only", "--of", &real];
        Self {
            _gateway: start(&python, &script, &more),
            place,
            python,
            ioc,
            ports: [real, gateway],
        }
    }

    /// Changes a text of the example.
    fn change(&self, file: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.place.path(file)).unwrap();
        assert!(before.contains(from), "{file} has no {from:?}");
        self.place.write(file, &before.replace(from, to));
    }

    /// Runs a command that must end with that code.
    fn json(&self, code: i32, args: &[&str]) -> Value {
        let mut command = self.place.command(&[args, &["--json"]].concat());
        command
            .env("STEPWELL_CONFIG", CONFIG)
            .env("EPICS_WRITE_PORT", &self.ports[0])
            .env("EPICS_READ_PORT", &self.ports[1])
            .env("LOCAL_PYTHON_VENV", &self.python)
            // Of the shell: no step may see it.
            .env("EPICS_CA_ADDR_LIST", "192.0.2.1");
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:#?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// What another client finds at the IOC.
    fn has(&self, channel: &str) -> f64 {
        let code = "import sys; from caproto.sync.client import read\n\
                    print(float(read('EX:' + sys.argv[1], timeout=10, repeater=False).data[0]))";
        let mut client = Command::new(&self.python);
        client.args(["-c", code, channel]).envs(&self.ioc.clients);
        let output = client.output().unwrap();
        let found = String::from_utf8_lossy(&output.stdout);
        found
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// Starts a run, approves its write; how it ended.
    fn approved(&self, code: i32, inputs: &[&str]) -> Value {
        let inputs: Vec<&str> = inputs.iter().flat_map(|input| ["-i", input]).collect();
        let asks = self.json(3, &[&["run", FILE][..], &inputs].concat());
        assert_eq!(asks["status"], "waiting", "{asks:#}");
        self.json(code, &["approve", "@last", "--resume"])
    }

    /// The failure of the run, and what the machine has had all the time.
    fn refused(&self, ended: &Value, kind: &str, code: &str) {
        let failure = &ended["failure"]["failure"];
        let found = (text(&failure["kind"]), text(&failure["code"]));
        assert_eq!(found, (kind, code), "{ended:#}");
    }
}

#[test]
fn a_set_point_is_written_after_a_yes_and_within_its_limits() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let asks = machine.json(3, &["run", FILE]);
    assert_eq!(asks["status"], "waiting", "{asks:#}");
    assert_eq!(machine.has("MAG:CUR:SET"), 1.0, "nobody has said yes");
    let ended = machine.json(0, &["approve", "@last", "--resume"]);
    let outputs = &ended["outputs"];
    assert_eq!(outputs["before_um"], 80.0, "{ended:#}");
    assert_eq!(outputs["written_a"], 2.5);
    assert_eq!(outputs["read_a"], 2.5);
    assert_eq!(outputs["after_um"], 20.0);
    assert_eq!(machine.has("MAG:CUR:SET"), 2.5);
    assert_eq!(machine.has("MAG:CUR:RBV"), 2.5);

    let doctor = machine.json(0, &["doctor"]);
    let checks = doctor["checks"].as_array().unwrap().iter();
    let gateways: Vec<&Value> = checks.filter(|one| one["name"] == "gateways").collect();
    assert_eq!(gateways.len(), 2, "{doctor:#}");
    for gateway in gateways {
        let message = text(&gateway["message"]);
        assert!(message.contains("has 2 of 2 channels"), "{gateway}");
    }

    // A yes does not lift the limits: above the greatest value, more than one step at once.
    for target in ["target_um=-200", "target_um=-99"] {
        let ended = machine.approved(1, &[target]);
        machine.refused(&ended, "limits", "channel_limit");
    }
    let ended = machine.approved(1, &["magnet=EX:BPM:X", "target_um=60"]);
    machine.refused(&ended, "limits", "channel_limit");
    let ended = machine.approved(1, &["magnet=OTHER:SET", "target_um=60"]);
    machine.refused(&ended, "limits", "channel_not_listed");
    assert_eq!(
        ended["outputs"]["written_a"],
        Value::Null,
        "nothing was put"
    );
    assert_eq!(machine.has("MAG:CUR:SET"), 2.5, "nothing arrived");

    let ended = machine.approved(1, &["magnet=EX:OFF:CUR:SET", "target_um=60"]);
    machine.refused(&ended, "limits", "readback_differs");
    let outputs = &ended["outputs"];
    assert_eq!(outputs["written_a"], 1.5, "it was put: {ended:#}");
    assert_eq!(outputs["read_a"], 1.0, "and did not arrive");
    assert_eq!(machine.has("OFF:CUR:SET"), 1.0);
}

#[test]
fn a_write_in_read_only_meets_the_scan_the_guard_and_the_gateway() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.change(FILE, ", mode: write_access", "");
    let ended = machine.json(1, &["run", FILE]);
    machine.refused(&ended, "policy", "write_in_read_only");

    let config = fs::read_to_string(machine.place.path(CONFIG)).unwrap();
    let off = "\nanalysis: {rules: {control_write: off, introspection: off, dynamic_code: off}}\n";
    machine.place.write(CONFIG, &(config + off));
    let ended = machine.json(1, &["run", FILE]);
    machine.refused(&ended, "safety", "write_refused");

    // Whoever means to get past the guard does; the server of this mode refuses what is put.
    let around = "import caproto._circuit as circuit\nfrom caproto.sync import client\n\
                  circuit.ClientChannel.write = circuit.ClientChannel.write.__wrapped__\n\
                  read, write = client.read, client.write.__wrapped__\n";
    let stage = "workflows/epics_setpoint/stages/set_current.py";
    machine.change(
        stage,
        "from caproto.sync.client import read, write\n",
        around,
    );
    let ended = machine.json(1, &["run", FILE]);
    machine.refused(&ended, "code", "python_exception");
    let message = text(&ended["failure"]["failure"]["message"]);
    assert!(message.contains("ECA_"), "{message}");
    assert_eq!(machine.has("MAG:CUR:SET"), 1.0);
    // The same code in the mode that may write gets there: it was the gateway.
    machine.change(
        FILE,
        "stages/set_current.py",
        "stages/set_current.py, mode: write_access",
    );
    machine.approved(0, &[]);
    assert_eq!(machine.has("MAG:CUR:SET"), 2.5);
}

#[test]
fn without_a_network_no_server_is_reached() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.change(
        CONFIG,
        "    read_only:\n",
        "    read_only:\n      network: none\n",
    );
    let ended = machine.json(1, &["run", FILE]);
    assert_eq!(ended["failure"]["step"], "measure", "{ended:#}");
    machine.refused(&ended, "code", "python_exception");
}
