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

/// Modules that the code itself writes, wherever it thinks that they are looked for, and the ways to reach them.
const WRITTEN: &str = r#"
import multiprocessing, os, pathlib, sys

TRACE = "open('ran', 'a').write(__name__ + ' ')\n"

def tried(name):
    try:
        __import__(name)
    except ImportError as error:
        return str(error)
    return "found"

def written():
    pathlib.Path("evil.py").write_text(TRACE)
    pathlib.Path("evil_package").mkdir()
    pathlib.Path("evil_package/__init__.py").write_text(TRACE)
    # What an interpreter that is started here imports first, if it looks here.
    for name in ("signal", "multiprocessing", "sitecustomize", "usercustomize"):
        pathlib.Path(name + ".py").write_text(TRACE)
    site = pathlib.Path.home() / f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    site.mkdir(parents=True)
    (site / "usercustomize.py").write_text(TRACE)
    # Beside what was analysed, and in its place.
    pathlib.Path(".attempt/modules/evil_beside.py").write_text(TRACE)
    pathlib.Path(".attempt/modules/later.py").write_text(TRACE)

if __name__ == "__main__":
    written()
    names = ["evil", "evil_package", "evil_beside"]
    results = {"main": [tried(name) for name in names], "changed": tried("later"), "helper": __import__("helper").word()}
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            results[method] = pool.map(tried, [*names, "later"])
    import subprocess
    # As `joblib` starts its own.
    from stepwell_harness.spawning import cleared
    code = "import sys; print('evil' in sys.argv, [entry for entry in sys.path if entry in ('', '.', %r)])" % os.getcwd()
    pathlib.Path("evil_main.py").write_text(TRACE)
    said = [
        subprocess.run(cleared([sys.executable, *options]), capture_output=True, text=True)
        for options in (["-c", code, "evil"], ["-m", "evil_main"], ["-m", "json.tool", "--help"])
    ]
    results["commands"] = [said[0].stdout, "No module named" in said[1].stderr, said[2].returncode]
    results["ran"] = os.path.exists("ran")
    told = pathlib.Path(".attempt/harness.json")
    told.write_text(told.read_text() + " ")
    try:
        multiprocessing.get_context("spawn").Process(target=tried, args=("evil",)).start()
    except RuntimeError as error:
        results["told"] = str(error)
"#;

#[tokio::test]
async fn what_the_code_writes_is_not_imported() {
    let rig = Rig::new().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("helper.py"), HELPER).unwrap();
    let copies = [("helper.py", HELPER), ("later.py", "")];
    let copies = copies.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let job = Job {
        source_folder: Some(folder.path().to_owned()),
        modules: Some(BTreeMap::from(copies)),
        ..rig.job(WRITTEN)
    };
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let missing = |name: &str| json!(format!("No module named '{name}'"));
    let nothing = ["evil", "evil_package", "evil_beside"].map(missing);
    let changed = json!("'later' was changed after it was analysed");
    let children: Vec<_> = nothing.iter().cloned().chain([changed.clone()]).collect();
    assert_eq!(
        outcome.results.unwrap(),
        json!({
            "main": nothing,
            "changed": changed,
            "helper": "live",
            "spawn": children,
            "forkserver": children,
            "commands": ["True []\n", true, 0],
            "ran": false,
            "told": ".attempt/harness.json was changed; it belongs to the engine",
        })
    );
}
