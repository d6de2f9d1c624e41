//! Reading everything that a batch speaks of, in a handful of statements however large the batch.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    agreement, comment,
    link::{Link, Row, Statement, Type},
    row::Reader,
};
use crate::{
    domain::{Contents, Share, Ticket, TicketId, User, UserId, Uuid},
    engine::{Case, Snapshot, Stored},
    ports::{Scope, StoreError},
};

/// What a row of an answer is about.
#[derive(Clone, Copy)]
enum What {
    Ticket,
    Agreement,
    Person,
    Seen,
    Setting,
}

/// Questions that are asked at once, and what each is about.
type Questions = Vec<(What, Statement)>;

pub(super) async fn read(
    link: &dyn Link,
    scope: &Scope,
    known: Vec<Arc<Stored>>,
) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot::default();
    snapshot.cases.reserve(known.len());
    snapshot.desk_ids.reserve(known.len());
    for stored in known {
        add(&mut snapshot, stored);
    }
    let mut questions: Questions = Vec::new();
    tickets(scope, &mut questions);
    let named = scope.agreements.iter().map(String::as_str);
    agreements(named.chain(shared_under(&snapshot)), &mut questions);
    if !scope.users.is_empty() {
        questions.push((What::Person, Statement::keys(PEOPLE, &scope.users)));
    }
    let none_known = snapshot.cases.is_empty();
    if !none_known {
        writers(scope, &mut questions);
    }
    if !scope.events.is_empty() {
        let keys = scope.events.iter().map(String::as_str);
        let sql = "select s.key from seen s join {rows} on s.key = r.wanted";
        questions.push((What::Seen, Statement::keys(sql, keys)));
    }
    questions.push((What::Setting, Statement::new("select key, value from setting", Vec::new())));
    ask(link, questions, &mut snapshot).await?;
    if snapshot.cases.is_empty() {
        return Ok(snapshot);
    }
    // What only the tickets could tell.
    let mut questions = Vec::new();
    let unknown = |agreement: &&str| !snapshot.agreements.contains_key(&Uuid::new(*agreement));
    let shared: HashSet<&str> = shared_under(&snapshot).collect();
    agreements(shared.into_iter().filter(unknown), &mut questions);
    if none_known {
        writers(scope, &mut questions);
    }
    if !questions.is_empty() {
        ask(link, questions, &mut snapshot).await?;
    }
    comment::read(link, scope, &mut snapshot).await?;
    if scope.unanswered {
        unanswered(link, &mut snapshot).await?;
    }
    Ok(snapshot)
}

async fn ask(link: &dyn Link, questions: Questions, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let (about, statements): (Vec<What>, Vec<Statement>) = questions.into_iter().unzip();
    let answers = link.query_all(statements).await?;
    for (what, row) in
        about.into_iter().zip(answers).flat_map(|(what, rows)| rows.into_iter().map(move |r| (what, r)))
    {
        match what {
            What::Ticket => add(snapshot, Arc::new(read_ticket(row)?)),
            What::Agreement => {
                let agreement = agreement::read(row)?;
                snapshot.agreements.insert(agreement.uuid.clone(), agreement);
            }
            What::Person => {
                let person = read_person(row)?;
                snapshot.users.insert((person.agreement.clone(), person.uuid.clone()), person);
            }
            What::Seen => drop(snapshot.seen.insert(Reader::new("seen", row).text()?)),
            What::Setting => read_setting(row, snapshot)?,
        }
    }
    Ok(())
}

/// The columns of a ticket, in the order of [`read_ticket`].
macro_rules! ticket_columns {
    ($rest:literal) => {
        concat!(
            "select t.uuid, t.id, t.version, t.due_at, t.last_message, t.last_comment, t.doc, t.shares from ticket t ",
            $rest
        )
    };
}
pub(super) use ticket_columns;

/// A ticket with its shares.
pub(super) fn read_ticket(row: Row) -> Result<Stored, StoreError> {
    let mut row = Reader::new("ticket", row);
    let uuid = row.uuid()?;
    let id = row.optional_text().map(TicketId::new);
    let version = row.int()?;
    let due_at = row.optional_time();
    let (last_message, last_comment) = (row.int()?, row.int()?);
    let ticket =
        Ticket { uuid: uuid.clone(), id, version, due_at, last_message, last_comment, ..row.json()? };
    let shares: BTreeMap<Uuid, Share> = row.json()?;
    let share = |(agreement, mut share): (Uuid, Share)| {
        share.agreed.fill_in(&ticket.properties);
        Share { ticket: uuid.clone(), agreement, ..share }
    };
    let shares = shares.into_iter().map(share).collect();
    Ok(Stored::new(ticket, shares))
}

fn add(snapshot: &mut Snapshot, stored: Arc<Stored>) {
    let uuid = stored.ticket.uuid.clone();
    snapshot.desk_ids.extend(stored.ticket.id.iter().map(|id| (id.clone(), uuid.clone())));
    snapshot.cases.insert(uuid, Case::loaded(stored));
}

fn tickets(scope: &Scope, questions: &mut Questions) {
    if !scope.desk_ids.is_empty() {
        let ids: HashSet<&str> = scope.desk_ids.iter().map(TicketId::as_str).collect();
        questions
            .push((What::Ticket, Statement::keys(ticket_columns!("join {rows} on t.id = r.wanted"), ids)));
    }
    if !scope.tickets.is_empty() {
        let uuids: HashSet<&Uuid> = scope.tickets.iter().collect();
        questions.push((
            What::Ticket,
            Statement::keys(ticket_columns!("join {rows} on t.uuid = r.wanted"), uuids),
        ));
    }
}

/// The agreements of all shares.
fn shared_under(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    snapshot.cases.values().flat_map(|case| &case.shares).map(|share| share.agreement.as_str())
}

fn agreements<'a>(wanted: impl Iterator<Item = &'a str>, questions: &mut Questions) {
    let wanted: HashSet<&str> = wanted.collect();
    if !wanted.is_empty() {
        let rows = wanted.into_iter().map(|wanted| vec![wanted.into()]).collect();
        questions.push((What::Agreement, Statement::rows(agreement::NAMED, agreement::WANTED, rows)));
    }
}

const PEOPLE: &str =
    "select p.uuid, p.agreement, p.id, p.name, p.role from person p join {rows} on p.uuid = r.wanted";

/// Who has written. On tickets that are not shared, that is nobody's dummy.
fn writers(scope: &Scope, questions: &mut Questions) {
    if !scope.user_ids.is_empty() {
        let ids: HashSet<&str> = scope.user_ids.iter().map(UserId::as_str).collect();
        let sql =
            "select p.uuid, p.agreement, p.id, p.name, p.role from person p join {rows} on p.id = r.wanted";
        questions.push((What::Person, Statement::keys(sql, ids)));
    }
}

fn read_person(row: Row) -> Result<User, StoreError> {
    let mut row = Reader::new("person", row);
    Ok(User {
        uuid: row.uuid()?,
        agreement: row.uuid()?,
        id: row.optional_text().map(UserId::new),
        name: row.text()?.into(),
        role: row.word()?,
    })
}

fn read_setting(row: Row, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let mut row = Reader::new("setting", row);
    match row.text()?.as_str() {
        "catalogue" => snapshot.catalogue = Some(row.json()?),
        "decline_all_invites" => snapshot.decline_all_invites = Some(row.json()?),
        _ => {}
    }
    Ok(())
}

async fn unanswered(link: &dyn Link, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    const WANTED: &[(&str, Type)] = &[("owner", Type::Text), ("agreement", Type::Text)];
    let shares = snapshot.cases.values().flat_map(|case| &case.shares);
    let rows = shares.map(|share| vec![(&share.ticket).into(), (&share.agreement).into()]).collect();
    // Nobody knows when a bridge takes what is in its queue: there it counts as answered at once.
    let sql = "select m.owner, m.agreement, m.contents from message m \
        join {rows} on m.agreement = r.agreement and m.owner = r.owner \
        where m.state = 'open' and m.kind like 'ticket.%' order by m.n";
    for row in link.query(Statement::rows(sql, WANTED, rows)).await? {
        let mut row = Reader::new("message", row);
        let (owner, agreement) = (row.uuid()?, row.uuid()?);
        let contents: Contents = row.json()?;
        if let Some(case) = snapshot.cases.get_mut(&owner) {
            case.unanswered.push((agreement, contents));
        }
    }
    Ok(())
}
