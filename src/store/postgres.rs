//! PostgreSQL: a small pool, many rows as arrays.

use std::{str::FromStr, sync::OnceLock, time::Duration};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column, Connection, Executor, PgPool, Row as _, TypeInfo, ValueRef,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};

use super::{
    error,
    link::{Cell, Link, Row, Rows, Statement, Type},
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
        let mut connection = self.pool().acquire().await.map_err(error::sort)?;
        run(&mut *connection, &statement).await.map(|(rows, _)| rows)
    }

    async fn transact(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pool().acquire().await.map_err(error::sort)?;
        let mut transaction = connection.begin().await.map_err(error::sort)?;
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
    E: Executor<'c, Database = sqlx::Postgres>,
{
    let text = statement.text(table);
    let mut query = sqlx::query::<sqlx::Postgres>(AssertSqlSafe(text));
    for arg in &statement.args {
        query = match arg {
            Cell::Null => query.bind(Option::<String>::None),
            Cell::Int(value) => query.bind(*value),
            Cell::Text(value) => query.bind(value.clone()),
        };
    }
    if let Some(rows) = &statement.rows {
        query = bind_columns(query, rows);
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

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// Many rows travel as one array a column.
fn bind_columns<'q>(mut query: Query<'q>, rows: &Rows) -> Query<'q> {
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
                        // PostgreSQL's text cannot hold a NUL.
                        Some(Cell::Text(value)) => Some(value.replace('\0', "\u{fffd}")),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            ),
        };
    }
    query
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
