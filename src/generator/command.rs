//! Any program as a generator: the task on its standard input or in a file, the code on its standard output.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::{About, Answer, CodeGenerator, Found, Hearer, Request, Stop};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::redact::{Redactor, SECRET_CHARS_MIN};
use crate::time::BoxFuture;

/// Largest output that is read, in bytes.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;
/// How much of the end of the error stream is held, in bytes, and stands in a failure, in characters.
const SAID_BYTES_MAX: usize = 64 << 10;
const SAID_CHARS_MAX: usize = 1_000;
/// How much of its last line stands in the message, in characters.
const LAST_LINE_CHARS_MAX: usize = 200;
/// How much is kept of an answer that can't be taken, in bytes.
const UNUSABLE_BYTES_MAX: usize = 64 << 10;
/// Stands in the command line for the file with the task.
const FILE_WORD: &str = "{file}";
/// Variables that every program gets.
const USUAL: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER"];

/// How the program is told the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// As text: the prompt.
    #[default]
    Text,
    /// As JSON: `{prompt: {system, user}, facts, step, number}`.
    Json,
}

/// What config.yml says of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The program and its arguments. `{file}` in them stands for a file with the task, else it comes on standard input.
    pub command: Vec<String>,
    /// How it is told the task.
    pub input: Input,
    /// Variables of the environment that it gets beside the usual ones.
    pub env: Vec<String>,
    /// Longest time of a call.
    pub timeout: Duration,
}

/// A program.
#[derive(Debug)]
pub struct CommandGenerator {
    settings: Settings,
    variables: super::key::Environment,
    /// Keeps the values of the variables that config.yml gives it out of everything that is kept.
    redactor: Redactor,
    scratch: PathBuf,
}

impl CommandGenerator {
    /// A program that works in folders of its own below `scratch`.
    #[must_use]
    pub fn new(
        settings: Settings,
        environment: &BTreeMap<String, String>,
        scratch: PathBuf,
    ) -> Self {
        let wanted =
            |name: &str| USUAL.contains(&name) || settings.env.iter().any(|wanted| wanted == name);
        let variables = environment.iter().filter(|(name, _)| wanted(name));
        let variables = variables.map(|(name, value)| (name.clone(), value.clone()));
        let variables = super::key::Environment(variables.collect());
        let redactor = kept_out(&settings.env, &variables.0);
        Self {
            settings,
            variables,
            redactor,
            scratch,
        }
    }

    async fn answer(&self, request: Request) -> Result<Answer, Failure> {
        let task = self.task(&request);
        let folder = Scratch::make(&self.scratch).map_err(|error| self.broken(&error))?;
        let file = folder.path.join("task");
        let by_file = self
            .settings
            .command
            .iter()
            .any(|word| word.contains(FILE_WORD));
        if by_file {
            let written = std::fs::write(&file, &task);
            written.map_err(|error| self.broken(&error))?;
        }
        let mut group = self.start(&folder.path, &file)?;
        let input = if by_file { Vec::new() } else { task };
        let work = self.converse(&mut group, input);
        match tokio::time::timeout(self.settings.timeout, work).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::new(
                FailureKind::Timeout,
                code::REQUEST_TIMED_OUT,
                format!(
                    "the generator's program `{}` gave no answer within {} s; it was stopped",
                    self.name(),
                    self.settings.timeout.as_secs_f64()
                ),
            )),
        }
    }

    fn task(&self, request: &Request) -> Vec<u8> {
        match self.settings.input {
            Input::Text => {
                format!("{}\n\n{}", request.prompt.system, request.prompt.user).into_bytes()
            }
            Input::Json => json!({
                "prompt": request.prompt,
                "facts": request.facts,
                "step": request.step,
                "number": request.number,
                "fresh": request.fresh,
            })
            .to_string()
            .into_bytes(),
        }
    }

    fn name(&self) -> &str {
        self.settings.command.first().map_or("", String::as_str)
    }

    fn start(&self, folder: &Path, file: &Path) -> Result<Group, Failure> {
        let file = file.display().to_string();
        let arguments = self.settings.command.iter().skip(1);
        let child = Command::new(self.name())
            .args(arguments.map(|word| word.replace(FILE_WORD, &file)))
            .env_clear()
            .envs(&self.variables.0)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        child.map(Group::of).map_err(|error| {
            let failure = self.broken(&error);
            Failure {
                kind: FailureKind::Configuration,
                ..failure
            }
        })
    }

    async fn converse(&self, group: &mut Group, task: Vec<u8>) -> Result<Answer, Failure> {
        let child = &mut group.child;
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let tell = async {
            if let Some(mut input) = input {
                // A program that has heard enough may hang up.
                let _heard = input.write_all(&task).await;
            }
        };
        let ((), output, errors) = tokio::join!(tell, read(output), end_of(errors));
        let status = child.wait().await.map_err(|error| self.broken(&error))?;
        let output = output.map_err(|error| self.broken(&error))?;
        // Who is not heard to the end is told so by a signal, and ends with it.
        if output.len() as u64 > OUTPUT_BYTES_MAX {
            return Ok(self.unusable(&output, "it is longer than 4 MiB".to_owned()));
        }
        if !status.success() {
            return Err(self.ended(status, &errors));
        }
        let text = match String::from_utf8(output) {
            Ok(text) => self.redactor.text(&text).into_owned(),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let why = format!("it is not UTF-8, from byte {at} on");
                return Ok(self.unusable(error.as_bytes(), why));
            }
        };
        Ok(Answer {
            // Whoever answers in prose puts the code between fences.
            is_code: !text
                .lines()
                .any(|line| line.trim_start().starts_with("```")),
            raw: text.clone(),
            text,
            parameters: self.parameters(),
            ..Answer::default()
        })
    }

    fn parameters(&self) -> Value {
        json!({"command": self.settings.command})
    }

    /// An answer of which no code can be taken. The program answered: it is told so, and asked for another.
    fn unusable(&self, output: &[u8], why: String) -> Answer {
        let output = self.redactor.bytes(output);
        let kept = output.get(..UNUSABLE_BYTES_MAX).unwrap_or(&output);
        let text = String::from_utf8_lossy(kept).into_owned();
        Answer {
            raw: text.clone(),
            text,
            stop: Stop::Unusable(why),
            parameters: self.parameters(),
            ..Answer::default()
        }
    }

    /// The program ended with a failure; the end of what it said of it.
    fn ended(&self, status: ExitStatus, errors: &[u8]) -> Failure {
        let said = String::from_utf8_lossy(errors);
        let said = self.redactor.text(said.trim());
        let last = said.lines().next_back().unwrap_or_default().trim();
        let last: String = last.chars().take(LAST_LINE_CHARS_MAX).collect();
        let last = match last.as_str() {
            "" => "; it said nothing of it on its error stream".to_owned(),
            last => format!("; the last that it said: {last}"),
        };
        let skipped = said.chars().count().saturating_sub(SAID_CHARS_MAX);
        let said: String = said.chars().skip(skipped).collect();
        let message = format!(
            "the generator's program `{}` ended with {status}{last}",
            self.name()
        );
        Failure::new(
            FailureKind::Infrastructure,
            code::GENERATOR_COMMAND,
            message,
        )
        .detail(json!({"stderr": said}))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let message = format!(
            "the generator's program `{}` can't be run: {error}",
            self.name()
        );
        Failure::new(
            FailureKind::Infrastructure,
            code::GENERATOR_COMMAND,
            message,
        )
    }
}

/// What keeps the values of those variables out of text. Shorter ones would be found everywhere.
fn kept_out(names: &[String], variables: &BTreeMap<String, String>) -> Redactor {
    let values = names.iter().filter(|name| !USUAL.contains(&name.as_str()));
    let values = values.filter_map(|name| variables.get_key_value(name));
    let values = values.filter(|(_, value)| value.chars().count() >= SECRET_CHARS_MIN);
    Redactor::new(values.map(|(name, value)| (name.as_str(), value.as_str()))).unwrap_or_default()
}

/// One byte more than may come shows that there is more.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let mut bounded = stream.take(OUTPUT_BYTES_MAX + 1);
        bounded.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The end of a stream, which is heard to its end. Where it breaks off, that is its end.
async fn end_of(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut piece = [0; 8 << 10];
    while let Ok(count) = stream.read(&mut piece).await {
        let Some(piece) = piece.get(..count).filter(|piece| !piece.is_empty()) else {
            break;
        };
        kept.extend_from_slice(piece);
        let skipped = kept.len().saturating_sub(SAID_BYTES_MAX);
        kept.drain(..skipped);
    }
    kept
}

/// A program and what it started; all of it ends with this.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: leader.map(Pid::from_raw),
            child,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // The number of a group that has a living member is not given to another one.
            let _gone = killpg(leader, Signal::SIGKILL);
        }
    }
}

/// A folder that goes when nobody needs it any more.
struct Scratch {
    path: PathBuf,
}

static MADE: AtomicU64 = AtomicU64::new(0);

impl Scratch {
    fn make(below: &Path) -> io::Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = below.join(format!("{}-{number}", std::process::id()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.path);
    }
}

impl CodeGenerator for CommandGenerator {
    fn about(&self) -> About {
        About {
            provider: "command",
            model: None,
        }
    }

    fn generate<'a>(
        &'a self,
        request: Request,
        _: Hearer<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(self.answer(request))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Found, Failure>> {
        let found = self.program().ok_or_else(|| {
            let program = self.settings.command.first().map_or("", String::as_str);
            let message = format!("the program {program:?} is not there, or can't be run");
            Failure::new(FailureKind::Configuration, code::GENERATOR_COMMAND, message)
                .hint("`command` of the generator in config.yml names it; it is looked for on PATH")
        });
        let found = found.map(|path| Found::sure(format!("the program {}", path.display())));
        Box::pin(std::future::ready(found))
    }
}

impl CommandGenerator {
    /// Where the program is.
    fn program(&self) -> Option<PathBuf> {
        let program = self.settings.command.first()?;
        let path = self.variables.0.get("PATH").map_or("", String::as_str);
        let folders = if program.contains('/') {
            vec![PathBuf::new()]
        } else {
            std::env::split_paths(path).collect()
        };
        folders
            .into_iter()
            .map(|folder| folder.join(program))
            .find(|path| access(path, AccessFlags::X_OK).is_ok() && path.is_file())
    }
}
