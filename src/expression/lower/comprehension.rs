//! Comprehensions: `[x for x in xs if x > 0]`, `{k: v for k, v in d.items()}`.

use ruff_python_ast as ast;

use super::super::error::{Error, Fault};
use super::super::limit::FOR_CLAUSES_MAX;
use super::super::tree::{Clause, Comprehension, Element, Kind, Targets};
use super::{Lowering, span};

impl Lowering {
    pub(super) fn list_comprehension(
        &mut self,
        element: &ast::Expr,
        generators: &[ast::Comprehension],
    ) -> Result<Kind, Error> {
        self.comprehension(generators, false, |lowering| {
            lowering.node(element).map(Element::Item)
        })
    }

    /// A comprehension without brackets, as the only argument of a function.
    pub(super) fn generator(&mut self, generator: &ast::ExprGenerator) -> Result<Kind, Error> {
        self.comprehension(&generator.generators, true, |lowering| {
            lowering.node(&generator.elt).map(Element::Item)
        })
    }

    pub(super) fn dict_comprehension(&mut self, dict: &ast::ExprDictComp) -> Result<Kind, Error> {
        let Some(key) = &dict.key else {
            return Err(super::slip::unpacking(span(dict)));
        };
        self.comprehension(&dict.generators, false, |lowering| {
            Ok(Element::Pair(
                lowering.node(key)?,
                lowering.node(&dict.value)?,
            ))
        })
    }

    fn comprehension(
        &mut self,
        generators: &[ast::Comprehension],
        lazy: bool,
        element: impl FnOnce(&mut Self) -> Result<Element, Error>,
    ) -> Result<Kind, Error> {
        if let Some(third) = generators.get(FOR_CLAUSES_MAX) {
            return Err(Fault::too_large(format!(
                "a comprehension has at most {FOR_CLAUSES_MAX} `for`"
            ))
            .help("compute it in a step")
            .at(span(third)));
        }
        let outer = self.locals.len();
        let mut clauses = Vec::with_capacity(generators.len());
        for generator in generators {
            clauses.push(self.clause(generator)?);
        }
        let element = element(self)?;
        self.locals.truncate(outer);
        Ok(Kind::Comprehension(Box::new(Comprehension {
            element,
            clauses,
            lazy,
        })))
    }

    fn clause(&mut self, generator: &ast::Comprehension) -> Result<Clause, Error> {
        if generator.is_async {
            return Err(
                Fault::not_allowed("`async for` is not part of the expression language")
                    .at(span(generator)),
            );
        }
        let iterable = self.node(&generator.iter)?;
        let targets = targets(&generator.target)?;
        self.locals.extend(targets.names().iter().cloned());
        Ok(Clause {
            targets,
            iterable,
            conditions: self.nodes(&generator.ifs)?,
        })
    }
}

fn targets(target: &ast::Expr) -> Result<Targets, Error> {
    let name = |expr: &ast::Expr| {
        expr.as_name_expr()
            .map(|name| Box::<str>::from(name.id.as_str()))
            .ok_or_else(|| {
                Fault::not_allowed("`for` binds a name, or names with commas between them")
                    .help("write `for x in xs` or `for key, value in map.items()`")
                    .at(span(expr))
            })
    };
    match target.as_tuple_expr() {
        Some(tuple) => {
            let names = tuple.elts.iter().map(name).collect::<Result<_, _>>()?;
            Ok(Targets::Unpacked(names, span(tuple)))
        }
        None => name(target).map(Targets::One),
    }
}
