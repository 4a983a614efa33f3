//! What the guard rail in the interpreter has held back, as it wrote it down.

use serde::Deserialize;

use super::folder::{Folder, read_at_most};
use crate::code::{self, Code};
use crate::executor::report::REPORT_BYTES_MAX;
use crate::failure::{Failure, FailureKind};

/// Where the guard writes it, in the folder of the attempt.
pub(in crate::executor) const HELD_BACK: &str = ".attempt/refused.jsonl";

/// The first write to the control system that was held back, whether or not the code took notice.
pub(in crate::executor) fn held_back(
    folder: &Folder,
    failure: Option<&Failure>,
) -> Option<Failure> {
    let text = read_at_most(&folder.file(HELD_BACK), REPORT_BYTES_MAX).ok()?;
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let first: HeldBack = serde_json::from_slice(lines.next()?).ok()?;
    let (kind, code) = CODES_OF_GUARD
        .into_iter()
        .find(|(_, code)| code.as_str() == first.code)
        .unwrap_or((FailureKind::Safety, code::WRITE_REFUSED));
    let mut held_back = Failure::new(kind, code, first.message)
        .hint(first.hint)
        .detail(serde_json::json!({"writes_held_back": 1 + lines.count()}));
    held_back.traceback = failure.and_then(|failure| failure.traceback.clone());
    Some(held_back)
}

/// A line of the guard.
#[derive(Deserialize)]
struct HeldBack {
    code: String,
    message: String,
    hint: String,
}

const CODES_OF_GUARD: [(FailureKind, Code); 5] = [
    (FailureKind::Safety, code::WRITE_REFUSED),
    (FailureKind::Limits, code::CHANNEL_LIMIT),
    (FailureKind::Limits, code::CHANNEL_NOT_LISTED),
    (FailureKind::Limits, code::LIMITS_UNAVAILABLE),
    (FailureKind::Limits, code::READBACK_DIFFERS),
];
