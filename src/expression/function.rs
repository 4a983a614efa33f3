//! The functions: names, arguments, and what each is for.

/// A function that takes values and gives one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Len,
    Min,
    Max,
    Sum,
    Any,
    All,
    Round,
    Abs,
    Sorted,
    Str,
    Int,
    Float,
    Bool,
    Range,
    Date,
    DateTime,
    Duration,
    Format,
    Json,
    Keys,
    Values,
    Items,
    Unique,
    Flatten,
    Zip,
}

/// How a function is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) function: Function,
    pub(super) name: &'static str,
    /// Fewest positional arguments.
    pub(super) least: usize,
    /// Most positional arguments.
    pub(super) most: usize,
    /// The one keyword it knows.
    pub(super) keyword: Option<&'static str>,
    /// Shown when it is called wrongly.
    pub(super) usage: &'static str,
}

const MANY: usize = usize::MAX;

const fn plain(
    function: Function,
    name: &'static str,
    least: usize,
    most: usize,
    usage: &'static str,
) -> Signature {
    Signature {
        function,
        name,
        least,
        most,
        keyword: None,
        usage,
    }
}

const fn with_keyword(signature: Signature, keyword: &'static str) -> Signature {
    Signature {
        keyword: Some(keyword),
        ..signature
    }
}

/// Every function that takes its arguments evaluated.
pub(super) const FUNCTIONS: &[Signature] = &[
    plain(Function::Abs, "abs", 1, 1, "abs(number)"),
    plain(Function::All, "all", 1, 1, "all(list of bools)"),
    plain(Function::Any, "any", 1, 1, "any(list of bools)"),
    plain(Function::Bool, "bool", 1, 1, "bool(\"true\" or \"false\")"),
    plain(
        Function::Date,
        "date",
        1,
        1,
        "date(\"2026-03-01\" or a datetime)",
    ),
    plain(
        Function::DateTime,
        "datetime",
        1,
        1,
        "datetime(\"2026-03-01T02:30:00Z\")",
    ),
    plain(Function::Duration, "duration", 1, 1, "duration(\"1h30m\")"),
    plain(Function::Flatten, "flatten", 1, 1, "flatten(list of lists)"),
    plain(Function::Float, "float", 1, 1, "float(number or string)"),
    plain(Function::Format, "format", 1, 2, "format(value, \".2f\")"),
    plain(Function::Int, "int", 1, 1, "int(number or string)"),
    plain(Function::Items, "items", 1, 1, "items(map)"),
    plain(Function::Json, "json", 1, 1, "json(value)"),
    plain(Function::Keys, "keys", 1, 1, "keys(map)"),
    plain(Function::Len, "len", 1, 1, "len(string, list or map)"),
    with_keyword(
        plain(
            Function::Max,
            "max",
            1,
            MANY,
            "max(list), max(a, b) or max(list, default=x)",
        ),
        "default",
    ),
    with_keyword(
        plain(
            Function::Min,
            "min",
            1,
            MANY,
            "min(list), min(a, b) or min(list, default=x)",
        ),
        "default",
    ),
    plain(
        Function::Range,
        "range",
        1,
        3,
        "range(stop) or range(start, stop, step)",
    ),
    plain(Function::Round, "round", 1, 2, "round(number, digits)"),
    with_keyword(
        plain(
            Function::Sorted,
            "sorted",
            1,
            1,
            "sorted(list) or sorted(list, reverse=True)",
        ),
        "reverse",
    ),
    plain(Function::Str, "str", 1, 1, "str(value)"),
    plain(Function::Sum, "sum", 1, 2, "sum(list of numbers, start)"),
    plain(Function::Unique, "unique", 1, 1, "unique(list)"),
    plain(Function::Values, "values", 1, 1, "values(map)"),
    plain(Function::Zip, "zip", 2, MANY, "zip(list, list)"),
];

/// The functions that see their arguments before they are evaluated.
pub(super) const SPECIAL: [&str; 6] = [
    "default",
    "exists",
    "succeeded",
    "failed",
    "skipped",
    "always",
];

/// Finds a function by its name.
pub(super) fn find(name: &str) -> Option<Signature> {
    FUNCTIONS
        .iter()
        .find(|signature| signature.name == name)
        .copied()
}

/// Every name that can be called.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = FUNCTIONS
        .iter()
        .map(|signature| signature.name)
        .chain(SPECIAL)
        .collect();
    names.sort_unstable();
    names
}
