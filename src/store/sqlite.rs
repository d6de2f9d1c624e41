//! SQLite: one writer, a few readers, write-ahead log, every commit on the disk before it counts.

use std::{str::FromStr, sync::OnceLock};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column, Connection, Executor, Row as _, SqlitePool, TypeInfo, ValueRef,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use super::{
    error,
    link::{Cell, Link, Row, Rows, Statement},
};
use crate::ports::StoreError;

const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "first", include_str!("migrations/sqlite/0001_first.sql")),
    (2, "agreements", include_str!("migrations/sqlite/0002_agreements.sql")),
    (3, "history", include_str!("migrations/sqlite/0003_history.sql")),
];

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    /// One writer, a few readers; made when first used, since a pool belongs to a runtime.
    pools: OnceLock<(SqlitePool, SqlitePool)>,
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
            .pragma("cache_size", "-65536")
            .statement_cache_capacity(200);
        Ok(Self { options, pools: OnceLock::new() })
    }

    fn pools(&self) -> &(SqlitePool, SqlitePool) {
        self.pools.get_or_init(|| {
            let pool = |connections| SqlitePoolOptions::new().max_connections(connections);
            let readers = self.options.clone().pragma("cache_size", "-8192");
            (pool(1).connect_lazy_with(self.options.clone()), pool(3).connect_lazy_with(readers))
        })
    }
}

#[async_trait]
impl Link for Sqlite {
    async fn prepare(&self) -> Result<(), StoreError> {
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            let sql = sqlx::SqlSafeStr::into_sql_str(sql);
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        });
        Migrator::with_migrations(migrations.to_vec()).run(&self.pools().0).await.map_err(error::migration)
    }

    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.pools().1.acquire().await.map_err(error::sort)?;
        run(&mut *connection, &statement).await.map(|(rows, _)| rows)
    }

    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pools().0.acquire().await.map_err(error::sort)?;
        let mut transaction = connection.begin_with("begin immediate").await.map_err(error::sort)?;
        let mut results = Vec::with_capacity(statements.len());
        for statement in &statements {
            let (rows, touched) = run(&mut *transaction, statement).await?;
            if statement.expect.is_some_and(|expected| expected != touched) {
                return Err(StoreError::Conflict);
            }
            results.push(rows);
        }
        transaction.commit().await.map_err(error::sort)?;
        Ok(results)
    }
}

async fn run<'c, E>(executor: E, statement: &Statement) -> Result<(Vec<Row>, u64), StoreError>
where
    E: Executor<'c, Database = sqlx::Sqlite>,
{
    let text = statement.text(table);
    let mut query = sqlx::query::<sqlx::Sqlite>(AssertSqlSafe(text));
    for arg in &statement.args {
        query = bind(query, arg);
    }
    if let Some(rows) = &statement.rows {
        query = query.bind(json(rows));
    }
    if !statement.gives_rows() {
        let done = query.execute(executor).await.map_err(error::sort)?;
        return Ok((Vec::new(), done.rows_affected()));
    }
    let rows = query.fetch_all(executor).await.map_err(error::sort)?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let touched = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok((rows, touched))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bind<'q>(query: Query<'q>, cell: &Cell) -> Query<'q> {
    match cell {
        Cell::Null => query.bind(Option::<String>::None),
        Cell::Int(value) => query.bind(*value),
        Cell::Text(value) => query.bind(value.clone()),
    }
}

/// Many rows travel as one JSON array of arrays.
fn table(rows: &Rows) -> String {
    let columns: Vec<_> =
        rows.columns.iter().enumerate().map(|(at, (name, _))| format!("value->>{at} as {name}")).collect();
    format!("(select {} from json_each($1)) as r", columns.join(", "))
}

fn json(rows: &Rows) -> String {
    let value = |cell: &Cell| match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Int(value) => (*value).into(),
        Cell::Text(value) => value.as_str().into(),
    };
    let rows: Vec<Vec<_>> = rows.rows.iter().map(|row| row.iter().map(value).collect()).collect();
    serde_json::to_string(&rows).unwrap_or_default()
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
