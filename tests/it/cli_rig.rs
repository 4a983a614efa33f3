//! The real program in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use regex_lite::Regex;
use serde_json::Value;

/// A folder with workflows, in which the program is started. Its name has a blank and letters of other alphabets.
pub(crate) struct Place {
    _root: tempfile::TempDir,
    folder: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A switch, a question with a form, values; no Python.
pub(crate) const ASKS: &str = r#"version: 1
name: asks
inputs:
  depth: {type: int, default: 1, min: 0, max: 9, description: How deep}
  label: {type: string, default: "Grüße, 光"}
steps:
  - id: choose
    switch:
      - name: deep
        when: ${{ inputs.depth > 3 }}
        steps:
          - id: dig
            set: {found: gold}
        set: {word: deep}
      - name: flat
        else: true
        set: {word: flat}
  - id: ask
    approval:
      title: Go ${{ steps.choose.outputs.word }} with ${{ inputs.label }}?
      show: [choose.outputs.word]
      reviewers: the shift lead
      form:
        scale: {type: float, default: 1.0, min: 0.1, max: 2.0, description: How much}
        pvs: {type: list, items: string, default: []}
  - id: end
    set: {scale: "${{ steps.ask.outputs.scale }}"}
outputs:
  scale: ${{ steps.end.outputs.scale }}
  arm: ${{ steps.choose.arm }}
"#;

/// Values only: succeeds at once.
pub(crate) const PLAIN: &str = r#"version: 1
name: plain
inputs:
  n: {type: int, default: 2}
  numbers: {type: list, items: int, default: [1, 2]}
steps:
  - id: double
    set: {n: "${{ inputs.n * 2 }}", sum: "${{ sum(inputs.numbers) }}"}
outputs:
  n: ${{ steps.double.outputs.n }}
  sum: ${{ steps.double.outputs.sum }}
"#;

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("my data é");
        fs::create_dir(&folder).unwrap();
        let place = Self {
            folder: folder.canonicalize().unwrap(),
            _root: root,
        };
        place.write("asks.yml", ASKS);
        place.write("plain.yml", PLAIN);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A workflow with one Python step.
    pub(crate) fn python(&self, name: &str, settings: &str, code: &str) {
        let code = code.replace('\n', "\n        ");
        let text = format!(
            "version: 1\nname: {name}\nsteps:\n  - id: work\n{settings}    python:\n      code: |\n        {code}\n\
             outputs: {{n: \"${{{{ steps.work.outputs.n }}}}\"}}\n"
        );
        self.write(&format!("{name}.yml"), &text);
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
        command
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        for name in ["STEPWELL_DATA", "STEPWELL_CONFIG", "STEPWELL_LOG"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs a command that must end with that code; its standard output as JSON.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Runs a command that must end with that code; what it printed, with everything replaced that differs each time.
    pub(crate) fn text(&self, code: i32, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        self.still(&ran.out)
    }

    /// Replaces ids, times, digests and the folder.
    pub(crate) fn still(&self, text: &str) -> String {
        let mut still = text.replace(self.folder.to_str().unwrap(), "DIR");
        let ids: Vec<String> = Regex::new("run_[0-9a-z]{26}")
            .unwrap()
            .find_iter(&still)
            .map(|id| id.as_str().to_owned())
            .collect();
        for id in ids {
            still = still
                .replace(&id, "RUN")
                .replace(&id[id.len() - 8..], "SHORT");
        }
        let patterns = [
            ("apr_[0-9a-z]{16}", "APR"),
            ("user:[^ ]+", "user:NAME"),
            ("sha256:[0-9a-f]{64}", "SHA"),
            (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (r"\d\d:\d\d:\d\d\.\d{3}", "CLOCK"),
            (r"\d{4}-\d\d-\d\d", "DATE"),
            (r"\b\d+\.\d s\b", "N s"),
            (r"seconds=[0-9.e-]+", "seconds=N"),
            (r"\b[0-9a-z]{8}  (asks|plain)", "SHORT  $1"),
        ];
        for (pattern, word) in patterns {
            still = Regex::new(pattern)
                .unwrap()
                .replace_all(&still, word)
                .into_owned();
        }
        still
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not text"))
}

/// Whether somebody but the owner may enter.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
