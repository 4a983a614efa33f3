//! `stepwell init`: a small workflow to begin with. What is there already stays as it is.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::open::make_private;
use super::super::view::text::quoted;
use super::super::{Context, Exit};

/// Write a small workflow, a configuration file and a data folder
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder, made when it is missing; without one, the current folder
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Every file, with its text.
const FILES: [(&str, &str); 4] = [
    ("workflow.yml", include_str!("template/workflow.yml")),
    ("stages/measure.py", include_str!("template/measure.py")),
    ("config.yml", include_str!("template/config.yml")),
    ("data/README.md", include_str!("template/data.md")),
];

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let folder = arguments.folder.as_deref().unwrap_or(Path::new(""));
    let folder = context.settings.absolute(folder);
    std::fs::create_dir_all(folder.join("stages"))
        .map_err(|error| Error::unwritable(&folder, &error))?;
    make_private(&folder.join("data"))?;
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (name, text) in FILES {
        let path = folder.join(name);
        match write_new(&path, text) {
            Ok(()) => written.push(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => kept.push(name),
            Err(error) => return Err(Error::unwritable(&path, &error)),
        }
    }
    context.output.result(
        || json!({"folder": folder.display().to_string(), "written": written, "kept": kept}),
        || {
            let mut text: String = written
                .iter()
                .map(|name| format!("wrote  {name}\n"))
                .collect();
            text.extend(
                kept.iter()
                    .map(|name| format!("kept   {name}, which was there\n")),
            );
            let run = context.settings.shown(&folder.join("workflow.yml"));
            text + &format!("\ntry it:\n  stepwell run {}\n", quoted(&run))
        },
    );
    Ok(Exit::Succeeded)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}
