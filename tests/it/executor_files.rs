//! What a step leaves: output, figures, artifacts; and what it can't do with our own files.

use serde_json::json;
use stepwell::executor::{Adoption, Executor as _, OutcomeStatus};

use crate::executor_rig::{Rig, failure_of, read};

#[tokio::test]
async fn what_was_made_before_a_failure_is_kept() {
    let rig = Rig::new().await;
    let job = rig.job("results = {'a': 1}\nsave_artifact('hello', 'note.md', 'why')\nprint('out')\nraise ValueError('x')");
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.results, Some(json!({"a": 1})));
    let artifact = &outcome.artifacts[0];
    assert_eq!(
        (artifact.path.as_str(), artifact.title.as_str()),
        ("artifacts/note.md", "note.md")
    );
    assert_eq!(
        (
            artifact.description.as_str(),
            artifact.media_type.as_str(),
            artifact.bytes
        ),
        ("why", "text/markdown", 5)
    );
    assert_eq!(read(&job, "stdout.log"), "out\n");
    assert!(read(&job, "stderr.log").ends_with("ValueError: x\n"));
    assert!(
        !outcome.python.is_empty()
            && outcome.seconds > 0.0
            && outcome.usage.max_rss_bytes > 1_000_000
    );
    assert_eq!(failure_of(outcome).code, "python_exception");
}

#[tokio::test]
async fn files_of_the_code_are_listed_and_links_are_not_followed() {
    let rig = Rig::new().await;
    let outcome = rig
        .run(
            "import os, pathlib\nopen('plot.png','wb').write(b'png')\nopen('figures/b.svg','w').write('<svg/>')\n\
             f = open('table.csv','w'); f.write('a,b')\nos.symlink('/etc/passwd', 'artifacts/passwd')\n\
             open('.hidden','w').write('x')\nsave_artifact({'a': [1]}, 'fit result')\nsave_artifact({'a': 2}, 'fit result')\n\
             save_artifact(pathlib.Path('table.csv'), 'Table')\nsave_artifact(b'raw', '../../evil')\n\
             try:\n    save_artifact(object())\nexcept TypeError as error:\n    results = str(error)",
        )
        .await;
    let paths: Vec<&str> = outcome
        .artifacts
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "artifacts/fit_result.json",
            "artifacts/fit_result_2.json",
            "table.csv",
            "artifacts/evil.bin"
        ]
    );
    assert_eq!(
        (
            outcome.artifacts[2].title.as_str(),
            outcome.artifacts[2].bytes
        ),
        ("Table", 3)
    );
    let figures: Vec<&str> = outcome
        .figures
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(figures, ["figures/b.svg", "plot.png"]);
    assert_eq!(
        outcome.results,
        Some(json!(
            "save_artifact: artifact is of type builtins.object, which results can't hold"
        ))
    );
}

#[tokio::test]
async fn files_that_share_a_name_with_ours_get_another_one() {
    let rig = Rig::new().await;
    let mut job = rig.job(
        "import os, pathlib\nfor name in ('results.json', 'notebook.ipynb'): open(name, 'w').write('mine')\n\
         os.mkdir('outcome.json'); open('outcome.json/part.txt', 'w').write('of mine')\n\
         save_artifact(pathlib.Path('results.json'), 'the fit', 'all of it')\n\
         open('results.code.json', 'w').write('taken')\nopen(b'\\xff.txt', 'w').write('x')\nresults = [1]",
    );
    job.artifacts = ["*.json", "notebook.ipynb", "outcome.json/*"]
        .map(str::to_owned)
        .to_vec();
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let kept: Vec<(&str, &str)> = outcome
        .artifacts
        .iter()
        .map(|file| (file.path.as_str(), file.title.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("results.code_2.json", "the fit"),
            ("notebook.code.ipynb", ""),
            ("outcome.code.json/part.txt", ""),
            ("results.code.json", ""),
        ]
    );
    for (name, text) in [
        ("results.json", "[1]"),
        ("results.code_2.json", "mine"),
        ("notebook.code.ipynb", "mine"),
        ("results.code.json", "taken"),
    ] {
        assert_eq!(read(&job, name), text, "{name}");
    }
    assert!(read(&job, "outcome.json").starts_with('{'));
    assert!(!job.folder.join("notebook.ipynb").exists());
    for piece in [
        "no UTF-8",
        "`notebook.ipynb` is a name of Stepwell's own files: what the code left there is kept as `notebook.code.ipynb`",
    ] {
        assert!(
            outcome.notes.iter().any(|note| note.contains(piece)),
            "{piece}: {:?}",
            outcome.notes
        );
    }
    assert!(!outcome.notes.iter().any(|note| note.contains("pattern")));
    assert_eq!(
        rig.executor.adopt(&job.folder).await,
        Adoption::Finished(outcome)
    );
}

#[tokio::test]
async fn what_the_code_does_to_our_own_files_hurts_only_itself() {
    let rig = Rig::new().await;
    let victim = rig.data.path().join("victim");
    std::fs::write(&victim, "whole").unwrap();
    let link = |name: &str| format!("import os\nos.symlink({victim:?}, '.attempt/{name}')\n");
    let job = rig.job(&link("outcome.json.part"));
    // The link is put away, so the outcome is written all the same, and not through it.
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
    let job = rig.job("import os\nos.mkfifo('.attempt/report.json')\nos.remove('.attempt/begun')\nos.mkfifo('.attempt/begun')\nos._exit(0)");
    assert_eq!(
        failure_of(rig.executor.execute(job).await.unwrap()).code,
        "interpreter_failed"
    );
    let job = rig.job("import atexit\n@atexit.register\ndef tamper(): open('.attempt/results.json','w').write('{\"a\": NaN}')\nresults = 1");
    assert_eq!(
        failure_of(rig.executor.execute(job).await.unwrap()).code,
        "results_invalid"
    );
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "whole");
}

#[tokio::test]
async fn too_many_or_too_large_files_fail_the_attempt() {
    let rig = Rig::new().await;
    let mut job = rig.job("for n in range(5): open(f'{n}.txt','w').write('x')");
    job.limits.files_max = 3;
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.artifacts.len(), 3);
    assert_eq!(failure_of(outcome).code, "files_too_large");
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_counted() {
    let rig = Rig::new().await;
    let mut job = rig.job("import sys\nblock = b'x' * 1_000_000\nfor _ in range(100): sys.stdout.buffer.write(block)\nresults = 'done'");
    job.limits.stdout_bytes_max = 1000;
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.results, Some(json!("done")));
    assert_eq!(
        (outcome.stdout.bytes, outcome.stdout.truncated),
        (100_000_000, true)
    );
    assert_eq!(read(&job, "stdout.log").len(), 1000);
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.contains("stdout.log was cut")),
        "{:?}",
        outcome.notes
    );
}

#[tokio::test]
async fn output_keeps_its_bytes_and_threads_are_waited_for() {
    let rig = Rig::new().await;
    let job = rig.job(
        "import sys, threading, time\nsys.stdout.buffer.write(b'\\xff\\xfe\\x00')\n\
         results = {}\ndef late():\n    time.sleep(0.2)\n    results['late'] = True\nthreading.Thread(target=late).start()\nprint(input_closed := sys.stdin.read())",
    );
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.results, Some(json!({"late": true})));
    assert_eq!(
        std::fs::read(job.folder.join("stdout.log")).unwrap(),
        b"\xff\xfe\x00\n"
    );
}

#[tokio::test]
async fn a_pool_that_nobody_shut_down_ends_with_the_code() {
    let rig = Rig::new().await;
    let code = "import os\nfrom concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor()\n\
                pool.submit(print, 'done by the pool')\nresults = pool.submit(lambda: 7).result()";
    let mut job = rig.job(code);
    // What is still queued is done, as in plain Python.
    job.timeout = std::time::Duration::from_secs(60);
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    assert_eq!(outcome.results, Some(json!(7)));
    assert!(read(&job, "stdout.log").contains("done by the pool"));
}
