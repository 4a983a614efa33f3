//! The code blocks of the seed, equal in meaning, as they stand in `examples/library`: each is run, and what
//! `docs/library.md` quotes of them is what they say.
//!
//! | block of the seed | file | test |
//! |---|---|---|
//! | capability | `capability.rs` | `a_capability_reads_and_answers_by_the_names_it_knows` |
//! | direct service usage, error handling | `call.rs` | `a_call_ends_in_one_of_four_ways` |
//! | (resume after an approval) | `approval.rs` | `a_write_is_approved` |
//! | environment selection | `environment.rs` | `an_environment_is_chosen_by_the_table` |
//! | multi-stage pipeline | `pipeline.rs` | `stages_are_a_pipeline` |
//! | adaptive execution | `adaptive.rs` | `a_score_decides` |
//! | testing and validation | `acceptance.rs` | `seed_local_and_seed_error_handling` |
//! | debugging | `debugging.rs` | `what_is_in_force_is_told` |

#[path = "../../examples/library/acceptance.rs"]
mod acceptance;
#[path = "../../examples/library/adaptive.rs"]
mod adaptive;
#[path = "../../examples/library/approval.rs"]
mod approval;
#[path = "../../examples/library/call.rs"]
mod call;
#[path = "../../examples/library/capability.rs"]
mod capability;
#[path = "../../examples/library/debugging.rs"]
mod debugging;
#[path = "../../examples/library/environment.rs"]
mod environment;
#[path = "../../examples/library/pipeline.rs"]
mod pipeline;

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::service::{service, service_with};

#[tokio::test]
async fn a_call_ends_in_one_of_four_ways() {
    let data = tempfile::tempdir().unwrap();
    let answer = call::call(&service(data.path()).await).await.unwrap();
    assert_eq!(answer["success"], true);
    let results = &answer["results"];
    assert!((results["mean"].as_f64().unwrap() - 7.0 / 3.0).abs() < 1e-12);
    assert!((results["spread"].as_f64().unwrap() - 1.247_219_128_924_647).abs() < 1e-12);
    assert!(
        answer["notebook_link"]
            .as_str()
            .unwrap()
            .starts_with("file:///")
    );
}

#[tokio::test]
async fn a_capability_reads_and_answers_by_the_names_it_knows() {
    let data = tempfile::tempdir().unwrap();
    let answer = capability::analyse(&service(data.path()).await)
        .await
        .unwrap();
    assert_eq!(
        answer["analysis_results"],
        json!({"drift": 2.5}),
        "{answer:#}"
    );
    for name in [
        "generated_code",
        "execution_output",
        "visualizations",
        "notebook_link",
        "execution_time",
    ] {
        assert!(answer.get(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_write_is_approved() {
    let data = tempfile::tempdir().unwrap();
    let answer = approval::approve(&service(data.path()).await)
        .await
        .unwrap();
    assert_eq!(answer["outcome"], "completed", "{answer:#}");
    assert_eq!(answer["PYTHON_RESULTS"]["output"], "writing\n");
    assert_eq!(answer["PYTHON_RESULTS"]["mode"], "write_access");
}

#[tokio::test]
async fn an_environment_is_chosen_by_the_table() {
    use environment::{Facts, select_execution_environment as select};
    let facts = Facts::default;
    assert_eq!(select(facts()), "local");
    assert_eq!(
        select(Facts {
            high_security: true,
            ..facts()
        }),
        "container"
    );
    assert_eq!(
        select(Facts {
            requires_isolation: true,
            ..facts()
        }),
        "container"
    );
    assert_eq!(
        select(Facts {
            has_special_dependencies: true,
            ..facts()
        }),
        "container"
    );
    assert_eq!(
        select(Facts {
            estimated_seconds: 300,
            ..facts()
        }),
        "local"
    );
    assert_eq!(
        select(Facts {
            estimated_seconds: 301,
            ..facts()
        }),
        "container"
    );
    let data = tempfile::tempdir().unwrap();
    let answer = environment::choose(&service(data.path()).await)
        .await
        .unwrap();
    assert_eq!(answer, json!({"results": {"n": 42}}));
}

#[tokio::test]
async fn stages_are_a_pipeline() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    let answer = pipeline::multi_stage_analysis(&service).await.unwrap();
    assert_eq!(answer["pipeline_completed"], true, "{answer:#}");
    let stages = &answer["stages"];
    assert_eq!(
        stages["analysis"]["execution_result"]["results"],
        json!({"mean": 2.0})
    );
    let folder = stages["preprocessing"]["execution_result"]["folder_path"].to_string();
    assert!(folder.contains("/stage1_preprocessing-"), "{folder}");
}

#[tokio::test]
async fn a_score_decides() {
    let data = tempfile::tempdir().unwrap();
    let service = service(data.path()).await;
    for (score, did) in [
        (0.81, "advanced_analysis"),
        (0.8, "standard_with_preprocessing"),
        (0.5, "basic_with_cleaning"),
    ] {
        let answer = adaptive::adaptive_execution(&service, score).await.unwrap();
        let execution = &answer["execution_result"];
        assert_eq!(execution["results"], json!({"did": did, "score": score}));
        let folder = execution["folder_path"].to_string();
        assert!(folder.contains(&format!("/adaptive_{did}-")), "{folder}");
    }
}

#[tokio::test]
async fn seed_local_and_seed_error_handling() {
    let data = tempfile::tempdir().unwrap();
    let answer = acceptance::acceptance(&service(data.path()).await)
        .await
        .unwrap();
    assert_eq!(answer["local"], true);
    assert!(
        answer["caught"]
            .as_str()
            .unwrap()
            .contains("division by zero"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_in_force_is_told() {
    let data = tempfile::tempdir().unwrap();
    let config = "approval: {capabilities: {python_execution: {enabled: false}}}\n";
    let answer = debugging::introspect(&service_with(data.path(), config).await);
    assert_eq!(
        answer,
        json!({"python approval enabled": false, "write_access asks always": true})
    );
}

#[test]
fn what_the_document_quotes_is_what_the_examples_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // However rustfmt breaks the lines.
    let words = |text: &str| {
        let text: String = text.split_whitespace().collect();
        [")", "]", "}"]
            .iter()
            .fold(text, |text, end| text.replace(&format!(",{end}"), end))
    };
    let mut files = String::new();
    for entry in fs::read_dir(root.join("examples/library")).unwrap() {
        files.push_str(&words(&fs::read_to_string(entry.unwrap().path()).unwrap()));
        files.push(' ');
    }
    let document = fs::read_to_string(root.join("docs/library.md")).unwrap();
    let mut quoted = 0;
    let mut rest = document.as_str();
    while let Some((_, after)) = rest.split_once("```rust\n") {
        let (block, after) = after.split_once("```").unwrap();
        for part in block.split("// …") {
            assert!(
                files.contains(&words(part)),
                "no example says this:\n{part}"
            );
        }
        quoted += 1;
        rest = after;
    }
    assert!(quoted >= 8, "only {quoted} blocks");
}
