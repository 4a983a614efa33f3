//! A real Jupyter Server and a real Kernel Gateway on loopback, with two real kernels, and executors for them.
//! Without the packages these tests say so and pass; with CI set, they fail.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use stepwell::executor::jupyter::{Endpoint, JupyterExecutor, Options, Token};

pub(crate) const TOKEN: &str = "token-of-the-tests-0123456789";
/// The variable that the executors of the tests find it in.
pub(crate) const TOKEN_NAME: &str = "STEPWELL_TEST_JUPYTER_TOKEN";

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Server,
    Gateway,
}

/// A program that listens.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) base: String,
    pub(crate) port: u16,
    pub(crate) pid: u32,
    /// Has the kernelspecs.
    _place: tempfile::TempDir,
}

/// Ties the life of the program to that of the tests, however they end.
const TIED: &str = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); os.execv(sys.executable, [sys.executable] + sys.argv[1:])";

/// The program as all tests share it; none = its packages are not there.
pub(crate) fn shared(program: Program) -> Option<&'static Running> {
    static SERVER: OnceLock<Option<Running>> = OnceLock::new();
    static GATEWAY: OnceLock<Option<Running>> = OnceLock::new();
    let place = match program {
        Program::Server => &SERVER,
        Program::Gateway => &GATEWAY,
    };
    place.get_or_init(|| start(program, &[])).as_ref()
}

fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("STEPWELL_TEST_PYTHON")?);
    let asked = Command::new(&python)
        .args(["-c", "import jupyter_server, kernel_gateway, ipykernel"])
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success()).then_some(python)
}

/// Starts one of its own.
pub(crate) fn start(program: Program, more: &[&str]) -> Option<Running> {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "no Jupyter for the tests");
        eprintln!(
            "passed over: STEPWELL_TEST_PYTHON names no Python with jupyter-server and jupyter-kernel-gateway"
        );
        return None;
    };
    let place = tempfile::tempdir().unwrap();
    for (name, mode) in [
        ("python3-epics-readonly", "readonly"),
        ("python3-epics-write", "write"),
    ] {
        let folder = place.path().join("share/kernels").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let spec = serde_json::json!({
            "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name, "language": "python", "env": {"KERNEL_OF_THE_TESTS": mode},
        });
        std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    }
    for (name, code) in [
        ("dies", "raise SystemExit(3)"),
        ("silent", "import time; time.sleep(3600)"),
    ] {
        let folder = place.path().join("share/kernels").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let spec = serde_json::json!({
            "argv": [python, "-c", code, "{connection_file}"], "display_name": name, "language": "python",
        });
        std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    }
    // One that dies when it is started for the first time, and one that is then never heard.
    for (name, at_first) in [
        ("dies at first", "sys.exit(1)"),
        ("silent at first", "time.sleep(3600)"),
    ] {
        let folder = place
            .path()
            .join("share/kernels")
            .join(name.replace(' ', "-"));
        std::fs::create_dir_all(&folder).unwrap();
        let code = format!(
            "import os, sys, time\nmark = {:?}\nif not os.path.exists(mark):\n    open(mark, 'w')\n    {at_first}\n\
             from ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance()\n",
            place.path().join(name)
        );
        let spec = serde_json::json!({
            "argv": [python, "-c", code, "-f", "{connection_file}"], "display_name": name, "language": "python",
        });
        std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    }
    // A kernel whose interpreter has gone.
    let folder = place.path().join("share/kernels/python3-broken");
    std::fs::create_dir_all(&folder).unwrap();
    let spec = serde_json::json!({
        "argv": ["/no/such/interpreter", "{connection_file}"], "display_name": "broken", "language": "python",
    });
    std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (module, class) = match program {
        Program::Server => ("jupyter_server", "ServerApp"),
        Program::Gateway => ("kernel_gateway", "KernelGatewayApp"),
    };
    let mut command = Command::new(&python);
    command.args(["-c", TIED, "-m", module]);
    command.args([
        format!("--{class}.port={port}"),
        format!("--{class}.ip=127.0.0.1"),
    ]);
    match program {
        Program::Server => command.args([
            format!("--IdentityProvider.token={TOKEN}"),
            format!("--ServerApp.root_dir={}", place.path().display()),
            "--ServerApp.open_browser=False".to_owned(),
            "--allow-root".to_owned(),
        ]),
        Program::Gateway => command.arg(format!("--KernelGatewayApp.auth_token={TOKEN}")),
    };
    let log = std::fs::File::create(place.path().join("server.log")).unwrap();
    command
        .args(more)
        .env("JUPYTER_PATH", place.path().join("share"))
        .env("JUPYTER_CONFIG_DIR", place.path())
        .env("JUPYTER_RUNTIME_DIR", place.path().join("runtime"))
        .env("IPYTHONDIR", place.path().join("ipython"))
        .env("JUPYTER_TOKEN_LEFT_BY_SOMEBODY", "x")
        .env("JUPYTER_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // The kernel ends the program with the thread that has started it: this one lives as long as the tests.
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut child = command.spawn().unwrap();
        send.send(child.id()).unwrap();
        let _ended = child.wait();
        loop {
            std::thread::park();
        }
    });
    let running = Running {
        base: format!("http://127.0.0.1:{port}"),
        port,
        pid: receive.recv().unwrap(),
        _place: place,
    };
    let until = Instant::now() + Duration::from_secs(180);
    while running.get("/api/kernelspecs").0 != 200 {
        assert!(
            Instant::now() < until,
            "{program:?} never answered: {}",
            std::fs::read_to_string(running._place.path().join("server.log")).unwrap()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(running)
}

impl Running {
    /// Asks it something, apart from everything that is tested.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return (0, String::new());
        };
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: token {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        let _all = stream.read_to_string(&mut text);
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.unwrap_or(0), body.to_owned())
    }

    /// Ids of the kernels that it has; only the server says.
    pub(crate) fn kernels(&self) -> Vec<String> {
        let (status, body) = self.get("/api/kernels");
        assert_eq!(status, 200, "{body}");
        let list: serde_json::Value = serde_json::from_str(&body).unwrap();
        let ids = list.as_array().unwrap().iter();
        ids.map(|kernel| kernel["id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn options(&self, data: &Path) -> Options {
        options(&self.base, data)
    }

    pub(crate) fn executor(&self, data: &Path) -> JupyterExecutor {
        JupyterExecutor::new(self.options(data))
    }
}

pub(crate) fn options(base: &str, data: &Path) -> Options {
    let endpoint = |kernel: &str| Endpoint {
        base: base.to_owned(),
        kernel_name: kernel.to_owned(),
        token: Token::Env(TOKEN_NAME.to_owned()),
        authorities: None,
        shared: None,
        transfer_bytes_max: 64 << 20,
        start_timeout: Duration::from_secs(60),
        patience: Endpoint::PATIENCE,
        kernel_env: BTreeMap::new(),
    };
    Options {
        data: data.to_owned(),
        read_only: endpoint("python3-epics-readonly"),
        write_access: endpoint("python3-epics-write"),
        inherited: BTreeMap::from([(TOKEN_NAME.to_owned(), TOKEN.to_owned())]),
    }
}
