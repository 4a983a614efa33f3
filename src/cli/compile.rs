//! Workflow files from the disk: read, compiled, their faults told.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::Context;
use super::error::{self, Error};
use crate::diagnostic::Diagnostic;
use crate::id::Digest;
use crate::plan::{Mode, Plan};
use crate::workflow::{self, CompileOptions, Installed, SourceError, Sources};

/// Largest file that a workflow may name, in bytes: 16 MiB.
const SOURCE_BYTES_MAX: u64 = 16 << 20;
/// Largest workflow file, in bytes: 1 MiB.
pub(super) const WORKFLOW_BYTES_MAX: u64 = 1 << 20;

/// A workflow that may run.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The plan.
    pub(super) plan: Plan,
    /// What the plan names by digest.
    pub(super) blobs: Vec<(Digest, Vec<u8>)>,
    /// Folder of the file, absolute.
    pub(super) folder: PathBuf,
    /// What is worth knowing although nothing is refused.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Compiles the workflow in that file.
///
/// # Errors
/// The file can't be read, or is refused.
pub(super) fn compile(
    context: &Context,
    file: &Path,
    mode: Option<Mode>,
) -> Result<Compiled, Error> {
    let options = CompileOptions {
        default_mode: mode,
        ..CompileOptions::default()
    };
    compile_with(context, file, &options)
}

/// The same, with everything that may be decided outside the file.
///
/// # Errors
/// As [`compile`].
pub(super) fn compile_with(
    context: &Context,
    file: &Path,
    options: &CompileOptions,
) -> Result<Compiled, Error> {
    let options = &CompileOptions {
        installed: installed(context),
        actions: Some(BTreeSet::new()),
        ..options.clone()
    };
    let path = context.settings.absolute(file);
    let bytes =
        read_bounded(&path, WORKFLOW_BYTES_MAX).map_err(|error| Error::unreadable(file, &error))?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let compilation = workflow::compile(
        &file.display().to_string(),
        &bytes,
        &Beside::new(&folder),
        options,
    );
    match compilation.plan {
        Some(plan) if !error::refuses(&compilation.diagnostics) => Ok(Compiled {
            plan,
            blobs: compilation.blobs,
            folder,
            warnings: compilation.diagnostics,
        }),
        Some(_) | None => Err(Error::document(compilation.diagnostics)),
    }
}

/// What config.yml has that a workflow may name; nothing is known where there is none, or a faulty one, of which
/// the command tells by itself.
fn installed(context: &Context) -> Option<Installed> {
    context.settings.config.as_ref()?;
    let config = context.config().ok()?;
    Some(Installed {
        roles: config.roles.names().map(str::to_owned).collect(),
        channels: config.channels.into_keys().collect(),
        has_default_generator: config.generators.default.is_some(),
        generators: config.generators.by_name.into_keys().collect(),
    })
}

/// Reads a file of code that a person named.
///
/// # Errors
/// It can't be read, or is too large.
pub(super) fn read_source(context: &Context, file: &Path) -> Result<Vec<u8>, Error> {
    let path = context.settings.absolute(file);
    read_bounded(&path, SOURCE_BYTES_MAX).map_err(|error| Error::unreadable(file, &error))
}

/// Files beside a workflow. Symbolic links are followed, but never out of its folder unless that is allowed.
struct Beside {
    folder: PathBuf,
}

impl Beside {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
        }
    }
}

impl Sources for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let real = self
            .folder
            .join(path)
            .canonicalize()
            .map_err(|error| source_error(&error))?;
        if !real.starts_with(&self.folder) {
            return Err(SourceError::Outside);
        }
        read_bounded(&real, SOURCE_BYTES_MAX).map_err(|error| source_error(&error))
    }

    fn read_anywhere(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        read_bounded(&self.folder.join(path), SOURCE_BYTES_MAX)
            .map_err(|error| source_error(&error))
    }
}

/// Reads a regular file that is not larger than that.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if metadata.len() > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    std::fs::read(path)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds are the standard library's"
)]
fn source_error(error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::Missing,
        io::ErrorKind::PermissionDenied => SourceError::NoPermission,
        io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => SourceError::NotAFile,
        io::ErrorKind::FileTooLarge => SourceError::TooLarge,
        _ => SourceError::Failed,
    }
}
