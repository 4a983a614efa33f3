//! What is known of the kernel of an attempt, in the folder of the attempt. Written and synced before it matters.

use std::fs::File;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::executor::local::folder::{Folder, create, read_at_most};
use crate::plan::Mode;

const NAME: &str = "container.json";
const BYTES_MAX: u64 = 64 * 1024;

/// The kernel of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Address of the server up to `/api`, without its token.
    pub(super) base: String,
    /// Which of the servers of the configuration it is.
    pub(super) mode: Mode,
    /// The kernelspec.
    pub(super) kernel_name: String,
    /// The name of the session, where the server lists such.
    pub(super) path: String,
    /// The session of the protocol: who has it hears what was said while nobody listened.
    pub(super) session: String,
    /// The name of the attempt in the kernel.
    pub(super) attempt: String,
    /// The folder of the attempt as the kernel sees it, when it is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shared: Option<String>,
    /// Whether the code has secrets, which only the kernel remembers.
    #[serde(default)]
    pub(super) secrets: bool,
    /// The kernel, as soon as there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<String>,
}

impl Record {
    pub(super) fn write(&self, folder: &Folder) -> io::Result<()> {
        let part = folder.internal("container.json.part");
        let mut file = create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(&part, folder.internal(NAME))?;
        File::open(folder.internal(""))?.sync_all()
    }

    /// Leaves the sign that the code may have begun from here on, with all of this.
    pub(super) fn start(&self, folder: &Folder, durable: bool) -> io::Result<()> {
        folder.start(&serde_json::to_vec(self)?, durable)
    }

    /// None = the attempt was not given to a container.
    pub(super) fn read(folder: &Folder) -> io::Result<Option<Self>> {
        // Once the code has begun, what lies in its folder may be of its own making.
        if let Some(note) = folder.start_note()? {
            return Ok((!note.is_empty())
                .then(|| serde_json::from_slice(&note))
                .transpose()?);
        }
        match read_at_most(&folder.internal(NAME), BYTES_MAX) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_in(folder: &Folder) -> bool {
        match folder.start_note() {
            Ok(Some(note)) => !note.is_empty(),
            Ok(None) | Err(_) => folder.has(NAME),
        }
    }
}
