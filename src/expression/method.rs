//! The methods: pure ones of Python's strings, dicts and dates.

/// A method, named as in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Capitalize,
    Count,
    EndsWith,
    Find,
    Get,
    IsoFormat,
    IsDigit,
    Items,
    Join,
    Keys,
    Ljust,
    Lower,
    Lstrip,
    RemovePrefix,
    RemoveSuffix,
    Replace,
    Rjust,
    Rsplit,
    Rstrip,
    Split,
    SplitLines,
    StartsWith,
    Strip,
    TotalSeconds,
    Upper,
    Values,
    Weekday,
    Zfill,
}

/// A method with its name and its fewest and most arguments.
type Row = (Method, &'static str, usize, usize);

const METHODS: &[Row] = &[
    (Method::Capitalize, "capitalize", 0, 0),
    (Method::Count, "count", 1, 1),
    (Method::EndsWith, "endswith", 1, 1),
    (Method::Find, "find", 1, 1),
    (Method::Get, "get", 1, 2),
    (Method::IsDigit, "isdigit", 0, 0),
    (Method::IsoFormat, "isoformat", 0, 0),
    (Method::Items, "items", 0, 0),
    (Method::Join, "join", 1, 1),
    (Method::Keys, "keys", 0, 0),
    (Method::Ljust, "ljust", 1, 2),
    (Method::Lower, "lower", 0, 0),
    (Method::Lstrip, "lstrip", 0, 1),
    (Method::RemovePrefix, "removeprefix", 1, 1),
    (Method::RemoveSuffix, "removesuffix", 1, 1),
    (Method::Replace, "replace", 2, 3),
    (Method::Rjust, "rjust", 1, 2),
    (Method::Rsplit, "rsplit", 0, 2),
    (Method::Rstrip, "rstrip", 0, 1),
    (Method::Split, "split", 0, 2),
    (Method::SplitLines, "splitlines", 0, 0),
    (Method::StartsWith, "startswith", 1, 1),
    (Method::Strip, "strip", 0, 1),
    (Method::TotalSeconds, "total_seconds", 0, 0),
    (Method::Upper, "upper", 0, 0),
    (Method::Values, "values", 0, 0),
    (Method::Weekday, "weekday", 0, 0),
    (Method::Zfill, "zfill", 1, 1),
];

impl Method {
    /// Its name in an expression.
    pub(super) fn as_str(self) -> &'static str {
        METHODS
            .iter()
            .find(|(method, ..)| *method == self)
            .map_or("", |(_, name, ..)| name)
    }
}

/// Finds a method by its name.
pub(super) fn find(name: &str) -> Option<Row> {
    METHODS
        .iter()
        .find(|(_, known, ..)| *known == name)
        .copied()
}

/// Every method's name.
pub(super) fn names() -> Vec<&'static str> {
    METHODS.iter().map(|(_, name, ..)| *name).collect()
}
