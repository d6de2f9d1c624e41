//! The agreement table.

use super::{
    link::{Cell, Row, Statement, Type},
    row::{Reader, json, word},
};
use crate::{
    domain::{AccessKey, Agreement, Uuid},
    ports::StoreError,
};

macro_rules! columns {
    () => {
        "uuid, name, direction, kind, url, status, deactivated_by, reason, terms, profile, accepting, declared, messages, \
         version, created_at, updated_at"
    };
}

pub(super) const ALL: &str = concat!("select ", columns!(), " from agreement order by created_at desc, uuid");
pub(super) const NAMED: &str = concat!(
    "select ",
    columns!(),
    " from agreement where uuid in (select wanted from {rows}) union select ",
    columns!(),
    " from agreement where name in (select wanted from {rows})"
);
pub(super) const WANTED: &[(&str, Type)] = &[("wanted", Type::Text)];

pub(super) fn read(row: Row) -> Result<Agreement, StoreError> {
    let mut row = Reader::new("agreement", row);
    Ok(Agreement {
        uuid: row.uuid()?,
        name: row.text()?,
        direction: row.word()?,
        kind: row.word()?,
        url: row.optional_text(),
        status: row.word()?,
        deactivated_by: row
            .optional_text()
            .and_then(|party| serde_json::from_value(serde_json::Value::from(party)).ok()),
        reason: row.optional_text(),
        terms: row.json()?,
        profile: row.word()?,
        accepting: row.flag()?,
        declared: row.flag()?,
        messages: row.int()?,
        version: row.int()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

/// Writes an agreement over the version that was read.
pub(super) fn write(agreement: &Agreement) -> Statement {
    const SQL: &str = "insert into agreement (uuid, name, direction, kind, url, status, deactivated_by, reason, terms, \
        profile, accepting, declared, access_key, messages, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14 + 1, $15, $16) \
        on conflict (uuid) do update set name = excluded.name, url = excluded.url, status = excluded.status, \
        deactivated_by = excluded.deactivated_by, reason = excluded.reason, terms = excluded.terms, \
        profile = excluded.profile, accepting = excluded.accepting, declared = excluded.declared, \
        messages = excluded.messages, version = excluded.version, updated_at = excluded.updated_at \
        where agreement.version = excluded.version - 1";
    let args: Vec<Cell> = vec![
        (&agreement.uuid).into(),
        agreement.name.as_str().into(),
        word(&agreement.direction),
        word(&agreement.kind),
        agreement.url.clone().into(),
        agreement.status.as_str().into(),
        agreement.deactivated_by.map(crate::domain::Party::as_str).into(),
        agreement.reason.clone().into(),
        json(&agreement.terms),
        word(&agreement.profile),
        agreement.accepting.into(),
        agreement.declared.into(),
        agreement.messages.into(),
        agreement.version.into(),
        agreement.created_at.into(),
        agreement.updated_at.into(),
    ];
    Statement { expect: Some(1), ..Statement::new(SQL, args) }
}

pub(super) fn write_key(agreement: &Uuid, key: &AccessKey) -> Statement {
    let args = vec![agreement.into(), key.reveal().into()];
    Statement {
        expect: Some(1),
        ..Statement::new("update agreement set access_key = $2 where uuid = $1", args)
    }
}

pub(super) fn read_key(agreement: &Uuid) -> Statement {
    let sql = "select access_key from agreement where uuid = $1 and access_key <> ''";
    Statement::new(sql, vec![agreement.into()])
}
