//! A yes covers the modules beside the workflow: the question shows them, what was found in them, and what changed.

use std::fs;

use serde_json::{Value, json};

use crate::cli_rig::{Place, text};

const CODE: &str = "import helper, plain\nresults = {'n': helper.go(), 'm': plain.N}";
/// Line 2 is within the two lines of the code; line 43 is not.
fn helper(value: u32) -> String {
    let blank = "# nothing\n".repeat(39);
    format!(
        "import epics\nimport subprocess\n{blank}def go():\n    epics.caput('X', {value})\n    subprocess.run(['true'])\n    return 1\n"
    )
}

fn asked(place: &Place) -> Value {
    place.json(0, &["approvals", "@last"])["approvals"][0].clone()
}

fn scene() -> Place {
    let place = Place::new();
    place.python("ramp", "", CODE);
    place.write("helper.py", &helper(1));
    place.write("plain.py", "N = 1\n");
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    place
}

#[test]
fn a_question_shows_the_modules_that_a_yes_covers_with_what_was_found_in_them() {
    let place = scene();
    let document = asked(&place);
    let modules = document["modules"].as_array().unwrap();
    let names: Vec<&str> = modules
        .iter()
        .map(|module| text(&module["module"]))
        .collect();
    assert_eq!(names, ["helper.py", "plain.py"]);
    assert!(text(&modules[0]["digest"]).starts_with("sha256:"));
    assert_eq!(text(&modules[0]["text"]), helper(1));
    assert_eq!(modules[1].get("text"), None, "nothing was found in it");
    let findings = document["findings"].as_array().unwrap();
    let write = findings
        .iter()
        .find(|finding| finding["line"] == 43)
        .unwrap_or_else(|| panic!("{findings:#?}"));
    assert_eq!(write["file"], "helper.py");
    assert!(!text(&write["message"]).contains("helper.py"), "{write}");

    let shown = place.text(0, &["approvals", "@last"]);
    let digest = "  module    helper.py  SHA\n";
    let (code, modules) = shown
        .split_once(digest)
        .unwrap_or_else(|| panic!("{shown}"));
    assert!(!code.contains('^'), "nothing was found in the code: {code}");
    assert!(
        modules.contains("43 |     epics.caput('X', 1)\n       |     ^ "),
        "{modules}"
    );
    assert!(modules.contains("  module    plain.py  SHA\n"), "{modules}");
    assert!(!modules.contains("N = 1"), "{modules}");
}

#[test]
fn the_waiting_notebook_shows_the_modules_below_the_code() {
    let place = scene();
    let path = text(&asked(&place)["notebook"]).to_owned();
    let waiting = place.path("data").join(path);
    let notebook: Value = serde_json::from_slice(&fs::read(&waiting).unwrap()).unwrap();
    let cell = |id: &str| -> String {
        let mut cells = notebook["cells"].as_array().unwrap().iter();
        let cell = cells.find(|cell| cell["id"] == id);
        let lines = cell.unwrap_or_else(|| panic!("no cell {id}"))["source"].as_array();
        lines.unwrap().iter().map(text).collect()
    };
    let summary = cell("summary");
    assert!(summary.contains("a yes covers them too"), "{summary}");
    let findings = cell("findings");
    assert!(!findings.contains("Lines are those of"), "{findings}");
    assert!(findings.contains("helper.py"), "{findings}");
    let table = cell("modules");
    assert!(
        table.contains("plain.py") && table.contains("helper.py"),
        "{table}"
    );
    assert!(cell("module").contains("| 43 |"), "{}", cell("module"));
    let listing = cell("module-text");
    assert!(
        listing.contains("43 |     epics.caput('X', 1)\n   ^ "),
        "{listing}"
    );
    assert_eq!(cell("module-text-2"), "1 | N = 1\n");

    place.json(0, &["notebook", "@last", "work", "-o", "page.html"]);
    let page = fs::read_to_string(place.path("page.html"));
    let page = page.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        page.contains("43 |     epics.caput(&#39;X&#39;, 1)"),
        "{page}"
    );
}

#[test]
fn a_module_that_changed_since_the_last_yes_is_named() {
    let place = scene();
    place.json(0, &["approve", "@last"]);
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let shown = place.text(0, &["approvals", "@last"]);
    assert!(
        shown.contains("none: the same code was approved by "),
        "{shown}"
    );
    assert_eq!(asked(&place)["approved_before"]["modules"], json!([]));
    place.json(0, &["reject", "@last", "--comment", "later"]);

    place.write("helper.py", &helper(1000));
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let shown = place.text(0, &["approvals", "@last"]);
    assert!(!shown.contains("none: the same"), "{shown}");
    let told = "    helper.py changed\n    --- approved/helper.py\n    +++ asked/helper.py\n";
    assert!(shown.contains(told), "{shown}");
    assert!(
        shown.contains("    -    epics.caput('X', 1)\n    +    epics.caput('X', 1000)\n"),
        "{shown}"
    );
    let before = asked(&place)["approved_before"].clone();
    assert_eq!(before["diff"], Value::Null);
    assert_eq!(before["modules"][0]["module"], "helper.py");
    assert_eq!(before["modules"][0]["change"], "changed");
    assert_eq!(before["modules"].as_array().unwrap().len(), 1);

    // Approved in this very run, and changed before it began.
    place.json(0, &["approve", "@last"]);
    place.write("helper.py", &helper(7));
    place.write("plain.py", "N = 2\n");
    place.json(3, &["resume", "@last"]);
    let again = asked(&place);
    let reason = text(&again["reason"]);
    assert!(reason.contains("modules (helper.py, plain.py)"), "{reason}");
    let before = &again["approved_before"];
    assert_eq!(before["run_id"], again["run_id"]);
    let diff = text(&before["modules"][0]["diff"]);
    assert!(
        diff.contains("-    epics.caput('X', 1000)\n+    epics.caput('X', 7)\n"),
        "{diff}"
    );
    place.json(0, &["verify"]);
}
