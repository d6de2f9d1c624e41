//! The message table: outbox, history and dead letters in one.

use super::{
    link::{Cell, Row, Rows, Statement, Type},
    row::{Reader, json},
};
use crate::{
    domain::{Message, MessageId, MessageState, MessageType, Uuid},
    ports::{Mark, MessageFilter, StoreError},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select m.seq, m.owner, m.n, m.agreement, m.kind, m.state, m.body, m.contents, m.attempts, m.due_at, m.error, \
             m.event_at, m.created_at from message m ",
            $rest
        )
    };
}

pub(super) const ID: &[(&str, Type)] = &[("owner", Type::Text), ("n", Type::Int)];

pub(super) fn select(filter: MessageFilter, limit: i64) -> Statement {
    let with = |sql, arg: Cell| Statement::new(sql, vec![arg, limit.into()]);
    match filter {
        MessageFilter::Pending(after) => {
            with(select!("where m.state = 'pending' and m.seq > $1 order by m.seq limit $2"), after.into())
        }
        MessageFilter::Undelivered(after) => with(
            select!(
                "where m.state in ('pending', 'published') and m.agreement is not null and (m.kind like 'ticket.%' or m.kind like 'agreement.%') \
                 and m.seq > $1 order by m.seq limit $2"
            ),
            after.into(),
        ),
        MessageFilter::Retrying(agreement) => with(
            select!(
                "where m.agreement = $1 and m.state in ('pending', 'published') and m.due_at is not null \
                 and (m.kind like 'ticket.%' or m.kind like 'agreement.%') order by m.seq limit $2"
            ),
            (&agreement).into(),
        ),
        MessageFilter::Open(agreement) => with(
            select!(
                "where m.agreement = $1 and m.state in ('pending', 'published') and (m.kind like 'ticket.%' or m.kind like 'agreement.%') \
                 order by m.seq limit $2"
            ),
            (&agreement).into(),
        ),
        MessageFilter::Commands => with(
            select!(
                "where m.state in ('pending', 'published') and m.kind like 'crossdesk.%' and m.seq > $1 \
                 order by m.seq limit $2"
            ),
            0.into(),
        ),
        MessageFilter::Parked(after) => {
            with(select!("where m.state = 'parked' and m.seq > $1 order by m.seq limit $2"), after.into())
        }
        MessageFilter::Of(owner) => with(
            select!(
                "where m.owner = $1 and m.n > (select max(x.n) from message x where x.owner = $1) - $2 order by m.n limit $2"
            ),
            (&owner).into(),
        ),
        MessageFilter::Waiting(agreement, owners) => {
            const OWNERS: &[(&str, Type)] = &[("agreement", Type::Text), ("owner", Type::Text)];
            let rows = owners.iter().map(|owner| vec![(&agreement).into(), owner.into()]).collect();
            Statement::rows(
                select!(
                    "join {rows} on m.agreement = r.agreement and m.owner = r.owner where m.state in ('pending', 'published') \
                     and (m.kind like 'ticket.%' or m.kind like 'agreement.%') order by m.seq"
                ),
                OWNERS,
                rows,
            )
        }
        MessageFilter::Ids(ids) => {
            let rows = ids.into_iter().map(|id| vec![(&id.owner).into(), id.n.into()]).collect();
            Statement::rows(
                select!("join {rows} on m.owner = r.owner and m.n = r.n order by m.seq"),
                ID,
                rows,
            )
        }
    }
}

pub(super) fn read(row: Row) -> Result<Message, StoreError> {
    let mut row = Reader::new("message", row);
    let unknown =
        |what: &str, word: &str| StoreError::Broken(format!("message.{what} \"{word}\" is unknown"));
    Ok(Message {
        seq: row.int()?,
        id: MessageId { owner: row.uuid()?, n: row.int()? },
        agreement: row.optional_text().map(Uuid::new),
        kind: row.text().and_then(|word| MessageType::parse(&word).ok_or_else(|| unknown("kind", &word)))?,
        state: row
            .text()
            .and_then(|word| MessageState::parse(&word).ok_or_else(|| unknown("state", &word)))?,
        body: row.text()?,
        contents: row.json()?,
        attempts: row.int().map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX))?,
        due_at: row.optional_time(),
        error: row.optional_text(),
        event_at: row.optional_time(),
        created_at: row.time()?,
    })
}

/// Writes new messages; gives back their places in the store's order, owner and number each.
pub(super) fn insert(messages: &[Message]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("ord", Type::Int),
        ("owner", Type::Text),
        ("n", Type::Int),
        ("agreement", Type::Text),
        ("kind", Type::Text),
        ("state", Type::Text),
        ("body", Type::Text),
        ("contents", Type::Text),
        ("error", Type::Text),
        ("event_at", Type::Int),
        ("created_at", Type::Int),
    ];
    let row = |(ord, message): (i64, &Message)| {
        vec![
            ord.into(),
            (&message.id.owner).into(),
            message.id.n.into(),
            message.agreement.as_ref().into(),
            message.kind.as_str().into(),
            message.state.as_str().into(),
            message.body.as_str().into(),
            json(&message.contents),
            message.error.clone().into(),
            message.event_at.into(),
            message.created_at.into(),
        ]
    };
    let rows = (0..).zip(messages).map(row).collect();
    let sql = "insert into message (owner, n, agreement, kind, state, body, contents, attempts, error, event_at, created_at, \
        updated_at) select owner, n, agreement, kind, state, body, contents, 0, error, event_at, created_at, created_at \
        from {rows} where true order by ord returning seq, owner, n";
    Statement::rows(sql, COLUMNS, rows)
}

/// Notes how far messages have come. What has ended stays as it ended, but a parked one may be taken up again.
pub(super) fn mark(marks: &[Mark], now: i64) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("owner", Type::Text),
        ("n", Type::Int),
        ("kinds", Type::Text),
        ("state", Type::Text),
        ("attempts", Type::Int),
        ("due_at", Type::Int),
        ("error", Type::Text),
        ("updated_at", Type::Int),
    ];
    let row = |mark: &Mark| {
        vec![
            (&mark.id.owner).into(),
            mark.id.n.into(),
            if mark.command { "crossdesk.%" } else { "%" }.into(),
            mark.state.as_str().into(),
            i64::from(mark.attempts).into(),
            mark.due_at.into(),
            mark.error.clone().into(),
            now.into(),
        ]
    };
    let sql = "update message set state = r.state, attempts = r.attempts, due_at = r.due_at, \
        error = case when r.state = 'delivered' then r.error else coalesce(r.error, message.error) end, \
        updated_at = r.updated_at from {rows} where message.owner = r.owner and message.n = r.n \
        and message.kind like r.kinds and message.state not in ('delivered', 'withdrawn')";
    Statement::rows(sql, COLUMNS, marks.iter().map(row).collect())
}

/// Notes that the broker has taken messages.
pub(super) fn published(seqs: &[i64], now: i64) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("seq", Type::Int), ("updated_at", Type::Int)];
    let sql = "update message set state = 'published', updated_at = r.updated_at from {rows} \
        where message.seq = r.seq and message.state = 'pending'";
    Statement {
        rows: Some(Rows {
            columns: COLUMNS,
            rows: seqs.iter().map(|seq| vec![(*seq).into(), now.into()]).collect(),
        }),
        ..Statement::new(sql, Vec::new())
    }
}

/// Takes back ticket messages: of one ticket those that were never tried, of an agreement that has ended all.
pub(super) fn withdraw(ticket: Option<&Uuid>, agreement: &Uuid, now: i64) -> Statement {
    let sql = "update message set state = 'withdrawn', updated_at = $3 where agreement = $1 \
        and ($2 = '' or (owner = $2 and attempts = 0)) and state in ('pending', 'published') and kind like 'ticket.%'";
    let ticket = ticket.map(Uuid::as_str).unwrap_or_default();
    Statement::new(sql, vec![agreement.into(), ticket.into(), now.into()])
}
