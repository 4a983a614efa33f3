//! A yes is for what stands in the files that the code is given: when one changes before the code starts, it is asked anew.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::cli_rig::{Place, text};

/// Code that leaves what it was given.
const WRITES: &str = "version: 1\nname: writes\ninputs:\n  table: {type: file}\n  more: {type: list, items: file, \
default: []}\n  other: {type: file, default: other.csv}\nsteps:\n  - id: work\n    with: {table: \"${{ \
inputs.table }}\", more: \"${{ inputs.more }}\"}\n    python:\n      mode: write_access\n      code: |\n        \
results = {'n': open(context.table).read()}\n";

fn place() -> Place {
    let place = Place::new();
    place.write("writes.yml", WRITES);
    place.write("table.csv", "1\n");
    place.write("other.csv", "1\n");
    place
}

fn waits(place: &Place) -> Value {
    let begun = place.json(3, &["run", "writes.yml", "-i", "table=table.csv"]);
    assert_eq!(begun["status"], "waiting", "{begun}");
    question(place)
}

fn question(place: &Place) -> Value {
    place.json(0, &["approvals"])["approvals"][0].clone()
}

/// The one of `1` and a newline, by `sha256sum`.
const ONE: &str = "sha256:4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";

#[test]
fn a_file_that_changes_between_the_yes_and_the_start_is_asked_about() {
    let place = place();
    let first = waits(&place);
    let path = place.path("table.csv").canonicalize().unwrap();
    let file = &first["files"][0];
    assert_eq!(first["files"].as_array().unwrap().len(), 1, "{first}");
    assert_eq!(
        (&file["input"], &file["bytes"], &file["sha256"]),
        (&json!("table"), &json!(2), &json!(ONE))
    );
    let shown = place.run(&["approvals", "@last"]).out;
    let row = format!("table = {}  (2 bytes, {ONE})", text(&file["path"]));
    assert!(shown.contains(&row), "`{row}` in {shown}");
    assert!(text(&file["path"]).ends_with("table.csv"), "{path:?}");

    place.json(0, &["approve", text(&first["approval_id"])]);
    place.write("table.csv", "2\n");
    // What the step is not given is of no interest.
    place.write("other.csv", "2\n");
    let again = place.json(3, &["resume", "@last"]);
    assert_eq!(again["status"], "waiting", "{again}");
    let second = question(&place);
    assert_ne!(second["approval_id"], first["approval_id"]);
    assert_eq!(second["changed"], json!({"covered": ["file table"]}));
    assert!(
        text(&second["reason"]).contains("changed since it was looked at: file table"),
        "{second}"
    );
    place.json(0, &["approve", text(&second["approval_id"])]);
    // Away, and as it was: only what stands there counts.
    fs::remove_file(&path).unwrap();
    place.write("table.csv", "2\n");
    let ended = place.json(0, &["resume", "@last"]);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let results = place.json(0, &["results", "@last"]).to_string();
    assert!(results.contains("2\\n"), "{results}");
}

#[test]
fn a_file_that_is_gone_is_asked_about_and_one_that_cannot_be_read_says_so() {
    let place = place();
    let first = waits(&place);
    place.json(0, &["approve", text(&first["approval_id"])]);
    let path = place.path("table.csv");
    fs::remove_file(&path).unwrap();
    place.json(3, &["resume", "@last"]);
    let second = question(&place);
    assert_eq!(second["changed"], json!({"covered": ["file table"]}));
    assert_eq!(second["files"][0]["sha256"], Value::Null, "{second}");
    let shown = place.run(&["approvals", "@last"]).out;
    assert!(shown.contains("(there is no such file)"), "{shown}");

    // Nobody can say yes to what stands in a folder, or in a file without rights; root may read that one.
    if nix::unistd::geteuid().is_root() {
        fs::create_dir(&path).unwrap();
    } else {
        place.write("table.csv", "1\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    place.json(0, &["approve", text(&second["approval_id"])]);
    let ended = place.json(1, &["resume", "@last"]);
    assert_eq!(ended["failure"]["failure"]["code"], "file_unreadable");
}

#[test]
fn every_file_of_a_list_is_covered() {
    let place = place();
    for name in ["a.csv", "b.csv"] {
        place.write(name, "1\n");
    }
    let more = "more=[\"a.csv\", \"b.csv\"]";
    let begun = place.json(
        3,
        &["run", "writes.yml", "-i", "table=table.csv", "-i", more],
    );
    assert_eq!(begun["status"], "waiting");
    let first = question(&place);
    assert_eq!(first["files"].as_array().unwrap().len(), 3, "{first}");
    place.json(0, &["approve", text(&first["approval_id"])]);
    place.write("b.csv", "2\n");
    place.json(3, &["resume", "@last"]);
    assert_eq!(
        question(&place)["changed"],
        json!({"covered": ["file more"]})
    );
}
