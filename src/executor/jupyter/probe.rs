//! Looks whether a server would do, step by step, as `doctor` tells it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::executor::JupyterExecutor;
use super::kernel::{Fault, Kernel, QUICK};
use super::record::Record;
use super::server::Server;
use super::{Endpoint, attempt};
use crate::executor::local::folder::Folder;
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
}

impl JupyterExecutor {
    /// Tries the server of a mode: is it there, does it take the token, has it the kernel, does the kernel answer
    /// over its websocket, is the shared folder the same. Stops at the first that fails; starts and removes one kernel.
    pub async fn probe(&self, mode: Mode) -> Vec<Probe> {
        let endpoint = self.endpoint(mode);
        let mut probes = Vec::new();
        let server = match self.inner.server(endpoint) {
            Ok(server) => server,
            Err(failure) => {
                return vec![Probe {
                    what: "token",
                    found: Err(failure),
                }];
            }
        };
        let listed = server.kernelspecs().await;
        let reached = listed.is_ok();
        probes.push(Probe {
            what: "server",
            found: listed.map(|_| format!("{} answers and takes the token", server.shown())),
        });
        if !reached {
            return probes;
        }
        let spec = server.check_kernelspec(&endpoint.kernel_name).await;
        let known = spec.is_ok();
        probes.push(Probe {
            what: "kernelspec",
            found: spec.map(|()| endpoint.kernel_name.clone()),
        });
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
                probes.push(Probe {
                    what: "kernel",
                    found: Err(failure),
                });
                return;
            }
        };
        let mut kernel = Kernel::new(server.clone(), id.clone(), mark.clone());
        let answered = answer(&mut kernel).await;
        let well = answered.is_ok();
        probes.push(Probe {
            what: "kernel",
            found: answered.map_err(Fault::into_failure),
        });
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
            probes.push(Probe {
                what: "shared folder",
                found,
            });
        }
        kernel.disconnect();
        let removed = server.delete(&id).await;
        if let Err(failure) = removed {
            probes.push(Probe {
                what: "removal of the kernel",
                found: Err(failure),
            });
        }
    }
}

async fn answer(kernel: &mut Kernel) -> Result<String, Fault> {
    kernel.connect_until(Instant::now() + PATIENCE).await?;
    let hello = kernel.hello(PATIENCE).await?;
    let word = |at: &str| hello.get(at).and_then(Value::as_str).unwrap_or_default();
    Ok(format!(
        "a kernel answers over its websocket: Python {} at {}",
        word("python"),
        word("executable")
    ))
}

async fn share(kernel: &mut Kernel, folder: &Folder, record: &Record) -> Result<String, Failure> {
    let unusable = |error: std::io::Error| attempt::folder_failure(folder, &error);
    std::fs::create_dir_all(folder.internal("")).map_err(unusable)?;
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
