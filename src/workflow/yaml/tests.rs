use super::*;
use crate::diagnostic::Span;

fn read(text: &str) -> (Option<Node>, Vec<String>) {
    let mut report = Report::new("w.yml", text);
    let node = tree(&mut report);
    let faults = report
        .into_diagnostics()
        .iter()
        .map(|one| {
            let place = one.place.as_ref().unwrap();
            format!(
                "{} {}:{} {}",
                one.code, place.line, place.column, one.message
            )
        })
        .collect();
    (node, faults)
}

fn json(text: &str) -> String {
    let (node, faults) = read(text);
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    node.unwrap().to_json().to_string()
}

fn faults(text: &str) -> Vec<String> {
    read(text).1
}

#[test]
fn plain_data_is_read_by_the_rules_of_yaml_1_2() {
    let cases = [
        (
            "a: 1\nb: -2\nc: 0x1F\nd: 0o17",
            r#"{"a":1,"b":-2,"c":31,"d":15}"#,
        ),
        (
            "a: 1.0\nb: 1e3\nc: .5\nd: 1.",
            r#"{"a":1.0,"b":1000.0,"c":0.5,"d":1.0}"#,
        ),
        (
            "a: true\nb: False\nc: yes\nd: off",
            r#"{"a":true,"b":false,"c":"yes","d":"off"}"#,
        ),
        (
            "a:\nb: ~\nc: null\nd: \"null\"",
            r#"{"a":null,"b":null,"c":null,"d":"null"}"#,
        ),
        (
            "a: 2026-11-22\nb: 12:30:00\nc: 1_000",
            r#"{"a":"2026-11-22","b":"12:30:00","c":"1_000"}"#,
        ),
        (
            "a: |\n  x\n   y\nb: >\n  x\n  y\n",
            r#"{"a":"x\n y\n","b":"x y\n"}"#,
        ),
        ("- [1, {a: b}]\n- []\n- {}", r#"[[1,{"a":"b"}],[],{}]"#),
        (
            "\"a\": 'it''s'\n\"b\\n\": \"\\u00e9\"",
            r#"{"a":"it's","b\n":"é"}"#,
        ),
        ("if: ${{ a > 1 and b }}", r#"{"if":"${{ a > 1 and b }}"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(json(text), expected, "{text}");
    }
}

#[test]
fn shared_parts_under_x_keys_are_repeated_and_merged() {
    let text = "x-shared: &s {a: 1, b: 2}\nx-list: [&t {c: 3}]\none: *s\ntwo: {<<: *s, b: 9}\nthree:\n  <<: [*t, *s]\n  d: 4\n";
    assert_eq!(
        json(text),
        r#"{"x-shared":{"a":1,"b":2},"x-list":[{"c":3}],"one":{"a":1,"b":2},"two":{"b":9,"a":1},"three":{"d":4,"c":3,"a":1,"b":2}}"#
    );
}

#[test]
fn every_key_and_value_knows_its_bytes() {
    let text = "é: {a: \"x y\", b: [1, two]}\nnext:\n  deep: value # remark\n\nlast: 1\n";
    let (node, _) = read(text);
    let node = node.unwrap();
    let piece = |span: Span| &text[span.start..span.end];
    let first = node.entry("é").unwrap();
    assert_eq!(piece(first.key_span), "é");
    assert_eq!(piece(first.node.span), "{a: \"x y\", b: [1, two]}");
    assert_eq!(piece(first.node.entry("a").unwrap().node.span), "\"x y\"");
    assert_eq!(piece(first.node.entry("b").unwrap().node.span), "[1, two]");
    let next = node.entry("next").unwrap();
    assert_eq!(piece(next.node.entry("deep").unwrap().node.span), "value");
    assert!(piece(next.node.span).starts_with("deep: value"));
}

#[test]
fn what_readers_would_take_in_two_ways_is_refused_at_its_place() {
    let cases = [
        ("a: 1\nb: 2\na: 3", "duplicate_key 3:1"),
        ("a: !py x", "yaml_tag 1:4"),
        ("a: !!str 1", "yaml_tag 1:4"),
        ("%YAML 1.1\n---\na: 1", "yaml_tag 1:1"),
        ("a: 1\n---\nb: 2", "yaml_documents 2:1"),
        ("a: &x 1\nb: *x", "yaml_anchor 1:4"),
        ("a: &x {b: 1}", "yaml_anchor 1:4"),
        ("a: *nothing", "yaml_anchor 1:4"),
        ("x-a: &x [*x]", "yaml_anchor 1:10"),
        ("a: 007", "yaml_number 1:4"),
        ("a: 99999999999999999999", "yaml_number 1:4"),
        ("a: .inf", "yaml_number 1:4"),
        ("a:\n\tb: 1", "yaml_tab 2:1"),
        ("a: [1, 2", "yaml_syntax 1:4"),
        ("a: \"open", "yaml_syntax 1:4"),
        ("a: b: c", "yaml_syntax 1:5"),
        ("a: 1\n  b: 2", "yaml_syntax 2:4"),
        ("a: @x", "yaml_syntax 1:4"),
        ("? [a, b]\n: c", "yaml_syntax 1:3"),
        ("", "yaml_syntax 1:1"),
        ("with: {day: ${{ inputs.day }}}", "yaml_syntax 1:13"),
        ("with: [${{ inputs.day }}]", "yaml_syntax 1:8"),
        ("with: {\n  day: ${{ inputs.day }},\n}", "yaml_syntax 2:8"),
        ("<<: 1", "wrong_type 1:5"),
    ];
    let missed: Vec<String> = cases
        .into_iter()
        .map(|(text, expected)| (text, expected, faults(text)))
        .filter(|(_, expected, found)| !found.first().is_some_and(|one| one.starts_with(expected)))
        .map(|(text, expected, found)| format!("{text:?}: not {expected} but {found:?}"))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn all_faults_that_leave_the_tree_whole_are_told_together() {
    let found = faults("a: 1\na: 2\nb: !t 3\nc: 007\n");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn hostile_documents_are_refused_and_nothing_overflows() {
    let laughs = {
        let mut text = String::from("x-0: &a0 [l, l, l, l, l, l, l, l, l]\n");
        for level in 1..12 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 9].join(", ");
            text.push_str(&format!("x-{level}: &a{level} [{list}]\n"));
        }
        text
    };
    let tower = {
        let mut text = String::from("x-0: &a0 [l]\n");
        for level in 1..150 {
            let before = level - 1;
            text.push_str(&format!("x-{level}: &a{level} [[[*a{before}]]]\n"));
        }
        text
    };
    let long = format!(
        "x-0: &a \"{}\"\nb:\n{}",
        "y".repeat(500_000),
        "  - *a\n".repeat(199)
    );
    let cases = [
        ("[".repeat(100_000), "yaml_limit"),
        ("{a: ".repeat(100_000), "yaml_limit"),
        ("- ".repeat(100_000), "yaml_limit"),
        (
            (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
            "yaml_limit",
        ),
        (laughs, "yaml_limit"),
        (tower, "yaml_limit"),
        (long, "yaml_limit"),
        ("- 1\n".repeat(60_000), "yaml_limit"),
        (
            format!("x-a: &a 1\nb:\n{}", "  - *a\n".repeat(201)),
            "yaml_limit",
        ),
    ];
    for (text, code) in cases {
        let found = faults(&text);
        let head: String = text.chars().take(40).collect();
        assert!(
            found.first().is_some_and(|one| one.starts_with(code)),
            "{head}: {found:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let said = |bytes: &[u8]| decode("w.yml", bytes).unwrap_err();
    let fault = said(b"name: caf\xe9\n");
    assert_eq!(fault.code, crate::code::YAML_ENCODING);
    assert!(fault.message.contains("offset 9"), "{}", fault.message);
    assert_eq!(fault.place.unwrap().column, 10);
    let fault = said(b"\xff\xfea\0:\0");
    assert!(fault.help[0].contains("UTF-16"));
    let fault = said(b"a: 1\nb: \0");
    assert!(fault.message.contains("U+0000"), "{}", fault.message);
    assert_eq!(fault.place.unwrap().line, 2);
    let fault = said(&vec![b'x'; FILE_BYTES_MAX + 1]);
    assert_eq!(fault.code, crate::code::YAML_LIMIT);
    assert_eq!(decode("w.yml", b"\xef\xbb\xbfa: 1").unwrap(), "a: 1");
}

#[test]
fn a_place_in_a_value_is_found_again_in_the_file() {
    let cases = [
        ("a: ${{ wrong }}", "wrong"),
        ("a: \"say \\\"hi\\\" ${{ wrong }}\"", "wrong"),
        ("a: 'it''s ${{ wrong }}'", "wrong"),
        ("a: |\n    first\n      more\n    ${{ wrong }}\n", "wrong"),
        ("a: >-\n  first\n  second ${{ wrong }}\n", "wrong"),
        ("a: first\n   second ${{ wrong }}\n", "wrong"),
        ("a: \"é\\n${{ wrong }}\"", "wrong"),
    ];
    for (text, word) in cases {
        let (node, faults) = read(text);
        assert!(faults.is_empty(), "{faults:?}");
        let node = node.unwrap();
        let value = &node.entry("a").unwrap().node;
        let inner = value.text().unwrap().find(word).unwrap();
        let span = place_inside(text, value, Span::new(inner, inner + word.len()));
        assert_eq!(&text[span.start..span.end], word, "{text}");
    }
}
