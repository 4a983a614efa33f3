//! Rows in columns.

use console::{Term, measure_text_width, truncate_str};

use super::text::dim;

/// Gap between columns, in characters.
const GAP: usize = 2;
/// Widest cell on a terminal, in columns, the last one of a row excepted; elsewhere nothing is cut.
const CELL_COLUMNS_MAX: usize = 28;

/// Lays rows out under a head; the last column is not padded. On a terminal every row is one line.
pub(in crate::cli) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let terminal = Term::stdout();
    let edge = terminal.is_term().then(|| usize::from(terminal.size().1));
    laid(head, rows, edge)
}

fn laid<const N: usize>(head: [&str; N], rows: &[[String; N]], edge: Option<usize>) -> String {
    let Some(edge) = edge else {
        return columns(head, rows);
    };
    let cut = |text: &str, width: usize| truncate_str(text, width, "…").into_owned();
    let mut narrow = rows.to_vec();
    for cell in narrow.iter_mut().flat_map(|row| row.iter_mut().take(N - 1)) {
        *cell = cut(cell, CELL_COLUMNS_MAX);
    }
    columns(head, &narrow)
        .lines()
        .map(|row| format!("{}\n", cut(row, edge)))
        .collect()
}

fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| measure_text_width(cell));
            cells
                .chain(head.get(column).map(|cell| measure_text_width(cell)))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let head = head.map(dim);
    std::iter::once(&head)
        .chain(rows)
        .map(|row| lay(row, &widths))
        .collect()
}

fn lay(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in row.iter().zip(widths) {
        text.push_str(cell);
        let missing = width.saturating_sub(measure_text_width(cell));
        text.push_str(&" ".repeat(missing + GAP));
    }
    format!("{}\n", text.trim_end())
}

/// Names and what they mean, one a line, indented; the names are padded to the widest.
pub(in crate::cli) fn pairs(pairs: &[(String, String)], indent: usize) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| measure_text_width(name))
        .max()
        .unwrap_or(0);
    pairs
        .iter()
        .map(|(name, text)| {
            let gap = " ".repeat(width.saturating_sub(measure_text_width(name)) + GAP);
            format!(
                "{}\n",
                format!("{}{name}{gap}{text}", " ".repeat(indent)).trim_end()
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_colours_take_no_room() {
        let rows = [
            ["é".to_owned(), "1".to_owned()],
            ["\u{1b}[32mabc\u{1b}[0m".to_owned(), String::new()],
        ];
        console::set_colors_enabled(false);
        let expected = "A    B\né    1\n\u{1b}[32mabc\u{1b}[0m\n";
        assert_eq!(laid(["A", "B"], &rows, None), expected);
        let named = [("a".into(), "1".into()), ("bcd".into(), "2".into())];
        let long = [["x".repeat(40), "run it now?".to_owned()]];
        let cut = laid(["A", "B"], &long, Some(36));
        assert_eq!(
            cut.lines().last(),
            Some(format!("{}…  run i…", "x".repeat(27)).as_str())
        );
        assert_eq!(pairs(&named, 1), " a    1\n bcd  2\n");
    }
}
