//! Writing a batch: one transaction, one statement a table.

use std::collections::HashMap;

use super::{
    agreement, comment,
    link::{Cell, Statement, Type},
    message, recorded,
    row::{json, json_of, word},
    share_form::SharesForm,
    vault::Vault,
};
use crate::{
    domain::{Issue, MessageState, TicketId, Timestamp, User, Uuid},
    ports::{Changed, Ended, StoreError, Writes},
};

/// The statements of a batch.
pub(super) fn statements(writes: &Writes, vault: &Vault, daemon: &str) -> Result<Vec<Statement>, StoreError> {
    let now = writes.now.millis();
    let mut all: Vec<Statement> = writes.agreements.iter().map(agreement::write).collect();
    for (uuid, key) in &writes.access_keys {
        all.push(agreement::write_key(uuid, key, vault)?);
    }
    all.extend(
        writes.partner_fields.iter().map(|(uuid, fields)| agreement::write_partner_fields(uuid, fields)),
    );
    let mut push = |any: bool, statement: &dyn Fn() -> Statement| {
        if any {
            all.push(statement());
        }
    };
    let moved = || writes.tickets.iter().filter(|changed| changed.moved);
    let stayed = || writes.tickets.iter().filter(|changed| !changed.moved);
    push(!writes.relied_on.is_empty(), &|| relied_on(&writes.relied_on));
    push(moved().next().is_some(), &|| moved_tickets(moved(), writes.now));
    push(stayed().next().is_some(), &|| tickets(stayed(), writes.now));
    push(writes.tickets.iter().any(|changed| !changed.under.is_empty()), &|| shares(&writes.tickets));
    push(writes.tickets.iter().any(|changed| !changed.numbered.is_empty()), &|| numbers(&writes.tickets));
    push(!writes.counterparts.is_empty(), &|| outdated(&writes.counterparts));
    push(!writes.counterparts.is_empty(), &|| counterparts(&writes.counterparts));
    push(!writes.comments.is_empty(), &|| comment::insert(&writes.comments));
    push(!writes.older.is_empty(), &|| comment::older(&writes.older));
    push(!writes.learnt.is_empty(), &|| comment::learnt(&writes.learnt));
    push(!writes.users.is_empty(), &|| users(&writes.users));
    // Issues of before; what is new in this batch stays.
    writes.ended.iter().for_each(|one| push(true, &|| ended(one, writes.now)));
    push(!writes.issues.is_empty(), &|| issues(&writes.issues));
    push(!writes.seen.is_empty(), &|| seen(&writes.seen, writes.now));
    push(!writes.waiting.is_empty(), &|| waiting(&writes.waiting, writes.now));
    push(!writes.let_go.is_empty(), &|| let_go(&writes.let_go));
    // Whatever else looks at what waits for the broker, has to find it without these.
    let looked_at = !writes.withdraw.is_empty() || !writes.marks.is_empty();
    push(!writes.published.is_empty(), &|| {
        let published = message::published(&writes.published);
        if looked_at { published } else { published.apart() }
    });
    push(!writes.marks.is_empty(), &|| message::mark(&writes.marks, now));
    let again: Vec<_> =
        writes.marks.iter().filter(|mark| mark.state == MessageState::Pending).map(|mark| &mark.id).collect();
    push(!again.is_empty(), &|| message::again(&again, daemon));
    if !writes.recorded.is_empty() {
        all.extend(recorded::insert(&writes.recorded));
    }
    let mut push = |any: bool, statement: &dyn Fn() -> Statement| {
        if any {
            all.push(statement());
        }
    };
    push(!writes.history.is_empty(), &|| history(&writes.history, writes.now));
    if writes.refit {
        all.push(setting("refitted", json(&Some(""))));
    }
    for (from, to) in &writes.refitted {
        // Only where nobody has begun anew meanwhile.
        let sql = "update setting set value = $2 where key = 'refitted' and value = $1";
        all.push(Statement::new(sql, vec![json(&Some(from)), json(to)]));
    }
    if let Some(catalogue) = &writes.catalogue {
        all.push(setting("catalogue", json(catalogue)));
    }
    if let Some(decline) = &writes.decline_all_invites {
        all.push(setting("decline_all_invites", json(decline)));
    }
    // What is withdrawn was written before this batch; what is new in it stays.
    all.extend(writes.withdraw.iter().map(|w| message::withdraw(w.ticket.as_ref(), &w.agreement, now)));
    if !writes.messages.is_empty() {
        all.push(message::insert(&writes.messages, daemon));
    }
    Ok(all)
}

const TICKET: &[(&str, Type)] = &[
    ("uuid", Type::Text),
    ("id", Type::Text),
    ("version", Type::Int),
    ("due_at", Type::Int),
    ("updated_at", Type::Int),
    ("last_message", Type::Int),
    ("last_comment", Type::Int),
    ("doc", Type::Text),
    ("shares", Type::Text),
];

fn ticket_row(changed: &Changed, now: Timestamp) -> Vec<Cell> {
    let ticket = &changed.stored.ticket;
    vec![
        (&ticket.uuid).into(),
        ticket.id.as_ref().map(TicketId::as_str).into(),
        ticket.version.into(),
        ticket.due_at.into(),
        now.into(),
        ticket.last_message.into(),
        ticket.last_comment.into(),
        json_of(ticket, 700 + ticket.heard.size()),
        json_of(&SharesForm(&changed.stored), 640),
    ]
}

/// Tickets that are new, or are found by something else than before.
fn moved_tickets<'a>(tickets: impl Iterator<Item = &'a Changed>, now: Timestamp) -> Statement {
    let sql = "insert into ticket (uuid, id, version, due_at, updated_at, last_message, last_comment, doc, shares) \
        select uuid, id, version, due_at, updated_at, last_message, last_comment, doc, shares from {rows} where true \
        on conflict (uuid) do update set id = excluded.id, version = excluded.version, due_at = excluded.due_at, \
        updated_at = excluded.updated_at, last_message = excluded.last_message, last_comment = excluded.last_comment, doc = excluded.doc, shares = excluded.shares \
        where ticket.version = excluded.version - 1";
    Statement::rows(sql, TICKET, tickets.map(|changed| ticket_row(changed, now)).collect()).all()
}

/// Tickets by which no index is touched.
fn tickets<'a>(tickets: impl Iterator<Item = &'a Changed>, now: Timestamp) -> Statement {
    let sql = "insert into ticket (uuid, id, version, due_at, updated_at, last_message, last_comment, doc, shares) \
        select uuid, id, version, due_at, updated_at, last_message, last_comment, doc, shares from {rows} where true \
        on conflict (uuid) do update set version = excluded.version, \
        updated_at = excluded.updated_at, last_message = excluded.last_message, last_comment = excluded.last_comment, doc = excluded.doc, shares = excluded.shares \
        where ticket.version = excluded.version - 1";
    Statement::rows(sql, TICKET, tickets.map(|changed| ticket_row(changed, now)).collect()).all().apart()
}

/// What was decided on tickets that were not read anew holds only if nobody has changed them meanwhile.
fn relied_on(tickets: &[(Uuid, i64)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("uuid", Type::Text), ("version", Type::Int)];
    let rows = tickets.iter().map(|(uuid, version)| vec![uuid.into(), (*version).into()]).collect();
    let sql = "select t.version from ticket t join {rows} on t.uuid = r.uuid and t.version = r.version";
    Statement::rows(sql, COLUMNS, rows).all().apart()
}

/// Under which agreements tickets are shared, for lists.
fn shares(tickets: &[Changed]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("agreement", Type::Text)];
    let under = tickets.iter().flat_map(|changed| {
        changed.under.iter().map(|agreement| vec![(&changed.stored.ticket.uuid).into(), agreement.into()])
    });
    let sql = "insert into share (ticket, agreement) select ticket, agreement from {rows} where true \
        on conflict (ticket, agreement) do nothing";
    Statement::rows(sql, COLUMNS, under.collect())
}

/// Partners' numbers of tickets, for searches.
fn numbers(tickets: &[Changed]) -> Statement {
    const COLUMNS: &[(&str, Type)] =
        &[("ticket", Type::Text), ("agreement", Type::Text), ("number", Type::Text)];
    let numbered = tickets.iter().flat_map(|changed| {
        changed.numbered.iter().map(|(agreement, number)| {
            vec![(&changed.stored.ticket.uuid).into(), agreement.into(), number.as_str().into()]
        })
    });
    let sql = "update share set number = r.number from {rows} where share.ticket = r.ticket and share.agreement = r.agreement";
    Statement::rows(sql, COLUMNS, numbered.collect())
}

const COUNTERPART: &[(&str, Type)] = &[("agreement", Type::Text), ("id", Type::Text), ("ticket", Type::Text)];

fn counterpart_row((agreement, id, ticket): &(Uuid, String, Uuid)) -> Vec<Cell> {
    vec![agreement.into(), id.as_str().into(), ticket.into()]
}

/// What stood for a ticket in an earlier share stands for it no more.
fn outdated(counterparts: &[(Uuid, String, Uuid)]) -> Statement {
    let sql = "delete from counterpart where exists (select 1 from {rows} where r.agreement = counterpart.agreement \
        and r.ticket = counterpart.ticket and r.id <> counterpart.id)";
    Statement::rows(sql, COUNTERPART, counterparts.iter().map(counterpart_row).collect())
}

/// What stands for tickets at partners.
fn counterparts(counterparts: &[(Uuid, String, Uuid)]) -> Statement {
    let rows = last_of(counterparts, |(agreement, id, _)| (agreement.clone(), id.clone()));
    let sql = "insert into counterpart (agreement, id, ticket) select agreement, id, ticket from {rows} where true \
        on conflict (agreement, id) do update set ticket = excluded.ticket";
    Statement::rows(sql, COUNTERPART, rows.into_iter().map(counterpart_row).collect())
}

/// Two rows with one key cannot go into one statement: the last stands.
fn last_of<K: std::hash::Hash + Eq, T>(items: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut last: HashMap<K, usize> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        last.insert(key(item), at);
    }
    let mut places: Vec<usize> = last.into_values().collect();
    places.sort_unstable();
    places.into_iter().filter_map(|at| items.get(at)).collect()
}

fn users(users: &[User]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("uuid", Type::Text),
        ("agreement", Type::Text),
        ("id", Type::Text),
        ("name", Type::Text),
        ("role", Type::Text),
    ];
    let row = |user: &User| {
        vec![
            (&user.uuid).into(),
            (&user.agreement).into(),
            user.id.as_ref().map(crate::domain::UserId::as_str).into(),
            user.name.as_str().into(),
            word(&user.role),
        ]
    };
    let mut users = last_of(users, |user| (user.agreement.clone(), user.uuid.clone()));
    users.sort_unstable_by(|one, other| (&one.uuid, &one.agreement).cmp(&(&other.uuid, &other.agreement)));
    let sql = "insert into person (uuid, agreement, id, name, role) select uuid, agreement, id, name, role from {rows} \
        where true on conflict (uuid, agreement) do update set id = coalesce(excluded.id, person.id), name = excluded.name, \
        role = excluded.role";
    Statement::rows(sql, COLUMNS, users.into_iter().map(row).collect())
}

/// What the end of a ticket's share settles, by `Reason::OF_SYNC`; that of an agreement settles all.
const ENDED: &str = "update issue set resolved_at = $2 where agreement = $1 and ticket = $3 and resolved_at is null and reason in \
    ('unknown_field', 'incompatible_type', 'unknown_option', 'not_shared', 'partner_refused', 'partner_fails', 'concurrent', \
    'nearest_status', 'drift')";

/// Resolves issues about what has ended.
fn ended(Ended { ticket, agreement }: &Ended, now: Timestamp) -> Statement {
    let all = "update issue set resolved_at = $2 where agreement = $1 and resolved_at is null";
    let args = vec![agreement.into(), now.into()];
    match ticket {
        Some(ticket) => Statement::new(ENDED, args.into_iter().chain([ticket.into()]).collect()),
        None => Statement::new(all, args),
    }
}

fn issues(issues: &[Issue]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("ticket", Type::Text),
        ("agreement", Type::Text),
        ("subject", Type::Text),
        ("reason", Type::Text),
        ("detail", Type::Text),
        ("opened_at", Type::Int),
        ("resolved_at", Type::Int),
    ];
    let row = |issue: &Issue| {
        vec![
            (&issue.ticket).into(),
            (&issue.agreement).into(),
            issue.subject.as_str().into(),
            issue.reason.as_str().into(),
            issue.detail.as_str().into(),
            issue.opened_at.into(),
            issue.resolved_at.into(),
        ]
    };
    let issues =
        last_of(issues, |issue| (issue.ticket.clone(), issue.agreement.clone(), issue.subject.clone()));
    // A resolved issue keeps what it was about; one that was never open is not worth a row.
    let sql = "insert into issue (ticket, agreement, subject, reason, detail, opened_at, resolved_at) \
        select r.ticket, r.agreement, r.subject, r.reason, r.detail, r.opened_at, r.resolved_at from {rows} \
        where r.resolved_at is null or exists (select 1 from issue i where i.ticket = r.ticket \
        and i.agreement = r.agreement and i.subject = r.subject) \
        on conflict (ticket, agreement, subject) do update set \
        reason = case when excluded.resolved_at is null then excluded.reason else issue.reason end, \
        detail = case when excluded.resolved_at is null then excluded.detail else issue.detail end, \
        opened_at = case when excluded.resolved_at is null then excluded.opened_at else issue.opened_at end, \
        resolved_at = excluded.resolved_at";
    Statement::rows(sql, COLUMNS, issues.into_iter().map(row).collect())
}

fn seen(keys: &[String], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("key", Type::Text), ("at", Type::Int)];
    let mut keys: Vec<&String> = keys.iter().collect();
    // In one order, so that two daemons wait for each other in no circle.
    keys.sort_unstable();
    let rows = keys.into_iter().map(|key| vec![key.as_str().into(), now.into()]).collect();
    // Two daemons may take the same event at once; the version of the ticket tells them apart.
    let sql = "insert into seen (key, at) select key, at from {rows} where true on conflict (key) do nothing";
    Statement::rows(sql, COLUMNS, rows).apart()
}

fn waiting(events: &[(TicketId, String)], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("body", Type::Text), ("at", Type::Int)];
    let row = |(ticket, body): &(TicketId, String)| -> Vec<Cell> {
        vec![ticket.as_str().into(), body.as_str().into(), now.into()]
    };
    let sql = "insert into waiting_event (ticket, body, at) select ticket, body, at from {rows}";
    Statement::rows(sql, COLUMNS, events.iter().map(row).collect())
}

/// Rows that wait no longer, while others of their name may.
fn let_go(rows: &[(TicketId, String)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("body", Type::Text)];
    let rows = rows.iter().map(|(ticket, body)| vec![ticket.as_str().into(), body.as_str().into()]).collect();
    let sql = "delete from waiting_event where exists (select 1 from {rows} where r.ticket = waiting_event.ticket \
        and r.body = waiting_event.body)";
    Statement::rows(sql, COLUMNS, rows)
}

fn history(happened: &[(Uuid, i64, String)], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] =
        &[("ticket", Type::Text), ("n", Type::Int), ("at", Type::Int), ("doc", Type::Text)];
    let row = |(ticket, n, doc): &(Uuid, i64, String)| {
        vec![ticket.into(), (*n).into(), now.into(), doc.as_str().into()]
    };
    let sql = "insert into history (ticket, n, at, doc) select ticket, n, at, doc from {rows}";
    Statement::rows(sql, COLUMNS, happened.iter().map(row).collect()).apart()
}

fn setting(key: &'static str, value: Cell) -> Statement {
    let sql = "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value";
    Statement::new(sql, vec![key.into(), value])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    #[test]
    fn the_end_of_a_share_settles_what_it_says() {
        let named: Vec<&str> = ENDED.split('\'').skip(1).step_by(2).collect();
        assert_eq!(named, Reason::OF_SYNC.map(Reason::as_str));
    }
}
