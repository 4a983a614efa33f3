//! Modules beside the workflow run as they were analysed, whatever lies there by then.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;
use stepwell::executor::{Executor as _, Job, OutcomeStatus};

use crate::executor_rig::Rig;

const CODE: &str = r#"
import multiprocessing, pkg.part, helper

def missing(name):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        return str(error)
    return "found"

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spawned = pool.apply(helper.word)
    results = {
        "words": [helper.word(), pkg.part.WORD, spawned],
        "data": helper.data(),
        "file": helper.__file__,
        "missing": [missing("other"), missing("pkg.late")],
    }
"#;

const HELPER: &str = "import pathlib\ndef word():\n    return 'live'\ndef data():\n    return (pathlib.Path(__file__).parent / 'data.txt').read_text()\n";

#[tokio::test]
async fn what_was_analysed_is_imported_and_nothing_else() {
    let rig = Rig::new().await;
    let folder = tempfile::tempdir().unwrap();
    let live = [
        ("helper.py", HELPER),
        ("data.txt", "beside"),
        ("other.py", ""),
        ("pkg/__init__.py", ""),
        ("pkg/part.py", "WORD = 'live'"),
        ("pkg/late.py", ""),
    ];
    for (name, text) in live {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let copies = ["helper.py", "pkg/__init__.py", "pkg/part.py"].map(|name| {
        let text = live.iter().find(|(known, _)| *known == name).unwrap().1;
        (name.to_owned(), text.replace("live", "copy").into_bytes())
    });
    let job = Job {
        source_folder: Some(folder.path().to_owned()),
        modules: Some(BTreeMap::from(copies)),
        ..rig.job(CODE)
    };
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    assert_eq!(
        outcome.results.unwrap(),
        json!({
            "words": ["copy", "copy", "copy"],
            "data": "beside",
            "file": folder.path().join("helper.py"),
            "missing": ["No module named 'other'", "No module named 'pkg.late'"],
        })
    );
    assert!(outcome.artifacts.is_empty(), "{:?}", outcome.artifacts);
}
