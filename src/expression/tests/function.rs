//! Functions and methods.

use super::{fails, gives};

#[test]
fn functions() {
    gives(&[
        ("len('äb')", "2"),
        ("len(numbers) + len(inputs.pvs) + len({'a': 1})", "6"),
        ("min(numbers)", "1"),
        ("max(1, 2.5)", "2.5"),
        ("max([], default=0)", "0"),
        ("min('b', 'a')", "\"a\""),
        ("sum(numbers)", "6"),
        ("sum([0.5, 1])", "1.5"),
        ("sum([], 5)", "5"),
        ("any([False, True])", "true"),
        ("all([])", "true"),
        ("round(2.5)", "2"),
        ("round(-3.5)", "-4"),
        ("round(2.675, 2)", "2.67"),
        ("round(1250, -2)", "1200"),
        ("round(1350.5, -2)", "1400.0"),
        ("round(7)", "7"),
        ("abs(-3)", "3"),
        ("abs(-3.5)", "3.5"),
        ("sorted(numbers)", "[1, 2, 3]"),
        ("sorted(['b', 'a'], reverse=True)", "[\"b\", \"a\"]"),
        ("sorted({'b': 1, 'a': 2})", "[\"a\", \"b\"]"),
        ("str(1.0)", "\"1.0\""),
        ("str(1e16)", "\"1e+16\""),
        ("str(0.00001)", "\"1e-05\""),
        ("str(True)", "\"true\""),
        ("str([1, 'a'])", "\"[1,\\\"a\\\"]\""),
        ("int('  -1_000 ')", "-1000"),
        ("int(-2.9)", "-2"),
        ("int(True)", "1"),
        ("float('1e3')", "1000.0"),
        ("float(2)", "2.0"),
        ("bool('true')", "true"),
        ("range(3)", "[0, 1, 2]"),
        ("range(5, 0, -2)", "[5, 3, 1]"),
        ("range(3, 1)", "[]"),
        ("json({'a': [1, None]})", "\"{\\\"a\\\":[1,null]}\""),
        ("keys({'a': 1})", "[\"a\"]"),
        ("values({'a': 1})", "[1]"),
        ("items({'a': 1})", "[[\"a\", 1]]"),
        (
            "unique([1, 1.0, '1', True, [1], [1.0], {'a': 1, 'b': 2}, {'b': 2, 'a': 1}])",
            "[1, \"1\", true, [1], {\"a\": 1, \"b\": 2}]",
        ),
        ("flatten([[1], [2, [3]]])", "[1, 2, [3]]"),
        ("zip([1, 2, 3], ['a', 'b'])", "[[1, \"a\"], [2, \"b\"]]"),
    ]);
}

#[test]
fn functions_refuse() {
    fails(&[
        ("len(3)", "expression_type"),
        ("min([])", "expression_value"),
        ("min(1, 'a')", "expression_type"),
        ("min(1, 2, default=3)", "expression_type"),
        ("sum(['a'])", "expression_type"),
        ("sum([9223372036854775807, 1])", "expression_value"),
        ("any([1])", "expression_type"),
        ("all([True, None])", "expression_type"),
        ("round('a')", "expression_type"),
        ("round(1e300)", "expression_value"),
        ("abs(-9223372036854775808)", "expression_value"),
        ("abs('a')", "expression_type"),
        ("sorted([1, 'a'])", "expression_type"),
        ("sorted(numbers, reverse=1)", "expression_type"),
        ("str(None)", "expression_type"),
        ("int('x')", "expression_value"),
        ("int(1e300)", "expression_value"),
        ("int(None)", "expression_type"),
        ("float('nan')", "expression_value"),
        ("float('inf')", "expression_value"),
        ("float('1_')", "expression_value"),
        ("float([])", "expression_type"),
        ("bool(1)", "expression_type"),
        ("bool('yes')", "expression_value"),
        ("date(1)", "expression_type"),
        ("datetime(1)", "expression_type"),
        ("duration(1)", "expression_type"),
        ("range(1000000)", "expression_too_large"),
        ("range(1, 2, 0)", "expression_value"),
        ("range(1.5)", "expression_type"),
        ("keys([1])", "expression_type"),
        ("values(1)", "expression_type"),
        ("items('a')", "expression_type"),
        ("flatten([1])", "expression_type"),
        ("zip([1], 2)", "expression_type"),
    ]);
}

#[test]
fn presence() {
    gives(&[
        ("default(steps.clean.outputs.x, 5)", "5"),
        ("default(steps.clean.outputs.x + 1, 5)", "5"),
        ("default(steps.load.outputs.missing, 'f')", "\"f\""),
        ("default(inputs.pvs[9], 'f')", "\"f\""),
        ("default(inputs.none, 1)", "null"),
        ("default(1, 1 / 0)", "1"),
        ("default(default(steps.clean.a, inputs.zzz), 2)", "2"),
        ("exists(steps.clean.outputs.x)", "false"),
        ("exists(steps.load.outputs.rows)", "true"),
        ("exists(inputs.none)", "true"),
        ("steps.load.outputs.by_name.get('z', 0)", "0"),
        ("steps.load.outputs.by_name.get('z')", "null"),
    ]);
    fails(&[
        ("default(1 / 0, 5)", "expression_value"),
        ("default('a' + 1, 5)", "expression_type"),
        ("default(nothing, 5)", "expression_unknown_name"),
        ("default(steps.clean.x, steps.clean.y)", "expression_absent"),
        ("default(1)", "expression_arguments"),
        ("exists(1 / 0)", "expression_value"),
    ]);
}

#[test]
fn statuses() {
    gives(&[
        ("succeeded('load')", "true"),
        ("succeeded('fit')", "false"),
        ("failed('fit')", "true"),
        ("skipped('clean')", "true"),
        (
            "skipped('later') or failed('later') or succeeded('later')",
            "false",
        ),
        ("always()", "true"),
    ]);
    fails(&[
        ("succeeded('nobody')", "expression_unknown_name"),
        ("succeeded(inputs.shift)", "expression_arguments"),
        ("succeeded()", "expression_arguments"),
        ("always(1)", "expression_arguments"),
    ]);
}

#[test]
fn methods() {
    gives(&[
        ("'ÄB'.lower()", "\"äb\""),
        ("'aß'.upper()", "\"ASS\""),
        ("'hELLO w'.capitalize()", "\"Hello w\""),
        ("'  a '.strip()", "\"a\""),
        (
            "'xxaxx'.strip('x') + 'xa'.lstrip('x') + 'ax'.rstrip('x')",
            "\"aaa\"",
        ),
        (
            "'abc'.startswith('ab') and 'abc'.endswith(['x', 'c'])",
            "true",
        ),
        ("'abc'.removeprefix('a').removesuffix('c')", "\"b\""),
        ("'a,b,c'.split(',')", "[\"a\", \"b\", \"c\"]"),
        ("'a,b,c'.split(',', 1)", "[\"a\", \"b,c\"]"),
        ("' a  b c '.split()", "[\"a\", \"b\", \"c\"]"),
        ("' a  b c '.split(None, 1)", "[\"a\", \"b c \"]"),
        ("'a,b,c'.rsplit(',', 1)", "[\"a,b\", \"c\"]"),
        ("' a  b c '.rsplit(None, 1)", "[\" a  b\", \"c\"]"),
        ("''.split()", "[]"),
        ("''.split(',')", "[\"\"]"),
        (r"'a\r\nb\n\nc'.splitlines()", "[\"a\", \"b\", \"\", \"c\"]"),
        ("'aXbX'.replace('X', '-')", "\"a-b-\""),
        ("'aXbX'.replace('X', '-', 1)", "\"a-bX\""),
        ("'ab'.replace('', '-')", "\"-a-b-\""),
        ("'äbc'.find('c')", "2"),
        ("'abc'.find('z')", "-1"),
        ("'banana'.count('an')", "2"),
        ("'ab'.count('')", "3"),
        ("[1, 2, 1].count(1.0)", "2"),
        ("', '.join(inputs.pvs)", "\"BPM:01:X, BPM:02:X\""),
        ("'-'.join(str(y) for y in numbers)", "\"3-1-2\""),
        ("'12'.isdigit() and not ''.isdigit()", "true"),
        ("'-5'.zfill(4)", "\"-005\""),
        ("'a'.ljust(3) + 'b'.rjust(3, '.')", "\"a  ..b\""),
    ]);
    fails(&[
        ("'a'.foo()", "expression_unknown_function"),
        ("'a'.lower(1)", "expression_arguments"),
        ("'a'.split(sep=',')", "expression_arguments"),
        ("'a'.split('')", "expression_value"),
        ("'a'.split(1)", "expression_type"),
        ("x.lower()", "expression_type"),
        ("numbers.lower()", "expression_type"),
        ("'a'.keys()", "expression_type"),
        ("{'a': 1}.lower()", "expression_type"),
        ("{'a': 1}.get(1)", "expression_type"),
        ("day.lower()", "expression_type"),
        ("','.join([1])", "expression_type"),
        ("'a'.ljust(3, 'xx')", "expression_value"),
        ("'a'.zfill(2000000)", "expression_too_large"),
        (
            "('a' * 1000).replace('', 'b' * 2000)",
            "expression_too_large",
        ),
    ]);
}

#[test]
fn formats() {
    gives(&[
        ("format(3.14159, '.2f')", "\"3.14\""),
        ("format(12345.678, '.3e')", "\"1.235e+04\""),
        ("format(12345.678, '.3g')", "\"1.23e+04\""),
        ("format(0.0001, 'g')", "\"0.0001\""),
        ("format(3.0, '.3')", "\"3.0\""),
        ("format(0.256, '.1%')", "\"25.6%\""),
        ("format(7, '03d')", "\"007\""),
        ("format(-7, '04d')", "\"-007\""),
        ("format(1234567, ',')", "\"1,234,567\""),
        ("format(1234567.5, ',.1f')", "\"1,234,567.5\""),
        ("format(5, '+')", "\"+5\""),
        ("format('a', '>3') + format('b', '*^4')", "\"  a*b**\""),
        ("format('abc', '.2')", "\"ab\""),
        ("format(day, '%Y/%m/%d %a %j')", "\"2026/03/01 Sun 060\""),
        ("format(x)", "\"7\""),
    ]);
    fails(&[
        ("format(1.5, 'd')", "expression_value"),
        ("format(1, 'q')", "expression_value"),
        ("format('a', '05')", "expression_value"),
        ("format(1, '99999d')", "expression_too_large"),
        ("format([1], '>3')", "expression_type"),
        ("format(True, 'd')", "expression_type"),
        ("format(1, 2)", "expression_type"),
        ("format(day, '%Q')", "expression_value"),
    ]);
}
