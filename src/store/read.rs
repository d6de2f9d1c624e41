//! Reading for people: lists, one ticket with everything, counts.

use std::collections::{BTreeSet, HashMap};

use super::{
    link::{Cell, Link, Statement, Type},
    row::Reader,
    snapshot::{read_ticket, ticket_columns},
};
use crate::{
    domain::{AgreementStatus, Issue, Reason, Uuid},
    engine::Stored,
    ports::{Counts, StoreError, TicketView},
};

pub(super) async fn tickets(
    link: &dyn Link,
    after: Option<&Uuid>,
    agreement: Option<&Uuid>,
    limit: i64,
) -> Result<Vec<TicketView>, StoreError> {
    let after: Cell = after.map(Uuid::as_str).unwrap_or_default().into();
    let statement = match agreement {
        None => {
            let sql = ticket_columns!("where t.uuid > $1 order by t.uuid limit $2");
            Statement::new(sql, vec![after, limit.into()])
        }
        Some(agreement) => {
            let sql = ticket_columns!(
                "join share s on t.uuid = s.ticket where s.agreement = $3 and s.ticket > $1 order by s.ticket limit $2"
            );
            Statement::new(sql, vec![after, limit.into(), agreement.into()])
        }
    };
    let rows = link.query(statement).await?;
    views(link, rows.into_iter().map(read_ticket).collect::<Result<_, _>>()?).await
}

pub(super) async fn ticket(link: &dyn Link, id: &str) -> Result<Option<TicketView>, StoreError> {
    let sql = ticket_columns!("where t.id = $1 or t.uuid = $1 limit 1");
    let rows = link.query(Statement::new(sql, vec![id.into()])).await?;
    let tickets = rows.into_iter().map(read_ticket).collect::<Result<_, _>>()?;
    Ok(views(link, tickets).await?.pop())
}

pub(super) async fn views(link: &dyn Link, tickets: Vec<Stored>) -> Result<Vec<TicketView>, StoreError> {
    const KEY: &[(&str, Type)] = &[("wanted", Type::Text)];
    if tickets.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Vec<Cell>> = tickets.iter().map(|stored| vec![(&stored.ticket.uuid).into()]).collect();
    let sql = "select i.ticket, i.agreement, i.subject, i.reason, i.detail, i.opened_at, i.resolved_at from issue i \
        join {rows} on i.ticket = r.wanted order by i.opened_at";
    // Shares end with their agreement, though a row says so only when its ticket is next written.
    let ended = "select a.uuid, a.status from agreement a join {rows} on a.uuid = r.wanted where a.status in ('declined', 'inactive')";
    let under: BTreeSet<&Uuid> =
        tickets.iter().flat_map(|stored| &stored.shares).map(|share| &share.agreement).collect();
    let questions = vec![Statement::rows(sql, KEY, keys), Statement::keys(ended, under)];
    let mut answers = link.query_all(questions).await?.into_iter();
    let mut issues: HashMap<Uuid, Vec<Issue>> = HashMap::new();
    for row in answers.next().unwrap_or_default() {
        let mut row = Reader::new("issue", row);
        let issue = Issue {
            ticket: row.uuid()?,
            agreement: row.uuid()?,
            subject: row.text()?,
            reason: Reason::parse(&row.text()?).unwrap_or(Reason::PartnerRefused),
            detail: row.text()?,
            opened_at: row.time()?,
            resolved_at: row.optional_time(),
        };
        issues.entry(issue.ticket.clone()).or_default().push(issue);
    }
    let mut ended: HashMap<Uuid, AgreementStatus> = HashMap::new();
    for row in answers.next().unwrap_or_default() {
        let mut row = Reader::new("agreement", row);
        ended.insert(row.uuid()?, row.word()?);
    }
    let view = |Stored { ticket, mut shares, .. }: Stored| {
        for share in &mut shares {
            if let Some(status) = ended.get(&share.agreement) {
                share.end_with(*status);
            }
        }
        TicketView { shares, issues: issues.remove(&ticket.uuid).unwrap_or_default(), ticket }
    };
    Ok(tickets.into_iter().map(view).collect())
}

pub(super) async fn counts(link: &dyn Link) -> Result<Counts, StoreError> {
    let sql = "select (select count(*) from outbox), \
        (select count(*) from message where state = 'parked')";
    let mut rows = link.query(Statement::new(sql, Vec::new())).await?;
    let mut row = Reader::new("message", rows.pop().unwrap_or_default());
    Ok(Counts { pending: row.int()?, parked: row.int()? })
}
