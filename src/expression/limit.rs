//! The bounds of one expression. Each is checked before the cost arises.

/// Longest text of one expression, in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Deepest nesting of one expression, in nodes; also of its brackets.
pub const DEPTH_MAX: usize = 64;

/// Most links (operators, dots, brackets) that may stand one inside the other before parsing begins.
///
/// It keeps Ruff's tree shallow enough to be dropped on any stack; [`DEPTH_MAX`] is measured afterwards.
pub(super) const LINKS_MAX: usize = 512;

/// Most `for` clauses in one comprehension.
pub(super) const FOR_CLAUSES_MAX: usize = 2;

/// Most steps of one evaluation: nodes visited, items iterated, values compared.
pub const STEPS_MAX: usize = 1_000_000;

/// Most bytes that all intermediate values of one evaluation may take together.
pub(super) const WORK_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Largest result of one evaluation, in bytes, measured about as compact JSON.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;

/// Deepest nesting of a result, in lists and maps. Histories are JSON, and its readers stop at 128.
pub(super) const RESULT_DEPTH_MAX: usize = 100;

/// Most numbers that one `range()` gives.
pub(super) const RANGE_ITEMS_MAX: usize = 100_000;

/// Widest field and longest fraction that `format()` prints, in characters.
pub(super) const FORMAT_WIDTH_MAX: usize = 1_000;

/// Most names listed in one message.
pub(super) const SHOWN_NAMES_MAX: usize = 12;

/// Longest quotation of somebody's value in a message, in characters.
pub(super) const SHOWN_TEXT_CHARS_MAX: usize = 40;
