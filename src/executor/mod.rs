//! Where Python runs: the port, and its adapters (processes of this machine, kernels of Jupyter servers, a fake).
//!
//! An attempt lives in one folder. Everything that is needed to say how it ended is written there by a
//! process that outlives the engine, so an attempt that finished while nobody watched is adopted, not repeated.
//!
//! ```
//! use std::path::Path;
//! use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
//! use stepwell::executor::{Adoption, EnvironmentSpec, Executor};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let executor = FakeExecutor::new(|job| FakeAnswer::results(job.context.clone()));
//!
//! // An environment has its name before it is built: an approval can be bound to it.
//! let spec = EnvironmentSpec { packages: vec!["numpy".to_owned()], ..EnvironmentSpec::default() };
//! let named = executor.identify(&spec).await?;
//! let built = executor.prepare(&spec, &|line| println!("{line}")).await?;
//! assert_eq!(named.digest, built.digest);
//!
//! // After a crash: what became of this attempt? Nothing of it ever ran, so it may begin again.
//! let adoption = executor.adopt(Path::new("/data/runs/1/load/1")).await;
//! assert!(matches!(adoption, Adoption::Lost { started: false, .. }));
//! # Ok::<(), stepwell::failure::Failure>(())
//! # }).unwrap();
//! ```

pub mod environment;
pub mod fake;
mod installer;
mod interpreter;
mod job;
pub mod jupyter;
pub mod local;
mod modules;
pub mod packages;
mod protection;
pub mod report;
mod routed;
pub mod verdict;

use std::fmt::Debug;
use std::path::Path;

pub use crate::plan::NanPolicy;
pub use environment::ContainerEnvironment;
pub use environment::{Environment, EnvironmentIdentity, EnvironmentSpec};
pub use job::{Job, JobSecrets, Limits};
pub(crate) use local::folder::make_dir;
pub use protection::{ChannelLimit, ChannelLimits, Guard, Protection, Verify};

pub use routed::Routed;

use crate::failure::Failure;
pub use crate::python::outcome::{
    Isolation, Layer, Outcome, OutcomeStatus, OutputFile, Packages, Start, StreamFile, Usage,
};
use crate::redact::Redactor;
use crate::time::BoxFuture;

/// Runs the code of one attempt in an environment, and tells later what became of it.
pub trait Executor: Send + Sync + Debug {
    /// Names the environment without installing anything: cheap enough for every run.
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>>;

    /// Brings the environment, building it when it is missing. `progress` hears lines for people.
    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>>;

    /// What is installed there, for whoever writes code: the version of Python, then a package on each line. Builds the
    /// environment when it is missing.
    fn packages<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        _progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(async move {
            let identity = self.identify(spec).await?;
            Ok(identity.description.lines().map(str::to_owned).collect())
        })
    }

    /// Which of these modules the environment does not have, by their top-level names. Nothing is installed or started
    /// for it, and none of them is imported: where it can't be told so, none is missing. `path` is `PYTHONPATH` of the
    /// code.
    fn missing<'a>(
        &'a self,
        _spec: &'a EnvironmentSpec,
        _modules: &'a [String],
        _path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Runs one attempt to its end. `Err` means that it could not be started or watched; the failures of
    /// the code itself are an [`Outcome`]. Dropping the future leaves the attempt running: see [`Executor::adopt`].
    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>>;

    /// Tells what became of the attempt in `folder` that another engine started; waits while it still runs.
    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption>;

    /// Frees the files of the attempt in `folder`, of which no process is alive, of secrets. An attempt that came
    /// to its end is free of them already; this is for one whose supervisor died.
    fn clean<'a>(&'a self, _folder: &'a Path, _secrets: &'a Redactor) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Stops the attempt in `folder`. When it returns, no process of the attempt is alive.
    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>>;
}

/// What became of an attempt whose engine went away.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made per attempt and moved once"
)]
pub enum Adoption {
    /// It ended and left its outcome.
    Finished(Outcome),
    /// It left no outcome, and no process of it is alive.
    Lost {
        /// Whether the code may have begun. When false, nothing of it ever ran.
        started: bool,
        /// What was found, for the person who decides.
        evidence: String,
    },
}
