//! SQLite: one writer, a few readers, write-ahead log, every commit on the disk before it counts.

use std::{
    collections::BTreeMap,
    path::Path,
    str::FromStr,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use sqlx::{
    AssertSqlSafe, Column, Connection, Row as _, SqliteConnection, SqlitePool, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{
    error,
    link::{self, Cell, Link, Row, Rows, Statement, Type},
    migrations::{Dialect, migrator},
    row::Reader,
};
use crate::ports::StoreError;

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    /// One writer, a few readers; made when first used, since a pool belongs to a runtime.
    pools: OnceLock<(SqlitePool, SqlitePool)>,
    /// The last place that was given away; nobody else gives any.
    place: OnceCell<AtomicI64>,
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
            .pragma("cache_size", "-16384")
            // What a statement may have to undo stays in memory.
            .pragma("temp_store", "memory")
            .statement_cache_capacity(200);
        Ok(Self { options, pools: OnceLock::new(), place: OnceCell::new() })
    }

    fn pools(&self) -> &(SqlitePool, SqlitePool) {
        self.pools.get_or_init(|| {
            let pool = |connections| SqlitePoolOptions::new().max_connections(connections);
            let readers = self.options.clone().pragma("cache_size", "-2048");
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
        migrator(Dialect::Sqlite).run(&self.pools().0).await.map_err(error::migration)
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
        let mut connection = self.pools().1.acquire().await.map_err(error::sort)?;
        run(&mut connection, statement).await.map(|(rows, _)| rows)
    }

    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pools().0.acquire().await.map_err(error::sort)?;
        let mut transaction = connection.begin_with("begin immediate").await.map_err(error::sort)?;
        let mut results = Vec::with_capacity(statements.len());
        for statement in statements {
            let expect = statement.expect;
            let (rows, touched) = run(&mut transaction, statement).await?;
            if expect.is_some_and(|expected| expected != touched) {
                return Err(StoreError::Conflict);
            }
            results.push(rows);
        }
        transaction.commit().await.map_err(error::sort)?;
        Ok(results)
    }
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
    let to = to.to_str().ok_or("the file's name is no text")?;
    let copied = sqlx::query("vacuum into ?").bind(to).execute(&mut connection).await.map_err(said);
    let _done = connection.close().await;
    copied.map(drop)
}

/// Rows of so many columns or more travel as bound values: taking them out of JSON would read each row once a column.
const WIDE: usize = 4;
/// The most wide rows that go at once. Numbers of rows are powers of two, so that there are few statements, each prepared once.
const MOST: usize = 512;

/// Runs a statement; wide rows in as many pieces as it takes.
async fn run(connection: &mut SqliteConnection, statement: Statement) -> Result<(Vec<Row>, u64), StoreError> {
    let Statement { sql, args, rows, .. } = statement;
    let Some(mut rows) = rows else { return run_once(connection, sql.into(), args).await };
    if rows.columns.len() < WIDE {
        let text = sql.replace("{rows}", &table(&rows));
        return run_once(connection, text.into(), vec![Cell::Text(json(&rows))]).await;
    }
    let (mut given, mut touched) = (Vec::new(), 0);
    let mut left = std::mem::take(&mut rows.rows).into_iter();
    while left.len() > 0 {
        let size = piece(left.len());
        let mut cells: Vec<Cell> = Vec::with_capacity(size * rows.columns.len());
        cells.extend(left.by_ref().take(size).flatten());
        // Rows that are none fill it up.
        cells.resize(size * rows.columns.len(), Cell::Null);
        let (some, count) = run_once(connection, values(sql, rows.columns, size), cells).await?;
        given.extend(some);
        touched += count;
    }
    Ok((given, touched))
}

/// How many rows the next piece has: every piece is a way to the database's thread and back, and so is worth some that are empty.
fn piece(left: usize) -> usize {
    let above = left.next_power_of_two();
    let size = if left * 4 >= above * 3 { above } else { above / 2 };
    size.clamp(1, MOST)
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

async fn run_once(
    connection: &mut SqliteConnection,
    text: Arc<str>,
    args: Vec<Cell>,
) -> Result<(Vec<Row>, u64), StoreError> {
    let gives_rows = link::gives_rows(&text);
    let mut query = sqlx::query::<sqlx::Sqlite>(AssertSqlSafe(text));
    for arg in args {
        query = match arg {
            Cell::Null => query.bind(Option::<String>::None),
            Cell::Int(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
        };
    }
    if !gives_rows {
        let done = query.execute(connection).await.map_err(error::sort)?;
        return Ok((Vec::new(), done.rows_affected()));
    }
    let rows = query.fetch_all(connection).await.map_err(error::sort)?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let touched = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok((rows, touched))
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
    };
    let alone = rows.columns.len() == 1;
    let row = |row: &Vec<Cell>| match row.as_slice() {
        [one] if alone => value(one),
        cells => cells.iter().map(value).collect(),
    };
    serde_json::Value::Array(rows.rows.iter().map(row).collect()).to_string()
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
