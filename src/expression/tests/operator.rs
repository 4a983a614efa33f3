//! Operators, paths, indexes, slices, comprehensions.

use super::{fails, gives};

#[test]
fn literals() {
    gives(&[
        ("1", "1"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0x10", "16"),
        ("1_000", "1000"),
        ("1.5", "1.5"),
        ("1e3", "1000.0"),
        ("'a' \"b\"", "\"ab\""),
        (r"'it\'s'", "\"it's\""),
        (r"r'\n'", r#""\\n""#),
        ("True", "true"),
        ("None", "null"),
        ("[1, 'a', None]", "[1, \"a\", null]"),
        ("(1, 2)", "[1, 2]"),
        ("{'a': 1, 'b': [2]}", "{\"a\": 1, \"b\": [2]}"),
        (
            "{**steps.load.outputs.by_name, 'c': 3}",
            "{\"a\": 1, \"b\": 2, \"c\": 3}",
        ),
        ("\n  1 +\n  2\n", "3"),
    ]);
    fails(&[
        ("9223372036854775808", "expression_value"),
        ("-9223372036854775809", "expression_value"),
        ("1e999", "expression_value"),
        ("1j", "expression_not_allowed"),
        ("{1: 2}", "expression_type"),
        ("{str(1): 2, inputs.count: 3}", "expression_type"),
        ("{**[1]}", "expression_type"),
        ("inputs.big", "expression_value"),
    ]);
}

#[test]
fn paths() {
    gives(&[
        ("steps.load.outputs.quality", "0.9"),
        ("steps.load.outputs[\"quality\"]", "0.9"),
        ("steps[\"load\"].outputs.rows", "120"),
        ("inputs[\"class\"]", "\"k\""),
        ("inputs.pvs[0]", "\"BPM:01:X\""),
        ("inputs.pvs[-1]", "\"BPM:02:X\""),
        ("steps.load.outputs.bpms[1].name", "\"b\""),
        ("steps.load.outputs.by_name[inputs.shift[0:0] + 'a']", "1"),
        ("steps.load.outputs.values", "\"key wins\""),
        ("steps.load.outputs.by_name.values()", "[1, 2]"),
        ("{'keys': 1}.keys", "1"),
        ("day", "\"2026-03-01\""),
    ]);
    fails(&[
        ("steps.load.outputs.qualty", "expression_missing_key"),
        ("steps.lod.outputs", "expression_unknown_name"),
        ("steps.clean.outputs.x", "expression_absent"),
        ("nothing", "expression_unknown_name"),
        ("true", "expression_unknown_name"),
        ("null", "expression_unknown_name"),
        ("inputs.none.x", "expression_type"),
        ("inputs.pvs.name", "expression_type"),
        ("inputs.pvs[2]", "expression_missing_key"),
        ("inputs.pvs[-3]", "expression_missing_key"),
        ("inputs.pvs[True]", "expression_type"),
        ("inputs.pvs[1.0]", "expression_type"),
        ("steps.load.outputs.by_name[1]", "expression_type"),
        ("inputs.shift[9]", "expression_missing_key"),
        ("x[0]", "expression_type"),
        ("day.year", "expression_type"),
    ]);
}

#[test]
fn arithmetic() {
    gives(&[
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3.5"),
        ("6 / 3", "2.0"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("-7.5 // 2", "-4.0"),
        ("-7.5 % 2", "0.5"),
        ("2 ** 10", "1024"),
        ("2 ** -1", "0.5"),
        ("-2 ** 2", "-4"),
        ("4 ** 0.5", "2.0"),
        ("+x", "7"),
        ("- - x", "7"),
        ("9007199254740993 / 1", "9007199254740992.0"),
        ("'a' + 'b'", "\"ab\""),
        ("'ab' * 2 + 2 * 'c'", "\"ababcc\""),
        ("'ab' * -1", "\"\""),
        ("'' * 9223372036854775807", "\"\""),
        ("[1] + [2]", "[1, 2]"),
        ("[0] * 3", "[0, 0, 0]"),
        ("[] * 9223372036854775807", "[]"),
    ]);
    fails(&[
        ("1 / 0", "expression_value"),
        ("1 // 0", "expression_value"),
        ("1 % 0.0", "expression_value"),
        ("9223372036854775807 + 1", "expression_value"),
        ("-9223372036854775808 // -1", "expression_value"),
        ("2 ** 63", "expression_value"),
        ("0 ** -1", "expression_value"),
        ("(-2) ** 0.5", "expression_value"),
        ("1e308 * 10", "expression_value"),
        ("'a' + 1", "expression_type"),
        ("1 + True", "expression_type"),
        ("-True", "expression_type"),
        ("-'a'", "expression_type"),
        ("+[1]", "expression_type"),
        ("'%d' % 1", "expression_type"),
        ("[1] - [1]", "expression_type"),
        ("None + 1", "expression_type"),
        ("'a' * 2000000", "expression_too_large"),
        ("[0] * 2000000000", "expression_too_large"),
        ("'ab' ** 2", "expression_type"),
    ]);
}

#[test]
fn comparisons_are_strict() {
    gives(&[
        ("1 < 2 < 3", "true"),
        ("1 < 2 > 3", "false"),
        ("1 == 1.0", "true"),
        ("9007199254740993 == 9007199254740992.0", "false"),
        ("9007199254740993 > 9007199254740992.0", "true"),
        ("1 == True", "false"),
        ("1 == '1'", "false"),
        ("None == 0", "false"),
        ("[1, {'a': 2}] == [1.0, {'a': 2.0}]", "true"),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "true"),
        ("'a' < 'b'", "true"),
        ("'a' in 'cat'", "true"),
        ("'x' not in ['y']", "true"),
        ("'a' in steps.load.outputs.by_name", "true"),
        ("inputs.none is None", "true"),
        ("x is not None", "true"),
        ("day < date('2026-03-02')", "true"),
        ("duration('90s') == duration('1m30s')", "true"),
        (
            "datetime('2026-03-01T01:00:00+01:00') == datetime('2026-03-01T00:00:00Z')",
            "true",
        ),
    ]);
    fails(&[
        ("'12' > 3", "expression_type"),
        ("True < 2", "expression_type"),
        ("None < 1", "expression_type"),
        ("[1] < [2]", "expression_type"),
        ("day < '2026-03-02'", "expression_type"),
        ("day < datetime('2026-03-01T01:00:00Z')", "expression_type"),
        ("1 in 'abc'", "expression_type"),
        ("1 in 5", "expression_type"),
        ("1 in steps.load.outputs.by_name", "expression_type"),
        ("x is 7", "expression_not_allowed"),
    ]);
}

#[test]
fn logic_needs_bools_and_is_lazy() {
    gives(&[
        ("True and not False", "true"),
        ("False and 1 / 0 > 0", "false"),
        ("True or 1 / 0 > 0", "true"),
        ("1 if x > 3 else 1 / 0", "1"),
        (
            "steps.load.outputs.quality > 0.8 and not inputs.dry_run",
            "true",
        ),
    ]);
    fails(&[
        ("1 and True", "expression_type"),
        ("True and 'a'", "expression_type"),
        ("not []", "expression_type"),
        ("1 if x else 2", "expression_type"),
        ("[y for y in numbers if y]", "expression_type"),
    ]);
}

#[test]
fn slices_follow_python() {
    gives(&[
        ("numbers[1:]", "[1, 2]"),
        ("numbers[:-1]", "[3, 1]"),
        ("numbers[::-1]", "[2, 1, 3]"),
        ("numbers[5:]", "[]"),
        ("numbers[-9:2]", "[3, 1]"),
        ("numbers[None:None]", "[3, 1, 2]"),
        ("'äbc'[0]", "\"ä\""),
        ("'äbc'[::-1]", "\"cbä\""),
        ("'abcdef'[4:0:-2]", "\"ec\""),
    ]);
    fails(&[
        ("numbers[::0]", "expression_value"),
        ("numbers['a':]", "expression_type"),
        ("x[1:]", "expression_type"),
    ]);
}

#[test]
fn comprehensions() {
    gives(&[
        (
            "[b.name for b in steps.load.outputs.bpms if b.rms > 1]",
            "[\"b\"]",
        ),
        (
            "{k: v * 2 for k, v in steps.load.outputs.by_name.items()}",
            "{\"a\": 2, \"b\": 4}",
        ),
        (
            "[a + b for a in ['x', 'y'] for b in ['1', '2']]",
            "[\"x1\", \"x2\", \"y1\", \"y2\"]",
        ),
        ("[y for y in [[1, 2], [3]] for y in y]", "[1, 2, 3]"),
        ("sum(y * y for y in numbers)", "14"),
        ("any(y > 2 for y in numbers)", "true"),
        ("any(1 / y > 0 for y in [1, 0])", "true"),
        ("all(y > 2 for y in [1, 'a'])", "false"),
        ("[k for k in steps.load.outputs.by_name]", "[\"a\", \"b\"]"),
        ("[x for x in numbers][0] + x", "10"),
        ("[default(y.z, 0) for y in [{'z': 1}, {}]]", "[1, 0]"),
    ]);
    fails(&[
        ("[c for c in 'abc']", "expression_type"),
        ("[a for a, b in [[1, 2, 3]]]", "expression_value"),
        ("[a for a, b in [1]]", "expression_type"),
        (
            "[1 for a in numbers for b in numbers for c in numbers]",
            "expression_too_large",
        ),
        ("[1 for x[0] in numbers]", "expression_not_allowed"),
        ("{y: 1 for y in numbers}", "expression_type"),
        ("[y for y in numbers] + [y]", "expression_unknown_name"),
        (
            "[1 for a in range(2000) for b in range(2000)]",
            "expression_too_large",
        ),
        ("any(y for y in numbers)", "expression_type"),
    ]);
}

#[test]
fn dates_and_durations() {
    gives(&[
        ("day + duration('2d')", "\"2026-03-03\""),
        ("day - duration('1d')", "\"2026-02-28\""),
        ("day - date('2026-02-27')", "\"2d\""),
        ("date('2026-02-27') - day", "\"-2d\""),
        (
            "datetime('2026-03-01T02:30:00Z') + duration('90m')",
            "\"2026-03-01T04:00:00Z\"",
        ),
        (
            "datetime('2026-03-01T02:30:00+01:00') - duration('1h')",
            "\"2026-03-01T01:30:00+01:00\"",
        ),
        (
            "datetime('2026-03-01T02:30:00Z') - datetime('2026-03-01T02:29:58.5Z')",
            "\"1.5s\"",
        ),
        ("duration('1h') * 1.5", "\"1h30m\""),
        ("3 * duration('20m')", "\"1h\""),
        ("duration('1h') / duration('15m')", "4.0"),
        ("duration('1h') // duration('25m')", "2"),
        ("duration('1h') % duration('25m')", "\"10m\""),
        ("duration('1h') / 4", "\"15m\""),
        ("-duration('1h') + duration('90m')", "\"30m\""),
        ("abs(-duration('1h'))", "\"1h\""),
        ("sum([duration('1h'), duration('30m')])", "\"1h30m\""),
        ("date('2026-03-01T23:30:00-08:00')", "\"2026-03-01\""),
        ("day.weekday()", "6"),
        ("day.isoformat()", "\"2026-03-01\""),
        ("duration('90s').total_seconds()", "90.0"),
    ]);
    fails(&[
        ("day + duration('1h')", "expression_value"),
        ("day + 1", "expression_type"),
        ("date('2026-02-30')", "expression_value"),
        ("date('20260301')", "expression_value"),
        ("datetime('2026-03-01T02:30:00')", "expression_value"),
        (
            "datetime('2026-03-01T02:30:00Z[Europe/Berlin]')",
            "expression_value",
        ),
        ("duration('5')", "expression_value"),
        ("duration('1h') / duration('0s')", "expression_value"),
        ("duration('1h') / 0", "expression_value"),
        ("date('9999-12-31') + duration('1d')", "expression_value"),
        ("date('0001-01-01') - duration('1d')", "expression_value"),
        ("duration('1h') * 9223372036854775807", "expression_value"),
        ("duration('1h') < 5", "expression_type"),
    ]);
}
