//! Expressions: each gives the set of what it may stand for.

use ruff_python_ast::{
    self as ast, Comprehension, Expr, FStringPart, InterpolatedStringElement, Operator,
};
use ruff_text_size::Ranged;

use super::reader::Reader;
use super::symbol::Symbol;
use super::value::{Atom, Constant, Set};
use super::world::ScopeKind;

/// Longest constant text that is followed, in bytes.
const TEXT_BYTES_MAX: usize = 512;

impl Reader<'_> {
    /// What an expression may stand for. Every part of it is looked at once.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the expressions without a value of interest go to `plain`"
    )]
    pub(super) fn eval(&mut self, expression: &Expr) -> Set {
        match expression {
            Expr::Name(name) => self.name(&name.id),
            Expr::Attribute(attribute) => {
                let base = self.eval(&attribute.value);
                self.read_attribute(&base, attribute)
            }
            Expr::Call(call) => self.call(call),
            Expr::Subscript(subscript) => self.subscript(subscript),
            Expr::StringLiteral(text) => self.text(text.value.to_str()),
            Expr::BooleanLiteral(literal) => Set::of(Atom::Constant(if literal.value {
                Constant::True
            } else {
                Constant::False
            })),
            Expr::NoneLiteral(_) => Set::of(Atom::Constant(Constant::None)),
            Expr::FString(text) => self.formatted(text),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::BoolOp(operation) => self.either(&operation.values),
            Expr::If(choice) => {
                self.eval(&choice.test);
                let mut value = self.eval(&choice.body);
                value.join(&self.eval(&choice.orelse));
                value
            }
            Expr::Named(named) => {
                let value = self.eval(&named.value);
                if let Expr::Name(name) = named.target.as_ref() {
                    let name = self.symbols.intern(&name.id);
                    let inner = self.scope;
                    self.scope = self.world.enclosing(inner);
                    self.bind_name(name, &value);
                    self.scope = inner;
                }
                value
            }
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => self.container(elts),
            Expr::Dict(dict) => self.dict(dict),
            Expr::Lambda(lambda) => self.lambda(lambda),
            Expr::Await(ast::ExprAwait { value, .. })
            | Expr::YieldFrom(ast::ExprYieldFrom { value, .. }) => self.eval(value),
            Expr::Starred(starred) => self.eval(&starred.value).element(),
            Expr::ListComp(ast::ExprListComp {
                elt, generators, ..
            })
            | Expr::SetComp(ast::ExprSetComp {
                elt, generators, ..
            })
            | Expr::Generator(ast::ExprGenerator {
                elt, generators, ..
            }) => self.comprehension(expression.start().to_u32(), generators, &[Some(elt)]),
            Expr::DictComp(comprehension) => self.comprehension(
                expression.start().to_u32(),
                &comprehension.generators,
                &[comprehension.key.as_deref(), Some(&comprehension.value)],
            ),
            other => {
                self.plain(other);
                Set::UNKNOWN
            }
        }
    }

    /// Expressions whose value is never of interest, but whose parts are.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "literals have no parts; all others went through `eval`"
    )]
    fn plain(&mut self, expression: &Expr) {
        match expression {
            Expr::UnaryOp(operation) => drop(self.eval(&operation.operand)),
            Expr::Compare(comparison) => {
                self.eval(&comparison.left);
                for side in &comparison.comparators {
                    self.eval(side);
                }
            }
            Expr::Yield(ast::ExprYield {
                value: Some(value), ..
            }) => {
                let mut given = Set::NOTHING;
                given.hold(&self.eval(value));
                self.give_back(&given);
            }
            Expr::Slice(slice) => self.eval_all([&slice.lower, &slice.upper, &slice.step]),
            Expr::TString(text) => {
                for element in text.value.elements() {
                    self.element(element);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, id: &str) -> Set {
        let name = self.symbols.intern(id);
        if let Some(scope) = self.world.find(self.scope, name) {
            return self.world.get(scope, name).cloned().unwrap_or(Set::UNKNOWN);
        }
        self.unbound(id, name)
    }

    fn unbound(&mut self, id: &str, name: Symbol) -> Set {
        if matches!(id, "__loader__" | "__spec__") {
            return Set::of(Atom::Path(self.symbols.module(id)));
        }
        let mut value = Set {
            open: true,
            items_open: true,
            ..Set::NOTHING
        };
        let builtin = super::special::BUILTINS.binary_search(&id).is_ok();
        if builtin {
            let path = self.symbols.module(&format!("builtins.{id}"));
            value.add(Atom::Path(path));
        }
        for module in self.world.stars.clone() {
            // A wildcard such as `os.exec*` gives no module a function that the language has.
            if let Some(path) = self.symbols.attribute(module, name)
                && (!builtin || self.symbols.facts(path).called)
            {
                value.add(Atom::Path(path));
            }
        }
        value
    }

    fn either(&mut self, values: &[Expr]) -> Set {
        let mut set = Set::NOTHING;
        for value in values {
            set.join(&self.eval(value));
        }
        set
    }

    fn container(&mut self, elements: &[Expr]) -> Set {
        let mut set = Set::NOTHING;
        for element in elements {
            let value = self.eval(element);
            set.hold(&value);
        }
        set
    }

    fn dict(&mut self, dict: &ast::ExprDict) -> Set {
        let mut set = Set::NOTHING;
        let mut entries = Vec::with_capacity(dict.items.len());
        let mut says_what_is_made = false;
        for item in &dict.items {
            if let Some(Expr::StringLiteral(key)) = &item.key {
                says_what_is_made |= matches!(key.value.to_str(), "()" | "class");
            }
            let key = item.key.as_ref().map(|key| self.eval(key));
            let value = self.eval(&item.value);
            set.hold(&value);
            if let Some(key) = &key {
                set.hold(key);
            }
            entries.push((key, value));
        }
        // Plain data, of which a program may hold a lot, needs no fields, unless it is the text of a configuration of logging.
        if !entries.is_empty() && !says_what_is_made && set.items.iter().all(|atom| atom.is_plain())
        {
            return set;
        }
        let record = self.world.record_of(dict.start().to_u32(), self.scope);
        set.add(Atom::Record(record));
        for (key, value) in entries {
            match key.and_then(|key| self.constant(&key)) {
                Some(key) => self.world.put(record, key, &value),
                None => self.world.derive(record, &value.element()),
            }
        }
        set
    }

    fn lambda(&mut self, lambda: &ast::ExprLambda) -> Set {
        let start = lambda.start().to_u32();
        let id = self.world.function_of(start);
        let scope = match &lambda.parameters {
            Some(params) => self.enter(id, start, params),
            None => self.world.scope_of(start, ScopeKind::Function, self.scope),
        };
        let around = std::mem::replace(&mut self.scope, scope);
        let value = self.eval(&lambda.body);
        self.world.give_back(id, &value);
        self.scope = around;
        Set::of(Atom::Function(id))
    }

    fn comprehension(
        &mut self,
        start: u32,
        generators: &[Comprehension],
        parts: &[Option<&Expr>],
    ) -> Set {
        let scope = self
            .world
            .scope_of(start, ScopeKind::Comprehension, self.scope);
        let around = std::mem::replace(&mut self.scope, scope);
        for generator in generators {
            let items = self.eval(&generator.iter).element();
            self.bind(&generator.target, &items);
            for test in &generator.ifs {
                self.eval(test);
            }
        }
        let mut set = Set::NOTHING;
        for part in parts.iter().flatten() {
            let value = self.eval(part);
            set.hold(&value);
        }
        self.scope = around;
        set
    }

    // -- texts --

    /// A constant text.
    pub(super) fn text(&mut self, text: &str) -> Set {
        if text.len() > TEXT_BYTES_MAX {
            return Set::UNKNOWN;
        }
        let symbol = self.symbols.intern(text);
        Set {
            items_open: true,
            ..Set::of(Atom::Text(symbol))
        }
    }

    /// The constant text that a set is, when it is nothing else.
    pub(super) fn constant(&self, set: &Set) -> Option<Symbol> {
        match set.own.as_slice() {
            [Atom::Text(text)] if !set.open => Some(*text),
            _ => None,
        }
    }

    fn formatted(&mut self, text: &ast::ExprFString) -> Set {
        let mut value = self.text("");
        for part in &text.value {
            match part {
                FStringPart::Literal(literal) => {
                    let part = self.text(&literal.value);
                    value = self.concatenated(&value, &part);
                }
                FStringPart::FString(part) => {
                    for element in &part.elements {
                        let part = self.element(element);
                        value = self.concatenated(&value, &part);
                    }
                }
            }
        }
        value
    }

    fn element(&mut self, element: &InterpolatedStringElement) -> Set {
        match element {
            InterpolatedStringElement::Literal(literal) => self.text(&literal.value),
            InterpolatedStringElement::Interpolation(inner) => {
                let value = self.eval(&inner.expression);
                let Some(format) = &inner.format_spec else {
                    return value;
                };
                for element in &format.elements {
                    self.element(element);
                }
                Set::UNKNOWN
            }
        }
    }

    fn operation(&mut self, operation: &ast::ExprBinOp) -> Set {
        let left = self.eval(&operation.left);
        let right = self.eval(&operation.right);
        match operation.op {
            Operator::Add => {
                let mut value = self.concatenated(&left, &right);
                for side in [&left, &right] {
                    value.items.extend(side.items.iter().copied());
                }
                value
            }
            Operator::Div => self.path_below(&left, &right),
            Operator::BitOr => {
                let mut value = left;
                value.join(&right);
                value
            }
            Operator::Mult => left,
            Operator::Sub
            | Operator::MatMult
            | Operator::Mod
            | Operator::Pow
            | Operator::LShift
            | Operator::RShift
            | Operator::BitXor
            | Operator::BitAnd
            | Operator::FloorDiv => Set::UNKNOWN,
        }
    }

    /// The texts of `left` followed by those of `right`; what is only partly known keeps its beginning.
    pub(super) fn concatenated(&mut self, left: &Set, right: &Set) -> Set {
        let mut value = Set::NOTHING;
        value.items_open = true;
        value.open = left.open || left.own.is_empty();
        let rest_open = right.open || right.own.is_empty();
        for first in &left.own {
            let Some(text) = first.text() else {
                value.open = true;
                if first.beginning().is_some() {
                    value.add(*first);
                }
                continue;
            };
            let text = self.symbols.text(text);
            if rest_open {
                value.add(Atom::Prefix(self.symbols.intern(&text)));
                value.open = true;
            }
            for second in &right.own {
                let Some(rest) = second.beginning() else {
                    value.add(Atom::Prefix(self.symbols.intern(&text)));
                    value.open = true;
                    continue;
                };
                let joined = format!("{text}{}", self.symbols.text(rest));
                if joined.len() > TEXT_BYTES_MAX {
                    value.open = true;
                    continue;
                }
                let joined = self.symbols.intern(&joined);
                let whole = second.text().is_some();
                value.open |= !whole;
                value.add(if whole {
                    Atom::Text(joined)
                } else {
                    Atom::Prefix(joined)
                });
            }
        }
        value
    }
}
