//! The tables, step by step from the first form to the present one. A step that has been released is never changed: what
//! databases have of it is compared with what stands here.
//!
//! A step leaves what older versions read and write as it is, so that they may go on beside a newer one while daemons are
//! replaced one after the other. They look at no step that they do not know. Where that cannot be, as with `chains`, the step
//! waits until no other daemon works on the database.

use std::{collections::BTreeMap, time::Duration};

use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::{
    link::{Cell, Link, Statement},
    row::Reader,
};
use crate::ports::{StoreError, Tables};

/// Number, name, SQL for SQLite, SQL for PostgreSQL.
type Step = (i64, &'static str, &'static str, &'static str);

const STEPS: [Step; 3] = [
    (
        1,
        "first",
        include_str!("migrations/sqlite/0001_first.sql"),
        include_str!("migrations/postgres/0001_first.sql"),
    ),
    (
        2,
        "recorded",
        include_str!("migrations/sqlite/0002_recorded.sql"),
        include_str!("migrations/postgres/0002_recorded.sql"),
    ),
    (
        3,
        "chains",
        include_str!("migrations/sqlite/0003_chains.sql"),
        include_str!("migrations/postgres/0003_chains.sql"),
    ),
];

/// Whose SQL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// What brings the tables up to date. Steps of a newer version that are there already are left alone.
pub(super) fn migrator(dialect: Dialect) -> Migrator {
    let migration = |(number, name, sqlite, postgres): Step| {
        let sql = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(number, name.into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(STEPS.map(migration).to_vec());
    migrator.set_ignore_missing(true);
    migrator
}

/// The step after which older versions cannot read what newer ones write.
const APART: &str = "chains";
/// After so long every daemon that is alive has said so again.
const BEAT: Duration = Duration::from_secs(3);

/// Whether no other daemon works on a database that is about to take a step which older versions cannot work beside.
///
/// # Errors
/// One does: which, and what to do.
pub(super) async fn nobody_else(link: &dyn Link) -> Result<(), StoreError> {
    let tables = tables(link).await?;
    if tables.empty || !tables.missing.contains(&APART) {
        return Ok(());
    }
    let beats = async || -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = link.query(Statement::new("select name, beat from daemon", Vec::new())).await?;
        let read = |row| {
            let mut row = Reader::new("daemon", row);
            Ok((row.text()?, row.int()?))
        };
        rows.into_iter().map(read).collect()
    };
    let before = beats().await?;
    if before.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(BEAT).await;
    let alive =
        beats().await?.into_iter().find(|(name, beat)| before.get(name).is_none_or(|was| was != beat));
    match alive {
        None => Ok(()),
        Some((name, _)) => Err(StoreError::Away(format!(
            "daemon {name}, of an older version, works on it, and could not read what this one writes: stop all daemons of the older \
             version, and this one goes on (step {APART})"
        ))),
    }
}

/// How the tables of a database stand to this version.
pub(super) async fn tables(link: &dyn Link) -> Result<Tables, StoreError> {
    let done = Statement::new("select version from _sqlx_migrations order by version", Vec::new());
    let done: Vec<i64> = match link.query(done).await {
        Ok(rows) => rows
            .into_iter()
            .filter_map(|row| match row.first() {
                Some(Cell::Int(number)) => Some(*number),
                _ => None,
            })
            .collect(),
        // There is no such table in an empty database.
        Err(StoreError::Broken(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let names = STEPS.iter().filter(|(number, ..)| !done.contains(number)).map(|(_, name, ..)| *name);
    let unknown = done.iter().filter(|number| !STEPS.iter().any(|(known, ..)| known == *number)).count();
    Ok(Tables { empty: done.is_empty(), missing: names.collect(), unknown })
}
