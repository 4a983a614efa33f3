//! Static analysis of Python code: findings by rule, on the syntax tree.
