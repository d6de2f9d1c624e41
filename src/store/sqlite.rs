//! SQLite: one writer, a few readers, write-ahead log, every commit on the disk before it counts.

use std::{
    path::Path,
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, Row as _, SqliteConnection, SqlitePool, TypeInfo,
    ValueRef,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use tokio::sync::OnceCell;

use super::{
    checkpoint::Checkpoint,
    error,
    link::{Cell, Link, Row, Statement},
    migrations::{Dialect, migrator},
    row::Reader,
    script::Script,
};
use crate::ports::StoreError;

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    /// One writer, a few readers; made when first used, since a pool belongs to a runtime.
    pools: OnceLock<(SqlitePool, SqlitePool)>,
    /// The last place that was given away; nobody else gives any.
    place: OnceCell<AtomicI64>,
    checkpoint: Checkpoint,
}

impl Sqlite {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| error.to_string())?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(5))
            .pragma("wal_autocheckpoint", "10000")
            .pragma("cache_size", "-4096")
            // What a statement may have to undo stays in memory.
            .pragma("temp_store", "memory")
            .statement_cache_capacity(100)
            // Nobody waits for the reader of an answer before it is whole.
            .row_buffer_size(2048);
        Ok(Self {
            options,
            pools: OnceLock::new(),
            place: OnceCell::new(),
            checkpoint: Checkpoint::default(),
        })
    }

    fn pools(&self) -> &(SqlitePool, SqlitePool) {
        self.pools.get_or_init(|| {
            // A file is there or not: there is nothing to be tried before each use.
            let pool = |connections| {
                SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false)
            };
            let readers = self.options.clone().pragma("cache_size", "-512");
            (pool(1).connect_lazy_with(self.options.clone()), pool(3).connect_lazy_with(readers))
        })
    }
}

#[async_trait]
impl Link for Sqlite {
    fn is_shared(&self) -> bool {
        false
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        if !self.options.get_filename().to_string_lossy().contains("sqlx-in-memory") {
            private(self.options.get_filename());
        }
        let writer = &self.pools().0;
        let ready = migrator(Dialect::Sqlite).run(writer).await.map_err(error::migration);
        if ready.is_err() {
            // A file that could not be written is opened anew the next time.
            writer.acquire().await.map_err(error::sort)?.close_on_drop();
        }
        ready
    }

    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError> {
        let last = self.place.get_or_try_init(async || {
            let sql = "select max(coalesce((select max(seq) from message), 0), coalesce((select max(seq) from comment), 0), \
                coalesce((select seq from sqlite_sequence where name = 'message'), 0))";
            let row = self.query(Statement::new(sql, Vec::new())).await?.pop();
            Ok(AtomicI64::new(Reader::new("message", row.unwrap_or_default()).int()?))
        });
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let last = last.await?.fetch_add(count, Ordering::Relaxed);
        Ok((last + 1..=last + count).collect())
    }

    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.query_all(vec![statement]).await?;
        Ok(rows.pop().unwrap_or_default())
    }

    async fn query_all(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pools().1.acquire().await.map_err(error::sort)?;
        Ok(run(&mut connection, statements).await?.into_iter().map(|(rows, _)| rows).collect())
    }

    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pools().0.acquire().await.map_err(error::sort)?;
        let written = write(&mut connection, statements).await;
        // On a full disk, say, SQLite undoes a transaction by itself, and nobody can begin another on what is taken to be in one. A file
        // that could not be written is opened anew, which tells whether it can be by now.
        if let Err(StoreError::Away(_) | StoreError::Broken(_)) = &written {
            connection.close_on_drop();
        }
        let results = written?;
        let touched = results.iter().map(|(_, touched)| touched).sum();
        self.checkpoint.touched(touched, &self.pools().1);
        Ok(results.into_iter().map(|(rows, _)| rows).collect())
    }
}

/// Runs statements in a transaction; gives the rows of each, and how many it touched.
async fn write(
    connection: &mut SqliteConnection,
    statements: Vec<Statement>,
) -> Result<Vec<(Vec<Row>, u64)>, StoreError> {
    let mut transaction = connection.begin_with("begin immediate").await.map_err(error::sort)?;
    let expected: Vec<Option<u64>> = statements.iter().map(|statement| statement.expect).collect();
    let results = run(&mut transaction, statements).await?;
    let missed = |(expected, (_, touched)): (Option<u64>, &(Vec<Row>, u64))| {
        expected.is_some_and(|expected| expected != *touched)
    };
    if expected.into_iter().zip(&results).any(missed) {
        return Err(StoreError::Conflict);
    }
    transaction.commit().await.map_err(error::sort)?;
    Ok(results)
}

/// Makes a new file that is for nobody else to read: access keys stand in it, and what people have written. One that is there is left
/// as it is; one that cannot be made is SQLite's to report.
fn private(path: &Path) {
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    drop(new.open(path));
}

/// Copies a database into a new file: whole, tidy, and as it is at one moment.
pub(super) async fn backup(url: &str, to: &Path) -> Result<(), String> {
    let said = |error: sqlx::Error| error.to_string();
    if to.exists() {
        return Err(format!("{} is there already: a backup overwrites nothing", to.display()));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(said)?;
    let options = options.busy_timeout(std::time::Duration::from_secs(60));
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(said)?;
    private(to);
    let name = to.to_str().ok_or("the file's name is no text")?;
    let copied = sqlx::query("vacuum into ?").bind(name).execute(&mut connection).await.map_err(said);
    if copied.is_err() {
        drop(std::fs::remove_file(to));
    }
    let _done = connection.close().await;
    copied.map(drop)
}

/// Runs statements, on one way to the connection's thread and back; gives the rows of each, and how many it touched.
async fn run(
    connection: &mut SqliteConnection,
    statements: Vec<Statement>,
) -> Result<Vec<(Vec<Row>, u64)>, StoreError> {
    let mut results: Vec<(Vec<Row>, u64)> = statements.iter().map(|_| (Vec::new(), 0)).collect();
    let gives_rows: Vec<bool> = statements.iter().map(Statement::gives_rows).collect();
    let Script { text, args, of } = Script::new(statements);
    let mut query = sqlx::query::<sqlx::Sqlite>(AssertSqlSafe(text));
    for arg in args {
        query = match arg {
            Cell::Null => query.bind(Option::<String>::None),
            Cell::Int(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
            Cell::Shared(value) => query.bind(value),
        };
    }
    let (mut given, mut ended) = (connection.fetch_many(query), 0);
    while let Some(next) = given.try_next().await.map_err(error::sort)? {
        let at = of.get(ended).copied().unwrap_or_default();
        let Some((rows, touched)) = results.get_mut(at) else { continue };
        match next {
            Either::Right(row) => {
                rows.push(read(&row)?);
                *touched += 1;
            }
            Either::Left(done) => {
                if gives_rows.get(at) == Some(&false) {
                    *touched += done.rows_affected();
                }
                ended += 1;
            }
        }
    }
    drop(given);
    Ok(results)
}

fn read(row: &SqliteRow) -> Result<Row, StoreError> {
    let cell = |column: &sqlx::sqlite::SqliteColumn| {
        let raw = row.try_get_raw(column.ordinal())?;
        Ok(match (raw.is_null(), raw.type_info().name()) {
            (true, _) => Cell::Null,
            (_, "INTEGER") => Cell::Int(row.try_get(column.ordinal())?),
            _ => Cell::Text(row.try_get(column.ordinal())?),
        })
    };
    row.columns().iter().map(cell).collect::<Result<_, sqlx::Error>>().map_err(error::sort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_a_new_file() -> Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        let database = Sqlite::new(&format!("sqlite:{}", folder.path().join("new.db").display()))?;
        database.prepare().await?;
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            assert_eq!(entry.metadata()?.permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        }
        Ok(())
    }

    /// SQLite's own word for a full disk, without one.
    async fn fill(database: &Sqlite) -> sqlx::Result<()> {
        let mut connection = database.pools().0.acquire().await?;
        sqlx::raw_sql("pragma max_page_count = 1").execute(&mut *connection).await.map(drop)
    }

    #[tokio::test]
    async fn a_disk_that_was_full_for_a_moment_is_written_to_again() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let database = Sqlite::new(&format!("sqlite:{}", folder.path().join("full.db").display()))?;
        database.prepare().await?;
        fill(&database).await?;
        let write = |size: usize| {
            let sql = "insert into setting (key, value) values ($1, $2)";
            let args = vec![format!("key {size}").into(), "x".repeat(size).into()];
            database.transact(vec![Statement::new(sql, args)])
        };
        let full = write(1_000_000).await;
        assert!(matches!(full, Err(StoreError::Away(_))), "{full:?}");
        assert_eq!(write(1).await?.len(), 1);
        Ok(())
    }
}
