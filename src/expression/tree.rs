//! The tree of an expression: only what the language has.

use crate::diagnostic::Span;

use super::function::Function;
use super::method::Method;
use super::reference::StatusFunction;

/// One node with its place in the text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Kind {
    Constant(Constant),
    /// A name of the scope and the constant keys after it.
    Path(Path),
    /// The same for a name that a comprehension binds.
    Local(Path),
    List(Vec<Node>),
    Map(Vec<Entry>),
    Negate(Box<Node>),
    Plus(Box<Node>),
    Not(Box<Node>),
    Binary(Operator, Box<[Node; 2]>),
    Logic(Logic, Vec<Node>),
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    /// Condition, value when it holds, value otherwise.
    Choice(Box<[Node; 3]>),
    Index(Box<[Node; 2]>),
    Slice(Box<Slice>),
    Call(Call),
    Method(Method, Box<Node>, Vec<Node>),
    /// `default(value, fallback)`
    Default(Box<[Node; 2]>),
    Exists(Box<Node>),
    Status(StatusFunction, Option<Box<str>>),
    Comprehension(Box<Comprehension>),
}

#[derive(Debug, Clone)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
}

#[derive(Debug)]
pub(super) struct Path {
    pub(super) root: Box<str>,
    pub(super) keys: Vec<Key>,
}

/// A constant key with its place.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: Box<str>,
    pub(super) span: Span,
}

/// `key: value`, or `**value` without a key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Option<Node>,
    pub(super) value: Node,
}

#[derive(Debug)]
pub(super) struct Slice {
    pub(super) of: Node,
    pub(super) lower: Option<Node>,
    pub(super) upper: Option<Node>,
    pub(super) step: Option<Node>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Node>,
    /// The value of the function's one keyword: `reverse=`, `default=`.
    pub(super) option: Option<Box<Node>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

impl Operator {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "**",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    IsNone,
    IsNotNone,
}

impl Comparison {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::IsNone => "is",
            Self::IsNotNone => "is not",
        }
    }
}

#[derive(Debug)]
pub(super) struct Comprehension {
    pub(super) element: Element,
    pub(super) clauses: Vec<Clause>,
    /// Written without brackets as the argument of a function: `any()` and `all()` stop early.
    pub(super) lazy: bool,
}

#[derive(Debug)]
pub(super) enum Element {
    Item(Node),
    Pair(Node, Node),
}

/// `for targets in iterable if conditions`
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) targets: Targets,
    pub(super) iterable: Node,
    pub(super) conditions: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Targets {
    One(Box<str>),
    Unpacked(Vec<Box<str>>, Span),
}

impl Targets {
    pub(super) fn names(&self) -> &[Box<str>] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Unpacked(names, _) => names,
        }
    }
}
