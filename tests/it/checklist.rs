//! `docs/checklist.md`: every command of the page, run in a fresh folder, says what the page shows.

use std::fs;
use std::path::Path;

use regex_lite::{Regex, escape};

use crate::cli_rig::{Place, Ran};
use crate::jupyter_rig::{self, Program, TOKEN, TOKEN_NAME};

/// One command of the page, and lines that it prints, in this order.
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The fenced blocks of the page: language and text.
fn blocks() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checklist.md");
    let page = fs::read_to_string(page).unwrap();
    let parts: Vec<&str> = page.split("\n```").collect();
    assert_eq!(parts.len() % 2, 1, "a fence is never closed");
    parts
        .chunks(2)
        .filter_map(|pair| pair.get(1))
        .map(|block| block.split_once('\n').unwrap())
        .map(|(language, text)| (language.to_owned(), format!("{text}\n")))
        .collect()
}

fn commands(text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push(Shown {
                command: command.to_owned(),
                lines: Vec::new(),
            }),
            (None, Some(shown)) => shown.lines.push(line.to_owned()),
            (None, None) => panic!("no command before `{line}`"),
        }
    }
    found
}

/// What a line of the page stands for: blanks in a row are one, `…` is anything.
fn pattern(line: &str) -> Regex {
    let parts: Vec<String> = line.split('…').map(|part| escape(&still(part))).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap()
}

fn still(text: &str) -> String {
    let blanks = Regex::new(r" {2,}").unwrap();
    blanks.replace_all(text, "  ").trim_end().to_owned()
}

fn run(place: &Place, command: &str) -> Ran {
    let mut words: Vec<&str> = command.split(' ').collect();
    let variable = words[0].split_once('=');
    if variable.is_some() {
        words.remove(0);
    }
    assert_eq!(words.remove(0), "stepwell", "{command}");
    let mut prepared = place.command(&words);
    prepared
        .env("JUPYTER_TOKEN", "x")
        .env_remove("STEPWELL_LOG");
    if let Some((name, value)) = variable {
        prepared.env(name, value);
    }
    Ran::of(&prepared.output().unwrap())
}

#[test]
fn every_command_of_the_page_says_what_the_page_shows() {
    let place = Place::new();
    assert_eq!(place.run(&["init"]).code, Some(0));
    // A port that was free a moment ago, for the server that nobody has started.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port.local_addr().unwrap().port().to_string();
    let mut tried = 0;
    for (language, text) in blocks() {
        if language != "console" {
            let name = text.lines().next().unwrap().strip_prefix("# ").unwrap();
            place.write(name, &text.replace("8888", &port));
            continue;
        }
        for Shown { command, lines } in commands(&text) {
            let ran = run(&place, &command);
            let said = format!("{}{}", ran.out, ran.err);
            let mut rest = said.lines().map(still);
            for line in &lines {
                let wanted = pattern(line);
                assert!(
                    rest.any(|line| wanted.is_match(&line)),
                    "$ {command}\nhas no line (in this order)\n{line}\nbut\n{said}"
                );
            }
            let failed = lines.iter().any(|line| line.starts_with('✗'));
            let blocks = command.starts_with("stepwell analyze");
            assert_eq!(
                ran.code == Some(1),
                failed && !blocks,
                "$ {command}\n{said}"
            );
            tried += 1;
        }
    }
    assert!(tried >= 20, "only {tried} commands");
}

#[test]
fn every_cause_on_the_page_is_a_code_of_the_catalogue() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/checklist.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let codes: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert!(codes.len() >= 10, "{codes:?}");
    for code in codes {
        assert!(
            root.join(format!("docs/errors/{code}.md")).is_file(),
            "{code}"
        );
    }
}

#[test]
fn lines_of_every_part_name_their_run_and_parts_are_filtered() {
    let Some(running) = jupyter_rig::shared(Program::Server) else {
        return;
    };
    let place = Place::new();
    place.write(
        "config.yml",
        &format!(
            "execution: {{container: {{jupyter_host: 127.0.0.1, jupyter_port: {}, token_env: {TOKEN_NAME}}}}}\n",
            running.port
        ),
    );
    place.write("code.py", "results = 1\n");
    let mut command = place.command(&[
        "exec",
        "-q",
        "--code",
        "code.py",
        "--execution",
        "container",
    ]);
    command
        .env(TOKEN_NAME, TOKEN)
        .env("STEPWELL_LOG", "stepwell::executor=debug");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let begun: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains("has begun"))
        .collect();
    assert_eq!(begun.len(), 1, "{ran:?}");
    assert!(begun[0].contains("run=run_"), "{begun:?}");
    assert!(!ran.err.contains("appended"), "{ran:?}");
}
