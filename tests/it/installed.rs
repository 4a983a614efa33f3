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
