//! Sends every attempt to the adapter that it was placed with, today and after a crash.

use std::path::Path;
use std::sync::Arc;

use super::{
    Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job, Outcome, jupyter,
};
use crate::failure::Failure;
use crate::redact::Redactor;
use crate::time::BoxFuture;

/// This machine and its containers as one executor.
#[derive(Debug, Clone)]
pub struct Routed {
    local: Arc<dyn Executor>,
    container: Arc<dyn Executor>,
}

impl Routed {
    /// Sends to these two.
    #[must_use]
    pub fn new(local: Arc<dyn Executor>, container: Arc<dyn Executor>) -> Self {
        Self { local, container }
    }

    fn of_spec(&self, spec: &EnvironmentSpec) -> &dyn Executor {
        self.pick(spec.container.is_some())
    }

    /// Whoever was given the attempt has left its mark in the folder before anything else.
    fn of_folder(&self, folder: &Path) -> &dyn Executor {
        self.pick(jupyter::is_attempt(folder))
    }

    fn pick(&self, container: bool) -> &dyn Executor {
        if container {
            self.container.as_ref()
        } else {
            self.local.as_ref()
        }
    }
}

impl Executor for Routed {
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>> {
        self.of_spec(spec).identify(spec)
    }

    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>> {
        self.of_spec(spec).prepare(spec, progress)
    }

    fn packages<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        self.of_spec(spec).packages(spec, progress)
    }

    fn missing<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        modules: &'a [String],
        path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        self.of_spec(spec).missing(spec, modules, path)
    }

    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        self.pick(job.environment.container.is_some()).execute(job)
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        self.of_folder(folder).adopt(folder)
    }

    fn clean<'a>(&'a self, folder: &'a Path, secrets: &'a Redactor) -> BoxFuture<'a, ()> {
        self.of_folder(folder).clean(folder, secrets)
    }

    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        self.of_folder(folder).kill(folder)
    }
}
