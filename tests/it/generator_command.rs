//! A program as a generator: what it was given stays its own, and why it failed is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::command::{CommandGenerator, Input, Settings};
use stepwell::generator::extract;
use stepwell::generator::{Answer, CodeGenerator as _, Prompt, Request};

use crate::cli_rig::Place;

const KEY: &str = "sk-lab-0123456789";

/// What a shell script answers that has a key.
async fn says(script: &str) -> Result<Answer, Failure> {
    let scratch = tempfile::tempdir().unwrap();
    let settings = Settings {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        input: Input::Text,
        env: ["LAB_KEY", "SHORT", "HOME"].map(str::to_owned).to_vec(),
        timeout: Duration::from_secs(60),
    };
    let mut environment: BTreeMap<String, String> = BTreeMap::from([
        ("LAB_KEY".to_owned(), KEY.to_owned()),
        ("SHORT".to_owned(), "abc".to_owned()),
        ("HOME".to_owned(), "/home/ada".to_owned()),
    ]);
    environment.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
    let generator = CommandGenerator::new(settings, &environment, scratch.path().to_owned());
    let request = Request {
        prompt: Prompt::default(),
        facts: json!({}),
        fresh: false,
        step: "fit".to_owned(),
        number: 1,
    };
    generator.generate(request, &|_| {}).await
}

#[tokio::test]
async fn what_is_given_by_env_is_kept_out_of_what_is_kept() {
    let answer = says("echo \"results = {'k': '$LAB_KEY', 's': '$SHORT', 'h': '$HOME'}\"")
        .await
        .unwrap();
    let code = extract::code(&answer).unwrap();
    assert_eq!(
        code,
        "results = {'k': '***LAB_KEY***', 's': 'abc', 'h': '/home/ada'}\n"
    );
    assert!(!answer.raw.contains(KEY) && !answer.text.contains(KEY));
    let failure = says("echo \"first: $LAB_KEY\" >&2; echo \"401 for $LAB_KEY\" >&2; exit 3")
        .await
        .unwrap_err();
    assert!(!format!("{failure:?}").contains(KEY), "{failure:?}");
    assert_eq!(
        failure.detail["stderr"],
        "first: ***LAB_KEY***\n401 for ***LAB_KEY***"
    );
    let spoiled = says("printf '\\377'; echo \"$LAB_KEY\"").await.unwrap();
    assert!(!format!("{spoiled:?}").contains(KEY), "{spoiled:?}");
}

#[tokio::test]
async fn a_failure_has_the_last_that_the_program_said() {
    let failure = says("echo nothing; exit 3").await.unwrap_err();
    assert!(
        failure
            .message
            .ends_with("it said nothing of it on its error stream"),
        "{failure:?}"
    );
    // More than is held, and no UTF-8.
    let long = "i=0; while [ $i -lt 3000 ]; do echo 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' >&2; \
                i=$((i+1)); done; printf '\\377\\n' >&2; echo 'KeyError: x' >&2; exit 3";
    let failure = says(long).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Infrastructure, "generator_command")
    );
    assert!(
        failure.message.ends_with("said: KeyError: x"),
        "{failure:?}"
    );
    let said = failure.detail["stderr"].as_str().unwrap();
    assert!(said.chars().count() <= 1_000 && said.ends_with("\nKeyError: x"));
}

#[tokio::test]
async fn an_answer_that_can_not_be_taken_is_an_answer_without_code() {
    for (script, why) in [
        ("printf 'x = 1\\n\\377'", "it is not UTF-8, from byte 6 on"),
        ("yes | head -c 5000000", "it is longer than 4 MiB"),
    ] {
        let answer = says(script).await.unwrap();
        let failure = extract::code(&answer).unwrap_err();
        assert_eq!(failure.code, "generation_no_code", "{failure:?}");
        assert!(failure.message.ends_with(why), "{failure:?}");
        assert!(answer.raw.len() <= 64 << 10);
    }
}

/// A run whose generator is this script.
fn place(script: &str) -> Place {
    let place = Place::new();
    place.write("write.sh", script);
    let config = format!(
        "generators:\n  own: {{provider: command, command: [sh, {}]}}\ndefault_generator: own\n",
        place.path("write.sh").display()
    );
    place.write("config.yml", &config);
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: fit\n    retry: {max_attempts: 1}\n    \
         python: {task: Compute n, max_generations: 2}\n    outputs: {n: int}\n",
    );
    place
}

#[test]
fn why_a_program_failed_is_shown_and_no_log_that_is_not_there() {
    let place = place("echo 'Traceback:' >&2; echo 'KeyError: x' >&2; exit 3");
    let ran = place.run(&["run", "task.yml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for part in [
        "exit status: 3; the last that it said: KeyError: x",
        "the end of its error stream:\n      Traceback:\n      KeyError: x\n",
    ] {
        assert!(ran.out.contains(part), "`{part}` in {}", ran.out);
    }
    assert!(!ran.out.contains("what it printed"), "{}", ran.out);
}

#[test]
fn an_answer_that_is_no_text_is_asked_for_as_often_as_code_may_be_written() {
    let place = place("echo . >> \"$(dirname \"$0\")/asked\"; printf '\\377'");
    let ran = place.json(1, &["run", "task.yml"]);
    let failure = &ran["failure"]["failure"];
    assert_eq!(failure["code"], "generation_no_code", "{ran}");
    assert!(
        failure["message"].to_string().contains("not UTF-8"),
        "{ran}"
    );
    let asked = std::fs::read_to_string(place.path("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2);
}
