//! What Python parses and then refuses to compile is a syntax error of the analysis, and nothing else is.

use stepwell::python::analysis::{RuleSet, analyze};

/// Code that Python parses and then refuses to compile, with the line that is refused.
const REFUSED: &[(&str, u32)] = &[
    ("x = 1\nawait f()\n", 2),
    ("return 1\n", 1),
    ("yield 1\n", 1),
    ("class C:\n    x = yield\n", 2),
    ("class C:\n    return 1\n", 2),
    ("def f():\n    await g()\n", 2),
    ("async def f():\n    class C:\n        x = await g()\n", 3),
    ("f = lambda: await g()\n", 1),
    ("def f():\n    async with a:\n        pass\n", 2),
    ("async for a in b:\n    pass\n", 1),
    ("def f():\n    return [x async for x in y]\n", 2),
    ("def f():\n    return [(yield) for x in y]\n", 2),
    ("async def f():\n    yield from g()\n", 2),
    ("async def f():\n    yield 1\n    return 2\n", 3),
    ("break\n", 1),
    ("if a:\n    continue\n", 2),
    ("for x in y:\n    def f():\n        break\n", 3),
    ("for x in y:\n    pass\nelse:\n    break\n", 4),
    ("def f(a, a):\n    pass\n", 1),
    ("f = lambda a, *, a: 1\n", 1),
    ("f(a=1, a=2)\n", 1),
    ("import os\nfrom __future__ import annotations\n", 2),
    ("from __future__ import no_such_thing\n", 1),
    ("nonlocal x\n", 1),
    ("def f():\n    nonlocal x\n", 2),
    ("def f(x):\n    global x\n", 2),
    ("def f():\n    x = 1\n    global x\n", 3),
    ("def f():\n    print(x)\n    global x\n", 3),
    (
        "try:\n    pass\nexcept:\n    pass\nexcept ValueError:\n    pass\n",
        3,
    ),
    ("def f():\n    from os import *\n", 2),
    ("*a = [1]\n", 1),
    ("x = *a\n", 1),
    ("[x := 1 for x in y]\n", 1),
    ("__debug__ = 1\n", 1),
    (
        "match a:\n    case x:\n        pass\n    case 1:\n        pass\n",
        2,
    ),
    ("match a:\n    case [x, x]:\n        pass\n", 2),
];

/// Code that looks like it, and runs.
const COMPILED: &[&str] = &[
    "from __future__ import annotations\n'text'\nimport os\n",
    "'text'\nfrom __future__ import annotations\n",
    "async def f():\n    return [await x async for x in y if await x]\n",
    "async def f():\n    return [[x async for x in await y] for z in w]\n",
    "g = (x async for x in y)\n",
    "g = (await x for x in y)\n",
    "def f():\n    return (await x async for x in y)\n",
    "f = lambda: (yield)\n",
    "def f():\n    return [x for x in (yield)]\n",
    "async def f():\n    yield 1\n    return\n",
    "async def f():\n    def g():\n        return 1\n    yield 2\n",
    "for x in y:\n    try:\n        continue\n    finally:\n        break\nelse:\n    pass\n",
    "while a:\n    for x in y:\n        pass\n    else:\n        break\n",
    "def f():\n    global x\n    x = 1\n    def g():\n        x = 2\n        return x\n    return lambda x: x\n",
    "x = 1\ndef f():\n    y = 1\n    def x(): pass\n    def g():\n        nonlocal y, x\n        y = x\n    return g\n",
    "def f():\n    y = [x for x in range(3)]\n    global x\n    x = 1\n",
    "def f(x):\n    class C:\n        nonlocal x\n        x = 1\n    return C\n",
    "class C:\n    x: int = 1\n    def f(self, a=[i for i in range(3)]): return super().f\n",
    "try:\n    pass\nexcept ValueError:\n    pass\nexcept:\n    pass\n",
    "*a, b = [1, 2]\nx = *a, b\nprint(*a, **{}, key=1)\nf(**a, **b)\n",
    "def f(*, a, b=1, **c):\n    return a\n",
    "match a:\n    case [x, y] | {'a': x, 'b': y}:\n        pass\n    case int() as n if n:\n        pass\n    case _:\n        pass\n",
    "with open('a') as a, open('b') as b:\n    pass\n",
    "global x\nx = 1\n",
    "def f():\n    while True:\n        if (y := g()) is None:\n            break\n    return [z := 1, *(w for w in y)]\n",
    "@decorate(lambda f: f)\nasync def f(a: 'int' = 1, *b: int) -> 'str':\n    async with a as b, c as d:\n        await asyncio.gather(*[g(x) for x in y])\n",
];

#[test]
fn what_python_refuses_to_compile_is_a_syntax_error() {
    for (code, line) in REFUSED {
        let report = analyze(code, &RuleSet::default());
        assert!(!report.readable(), "{code}");
        let first = report.findings.first().unwrap();
        assert_eq!(
            (first.rule.as_str(), first.line),
            ("syntax", *line),
            "{code}"
        );
    }
    for code in COMPILED {
        let report = analyze(code, &RuleSet::default());
        assert!(report.readable(), "{code}\n{:?}", report.findings);
    }
}

/// The lists above are what a real Python says.
#[test]
fn python_agrees_with_what_is_refused() {
    let Some(python) = std::env::var_os("STEPWELL_TEST_PYTHON") else {
        assert!(std::env::var_os("CI").is_none(), "there is no Python");
        return;
    };
    let wanted = REFUSED.iter().map(|(code, _)| (*code, false));
    let wanted: Vec<_> = wanted
        .chain(COMPILED.iter().map(|code| (*code, true)))
        .collect();
    let script = "import json, sys\nfor code, wanted in json.loads(sys.argv[1]):\n    try:\n        compile(code, 'c', 'exec')\n        found = True\n    \
                  except SyntaxError:\n        found = False\n    if found != wanted:\n        print(found, code)\n";
    let output = std::process::Command::new(python)
        .args(["-c", script, &serde_json::to_string(&wanted).unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_star_import_gives_no_function_that_the_language_has() {
    let report = analyze(
        "from os import *\nexec(context.text)\n",
        &RuleSet::default(),
    );
    let names: Vec<_> = report
        .findings
        .iter()
        .filter_map(|finding| finding.name.as_deref())
        .collect();
    assert!(
        names.contains(&"builtins.exec") && !names.contains(&"os.exec"),
        "{names:?}"
    );
    let report = analyze(
        "from os import *\nexecv('/bin/ls', ['ls'])\n",
        &RuleSet::default(),
    );
    let named = |name: &str| {
        report
            .findings
            .iter()
            .any(|one| one.name.as_deref() == Some(name))
    };
    assert!(named("os.execv"), "{report:?}");
}

#[test]
fn a_denied_call_is_denied_to_whoever_would_make_it() {
    let rules = RuleSet {
        deny_calls: ["time.sleep".to_owned()].into(),
        deny_imports: ["os".to_owned()].into(),
        ..RuleSet::default()
    };
    for (code, rule) in [
        ("import time\nsorted([60], key=time.sleep)\n", "call_denied"),
        ("import time\nlist(iter(time.sleep, 1))\n", "call_denied"),
        (
            "import pkgutil\npkgutil.resolve_name('os:system')\n",
            "import_denied",
        ),
    ] {
        let report = analyze(code, &rules);
        let found = report.findings.iter().any(|finding| finding.rule == rule);
        assert!(found, "{code}\n{:?}", report.findings);
    }
}

#[test]
fn cells_are_compiled_one_by_one() {
    let code = "# %% cell 1\nx = 1\n# %% inputs\nn = 2\n# %% cell 3\nfrom __future__ import annotations\nglobal x\nx = 2\n";
    let report = analyze(code, &RuleSet::default());
    assert!(report.readable(), "{:?}", report.findings);
    let mut report = analyze(
        &format!("{code}# %% cell 4\nawait x\n"),
        &RuleSet::default(),
    );
    report.name_cells(&format!("{code}# %% cell 4\nawait x\n"));
    let said = &report.findings[0].message;
    assert!(
        said.starts_with("cell 4, line 1: ") && said.contains("await"),
        "{said}"
    );
}
