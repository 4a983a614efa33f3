//! `stepwell fmt`: one layout, no comment lost, no meaning changed, and what was formatted stays.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use proptest::prelude::*;
use stepwell::plan::Plan;
use stepwell::workflow::yaml::{Report, decode, tree};
use stepwell::workflow::{CompileOptions, Sources, compile, fmt::format};

use crate::cli_rig::{ASKS, PLAIN, Place, Ran, mode};
use crate::workflow_bad::{Shelf, cases};
use crate::workflow_compile::Folder;

fn formatted(text: &str) -> String {
    format("w.yml", text.as_bytes()).unwrap()
}

/// The plan without the digest of the text, and the codes of all faults.
fn meaning(text: &str, sources: &dyn Sources) -> (Option<Plan>, Vec<String>) {
    let options = CompileOptions::default();
    let compilation = compile("w.yml", text.as_bytes(), sources, &options);
    let mut codes: Vec<String> = compilation
        .diagnostics
        .iter()
        .map(|one| one.code.as_str().to_owned())
        .collect();
    codes.sort();
    let same = compile("w.yml", PLAIN.as_bytes(), &Shelf, &options)
        .plan
        .unwrap()
        .source;
    let plan = compilation.plan.map(|plan| Plan {
        source: same,
        ..plan
    });
    (plan, codes)
}

/// Every line with a `#`, without the blanks and the dash around it.
fn comments(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.contains('#'))
        .map(|line| line.trim().trim_start_matches("- ").to_owned())
        .collect()
}

/// What holds for every text that is YAML.
fn check(title: &str, text: &str, sources: &dyn Sources) -> String {
    let done = formatted(text);
    assert_eq!(formatted(&done), done, "{title}: a second time");
    assert_eq!(comments(&done), comments(text), "{title}");
    assert_eq!(meaning(&done, sources), meaning(text, sources), "{title}");
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(formatted(&windows), done, "{title}: from Windows");
    done
}

fn is_yaml(text: &str) -> bool {
    decode("w.yml", text.as_bytes()).is_ok_and(|text| {
        let mut report = Report::new("w.yml", text);
        tree(&mut report).is_some() && !report.has_errors()
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "yml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_workflows_of_the_product_keep_their_comments_and_their_plans() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for path in files(&root.join("workflows")) {
        let text = fs::read_to_string(&path).unwrap();
        let sources = Folder(path.parent().unwrap().to_owned());
        check(&path.display().to_string(), &text, &sources);
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} files");
    check("asks", ASKS, &Shelf);
    check("plain", PLAIN, &Shelf);
}

#[test]
fn the_workflows_of_the_product_are_formatted() {
    let place = Place::new();
    for example in crate::workflow_compile::examples() {
        let text = example.text();
        assert_eq!(formatted(&text), text, "{}", example.name);
        let ran = place.run(&["fmt", "--check", example.path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn bad_workflows_are_formatted_or_refused_and_keep_their_faults() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut seen, mut changed, mut refused) = (0, 0, 0);
    for path in files(&root.join("tests/fixtures/bad")) {
        for (title, text) in cases(&fs::read_to_string(&path).unwrap()) {
            if is_yaml(&text) {
                seen += 1;
                changed += usize::from(check(&title, &text, &Shelf) != text);
            } else {
                let fault = format("w.yml", text.as_bytes()).unwrap_err();
                assert!(fault.is_error(), "{title}: {fault}");
                refused += 1;
            }
        }
    }
    assert!(
        seen > 100 && changed > 10 && refused > 5,
        "{seen} {changed} {refused}"
    );
}

/// A key of a step: the comment above it, and its lines as they stand in the column of the key.
type Key = (Option<&'static str>, &'static [&'static str]);

const HEAD: &str = "# What this file is for.\n#\n# By whom.\n\n";
const SMALL: [&str; 4] = [
    "version: 1\n",
    "# The name of the runs.\nname: sample     # short\n",
    "description: >\n  Two lines # not a comment\n\n\n  and a gap.\n",
    "timeout: 1h\n",
];
const INPUTS: &str = "# What people give.\ninputs:\n  # deep: the depth\n  z: {type: int, default: 1}\n  a: {type: int, default: 2}\n  # b: later\n";
const DEFAULTS: &str = "defaults:\n  python:\n    timeout: 5m\n";
const OUTPUTS: &str = "outputs:\n  y: ${{ steps.one.outputs.y }}\n\n  b: 2\n";
const ONE: [Key; 5] = [
    (None, &["id: one"]),
    (
        Some("# Why it is here."),
        &["description: |-", "  - id: no step", "", "", "  # text  "],
    ),
    (
        None,
        &[
            "python:            # inline",
            "  code: |",
            "    results = {'y': 1}",
        ],
    ),
    (
        None,
        &[
            "with:",
            "  b: ${{ inputs.z }}",
            "  a: \"two",
            "",
            "",
            "    lines\"",
            "  # c: 3",
        ],
    ),
    (
        Some("# It must be whole."),
        &["outputs: {y: int,", "  x: {type: int, required: false}}"],
    ),
];
const EACH: [Key; 4] = [
    (None, &["id: each"]),
    (Some("# After one."), &["needs: [one]"]),
    (Some("# Only sometimes."), &["if: ${{ inputs.a > 1 }}"]),
    (None, &["labels: {team: x, part: y}"]),
];
const INNER: [Key; 3] = [
    (None, &["id: inner"]),
    (Some("# Or not."), &["if: ${{ inputs.z > 0 }}"]),
    (None, &["set: {x: 1, a: 2}  # both"]),
];

/// A step of these keys, in that column.
fn step(column: usize, keys: &[(Option<&str>, Vec<String>)]) -> Vec<String> {
    let blanks = " ".repeat(column);
    let mut lines = Vec::new();
    for (comment, key) in keys {
        for line in comment
            .iter()
            .copied()
            .chain(key.iter().map(String::as_str))
        {
            lines.push(match (line, lines.is_empty()) {
                ("", _) => String::new(),
                (line, true) => format!("{blanks}- {line}"),
                (line, false) => format!("{blanks}  {line}"),
            });
        }
    }
    lines
}

fn owned(keys: &[Key]) -> Vec<(Option<&'static str>, Vec<String>)> {
    keys.iter()
        .map(|(comment, lines)| {
            (
                *comment,
                lines.iter().map(|&line| line.to_owned()).collect(),
            )
        })
        .collect()
}

/// `order` of these keys, turned until the first has no comment.
fn turned<K>(
    keys: Vec<(Option<&'static str>, K)>,
    order: &[usize],
) -> Vec<(Option<&'static str>, K)> {
    let mut left: Vec<_> = keys.into_iter().map(Some).collect();
    let mut keys: Vec<_> = order
        .iter()
        .filter_map(|at| left.get_mut(*at)?.take())
        .collect();
    let first = keys.iter().position(|key| key.0.is_none()).unwrap();
    keys.rotate_left(first);
    keys
}

/// The sample, its keys in these orders, with this between the steps and the parts.
fn sample(orders: &[Vec<usize>; 4], gap: &str, sorted: bool) -> String {
    let [top, one, each, inner] = orders;
    let first = step(2, &turned(owned(&ONE), one));
    let inner = step(4, &turned(owned(&INNER), inner));
    let mut keys = owned(&EACH);
    let mut lines = vec![
        "foreach:".to_owned(),
        "  items: [1, 2]".to_owned(),
        "  steps:".to_owned(),
    ];
    lines.extend(inner);
    keys.insert(3, (None, lines));
    let each = step(2, &turned(keys, each));
    let steps = format!(
        "steps:\n{}\n{gap}  # For each of them.\n{}\n",
        first.join("\n"),
        each.join("\n")
    );
    let [version, name, description, timeout] = SMALL;
    let parts = [
        version,
        name,
        description,
        INPUTS,
        timeout,
        DEFAULTS,
        &steps,
        OUTPUTS,
    ];
    let mut text = HEAD.to_owned();
    for (at, part) in top.iter().map(|at| parts[*at]).enumerate() {
        if sorted && at >= 3 {
            text.push('\n');
        }
        text.push_str(part);
    }
    text
}

fn order(count: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..count).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_in_any_order_come_to_the_one_order(
        top in order(8), one in order(5), each in order(5), inner in order(3), gap in 0_usize..3,
    ) {
        let sorted = [8, 5, 5, 3].map(|count| (0..count).collect::<Vec<usize>>());
        let wanted = sample(&sorted, "\n", true);
        let text = sample(&[top, one, each, inner], &"   \n".repeat(gap), false);
        let (plan, faults) = meaning(&wanted, &Shelf);
        prop_assert!(plan.is_some(), "{faults:?}\n{wanted}");
        prop_assert_eq!(check("shuffled", &text, &Shelf), wanted);
    }
}

/// The order of `text` stays; only what is said of blanks applies.
fn stays(text: &str) {
    assert_eq!(check("stays", text, &Shelf), text);
}

#[test]
fn maps_with_something_unusual_stay_in_their_order() {
    stays("# first\n\n# nobody's\n\nname: w\n\n# nobody's either\n\nversion: 1\n");
    stays("name: w\nversion: 1\n# the end\n");
    stays("name: w\nversion: 1\n\n# the end\n");
    stays("{name: w, version: 1}\n");
    stays("name: w\nversion: 1\nx-a: &a {set: {x: 1}}\n\nsteps:\n  - <<: *a\n    id: a\n");
    stays("version: 1\nsteps: [{set: {x: 1}, id: a}]\n");
    stays("version: 1\n\nsteps:\n  - set: {x: 1}\n    # about the id\n    id: a\n");
    stays("version: 1\n\nsteps:\n  - set: {x: 1}\n    id: a\n    # nobody's\n  - id: b\n");
    stays("version: 1\n\nsteps:\n  -   set: {x: 1}\n      id: a\n");
    stays("version: 1\n\nsteps:\n  -\n    set: {x: 1}\n    id: a\n");
}

#[test]
fn text_that_keeps_its_blank_lines_keeps_them() {
    let text = "name: w  \nversion: 1\ndescription: |+\n  kept\n\n\n";
    assert_eq!(formatted(text), text.replace("w  ", "w"));
    let text = "version: 1\ndescription: |2 # more\n\n    \"far\"  \n\n\n  near\n\n\nname: w\n";
    let done = "version: 1\n\nname: w\ndescription: |2 # more\n\n    \"far\"  \n\n\n  near\n";
    assert_eq!(check("indented", text, &Shelf), done);
}

#[test]
fn blanks_go_and_free_keys_stay() {
    let text = "\n\n---\nname: w   \nx-mine: 1\nversion: 1\n\n\n\nsteps:\n- set: {b: 1, a: 2}  \n  # if not\n  if: ${{ true }}\n  id: a\n- id: b\n  set: {x: 1}\n\n\n";
    let done = "---\nversion: 1\nx-mine: 1\nname: w\n\nsteps:\n- id: a\n  # if not\n  if: ${{ true }}\n  set: {b: 1, a: 2}\n- id: b\n  set: {x: 1}\n";
    assert_eq!(check("blanks", text, &Shelf), done);
    let long = done.replace("a: 2}\n", "a: 2}\n  labels: {k: v}\n");
    let parted = long.replace("- id: b", "\n- id: b");
    assert_eq!(check("long", &long, &Shelf), parted);
    assert_eq!(
        format("w.yml", b"a: [1\nb: 2\n").unwrap_err().code.as_str(),
        "yaml_syntax"
    );
}

const MESSY: &str = "name: w  \r\nversion: 1\r\nsteps:\r\n  - set: {x: 1}\r\n    id: a # it\r\n";
const NEAT: &str = "version: 1\nname: w\n\nsteps:\n  - id: a # it\n    set: {x: 1}\n";

#[test]
fn the_command_checks_and_then_writes_in_one_step() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.write("messy.yml", MESSY);
    place.write("neat.yml", NEAT);
    place.write("broken.yml", "a: [1\n");
    fs::set_permissions(place.path("messy.yml"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("messy.yml", place.path("link.yml")).unwrap();
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();

    let checked = place.text(1, &["fmt", "--check", "messy.yml", "neat.yml"]);
    assert_eq!(checked, "messy.yml: would change\n");
    assert_eq!(read("messy.yml"), MESSY);

    let ran = place.run(&["fmt", "broken.yml", "link.yml", "absent.yml", "neat.yml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.out, "link.yml: formatted\n");
    assert!(
        ran.err.contains("broken.yml:") && ran.err.contains("absent.yml"),
        "{ran:?}"
    );
    assert_eq!(
        (read("messy.yml").as_str(), read("broken.yml").as_str()),
        (NEAT, "a: [1\n")
    );
    assert_eq!(mode(&place.path("messy.yml")), 0o640);
    assert!(place.path("link.yml").is_symlink());
    let left = fs::read_dir(place.path("")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
    assert!(!place.path("data").exists(), "looking made a data folder");

    assert_eq!(place.text(0, &["fmt", "--check", "messy.yml"]), "");
    let document = place.json(0, &["fmt", "messy.yml"]);
    assert_eq!(document["files"][0]["changed"], false);
}

#[test]
fn the_command_formats_a_stream() {
    let place = Place::new();
    let piped = |args: &[&str], text: &str| {
        let mut child = place
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        Ran::of(&child.wait_with_output().unwrap())
    };
    let ran = piped(&["fmt", "-"], MESSY);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), NEAT), "{ran:?}");
    let ran = piped(&["fmt", "-", "--check"], MESSY);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "-: would change\n"));
    let ran = piped(&["fmt", "-", "--json"], MESSY);
    assert!(ran.out.contains("\"text\": \"version: 1\\nname"), "{ran:?}");
    let ran = piped(&["fmt", "-"], "a: [1\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert_eq!(place.run(&["fmt", "-", "plain.yml"]).code, Some(2));
}
