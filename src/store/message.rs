//! The message table: outbox, history and dead letters in one.

use std::collections::BTreeMap;

use super::{
    link::{Cell, Row, Statement, Type},
    row::{Reader, json_of},
};
use crate::{
    domain::{Channel, Message, MessageId, MessageState, MessageType, Uuid},
    ports::{Mark, MessageFilter, StoreError},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select m.seq, m.owner, m.n, m.agreement, m.kind, case when m.state in ('open', 'asked', 'handed', 'dead') then \
             case when exists (select 1 from outbox o where o.seq = m.seq) then 'pending' else 'published' end \
             else m.state end as state, case when m.state in ('handed', 'dead') then 1 else 0 end, m.body, m.contents, m.attempts, m.due_at, m.error, \
             m.event_at, m.created_at, m.updated_at from message m ",
            $rest
        )
    };
}

pub(super) const ID: &[(&str, Type)] = &[("owner", Type::Text), ("n", Type::Int)];

pub(super) fn select(filter: MessageFilter, limit: i64, daemon: &str) -> Statement {
    let with = |sql, arg: Cell| Statement::new(sql, vec![arg, limit.into()]);
    match filter {
        MessageFilter::Pending(after, without) => {
            let sql = select!(
                "join outbox p on p.seq = m.seq where p.seq > $1 and p.daemon = $3 and m.state in ('open', 'asked', 'handed', 'dead') \
                 and (m.agreement is null or m.state not in ('open', 'handed') or m.kind like 'dead.%' \
                 or replace($4, '\n' || m.agreement || '\n', '') = $4) order by p.seq limit $2"
            );
            let without: Vec<&str> = without.iter().map(Uuid::as_str).collect();
            let without = format!("\n{}\n", without.join("\n\n"));
            Statement::new(sql, vec![after.into(), limit.into(), daemon.into(), without.into()])
        }
        MessageFilter::PendingTo(partner) => {
            let sql = select!(
                "join outbox p on p.seq = m.seq where m.agreement = $1 and p.daemon = $3 and m.state in ('open', 'handed') \
                 and m.kind not like 'dead.%' order by p.seq limit $2"
            );
            Statement::new(sql, vec![(&partner).into(), limit.into(), daemon.into()])
        }
        MessageFilter::Undelivered(after) => {
            with(select!("where m.state = 'open' and m.seq > $1 order by +m.seq limit $2"), after.into())
        }
        MessageFilter::Retrying(agreement) => with(
            select!(
                "where m.agreement = $1 and m.state = 'open' and m.due_at is not null order by m.seq limit $2"
            ),
            (&agreement).into(),
        ),
        MessageFilter::Open(agreement) => with(
            select!(
                "where m.seq in (select x.seq from message x where x.agreement = $1 and x.state = 'open' union \
                 select o.seq from outbox o join message y on y.seq = o.seq where y.agreement = $1 and y.state = 'handed') \
                 order by m.seq limit $2"
            ),
            (&agreement).into(),
        ),
        MessageFilter::Creates(agreement) => with(
            select!(
                "where m.agreement = $1 and m.state = 'open' and m.kind = 'ticket.create' order by m.seq limit $2"
            ),
            (&agreement).into(),
        ),
        MessageFilter::Commands(after) => {
            with(select!("where m.state = 'asked' and m.seq > $1 order by m.seq limit $2"), after.into())
        }
        MessageFilter::Parked(after, None) => {
            with(select!("where m.state = 'parked' and m.seq > $1 order by m.seq limit $2"), after.into())
        }
        MessageFilter::Parked(after, Some(agreement)) => Statement::new(
            select!("where m.state = 'parked' and m.agreement = $3 and m.seq > $1 order by m.seq limit $2"),
            vec![after.into(), limit.into(), (&agreement).into()],
        ),
        MessageFilter::Of(owner) => with(
            select!(
                "join (with recursive chain(seq, depth) as (select t.last_message, 1 from ticket t where t.uuid = $1 union all \
                 select x.before, c.depth + 1 from chain c join message x on x.seq = c.seq where x.before is not null and c.depth < $2) \
                 select seq from chain union select l.seq from message l where l.owner = $1 and l.state in ('open', 'asked', 'dead', 'parked')) \
                 as c on c.seq = m.seq order by m.n desc limit $2"
            ),
            (&owner).into(),
        ),
        MessageFilter::Waiting(agreement, owners) => {
            const OWNERS: &[(&str, Type)] = &[("agreement", Type::Text), ("owner", Type::Text)];
            let rows = owners.iter().map(|owner| vec![(&agreement).into(), owner.into()]).collect();
            Statement::rows(
                select!(
                    "join {rows} on m.agreement = r.agreement and m.owner = r.owner where m.state = 'open' order by m.seq"
                ),
                OWNERS,
                rows,
            )
        }
        MessageFilter::Untaken => with(
            select!(
                "where m.state = 'asked' and (m.attempts = 0 or m.due_at is not null) and m.seq > $1 order by m.seq limit $2"
            ),
            0.into(),
        ),
        MessageFilter::UntakenOf(owners) => {
            const OWNERS: &[(&str, Type)] = &[("owner", Type::Text)];
            let rows = owners.iter().map(|owner| vec![owner.into()]).collect();
            Statement::rows(
                select!(
                    "join {rows} on m.owner = r.owner where m.state in ('open', 'asked', 'dead', 'parked') and m.state = 'asked' and (m.attempts = 0 or m.due_at is not null) \
                     order by m.seq"
                ),
                OWNERS,
                rows,
            )
        }
        MessageFilter::Ids(ids) => {
            let rows = ids.into_iter().map(|id| vec![(&id.owner).into(), id.n.into()]).collect();
            Statement::rows(
                select!(
                    "join {rows} on m.owner = r.owner and m.n = r.n where m.state in ('open', 'asked', 'dead', 'parked') order by m.seq"
                ),
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
        before: None,
        id: MessageId { owner: row.uuid()?, n: row.int()? },
        agreement: row.optional_text().map(Uuid::new),
        kind: row.text().and_then(|word| MessageType::parse(&word).ok_or_else(|| unknown("kind", &word)))?,
        state: row
            .text()
            .and_then(|word| MessageState::parse(&word).ok_or_else(|| unknown("state", &word)))?,
        bridged: row.flag()?,
        body: row.text()?,
        contents: row.json()?,
        attempts: row.int().map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX))?,
        due_at: row.optional_time(),
        error: row.optional_text(),
        event_at: row.optional_time(),
        created_at: row.time()?,
        updated_at: row.time()?,
        cause: None,
    })
}

/// The word in the table. What is on its way is `open` to a partner whose answer is waited for, `asked` of the desk, or
/// `handed` to a queue of somebody else's, or a `dead` letter; the outbox says whether the broker has it. Those that somebody will
/// look for by their ids, and no others, are in an index: a bridge's message is never heard of again.
fn stored_as(message: &Message) -> &'static str {
    match (message.state, message.kind.channel()) {
        (MessageState::Pending | MessageState::Published, Channel::Command) => "asked",
        (MessageState::Pending | MessageState::Published, Channel::Partner) if !message.bridged => "open",
        // The copy of one that was for a partner is not looked for: the message itself is.
        (MessageState::Pending | MessageState::Published, Channel::Dead)
            if message.kind != MessageType::DeadPartner =>
        {
            "dead"
        }
        (MessageState::Pending | MessageState::Published, _) => "handed",
        (ended, _) => ended.as_str(),
    }
}

/// Writes new messages at their places.
pub(super) fn insert(messages: &[Message], daemon: &str) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("seq", Type::Int),
        ("before", Type::Int),
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
        ("cause", Type::Text),
        ("daemon", Type::Text),
    ];
    let daemon: Cell = Cell::Shared(daemon.into());
    let mut words: BTreeMap<&str, Cell> = BTreeMap::new();
    let mut word =
        |word: &'static str| words.entry(word).or_insert_with(|| Cell::Shared(word.into())).clone();
    let row = |message: &Message| {
        vec![
            message.seq.into(),
            message.before.into(),
            (&message.id.owner).into(),
            message.id.n.into(),
            message.agreement.as_ref().into(),
            word(message.kind.as_str()),
            word(stored_as(message)),
            message.body.as_str().into(),
            json_of(&message.contents, 256),
            message.error.clone().into(),
            message.event_at.into(),
            message.created_at.into(),
            message.cause.as_deref().into(),
            daemon.clone(),
        ]
    };
    let sql = "insert into message (seq, before, owner, n, agreement, kind, state, body, contents, attempts, error, event_at, \
        created_at, updated_at, cause, daemon) select seq, before, owner, n, agreement, kind, state, body, contents, 0, error, \
        event_at, created_at, created_at, cause, daemon from {rows}";
    Statement::rows(sql, COLUMNS, messages.iter().map(row).collect()).apart()
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
    // One that a person has sent again is as old as that.
    let sql = "update message set created_at = case when r.state = 'pending' then r.updated_at else message.created_at end, state = case when r.state in ('pending', 'published') then \
        case when message.kind like 'crossdesk.%' then 'asked' when message.kind like 'dead.%' then 'dead' when message.state = 'handed' then 'handed' else 'open' end \
        else r.state end, attempts = r.attempts, due_at = r.due_at, \
        error = case when r.state = 'delivered' then r.error else coalesce(r.error, message.error) end, \
        updated_at = r.updated_at from {rows} where message.owner = r.owner and message.n = r.n \
        and message.kind like r.kinds and message.state in ('open', 'asked', 'dead', 'parked')";
    Statement::rows(sql, COLUMNS, marks.iter().map(row).collect())
}

/// Messages that are to be published anew.
pub(super) fn again(ids: &[&MessageId], daemon: &str) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("owner", Type::Text), ("n", Type::Int), ("daemon", Type::Text)];
    let rows = ids.iter().map(|id| vec![(&id.owner).into(), id.n.into(), daemon.into()]).collect();
    let sql = "insert into outbox (seq, daemon) select m.seq, r.daemon from message m join {rows} on m.owner = r.owner and m.n = r.n \
        where m.state in ('open', 'asked', 'dead', 'parked') on conflict (seq) do nothing";
    Statement::rows(sql, COLUMNS, rows)
}

/// Notes that the broker has taken messages.
pub(super) fn published(seqs: &[i64]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("seq", Type::Int)];
    let rows = seqs.iter().map(|seq| vec![(*seq).into()]).collect();
    Statement::rows("delete from outbox where seq in (select r.seq from {rows})", COLUMNS, rows)
}

/// Takes back ticket messages: of one ticket those that were never tried, of an agreement that has ended all.
pub(super) fn withdraw(ticket: Option<&Uuid>, agreement: &Uuid, now: i64) -> Statement {
    let args = |ticket: Option<&Uuid>| {
        let mut args: Vec<Cell> = vec![agreement.into(), now.into()];
        args.extend(ticket.map(Cell::from));
        args
    };
    let sql = match ticket {
        Some(_) => {
            "update message set state = 'withdrawn', updated_at = $2 where attempts = 0 and kind like 'ticket.%' and seq in \
            (select x.seq from message x where x.agreement = $1 and x.owner = $3 and x.state = 'open' union \
            select o.seq from outbox o join message y on y.seq = o.seq where y.agreement = $1 and y.owner = $3 and y.state = 'handed')"
        }
        None => {
            "update message set state = 'withdrawn', updated_at = $2 where kind like 'ticket.%' and seq in \
            (select x.seq from message x where x.agreement = $1 and x.state = 'open' union \
            select o.seq from outbox o join message y on y.seq = o.seq where y.agreement = $1 and y.state = 'handed')"
        }
    };
    Statement::new(sql, args(ticket))
}
