//! The comment table. A ticket remembers its own last comments itself, and leads to all that it has: hardly any has to be looked up.

use std::collections::HashSet;

use super::{
    link::{Cell, Link, Row, Statement, Type},
    row::{Reader, json_of},
};
use crate::{
    domain::{Heard, StoredComment, Uuid, Word},
    engine::Snapshot,
    ports::{NewComment, Scope, StoreError, TicketRef},
};

/// Writes new comments at their places.
pub(super) fn insert(comments: &[NewComment]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[
        ("seq", Type::Int),
        ("before", Type::Int),
        ("ticket", Type::Text),
        ("uuid", Type::Text),
        ("n", Type::Int),
        ("id", Type::Text),
        ("origin", Type::Text),
        ("doc", Type::Text),
    ];
    let row = |NewComment { ticket, place, before, stored }: &NewComment| {
        vec![
            (*place).into(),
            (*before).into(),
            ticket.into(),
            (&stored.comment.uuid).into(),
            stored.n.into(),
            stored.comment.id.as_deref().into(),
            stored.from.as_ref().into(),
            json_of(&stored.comment, 300 + stored.comment.body.len()),
        ]
    };
    let sql = "insert into comment (seq, before, ticket, uuid, n, id, origin, doc) \
        select seq, before, ticket, uuid, n, id, origin, doc from {rows}";
    Statement::rows(sql, COLUMNS, comments.iter().map(row).collect()).all().apart()
}

/// Marks of comments that their tickets remember no longer.
pub(super) fn older(older: &[(Uuid, String)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("mark", Type::Text)];
    let rows = older.iter().map(|(ticket, mark)| vec![ticket.into(), mark.as_str().into()]).collect();
    let sql = "insert into heard (ticket, mark) select ticket, mark from {rows} where true on conflict (ticket, mark) do nothing";
    Statement::rows(sql, COLUMNS, rows).apart()
}

/// Notes the desk's ids of comments that came from elsewhere.
pub(super) fn learnt(learnt: &[(Uuid, Uuid, Word)]) -> Statement {
    const COLUMNS: &[(&str, Type)] = &[("ticket", Type::Text), ("uuid", Type::Text), ("id", Type::Text)];
    let row = |(ticket, uuid, id): &(Uuid, Uuid, Word)| -> Vec<Cell> {
        vec![ticket.into(), uuid.into(), id.as_str().into()]
    };
    let sql = "update comment set id = r.id from {rows} where comment.ticket = r.ticket and comment.uuid = r.uuid and comment.origin is not null";
    Statement::rows(sql, COLUMNS, learnt.iter().map(row).collect())
}

fn read_comment(row: Row) -> Result<(Uuid, StoredComment), StoreError> {
    let mut row = Reader::new("comment", row);
    let ticket = row.uuid()?;
    let n = row.int()?;
    let id = row.optional_text();
    let from = row.optional_text().map(Uuid::new);
    let mut comment: crate::domain::Comment = row.json()?;
    comment.id = id.map(Word::from).or(comment.id);
    Ok((ticket, StoredComment { n, from, comment: comment.into() }))
}

/// All comments of tickets: from the last one of each, every comment leads to the one before it.
const ALL_COMMENTS: &str = "with recursive chain(seq) as (select t.last_comment from ticket t join {rows} on t.uuid = r.wanted \
    union all select x.before from chain d join comment x on x.seq = d.seq where x.before is not null) \
    select c.ticket, c.n, c.id, c.origin, c.doc from chain d join comment c on c.seq = d.seq order by c.ticket, c.n";

pub(super) async fn all(link: &dyn Link, ticket: &Uuid) -> Result<Vec<StoredComment>, StoreError> {
    let rows = link.query(Statement::keys(ALL_COMMENTS, [ticket])).await?;
    rows.into_iter().map(|row| read_comment(row).map(|(_, comment)| comment)).collect()
}

/// What a batch has to know of comments: which of those that it speaks of are known, and all that some share has not been told.
pub(super) async fn read(link: &dyn Link, scope: &Scope, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    if !scope.comments.is_empty() {
        known_comments(link, scope, snapshot).await?;
    }
    // Only tickets that have comments which some share has not seen: hardly ever any.
    let behind = snapshot.cases.values().filter(|case| {
        case.shares.iter().any(|share| {
            share.state != crate::domain::ShareState::Ended && share.comments_sent < case.ticket.comments
        })
    });
    let behind = behind.map(|case| &case.ticket.uuid);
    let wanted = scope.all_comments.iter().filter_map(|ticket| match ticket {
        TicketRef::Desk(id) => snapshot.desk_ids.get(id),
        TicketRef::Network(uuid) => Some(uuid),
    });
    let behind: HashSet<Uuid> = behind.chain(wanted).cloned().collect();
    if behind.is_empty() {
        return Ok(());
    }
    for row in link.query(Statement::keys(ALL_COMMENTS, &behind)).await? {
        let (ticket, stored) = read_comment(row)?;
        if let Some(case) = snapshot.cases.get_mut(&ticket) {
            case.comments.unsent.push(stored);
        }
    }
    Ok(())
}

/// Which comments are known, of those asked for. Hardly any has to be looked up: a ticket remembers its last own ones itself.
async fn known_comments(link: &dyn Link, scope: &Scope, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    const WANTED: &[(&str, Type)] = &[("ticket", Type::Text), ("uuid", Type::Text), ("id", Type::Text)];
    const MARK: &[(&str, Type)] =
        &[("ticket", Type::Text), ("mark", Type::Text), ("uuid", Type::Text), ("id", Type::Text)];
    let by_uuid = "select c.ticket, c.uuid, c.id, c.origin from comment c join {rows} on c.ticket = r.ticket and c.uuid = r.uuid \
        where c.origin is not null";
    let by_id = "select c.ticket, c.uuid, c.id, c.origin from comment c join {rows} on c.ticket = r.ticket and c.id = r.id \
        where c.origin is not null and c.id is not null";
    let by_mark =
        "select h.ticket, r.uuid, r.id from heard h join {rows} on h.ticket = r.ticket and h.mark = r.mark";
    let (mut foreign, mut older) = (Vec::new(), Vec::new());
    for (ticket, uuid, id) in &scope.comments {
        let ticket = match ticket {
            TicketRef::Desk(id) => snapshot.desk_ids.get(id),
            TicketRef::Network(uuid) => Some(uuid),
        };
        let case = ticket.and_then(|ticket| snapshot.cases.get_mut(ticket));
        let Some(case) = case.filter(|case| case.ticket.comments > 0) else { continue };
        let (ticket, heard) = (&case.ticket.uuid, &case.ticket.heard);
        if heard.has_comment(uuid) {
            case.comments.know(uuid, id.as_ref());
            continue;
        }
        if heard.has_foreign() {
            foreign.push(vec![ticket.into(), uuid.into(), id.as_deref().into()]);
        }
        if let Some(mark) = Heard::mark(uuid).filter(|_| heard.has_older()) {
            older.push(vec![ticket.into(), mark.into(), uuid.into(), id.as_deref().into()]);
        }
    }
    if !older.is_empty() {
        for row in link.query(Statement::rows(by_mark, MARK, older)).await? {
            let mut row = Reader::new("heard", row);
            let (ticket, uuid, id) = (row.uuid()?, row.uuid()?, row.optional_text().map(Word::from));
            if let Some(case) = snapshot.cases.get_mut(&ticket) {
                case.comments.know(&uuid, id.as_ref());
            }
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    for sql in [by_uuid, by_id] {
        for row in link.query(Statement::rows(sql, WANTED, foreign.clone())).await? {
            let mut row = Reader::new("comment", row);
            let (ticket, uuid, id) = (row.uuid()?, row.uuid()?, row.optional_text().map(Word::from));
            if let Some(case) = snapshot.cases.get_mut(&ticket) {
                if row.optional_text().is_some_and(|origin| !origin.is_empty()) {
                    case.comments.foreign.insert(uuid.clone());
                }
                case.comments.know(&uuid, id.as_ref());
            }
        }
    }
    Ok(())
}
