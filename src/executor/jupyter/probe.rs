//! Looks whether a server would do, step by step, as `doctor` tells it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::executor::JupyterExecutor;
use super::kernel::{Fault, Kernel, QUICK, not_started};
use super::record::Record;
use super::server::Server;
use super::{Endpoint, attempt};
use crate::executor::local::folder::Folder;
use crate::executor::make_dir;
use crate::failure::Failure;
use crate::id::Digest;
use crate::plan::Mode;
use crate::time::{Clock as _, SystemClock};

/// Longest time that a kernel may take to answer somebody who only looks.
const PATIENCE: Duration = Duration::from_secs(30);

/// One thing that was tried: what, and how it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What was tried.
    pub what: &'static str,
    /// What was found, or why it failed.
    pub found: Result<String, Failure>,
    /// What is worth knowing although it works.
    pub lacking: Option<String>,
}

impl Probe {
    fn new(what: &'static str, found: Result<String, Failure>) -> Self {
        Self {
            what,
            found,
            lacking: None,
        }
    }
}

impl JupyterExecutor {
    /// Tries the server of a mode: is it there, does it take the token, has it the kernel, does one start, does it
    /// answer over its websocket, what keeps it apart, is the shared folder the same. Stops at the first that fails;
    /// starts and removes one kernel.
    pub async fn probe(&self, mode: Mode) -> Vec<Probe> {
        let endpoint = self.endpoint(mode);
        let mut probes = Vec::new();
        let server = match self.inner.server(endpoint) {
            Ok(server) => server,
            Err(failure) => {
                return vec![Probe::new("token", Err(failure))];
            }
        };
        let listed = server.kernelspecs().await;
        let reached = listed.is_ok();
        probes.push(Probe::new(
            "server",
            listed.map(|_| format!("{} answers and takes the token", server.shown())),
        ));
        if !reached {
            return probes;
        }
        let spec = server.check_kernelspec(&endpoint.kernel_name).await;
        let known = spec.is_ok();
        probes.push(Probe::new(
            "kernelspec",
            spec.map(|()| endpoint.kernel_name.clone()),
        ));
        if known {
            self.try_kernel(&server, endpoint, mode, &mut probes).await;
        }
        probes
    }

    async fn try_kernel(
        &self,
        server: &Server,
        endpoint: &Endpoint,
        mode: Mode,
        probes: &mut Vec<Probe>,
    ) {
        let now = SystemClock.now().as_micros();
        let mark: String = Digest::of(&now.to_be_bytes())
            .hex()
            .chars()
            .take(32)
            .collect();
        let id = match server
            .start(endpoint, &format!("stepwell/doctor/{mark}"))
            .await
        {
            Ok(id) => id,
            Err(failure) => {
                probes.push(Probe::new("kernel", Err(failure)));
                return;
            }
        };
        probes.push(Probe::new(
            "kernel",
            Ok(format!("{} was started", endpoint.kernel_name)),
        ));
        let mut kernel = Kernel::new(server.clone(), id.clone(), mark.clone());
        let answered = answer(&mut kernel, endpoint.start_timeout.min(PATIENCE)).await;
        let well = answered.is_ok();
        probes.push(Probe::new("websocket", answered));
        if well {
            probes.push(match kept_apart(&mut kernel).await {
                Ok((held, lacking)) => Probe {
                    lacking,
                    ..Probe::new("isolation", Ok(held))
                },
                Err(failure) => Probe::new("isolation", Err(failure)),
            });
        }
        if let Some(shared) = endpoint.shared.as_ref().filter(|_| well) {
            let data = &self.inner.options.data;
            let folder = Folder::new(data.join(format!("containers/doctor-{mark}")));
            let seen = shared.kernel.join(format!("containers/doctor-{mark}"));
            let record = Record {
                base: endpoint.base.clone(),
                mode,
                kernel_name: endpoint.kernel_name.clone(),
                path: String::new(),
                session: mark.clone(),
                attempt: mark,
                shared: Some(seen.to_string_lossy().into_owned()),
                secrets: false,
                kernel: None,
            };
            let found = share(&mut kernel, &folder, &record).await;
            let _left_behind = std::fs::remove_dir_all(folder.root());
            probes.push(Probe::new("shared folder", found));
        }
        kernel.disconnect();
        let removed = server.delete(&id).await;
        if let Err(failure) = removed {
            probes.push(Probe::new("removal of the kernel", Err(failure)));
        }
    }
}

async fn answer(kernel: &mut Kernel, patience: Duration) -> Result<String, Failure> {
    let hello = kernel.greet(patience).await;
    let hello = hello.map_err(|fault| attempt::slow(fault, &kernel.server))?;
    let word = |at: &str| hello.get(at).and_then(Value::as_str).unwrap_or_default();
    Ok(format!(
        "a kernel answers over its websocket: Python {} at {}",
        word("python"),
        word("executable")
    ))
}

/// What the kernel sees of itself.
#[derive(Debug, Deserialize)]
struct Surroundings {
    root: bool,
    no_new_privileges: bool,
    seccomp: bool,
    capabilities: bool,
    container: bool,
    memory_bytes: Option<u64>,
    processes: Option<u64>,
    server_environment: bool,
}

/// What of that keeps code apart, and what does not. The layers of this machine are not there.
async fn kept_apart(kernel: &mut Kernel) -> Result<(String, Option<String>), Failure> {
    let order = json!({"op": "surroundings"});
    let answer = kernel.ask(&order, Some(QUICK), &mut |_| {}).await;
    let answer = answer.map_err(Fault::into_failure)?;
    let seen = Surroundings::deserialize(&answer)
        .map_err(|error| not_started("it does not say what keeps it apart").caused_by(&error))?;
    let (mut held, mut open) = (Vec::new(), Vec::new());
    let mut tell = |is_held: bool, yes: &str, no: &str| {
        let (list, word) = if is_held {
            (&mut held, yes)
        } else {
            (&mut open, no)
        };
        list.push(word.to_owned());
    };
    tell(
        seen.container,
        "it is in a container",
        "it is in no container that can be seen",
    );
    tell(!seen.root, "it is not root", "it is root");
    tell(!seen.capabilities, "no capabilities", "it has capabilities");
    tell(
        seen.no_new_privileges,
        "no_new_privileges",
        "programs may get other rights (no_new_privileges is off)",
    );
    tell(seen.seccomp, "seccomp", "no seccomp");
    tell(
        !seen.server_environment,
        "the environment of its server is hidden",
        "code can read the environment of its server, the token included",
    );
    let memory = seen
        .memory_bytes
        .map(|bytes| format!("memory {} MiB", bytes >> 20));
    tell(
        memory.is_some(),
        memory.as_deref().unwrap_or_default(),
        "no limit of memory",
    );
    let processes = seen.processes.map(|count| format!("{count} processes"));
    tell(
        processes.is_some(),
        processes.as_deref().unwrap_or_default(),
        "no limit of processes",
    );
    let held = if held.is_empty() {
        "nothing that can be seen keeps its code apart".to_owned()
    } else {
        held.join(", ")
    };
    Ok((held, (!open.is_empty()).then(|| open.join(", "))))
}

async fn share(kernel: &mut Kernel, folder: &Folder, record: &Record) -> Result<String, Failure> {
    let unusable = |error: std::io::Error| attempt::folder_failure(folder, &error);
    make_dir(&folder.internal("")).map_err(unusable)?;
    record.write(folder).map_err(unusable)?;
    let begin = json!({
        "op": "begin", "attempt": record.attempt, "shared": record.shared, "session": record.session,
    });
    match kernel.ask(&begin, Some(QUICK), &mut |_| {}).await {
        Ok(_) => {}
        Err(Fault::Refused(message)) => return Err(attempt::not_shared(&message)),
        Err(fault) => return Err(fault.into_failure()),
    }
    let put = json!({
        "op": "put", "attempt": record.attempt, "path": "from the kernel", "append": false, "data": "b2s=",
    });
    kernel
        .ask(&put, Some(QUICK), &mut |_| {})
        .await
        .map_err(Fault::into_failure)?;
    match std::fs::read(folder.file("from the kernel")) {
        Ok(bytes) if bytes == b"ok" => {
            Ok("the kernel reads and writes the same data folder".to_owned())
        }
        Ok(_) => Err(attempt::not_shared(
            "what the kernel wrote is not what lies here",
        )),
        Err(error) => Err(attempt::not_shared(&format!(
            "what the kernel wrote is not here: {error}"
        ))),
    }
}
