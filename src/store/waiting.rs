//! What waits in rows until it is known which ticket it is about: the desk's events, and webhooks of a Jira.

use super::{
    link::{Cell, Link, Statement},
    row::Reader,
};
use crate::{
    domain::{TicketId, Timestamp},
    ports::StoreError,
};

/// What waits for a ticket.
pub(super) async fn of(link: &dyn Link, ticket: &TicketId) -> Result<Vec<String>, StoreError> {
    let sql = "select body from waiting_event where ticket = $1 order by seq";
    let rows = link.query(Statement::new(sql, vec![ticket.as_str().into()])).await?;
    rows.into_iter().map(|row| Reader::new("waiting_event", row).text()).collect()
}

/// What has waited since before a time.
pub(super) async fn since(
    link: &dyn Link,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(TicketId, String)>, StoreError> {
    let sql = "select ticket, body from waiting_event where at < $1 order by seq limit $2";
    events(link, sql, vec![before.into(), limit.into()]).await
}

/// Of that what waits for a ticket that is known.
pub(super) async fn named(
    link: &dyn Link,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(TicketId, String)>, StoreError> {
    let sql = "select w.ticket, w.body from waiting_event w join ticket t on t.id = w.ticket \
        where w.at < $1 order by w.seq limit $2";
    events(link, sql, vec![before.into(), limit.into()]).await
}

async fn events(
    link: &dyn Link,
    sql: &'static str,
    args: Vec<Cell>,
) -> Result<Vec<(TicketId, String)>, StoreError> {
    let read = |row| {
        let mut row = Reader::new("waiting_event", row);
        Ok((TicketId::new(row.text()?), row.text()?))
    };
    link.query(Statement::new(sql, args)).await?.into_iter().map(read).collect()
}

/// The names that begin so of what has waited since before a time, in their order, after one.
pub(super) async fn held(
    link: &dyn Link,
    prefix: &str,
    before: Timestamp,
    after: &str,
    limit: i64,
) -> Result<Vec<TicketId>, StoreError> {
    let sql = "select distinct ticket from waiting_event where at < $1 and substr(ticket, 1, cast($2 as integer)) = $3 \
        and ticket > $4 order by ticket limit $5";
    let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
    let args = vec![before.into(), length.into(), prefix.into(), after.into(), limit.into()];
    let rows = link.query(Statement::new(sql, args)).await?;
    rows.into_iter().map(|row| Reader::new("waiting_event", row).text().map(TicketId::new)).collect()
}
