//! Benches: ratios to the physical limit, printed in one run.
fn main() {}
