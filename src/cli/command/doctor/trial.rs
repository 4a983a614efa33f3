//! Where the doctor keeps what it has to try: looking makes no data folder.

use std::path::PathBuf;

use super::check::Check;
use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::open::make_private;
use crate::config::Config;
use crate::id::RunId;
use crate::open::Place;
use crate::time::{Clock as _, SystemClock};

/// An installation as it is, or, where there is no data folder yet, over one among temporary files, which goes with this.
#[derive(Debug)]
pub(super) struct Trial {
    /// The installation.
    pub(super) place: Place,
    temporary: Option<PathBuf>,
}

impl Trial {
    pub(super) fn new(context: &Context) -> Result<Self, Error> {
        let mut place = context.place()?;
        let temporary = (!place.data.is_dir()).then(|| {
            let id = RunId::generate(SystemClock.now()).short();
            std::env::temp_dir().join(format!("stepwell-doctor-{id}"))
        });
        if let Some(temporary) = &temporary {
            make_private(temporary)?;
            place.data.clone_from(temporary);
        }
        Ok(Self { place, temporary })
    }

    /// Kernels do not see a folder of ours; the data folder is not there to be seen. What is not tried, if anything.
    pub(super) fn unshared(&self, config: &mut Config) -> Option<Check> {
        self.temporary.as_ref()?;
        let execution = &mut config.execution;
        let modes = &mut execution.modes;
        let shared = [
            &mut execution.container.shared_folder,
            &mut modes.read_only.container.shared_folder,
            &mut modes.write_access.container.shared_folder,
        ];
        let taken = shared.into_iter().filter_map(Option::take).count();
        (taken > 0).then(|| {
            let message = "the shared folder was not tried, since there is no data folder yet";
            Check::ok("containers", message)
        })
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _stays = std::fs::remove_dir_all(temporary);
        }
    }
}
