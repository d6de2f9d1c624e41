//! Reading for the admin pages: what was active lately, what does not sync, what was done minute by minute. Each is bounded,
//! however many tickets there are.

use std::collections::HashMap;

use super::{
    link::{Cell, Link, Statement},
    read::views,
    row::Reader,
    snapshot::{read_ticket, ticket_columns},
};
use crate::{
    domain::{Reason, Timestamp, Uuid},
    ports::{Happened, Minute, StoreError, TicketView, Trouble, TroubleKey},
};

/// How many stretches of messages are looked through for one page, and how long one is.
const WINDOWS: usize = 4;
const STRETCH: i64 = 5000;

/// Tickets by their last message, the latest first. Messages are in the order of time, so no index of tickets by time has to be
/// kept with every change.
pub(super) async fn recent(
    link: &dyn Link,
    before: i64,
    limit: i64,
) -> Result<(Vec<TicketView>, Option<i64>), StoreError> {
    let ends = "select (select min(seq) from message), (select max(seq) from message)";
    let mut rows = link.query(Statement::new(ends, Vec::new())).await?;
    let mut ends = Reader::new("message", rows.pop().unwrap_or_default());
    let (Ok(oldest), Ok(newest)) = (ends.int(), ends.int()) else {
        return Ok((Vec::new(), None));
    };
    let (mut found, mut from, mut next) = (Vec::new(), before.min(newest.saturating_add(1)), None);
    // Few tickets with many messages need several stretches. Bounds on both ends, so that no more is looked at than is wanted.
    for _ in 0..WINDOWS {
        let edge = from.saturating_sub(STRETCH).max(oldest);
        let wanted = limit.saturating_sub(i64::try_from(found.len()).unwrap_or(limit));
        let last = ticket_columns!(
            "join message m on m.owner = t.uuid and m.seq = t.last_message where m.seq < $1 and m.seq >= $2 \
             order by m.seq desc limit $3"
        );
        let rows = link.query(Statement::new(last, vec![from.into(), edge.into(), wanted.into()])).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count == wanted);
        for row in rows {
            let stored = read_ticket(row)?;
            from = stored.ticket.last_message;
            found.push(stored);
        }
        if !full {
            from = edge;
        }
        next = Some(from).filter(|from| *from > oldest);
        if full || next.is_none() {
            break;
        }
    }
    Ok((views(link, found).await?, next))
}

pub(super) async fn numbered(
    link: &dyn Link,
    number: &str,
    limit: i64,
) -> Result<Vec<TicketView>, StoreError> {
    let sql = ticket_columns!(
        "where t.uuid in (select uuid from ticket where id = $1 union select uuid from ticket where uuid = $1 \
         union select ticket from share where number = $1) order by t.uuid limit $2"
    );
    let rows = link.query(Statement::new(sql, vec![number.into(), limit.into()])).await?;
    views(link, rows.into_iter().map(read_ticket).collect::<Result<_, _>>()?).await
}

pub(super) async fn troubles(link: &dyn Link, limit: i64) -> Result<Vec<Trouble>, StoreError> {
    let sql = "select agreement, subject, reason, count(*), max(detail), min(opened_at) from (select agreement, \
        case when subject like 'comment:%' then 'comment' when subject like 'message:%' then 'message' else subject end as subject, \
        reason, detail, opened_at from issue where resolved_at is null limit 20000) as open \
        group by agreement, subject, reason order by 4 desc, 1, 2 limit $1";
    let read = |row| {
        let mut row = Reader::new("issue", row);
        let (agreement, subject) = (row.uuid()?, row.text()?);
        let reason = Reason::parse(&row.text()?).unwrap_or(Reason::PartnerRefused);
        let key = TroubleKey { agreement, subject, reason };
        Ok(Trouble { key, count: row.int()?, detail: row.text()?, since: row.time()? })
    };
    let rows = link.query(Statement::new(sql, vec![limit.into()])).await?;
    rows.into_iter().map(read).collect()
}

pub(super) async fn troubled(
    link: &dyn Link,
    key: &TroubleKey,
    after: Option<&Uuid>,
    limit: i64,
) -> Result<Vec<TicketView>, StoreError> {
    let sql = ticket_columns!(
        "join (select distinct ticket from issue where agreement = $1 and reason = $2 and resolved_at is null \
         and (subject = $3 or ($3 in ('comment', 'message') and subject like $3 || ':%')) and ticket > $4 order by ticket limit $5) as i \
         on i.ticket = t.uuid order by t.uuid"
    );
    let after = after.map(Uuid::as_str).unwrap_or_default();
    let args = vec![
        (&key.agreement).into(),
        key.reason.as_str().into(),
        key.subject.as_str().into(),
        after.into(),
        limit.into(),
    ];
    let rows = link.query(Statement::new(sql, args)).await?;
    views(link, rows.into_iter().map(read_ticket).collect::<Result<_, _>>()?).await
}

pub(super) async fn backlog(link: &dyn Link) -> Result<HashMap<Uuid, i64>, StoreError> {
    let sql = "select agreement, count(*) from (select agreement from message where state = 'open' limit 100000) as open \
        group by agreement";
    let read = |row| {
        let mut row = Reader::new("message", row);
        Ok((row.uuid()?, row.int()?))
    };
    link.query(Statement::new(sql, Vec::new())).await?.into_iter().map(read).collect()
}

pub(super) async fn keep_minute(
    link: &dyn Link,
    daemon: &str,
    minute: &Minute,
    forget: Timestamp,
) -> Result<(), StoreError> {
    let keep = "insert into minute (at, daemon, events, delivered, failed, lag, lagged, waiting) \
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (at, daemon) do update set events = minute.events + excluded.events, \
        delivered = minute.delivered + excluded.delivered, failed = minute.failed + excluded.failed, \
        lag = minute.lag + excluded.lag, lagged = minute.lagged + excluded.lagged, waiting = excluded.waiting";
    let Minute { at, events, delivered, failed, lag, lagged, waiting } = *minute;
    let mut args: Vec<Cell> = vec![at.into(), daemon.into()];
    args.extend([events, delivered, failed, lag, lagged, waiting].map(Cell::from));
    let forget = Statement::new("delete from minute where at < $1", vec![forget.into()]);
    link.transact(vec![Statement::new(keep, args), forget]).await.map(drop)
}

pub(super) async fn minutes(link: &dyn Link, since: Timestamp) -> Result<Vec<Minute>, StoreError> {
    // What waits, each daemon counts for all of them.
    let sql = "select at, cast(sum(events) as bigint), cast(sum(delivered) as bigint), cast(sum(failed) as bigint), \
        cast(sum(lag) as bigint), cast(sum(lagged) as bigint), max(waiting) from minute where at >= $1 group by at order by at";
    let read = |row| {
        let mut row = Reader::new("minute", row);
        Ok(Minute {
            at: row.time()?,
            events: row.int()?,
            delivered: row.int()?,
            failed: row.int()?,
            lag: row.int()?,
            lagged: row.int()?,
            waiting: row.int()?,
        })
    };
    link.query(Statement::new(sql, vec![since.into()])).await?.into_iter().map(read).collect()
}

/// What happened to a ticket, oldest first.
pub(super) async fn history(link: &dyn Link, ticket: &Uuid, limit: i64) -> Result<Vec<Happened>, StoreError> {
    // A line that came with a message stands in its row; another one after the last message that was there before it.
    let sql = "select at, doc from (select n, 1 as after, seq, at, doc from history where ticket = $1 union all \
        select n, 0 as after, m.seq, m.created_at as at, m.cause as doc from message m join (with recursive chain(seq) as \
        (select t.last_message from ticket t where t.uuid = $1 union all select x.before from chain c join message x \
        on x.seq = c.seq where x.before is not null) select seq from chain union select l.seq from message l \
        where l.owner = $1 and l.state in ('open', 'asked', 'dead', 'parked')) as c on c.seq = m.seq where m.cause is not null \
        order by n desc, after desc, seq desc limit $2) as newest order by n, after, seq";
    let rows = link.query(Statement::new(sql, vec![ticket.into(), limit.into()])).await?;
    let read = |row| {
        let mut row = Reader::new("history", row);
        Ok(Happened { at: row.time()?, what: row.text()? })
    };
    rows.into_iter().map(read).collect()
}
