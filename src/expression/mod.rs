//! Expressions: a strict subset of Python, evaluated over JSON values.
