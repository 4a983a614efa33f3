//! The engine's side: which kernel a step gets, and whose kernels are removed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use super::attempt;
use super::options::{Endpoint, Options};
use super::record::Record;
use super::recover;
use super::server::Server;
use crate::code;
use crate::executor::environment::ContainerEnvironment;
use crate::executor::local::clean;
use crate::executor::local::folder::Folder;
use crate::executor::make_dir;
use crate::executor::packages::Lists;
use crate::executor::{
    Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job, Outcome,
};
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::Mode;
use crate::redact::Redactor;
use crate::time::BoxFuture;
use crate::transport::network::NetworkTransport;

/// Runs attempts in kernels of Jupyter servers.
#[derive(Debug, Clone)]
pub struct JupyterExecutor {
    pub(super) inner: Arc<Inner>,
}

/// What the tasks of all attempts share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    /// One way out for each set of authorities.
    transports: Mutex<HashMap<Option<PathBuf>, Arc<NetworkTransport>>>,
    swept: AtomicBool,
    pub(super) lists: Lists,
}

/// A kernel that was started and is not known to be removed.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    folder: PathBuf,
    /// Where the kernel is, once nobody wants it any more and it could not be removed: the folder of its attempt may say
    /// nothing of that, or have gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unwanted: Option<Place>,
}

/// A server, and by which mode's settings it is spoken to.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    base: String,
    mode: Mode,
}

impl JupyterExecutor {
    /// An executor for these servers. Nothing is asked of them before it is needed.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                lists: Lists::new(&options.data),
                options,
                transports: Mutex::default(),
                swept: AtomicBool::new(false),
            }),
        }
    }

    /// Where steps of this mode run.
    #[must_use]
    pub fn endpoint(&self, mode: Mode) -> &Endpoint {
        self.inner.options.of(mode)
    }
}

impl Inner {
    /// The server of an endpoint, with its token as it is now.
    pub(super) fn server(&self, endpoint: &Endpoint) -> Result<Server, Failure> {
        self.server_at(endpoint.base.clone(), endpoint)
    }

    /// A server at this address, spoken to as the endpoint says.
    pub(super) fn server_at(&self, base: String, endpoint: &Endpoint) -> Result<Server, Failure> {
        let token = endpoint.token.read(&self.options.inherited)?;
        let transport = self.transport(endpoint.authorities.as_deref())?;
        Ok(Server::new(transport, base, token))
    }

    fn transport(&self, authorities: Option<&Path>) -> Result<Arc<NetworkTransport>, Failure> {
        let mut known = self
            .transports
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = authorities.map(Path::to_owned);
        if let Some(transport) = known.get(&key) {
            return Ok(Arc::clone(transport));
        }
        let made = match authorities {
            None => NetworkTransport::default(),
            Some(path) => NetworkTransport::trusting(fs::read(path).map_err(|error| {
                let message = format!("the authorities in {} can't be read", path.display());
                Failure::new(FailureKind::Configuration, code::TLS_FAILED, message)
                    .caused_by(&error)
            })?),
        };
        let transport = Arc::new(made);
        known.insert(key, Arc::clone(&transport));
        Ok(transport)
    }

    fn notes(&self) -> PathBuf {
        self.options.data.join("containers")
    }

    fn note_of(&self, kernel: &str) -> PathBuf {
        self.notes().join(format!("{kernel}.json"))
    }

    /// Remembers a kernel until it is removed. Without this note it would only stay a little longer.
    pub(super) fn note(&self, kernel: &str, folder: &Folder) {
        self.write_note(kernel, folder, None);
    }

    fn write_note(&self, kernel: &str, folder: &Folder, unwanted: Option<Place>) {
        let noted = Noted {
            folder: folder.root().to_owned(),
            unwanted,
        };
        let written = make_dir(&self.notes())
            .and_then(|()| Ok(serde_json::to_vec(&noted)?))
            .and_then(|text| fs::write(self.note_of(kernel), text));
        if let Err(error) = written {
            tracing::warn!(%kernel, %error, "a kernel could not be noted");
        }
    }

    /// Removes a kernel of an attempt that nobody wants any more; one that stays is tried again before the next attempt
    /// begins, of this process or another one.
    pub(super) async fn remove(&self, server: &Server, kernel: &str, attempt: (&Folder, Mode)) {
        match server.delete(kernel).await {
            Ok(()) => {
                let _unnoted = fs::remove_file(self.note_of(kernel));
            }
            Err(failure) => {
                tracing::warn!(%kernel, %failure.message, "a kernel could not be removed yet");
                let (folder, mode) = attempt;
                let base = server.base().to_owned();
                self.write_note(kernel, folder, Some(Place { base, mode }));
                self.swept.store(false, Ordering::SeqCst);
            }
        }
    }

    /// Removes kernels whose attempts ended and whose server did not remove them: it could not be reached, or refused.
    /// Once in a process, and once more whenever one was left since.
    async fn sweep(&self) {
        if self.swept.swap(true, Ordering::SeqCst) {
            return;
        }
        for entry in fs::read_dir(self.notes()).into_iter().flatten().flatten() {
            let Some(noted) = fs::read(entry.path())
                .ok()
                .and_then(|text| serde_json::from_slice::<Noted>(&text).ok())
            else {
                continue;
            };
            let path = entry.path();
            let Some(kernel) = path.file_stem().and_then(|name| name.to_str()) else {
                continue;
            };
            let folder = Folder::new(noted.folder);
            let place = noted.unwanted.or_else(|| left_in(&folder, kernel));
            let Some(Place { base, mode }) = place else {
                continue;
            };
            if let Ok(server) = self.server_at(base, self.options.of(mode)) {
                self.remove(&server, kernel, (&folder, mode)).await;
            }
        }
    }

    fn identify(&self, spec: &EnvironmentSpec) -> Result<EnvironmentIdentity, Failure> {
        let endpoint = self.options.of(spec.container.unwrap_or_default());
        let mut description = format!("kernel {} of {}\n", endpoint.kernel_name, endpoint.base);
        for (name, value) in &endpoint.kernel_env {
            let _infallible = writeln!(description, "{name}={value}");
        }
        for line in spec.lines()? {
            description.push_str(&line);
            description.push('\n');
        }
        Ok(EnvironmentIdentity {
            digest: Digest::of(description.as_bytes()),
            description,
        })
    }
}

/// Where the kernel of an attempt is that has ended, as far as its folder says.
fn left_in(folder: &Folder, kernel: &str) -> Option<Place> {
    let ended = folder.has("outcome.json") || folder.has("abandoned");
    let free = ended && matches!(folder.try_lock(), Ok(Some(_)));
    let record = Record::read(folder).ok()?.filter(|_| free)?;
    (record.kernel.as_deref() == Some(kernel)).then_some(Place {
        base: record.base,
        mode: record.mode,
    })
}

/// Whether the attempt in that folder was given to a container.
pub(in crate::executor) fn holds(folder: &Path) -> bool {
    Record::is_in(&Folder::new(folder))
}

impl Executor for JupyterExecutor {
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>> {
        // Asks nobody: a server that is away for a moment must not fail the analysis.
        let identity = self.inner.identify(spec);
        Box::pin(async move { identity })
    }

    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        _progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>> {
        Box::pin(async move {
            let endpoint = self.inner.options.of(spec.container.unwrap_or_default());
            let server = self.inner.server(endpoint)?;
            server.check_kernelspec(&endpoint.kernel_name).await?;
            Ok(Environment {
                digest: self.inner.identify(spec)?.digest,
                interpreter: PathBuf::from(&endpoint.kernel_name),
                container: Some(ContainerEnvironment {
                    packages: spec.lines()?,
                }),
                // The kernel of the attempt says it.
                packages: None,
            })
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the task stands for the supervisor that there is no process for: it must outlive whoever waits for it"
    )]
    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let sweeping = Arc::clone(&inner);
            tokio::spawn(async move { sweeping.sweep().await });
            // A task of its own: who drops this future leaves the attempt at work, and its kernel is never lost.
            let attempt = tokio::spawn(attempt::run(inner, job).in_current_span());
            attempt.await.unwrap_or_else(|error| {
                Err(Failure::new(
                    FailureKind::Internal,
                    code::INTERNAL,
                    format!("the task of the attempt died: {error}"),
                ))
            })
        })
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        let (inner, folder) = (Arc::clone(&self.inner), Folder::new(folder));
        Box::pin(async move { recover::adopt(inner, folder).await })
    }

    fn clean<'a>(&'a self, folder: &'a Path, secrets: &'a Redactor) -> BoxFuture<'a, ()> {
        let (folder, secrets) = (Folder::new(folder), secrets.clone());
        Box::pin(async move {
            let cleaned = tokio::task::spawn_blocking(move || {
                let mut notes = Vec::new();
                clean::folder(&folder, &secrets, &mut notes);
                notes
            });
            for note in cleaned.await.unwrap_or_default() {
                tracing::warn!(%note, "a lost attempt was freed of secrets");
            }
        })
    }

    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        let folder = Folder::new(folder);
        Box::pin(async move { recover::kill(&self.inner, &folder).await })
    }
}
