//! The [`Store`] on SQLite and PostgreSQL.
//!
//! One `SqlStore` says everything in SQL that both databases read alike; a `Link` a database
//! knows its connection and the two things that differ: how many rows travel in one statement, and how a row is read.
//! A transaction is data, a list of statements, so none can stay open while somebody waits for the network.

mod agreement;
mod apply;
mod checkpoint;
mod comment;
mod crew;
mod error;
mod link;
mod message;
mod migrations;
mod pages;
mod postgres;
mod prune;
mod read;
mod recorded;
mod row;
mod script;
mod share_form;
mod snapshot;
mod sql;
mod sqlite;
mod vault;
mod waiting;

use std::sync::Arc;

use crate::ports::Store;

/// Whether a key can be used to encrypt access keys.
///
/// # Errors
/// What it must be.
pub fn check_key(key: &str) -> Result<(), String> {
    vault::Vault::new(Some(key)).map(drop)
}

/// Copies a store, as it is at one moment, while a daemon may be working on it.
///
/// # Errors
/// Why not, and what to do instead.
pub async fn backup(url: &str, to: &std::path::Path) -> Result<(), String> {
    if !url.starts_with("sqlite:") {
        return Err("only SQLite is copied by crossdesk; a PostgreSQL has tools of its own: pg_dump, or a base backup".to_owned());
    }
    sqlite::backup(url, to).await
}

/// Opens the store of a URL, `sqlite:PATH` or `postgres://…`, without touching it yet. `key` encrypts access keys: 64 hex digits ([`check_key`]). `daemon` is
/// what the daemon is called among those that share the database.
///
/// # Errors
/// What is wrong with the URL; no part of it that could hold a password is repeated.
pub fn open(url: &str, key: Option<&str>, daemon: &str) -> Result<Arc<dyn Store>, String> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let link: Arc<dyn link::Link> = match scheme {
        Some("sqlite") => Arc::new(sqlite::Sqlite::new(url)?),
        Some("postgres" | "postgresql") => Arc::new(postgres::Postgres::new(url)?),
        _ => return Err("the URL of a store begins with sqlite: or postgres:".to_owned()),
    };
    // A file has one daemon, whatever it is called.
    let daemon = if link.is_shared() { daemon } else { "" };
    Ok(Arc::new(sql::SqlStore::new(link, vault::Vault::new(key)?, daemon)))
}
