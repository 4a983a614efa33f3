//! The documents hold what they promise: their YAML compiles, their links lead somewhere, their commands exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use stepwell::workflow::{CompileOptions, SourceError, Sources, compile};

use crate::workflow_compile::shown;

/// Every file that an example may name.
struct Shelf;

/// A workflow that another one runs.
const CHILD: &[u8] =
    b"version: 1\nname: child\ninputs: {day: date}\nsteps:\n  - id: a\n    set: {x: 1}\n";

impl Sources for Shelf {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path.rsplit_once('.') {
            Some((_, "py")) => Ok(b"results = {}\n".to_vec()),
            Some((_, "ipynb")) => Ok(b"{\"nbformat\": 4, \"cells\": []}".to_vec()),
            Some((_, "txt")) => Ok(b"numpy\n".to_vec()),
            Some((_, "yml")) => Ok(CHILD.to_vec()),
            _ => Err(SourceError::Missing),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README, ARCHITECTURE and everything below `docs/` and `workflows/`.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let mut folders = vec![root().join("docs"), root().join("workflows")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The fenced blocks of a document with what stands behind the fence.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a fence is never closed");
    found
}

/// Every complete workflow of the documents.
fn workflows() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in documents() {
        for (language, body) in blocks(&read(&path)) {
            if language == "yaml" && body.lines().any(|line| line.starts_with("version:")) {
                found.push((path.clone(), body));
            }
        }
    }
    found
}

fn refusal(text: &str) -> String {
    let options = CompileOptions::default();
    let compilation = compile("orbit.yml", text.as_bytes(), &Shelf, &options);
    if compilation.plan.is_some() {
        crate::cli_schema::agree(text);
    }
    shown(&compilation)
}

#[test]
fn every_complete_workflow_of_the_documents_compiles() {
    let found = workflows();
    let files: BTreeSet<&str> = found
        .iter()
        .filter_map(|(path, _)| path.file_name()?.to_str())
        .collect();
    assert!(
        files.contains("README.md") && files.contains("language.md"),
        "{files:?}"
    );
    for (path, body) in &found {
        assert_eq!(refusal(body), "", "{}:\n{body}", path.display());
    }
}

/// A workflow around a fragment of `docs/language.md`: a list of steps, or keys of the file.
fn around(fragment: &str) -> String {
    const HEAD: &str = "version: 1\nname: w\n";
    if fragment.starts_with("version:") {
        return fragment.to_owned();
    }
    if !fragment.starts_with("- ") {
        let steps = "steps:\n  - id: a\n    set: {x: 1}\n";
        let has_steps = fragment.lines().any(|line| line == "steps:");
        return format!("{HEAD}{fragment}{}", if has_steps { "" } else { steps });
    }
    let steps: String = fragment.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "{HEAD}inputs: {{threshold: float}}\nsteps:\n  \
         - id: load\n    python: {{file: load.py}}\n  \
         - id: analyse\n    python: {{file: analyse.py}}\n{steps}"
    )
}

/// The YAML of a text.
fn yaml_blocks(text: &str) -> impl Iterator<Item = String> {
    let found = blocks(text).into_iter();
    found.filter_map(|(language, body)| (language == "yaml").then_some(body))
}

#[test]
fn every_fragment_of_the_language_compiles_in_its_place() {
    let text = read(&root().join("docs/language.md"));
    let mut seen = 0;
    for body in yaml_blocks(&text) {
        assert_eq!(refusal(&around(&body)), "", "{body}");
        seen += 1;
    }
    assert!(seen >= 25, "only {seen} fragments");
}

/// Where `docs/language.md` describes the keys of each table of `src/workflow/keys.rs`.
const DESCRIBED: [(&str, &str); 30] = [
    ("WORKFLOW", "## The file"),
    ("DEFAULTS", "### Defaults"),
    ("DEFAULTS_PYTHON", "### Defaults"),
    ("STEP", "## A step"),
    ("STEP_LIMITS", "### python"),
    ("FOREACH", "### foreach"),
    ("UNTIL", "### until"),
    ("BRANCH", "### parallel"),
    ("CHILD", "### workflow"),
    ("WAIT", "### wait"),
    ("HTTP", "### http"),
    ("NOTIFY", "### notify"),
    ("NOTEBOOK", "### notebook"),
    ("ACTION", "### action"),
    ("FAIL", "### fail and succeed"),
    ("SUCCEED", "### fail and succeed"),
    ("HANDLERS", "### Handlers"),
    ("PYTHON", "### python"),
    ("APPROVE_CODE", "## People"),
    ("ARM", "### switch"),
    ("APPROVAL", "### approval"),
    ("RETRY", "### Retry"),
    ("FIELD", "### Fields"),
    ("REVIEWERS", "## People"),
    ("CONCURRENCY", "### Concurrency"),
    ("SECRET", "### Secrets"),
    ("SCHEDULE", "### Schedules"),
    ("CACHE", "### Cache"),
    ("ASKED", "## People"),
    ("LATER", "## Not there yet"),
];

/// A table of `src/workflow/keys.rs`: its name, the keys that work and those that come later.
struct Table {
    name: String,
    now: Vec<String>,
    later: Vec<String>,
}

fn tables() -> Vec<Table> {
    let source = read(&root().join("src/workflow/keys.rs"));
    let quoted = |text: &str| -> Vec<String> {
        let words = text.split('"').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let list = |body: &str, key: &str| -> Vec<String> {
        let (_, rest) = body.split_once(key).unwrap();
        quoted(rest.split_once(']').unwrap().0)
    };
    let found: Vec<Table> = source
        .split("pub(super) const ")
        .skip(1)
        .filter_map(|item| item.split_once(": Keys = Keys {"))
        .map(|(name, body)| Table {
            name: name.to_owned(),
            now: list(body, "now: &["),
            later: list(body, "later: &["),
        })
        .collect();
    assert!(found.len() >= 26, "only {} tables", found.len());
    found
}

/// The text below a heading, up to the next heading of its rank or above.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let (_, rest) = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("docs/language.md has no section `{heading}`"));
    let ends = ["\n## ", "\n### "].map(|next| rest.find(next).unwrap_or(rest.len()));
    let end = ends.into_iter().min().unwrap_or(rest.len());
    rest.get(..end).unwrap()
}

/// Whether a YAML text gives that key a value.
fn gives(yaml: &str, key: &str) -> bool {
    yaml.match_indices(&format!("{key}:")).any(|(at, _)| {
        let before = yaml.get(..at).unwrap().chars().next_back();
        before.is_none_or(|c| matches!(c, ' ' | '{' | '\n'))
    })
}

#[test]
fn every_key_of_the_language_is_described_and_has_an_example() {
    let text = read(&root().join("docs/language.md"));
    let place = |name: &str| {
        let known = DESCRIBED.iter().find(|(table, _)| *table == name);
        known
            .unwrap_or_else(|| panic!("{name}: in which section?"))
            .1
    };
    let mut missing = Vec::new();
    for table in tables() {
        let told = section(&text, place(&table.name));
        // What all questions have in common is told once.
        let common = match table.name.as_str() {
            "APPROVAL" => section(&text, place("ASKED")),
            _ => "",
        };
        let yaml: String = yaml_blocks(told).collect();
        for key in &table.now {
            let named = format!("`{key}`");
            if !told.contains(&named) && !common.contains(&named) {
                missing.push(format!("{}: `{key}` is not described", table.name));
            }
            // Every kind has a section of its own.
            let is_kind = table.name == "STEP" && text.contains(&format!("\n### {key}\n"));
            let ends = ["fail", "succeed"].contains(&key.as_str());
            let is_shown_below = is_kind || (table.name == "STEP" && ends);
            if !gives(&yaml, key) && !is_shown_below {
                missing.push(format!("{}: `{key}` has no example", table.name));
            }
        }
        let later = section(&text, place("LATER"));
        for key in &table.later {
            if !later.contains(&format!("`{key}`")) {
                missing.push(format!("{}: `{key}` comes later", table.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_diagnostic_of_the_readme_is_what_its_workflow_gives_with_that_slip() {
    let readme = read(&root().join("README.md"));
    let printed = blocks(&readme)
        .into_iter()
        .map(|(_, body)| body)
        .find(|body| body.starts_with("error["))
        .expect("the README shows a diagnostic");
    let (_, workflow) = workflows().remove(0);
    let slipped = workflow.replace("if: ${{ steps.load.", "if: ${{ steps.laod.");
    assert_eq!(refusal(&slipped).trim(), printed.trim());
}

/// The targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text
        .split("```")
        .step_by(2)
        .flat_map(|part| part.split('`').step_by(2))
        .collect();
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut lost = Vec::new();
    let mut seen = 0;
    for path in documents() {
        for target in links(&read(&path)) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            seen += 1;
            if !path.parent().unwrap().join(file).exists() {
                lost.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(seen >= 10, "only {seen} links");
    assert!(lost.is_empty(), "{lost:#?}");
}

fn help(args: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_stepwell");
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that `--help` lists.
fn commands() -> BTreeSet<String> {
    let found = listed(&help(&["--help"]));
    assert!(!found.is_empty());
    found
}

/// The commands in a text of help.
fn listed(text: &str) -> BTreeSet<String> {
    let (_, list) = text.split_once("Commands:").unwrap_or_default();
    list.lines()
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The sections of `docs/commands.md` that are about one command, with their text.
fn sections() -> Vec<(String, String)> {
    let text = read(&root().join("docs/commands.md"));
    text.split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .filter(|(title, _)| title.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(|(title, body)| (title.to_owned(), body.to_owned()))
        .collect()
}

#[test]
fn the_page_of_commands_has_every_command_and_no_other() {
    let described: BTreeSet<String> = sections().into_iter().map(|(title, _)| title).collect();
    assert_eq!(described, commands());
}

/// The words of `text` that begin with `--`.
fn options(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// The options of a command and of the commands below it.
fn options_of(command: &str) -> BTreeSet<String> {
    let text = help(&[command, "--help"]);
    let mut found = options(&text);
    for below in listed(&text) {
        found.extend(options(&help(&[command, &below, "--help"])));
    }
    found
}

#[test]
fn the_page_of_commands_names_every_option_and_no_other() {
    const GLOBAL: [&str; 7] = [
        "--data",
        "--config",
        "--json",
        "--quiet",
        "--verbose",
        "--help",
        "--version",
    ];
    for (command, body) in sections() {
        let known = options_of(&command);
        let described = options(&body);
        for option in &known {
            let told = described.contains(option) || GLOBAL.contains(&option.as_str());
            assert!(told, "`{command} {option}` is not described");
        }
        // The text may also speak of the options of other commands, but of none that does not exist.
        for option in described.difference(&known) {
            let elsewhere = commands()
                .iter()
                .any(|other| options_of(other).contains(option));
            assert!(elsewhere, "`{command}`: there is no option `{option}`");
        }
    }
}
