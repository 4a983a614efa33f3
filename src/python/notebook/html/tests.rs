use serde_json::json;

use super::*;

fn shown(cells: &Value) -> String {
    page(&json!({"cells": cells}), "a <title>")
}

fn html_of(html: &str) -> String {
    shown(&json!([{"cell_type": "code", "source": "", "outputs": [
        {"output_type": "display_data", "data": {"text/html": html, "text/plain": "plain"}}
    ]}]))
}

#[test]
fn text_streams_tables_and_pictures_are_shown() {
    let text = shown(&json!([
        {"cell_type": "markdown", "source": ["# Head *ing*\n", "\n", "| a | b |\n", "|---|---|\n", "| <code>1 &lt; 2</code> | **x** |\n"]},
        {"cell_type": "code", "execution_count": 3, "source": "a < b", "outputs": [
            {"output_type": "stream", "name": "stdout", "text": "\u{1b}[31mred\u{1b}[0m <b>"},
            {"output_type": "error", "traceback": ["Traceback", "Error: <x>"]},
            {"output_type": "display_data", "data": {"image/png": "iVBO\nRw==", "text/plain": "my \"figure\""}},
            {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload='x'/>", "text/plain": ""}},
        ]},
    ]));
    for piece in [
        "<title>a &lt;title&gt;</title>",
        "<h1>Head <em>ing</em></h1>",
        "<td><code>1 &lt; 2</code></td><td><strong>x</strong></td>",
        "<div class=\"count\">3</div>",
        "<pre class=\"stdout\">red &lt;b&gt;</pre>",
        "Error: &lt;x&gt;",
        "alt=\"my &quot;figure&quot;\" src=\"data:image/png;base64,iVBORw==\"",
        "src=\"data:image/svg+xml;base64,",
    ] {
        assert!(text.contains(piece), "{piece}\n{text}");
    }
}

#[test]
fn tables_are_built_anew_and_any_other_html_is_put_into_a_frame_that_runs_nothing() {
    let table = "<style scoped>td {color: red}</style><table border=\"1\" onclick=\"x()\"><tr><td colspan=\"2\">1 &amp; <b>2</b></td></tr></table></main>";
    let text = html_of(&table.replace("</main>", ""));
    assert!(text.contains("<div class=\"rich\"><table><tr><td colspan=\"2\">1 &amp; <b>2</b></td></tr></table></div>"), "{text}");
    for evil in [
        "<script>alert(1)</script>",
        "<table><tr><td><img src=x onerror=alert(1)></td></tr></table>",
        "<svg/onload=alert(1)>",
        "<iframe src=\"https://evil.example\"></iframe>",
        table,
        "<a href=\"javascript:alert(1)\">x</a>",
        "\"></iframe><script>alert(1)</script>",
        "<table",
    ] {
        let text = html_of(evil);
        let body = text.split_once("<main>").unwrap().1;
        assert!(body.contains("<iframe sandbox=\"\" "), "{evil}");
        assert_eq!(body.matches("<iframe").count(), 1, "{evil}");
        for mark in [
            "<script",
            "<img",
            "<svg",
            "<a ",
            "</main><",
            "https://evil.example\">",
        ] {
            assert!(!body.contains(mark), "{evil}: {mark}");
        }
    }
}

#[test]
fn nothing_of_text_becomes_a_mark() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](https://x.example/p) `<i>` &lt;u> <code><s></code>";
    let text = shown(&json!([
        {"cell_type": "markdown", "source": format!("# {EVIL}\n\n{EVIL}\n\n- {EVIL}\n\n> {EVIL}\n\n| {EVIL} |\n|---|\n| {EVIL} |\n\n```\n{EVIL}\n")},
        {"cell_type": "raw", "source": EVIL},
        {"cell_type": "code", "source": EVIL, "outputs": [
            {"output_type": "stream", "name": EVIL, "text": EVIL},
            {"output_type": "error", "traceback": [EVIL]},
            {"output_type": "display_data", "data": {"text/plain": EVIL}},
            {"output_type": "display_data", "data": {"text/markdown": EVIL}},
            {"output_type": "display_data", "data": {"image/png": EVIL, "text/plain": EVIL}},
            {"output_type": EVIL},
        ]},
    ]));
    let body = text.split_once("<main>").unwrap().1;
    for mark in [
        "<script",
        "<img src=x",
        "<i>",
        "<u>",
        "<s>",
        "href=\"javascript",
        "onerror=alert(1)>",
    ] {
        assert!(!body.contains(mark), "{mark}\n{body}");
    }
    assert_eq!(body.matches("<img ").count(), 1);
}

proptest::proptest! {
    #[test]
    fn any_text_keeps_the_page_whole(text in "(?s).{0,60}", html in "[<>/a-z \"'=&;!-]{0,60}") {
        let page = shown(&json!([
            {"cell_type": "markdown", "source": text},
            {"cell_type": "code", "source": html, "outputs": [
                {"output_type": "display_data", "data": {"text/html": html}},
                {"output_type": "display_data", "data": {"text/markdown": html}},
            ]},
        ]));
        proptest::prop_assert!(page.ends_with("</main>\n</body>\n</html>\n"));
        proptest::prop_assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
        proptest::prop_assert!(!page.contains("<script"));
    }
}
