//! A corpus of labelled snippets: what the analysis must find, and what it must leave alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stepwell::python::analysis::{RuleSet, analyze, top_level_spans};

const WRITES: &str = include_str!("../fixtures/analysis/writes.txt");
const DANGERS: &str = include_str!("../fixtures/analysis/dangers.txt");
const HARMLESS: &str = include_str!("../fixtures/analysis/harmless.txt");
const SCRIPTS: &str = include_str!("../fixtures/analysis/scripts.txt");
const EVASIONS: &str = include_str!("../fixtures/analysis/evasions.txt");
const MISSES: &str = include_str!("../fixtures/analysis/misses.txt");

struct Snippet<'a> {
    name: &'a str,
    expected: BTreeSet<&'a str>,
    code: &'a str,
}

fn snippets(file: &str) -> Vec<Snippet<'_>> {
    file.split("\n--- ")
        .skip(1)
        .map(|part| {
            let (head, code) = part.split_once('\n').unwrap_or((part, ""));
            let (name, rules) = head.split_once(": ").unwrap_or((head, "no label"));
            let expected = rules.split(", ").filter(|rule| *rule != "none").collect();
            Snippet {
                name,
                expected,
                code,
            }
        })
        .collect()
}

fn found(code: &str) -> BTreeSet<String> {
    let report = analyze(code, &RuleSet::default());
    report
        .findings
        .into_iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn the_corpus_is_labelled_right() {
    let mut wrong = Vec::new();
    let mut total = 0;
    println!(
        "{:<10} {:>8} {:>8} {:>8} {:>12}",
        "file", "snippets", "expected", "found", "false alarms"
    );
    for (file, text) in [
        ("writes", WRITES),
        ("dangers", DANGERS),
        ("harmless", HARMLESS),
        ("scripts", SCRIPTS),
        ("evasions", EVASIONS),
    ] {
        let (mut expected, mut hits, mut alarms) = (0, 0, 0);
        let snippets = snippets(text);
        for snippet in &snippets {
            let found = found(snippet.code);
            let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            expected += snippet.expected.len();
            hits += snippet.expected.intersection(&found).count();
            alarms += found.difference(&snippet.expected).count();
            if found != snippet.expected {
                wrong.push(format!(
                    "{file}/{}: expected {:?}, found {found:?}",
                    snippet.name, snippet.expected
                ));
            }
        }
        assert!(snippets.len() >= 50, "{file}: {}", snippets.len());
        total += snippets.len();
        println!(
            "{file:<10} {:>8} {expected:>8} {hits:>8} {alarms:>12}",
            snippets.len()
        );
    }
    assert!(total >= 400, "{total}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn known_misses_are_still_missed() {
    for snippet in snippets(MISSES) {
        let found = found(snippet.code);
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        println!("missed: {} {:?}", snippet.name, snippet.expected);
        assert!(
            snippet.expected.is_disjoint(&found),
            "{} is found now: move it to another file",
            snippet.name
        );
    }
}

/// docs/analysis.md publishes figures: they are those of the corpus, and every miss is there by its name.
#[test]
fn the_published_figures_are_true() {
    let page = include_str!("../../docs/analysis.md");
    let calm = ["control_read", "threads", "env_read", "fs_write"];
    let (mut writes, mut dangers, mut harmless) = ([0, 0], [0, 0], [0, 0]);
    for text in [WRITES, DANGERS, HARMLESS, SCRIPTS, EVASIONS, MISSES] {
        for snippet in snippets(text) {
            if snippet.expected.contains("syntax") {
                continue;
            }
            let found = found(snippet.code);
            let loud = |rule: &&str| !calm.contains(rule);
            let hit = found.iter().map(String::as_str).any(|rule| loud(&rule));
            let mut graver = snippet.expected.iter().copied().filter(loud).peekable();
            let row = if snippet.expected.is_empty() {
                &mut harmless
            } else if graver.peek().is_none() {
                continue;
            } else if graver.any(|rule| rule.starts_with("control_")) {
                &mut writes
            } else {
                &mut dangers
            };
            row[0] += 1;
            row[1] += usize::from(hit);
            if !snippet.expected.is_empty() && !hit {
                let name = format!("`{}`", snippet.name);
                assert!(
                    page.contains(&name),
                    "docs/analysis.md does not name the miss {name}"
                );
            }
        }
    }
    let head = format!(
        "| | writes to control systems ({}) | other dangers ({}) | harmless ({}) |",
        writes[0], dangers[0], harmless[0]
    );
    assert!(page.contains(&head), "{head}");
    let row = format!(
        "| Stepwell | {} | {} | {} |",
        writes[1], dangers[1], harmless[1]
    );
    assert!(page.contains(&row), "{row}");
}

#[test]
fn the_deepest_code_that_is_read_fits_a_small_stack() {
    let deepest = 248;
    let codes = [
        "x".to_owned() + &".a".repeat(deepest),
        "1".to_owned() + &"+1".repeat(deepest),
        "f(".repeat(deepest / 2) + "x" + &")".repeat(deepest / 2),
        "[".repeat(deepest) + &"]".repeat(deepest),
        "{1:".repeat(deepest / 2) + "1" + &"}".repeat(deepest / 2),
        "lambda: ".repeat(deepest / 2) + "x",
        "x if x else ".repeat(deepest / 2) + "x",
        "[i for i in ".repeat(deepest / 4) + "x" + &"]".repeat(deepest / 4),
        (0..90)
            .map(|depth| " ".repeat(depth) + "if x:\n")
            .collect::<String>()
            + &" ".repeat(90)
            + "x",
        (0..90)
            .map(|depth| " ".repeat(depth) + "class A:\n")
            .collect::<String>()
            + &" ".repeat(90)
            + "x",
    ];
    let small = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let read =
        small.spawn(move || codes.map(|code| analyze(&code, &RuleSet::default()).readable()));
    assert_eq!(read.unwrap().join().unwrap(), [true; 10]);
}

fn corpus() -> Vec<&'static str> {
    [WRITES, DANGERS, HARMLESS, SCRIPTS, EVASIONS, MISSES]
        .into_iter()
        .flat_map(snippets)
        .map(|snippet| snippet.code)
        .collect()
}

fn holds_together(code: &str) {
    let report = analyze(code, &RuleSet::default());
    assert_eq!(
        report,
        analyze(code, &RuleSet::default()),
        "not deterministic"
    );
    for finding in &report.findings {
        assert!(finding.line >= 1 && finding.column >= 1);
        assert!((finding.end_line, finding.end_column) >= (finding.line, finding.column));
    }
    let stored = serde_json::to_string(&report).unwrap_or_default();
    assert_eq!(serde_json::from_str(&stored).ok(), Some(report));
    for span in top_level_spans(code) {
        assert!(
            code.get(span.start..span.end)
                .is_some_and(|cell| !cell.trim().is_empty())
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(code in "\\PC{0,200}") {
        holds_together(&code);
    }

    #[test]
    fn any_python_like_text_is_survived(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "import epics", "\n", "\n    ", "x", "=", "(", ")", "[", "]", "{", "}", ":", "def f", "class A",
                "lambda", ".", ",", "*", "**", "'", "\"\"\"", "f\"{", "if", "for", "in", "await", "@", ":=", "match x",
                "case", "global x", "getattr", "vars", "type", "super()", "\\", "\0", "é", "0", "->", "yield", "%",
            ]),
            0..60,
        )
    ) {
        holds_together(&words.join(" "));
    }

    #[test]
    fn mutated_corpus_is_survived(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        cut in any::<prop::sample::Index>(),
        noise in "[\\PC\n]{0,3}",
    ) {
        let corpus = corpus();
        let mut code: String = picks.iter().map(|pick| *pick.get(&corpus)).collect();
        let mut at = cut.index(code.len() + 1);
        while !code.is_char_boundary(at) {
            at -= 1;
        }
        code.insert_str(at, &noise);
        holds_together(&code);
    }
}
