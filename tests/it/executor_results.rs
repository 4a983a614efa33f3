//! `results`: what becomes JSON, with which note, and what is refused with which code.

use serde_json::{Value, json};
use stepwell::executor::{Executor as _, NanPolicy, OutcomeStatus};

use crate::executor_rig::{Rig, failure_of};

#[tokio::test]
async fn plain_values_come_back_exactly() {
    let rig = Rig::new().await;
    let table = [
        ("None", json!(null)),
        (
            "[True, False, 0, -1, 9223372036854775807, -9223372036854775808]",
            json!([true, false, 0, -1, i64::MAX, i64::MIN]),
        ),
        (
            "[0.1, 1e308, 5e-324, -0.0, 123456789.123456789, 1/3]",
            json!([0.1, 1e308, 5e-324, -0.0, 123_456_789.123_456_79, 1.0 / 3.0]),
        ),
        (
            "'é 😀 \\x00 \\u2028 \\\" \\\\ /'",
            json!("é 😀 \u{0} \u{2028} \" \\ /"),
        ),
        ("(1, [2, {'a': (3,)}], {})", json!([1, [2, {"a": [3]}], {}])),
        ("{'b': 1, 'a': 2}", json!({"b": 1, "a": 2})),
        ("range(3)", json!([0, 1, 2])),
    ];
    let code: Vec<&str> = table.iter().map(|(text, _)| *text).collect();
    let outcome = rig.run(&format!("results = [{}]", code.join(",\n"))).await;
    let expected: Vec<Value> = table.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(outcome.results, Some(Value::Array(expected)));
    assert_eq!(outcome.notes, Vec::<String>::new());
    assert!(
        outcome.results.unwrap()[2][3]
            .as_f64()
            .unwrap()
            .is_sign_negative()
    );
}

const TYPES: &str = "
import collections, dataclasses, datetime, decimal, enum, fractions, pathlib, uuid
class Level(enum.IntEnum):
    HIGH = 3
class Colour(enum.Enum):
    RED = 'r'
@dataclasses.dataclass
class Point:
    x: int
    y: list
Pair = collections.namedtuple('Pair', 'a b')
";

#[tokio::test]
async fn converted_values_have_notes() {
    let rig = Rig::new().await;
    // Imports, value, expected, note.
    let table = [
        ("{3, 1, 2}", json!([1, 2, 3]), "a set became a sorted list"),
        (
            "frozenset({2, 1})",
            json!([1, 2]),
            "a set became a sorted list",
        ),
        (
            "{1, 'a'}",
            json!(["a", 1]),
            "a set became a list, sorted by the text of its items",
        ),
        ("bytearray(b'a')", json!("YQ=="), "bytes became base64 text"),
        ("Level.HIGH", json!(3), "Level.HIGH became its value"),
        (
            "uuid.UUID(int=1)",
            json!("00000000-0000-0000-0000-000000000001"),
            "a UUID became text",
        ),
        ("datetime.time(1, 2, 3)", json!("01:02:03"), ""),
        (
            "datetime.datetime(2026, 1, 2, 3, 4)",
            json!("2026-01-02T03:04:00"),
            "",
        ),
        ("b'\\xff\\x00'", json!("/wA="), "bytes became base64 text"),
        (
            "decimal.Decimal('1.10')",
            json!("1.10"),
            "a Decimal became text",
        ),
        (
            "fractions.Fraction(1, 3)",
            json!("1/3"),
            "a Fraction became text",
        ),
        (
            "datetime.timedelta(minutes=1.5)",
            json!(90.0),
            "a duration became seconds",
        ),
        ("Colour.RED", json!("r"), "Colour.RED became its value"),
        (
            "Point(1, [2])",
            json!({"x": 1, "y": [2]}),
            "the dataclass Point became a map",
        ),
        (
            "Pair(1, 2)",
            json!({"a": 1, "b": 2}),
            "the named tuple Pair became a map",
        ),
        (
            "1 + 2j",
            json!({"real": 1.0, "imag": 2.0}),
            "a complex number became {real, imag}",
        ),
        (
            "'a\\ud800b'",
            json!("a\u{fffd}b"),
            "lone surrogates became U+FFFD",
        ),
        (
            "datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.timezone.utc)",
            json!("2026-01-02T03:04:05.000006+00:00"),
            "",
        ),
        ("datetime.date(2026, 1, 2)", json!("2026-01-02"), ""),
        ("pathlib.Path('a') / 'b'", json!("a/b"), ""),
        (
            "collections.OrderedDict(a=collections.deque([1]))",
            json!({"a": [1]}),
            "",
        ),
        ("collections.defaultdict(int, a=1)", json!({"a": 1}), ""),
    ];
    let values: Vec<&str> = table.iter().map(|(text, ..)| *text).collect();
    let code = format!("{TYPES}results = [{}]", values.join(",\n"));
    let outcome = rig.run(&code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let results = outcome.results.unwrap();
    for (index, (text, value, note)) in table.iter().enumerate() {
        assert_eq!(&results[index], value, "{text}");
        let noted = outcome
            .notes
            .iter()
            .find(|line| line.starts_with(&format!("results[{index}]:")));
        match noted {
            Some(line) => assert!(!note.is_empty() && line.ends_with(note), "{line}"),
            None => assert_eq!(*note, "", "{text} has no note"),
        }
    }
}

#[tokio::test]
async fn what_json_cannot_say_is_refused_with_its_place() {
    let rig = Rig::new().await;
    let table = [
        (
            "{'rms': [1, 2, 3, float('nan')]}",
            "results_not_finite",
            "results[\"rms\"][3] is nan",
        ),
        (
            "[-float('inf')]",
            "results_not_finite",
            "results[0] is -inf",
        ),
        (
            "{'a': {1: 2}}",
            "results_key",
            "results[\"a\"] has the key 1 of type int",
        ),
        ("{('a', 'b'): 1}", "results_key", "of type tuple"),
        ("{None: 1}", "results_key", "NoneType"),
        ("[2**63]", "results_int_range", "results[0]"),
        (
            "{'f': print}",
            "results_unsupported",
            "results[\"f\"] is of type builtins.builtin_function_or_method",
        ),
        ("object", "results_unsupported", "builtins.type"),
        (
            "{str(n): n for n in range(200_000)}",
            "results_too_large",
            "1048576 bytes",
        ),
        ("{'$artifact': 'table'}", "results_key", "stands for files"),
        ("loop", "results_cycle", "contains itself"),
        ("deep", "results_too_deep", "100 levels"),
        (
            "Bad()",
            "results_unsupported",
            "could not be read: RuntimeError: no",
        ),
        ("(n for n in [1])", "results_unsupported", "generator"),
    ];
    for (value, code, piece) in table {
        let text = format!(
            "import dataclasses\nloop = []; loop.append({{'x': loop}})\ndeep = []\nfor _ in range(5000): deep = [deep]\n\
             class Bad(dict):\n    def items(self): raise RuntimeError('no')\n\
             @dataclasses.dataclass\nclass Bad:\n    x: int = 0\n    def __getattribute__(self, name): raise RuntimeError('no')\n\
             results = {value}"
        );
        let failure = failure_of(rig.run(&text).await);
        assert_eq!(failure.code, code, "{value}: {failure:#?}");
        assert!(
            failure.message.contains(piece),
            "{value}: {}",
            failure.message
        );
        assert!(failure.hint.is_some());
    }
}

#[tokio::test]
async fn not_finite_numbers_become_null_when_the_step_says_so() {
    let rig = Rig::new().await;
    let mut job = rig.job("results = {'a': [float('nan'), 1.0, float('inf')]}");
    job.nan = NanPolicy::Null;
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.results, Some(json!({"a": [null, 1.0, null]})));
    assert_eq!(
        outcome.notes,
        [
            "results[\"a\"][0]: nan became null",
            "results[\"a\"][2]: inf became null"
        ]
    );
}

#[tokio::test]
async fn no_results_are_none_with_a_note() {
    let rig = Rig::new().await;
    let outcome = rig.run("x = 1").await;
    assert_eq!(
        (outcome.status, outcome.results),
        (OutcomeStatus::Succeeded, None)
    );
    assert_eq!(outcome.notes, ["the code left no `results`"]);
}

/// The reference in the results without its preview, and the bytes of its file.
fn filed(rig: &Rig, value: &Value) -> (Value, Vec<u8>) {
    let attempt = rig.count.load(std::sync::atomic::Ordering::Relaxed);
    let folder = rig.data.path().join(format!("runs/load/{attempt}"));
    let bytes = std::fs::read(folder.join(value["path"].as_str().unwrap())).unwrap();
    (value.clone(), bytes)
}

#[tokio::test]
async fn values_for_which_there_is_no_room_become_files() {
    let rig = Rig::new().await;
    let code = "results = {'n': 1, 'text': 'é' * 1_000_000, 'rows': [{'x': i} for i in range(60_000)], \
                'raw': b'\\x00' * 900_000, 'near': list(range(1000)), 'deep': {'inner': [0.5] * 300_000}}";
    let outcome = rig.run(code).await;
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let results = outcome.results.unwrap();
    assert_eq!(results["n"], 1);
    assert_eq!(results["near"].as_array().unwrap().len(), 1000);
    let (text, bytes) = filed(&rig, &results["text"]);
    assert_eq!(text["$artifact"], "text");
    assert_eq!(text["shape"], json!([1_000_000]));
    assert_eq!(text["preview"], "é".repeat(200));
    assert_eq!(bytes.len(), 2_000_000);
    let (rows, bytes) = filed(&rig, &results["rows"]);
    assert_eq!(rows["$artifact"], "json");
    assert_eq!(rows["shape"], json!([60_000]));
    assert_eq!(rows["preview"][1], json!({"x": 1}));
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(whole[59_999], json!({"x": 59_999}));
    let (raw, bytes) = filed(&rig, &results["raw"]);
    assert_eq!(
        (raw["$artifact"].as_str(), bytes.len()),
        (Some("bytes"), 900_000)
    );
    let (inner, _) = filed(&rig, &results["deep"]["inner"]);
    assert_eq!(inner["path"], "artifacts/results_deep_inner.json");
    assert_eq!(outcome.artifacts.len(), 4);
    assert!(
        outcome.notes.contains(
            &"results[\"rows\"]: it is too large to stand here: it became the file artifacts/results_rows.json".to_owned()
        ),
        "{:#?}",
        outcome.notes
    );
}

#[tokio::test]
async fn the_largest_entries_go_first_and_only_when_they_must() {
    let rig = Rig::new().await;
    // Each is smaller than a quarter of the room; five of them are too many.
    let code =
        "results = {name: [n] * 110_000 for n, name in enumerate('abcde')} | {'e': [9] * 100_000}";
    let results = rig.results(code).await;
    assert_eq!(results["a"]["$artifact"], "json");
    let inline: Vec<&str> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .filter(|name| results[*name].is_array())
        .collect();
    assert_eq!(inline, ["b", "c", "d", "e"]);
    let whole = rig.results("results = list(range(1_000_000))").await;
    assert_eq!(whole["shape"], json!([1_000_000]));
    // Nothing changes while there is room.
    let fits = rig.results("results = {'text': 'x' * 1_000_000}").await;
    assert!(fits["text"].is_string());
}

#[tokio::test]
async fn a_step_finds_the_file_of_a_large_input_and_hands_it_on() {
    let rig = Rig::new().await;
    let reference = json!({
        "$artifact": "json", "path": "runs/x/load/1/artifacts/rows.json", "media_type": "application/json", "shape": [2],
        "sha256": "sha256:f3e2e25bd7ee1a2dbbbb7f2f4dd7dfc4d6d1f6a5b1b0b0b0b0b0b0b0b0b0b0b0", "bytes": 6,
    });
    let mut given = reference.clone();
    given["local"] = json!(".attempt/inputs/f3e2/rows.json");
    let mut job = rig.job(
        "import hashlib, os\nlarge = context.data.rows\n\
         try:\n    large.load()\nexcept ValueError as error:\n    refused = str(error)\n\
         data = open(large, 'rb').read()\nlarge['sha256'] = hashlib.sha256(data).hexdigest()\n\
         results = {'rows': large.load(), 'handed': large, 'shape': large.shape, 'refused': refused,\n\
         'inside': large.path.startswith(os.getcwd()), 'again': context.data['rows']['shape']}",
    );
    job.context = json!({"data": {"rows": given}});
    job.files = [(
        ".attempt/inputs/f3e2/rows.json".to_owned(),
        b"[1, 2]".to_vec(),
    )]
    .into();
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    let results = outcome.results.unwrap();
    assert_eq!(results["rows"], json!([1, 2]));
    assert_eq!(results["handed"], reference);
    assert_eq!(
        (&results["shape"], &results["again"]),
        (&json!([2]), &json!([2]))
    );
    assert_eq!(results["inside"], true);
    assert!(
        results["refused"]
            .as_str()
            .unwrap()
            .contains("its digest is another one")
    );
}
