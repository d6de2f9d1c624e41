//! Taking a row apart, column by column, and saying which column of which table could not be read.

use serde::{Serialize, de::DeserializeOwned};

use super::link::{Cell, Row};
use crate::{
    domain::{Timestamp, Uuid, written},
    ports::StoreError,
};

/// A row being read from left to right.
pub(super) struct Reader {
    table: &'static str,
    at: usize,
    cells: std::vec::IntoIter<Cell>,
}

impl Reader {
    pub(super) fn new(table: &'static str, row: Row) -> Self {
        Self { table, at: 0, cells: row.into_iter() }
    }

    fn next(&mut self) -> Cell {
        self.at += 1;
        self.cells.next().unwrap_or(Cell::Null)
    }

    fn broken(&self, what: &str) -> StoreError {
        StoreError::Broken(format!("column {} of table {} {what}", self.at, self.table))
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        match self.next() {
            Cell::Text(text) => Ok(text),
            Cell::Shared(text) => Ok(text.as_ref().to_owned()),
            Cell::Int(value) => Ok(value.to_string()),
            Cell::Null => Err(self.broken("is null")),
        }
    }

    pub(super) fn optional_text(&mut self) -> Option<String> {
        match self.next() {
            Cell::Text(text) => Some(text),
            Cell::Shared(text) => Some(text.as_ref().to_owned()),
            Cell::Int(value) => Some(value.to_string()),
            Cell::Null => None,
        }
    }

    pub(super) fn int(&mut self) -> Result<i64, StoreError> {
        match self.next() {
            Cell::Int(value) => Ok(value),
            Cell::Text(text) => text.parse().map_err(|_| self.broken("is no number")),
            Cell::Shared(text) => text.parse().map_err(|_| self.broken("is no number")),
            Cell::Null => Err(self.broken("is null")),
        }
    }

    pub(super) fn optional_time(&mut self) -> Option<Timestamp> {
        match self.next() {
            Cell::Int(value) => Some(Timestamp::from_millis(value)),
            _ => None,
        }
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.int().map(Timestamp::from_millis)
    }

    pub(super) fn flag(&mut self) -> Result<bool, StoreError> {
        self.int().map(|value| value != 0)
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, StoreError> {
        self.text().map(Uuid::new)
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text = self.text()?;
        read_kept(&text).map_err(|error| self.broken(&format!("cannot be read: {error}")))
    }

    /// A word of a fixed set, as serde writes it.
    pub(super) fn word<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let word = serde_json::Value::from(self.text()?);
        serde_json::from_value(word).map_err(|error| self.broken(&format!("cannot be read: {error}")))
    }
}

/// Reads a document that was written here. It may be deeper than what comes in may be: a value stands in it some levels further down.
pub(super) fn read_kept<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut document = serde_json::Deserializer::from_str(text);
    document.disable_recursion_limit();
    let read = T::deserialize(&mut document)?;
    document.end().map(|()| read)
}

/// A document column.
pub(super) fn json(value: &impl Serialize) -> Cell {
    Cell::Text(written(value, 128))
}

/// A document column that takes about so many bytes.
pub(super) fn json_of(value: &impl Serialize, about: usize) -> Cell {
    Cell::Text(written(value, about))
}

/// A column that holds a word of a fixed set.
pub(super) fn word(value: &impl Serialize) -> Cell {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Cell::Text(word),
        _ => Cell::Null,
    }
}
