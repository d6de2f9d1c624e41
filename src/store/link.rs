//! What one database does for the store: run statements, and transactions given as lists of them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::future::try_join_all;

use crate::ports::StoreError;

/// One value, going in or coming out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    /// A text that stands elsewhere too; only going in.
    Shared(Arc<str>),
}

/// The type of a column of [`Rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Text,
}

/// Many rows that travel in one statement, where it says `{rows}`: a table called `r` with these columns, the first of which is
/// null in none of them.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub columns: &'static [(&'static str, Type)],
    pub rows: Vec<Vec<Cell>>,
}

/// A statement: SQL that both databases read, with `$1`… for its arguments, or `{rows}`.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub sql: &'static str,
    pub args: Vec<Cell>,
    pub rows: Option<Rows>,
    /// How many rows it must touch; otherwise somebody else was faster, and the transaction is undone.
    pub expect: Option<u64>,
    /// It has nothing to do with the rows that others of its transaction write: all such may be run as one.
    pub apart: bool,
}

impl Statement {
    /// A statement with arguments.
    pub(super) fn new(sql: &'static str, args: Vec<Cell>) -> Self {
        Self { sql, args, rows: None, expect: None, apart: false }
    }

    /// A statement over many rows.
    pub(super) fn rows(
        sql: &'static str,
        columns: &'static [(&'static str, Type)],
        rows: Vec<Vec<Cell>>,
    ) -> Self {
        Self { sql, args: Vec::new(), rows: Some(Rows { columns, rows }), expect: None, apart: false }
    }

    /// A statement over many keys: `r.wanted`.
    pub(super) fn keys(sql: &'static str, keys: impl IntoIterator<Item = impl Into<Cell>>) -> Self {
        const KEY: &[(&str, Type)] = &[("wanted", Type::Text)];
        Self::rows(sql, KEY, keys.into_iter().map(|key| vec![key.into()]).collect())
    }

    /// It must touch as many rows as it has.
    pub(super) fn all(mut self) -> Self {
        self.expect = self.rows.as_ref().and_then(|rows| u64::try_from(rows.rows.len()).ok());
        self
    }

    /// It has nothing to do with what others of its transaction write.
    pub(super) fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// Whether it gives rows back.
    pub(super) fn gives_rows(&self) -> bool {
        self.sql.starts_with("select") || self.sql.starts_with("with") || self.sql.contains(" returning ")
    }
}

/// A text whose numbered arguments come after so many others.
pub(super) fn numbered_after(before: usize, sql: &str) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        match number.parse::<usize>() {
            Ok(number) => text.extend(["$", &(before + number).to_string(), rest]),
            Err(_) => text.extend(["$", part]),
        }
    }
    text
}

/// A row that came back.
pub(super) type Row = Vec<Cell>;

/// One database.
#[async_trait]
pub(super) trait Link: fmt::Debug + Send + Sync {
    /// Whether several daemons may work on it.
    fn is_shared(&self) -> bool;
    /// Connects, and runs the migrations that are missing.
    async fn prepare(&self) -> Result<(), StoreError>;
    /// So many places in the order of messages and comments, each after all that were given before.
    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError>;
    /// Runs a statement that only reads.
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError>;
    /// Runs statements that only read; returns what each gave back.
    async fn query_all(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        try_join_all(statements.into_iter().map(|statement| self.query(statement))).await
    }
    /// Runs statements in one transaction; returns what each gave back.
    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError>;
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}
impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<&crate::domain::Uuid> for Cell {
    fn from(value: &crate::domain::Uuid) -> Self {
        Self::Shared(value.into())
    }
}
impl From<crate::domain::Timestamp> for Cell {
    fn from(value: crate::domain::Timestamp) -> Self {
        Self::Int(value.millis())
    }
}
impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
