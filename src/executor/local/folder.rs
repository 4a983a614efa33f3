//! The folder of an attempt: which file is where, how it is made, and how it is read back.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::sandbox::Offered;
use crate::executor::{Guard, Job};
use crate::id::Digest;
use crate::plan::IsolationLevel;
use crate::python::outcome::Outcome;

/// Largest outcome that is read back, in bytes: results, notes and a few hundred files fit many times.
const OUTCOME_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest folder that may hold the temporary files of an attempt, in bytes. Python's multiprocessing makes
/// sockets there, and the name of a socket ends at 107 bytes.
const TEMPORARY_PATH_MAX: usize = 70;

/// Name of that folder where it is in the system's: this, and so much of the mark.
const TEMPORARY_PREFIX: &str = "stepwell-";
const TEMPORARY_MARK_LEN: usize = 16;

/// Name of the folder of our own files in that of an attempt.
const INNER: &str = ".attempt";
/// The sign that the code may have begun.
const STARTED: &str = "started";
/// The sign that it is to end.
const CANCEL: &str = "cancel";
/// Largest note beside the folder, in bytes.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// The folder of one attempt.
#[derive(Debug, Clone)]
pub(in crate::executor) struct Folder {
    root: PathBuf,
}

/// What the supervisor is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::executor) struct Order {
    /// The job without code and context, which have their own files.
    pub job: Job,
    /// The whole environment of the interpreter, except what depends on the folder.
    pub env: Vec<(String, String)>,
    /// The folder that has the harness.
    pub tools: PathBuf,
    /// The folder for temporary files.
    pub temporary: PathBuf,
    /// Whether secrets come through the supervisor's standard input.
    #[serde(default)]
    pub secrets_follow: bool,
    /// Folders of libraries that may be filled: only while they are empty, since all attempts share them.
    #[serde(default)]
    pub cache: Vec<PathBuf>,
    /// What the system offers to keep the attempt apart.
    #[serde(default)]
    pub offered: Offered,
}

/// What the files of modules are known by.
fn digests(modules: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&str, String> {
    let digests = modules.iter();
    digests
        .map(|(name, bytes)| (name.as_str(), Digest::of(bytes).hex()))
        .collect()
}

impl Order {
    /// Folders, beside that of the attempt, of which the code may change files, where that is ruled. For a kernel, whose
    /// files are not ruled from here, it is not.
    fn writable(&self) -> Option<Vec<&Path>> {
        let protection = &self.job.protection;
        let ruled = !protection.writes_outside
            && protection.isolation != IsolationLevel::Off
            && self.job.environment.container.is_none();
        let folders = [&self.temporary].into_iter().chain(&protection.writable);
        ruled.then(|| folders.chain(&self.cache).map(PathBuf::as_path).collect())
    }
}

/// What the harness is told.
#[derive(Serialize)]
struct HarnessOptions<'a> {
    file_name: &'a str,
    source_folder: Option<&'a Path>,
    /// Modules beside the workflow by their place, with the SHA-256 of what was analysed; without it the folder itself
    /// is looked into.
    modules: Option<BTreeMap<&'a str, String>>,
    results_bytes_max: u64,
    artifact_bytes_max: u64,
    files_max: u32,
    null_for_nan: bool,
    guard: &'a Guard,
    /// Where the code may change modes, owners and times of files, beside its own folder; none = everywhere.
    writable: Option<Vec<&'a Path>>,
}

impl Folder {
    pub(in crate::executor) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(in crate::executor) fn root(&self) -> &Path {
        &self.root
    }

    pub(in crate::executor) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(in crate::executor) fn internal(&self, name: &str) -> PathBuf {
        self.root.join(INNER).join(name)
    }

    /// Length of [`Folder::mark`].
    pub(in crate::executor) const MARK_LEN: usize = 32;

    /// The word that marks every process of this attempt, in its environment.
    pub(in crate::executor) fn mark(&self) -> String {
        let digest = Digest::of(self.root.as_os_str().as_encoded_bytes());
        digest.hex().chars().take(Self::MARK_LEN).collect()
    }

    /// The name of its supervisor in the list of processes, as long as the system lets one be: others see it even where
    /// they can't read the environment.
    pub(in crate::executor) fn supervisor_name(&self) -> String {
        const NAME_LEN: usize = 15;
        let mark = self.mark();
        format!("sw-{mark}").chars().take(NAME_LEN).collect()
    }

    /// Makes the folder for temporary files. In the system's folder somebody else may have taken the name: then
    /// nothing is put there.
    pub(in crate::executor) fn make_temporary(path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(path)?;
                if found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            made => made,
        }
    }

    /// Where temporary files go: inside, when sockets fit there; else in the system's folder.
    pub(in crate::executor) fn temporary(&self, system: &Path) -> PathBuf {
        let inside = self.internal("tmp");
        if inside.as_os_str().len() <= TEMPORARY_PATH_MAX {
            inside
        } else {
            let mark: String = self.mark().chars().take(TEMPORARY_MARK_LEN).collect();
            system.join(format!("{TEMPORARY_PREFIX}{mark}"))
        }
    }

    /// The beginning of the mark of the attempt whose temporary folder has that name in the system's folder.
    pub(in crate::executor) fn mark_of_temporary(name: &str) -> Option<&str> {
        name.strip_prefix(TEMPORARY_PREFIX).filter(|mark| {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            mark.len() == TEMPORARY_MARK_LEN && mark.bytes().all(is_hex)
        })
    }

    /// Makes the folder with everything that the attempt needs. `job.json` comes last: where it is, all is.
    pub(in crate::executor) fn write(&self, order: &Order) -> io::Result<()> {
        let job = &order.job;
        for name in ["", "figures", "artifacts", ".attempt"] {
            make_dir(&self.file(name))?;
        }
        write_new(&self.file("code.py"), job.code.as_bytes())?;
        write_new(
            &self.file("context.json"),
            &serde_json::to_vec(&job.context)?,
        )?;
        for (name, bytes) in job.modules.iter().flatten() {
            let path = self.internal("modules").join(name);
            make_dir(path.parent().unwrap_or(&self.root))?;
            write_new(&path, bytes)?;
        }
        for (name, bytes) in &job.files {
            let path = self.file(name);
            make_dir(path.parent().unwrap_or(&self.root))?;
            write_new(&path, bytes)?;
        }
        let options = HarnessOptions {
            file_name: &job.file_name,
            source_folder: job.source_folder.as_deref(),
            modules: job.modules.as_ref().map(digests),
            results_bytes_max: job.limits.results_bytes_max,
            artifact_bytes_max: job.limits.artifact_bytes_max,
            files_max: job.limits.files_max,
            null_for_nan: job.nan == crate::executor::NanPolicy::Null,
            guard: &job.protection.guard,
            writable: order.writable(),
        };
        write_new(
            &self.internal("harness.json"),
            &serde_json::to_vec(&options)?,
        )?;
        let order = Order {
            job: Job {
                code: String::new(),
                context: serde_json::Value::Null,
                ..order.job.clone()
            },
            ..order.clone()
        };
        write_new(
            &self.file("job.json.part"),
            &serde_json::to_vec_pretty(&order)?,
        )?;
        fs::rename(self.file("job.json.part"), self.file("job.json"))
    }

    pub(in crate::executor) fn order(&self) -> io::Result<Order> {
        Ok(serde_json::from_slice(&fs::read(self.file("job.json"))?)?)
    }

    /// The time that the code of the attempt has to end once it was told to.
    pub(in crate::executor) fn stop_grace(&self) -> Duration {
        let limits = self.order().map(|order| order.job.limits);
        limits.unwrap_or_default().stop_grace
    }

    /// The outcome, when there is one.
    pub(in crate::executor) fn outcome(&self) -> io::Result<Option<Outcome>> {
        match read_at_most(&self.internal("outcome.json"), OUTCOME_BYTES_MAX) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the outcome so that it is there whole or not at all. When it is durable, a power failure is no exception;
    /// a read that such a failure hits before its outcome is in the log is made again.
    pub(in crate::executor) fn write_outcome(
        &self,
        outcome: &Outcome,
        durable: bool,
    ) -> io::Result<()> {
        let part = self.internal("outcome.json.part");
        // The code may have put something here: it is not written to.
        let _usually_absent = fs::remove_file(&part).or_else(|_| fs::remove_dir_all(&part));
        let mut file = create(&part)?;
        file.write_all(&serde_json::to_vec(outcome)?)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&part, self.internal("outcome.json"))?;
        if durable {
            File::open(self.internal(""))?.sync_all()?;
        }
        Ok(())
    }

    /// Which folder `.attempt` is, whatever its name comes to mean.
    pub(in crate::executor) fn inner_identity(&self) -> io::Result<(u64, u64)> {
        let found = fs::symlink_metadata(self.file(INNER))?;
        Ok((found.dev(), found.ino()))
    }

    /// Puts a new folder in the place of what the code has put there, with the sign that it began.
    pub(in crate::executor) fn renew_inner(&self) -> io::Result<()> {
        let place = self.file(INNER);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => fs::rename(&place, self.file(".replaced"))?,
            Ok(_) => fs::remove_file(&place)?,
            Err(_) => {}
        }
        DirBuilder::new().mode(0o700).create(&place)?;
        self.put(STARTED, true)
    }

    /// Leaves the sign that the code may have begun from here on: in the folder, and beside it, where code that moves
    /// what is in its own folder does not meet it. `note` is what must be known of the attempt whatever the code does.
    pub(in crate::executor) fn start(&self, note: &[u8], durable: bool) -> io::Result<()> {
        let mut file = create(&self.beside(STARTED))?;
        file.write_all(note)?;
        if durable {
            file.sync_all()?;
        }
        // Syncs the folder above as well.
        self.put(STARTED, durable)
    }

    /// Whether the code may have begun.
    pub(in crate::executor) fn has_started(&self) -> bool {
        fs::symlink_metadata(self.beside(STARTED)).is_ok() || self.has(STARTED)
    }

    /// The note of [`Folder::start`]; none when there is none, as before the code has begun.
    pub(in crate::executor) fn start_note(&self) -> io::Result<Option<Vec<u8>>> {
        match read_at_most(&self.beside(STARTED), NOTE_BYTES_MAX) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves the sign that the attempt is to end: beside the folder, where code that keeps to its own leaves none.
    /// Whatever is there already is the sign too.
    pub(in crate::executor) fn ask_to_cancel(&self) -> io::Result<()> {
        if self.is_to_cancel() {
            return Ok(());
        }
        create(&self.beside(CANCEL)).map(|_| ())
    }

    /// Whether somebody wants the attempt to end.
    pub(in crate::executor) fn is_to_cancel(&self) -> bool {
        fs::symlink_metadata(self.beside(CANCEL)).is_ok()
    }

    fn beside(&self, sign: &str) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.root.file_name().unwrap_or_default());
        name.push(".");
        name.push(sign);
        self.root.with_file_name(name)
    }

    /// Shows an internal document to people. What the code had put under that name has another one by then.
    pub(in crate::executor) fn show(&self, name: &str) {
        let _taken_or_absent = fs::hard_link(self.internal(name), self.file(name));
    }

    pub(in crate::executor) fn has(&self, marker: &str) -> bool {
        self.internal(marker).exists()
    }

    /// Leaves an empty file as a sign.
    pub(in crate::executor) fn put(&self, marker: &str, durable: bool) -> io::Result<()> {
        let file = create(&self.internal(marker))?;
        if !durable {
            return Ok(());
        }
        file.sync_all()?;
        // The folders on the way may be as new as the sign. One that can't be opened was not made by us.
        for folder in self.internal("").ancestors() {
            match File::open(folder) {
                Ok(folder) => folder.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the lock that a living supervisor holds; `None` while it is held.
    pub(in crate::executor) fn try_lock(&self) -> io::Result<Option<File>> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting for it.
    pub(in crate::executor) fn lock(&self) -> io::Result<File> {
        let file = self.lock_file()?;
        file.lock()?;
        Ok(file)
    }

    fn lock_file(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.file("supervisor.lock"))
    }
}

/// Makes a folder and those above it, which only their owner can enter; those that are there are left as they are.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new or emptied file that only its owner reads.
pub(in crate::executor) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        // The code may have put a link here; what is written must stay in the folder.
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(path)?.write_all(bytes)
}

/// Reads a file that somebody's code may have written: no link is followed, and no more is read than allowed.
pub(in crate::executor) fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a plain file",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > bytes_max) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "larger than allowed",
        ));
    }
    Ok(bytes)
}
