//! Before the code begins: a kernel, and everything of the attempt that it must have.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::attempt::{Attempt, folder_failure, not_shared, slow};
use super::home::CHUNK_BYTES;
use super::kernel::{Fault, Kernel, QUICK};
use crate::code;
use crate::executor::local::harness;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::python::outcome::Packages;

const LAUNCH: &str = include_str!("launch.py");

impl Attempt {
    /// Starts a kernel and waits for its first answer. It has nothing of the attempt yet.
    pub(super) async fn kernel(&mut self) -> Result<(Kernel, Value), Failure> {
        let id = self.server.start(&self.endpoint, &self.record.path).await?;
        self.record.kernel = Some(id.clone());
        self.record
            .write(&self.folder)
            .map_err(|error| folder_failure(&self.folder, &error))?;
        self.inner.note(&id, &self.folder);
        let mut kernel = Kernel::new(self.server.clone(), id, self.record.session.clone());
        let hello = kernel.greet(self.endpoint.start_timeout).await;
        let hello = hello.map_err(|fault| slow(fault, &self.server))?;
        Ok((kernel, hello))
    }

    pub(super) async fn hand_over(&self, kernel: &mut Kernel) -> Result<(), Failure> {
        let attempt = &self.record.attempt;
        let begin = json!({
            "op": "begin", "attempt": attempt, "shared": self.record.shared, "session": self.record.session,
        });
        match kernel.ask(&begin, Some(QUICK), &mut |_| {}).await {
            Err(Fault::Refused(message)) if self.record.shared.is_some() => {
                return Err(not_shared(&message));
            }
            answer => answer.map_err(Fault::into_failure)?,
        };
        let environment = self.job.environment.container.as_ref();
        let lines = environment.map_or(&[][..], |container| &container.packages);
        if !lines.is_empty() {
            self.check_packages(kernel, lines).await?;
        }
        for (name, text) in harness::FILES {
            let path = format!("tools/stepwell_harness/{name}");
            self.put(kernel, &path, text.as_bytes()).await?;
        }
        self.put(kernel, "tools/stepwell_launch.py", LAUNCH.as_bytes())
            .await?;
        if self.record.shared.is_none() {
            let folders = json!({
                "op": "folders", "attempt": attempt, "names": ["figures", "artifacts", ".attempt"],
            });
            self.done(kernel, &folders).await?;
            for name in ["code.py", "context.json", ".attempt/harness.json"] {
                let bytes = fs::read(self.folder.file(name))
                    .map_err(|error| folder_failure(&self.folder, &error))?;
                self.put(kernel, name, &bytes).await?;
            }
            for (name, bytes) in self.job.modules.iter().flatten() {
                self.put(kernel, &format!(".attempt/modules/{name}"), bytes)
                    .await?;
            }
            for (name, bytes) in &self.job.files {
                self.put(kernel, name, bytes).await?;
            }
        }
        Ok(())
    }

    /// Keeps the list of what is installed for the kernel. It is asked for once: every kernel names its list.
    pub(super) async fn learn_packages(
        &self,
        kernel: &mut Kernel,
        hello: &Value,
    ) -> Result<(), Failure> {
        let told = hello.get("packages").unwrap_or(&Value::Null);
        let Ok(named) = Packages::deserialize(told) else {
            return Ok(());
        };
        if self.inner.lists.has(named) {
            return Ok(());
        }
        let answer = self.done(kernel, &json!({"op": "packages"})).await?;
        let list = answer.get("list").and_then(Value::as_str);
        let list = list.filter(|list| Digest::of(list.as_bytes()) == named.digest);
        if list.and_then(|list| self.inner.lists.keep(list)).is_none() {
            tracing::warn!(kernel = %kernel.id, "the list of its packages could not be kept");
        }
        Ok(())
    }

    async fn check_packages(&self, kernel: &mut Kernel, lines: &[String]) -> Result<(), Failure> {
        let order = json!({"op": "missing", "requirements": lines});
        let answer = self.done(kernel, &order).await?;
        let missing: Vec<&str> = answer
            .get("missing")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Configuration,
            code::KERNEL_PACKAGES,
            format!(
                "the environment of the kernel `{}` lacks {}",
                self.endpoint.kernel_name,
                missing.join(", ")
            ),
        )
        .hint(
            "install them in the image of the kernel, or let the step run with `execution: local`",
        ))
    }

    async fn put(&self, kernel: &mut Kernel, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let chunks = bytes.chunks(CHUNK_BYTES).enumerate();
        let empty: &[u8] = &[];
        let empty = bytes.is_empty().then_some((0, empty));
        for (index, chunk) in chunks.chain(empty) {
            let order = json!({
                "op": "put", "attempt": self.record.attempt, "path": path,
                "append": index > 0, "data": STANDARD.encode(chunk),
            });
            self.done(kernel, &order).await?;
        }
        Ok(())
    }

    /// A request before the code begins. One that breaks off is not made again: nothing is lost but the kernel.
    async fn done(&self, kernel: &mut Kernel, order: &Value) -> Result<Value, Failure> {
        let answer = kernel.ask(order, Some(QUICK), &mut |_| {}).await;
        answer.map_err(Fault::into_failure)
    }
}
