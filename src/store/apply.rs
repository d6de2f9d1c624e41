//! Writing a batch: one transaction, one statement a table.

use std::collections::HashMap;

use super::{
    agreement,
    link::{Cell, Statement, Type},
    message,
    row::{json, word},
    vault::Vault,
};
use crate::{
    domain::{Issue, Share, StoredComment, Ticket, TicketId, Timestamp, User, Uuid},
    ports::{StoreError, Writes},
};

/// The statements of a batch, and which of them gives back the places of the new messages.
pub(super) fn statements(
    writes: &Writes,
    vault: &Vault,
) -> Result<(Vec<Statement>, Option<usize>), StoreError> {
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
    push(!writes.tickets.is_empty(), &|| tickets(&writes.tickets, writes.now));
    push(!writes.shares.is_empty(), &|| shares(&writes.shares));
    push(!writes.comments.is_empty(), &|| comments(&writes.comments));
    push(!writes.learnt.is_empty(), &|| learnt(&writes.learnt));
    push(!writes.users.is_empty(), &|| users(&writes.users));
    push(!writes.issues.is_empty(), &|| issues(&writes.issues));
    push(!writes.seen.is_empty(), &|| seen(&writes.seen, writes.now));
    push(!writes.waiting.is_empty(), &|| waiting(&writes.waiting, writes.now));
    push(!writes.released.is_empty(), &|| released(&writes.released));
    push(!writes.published.is_empty(), &|| message::published(&writes.published, now));
    push(!writes.marks.is_empty(), &|| message::mark(&writes.marks, now));
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
    if writes.messages.is_empty() {
        return Ok((all, None));
    }
    all.push(message::insert(&writes.messages));
    let place = all.len() - 1;
    Ok((all, Some(place)))
}

fn tickets(tickets: &[Ticket], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("uuid", Type::Text),
        ("id", Type::Text),
        ("version", Type::Int),
        ("due_at", Type::Int),
        ("updated_at", Type::Int),
        ("doc", Type::Text),
    ];
    let row = |ticket: &Ticket| {
        vec![
            (&ticket.uuid).into(),
            ticket.id.as_ref().map(TicketId::as_str).into(),
            (ticket.version + 1).into(),
            ticket.due_at.into(),
            now.into(),
            json(ticket),
        ]
    };
    let sql = "insert into ticket (uuid, id, version, due_at, updated_at, doc) \
        select uuid, id, version, due_at, updated_at, doc from {rows} where true \
        on conflict (uuid) do update set id = excluded.id, version = excluded.version, due_at = excluded.due_at, \
        updated_at = excluded.updated_at, doc = excluded.doc where ticket.version = excluded.version - 1";
    Statement::rows(sql, COLUMNS, tickets.iter().map(row).collect()).all()
}

fn shares(shares: &[Share]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("ticket", Type::Text),
        ("agreement", Type::Text),
        ("comments_sent", Type::Int),
        ("doc", Type::Text),
    ];
    let row = |share: &Share| {
        vec![(&share.ticket).into(), (&share.agreement).into(), share.comments_sent.into(), json(share)]
    };
    let sql = "insert into share (ticket, agreement, comments_sent, doc) \
        select ticket, agreement, comments_sent, doc from {rows} where true \
        on conflict (ticket, agreement) do update set comments_sent = excluded.comments_sent, doc = excluded.doc";
    Statement::rows(sql, COLUMNS, shares.iter().map(row).collect()).all()
}

fn comments(comments: &[(Uuid, StoredComment)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("ticket", Type::Text),
        ("uuid", Type::Text),
        ("n", Type::Int),
        ("id", Type::Text),
        ("origin", Type::Text),
        ("doc", Type::Text),
    ];
    let row = |(ticket, stored): &(Uuid, StoredComment)| {
        vec![
            ticket.into(),
            (&stored.comment.uuid).into(),
            stored.n.into(),
            stored.comment.id.clone().into(),
            stored.from.as_ref().into(),
            json(&stored.comment),
        ]
    };
    let sql = "insert into comment (ticket, uuid, n, id, origin, doc) select ticket, uuid, n, id, origin, doc from {rows}";
    Statement::rows(sql, COLUMNS, comments.iter().map(row).collect()).all()
}

fn learnt(learnt: &[(Uuid, Uuid, String)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("uuid", Type::Text), ("id", Type::Text)];
    let row = |(ticket, uuid, id): &(Uuid, Uuid, String)| -> Vec<Cell> {
        vec![ticket.into(), uuid.into(), id.as_str().into()]
    };
    let sql =
        "update comment set id = r.id from {rows} where comment.ticket = r.ticket and comment.uuid = r.uuid";
    Statement::rows(sql, COLUMNS, learnt.iter().map(row).collect())
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
    let users = last_of(users, |user| (user.agreement.clone(), user.uuid.clone()));
    let sql = "insert into person (uuid, agreement, id, name, role) select uuid, agreement, id, name, role from {rows} \
        where true on conflict (uuid, agreement) do update set id = coalesce(excluded.id, person.id), name = excluded.name, \
        role = excluded.role";
    Statement::rows(sql, COLUMNS, users.into_iter().map(row).collect())
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
    let rows = keys.iter().map(|key| vec![key.as_str().into(), now.into()]).collect();
    // Two daemons may take the same event at once; the version of the ticket tells them apart.
    let sql = "insert into seen (key, at) select key, at from {rows} where true on conflict (key) do nothing";
    Statement::rows(sql, COLUMNS, rows)
}

fn waiting(events: &[(TicketId, String)], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("body", Type::Text), ("at", Type::Int)];
    let row = |(ticket, body): &(TicketId, String)| -> Vec<Cell> {
        vec![ticket.as_str().into(), body.as_str().into(), now.into()]
    };
    let sql = "insert into waiting_event (ticket, body, at) select ticket, body, at from {rows}";
    Statement::rows(sql, COLUMNS, events.iter().map(row).collect())
}

fn released(tickets: &[TicketId]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text)];
    let rows = tickets.iter().map(|ticket| vec![ticket.as_str().into()]).collect();
    Statement::rows("delete from waiting_event where ticket in (select ticket from {rows})", COLUMNS, rows)
}

fn history(happened: &[(Uuid, String)], now: Timestamp) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("at", Type::Int), ("doc", Type::Text)];
    let row = |(ticket, doc): &(Uuid, String)| vec![ticket.into(), now.into(), doc.as_str().into()];
    let sql = "insert into history (ticket, at, doc) select ticket, at, doc from {rows}";
    Statement::rows(sql, COLUMNS, happened.iter().map(row).collect())
}

fn setting(key: &'static str, value: Cell) -> Statement {
    let sql = "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value";
    Statement::new(sql, vec![key.into(), value])
}
