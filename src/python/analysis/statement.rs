//! Statements: what they bind, and the expressions in them.

use ruff_python_ast::{
    self as ast, ElifElseClause, ExceptHandler, Expr, Parameters, Pattern, Stmt,
};
use ruff_text_size::Ranged;

use super::reader::Reader;
use super::value::{Atom, Set};
use super::world::{Binding, FunctionId, ScopeId, ScopeKind};

impl Reader<'_> {
    pub(super) fn body(&mut self, body: &[Stmt]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FunctionDef(def) => self.function_def(def),
            Stmt::ClassDef(def) => self.class_def(def),
            Stmt::Import(import) => self.import_names(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Assign(assign) => self.assign(&assign.targets, &assign.value),
            Stmt::AnnAssign(assign) => self.annotated(assign),
            Stmt::AugAssign(assign) => self.augmented(assign),
            Stmt::For(each) => self.each(each),
            Stmt::With(with) => self.with(with),
            Stmt::Match(matching) => self.matching(matching),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::While(repeat) => {
                self.eval(&repeat.test);
                self.body(&repeat.body);
                self.body(&repeat.orelse);
            }
            Stmt::If(choice) => {
                self.eval(&choice.test);
                self.body(&choice.body);
                for clause in &choice.elif_else_clauses {
                    self.clause(clause);
                }
            }
            Stmt::Return(ast::StmtReturn { value, .. }) => {
                if let Some(value) = value {
                    let value = self.eval(value);
                    self.give_back(&value);
                }
            }
            Stmt::Global(ast::StmtGlobal { names, .. }) => {
                for name in names {
                    let name = self.symbols.intern(name);
                    self.world.declare_global(self.scope, name);
                }
            }
            Stmt::Nonlocal(ast::StmtNonlocal { names, .. }) => {
                for name in names {
                    let name = self.symbols.intern(name);
                    self.world.declare_nonlocal(self.scope, name);
                }
            }
            Stmt::Expr(ast::StmtExpr { value, .. }) => drop(self.eval(value)),
            Stmt::Delete(ast::StmtDelete { targets, .. }) => {
                for target in targets {
                    self.delete(target);
                }
            }
            Stmt::Raise(ast::StmtRaise { exc, cause, .. }) => self.eval_all([exc, cause]),
            Stmt::Assert(ast::StmtAssert { test, msg, .. }) => {
                self.eval(test);
                self.eval_all([msg]);
            }
            Stmt::TypeAlias(_)
            | Stmt::Pass(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn augmented(&mut self, assign: &ast::StmtAugAssign) {
        let mut value = Set::UNKNOWN;
        value.join(&self.eval(&assign.target));
        value.join(&self.eval(&assign.value));
        self.bind(&assign.target, &value);
    }

    fn each(&mut self, each: &ast::StmtFor) {
        let items = self.eval(&each.iter).element();
        self.bind(&each.target, &items);
        self.body(&each.body);
        self.body(&each.orelse);
    }

    fn with(&mut self, with: &ast::StmtWith) {
        for item in &with.items {
            let value = self.eval(&item.context_expr);
            if let Some(target) = &item.optional_vars {
                self.bind(target, &value);
            }
        }
        self.body(&with.body);
    }

    pub(super) fn eval_all<const N: usize>(&mut self, expressions: [&Option<Box<Expr>>; N]) {
        for expression in expressions.into_iter().flatten() {
            self.eval(expression);
        }
    }

    fn clause(&mut self, clause: &ElifElseClause) {
        if let Some(test) = &clause.test {
            self.eval(test);
        }
        self.body(&clause.body);
    }

    fn attempt(&mut self, attempt: &ast::StmtTry) {
        self.body(&attempt.body);
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            self.eval_all([&handler.type_]);
            if let Some(name) = &handler.name {
                let name = self.symbols.intern(name);
                self.bind_name(name, &Set::UNKNOWN);
            }
            self.body(&handler.body);
        }
        self.body(&attempt.orelse);
        self.body(&attempt.finalbody);
    }

    fn matching(&mut self, matching: &ast::StmtMatch) {
        let mut subject = self.eval(&matching.subject);
        let inside = subject.element();
        subject.join(&inside);
        for case in &matching.cases {
            self.pattern(&case.pattern, &subject);
            if let Some(guard) = &case.guard {
                self.eval(guard);
            }
            self.body(&case.body);
        }
    }

    fn pattern(&mut self, pattern: &Pattern, subject: &Set) {
        let captured = match pattern {
            Pattern::MatchValue(value) => {
                self.eval(&value.value);
                None
            }
            Pattern::MatchSingleton(_) => None,
            Pattern::MatchSequence(sequence) => {
                self.patterns(&sequence.patterns, subject);
                None
            }
            Pattern::MatchMapping(mapping) => {
                mapping.keys.iter().for_each(|key| drop(self.eval(key)));
                self.patterns(&mapping.patterns, subject);
                mapping.rest.as_ref()
            }
            Pattern::MatchClass(class) => {
                self.eval(&class.cls);
                self.patterns(&class.arguments.patterns, subject);
                for keyword in &class.arguments.keywords {
                    self.pattern(&keyword.pattern, subject);
                }
                None
            }
            Pattern::MatchStar(star) => star.name.as_ref(),
            Pattern::MatchAs(alias) => {
                if let Some(pattern) = &alias.pattern {
                    self.pattern(pattern, subject);
                }
                alias.name.as_ref()
            }
            Pattern::MatchOr(either) => {
                self.patterns(&either.patterns, subject);
                None
            }
        };
        if let Some(name) = captured {
            let name = self.symbols.intern(name);
            self.bind_name(name, subject);
        }
    }

    fn patterns(&mut self, patterns: &[Pattern], subject: &Set) {
        for pattern in patterns {
            self.pattern(pattern, subject);
        }
    }

    fn annotated(&mut self, assign: &ast::StmtAnnAssign) {
        let declared = self.annotation(&assign.annotation);
        if let Some(value) = &assign.value {
            let mut value = self.eval(value);
            value.join(&declared);
            self.bind(&assign.target, &value);
        } else if assign.simple {
            // A declaration alone gives no value: `results: dict` does not assign results.
            if let Expr::Name(name) = assign.target.as_ref() {
                let name = self.symbols.intern(&name.id);
                self.world.put(self.scope, name, &declared);
            }
        }
    }

    fn import_names(&mut self, import: &ast::StmtImport) {
        for alias in &import.names {
            let module = alias.name.as_str();
            self.import(module, alias.range());
            self.check_import(module, alias.range());
            let (bound, target) = match &alias.asname {
                Some(name) => (name.as_str(), module),
                None => {
                    let root = module.split('.').next().unwrap_or_default();
                    (root, root)
                }
            };
            let path = self.symbols.module(target);
            let name = self.symbols.intern(bound);
            self.bind_name(name, &Set::of(Atom::Path(path)));
        }
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let Some(module) = import.module.as_ref().filter(|_| import.level == 0) else {
            for alias in &import.names {
                let name = self
                    .symbols
                    .intern(alias.asname.as_ref().unwrap_or(&alias.name));
                self.bind_name(name, &Set::UNKNOWN);
            }
            return;
        };
        self.import(module, import.range());
        let path = self.symbols.module(module);
        for alias in &import.names {
            self.check_import_from(module, &alias.name, alias.range());
            if alias.name.as_str() == "*" {
                self.world.remember_star(path);
                continue;
            }
            let attribute = self.symbols.intern(&alias.name);
            let name = self
                .symbols
                .intern(alias.asname.as_ref().unwrap_or(&alias.name));
            let value = self.attribute_of(&Set::of(Atom::Path(path)), attribute);
            self.report_loads(&value, alias.range());
            self.bind_name(name, &value);
        }
    }

    fn function_def(&mut self, def: &ast::StmtFunctionDef) {
        let decorators: Vec<Set> = def
            .decorator_list
            .iter()
            .map(|decorator| self.eval(&decorator.expression))
            .collect();
        let id = self.world.function_of(def.name.start().to_u32());
        let binding = self.binding(&decorators);
        if let Some(function) = self.world.function_mut(id) {
            function.binding = binding;
        }
        let around = (self.scope, self.function);
        let scope = self.enter(id, def.name.start().to_u32(), &def.parameters);
        if self
            .world
            .scope(around.0)
            .is_some_and(|scope| scope.kind == ScopeKind::Class)
        {
            self.bind_self(id, around.0);
        }
        if let Some(returns) = &def.returns {
            let declared = self.annotation(returns);
            self.world.give_back(id, &declared);
        }
        (self.scope, self.function) = (scope, Some(id));
        self.body(&def.body);
        (self.scope, self.function) = around;
        let name = self.symbols.intern(&def.name);
        let mut value = Set::of(Atom::Function(id));
        for (decorator, node) in decorators.iter().zip(&def.decorator_list) {
            let given = self.apply_to(decorator, &[value.clone()], node.range());
            value.join(&given);
        }
        self.bind_name(name, &value);
    }

    fn binding(&mut self, decorators: &[Set]) -> Binding {
        let mut names = decorators
            .iter()
            .flat_map(|set| &set.own)
            .filter_map(|atom| atom.path())
            .map(|path| self.symbols.text(path));
        match names.find(|name| matches!(&**name, "builtins.staticmethod" | "builtins.property")) {
            Some(name) if &*name == "builtins.staticmethod" => Binding::Static,
            Some(_) => Binding::Property,
            None => Binding::Plain,
        }
    }

    fn bind_self(&mut self, id: FunctionId, class: ScopeId) {
        let Some(function) = self.world.function(id) else {
            return;
        };
        if let (Some(scope), Some(first)) = (function.scope, function.params.first().copied())
            && function.binding != Binding::Static
        {
            self.world.put(scope, first, &Set::of(Atom::Object(class)));
        }
    }

    /// Declares the parameters of a function or lambda, with their defaults and annotations.
    pub(super) fn enter(&mut self, id: FunctionId, start: u32, params: &Parameters) -> ScopeId {
        let scope = self.world.scope_of(start, ScopeKind::Function, self.scope);
        let mut names = Vec::new();
        for param in params.iter_non_variadic_params() {
            let name = self.symbols.intern(&param.parameter.name);
            let mut value = Set::UNKNOWN;
            if let Some(default) = &param.default {
                value.join(&self.eval(default));
            }
            if let Some(annotation) = &param.parameter.annotation {
                value.join(&self.annotation(annotation));
            }
            self.world.put(scope, name, &value);
            names.push(name);
        }
        let mut variadic = [None, None];
        for (slot, param) in variadic.iter_mut().zip([&params.vararg, &params.kwarg]) {
            if let Some(param) = param {
                let name = self.symbols.intern(&param.name);
                let mut value = Set::UNKNOWN;
                if let Some(annotation) = &param.annotation {
                    value.hold(&self.annotation(annotation));
                }
                self.world.put(scope, name, &value);
                *slot = Some(name);
            }
        }
        if let Some(function) = self.world.function_mut(id) {
            function.scope = Some(scope);
            function.params = names;
            [function.vararg, function.kwarg] = variadic;
        }
        scope
    }

    fn class_def(&mut self, def: &ast::StmtClassDef) {
        for decorator in &def.decorator_list {
            self.eval(&decorator.expression);
        }
        let class = self
            .world
            .scope_of(def.name.start().to_u32(), ScopeKind::Class, self.scope);
        if let Some(arguments) = &def.arguments {
            for base in &arguments.args {
                let base = self.eval(base);
                self.world.derive(class, &base);
            }
            for keyword in &arguments.keywords {
                self.eval(&keyword.value);
            }
        }
        let around = std::mem::replace(&mut self.scope, class);
        self.body(&def.body);
        self.scope = around;
        let name = self.symbols.intern(&def.name);
        self.bind_name(name, &Set::of(Atom::Class(class)));
    }

    pub(super) fn give_back(&mut self, value: &Set) {
        if let Some(function) = self.function {
            self.world.give_back(function, value);
        }
    }
}
