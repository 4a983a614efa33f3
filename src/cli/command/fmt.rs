//! `stepwell fmt`: workflow files laid out in one way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::compile::{WORKFLOW_BYTES_MAX, read_bounded};
use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::code;
use crate::workflow::fmt::format;

/// Lay workflow files out in one way, without losing a comment
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 with --check: a file would change, 2 a file can't be read or is no YAML."
)]
pub(in crate::cli) struct Arguments {
    /// The workflow files; `-` formats standard input to standard output
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write nothing; name the files that would change and end with 1 if there is one
    #[arg(long)]
    check: bool,
}

/// The name of standard input.
const STREAM: &str = "-";

/// A file, before and after.
struct Formatted {
    before: Vec<u8>,
    after: String,
}

impl Formatted {
    fn changes(&self) -> bool {
        self.before != self.after.as_bytes()
    }
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let streams = arguments
        .files
        .iter()
        .any(|file| file.as_os_str() == STREAM);
    if streams && arguments.files.len() > 1 {
        return Err(Error::usage(code::USAGE, "`-` stands beside other files")
            .help("format standard input in a call of its own"));
    }
    let mut exits = Vec::new();
    let mut documents = Vec::new();
    for file in &arguments.files {
        let (exit, document) = match one(context, file, arguments.check) {
            Ok(done) => done,
            Err(error) => {
                if !context.output.is_json() {
                    context.output.error(&error);
                }
                let name = file.display().to_string();
                let document =
                    json!({"file": name, "changed": false, "diagnostics": error.diagnostics()});
                (error.exit(), document)
            }
        };
        exits.push(exit);
        documents.push(document);
    }
    if context.output.is_json() {
        context.output.document(&json!({"files": documents}));
    }
    Ok(Exit::gravest(exits))
}

/// Formats one file and says so.
fn one(context: &Context, file: &Path, check: bool) -> Result<(Exit, Value), Error> {
    let stream = file.as_os_str() == STREAM;
    let path = context.settings.absolute(file);
    let name = file.display().to_string();
    let formatted = read(file, &path, stream)?;
    let changed = formatted.changes();
    let mut document = json!({"file": name, "changed": changed});
    let told = !context.output.is_json();
    if stream && !check {
        if told {
            context.output.raw(formatted.after.as_bytes());
        } else if let Some(fields) = document.as_object_mut() {
            fields.insert("text".to_owned(), formatted.after.into());
        }
        return Ok((Exit::Succeeded, document));
    }
    if !changed {
        return Ok((Exit::Succeeded, document));
    }
    if !check {
        replace(&path, formatted.after.as_bytes())
            .map_err(|error| Error::unwritable(file, &error))?;
    }
    if told {
        let word = if check { "would change" } else { "formatted" };
        context
            .output
            .text(&std::format!("{}: {word}", line(&name)));
    }
    let exit = if check { Exit::Failed } else { Exit::Succeeded };
    Ok((exit, document))
}

fn read(file: &Path, path: &Path, stream: bool) -> Result<Formatted, Error> {
    let before = if stream {
        let mut bytes = Vec::new();
        // One more than allowed, so that too much is seen to be too much.
        io::stdin()
            .lock()
            .take(WORKFLOW_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    } else {
        read_bounded(path, WORKFLOW_BYTES_MAX)
    }
    .map_err(|error| Error::unreadable(file, &error))?;
    let after = format(&file.display().to_string(), &before)
        .map_err(|fault| Error::document(vec![fault]))?;
    Ok(Formatted { before, after })
}

/// Gives a file another content in one step: whoever looks, and whatever crashes, sees the old or the new one.
/// Symbolic links stay; the file that they lead to is replaced.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let permissions = fs::metadata(&path)?.permissions();
    // Its rights are looked at although the rename would not need them.
    OpenOptions::new().write(true).open(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = folder.join(std::format!(".{name}.{}.part", std::process::id()));
    let written = File::create_new(&part).and_then(|mut file| {
        file.set_permissions(permissions)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, &path)
    });
    if let Err(error) = &written
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        // It costs space and nothing else.
        let _ = fs::remove_file(&part);
    }
    written?;
    File::open(folder)?.sync_all()
}
