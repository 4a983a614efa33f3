//! The rules of the house, checked on the source itself: edges between rooms, sizes, walls, forgotten files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workflow_compile::examples;

/// Longest file of `src/`, in lines.
const FILE_LINES_MAX: usize = 500;
/// Longest function of `src/`, in lines of its body.
const FUNCTION_LINES_MAX: usize = 70;
/// Tables in the form of a function: one arm for each kind of event or command, so that none is forgotten.
const TABLES: [&str; 4] = ["apply_event", "instead", "said", "decide"];

/// What each room may name of ours, beside itself and the vocabulary.
const EDGES: &[(&str, &[&str])] = &[
    ("expression", &[]),
    ("plan", &["expression"]),
    ("schedule", &["plan"]),
    ("workflow", &["plan", "expression", "python", "schedule"]),
    ("run", &["plan", "expression", "python", "approval"]),
    (
        "rehearsal",
        &[
            "plan",
            "expression",
            "python",
            "approval",
            "workflow",
            "run",
        ],
    ),
    ("python", &["plan"]),
    ("approval", &["plan", "python"]),
    ("store", &["run", "artifact"]),
    ("artifact", &[]),
    ("executor", &["plan", "python", "transport"]),
    ("transport", &[]),
    ("action", &["plan"]),
    ("generator", &["transport"]),
    (
        "engine",
        &[
            "action",
            "plan",
            "expression",
            "run",
            "python",
            "approval",
            "store",
            "artifact",
            "executor",
            "generator",
            "transport",
        ],
    ),
    (
        "config",
        &[
            "plan",
            "python",
            "approval",
            "workflow",
            "executor",
            "expression",
            "generator",
            "transport",
        ],
    ),
    (
        "open",
        &[
            "action",
            "plan",
            "config",
            "engine",
            "executor",
            "generator",
            "store",
            "artifact",
            "transport",
        ],
    ),
    (
        "service",
        &[
            "action",
            "open",
            "config",
            "engine",
            "run",
            "plan",
            "python",
            "workflow",
            "expression",
            "executor",
            "artifact",
        ],
    ),
    ("cli", ANY),
    ("telemetry", &[]),
];
const ANY: &[&str] = &["*"];

/// The vocabulary: every room may use it, it uses nothing but itself.
const VOCABULARY: &[&str] = &[
    "id",
    "time",
    "failure",
    "diagnostic",
    "code",
    "canonical",
    "redact",
];

/// Rooms that are pure, and what they must never name.
const PURE: &[&str] = &[
    "expression",
    "plan",
    "workflow",
    "run",
    "python",
    "approval",
    "schedule",
    "rehearsal",
    "redact",
];
const IMPURE: &[&str] = &[
    "tokio::",
    "sled::",
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "SystemTime",
];

/// Libraries behind a wall: the only places that may name them.
const WALLS: &[(&str, &[&str])] = &[
    ("sled::", &["src/store/sled.rs", "src/store/sled/"]),
    ("bincode::", &["src/store/codec.rs"]),
    ("serde_saphyr", &["src/workflow/yaml"]),
    (
        "ruff_python_parser",
        &["src/expression/", "src/python/analysis/"],
    ),
    (
        "ruff_python_ast",
        &["src/expression/", "src/python/analysis/"],
    ),
    ("croner", &["src/schedule/"]),
    ("reqwest", &["src/transport/"]),
    ("lettre::", &["src/transport/"]),
    ("rustls", &["src/transport/network/"]),
    ("tokio_rustls", &["src/transport/network/"]),
    ("tokio_tungstenite", &["src/transport/network/"]),
    ("indicatif", &["src/cli/"]),
    ("clap", &["src/cli/"]),
];

struct Source {
    path: String,
    room: String,
    text: String,
}

fn files(folder: &Path, extension: &str, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, extension, out);
        } else if path.extension().is_some_and(|found| found == extension) {
            out.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("src"), "rs", &mut paths);
    assert!(paths.len() > 30, "the tidy test must see the sources");
    paths
        .into_iter()
        .map(|path| {
            let relative = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let inside = relative.strip_prefix("src/").unwrap();
            let room = inside.split(['/', '.']).next().unwrap().to_owned();
            Source {
                room,
                text: fs::read_to_string(&path).unwrap(),
                path: relative,
            }
        })
        .collect()
}

/// The code of a file without comments, strings' contents kept; tests at its end cut off.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

#[test]
fn rooms_know_only_what_the_plan_of_the_house_lets_them_know() {
    let rooms: Vec<&str> = EDGES
        .iter()
        .map(|(room, _)| *room)
        .chain(VOCABULARY.iter().copied())
        .collect();
    let mut faults = Vec::new();
    for source in sources() {
        if ["lib", "main"].contains(&source.room.as_str()) {
            continue;
        }
        let Some(known) = rooms.iter().find(|room| **room == source.room) else {
            faults.push(format!(
                "{}: the room `{}` is not in the plan of the house",
                source.path, source.room
            ));
            continue;
        };
        let allowed: &[&str] = match EDGES.iter().find(|(room, _)| room == known) {
            Some((_, allowed)) => allowed,
            None => &[],
        };
        for (line, text) in code(&source.text) {
            for (position, _) in text.match_indices("crate::") {
                let rest = &text[position + "crate::".len()..];
                let names: Vec<String> = match rest.strip_prefix('{') {
                    Some(group) => group.split(',').map(word).collect(),
                    None => vec![word(rest)],
                };
                for name in names.iter().filter(|name| rooms.contains(&name.as_str())) {
                    let fine = *name == source.room
                        || VOCABULARY.contains(&name.as_str())
                        || allowed == ANY
                        || allowed.contains(&name.as_str());
                    if !fine {
                        faults.push(format!(
                            "{}:{line}: `{}` must not know `{name}`",
                            source.path, source.room
                        ));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn word(text: &str) -> String {
    text.trim()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn pure_rooms_name_no_task_no_file_no_clock_no_environment() {
    let mut faults = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| PURE.contains(&source.room.as_str()))
    {
        for (line, text) in code(&source.text) {
            for word in IMPURE.iter().filter(|word| text.contains(**word)) {
                faults.push(format!(
                    "{}:{line}: a pure room names `{word}`",
                    source.path
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn libraries_behind_a_wall_are_named_there_only() {
    let mut faults = Vec::new();
    for source in sources() {
        for (library, places) in WALLS {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for (line, text) in code(&source.text) {
                let named = text.match_indices(library).any(|(position, _)| {
                    // `crate::store::sled::…` is our own module, `sled::…` the library.
                    !text[..position].ends_with("::")
                        && !text[..position].ends_with(char::is_alphanumeric)
                });
                if named {
                    faults.push(format!(
                        "{}:{line}: `{library}` belongs to {places:?}",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_and_functions_are_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX && !source.path.ends_with("/tests.rs") {
            faults.push(format!(
                "{}: {lines} lines, at most {FILE_LINES_MAX}",
                source.path
            ));
        }
        faults.extend(long_functions(&source));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Counts by indentation, which rustfmt guarantees: a body ends at a brace in the column of its `fn`.
fn long_functions(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open: Option<(usize, usize, String)> = None;
    for (line, text) in code(&source.text) {
        let indent = text.len() - text.trim_start().len();
        let trimmed = text.trim_start();
        let head = trimmed.split('(').next().unwrap_or_default();
        if open.is_none() && head.split_whitespace().any(|part| part == "fn") {
            open = Some((
                line,
                indent,
                word(head.rsplit("fn ").next().unwrap_or_default()),
            ));
        }
        let Some((start, column, name)) = &open else {
            continue;
        };
        let ends = indent == *column
            && (trimmed.starts_with('}') || trimmed.ends_with(';') || trimmed.ends_with('}'));
        if ends {
            if line - start > FUNCTION_LINES_MAX + 8 && !TABLES.contains(&name.as_str()) {
                faults.push(format!(
                    "{}:{start}: `{name}` has {} lines",
                    source.path,
                    line - start
                ));
            }
            open = None;
        }
    }
    faults
}

#[test]
fn no_test_file_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(root.join("main.rs")).unwrap();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module =
            path.extension().is_some_and(|found| found == "rs") || path.join("mod.rs").exists();
        if module && name != "main" {
            assert!(
                main.contains(&format!("mod {name};")),
                "tests/it/{name} is not in main.rs"
            );
        }
    }
}

#[test]
fn every_page_of_the_catalogue_has_a_code_and_every_workflow_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    files(&root.join("docs/errors"), "md", &mut pages);
    for page in pages {
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(
            stepwell::code::Code::find(name).is_some(),
            "docs/errors/{name}.md has no code"
        );
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for example in examples() {
        let name = example.name;
        assert!(
            readme.contains(&format!("workflows/{name}")),
            "README.md does not name {name}"
        );
    }
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (folder, extension) in [
        ("src", "rs"),
        ("tests", "rs"),
        ("docs", "md"),
        ("workflows", "yml"),
        ("workflows", "md"),
        ("workflows", "py"),
    ] {
        let mut found = Vec::new();
        files(&root.join(folder), extension, &mut found);
        for path in found {
            let text = fs::read_to_string(&path).unwrap();
            // Built from parts so that this file does not name what it forbids.
            for word in [
                ["/wo", "rk/"].concat(),
                ["/fa", "rm/"].concat(),
                ["pythonho", "sted"].concat(),
            ] {
                *counts.entry(path.clone()).or_default() += text.matches(&word).count();
            }
        }
    }
    counts.retain(|_, count| *count > 0);
    assert!(
        counts.is_empty(),
        "paths of one machine or registry hosts: {counts:?}"
    );
}
