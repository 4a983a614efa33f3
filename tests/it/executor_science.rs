//! With the real numpy, pandas and matplotlib, in an environment that Stepwell builds. Without a network and
//! without an environment from an earlier run these tests say so and pass.

use serde_json::json;
use stepwell::executor::{EnvironmentSpec, Executor as _, Job, NanPolicy, OutcomeStatus};

use crate::executor_rig::{Rig, failure_of};

/// A rig on an environment that is kept between runs of the tests, below `target`.
async fn science() -> Option<Rig> {
    let rig = Rig::shared();
    let spec = EnvironmentSpec {
        packages: ["numpy", "pandas", "matplotlib"]
            .map(str::to_owned)
            .to_vec(),
        ..EnvironmentSpec::default()
    };
    match rig
        .executor
        .prepare(&spec, &|line| eprintln!("{line}"))
        .await
    {
        Ok(environment) => Some(Rig { environment, ..rig }),
        Err(failure) if failure.code == "environment_offline" => {
            eprintln!("passed over: there is no network");
            None
        }
        Err(failure) => panic!("{failure:#?}"),
    }
}

#[tokio::test]
async fn arrays_tables_and_their_scalars_become_json() {
    let Some(rig) = science().await else { return };
    let code = r#"
import numpy as np, pandas as pd
frame = pd.DataFrame({"t": pd.to_datetime(["2026-01-01", "2026-01-02"]), "x": [1.5, 2.5], "n": [1, 2]})
results = {
    "f64": np.float64(0.1), "f32": np.float32(0.5), "i": np.int64(7), "b": np.bool_(True), "s": np.str_("é"),
    "array": np.arange(6).reshape(2, 3), "floats": np.array([0.1, 0.2]), "empty": np.array([]), "zero": np.array(3),
    "mask": np.ma.array([1, 2], mask=[False, True]), "when": np.datetime64("2026-01-02"),
    "frame": frame, "series": pd.Series([1, 2]), "labelled": pd.Series([1.5], index=["rms"]),
    "stamp": pd.Timestamp("2026-01-02T03:04:05Z"), "delta": pd.Timedelta("90s"), "index": pd.Index(["a", "b"]),
    "sum": frame["n"].sum(), "complex": np.array([1 + 2j]),
}
"#;
    let outcome = rig.run(code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let expected = json!({
        "f64": 0.1, "f32": 0.5, "i": 7, "b": true, "s": "é",
        "array": [[0, 1, 2], [3, 4, 5]], "floats": [0.1, 0.2], "empty": [], "zero": 3,
        "mask": [1, null], "when": "2026-01-02",
        "frame": [{"t": "2026-01-01T00:00:00", "x": 1.5, "n": 1}, {"t": "2026-01-02T00:00:00", "x": 2.5, "n": 2}],
        "series": [1, 2], "labelled": {"rms": 1.5},
        "stamp": "2026-01-02T03:04:05+00:00", "delta": 90.0, "index": ["a", "b"],
        "sum": 3, "complex": [{"real": 1.0, "imag": 2.0}],
    });
    assert_eq!(outcome.results, Some(expected));
    for piece in [
        "an array int64 of shape (2, 3) became lists",
        "a table of 2 rows became a list of records",
        "masked items became null",
    ] {
        assert!(
            outcome.notes.iter().any(|note| note.ends_with(piece)),
            "{piece}: {:?}",
            outcome.notes
        );
    }
}

#[tokio::test]
async fn structured_arrays_and_other_arrays_become_lists() {
    let Some(rig) = science().await else { return };
    let code = r#"
import array, collections
import numpy as np, pandas as pd
table = np.array([(1, 2.5, "a"), (2, 3.5, "b")], dtype=[("n", int), ("x", float), ("name", "U4")])
inner = np.zeros((1, 2), dtype=[("at", [("s", int)]), ("xy", float, (2,))])
masked = np.ma.array([(1, 2)], mask=[(False, True)], dtype=[("a", int), ("b", int)])
results = {
    "table": table, "record": table[1], "rec": table.view(np.recarray)[:1], "inner": inner, "none": table[:0], "masked": masked,
    "extension": pd.array([1, 2], dtype="Int64"), "text": pd.array(["a"], dtype="string"),
    "plain": array.array("d", [0.5, 1.5]), "user": collections.UserList([1, collections.UserDict(a=2)]),
    "string": collections.UserString("s"), "twice": pd.Series([1, 2], index=["a", "a"]),
}
"#;
    let outcome = rig.run(code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let row = json!({"at": {"s": 0}, "xy": [0.0, 0.0]});
    let expected = json!({
        "table": [{"n": 1, "x": 2.5, "name": "a"}, {"n": 2, "x": 3.5, "name": "b"}],
        "record": {"n": 2, "x": 3.5, "name": "b"}, "rec": [{"n": 1, "x": 2.5, "name": "a"}],
        "inner": [[row, row]], "none": [], "masked": [{"a": 1, "b": null}],
        "extension": [1, 2], "text": ["a"], "plain": [0.5, 1.5], "user": [1, {"a": 2}], "string": "s",
        "twice": [1, 2],
    });
    assert_eq!(outcome.results, Some(expected));
    for note in [
        r#"results["table"]: an array of shape (2,) with the fields n, x, name became a list of maps"#,
        r#"results["twice"]: a series became a list, its index was dropped: it has a label twice (use reset_index() to keep it)"#,
        r#"results["plain"]: an array.array became a list"#,
    ] {
        assert!(
            outcome.notes.iter().any(|said| said == note),
            "{note}: {:#?}",
            outcome.notes
        );
    }
    let large = "import numpy as np
results = {'t': np.zeros(200000, dtype=[('a', float), ('b', float)])}";
    let outcome = rig.run(large).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    assert_eq!(outcome.results.unwrap()["t"]["shape"], json!([200_000]));
}

#[tokio::test]
async fn missing_values_of_tables_follow_the_rule_for_nan() {
    let Some(rig) = science().await else { return };
    let code = "import pandas as pd\nresults = {'t': pd.DataFrame({'x': [1.0, None], 'd': [pd.Timestamp('2026-01-01'), pd.NaT]})}";
    let failure = rig.failure(code).await;
    assert_eq!(failure.code, "results_not_finite");
    assert!(
        failure
            .message
            .starts_with("results[\"t\"][1][\"x\"] is nan"),
        "{}",
        failure.message
    );
    let job = Job {
        nan: NanPolicy::Null,
        ..rig.job(code)
    };
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(
        outcome.results.unwrap()["t"][1],
        json!({"x": null, "d": null})
    );
}

#[tokio::test]
async fn what_pandas_and_numpy_have_besides_becomes_json_too() {
    let Some(rig) = science().await else { return };
    let code = r#"
import numpy as np, pandas as pd
results = {
    "times": pd.Series([1.5, 2.5], index=pd.to_datetime(["2026-01-01", "2026-01-02"])),
    "categories": pd.Categorical(["a", "b", "a"]), "period": pd.Period("2026-01"),
    "interval": pd.Interval(0, 1), "range": pd.RangeIndex(3), "half": np.float16(0.5), "long": np.longdouble(0.25),
    "bytes": np.bytes_(b"ab"), "span": np.timedelta64(90, "s"), "texts": np.array(["a", "é"]),
    "nullable": pd.array([1, 2], dtype="Int64").sum(), "zone": pd.Timestamp("2026-01-02", tz="Europe/Berlin"),
    "indexed": pd.DataFrame({"x": [1]}, index=["a"]), "days": pd.date_range("2026-01-01", periods=2),
}
"#;
    let outcome = rig.run(code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let expected = json!({
        "times": {"2026-01-01 00:00:00": 1.5, "2026-01-02 00:00:00": 2.5},
        "categories": ["a", "b", "a"], "period": "2026-01", "interval": "(0, 1]", "range": [0, 1, 2],
        "half": 0.5, "long": 0.25, "bytes": "YWI=", "span": "90 seconds", "texts": ["a", "é"], "nullable": 3,
        "zone": "2026-01-02T00:00:00+01:00", "indexed": [{"x": 1}],
        "days": ["2026-01-01T00:00:00", "2026-01-02T00:00:00"],
    });
    assert_eq!(outcome.results, Some(expected));
    let dropped = "its index was dropped (use reset_index() to keep it)";
    assert!(outcome.notes.iter().any(|note| note.ends_with(dropped)));
    for lost in [
        "pd.NaT",
        "pd.NA",
        "np.datetime64('NaT')",
        "np.float64('nan')",
        "np.array([np.inf])",
    ] {
        let code = format!("import numpy as np, pandas as pd\nresults = {{'x': {lost}}}");
        assert_eq!(
            rig.failure(&code).await.code,
            "results_not_finite",
            "{lost}"
        );
    }
}

#[tokio::test]
async fn large_tables_and_arrays_become_files_that_libraries_read() {
    let Some(rig) = science().await else { return };
    let code = "import numpy as np, pandas as pd\n\
                results = {'zeros': np.zeros(10_000_000, dtype='i1').reshape(10, -1), \
                'table': pd.DataFrame({'x': np.arange(300_000) / 7, 'y': [float('nan')] * 300_000})}";
    let outcome = rig.run(code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let results = outcome.results.unwrap();
    assert_eq!(results["zeros"]["shape"], json!([10, 1_000_000]));
    assert_eq!(results["zeros"]["dtype"], "int8");
    assert_eq!(results["zeros"]["preview"], json!([0, 0, 0, 0, 0]));
    assert_eq!(results["table"]["columns"], json!(["x", "y"]));
    assert_eq!(results["table"]["dtypes"]["x"], "float64");
    assert_eq!(results["table"]["preview"][1]["y"], json!(null));
    let kinds: Vec<(&str, &str)> = outcome
        .artifacts
        .iter()
        .map(|file| (file.path.as_str(), file.media_type.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("artifacts/results_zeros.npy", "application/x-npy"),
            ("artifacts/results_table.csv", "text/csv")
        ]
    );
}

#[tokio::test]
async fn figures_are_kept_at_show_at_the_end_and_when_the_code_fails() {
    let Some(rig) = science().await else { return };
    let code = r#"
import matplotlib.pyplot as plt, numpy as np, pandas as pd
plt.plot([1, 2]); plt.title("Shown"); plt.show()
plt.figure(); plt.plot([1, 2]); plt.suptitle("Left open")
own, axes = plt.subplots(); axes.set_title("Saved by hand"); own.savefig("own.png")
save_artifact(own, "kept", "on purpose"); plt.close(own)
save_artifact(pd.DataFrame({"a": [1]}), "table"); save_artifact(np.arange(3), "numbers")
raise ValueError("late")
"#;
    let outcome = rig.run(code).await;
    let figures: Vec<(&str, &str)> = outcome
        .figures
        .iter()
        .map(|file| (file.path.as_str(), file.title.as_str()))
        .collect();
    assert_eq!(
        figures,
        [
            ("figures/figure_01.png", "Shown"),
            ("own.png", "Saved by hand"),
            ("figures/figure_02.png", "Left open")
        ]
    );
    assert!(
        outcome
            .figures
            .iter()
            .all(|file| file.bytes > 1000 && file.media_type == "image/png")
    );
    let artifacts: Vec<(&str, &str)> = outcome
        .artifacts
        .iter()
        .map(|file| (file.path.as_str(), file.title.as_str()))
        .collect();
    assert_eq!(
        artifacts,
        [
            ("artifacts/kept.png", "kept"),
            ("artifacts/table.csv", "table"),
            ("artifacts/numbers.npy", "numbers")
        ]
    );
    assert_eq!(outcome.artifacts[0].description, "on purpose");
    assert_eq!(failure_of(outcome).code, "python_exception");
}

#[tokio::test]
async fn a_figure_that_was_saved_and_left_open_is_there_once() {
    let Some(rig) = science().await else { return };
    let outcome = rig.run("import matplotlib.pyplot as plt\nplt.plot([1])\nplt.title('T')\nplt.savefig('figures/mine.svg')").await;
    let figures: Vec<(&str, &str)> = outcome
        .figures
        .iter()
        .map(|file| (file.path.as_str(), file.title.as_str()))
        .collect();
    assert_eq!(figures, [("figures/mine.svg", "T")]);
}
