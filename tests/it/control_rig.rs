//! Real servers of control systems on loopback, for code of steps to talk to. Without their packages these tests say
//! so and pass; with CI set, they fail.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ties the life of the server to that of the tests, however they end.
const TIED: &str = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); os.execv(sys.executable, [sys.executable] + sys.argv[1:])";

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    /// The variables by which clients find it.
    pub(crate) clients: BTreeMap<String, String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The Python of the tests, when it has these modules.
pub(crate) fn python_with(modules: &str) -> Option<PathBuf> {
    let found = std::env::var_os("STEPWELL_TEST_PYTHON").map(PathBuf::from);
    let found = found.filter(|python| {
        let mut asked = Command::new(python);
        asked.args(["-c", &format!("import {modules}")]);
        asked.stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{modules} is missing");
        eprintln!("passed over: there is no {modules}");
    }
    found
}

/// Starts a server, which says on its first line how it is found.
pub(crate) fn start(python: &Path, script: &Path, args: &[&str]) -> Server {
    let mut command = Command::new(python);
    command.args(["-u", "-c", TIED]).arg(script).args(args);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let clients = lines
        .map_while(Result::ok)
        .find_map(|line| serde_json::from_str(&line).ok())
        .unwrap_or_else(|| panic!("{} did not start", script.display()));
    Server { child, clients }
}
