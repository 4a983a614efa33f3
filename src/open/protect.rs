//! How code is kept apart, from the configuration: its paths as this machine has them, its limits of channels read.

use std::path::{Path, PathBuf};

use super::Place;
use crate::config::{Config, ModeSettings, Writable};
use crate::engine::Protections;
use crate::executor::{ChannelLimits, Guard, Protection};

impl Place {
    /// How code of each mode is kept apart.
    pub(super) fn protections(&self, config: &Config) -> Protections {
        let channels = self.channel_limits(config);
        let modes = &config.execution.modes;
        let policy = &config.approval;
        let of = |settings: &ModeSettings, allows_writes: bool, everywhere: bool| {
            let (writes_outside, writable) = match &settings.writable {
                Some(Writable::Everywhere) => (true, Vec::new()),
                Some(Writable::Folders(folders)) => (false, folders.clone()),
                None => (everywhere, Vec::new()),
            };
            Protection {
                isolation: config.execution.local.isolation.level,
                network: settings.network,
                writes_outside,
                writable: writable.iter().map(|path| self.of_config(path)).collect(),
                hidden: self.hidden(config),
                guard: Guard {
                    allows_writes,
                    channels: channels.clone(),
                    writers: config.analysis.operations.write.iter().cloned().collect(),
                },
            }
        };
        Protections {
            read_only: of(&modes.read_only, policy.read_only.allows_writes, false),
            write_access: of(&modes.write_access, policy.write_access.allows_writes, true),
        }
    }

    fn hidden(&self, config: &Config) -> Vec<PathBuf> {
        let paths = config.execution.local.isolation.hidden.iter();
        paths.map(|path| self.of_config(path)).collect()
    }

    /// The limits of channels. Those that can't be read are not none: then nothing may be written.
    pub(crate) fn channel_limits(&self, config: &Config) -> ChannelLimits {
        let Some(limits) = &config.write_limits else {
            return ChannelLimits::None;
        };
        let file = limits.file.as_deref().map(|name| {
            let read = std::fs::read(self.of_config(name));
            (name, read.map_err(|error| format!("{name}: {error}")))
        });
        limits.table(file)
    }

    /// A path of the configuration: below the home when it begins with `~/`, else relative to the file.
    fn of_config(&self, written: &str) -> PathBuf {
        match written.strip_prefix("~/").zip(self.variables.get("HOME")) {
            Some((rest, home)) => Path::new(home).join(rest),
            None => self.config_folder.join(written),
        }
    }
}
