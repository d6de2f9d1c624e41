//! Answers for people (tables, lines) and for programs (JSON).

use std::io::{ErrorKind, Write};

use anyhow::Result;
use serde_json::Value;

/// Writes a line, or several; a reader that has gone away is fine.
pub(super) fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{}", shown(text)) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes a value as JSON.
pub(super) fn json(value: &Value) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// The text of a member, however deep (`terms.comments`).
pub(super) fn text(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, key| value.get(key));
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A text that others wrote, for a terminal, which takes control characters for orders.
fn shown(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

/// Writes rows as a table: title and path of each column.
pub(super) fn table(rows: &[Value], columns: &[(&str, &str)]) -> Result<()> {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect()];
    lines.extend(
        rows.iter().map(|row| columns.iter().map(|(_, path)| text(row, path).replace('\n', " ")).collect()),
    );
    let width = |at: usize| {
        lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for cells in &lines {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes an object, a member a line.
pub(super) fn members(value: &Value) -> Result<()> {
    let Value::Object(object) = value else { return json(value) };
    for (name, member) in object {
        match member {
            Value::Null => {}
            Value::String(text) => line(&format!("{name:<20} {text}"))?,
            other => line(&format!("{name:<20} {other}"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_partners_write_gives_the_terminal_no_orders() {
        assert_eq!(shown("Lens\u{1b}[2J\u{7}\r\nPartner, Zoë"), "Lens [2J  \nPartner, Zoë");
    }
}
