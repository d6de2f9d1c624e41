//! The agreement table.

use serde::{Deserialize, Serialize};

use super::{
    link::{Cell, Row, Statement, Type},
    row::{Reader, json, word},
    vault::{Kept, Vault},
};
use crate::{
    domain::{Agreement, Catalogue, DeclaredAs, Doer, Failing, Jira, Keys, Local, Uuid},
    engine::agreement::NewKey,
    ports::StoreError,
};

macro_rules! columns {
    () => {
        "uuid, name, direction, kind, url, status, deactivated_by, reason, terms, profile, accepting, declared, messages, \
         version, created_at, updated_at, doc"
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

/// What of an agreement no statement asks for.
#[derive(Default, Deserialize, Serialize)]
struct Doc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_by: Option<Doer>,
    #[serde(default, skip_serializing_if = "Local::is_usual")]
    local: Local,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jira: Option<Jira>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    own_name: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing: Option<Failing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    declared_as: Option<DeclaredAs>,
}

pub(super) fn read(row: Row) -> Result<Agreement, StoreError> {
    let doc: Doc = match row.last() {
        Some(Cell::Text(doc)) if doc != "{}" => serde_json::from_str(doc).map_err(|error| {
            StoreError::Broken(format!("column doc of table agreement cannot be read: {error}"))
        })?,
        _ => Doc::default(),
    };
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
        changed_by: doc.changed_by,
        local: doc.local,
        jira: doc.jira,
        own_name: doc.own_name,
        failing: doc.failing,
        said_url: doc.said_url,
        declared_as: doc.declared_as,
    })
}

/// Writes an agreement over the version that was read.
pub(super) fn write(agreement: &Agreement) -> Statement {
    const SQL: &str = "insert into agreement (uuid, name, direction, kind, url, status, deactivated_by, reason, terms, \
        profile, accepting, declared, access_key, messages, version, created_at, updated_at, doc) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14 + 1, $15, $16, $17) \
        on conflict (uuid) do update set name = excluded.name, kind = excluded.kind, url = excluded.url, status = excluded.status, \
        deactivated_by = excluded.deactivated_by, reason = excluded.reason, terms = excluded.terms, \
        profile = excluded.profile, accepting = excluded.accepting, declared = excluded.declared, \
        messages = excluded.messages, version = excluded.version, updated_at = excluded.updated_at, doc = excluded.doc \
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
        json(&Doc {
            changed_by: agreement.changed_by.clone(),
            local: agreement.local.clone(),
            jira: agreement.jira.clone(),
            own_name: agreement.own_name,
            failing: agreement.failing,
            said_url: agreement.said_url.clone(),
            declared_as: agreement.declared_as.clone(),
        }),
    ];
    Statement { expect: Some(1), ..Statement::new(SQL, args) }
}

pub(super) fn write_key(agreement: &Uuid, key: &NewKey, vault: &Vault) -> Result<Statement, StoreError> {
    let (sql, args): (_, Vec<Cell>) = match key {
        NewKey::Set(key) => {
            let kept = vault.seal(agreement, key)?;
            let sql = "update agreement set access_key = $2, sealed = $3, next_key = '' where uuid = $1";
            (sql, vec![agreement.into(), kept.text.into(), kept.sealed.into()])
        }
        NewKey::Next(key) => {
            let kept = vault.seal(agreement, key)?;
            let sql = "update agreement set next_key = $2 where uuid = $1 and sealed = $3 and next_key = ''";
            (sql, vec![agreement.into(), kept.text.into(), kept.sealed.into()])
        }
        NewKey::Promoted => {
            let sql = "update agreement set access_key = next_key, next_key = '' where uuid = $1 and next_key <> ''";
            (sql, vec![agreement.into()])
        }
        NewKey::Dropped => ("update agreement set next_key = '' where uuid = $1", vec![agreement.into()]),
    };
    // Of two who rotate at once the first wins, and both announce its key; a second answer to it finds nothing to do.
    let expect = matches!(key, NewKey::Set(_)).then_some(1);
    Ok(Statement { expect, ..Statement::new(sql, args) })
}

pub(super) fn read_keys(agreement: &Uuid) -> Statement {
    let sql = "select uuid, access_key, next_key, sealed from agreement where uuid = $1 and access_key <> ''";
    Statement::new(sql, vec![agreement.into()])
}

/// All keys, for a start to look at: whether they open, and which are not sealed yet.
pub(super) const ALL_KEYS: &str =
    "select uuid, access_key, next_key, sealed from agreement where access_key <> ''";

/// The keys of a row of the statements above, and whether they are sealed.
pub(super) fn keys(row: Row, vault: &Vault) -> Result<(Uuid, Keys, bool), StoreError> {
    let mut row = Reader::new("agreement", row);
    let (uuid, current, next, sealed) = (row.uuid()?, row.text()?, row.text()?, row.flag()?);
    let open = |text: String| vault.open(&uuid, &Kept { text, sealed });
    let next = if next.is_empty() { None } else { Some(open(next)?) };
    let keys = Keys { current: open(current)?, next };
    Ok((uuid, keys, sealed))
}

/// Seals keys that were written when there was no key to seal them with.
pub(super) fn seal(agreement: &Uuid, keys: &Keys, vault: &Vault) -> Result<Statement, StoreError> {
    let current = vault.seal(agreement, &keys.current)?.text;
    let next = keys.next.as_ref().map(|next| vault.seal(agreement, next)).transpose()?;
    let next = next.map(|kept| kept.text).unwrap_or_default();
    let sql =
        "update agreement set access_key = $2, next_key = $3, sealed = 1 where uuid = $1 and sealed = 0";
    Ok(Statement::new(sql, vec![agreement.into(), current.into(), next.into()]))
}

pub(super) fn write_partner_fields(agreement: &Uuid, fields: &Catalogue) -> Statement {
    let sql = "insert into partner_fields (agreement, fields) values ($1, $2) \
        on conflict (agreement) do update set fields = excluded.fields";
    Statement::new(sql, vec![agreement.into(), json(fields)])
}
