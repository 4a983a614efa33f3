//! Inputs, results, outputs and files that no single message of a websocket would take (Jupyter servers stop at
//! 10 MiB), on this machine and in containers with and without a shared folder.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::executor::Job;
use stepwell::id::Digest;

use crate::conformance_rig::{Bench, differences, essence_of};

const MIB: usize = 1024 * 1024;

async fn benches() -> Vec<Arc<Bench>> {
    Bench::all().await.into_iter().map(Arc::new).collect()
}

/// A job with time enough on the slowest machine.
fn job(bench: &Bench, code: &str) -> Job {
    let mut job = bench.job(code);
    job.timeout = Duration::from_secs(120);
    job
}

fn hex(text: &[u8]) -> String {
    Digest::of(text).hex()
}

/// Text of about so many bytes, with characters of every length.
fn long_text(bytes: usize) -> String {
    "é😀 beam\n\"\\".repeat(bytes / 14)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_inputs_arrive_whole() {
    const CODE: &str = "import hashlib\nsha = lambda b: hashlib.sha256(b).hexdigest()\nresults = {'text': sha(context.text.encode()), 'rows': [len(context.rows), sum(context.rows)], 'file': sha(open('inputs/0/raw.bin', 'rb').read()), 'module': __import__('constants').LAST}";
    let text = long_text(11 * MIB);
    let rows: Vec<u32> = (0..500_000).collect();
    let file: Vec<u8> = (0..2 * MIB).map(|at| (at % 251) as u8).collect();
    let module = format!("TABLE = '''{}'''\nLAST = TABLE[-3:]\n", "x".repeat(MIB));
    let made = |bench: &Bench| -> Job {
        let mut job = job(bench, CODE);
        job.context = json!({"text": text, "rows": rows});
        job.files
            .insert("inputs/0/raw.bin".to_owned(), file.clone());
        let modules = job.modules.as_mut().unwrap();
        modules.insert("constants.py".to_owned(), module.clone().into_bytes());
        job
    };
    let expected = json!({
        "text": hex(text.as_bytes()), "rows": [500_000, 499_999_u64 * 250_000], "file": hex(&file), "module": "xxx",
    });
    for bench in benches().await {
        let left = essence_of(&bench, made(&bench)).await;
        assert_eq!(
            left["results"], expected,
            "{}: {:#}",
            bench.name, left["failure"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_results_outputs_and_files_come_back_whole() {
    // The text is written in pieces, since a stream is bounded by the line.
    const CODE: &str = "import sys\ntext = 'é😀 beam\\n\"\\\\' * context.times\nresults = {'text': text, 'rows': list(range(100_000))}\nfor i in range(0, 3_000_000, 100_000): sys.stdout.write(text[i:i + 100_000])\nopen('raw.bin', 'wb').write(bytes(range(251)) * 20_000)\nclass Long:\n    def __repr__(self): return 'long'\n    def _repr_html_(self): return '<b>' + 'y' * 3_000_000 + '</b>'\ndisplay(Long()); display(Long())";
    let times = 11 * MIB / 14;
    let text = "é😀 beam\n\"\\".repeat(times);
    let made = |bench: &Bench| {
        let mut job = job(bench, CODE);
        job.context = json!({"times": times});
        job.limits.results_bytes_max = (32 * MIB) as u64;
        job.limits.stdout_bytes_max = (32 * MIB) as u64;
        job
    };
    let benches = benches().await;
    let left = essence_of(&benches[0], made(&benches[0])).await;
    assert_eq!(left["failure"], Value::Null);
    assert_eq!(left["results"]["text"], hex(text.as_bytes()));
    let shown = left["shown"]["cells"][0]["outputs"].as_array().unwrap();
    let html = shown
        .iter()
        .filter(|output| output["output_type"] == "display_data");
    assert_eq!(html.count(), 2);
    assert!(left["stdout"][1].as_u64().unwrap() > 4_000_000);
    let raw = bytes_of_raw();
    let artifacts = left["artifacts"].to_string();
    assert!(artifacts.contains(&hex(&raw)));
    let faults = differences(&benches, "large", made).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn bytes_of_raw() -> Vec<u8> {
    let once: Vec<u8> = (0..251).collect();
    once.repeat(20_000)
}

/// Values for which the results have no room.
const TOO_LARGE: &[(&str, &str)] = &[
    (
        "every sort of large value",
        "import numpy as np, pandas as pd\nn = 9000\nresults = {'table': pd.DataFrame({'x': np.arange(n) / 7, 'name': [f'é {i % 5}' for i in range(n)], 'at': pd.date_range('2026-03-29', periods=n, freq='min', tz='Europe/Berlin')}), 'series': pd.Series(np.arange(n) / 3, name='s'), 'array': np.outer(np.arange(150), np.arange(150)), 'text': 'é' * 70_000, 'bytes': bytes(80_000), 'list': list(range(n)), 'few': [1, 2]}",
    ),
    (
        "a list that is too large as a whole",
        "results = [['x' * 100] * 100 for _ in range(20)]",
    ),
    (
        "many small values",
        "results = {f'k{i}': 'x' * 20 for i in range(9000)}",
    ),
    (
        "large values of code that fails",
        "results = {'text': 'x' * 200_000}\nraise ValueError('after')",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_without_room_become_the_same_files_everywhere() {
    let benches = benches().await;
    let made = |code: &'static str| {
        move |bench: &Bench| {
            let mut job = job(bench, code);
            job.limits.results_bytes_max = 64 * 1024;
            job
        }
    };
    let mut faults = Vec::new();
    for (name, code) in TOO_LARGE {
        faults.extend(differences(&benches, name, made(code)).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let left = essence_of(&benches[0], made(TOO_LARGE[0].1)(&benches[0])).await;
    for (name, kind) in [
        ("table", "table"),
        ("series", "table"),
        ("array", "array"),
        ("text", "text"),
        ("bytes", "bytes"),
        ("list", "json"),
    ] {
        assert_eq!(left["results"][name]["$artifact"], kind, "{name}: {left:#}");
    }
    assert_eq!(left["results"]["few"], json!([1, 2]));
    let many = essence_of(&benches[0], made(TOO_LARGE[2].1)(&benches[0])).await;
    assert_eq!(many["failure"]["code"], "results_too_large");
}

/// The kernel tells of every file in one answer, which must not grow beyond what a websocket carries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_very_many_files_are_not_more_than_can_be_told() {
    const CODE: &str = "import os\nfor depth in range(6):\n    os.makedirs('é' * 110 + str(depth)); os.chdir('é' * 110 + str(depth))\nfor i in range(9000): os.close(os.open('x' * 190 + str(i), os.O_CREAT))";
    for bench in benches().await {
        let left = essence_of(&bench, job(&bench, CODE)).await;
        assert_eq!(
            left["failure"]["code"], "files_too_large",
            "{}: {:#}",
            bench.name, left["failure"]
        );
    }
}
