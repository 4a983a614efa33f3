//! What one evaluation may spend.

use super::super::error::Fault;
use super::super::limit::{RESULT_BYTES_MAX, STEPS_MAX, WORK_BYTES_MAX};

/// Steps and bytes that are left.
pub(in crate::expression) struct Budget {
    steps: usize,
    bytes: usize,
}

/// Bytes handled for the price of one step.
const BYTES_PER_STEP: usize = 64;

/// About what one element of a list or map takes, in bytes.
pub(in crate::expression) const ITEM_BYTES: usize = 32;

impl Budget {
    pub(in crate::expression) const fn new() -> Self {
        Self {
            steps: STEPS_MAX,
            bytes: WORK_BYTES_MAX,
        }
    }

    /// Pays for so many steps.
    pub(in crate::expression) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| {
            Fault::too_large(format!("the expression needs more than {STEPS_MAX} steps"))
                .help("compute it in a step")
        })?;
        Ok(())
    }

    /// Pays for reading so many bytes.
    pub(in crate::expression) fn read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / BYTES_PER_STEP)
    }

    /// Pays for making one value of so many bytes.
    pub(in crate::expression) fn make(&mut self, bytes: usize) -> Result<(), Fault> {
        if bytes > RESULT_BYTES_MAX {
            return Err(too_large());
        }
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
        self.read(bytes)
    }

    /// Pays for making a list or map of so many elements.
    pub(in crate::expression) fn make_items(&mut self, count: usize) -> Result<(), Fault> {
        let bytes = count.checked_mul(ITEM_BYTES).ok_or_else(too_large)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
        self.spend(count)
    }
}

fn too_large() -> Fault {
    Fault::too_large("the values made on the way are too large")
        .help("one value may take 1 MiB; keep large data in a file")
}
