//! The picture of a plan: well formed, complete, the same every time.

use stepwell::plan::graph::to_svg;
use stepwell::plan::{Branch, ParallelStep, Plan, Step, StepKind};
use stepwell::workflow::{CompileOptions, NoSources, compile};

const TEXT: &str = r#"
version: 1
name: drawn
steps:
  - id: load
    set: {n: 1}
  - id: choose
    switch:
      - name: many
        when: ${{ steps.load.outputs.n > 3 and steps.load.outputs.n < 100 }}
        steps:
          - id: first
            set: {a: 1}
          - id: second
            set: {b: "${{ steps.first.outputs.a }}"}
        set: {x: 1}
      - name: few
        else: true
        set: {x: 2}
  - id: aside
    name: "Nebenbei < & \u00e9 \u6e2c\u8a66, a name that is far too long for one box"
    needs: []
    set: {y: 1}
  - id: last
    after: [aside]
    needs: [choose]
    if: ${{ steps.load.outputs.n > 0 }}
    set: {z: 1}
"#;

fn plan() -> Plan {
    let compiled = compile(
        "w.yml",
        TEXT.as_bytes(),
        &NoSources,
        &CompileOptions::default(),
    );
    let mut plan = compiled
        .plan
        .unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    plan.name = "a <b> & \"c\"".to_owned();
    plan
}

/// Every tag is closed in its order; the text in between holds no bare sign of XML.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("every tag ends");
        assert!(!text.contains('>'), "{part}");
        for entity in text.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;"]
                    .iter()
                    .any(|known| entity.starts_with(known)),
                "{part}"
            );
        }
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn every_step_and_every_arrow_is_drawn_and_text_is_escaped() {
    let svg = to_svg(&plan());
    well_formed(&svg);
    assert_eq!(svg, to_svg(&plan()));
    for text in [
        "a &lt;b&gt; &amp; &quot;c&quot;",
        ">first<",
        ">many<",
        ">few<",
        ">else<",
        "Nebenbei &lt; &amp; \u{e9}",
    ] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    // load to choose, first to second, aside, choose and load to last.
    assert_eq!(svg.matches("class=\"edge").count(), 5, "{svg}");
    assert_eq!(svg.matches("class=\"edge order\"").count(), 1);
    assert_eq!(svg.matches("class=\"container\"").count(), 1);
    assert_eq!(svg.matches("class=\"group\"").count(), 2);
}

#[test]
fn branches_are_boxes_too_and_an_empty_plan_is_a_picture() {
    let mut plan = plan();
    let mut steps: Vec<Step> = plan.steps.iter().cloned().collect();
    let branch = |name: &str, steps: &[&str]| Branch {
        name: name.to_owned(),
        steps: steps.iter().map(|path| (*path).into()).collect(),
    };
    steps[1].kind = StepKind::Parallel(ParallelStep {
        branches: vec![
            branch("left", &["choose.first"]),
            branch("right", &["choose.second"]),
        ],
    });
    plan.steps = steps.into();
    let svg = to_svg(&plan);
    well_formed(&svg);
    assert!(svg.contains(">left<") && svg.contains(">right<"));
    // From one branch into the other: no arrow, they are not of one group.
    assert_eq!(svg.matches("class=\"edge").count(), 4);
    plan.steps = Vec::new().into();
    well_formed(&to_svg(&plan));
}
