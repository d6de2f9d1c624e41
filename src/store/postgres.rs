//! PostgreSQL: a small pool, many rows as arrays.

use std::{borrow::Cow, str::FromStr, sync::OnceLock, time::Duration};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column, Connection, PgConnection, PgPool, Row as _, TypeInfo, ValueRef,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};

use super::{
    error,
    link::{Cell, Link, Row, Rows, Statement, Type, numbered_after},
    migrations::{Dialect, migrator},
    row::Reader,
};
use crate::ports::StoreError;

/// A connection that was used so lately is taken to be there still.
const RECENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Postgres {
    options: PgConnectOptions,
    /// Made when first used, since a pool belongs to a runtime.
    pool: OnceLock<PgPool>,
}

impl Postgres {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        // sqlx's own words may repeat the URL, and with it a password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| "not a URL of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned())?
            .application_name("crossdesk");
        Ok(Self { options, pool: OnceLock::new() })
    }

    fn pool(&self) -> &PgPool {
        self.pool.get_or_init(|| {
            // One that was in use a moment ago is there; to ask it first would be one more way there and back each time.
            let pool = PgPoolOptions::new().max_connections(6).acquire_timeout(Duration::from_secs(5));
            let pool = pool.test_before_acquire(false).before_acquire(|connection, idle| {
                Box::pin(async move { Ok(idle.idle_for < RECENT || connection.ping().await.is_ok()) })
            });
            pool.connect_lazy_with(self.options.clone())
        })
    }

    /// A connection of the pool. Where there is none, the error names the server: which database is away is asked first.
    async fn connection(&self) -> Result<PoolConnection<sqlx::Postgres>, StoreError> {
        self.pool().acquire().await.map_err(|refused| match error::sort(refused) {
            StoreError::Away(why) => {
                let (host, port) = (self.options.get_host(), self.options.get_port());
                StoreError::Away(format!("PostgreSQL at {host}:{port}: {why}"))
            }
            other => other,
        })
    }
}

#[async_trait]
impl Link for Postgres {
    fn is_shared(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        migrator(Dialect::Postgres).run(self.pool()).await.map_err(error::migration)
    }

    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let sql = "select nextval('place') from generate_series(1, $1)";
        let rows = self.query(Statement::new(sql, vec![count.into()])).await?;
        rows.into_iter().map(|row| Reader::new("place", row).int()).collect()
    }

    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.connection().await?;
        let mut results = run(&mut connection, vec![(0, statement)]).await?;
        Ok(results.pop().map(|(_, rows, _)| rows).unwrap_or_default())
    }

    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.connection().await?;
        let mut transaction = connection.begin().await.map_err(error::sort)?;
        let expected: Vec<Option<u64>> = statements.iter().map(|statement| statement.expect).collect();
        let mut results: Vec<Vec<Row>> = statements.iter().map(|_| Vec::new()).collect();
        let (apart, in_turn): (Vec<_>, Vec<_>) =
            statements.into_iter().enumerate().partition(|(_, statement)| statement.apart);
        // Those that stand apart come last: some of the others are about what was there before.
        let in_turn = in_turn.into_iter().map(|one| vec![one]);
        for group in in_turn.chain([apart]).filter(|group| !group.is_empty()) {
            for (at, rows, touched) in run(&mut transaction, group).await? {
                if expected.get(at).copied().flatten().is_some_and(|expected| expected != touched) {
                    return Err(StoreError::Conflict);
                }
                if let Some(result) = results.get_mut(at) {
                    *result = rows;
                }
            }
        }
        transaction.commit().await.map_err(error::sort)?;
        Ok(results)
    }
}

/// Runs statements, several of them as one: each way to the database and back takes longer than most of what is done there.
/// Gives the place of each, its rows, and how many it touched.
async fn run(
    connection: &mut PgConnection,
    statements: Vec<(usize, Statement)>,
) -> Result<Vec<(usize, Vec<Row>, u64)>, StoreError> {
    let (mut before, mut texts) = (0, Vec::with_capacity(statements.len()));
    for (_, statement) in &statements {
        let sql = match &statement.rows {
            Some(rows) => Cow::Owned(statement.sql.replace("{rows}", &table(rows))),
            None => Cow::Borrowed(statement.sql),
        };
        texts.push(numbered_after(before, &sql));
        before += statement.args.len() + statement.rows.as_ref().map_or(0, |rows| rows.columns.len());
    }
    let alone = texts.len() == 1;
    let text = if alone { texts.pop().unwrap_or_default() } else { as_one(&statements, &texts) };
    let mut query = sqlx::query::<sqlx::Postgres>(AssertSqlSafe(text));
    for (_, statement) in &statements {
        for arg in &statement.args {
            query = match arg {
                Cell::Null => query.bind(Option::<String>::None),
                Cell::Int(value) => query.bind(*value),
                Cell::Text(value) => query.bind(value.as_str()),
                Cell::Shared(value) => query.bind(&**value),
            };
        }
        if let Some(rows) = &statement.rows {
            query = bind_columns(query, rows);
        }
    }
    if let ([(at, statement)], true) = (statements.as_slice(), alone) {
        if !statement.gives_rows() {
            let done = query.execute(connection).await.map_err(error::sort)?;
            return Ok(vec![(*at, Vec::new(), done.rows_affected())]);
        }
        let rows = query.fetch_all(connection).await.map_err(error::sort)?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let touched = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        return Ok(vec![(*at, rows, touched)]);
    }
    let counts = query.fetch_one(connection).await.map_err(error::sort)?;
    let touched = |cell: Cell| match cell {
        Cell::Int(count) => u64::try_from(count).unwrap_or_default(),
        _ => 0,
    };
    let counted = statements.iter().zip(read(&counts)?);
    Ok(counted.map(|((at, _), cell)| (*at, Vec::new(), touched(cell))).collect())
}

/// Statements that stand apart as one that tells how many rows each has touched.
fn as_one(statements: &[(usize, Statement)], texts: &[String]) -> String {
    let (mut parts, mut counts) = (Vec::new(), Vec::new());
    for ((at, statement), text) in statements.iter().zip(texts) {
        let returning = if statement.gives_rows() { "" } else { " returning 1" };
        parts.push(format!("w{at} as ({text}{returning})"));
        counts.push(format!("(select count(*) from w{at})"));
    }
    format!("with {} select {}", parts.join(", "), counts.join(", "))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// Many rows travel as one array a column.
fn bind_columns<'q>(mut query: Query<'q>, rows: &'q Rows) -> Query<'q> {
    for (at, (_, kind)) in rows.columns.iter().enumerate() {
        let column = rows.rows.iter().map(|row| row.get(at));
        query = match kind {
            Type::Int => query.bind(
                column
                    .map(|cell| match cell {
                        Some(Cell::Int(value)) => Some(*value),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            ),
            Type::Text => query.bind(
                column
                    .map(|cell| match cell {
                        Some(Cell::Text(value)) => Some(without_nul(value)),
                        Some(Cell::Shared(value)) => Some(without_nul(value)),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            ),
        };
    }
    query
}

/// PostgreSQL's text cannot hold a NUL.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

fn table(rows: &Rows) -> String {
    let (mut arrays, mut names) = (Vec::new(), Vec::new());
    for (at, (name, kind)) in rows.columns.iter().enumerate() {
        let array = match kind {
            Type::Int => "bigint[]",
            Type::Text => "text[]",
        };
        arrays.push(format!("${}::{array}", at + 1));
        names.push(*name);
    }
    format!("unnest({}) as r({})", arrays.join(", "), names.join(", "))
}

fn read(row: &PgRow) -> Result<Row, StoreError> {
    let cell = |column: &sqlx::postgres::PgColumn| {
        let raw = row.try_get_raw(column.ordinal())?;
        Ok(match (raw.is_null(), raw.type_info().name()) {
            (true, _) => Cell::Null,
            (_, "INT8") => Cell::Int(row.try_get(column.ordinal())?),
            (_, "INT4") => Cell::Int(row.try_get::<i32, _>(column.ordinal())?.into()),
            _ => Cell::Text(row.try_get(column.ordinal())?),
        })
    };
    row.columns().iter().map(cell).collect::<Result<_, sqlx::Error>>().map_err(error::sort)
}
