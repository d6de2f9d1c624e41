//! Several statements of SQLite's as one text. Its connection lives on a thread of its own, and on a busy machine the way there
//! and back takes longer than what is done there: it is taken once for all of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::link::{Cell, Rows, Statement, Type, numbered_after};

/// Rows of so many columns or more travel as bound values: taking them out of JSON would read each row once a column.
const WIDE: usize = 4;
/// How many wide rows go at once: a few numbers, so that there are few statements, each prepared once.
const SIZES: [usize; 5] = [512, 128, 32, 8, 1];

/// Statements as one text, with the values of all of them.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The text.
    pub text: String,
    /// The values: first those of wide rows, which have no numbers, then those that the text numbers.
    pub args: Vec<Cell>,
    /// For each statement of the text, which of the given ones it is a piece of.
    pub of: Vec<usize>,
}

enum Piece {
    Wide(Arc<str>),
    Numbered(&'static str, Option<Rows>, Vec<Cell>),
}

impl Script {
    /// Puts statements together.
    pub(super) fn new(statements: Vec<Statement>) -> Self {
        let (mut script, mut pieces) = (Self::default(), Vec::new());
        for (at, Statement { sql, args, rows, .. }) in statements.into_iter().enumerate() {
            match rows {
                Some(rows) if rows.columns.len() >= WIDE => script.wide(at, sql, rows, &mut pieces),
                rows => {
                    script.of.push(at);
                    pieces.push(Piece::Numbered(sql, rows, args));
                }
            }
        }
        for piece in pieces {
            match piece {
                Piece::Wide(text) => script.text.push_str(&text),
                Piece::Numbered(sql, None, args) => script.numbered(sql, args),
                Piece::Numbered(sql, Some(rows), _) => {
                    let json = json(&rows);
                    script.numbered(&sql.replace("{rows}", &table(&rows)), vec![Cell::Text(json)]);
                }
            }
            script.text.push_str(";\n");
        }
        script
    }

    fn wide(&mut self, at: usize, sql: &'static str, rows: Rows, pieces: &mut Vec<Piece>) {
        let width = rows.columns.len();
        let mut left = rows.rows.into_iter();
        while left.len() > 0 {
            let size = size(left.len());
            let end = self.args.len() + size * width;
            self.args.extend(left.by_ref().take(size).flatten());
            // Rows that are none fill it up.
            self.args.resize(end, Cell::Null);
            self.of.push(at);
            pieces.push(Piece::Wide(values(sql, rows.columns, size)));
        }
    }

    /// A statement whose numbers begin after the values that are there already.
    fn numbered(&mut self, sql: &str, args: Vec<Cell>) {
        self.text.push_str(&numbered_after(self.args.len(), sql));
        self.args.extend(args);
    }
}

/// How many rows the next piece has; it may be more than are left.
fn size(left: usize) -> usize {
    let least_above = SIZES.into_iter().rev().find(|size| *size >= left);
    let most_below = SIZES.into_iter().find(|size| *size <= left).unwrap_or(1);
    least_above.filter(|size| left * 2 > *size).unwrap_or(most_below)
}

/// The text of a statement over so many wide rows; made once.
fn values(sql: &'static str, columns: &[(&'static str, Type)], count: usize) -> Arc<str> {
    static TEXTS: RwLock<BTreeMap<(usize, usize), Arc<str>>> = RwLock::new(BTreeMap::new());
    let key = (sql.as_ptr() as usize, count);
    if let Some(text) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return text.clone();
    }
    let names = columns.iter().enumerate().map(|(at, (name, _))| format!("column{} as {name}", at + 1));
    let names: Vec<String> = names.collect();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let rows = vec![row; count].join(", ");
    let table = format!("(select {} from (values {rows}) where column1 is not null) as r", names.join(", "));
    let text: Arc<str> = sql.replace("{rows}", &table).into();
    TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.clone());
    text
}

/// Narrow rows travel as one JSON array of arrays; a single column as one array.
fn table(rows: &Rows) -> String {
    if let [(name, _)] = rows.columns {
        return format!("(select value as {name} from json_each($1)) as r");
    }
    let columns: Vec<_> =
        rows.columns.iter().enumerate().map(|(at, (name, _))| format!("value->>{at} as {name}")).collect();
    format!("(select {} from json_each($1)) as r", columns.join(", "))
}

fn json(rows: &Rows) -> String {
    let value = |cell: &Cell| match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Int(value) => (*value).into(),
        Cell::Text(value) => value.as_str().into(),
        Cell::Shared(value) => (**value).into(),
    };
    let alone = rows.columns.len() == 1;
    let row = |row: &Vec<Cell>| match row.as_slice() {
        [one] if alone => value(one),
        cells => cells.iter().map(value).collect(),
    };
    serde_json::Value::Array(rows.rows.iter().map(row).collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: &[(&str, Type)] = &[("a", Type::Int), ("b", Type::Int), ("c", Type::Int), ("d", Type::Int)];

    #[test]
    fn numbers_go_on_behind_the_values_of_wide_rows_and_of_the_statements_before() {
        let wide = (0..9_i64).map(|n| vec![n.into(), n.into(), n.into(), n.into()]).collect();
        let script = Script::new(vec![
            Statement::new("select $2, $1", vec![1.into(), 2.into()]),
            Statement::rows("insert into t select a, b, c, d from {rows}", FOUR, wide),
            Statement::rows(
                "delete from t where a in (select a from {rows})",
                &FOUR[..1],
                vec![vec![7.into()]],
            ),
            Statement::new("select '$' || $1", vec![3.into()]),
        ]);
        // Nine rows are eight and one.
        assert_eq!(script.of, [0, 1, 1, 2, 3]);
        assert!(script.text.starts_with("select $38, $37;\n"), "{}", script.text);
        assert!(script.text.contains("json_each($39)"), "{}", script.text);
        assert!(script.text.ends_with("select '$' || $40;\n"), "{}", script.text);
        assert_eq!(script.args.len(), 9 * 4 + 2 + 1 + 1);
    }

    #[test]
    fn a_piece_is_half_full_at_least_and_all_rows_find_room() {
        for count in 1..2000 {
            let (mut left, mut pieces) = (count, 0);
            while left > 0 {
                let size = size(left);
                assert!(left.min(size) * 2 > size, "{left} rows in a piece of {size}");
                left = left.saturating_sub(size);
                pieces += 1;
            }
            assert!(pieces <= count / 512 + 8, "{count} rows in {pieces} pieces");
        }
    }
}
