//! The daemons that share a database: each has a row, and what it has written and not published bears its name.

use super::{
    link::{Link, Statement},
    row::{Reader, json},
};
use crate::ports::{Beat, StoreError};

/// Counts a daemon's beat, and says what it still serves; returns all that share the database.
pub(super) async fn beat(link: &dyn Link, daemon: &str, holding: &[String]) -> Result<Vec<Beat>, StoreError> {
    let beat = "insert into daemon (name, beat, holding) values ($1, 1, $2) \
        on conflict (name) do update set beat = daemon.beat + 1, holding = excluded.holding";
    let all = "select name, beat, holding from daemon order by name";
    let beat = Statement::new(beat, vec![daemon.into(), json(&holding)]);
    let beats = vec![beat, Statement::new(all, Vec::new())];
    let rows = link.transact(beats).await?.pop().unwrap_or_default();
    let read = |row| {
        let mut row = Reader::new("daemon", row);
        Ok(Beat { name: row.text()?, count: row.int()?, holding: row.json()? })
    };
    rows.into_iter().map(read).collect()
}

/// Forgets daemons, and takes over what they, and any that left, had still to publish; returns how much.
pub(super) async fn inherit(link: &dyn Link, daemon: &str, gone: &[String]) -> Result<u64, StoreError> {
    let forget =
        |name: &String| Statement::new("delete from daemon where name = $1", vec![name.as_str().into()]);
    let mut statements: Vec<Statement> = gone.iter().map(forget).collect();
    let take = "update outbox set daemon = $1 where daemon <> $1 and daemon not in (select name from daemon) returning seq";
    statements.push(Statement::new(take, vec![daemon.into()]));
    let taken = link.transact(statements).await?.pop().unwrap_or_default();
    Ok(u64::try_from(taken.len()).unwrap_or(u64::MAX))
}

/// Forgets a daemon that ends.
pub(super) async fn leave(link: &dyn Link, daemon: &str) -> Result<(), StoreError> {
    let leave = Statement::new("delete from daemon where name = $1", vec![daemon.into()]);
    link.transact(vec![leave]).await.map(drop)
}
