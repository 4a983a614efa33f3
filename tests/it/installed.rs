//! Names of config.yml that a workflow uses: whoever checks it is told of those that are not there.

use serde_json::{Value, json};

use crate::cli_rig::Place;

const WORKFLOW: &str = r#"version: 1
name: names
steps:
  - id: ask
    approval:
      title: Go on?
      reviewers: {roles: [shift_leed, analyst]}
      notify: [contrl_room]
  - id: tell
    notify: {channel: control_room, text: done}
  - id: write
    python: {task: Compute the mean, generator: clod}
handlers:
  failure:
    - id: shout
      notify: {channel: nowhere, text: bad}
"#;

const CONFIG: &str = r"people: {roles: {shift_lead: [ada], analyst: [bob], empty: []}}
channels: {control_room: {webhook: 'https://chat.example/hook'}}
";

/// Code, line and first help of every diagnostic.
fn told(validated: &Value) -> Vec<(String, u64, String)> {
    let found = validated["files"][0]["diagnostics"].as_array().unwrap();
    let row = |told: &Value| {
        assert_eq!(told["severity"], "warning");
        (
            told["code"].as_str().unwrap().to_owned(),
            told["place"]["line"].as_u64().unwrap(),
            told["help"][0].as_str().unwrap().to_owned(),
        )
    };
    found.iter().map(row).collect()
}

#[test]
fn a_name_that_config_yml_does_not_have_is_a_warning_with_its_place() {
    let place = Place::new();
    place.write("names.yml", WORKFLOW);
    let validated = place.json(0, &["validate", "names.yml"]);
    assert_eq!(validated["files"][0]["diagnostics"], json!([]));
    place.write("config.yml", CONFIG);
    let validated = place.json(0, &["validate", "names.yml"]);
    let row = |code: &str, line, help: &str| (code.to_owned(), line, help.to_owned());
    assert_eq!(
        told(&validated),
        [
            row("unknown_role", 7, "did you mean `shift_lead`?"),
            row("unknown_channel", 8, "did you mean `control_room`?"),
            row(
                "unknown_generator",
                12,
                "`generators` of config.yml is empty"
            ),
            row(
                "unknown_channel",
                16,
                "`channels` of config.yml has control_room"
            ),
        ]
    );
    let ran = place.run(&["run", "names.yml", "--detach"]);
    assert!(ran.err.contains("warning[unknown_role]"), "{ran:?}");
    assert!(
        ran.err.contains("nobody has it, so nobody could answer"),
        "{ran:?}"
    );
}

/// A task that names no generator, with and without a default one, and one whose default is gone.
#[test]
fn a_task_that_nobody_could_write_says_who_could_and_how_to_choose() {
    let place = Place::new();
    let generators = "generators:\n  left: {provider: template, file: t.py}\n  right: {provider: template, file: t.py}\n";
    place.write("t.py", "results = {\"n\": 1}\n");
    place.write("config.yml", generators);
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: write\n    python: {task: Compute the mean}\n",
    );
    let hint = "write `generator: NAME` beside the task, or set `default_generator` in config.yml; it has left, right";
    assert_eq!(
        told(&place.json(0, &["validate", "task.yml"])),
        [("unknown_generator".to_owned(), 5, hint.to_owned())]
    );
    // The run says it too, with the same way out.
    let run = place.json(1, &["run", "task.yml"]);
    let failure = run["failure"].to_string();
    assert!(
        failure.contains("`generator: NAME` beside the task"),
        "{run}"
    );
    let refused = place.json(2, &["exec", "--task", "add"]);
    assert_eq!(refused["error"]["code"], "no_generator");
    let help = refused["error"].to_string();
    assert!(
        help.contains("config.yml has left, right; choose one with `exec --generator NAME`"),
        "{help}"
    );
    let refused = place.json(2, &["exec", "--task", "add", "--generator", "rihgt"]);
    assert_eq!(refused["error"]["code"], "unknown_generator");
    assert!(
        refused["error"]
            .to_string()
            .contains("did you mean `right`?"),
        "{refused}"
    );
    let done = place.json(0, &["exec", "--task", "add", "--generator", "right"]);
    assert_eq!(done["outcome"], "completed", "{done}");
    place.write(
        "config.yml",
        &format!("{generators}default_generator: left\n"),
    );
    assert_eq!(told(&place.json(0, &["validate", "task.yml"])), []);
}
