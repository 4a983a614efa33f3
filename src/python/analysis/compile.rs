//! What Python's compiler refuses although it can be parsed: a `return` outside of every function, a name twice among the
//! parameters, and so on. Such code never runs, so nobody is to be asked about it.
//!
//! Ruff's checker knows the rules; here is what it must be told of the place. Of rules that differ between versions of
//! Python only what all of them refuse is reported, since the interpreter is not known here.

use std::cell::RefCell;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, ExceptHandler, Expr, Identifier, Parameters, PythonVersion, Stmt,
};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{Ranged as _, TextRange, TextSize};

use crate::python::cells;

/// What the compiler says of a module, in the order of the text.
pub(super) fn refusals(code: &str, body: &[Stmt]) -> Vec<(TextRange, String)> {
    let mut walk = Walk {
        checker: SemanticSyntaxChecker::new(),
        place: Place {
            code,
            frames: Vec::new(),
            found: RefCell::default(),
        },
    };
    for cell in cells_of(code, body) {
        walk.checker = SemanticSyntaxChecker::new();
        walk.within(Frame::new(Kind::Module, cell), |walk| walk.visit_body(cell));
    }
    let mut found = walk.place.found.into_inner();
    found.sort_by_key(|(range, _)| range.start());
    // The same `await` is outside of a function, and of an asynchronous one.
    found.dedup_by_key(|(range, _)| range.start());
    found
}

/// The statements of each cell of a notebook, which is compiled by itself; of other code there is one.
fn cells_of<'a>(code: &str, body: &'a [Stmt]) -> Vec<&'a [Stmt]> {
    let mut end = 0;
    let mut first = 0;
    let mut found = Vec::new();
    for (index, statement) in body.iter().enumerate() {
        let before = code.get(end..statement.start().to_usize());
        end = statement.end().to_usize();
        if before.is_some_and(|text| text.lines().any(cells::is_mark)) {
            found.extend(body.get(first..index));
            first = index;
        }
    }
    found.extend(body.get(first..));
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function { is_async: bool },
    Lambda,
    Comprehension,
    Generator,
}

impl Kind {
    fn is_inner(self) -> bool {
        matches!(self, Self::Comprehension | Self::Generator)
    }

    fn is_function(self) -> bool {
        matches!(self, Self::Function { .. } | Self::Lambda)
    }
}

/// A scope around the place that is looked at.
struct Frame<'a> {
    kind: Kind,
    body: &'a [Stmt],
    parameters: Option<&'a Parameters>,
    in_loop: bool,
    globals: Vec<&'a Identifier>,
}

impl<'a> Frame<'a> {
    fn new(kind: Kind, body: &'a [Stmt]) -> Self {
        Self {
            kind,
            body,
            parameters: None,
            in_loop: false,
            globals: Vec::new(),
        }
    }
}

/// Where the walk is.
struct Place<'a> {
    code: &'a str,
    frames: Vec<Frame<'a>>,
    found: RefCell<Vec<(TextRange, String)>>,
}

impl<'a> Place<'a> {
    fn here(&self) -> Option<&Frame<'a>> {
        self.frames.last()
    }

    fn kind(&self) -> Kind {
        self.here().map_or(Kind::Module, |frame| frame.kind)
    }

    /// The nearest scope that is no comprehension.
    fn around(&self) -> Kind {
        let mut kinds = self.frames.iter().rev().map(|frame| frame.kind);
        kinds.find(|kind| !kind.is_inner()).unwrap_or(Kind::Module)
    }

    fn report(&self, range: TextRange, message: String) {
        self.found.borrow_mut().push((range, message));
    }
}

impl SemanticSyntaxContext for Place<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        false
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    fn python_version(&self) -> PythonVersion {
        // The one between: what older ones refuse is allowed already, what newer ones refuse is still allowed.
        PythonVersion::PY313
    }

    fn source(&self) -> &str {
        self.code
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        let mut globals = self.here()?.globals.iter();
        let declared = globals.find(|global| global.as_str() == name)?;
        Some(declared.range())
    }

    fn has_nonlocal_binding(&self, _name: &str) -> bool {
        // Which names the functions around have is not looked at; without a function there are none.
        let around = self.frames.len().saturating_sub(1);
        let mut around = self.frames.iter().take(around);
        around.any(|frame| frame.kind.is_function())
    }

    fn in_async_context(&self) -> bool {
        self.around() == Kind::Function { is_async: true }
    }

    fn in_await_allowed_context(&self) -> bool {
        self.in_generator_context() || self.around().is_function()
    }

    fn in_yield_allowed_context(&self) -> bool {
        self.kind().is_function()
    }

    fn in_sync_comprehension(&self) -> bool {
        false
    }

    fn in_class_body_comprehension(&self) -> bool {
        self.kind().is_inner() && self.around() == Kind::Class
    }

    fn in_module_scope(&self) -> bool {
        self.kind() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        self.kind().is_function()
    }

    fn in_generator_context(&self) -> bool {
        let inner = self.frames.iter().rev().map(|frame| frame.kind);
        let mut inner = inner.take_while(|kind| kind.is_inner());
        inner.any(|kind| kind == Kind::Generator)
    }

    fn in_notebook(&self) -> bool {
        // Cells run as plain code here: `await` at their top level is refused as in a file.
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.report(error.range, format!("{error}."));
    }

    fn in_loop_context(&self) -> bool {
        self.here().is_some_and(|frame| frame.in_loop)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.here()
            .and_then(|frame| frame.parameters)
            .is_some_and(|parameters| parameters.includes(name))
    }
}

struct Walk<'a> {
    checker: SemanticSyntaxChecker,
    place: Place<'a>,
}

impl<'a> Walk<'a> {
    fn within(&mut self, frame: Frame<'a>, walk: impl FnOnce(&mut Self)) {
        self.place.frames.push(frame);
        walk(self);
        self.place.frames.pop();
    }

    fn repeated(&mut self, body: &'a [Stmt], orelse: &'a [Stmt]) {
        let before = self.set_loop(true);
        self.visit_body(body);
        self.set_loop(before);
        self.visit_body(orelse);
    }

    fn set_loop(&mut self, to: bool) -> bool {
        let here = self.place.frames.last_mut();
        here.is_some_and(|frame| std::mem::replace(&mut frame.in_loop, to))
    }

    /// A comprehension: its first source belongs to the scope around it.
    fn comprehension(&mut self, kind: Kind, parts: &[&'a Expr], generators: &'a [Comprehension]) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.within(Frame::new(kind, &[]), |walk| {
            for (index, generator) in generators.iter().enumerate() {
                if index > 0 {
                    walk.visit_expr(&generator.iter);
                }
                walk.visit_expr(&generator.target);
                generator.ifs.iter().for_each(|test| walk.visit_expr(test));
            }
            parts.iter().for_each(|part| walk.visit_expr(part));
        });
    }

    /// `global` and `nonlocal` stand before the first use of their names.
    fn declared(&mut self, statement: &'a Stmt, names: &'a [Identifier], word: &str) {
        let Some(here) = self.place.frames.last() else {
            return;
        };
        let mut earlier = Earlier {
            names,
            before: statement.start(),
            found: Vec::new(),
        };
        earlier.visit_body(here.body);
        for name in earlier.found {
            let message = format!("name `{name}` is used prior to {word} declaration.");
            self.place.report(statement.range(), message);
        }
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.checker.visit_stmt(statement, &self.place);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every other statement changes nothing of the place"
        )]
        match statement {
            Stmt::FunctionDef(def) => {
                let is_async = def.is_async;
                let decorators = def.decorator_list.iter();
                decorators.for_each(|decorator| self.visit_decorator(decorator));
                def.type_params
                    .iter()
                    .for_each(|params| self.visit_type_params(params));
                self.visit_parameters(&def.parameters);
                def.returns
                    .iter()
                    .for_each(|returns| self.visit_annotation(returns));
                let frame = Frame {
                    parameters: Some(&def.parameters),
                    ..Frame::new(Kind::Function { is_async }, &def.body)
                };
                self.within(frame, |walk| walk.visit_body(&def.body));
            }
            Stmt::ClassDef(def) => {
                let decorators = def.decorator_list.iter();
                decorators.for_each(|decorator| self.visit_decorator(decorator));
                def.type_params
                    .iter()
                    .for_each(|params| self.visit_type_params(params));
                def.arguments
                    .iter()
                    .for_each(|arguments| self.visit_arguments(arguments));
                let frame = Frame::new(Kind::Class, &def.body);
                self.within(frame, |walk| walk.visit_body(&def.body));
            }
            Stmt::For(each) => {
                self.visit_expr(&each.iter);
                self.visit_expr(&each.target);
                self.repeated(&each.body, &each.orelse);
            }
            Stmt::While(repeat) => {
                self.visit_expr(&repeat.test);
                self.repeated(&repeat.body, &repeat.orelse);
            }
            Stmt::Try(attempt) => {
                let before_last = attempt.handlers.iter().rev().skip(1);
                for ExceptHandler::ExceptHandler(handler) in before_last {
                    if handler.type_.is_none() {
                        let message = "default `except:` must be last.".to_owned();
                        self.place.report(handler.range, message);
                    }
                }
                visitor::walk_stmt(self, statement);
            }
            Stmt::Global(global) => {
                self.declared(statement, &global.names, "global");
                if let Some(here) = self.place.frames.last_mut() {
                    here.globals.extend(&global.names);
                }
            }
            Stmt::Nonlocal(nonlocal) => self.declared(statement, &nonlocal.names, "nonlocal"),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.checker.visit_expr(expression, &self.place);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every other expression is of the scope that it stands in"
        )]
        match expression {
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                parameters
                    .into_iter()
                    .for_each(|parameters| self.visit_parameters(parameters));
                let frame = Frame {
                    parameters,
                    ..Frame::new(Kind::Lambda, &[])
                };
                self.within(frame, |walk| walk.visit_expr(&lambda.body));
            }
            Expr::ListComp(list) => {
                self.comprehension(Kind::Comprehension, &[&list.elt], &list.generators);
            }
            Expr::SetComp(set) => {
                self.comprehension(Kind::Comprehension, &[&set.elt], &set.generators);
            }
            Expr::DictComp(dict) => {
                let mut parts = vec![dict.value.as_ref()];
                parts.extend(dict.key.as_deref());
                self.comprehension(Kind::Comprehension, &parts, &dict.generators);
            }
            Expr::Generator(generator) => {
                self.comprehension(Kind::Generator, &[&generator.elt], &generator.generators);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}

/// Looks for names in a scope before a place in it.
struct Earlier<'a> {
    names: &'a [Identifier],
    before: TextSize,
    found: Vec<&'a str>,
}

impl<'a> Visitor<'a> for Earlier<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let other = matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_));
        if statement.start() < self.before && !other {
            visitor::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if expression.start() >= self.before {
            return;
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "names of this scope only; what is missed Python itself refuses"
        )]
        match expression {
            Expr::Name(name) => {
                let known = self.names.iter().find(|known| known.as_str() == name.id);
                if let Some(known) = known
                    && !self.found.contains(&known.as_str())
                {
                    self.found.push(known);
                }
            }
            Expr::Lambda(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::Generator(_) => {}
            _ => visitor::walk_expr(self, expression),
        }
    }
}
