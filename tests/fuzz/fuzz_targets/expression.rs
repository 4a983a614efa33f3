//! Any text: read or refused, evaluated or refused, never a panic; and reading is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use stepwell::expression::{Expression, Lookup, Scope, StepStatusWord, Template};

struct Data(Value);

impl Scope for Data {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        match path.first().and_then(|root| self.0.get(*root)) {
            Some(value) => Lookup::Json { value, used: 1 },
            None => Lookup::Unknown { known: Vec::new() },
        }
    }

    fn status(&self, step: &str) -> Option<StepStatusWord> {
        (step == "a").then_some(StepStatusWord::Failed)
    }
}

fuzz_target!(|text: &str| {
    let data = Data(json!({"x": 7, "s": "a b", "xs": [3, 1.5, "é"], "m": {"a": {"b": null}}}));
    if let Ok(expression) = Expression::parse(text) {
        assert_eq!(Expression::parse(expression.source()).as_ref(), Ok(&expression));
        let _ = expression.evaluate(&data);
    }
    if let Ok(template) = Template::parse_text(text) {
        assert_eq!(Template::from_json(&template.to_json()).as_ref(), Ok(&template));
        let _ = template.evaluate(&data);
    }
});
