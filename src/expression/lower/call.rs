//! Calls: the functions and methods of the tables, with the right number of arguments.

use ruff_python_ast as ast;

use crate::code;
use crate::diagnostic::Span;

use super::super::error::{Error, Fault};
use super::super::function::{self, Signature};
use super::super::method;
use super::super::reference::{Reference, StatusFunction};
use super::super::tree::{Call, Kind, Node};
use super::{Lowering, slip, span};

impl Lowering {
    pub(super) fn call(&mut self, call: &ast::ExprCall) -> Result<Kind, Error> {
        let callee = call.func.as_ref();
        if let Some(name) = callee.as_name_expr() {
            return self.function(name.id.as_str(), call);
        }
        match callee.as_attribute_expr() {
            Some(attribute) => self.method(attribute, call),
            None => {
                Err(Fault::not_allowed("only functions and methods can be called").at(span(callee)))
            }
        }
    }

    fn function(&mut self, name: &str, call: &ast::ExprCall) -> Result<Kind, Error> {
        let whole = span(call);
        match name {
            "default" => self.default(call),
            "exists" => {
                let [value] = exactly(call, "exists(expression)")?;
                self.guards += 1;
                let value = self.boxed(value);
                self.guards -= 1;
                Ok(Kind::Exists(value?))
            }
            "succeeded" => self.status(StatusFunction::Succeeded, call),
            "failed" => self.status(StatusFunction::Failed, call),
            "skipped" => self.status(StatusFunction::Skipped, call),
            "always" => {
                let [] = exactly(call, "always()")?;
                self.push_status(StatusFunction::Always, None, whole);
                Ok(Kind::Status(StatusFunction::Always, None))
            }
            _ => match function::find(name) {
                Some(signature) => self.table_function(signature, call),
                None => Err(unknown(
                    "function",
                    name,
                    &function::names(),
                    span(&*call.func),
                )),
            },
        }
    }

    fn default(&mut self, call: &ast::ExprCall) -> Result<Kind, Error> {
        let [value, fallback] = exactly(call, "default(expression, fallback)")?;
        self.guards += 1;
        let value = self.node(value);
        self.guards -= 1;
        Ok(Kind::Default(Box::new([value?, self.node(fallback)?])))
    }

    fn status(&mut self, function: StatusFunction, call: &ast::ExprCall) -> Result<Kind, Error> {
        let usage = format!("{function}('step_id')");
        let [step] = exactly(call, &usage)?;
        let Some(text) = step.as_string_literal_expr() else {
            return Err(Fault::new(
                code::EXPRESSION_ARGUMENTS,
                format!("`{function}` takes the id of a step as a plain string"),
            )
            .help(format!(
                "write `{usage}`: the edge between the steps is drawn from it"
            ))
            .at(span(step)));
        };
        let step = text.value.to_str();
        self.push_status(function, Some(step.to_owned()), span(call));
        Ok(Kind::Status(function, Some(step.into())))
    }

    fn push_status(&mut self, function: StatusFunction, step: Option<String>, span: Span) {
        self.references.push(Reference::Status {
            function,
            step,
            span,
        });
    }

    fn table_function(
        &mut self,
        signature: Signature,
        call: &ast::ExprCall,
    ) -> Result<Kind, Error> {
        let wrong = |message: String, at: Span| {
            Fault::new(code::EXPRESSION_ARGUMENTS, message)
                .help(format!("write `{}`", signature.usage))
                .at(at)
        };
        let count = call.arguments.args.len();
        if !(signature.least..=signature.most).contains(&count) {
            let message = format!("`{}` does not take {}", signature.name, arguments(count));
            return Err(wrong(message, span(call)));
        }
        let mut option = None;
        for keyword in &call.arguments.keywords {
            let name = keyword.arg.as_ref().map_or("**", |name| name.as_str());
            if signature.keyword != Some(name) || option.is_some() {
                let message = format!("`{}` has no argument `{name}=`", signature.name);
                return Err(wrong(message, span(keyword)));
            }
            option = Some(self.boxed(&keyword.value)?);
        }
        Ok(Kind::Call(Call {
            function: signature.function,
            arguments: self.arguments(&call.arguments.args)?,
            option,
        }))
    }

    fn method(
        &mut self,
        attribute: &ast::ExprAttribute,
        call: &ast::ExprCall,
    ) -> Result<Kind, Error> {
        let name = attribute.attr.as_str();
        let Some((method, name, least, most)) = method::find(name) else {
            let fault = unknown("method", name, &method::names(), span(&attribute.attr));
            return Err(fault);
        };
        if let Some(keyword) = call.arguments.keywords.first() {
            return Err(Fault::new(
                code::EXPRESSION_ARGUMENTS,
                format!("`.{name}()` has no named arguments"),
            )
            .at(span(keyword)));
        }
        let count = call.arguments.args.len();
        if !(least..=most).contains(&count) {
            let wanted = if least == most {
                arguments(least)
            } else {
                format!("{least} to {}", arguments(most))
            };
            return Err(Fault::new(
                code::EXPRESSION_ARGUMENTS,
                format!("`.{name}()` takes {wanted}, not {count}"),
            )
            .at(span(call)));
        }
        let receiver = self.boxed(&attribute.value)?;
        Ok(Kind::Method(
            method,
            receiver,
            self.arguments(&call.arguments.args)?,
        ))
    }

    /// Positional arguments; one alone may be a comprehension without brackets.
    fn arguments(&mut self, exprs: &[ast::Expr]) -> Result<Vec<Node>, Error> {
        if let [ast::Expr::Generator(generator)] = exprs {
            let kind = self.generator(generator)?;
            let span = span(generator);
            return Ok(vec![Node { kind, span }]);
        }
        self.nodes(exprs)
    }
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        _ => format!("{count} arguments"),
    }
}

/// The arguments of a special function, which has no named ones.
fn exactly<'c, const N: usize>(
    call: &'c ast::ExprCall,
    usage: &str,
) -> Result<&'c [ast::Expr; N], Error> {
    let found: Option<&[ast::Expr; N]> = call.arguments.args.as_ref().try_into().ok();
    match found {
        Some(arguments) if call.arguments.keywords.is_empty() => Ok(arguments),
        Some(_) | None => Err(Fault::new(
            code::EXPRESSION_ARGUMENTS,
            format!("wrong arguments: write `{usage}`"),
        )
        .at(span(call))),
    }
}

fn unknown(sort: &str, name: &str, known: &[&str], at: Span) -> Error {
    let shown = super::super::error::clipped(name);
    let fault = Fault::new(
        code::EXPRESSION_UNKNOWN_FUNCTION,
        format!("unknown {sort} `{shown}`"),
    );
    let fault = match crate::diagnostic::did_you_mean(name, known.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    };
    let fault = match slip::instead_of(name) {
        Some(line) => fault.help(line),
        None => fault,
    };
    fault.help(format!("{sort}s: {}", known.join(", "))).at(at)
}
