//! The same expression in CPython over the same data gives the same value, wherever both are defined.
//!
//! One `python3` process reads thousands of generated expressions and answers with values or errors.
//! Where we refuse and Python does not, the refusal must be one of the documented kinds.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use stepwell::expression::{Expression, Lookup, Scope, StepStatusWord};

/// Evaluates every line `"expression"` over the data of the first line; answers `{"ok": …}` or `{"error": …}`.
const PYTHON: &str = r#"
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))
class Data(dict):
    def __getattribute__(self, name):
        return self[name] if name in self else dict.__getattribute__(self, name)
def plain(x):
    if isinstance(x, dict): return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, range, zip, type({}.items()), type({}.keys()), type({}.values()))):
        return [plain(v) for v in x]
    if isinstance(x, int) and abs(x) >= 2**64: return "an integer of more than 64 bits"
    return x
def unique(xs):
    out = []
    for x in xs:
        if x not in out: out.append(x)
    return out
scope = json.loads(sys.stdin.readline(), object_hook=Data)
scope.update(unique=unique, flatten=lambda xs: [y for x in xs for y in x], keys=lambda d: list(d),
             values=lambda d: list(dict.values(d)), items=lambda d: list(dict.items(d)))
for line in sys.stdin:
    try:
        value = plain(eval(json.loads(line), scope))
        answer = {"ok": value}
        text = json.dumps(answer, allow_nan=True)
    except Exception as error:
        text = json.dumps({"error": type(error).__name__})
    print(text.replace("NaN", "\"NaN\"").replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\""))
"#;

struct Data(Json);

impl Scope for Data {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        match path.first().and_then(|root| self.0.get(*root)) {
            Some(value) => Lookup::Json { value, used: 1 },
            None => Lookup::Unknown { known: Vec::new() },
        }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}

fn data() -> Data {
    Data(json!({
        "i": 7, "j": -3, "zero": 0, "large": i64::MAX, "wide": 9_007_199_254_740_993_i64,
        "f": 2.5, "g": -0.1, "tiny": 1e-7, "huge": 1e300,
        "s": "Hello, World", "t": " a b  c ", "u": "äöü-Ünï", "e": "",
        "yes": true, "no": false,
        "ns": [3, 1, 2, 3], "ws": ["b", "a", "", "b"], "fs": [0.5, 2.25, -1.0],
        "m": {"a": 1, "b": 2, "values": 3}, "rows": [{"n": 1, "k": "x"}, {"n": -2, "k": "y"}],
        "nested": [[1, 2], [], [3]],
    }))
}

/// Asks CPython; one answer for each expression.
fn python(expressions: &[String]) -> Vec<Json> {
    let mut child = Command::new("python3")
        .args(["-I", "-W", "ignore", "-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle needs python3 on PATH");
    let mut input = format!("{}\n", data().0);
    for expression in expressions {
        input.push_str(&format!("{}\n", Json::from(expression.as_str())));
    }
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "python3 failed");
    let answers: Vec<Json> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), expressions.len());
    answers
}

/// Our answer: the value, or the code and the message of the error.
fn ours(text: &str) -> Result<Json, (String, String)> {
    Expression::parse(text)
        .and_then(|expression| expression.evaluate(&data()))
        .map(|value| value.to_json())
        .map_err(|error| (error.code.to_string(), error.message))
}

/// What an expression gives; the generator only builds what fits, and sometimes on purpose does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    Bool,
    Text,
    Ints,
    Texts,
    Map,
}

/// A small generator of random expressions, the same for the same seed.
struct Generator {
    state: u64,
    /// Share of operands of a wrong type, in percent.
    wrong: usize,
}

impl Generator {
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn pick(&mut self, choices: &str) -> String {
        let at = self.below(choices.split('|').count());
        choices.split('|').nth(at).unwrap().to_owned()
    }

    /// Fills `%i %f %b %s %I %S %M` in a pattern with expressions of that kind, `%n` with a number.
    fn fill(&mut self, pattern: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                out.push(char);
                continue;
            }
            let kind = match chars.next() {
                Some('i') => Kind::Int,
                Some('f') => Kind::Float,
                Some('b') => Kind::Bool,
                Some('s') => Kind::Text,
                Some('I') => Kind::Ints,
                Some('S') => Kind::Texts,
                Some('M') => Kind::Map,
                Some('n') => [Kind::Int, Kind::Float][self.below(2)],
                other => {
                    out.push('%');
                    out.extend(other.filter(|char| *char != '%'));
                    continue;
                }
            };
            out.push_str(&self.expression(kind, depth));
        }
        out
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        if self.below(100) < self.wrong {
            let other = [Kind::Int, Kind::Float, Kind::Text, Kind::Ints][self.below(4)];
            return format!("({})", self.fitting(other, depth));
        }
        self.fitting(kind, depth)
    }

    fn fitting(&mut self, kind: Kind, depth: usize) -> String {
        let grammar = grammar(kind);
        if depth == 0 || self.below(6) == 0 {
            return self.pick(grammar.leaves);
        }
        let pattern = self.pick(grammar.patterns);
        self.fill(&pattern, depth - 1)
    }
}

/// What an expression of a kind can be, separated by `|`.
struct Grammar {
    leaves: &'static str,
    patterns: &'static str,
}

const INT: Grammar = Grammar {
    leaves: "0|1|2|i|j|zero|wide|large|-1|m.b|m['a']|ns[0]|m.values",
    patterns: "(%i + %i)|(%i - %i)|(%i * %i)|(%i // %i)|(%i % %i)|-%i|+%i|(%i ** 2)|(%i ** 3)|\
        len(%s)|len(%I)|len(%M)|sum(%I)|min(%i, %i)|max(%I)|min(%I, default=%i)|abs(%i)|\
        round(%f)|round(%i, -1)|int(%f)|int(%b)|%I[%i]|%s.find(%s)|%s.count(%s)|\
        %I.count(%i)|(%i if %b else %i)|%M.get(%s, %i)|sum(v for v in %I if v > %i)|%M[%s]|\
        int(str(%i))|round(%i)|sum(row.n for row in rows)|max(%i, %i, %i)",
};

const FLOAT: Grammar = Grammar {
    leaves: "0.5|2.0|1e3|f|g|tiny|huge|fs[1]|-0.0|1.1",
    patterns: "(%n + %f)|(%f - %n)|(%n * %f)|(%n / %n)|(%f // %n)|(%n % %f)|-%f|(%f ** 2)|\
        (%f ** -1)|(%i ** -2)|(%n / %i)|round(%f, 2)|round(%f, 0)|round(%f, -1)|abs(%f)|\
        float(%i)|float(str(%f))|min(%f, %f)|max(fs)|(%f if %b else %f)|(wide / %i)|\
        (large / %i)",
};

const BOOL: Grammar = Grammar {
    leaves: "True|False|yes|no",
    patterns: "(%b and %b)|(%b or %b)|(not %b)|(%n < %n)|(%n <= %n)|(%n > %n)|(%n >= %n < %n)|\
        (%n == %n)|(%n != %n)|(%s < %s)|(%s == %s)|(%s in %s)|(%i in %I)|(%s not in %S)|\
        (%s in %M)|(%I == %I)|(%M == %M)|any(v > %i for v in %I)|all(v != %s for v in %S)|\
        any([%b, %b])|%s.startswith(%s)|%s.endswith(%s)|(%i is not None)|(%i <= %n <= %i)|\
        (%b if %b else %b)|(%i == %s)",
};

const TEXT: Grammar = Grammar {
    leaves: "'a'|'b c'|s|t|u|e|'ä'|','|' '|rows[0].k|'values'",
    patterns: "(%s + %s)|(%s * 2)|%s.lower()|%s.upper()|%s.strip()|%s.strip(%s)|%s.lstrip()|\
        %s.rstrip(%s)|%s.replace(%s, %s)|%s.replace(%s, %s, 1)|%s.join(%S)|%s[%i]|%s[%i:%i]|\
        %s[::-1]|%s[:%i:2]|str(%i)|str(%f)|format(%f, '.2f')|format(%f, '.3e')|\
        format(%f, '.4g')|format(%f, '.3')|format(%f, '10.1f')|format(%i, ',')|\
        format(%i, '+d')|format(%i, '08d')|format(%f, '.1%%')|format(%f, ',.2f')|\
        format(%s, '*^9')|format(%i, '<6')|%s.removeprefix(%s)|%s.removesuffix(%s)|%S[%i]|\
        min(%S)|%s.zfill(5)|%s.rjust(9, '.')|%s.ljust(4)|(%s if %b else %s)|format(%f, 'g')|\
        format(%f, '012.3f')|format(%f, ' e')|%s[%i::-1]|'b'.capitalize()",
};

const INTS: Grammar = Grammar {
    leaves: "[]|ns|[1, 2]|nested[0]|nested[1]",
    patterns: "(%I + %I)|(%I * 2)|[%i, %i]|%I[%i:%i]|%I[::-1]|sorted(%I)|sorted(%I, reverse=True)|\
        [v * 2 for v in %I]|[v for v in %I if v > %i]|[a + b for a in %I for b in [1, 2]]|\
        list_(range(5))|unique(%I)|flatten([%I, %I])|values(m)|\
        [a * b for a, b in zip(%I, %I)]|%I[%i::-2]|[row.n for row in rows]|\
        (%I if %b else %I)|[len(w) for w in %S]",
};

const TEXTS: Grammar = Grammar {
    leaves: "ws|['x']|[s, t]|keys(m)",
    patterns: "%s.split(%s)|%s.split()|%s.split(None, 1)|%s.rsplit(%s, 1)|%s.rsplit(None, 1)|\
        %s.splitlines()|(%S + %S)|sorted(%S)|unique(%S)|[w.upper() for w in %S]|%S[1:]|\
        [k for k, v in m.items()]|[k for k in %M]|[%s, %s]|%s.rsplit()|%s.split(%s, 2)",
};

const MAP: Grammar = Grammar {
    leaves: "m|{}|{'a': 1}",
    patterns: "{%s: %i, %s: %i}|{**%M, %s: %i}|{w: len(w) for w in %S}|\
        {k: v + 1 for k, v in %M.items()}|{w: n for w, n in zip(%S, %I)}",
};

fn grammar(kind: Kind) -> &'static Grammar {
    match kind {
        Kind::Int => &INT,
        Kind::Float => &FLOAT,
        Kind::Bool => &BOOL,
        Kind::Text => &TEXT,
        Kind::Ints => &INTS,
        Kind::Texts => &TEXTS,
        Kind::Map => &MAP,
    }
}

fn generated(seed: u64, count: usize, wrong: usize) -> Vec<String> {
    let mut generator = Generator { state: seed, wrong };
    let kinds = [
        Kind::Int,
        Kind::Float,
        Kind::Bool,
        Kind::Text,
        Kind::Ints,
        Kind::Texts,
        Kind::Map,
    ];
    (0..count)
        .map(|at| {
            let depth = 1 + generator.below(3);
            let text = generator.expression(kinds[at % kinds.len()], depth);
            // `range` is a list with us.
            text.replace("list_(range(5))", "[v for v in range(5)]")
        })
        .collect()
}

/// Why we may refuse what Python computes: each is written in the language's documentation.
fn documented_refusal(code: &str, message: &str) -> bool {
    const REFUSALS: [(&str, &str); 9] = [
        ("expression_type", ""),
        ("expression_value", "does not fit into 64 bits"),
        ("expression_value", "not a finite number"),
        ("expression_value", "is not an integer of 64 bits"),
        ("expression_value", "too large to round before the point"),
        ("expression_value", "is not a finite number"),
        ("expression_value", "a negative number has no such power"),
        ("expression_too_large", ""),
        ("expression_value", "is not a format for this value"),
    ];
    REFUSALS
        .iter()
        .any(|(known, part)| *known == code && message.contains(part))
}

/// Compares thousands of answers; returns how many were values on both sides.
fn compare(expressions: &[String], strict: bool) -> usize {
    let mut both = 0;
    for (text, theirs) in expressions.iter().zip(python(expressions)) {
        match (ours(text), theirs.get("ok")) {
            (Ok(ours), Some(theirs)) => {
                assert_eq!(&ours, theirs, "{text}");
                both += 1;
            }
            (Ok(ours), None) => panic!("{text}: {ours} here, {theirs} in Python"),
            (Err((code, message)), Some(theirs)) => {
                let typed = code == "expression_type" && strict;
                assert!(
                    documented_refusal(&code, &message) && !typed,
                    "{text}: {message} here, {theirs} in Python"
                );
            }
            (Err((code, message)), None) => assert!(
                code != "expression_syntax" && code != "expression_unknown_name",
                "{text}: {message}"
            ),
        }
    }
    both
}

#[test]
fn expressions_give_what_cpython_gives() {
    let expressions = generated(20_261_122, 6_000, 0);
    let both = compare(&expressions, true);
    assert!(
        both > 3_000,
        "only {both} expressions had a value on both sides"
    );
}

#[test]
fn where_python_raises_we_refuse_as_well() {
    let both = compare(&generated(7, 3_000, 12), false);
    assert!(
        both > 300,
        "only {both} expressions had a value on both sides"
    );
}

/// Where we differ on purpose: expression, our answer, Python's (`!` marks an error).
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // There is no truthiness, and a bool is not a number.
    ("1 == True", "false", "true"),
    ("1 in [True]", "false", "true"),
    ("1 + True", "!expression_type", "2"),
    ("1 < True", "!expression_type", "false"),
    ("1 and 2", "!expression_type", "2"),
    ("not []", "!expression_type", "true"),
    ("sum([True])", "!expression_type", "1"),
    ("any([1])", "!expression_type", "true"),
    ("bool('false')", "false", "true"),
    ("bool(1)", "!expression_type", "true"),
    ("1 in m", "!expression_type", "false"),
    ("ns[True]", "!expression_type", "1"),
    // Order is only between scalars of one type.
    ("[1] < [2]", "!expression_type", "true"),
    // Text is the same inside `${{ }}`, in `str()` and in `format()`.
    ("str(True)", "\"true\"", "\"True\""),
    ("str([1, 'a'])", "\"[1,\\\"a\\\"]\"", "\"[1, 'a']\""),
    ("str(None)", "!expression_type", "\"None\""),
    ("'%d' % 1", "!expression_type", "\"1\""),
    // A parenthesised tuple is a list, and lists stand where Python wants tuples.
    ("(1, 2) == [1, 2]", "true", "false"),
    ("'abc'.startswith(['x', 'a'])", "true", "!TypeError"),
    // Strings are not iterated over.
    ("[c for c in 'ab']", "!expression_type", "[\"a\",\"b\"]"),
    ("sorted('ba')", "!expression_type", "[\"a\",\"b\"]"),
    // 64 bits, and finite floats.
    ("2 ** 63", "!expression_value", "9223372036854775808"),
    ("float('inf')", "!expression_value", "\"inf\""),
    ("huge * huge", "!expression_value", "\"inf\""),
    // ASCII digits; upper case where Python has title case.
    ("'²'.isdigit()", "false", "true"),
    ("int('٣')", "!expression_value", "3"),
    ("'ßa'.capitalize()", "\"SSa\"", "\"Ssa\""),
];

#[test]
fn the_documented_differences_are_true_on_both_sides() {
    let expressions: Vec<String> = DIFFERENCES.iter().map(|row| row.0.to_owned()).collect();
    for ((text, here, there), answer) in DIFFERENCES.iter().zip(python(&expressions)) {
        let shown = match ours(text) {
            Ok(value) => value.to_string(),
            Err((code, _)) => format!("!{code}"),
        };
        assert_eq!(&shown, here, "{text}");
        let theirs = match answer.get("ok") {
            Some(value) => value.to_string(),
            None => format!("!{}", answer["error"].as_str().unwrap()),
        };
        assert_eq!(&theirs, there, "{text} in Python");
    }
}
