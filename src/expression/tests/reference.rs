//! What an expression refers to, and what it keeps through serde.

use super::super::{Reference, StatusFunction};
use super::Expression;

/// References as text: `root.key.key`, with `?` when guarded; `failed(fit)`.
fn references(text: &str) -> Vec<String> {
    let expression = Expression::parse(text).unwrap();
    let shown = |reference: &Reference| match reference {
        Reference::Path {
            root,
            path,
            guarded,
            ..
        } => {
            let mut parts = vec![root.clone()];
            parts.extend(path.iter().cloned());
            format!("{}{}", parts.join("."), if *guarded { "?" } else { "" })
        }
        Reference::Status { function, step, .. } => {
            format!("{function}({})", step.as_deref().unwrap_or_default())
        }
    };
    expression.references().iter().map(shown).collect()
}

#[test]
fn references_are_static() {
    for (text, wanted) in [
        (
            "steps.load.outputs[\"quality\"] > inputs.threshold",
            &["steps.load.outputs.quality", "inputs.threshold"][..],
        ),
        (
            "steps.load.outputs.bpms[0].name",
            &["steps.load.outputs.bpms"],
        ),
        (
            "steps.load.outputs[inputs.key].x",
            &["steps.load.outputs", "inputs.key"],
        ),
        (
            "steps.load.outputs.name.lower()",
            &["steps.load.outputs.name"],
        ),
        (
            "[b.name + s for b in steps.load.outputs.bpms]",
            &["s", "steps.load.outputs.bpms"],
        ),
        ("[x for x in x.y]", &["x.y"]),
        ("[y for x in a for y in x.b if y > c]", &["a", "c"]),
        (
            "default(steps.a.outputs.x, steps.b.outputs.y)",
            &["steps.a.outputs.x?", "steps.b.outputs.y"],
        ),
        (
            "exists(steps.a.outputs.x) and steps.a.outputs.x > 1",
            &["steps.a.outputs.x?", "steps.a.outputs.x"],
        ),
        ("default(default(a, b), c)", &["a?", "b?", "c"]),
        ("failed('fit') or always()", &["failed(fit)", "always()"]),
        ("1 + 2", &[]),
        ("x if y else z", &["x", "y", "z"]),
    ] {
        assert_eq!(references(text), wanted, "{text}");
    }
}

#[test]
fn references_know_their_place() {
    let text = "1 + steps.a.x + default(steps . b ['y'], 0)";
    let expression = Expression::parse(text).unwrap();
    let places: Vec<&str> = expression
        .references()
        .iter()
        .map(|reference| &text[reference.span().start..reference.span().end])
        .collect();
    assert_eq!(places, ["steps.a.x", "steps . b ['y']"]);
}

#[test]
fn status_functions_are_seen() {
    assert!(
        Expression::parse("failed('x') and y")
            .unwrap()
            .uses_status_function()
    );
    assert!(
        !Expression::parse("failed.x and y")
            .unwrap()
            .uses_status_function()
    );
    let expression = Expression::parse("skipped('x')").unwrap();
    let [Reference::Status { function, step, .. }] = expression.references() else {
        panic!("one status reference");
    };
    assert_eq!(
        (*function, step.as_deref()),
        (StatusFunction::Skipped, Some("x"))
    );
}

#[test]
fn serde_keeps_the_source() {
    let expression = Expression::parse(" steps.a.x + 1 ").unwrap();
    let json = serde_json::to_string(&expression).unwrap();
    assert_eq!(json, "\"steps.a.x + 1\"");
    let read: Expression = serde_json::from_str(&json).unwrap();
    assert_eq!(read, expression);
    assert_eq!(
        read.references(),
        Expression::parse("steps.a.x + 1").unwrap().references()
    );
    let refused = serde_json::from_str::<Expression>("\"1 +\"").unwrap_err();
    assert!(
        refused.to_string().contains("not an expression"),
        "{refused}"
    );
}
