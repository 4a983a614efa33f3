//! The long example, as its README tells it, with the real program and real Python.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::cli_rig::{Place, Ran, text};
use crate::process_rig::{kill_command, wait_until};

const FILE: &str = "workflows/orbit_study/orbit_study.yml";
const CONFIG: &str = "workflows/orbit_study/config.yml";
const TOKEN: &str = "token-of-the-archive-4711";

/// A folder with the example in it, as in the repository.
struct Study {
    place: Place,
}

impl Study {
    fn new() -> Self {
        let place = Place::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("workflows/orbit_study")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_text = path
                    .extension()
                    .is_some_and(|end| end == "py" || end == "yml");
                if path.is_dir() && !path.ends_with("__pycache__") {
                    folders.push(path);
                } else if is_text {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    place.write(name, &fs::read_to_string(&path).unwrap());
                }
            }
        }
        Self { place }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command
            .env("ORBIT_TOKEN", TOKEN)
            .env("STEPWELL_CONFIG", CONFIG);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs a command that must end with that code; its standard output as JSON.
    fn json(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:#?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// The newest run, with what it lets out.
    fn show(&self) -> Value {
        self.json(0, &["show", "@last"])
    }

    /// The step that the only open question is about.
    fn asked(&self) -> String {
        let document = self.json(0, &["approvals"]);
        let open = document["approvals"].as_array().unwrap();
        assert_eq!(open.len(), 1, "{document:#}");
        text(&open[0]["step"]).to_owned()
    }

    /// The largest of the corrections that are shown.
    fn largest_correction(&self) -> f64 {
        let results = self.json(0, &["results", "@last"]);
        let all = &results["steps"]["analyse"]["outputs"]["correction"];
        let values = all.as_array().unwrap().iter();
        values
            .map(|one| one["value"].as_f64().unwrap().abs())
            .fold(0.0, f64::max)
    }

    /// How often an attempt of each step began.
    fn started(&self, step: &str) -> usize {
        let document = self.json(0, &["events", "@last"]);
        let events = document["events"].as_array().unwrap();
        let begun = events
            .iter()
            .filter(|event| event["name"] == "AttemptStarted" && event["body"]["step"] == step);
        begun.count()
    }

    /// Whether the folder of a step with that beginning exists.
    fn has_begun(&self, step: &str) -> bool {
        let days = fs::read_dir(self.place.path("data/runs")).into_iter();
        let runs = days
            .flatten()
            .flatten()
            .filter_map(|day| fs::read_dir(day.path()).ok());
        let steps = runs
            .flatten()
            .flatten()
            .filter_map(|run| fs::read_dir(run.path()).ok());
        let mut names = steps
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| name.starts_with(step))
    }
}

/// Three monitors, a fixed day: the same orbit in every run.
const DAY: [&str; 6] = [
    "run",
    FILE,
    "-i",
    "day=2026-03-02",
    "-i",
    r#"pvs=["BPM:01:X", "BPM:02:X", "BPM:03:X"]"#,
];

#[test]
fn the_study_is_killed_goes_on_is_changed_signed_by_two_and_applied() {
    let study = Study::new();
    let mut child = study.start(&[&DAY[..], &["-i", "slow=2"]].concat());
    wait_until("the fits have begun", || study.has_begun("per_bpm"));
    assert!(kill_command(&mut child), "it was killed half-way");

    let resumed = study.json(3, &["resume", "@last"]);
    assert_eq!(resumed["status"], "waiting", "{resumed:#}");
    assert_eq!(study.asked(), "sign_off");
    for step in ["load", "analyse"] {
        assert_eq!(study.started(step), 1, "{step} ran once");
    }
    let before = study.largest_correction();
    let wish = [
        "--as",
        "bela",
        "--comment",
        "smaller steps",
        "--form",
        "reason=smaller steps",
        "--resume",
    ];
    study.json(3, &[&["request-changes", "@last"][..], &wish].concat());
    assert_eq!(study.asked(), "sign_off", "the question came again");
    assert_eq!(study.started("analyse"), 2);
    assert_eq!(study.started("load"), 1, "what lies before is left alone");
    assert!((study.largest_correction() - before / 2.0).abs() < 1e-9);

    let sign = |person: &str, code: i32| {
        let form = ["--as", person, "--form", "scale=0.5"];
        study.json(code, &[&["approve", "@last"][..], &form].concat())
    };
    let refused = sign("eve", 1);
    assert_eq!(refused["error"]["code"], "not_a_reviewer", "{refused:#}");
    sign("ada", 0);
    sign("ada", 0);
    study.json(3, &["resume", "@last"]);
    assert_eq!(study.asked(), "sign_off", "one person is not two");
    sign("bela", 0);
    study.json(3, &["resume", "@last"]);
    assert_eq!(study.asked(), "apply");
    let ended = study.json(0, &["approve", "@last", "--as", "ada", "--resume"]);
    assert_eq!(ended["status"], "succeeded", "{ended:#}");

    let shown = study.show();
    let outputs = &shown["outputs"];
    assert_eq!(outputs["arm"], "advanced");
    assert_eq!(outputs["rms"].as_array().unwrap().len(), 3);
    let results = study.json(0, &["results", "@last"]);
    let correction = &results["steps"]["analyse"]["outputs"]["correction"];
    let correction = correction.as_array().unwrap();
    assert!(!correction.is_empty(), "{results:#}");
    assert_eq!(outputs["applied"], json!(correction.len()));
    let path = text(&results["steps"]["apply"]["outputs"]["path"]);
    let applied: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for one in correction {
        let wanted = one["value"].as_f64().unwrap() * 0.5;
        assert_eq!(applied[text(&one["pv"])].as_f64(), Some(wanted));
    }
    let report = study.place.path("data").join(text(&outputs["report"]));
    let report = fs::read_to_string(report).unwrap();
    assert!(report.contains("Orbit study 2026-03-02"), "{report}");
    assert_eq!(study.started("apply"), 1, "a write happens once");
    let entry = &shown["steps"]["handlers.finish.logbook"]["outputs"]["entry"];
    assert_eq!(entry, "orbit_study of 2026-03-02: succeeded");
}

#[test]
fn a_poor_day_takes_the_other_arms_and_a_no_leaves_the_machine_alone() {
    let study = Study::new();
    study.json(3, &[&DAY[..], &["-i", "lost=0.35"]].concat());
    let ended = study.json(
        0,
        &[
            "reject",
            "@last",
            "--as",
            "ada",
            "--comment",
            "not tonight",
            "--form",
            "reason=not tonight",
            "--resume",
        ],
    );
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    assert_eq!(ended["outputs"]["arm"], "standard");
    assert_eq!(ended["outputs"]["applied"], 0);
    assert_eq!(study.started("apply"), 0);
}

#[test]
fn without_its_token_the_study_fails_and_says_so() {
    let study = Study::new();
    let mut command = study.command(&DAY);
    let ran = Ran::of(&command.env_remove("ORBIT_TOKEN").output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.out.contains("ORBIT_TOKEN"), "{ran:#?}");
}

#[test]
fn a_patrol_waits_for_its_signal_and_a_batch_bears_a_damaged_shot() {
    let study = Study::new();
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        path.join("workflows").join(name).display().to_string()
    };
    let batch = study.json(0, &["run", &file("batch.yml")]);
    assert_eq!(batch["outputs"]["lost"], json!(["shot_13"]));
    assert_eq!(batch["warnings"].as_array().unwrap().len(), 1, "{batch:#}");

    let waiting = study.json(3, &["run", &file("patrol.yml")]);
    assert_eq!(waiting["status"], "waiting", "{waiting:#}");
    let signal = |payload: &str, code: i32| {
        study.json(code, &["signal", "@last", "go_ahead", payload, "--resume"])
    };
    assert_eq!(
        signal(r#"{"operator": 3}"#, 2)["error"]["code"],
        "bad_signal"
    );
    let ended = signal(r#"{"operator": "ada"}"#, 0);
    assert_eq!(
        ended["outputs"],
        json!({"looks": 4, "drift": 0.05, "operator": "ada"})
    );
}
