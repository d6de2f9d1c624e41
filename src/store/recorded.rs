//! Recorded events: written with the batch that took them in, read for a replay, forgotten by age.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    link::{Row, Statement, Type},
    row::{Reader, read_kept},
};
use crate::{
    domain::{TicketId, Timestamp},
    ports::{Mapped, Recorded, StoreError},
};

/// Writes events, and the mappings that they were taken in under.
pub(super) fn insert(recorded: &[Recorded]) -> [Statement; 2] {
    const MAPPINGS: &[(&str, Type)] = &[("digest", Type::Text), ("doc", Type::Text)];
    const COLUMNS: &[(&str, Type)] = &[
        ("ord", Type::Int),
        ("at", Type::Int),
        ("ticket", Type::Text),
        ("came", Type::Text),
        ("part", Type::Int),
        ("before", Type::Text),
        ("mapping", Type::Text),
    ];
    let mappings: BTreeMap<&str, &str> =
        recorded.iter().map(|one| (one.mapping.digest.as_str(), one.mapping.doc.as_str())).collect();
    let mappings = mappings.into_iter().map(|(digest, doc)| vec![digest.into(), doc.into()]).collect();
    let row = |(ord, one): (i64, &Recorded)| {
        vec![
            ord.into(),
            one.at.into(),
            one.ticket.as_str().into(),
            one.came.as_str().into(),
            i64::try_from(one.part).unwrap_or_default().into(),
            one.before.as_ref().map(|before| serde_json::to_string(before).unwrap_or_default()).into(),
            one.mapping.digest.as_str().into(),
        ]
    };
    let rows = (0..).zip(recorded).map(row).collect();
    [
        Statement::rows(
            "insert into mapping (digest, doc) select digest, doc from {rows} where true on conflict (digest) do nothing",
            MAPPINGS,
            mappings,
        ),
        Statement::rows(
            "insert into recorded (at, ticket, came, part, before, mapping) \
             select at, ticket, came, part, before, mapping from {rows} where true order by ord",
            COLUMNS,
            rows,
        ),
    ]
}

/// Reads them, oldest first.
pub(super) fn select(after: i64, since: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "select r.seq, r.at, r.ticket, r.came, r.part, r.before, r.mapping, m.doc from recorded r \
         join mapping m on m.digest = r.mapping where r.seq > $1 and r.at >= $2 order by r.seq limit $3",
        vec![after.into(), since.into(), limit.into()],
    )
}

pub(super) fn read(row: Row) -> Result<(i64, Recorded), StoreError> {
    let mut row = Reader::new("recorded", row);
    let seq = row.int()?;
    let recorded = Recorded {
        at: row.time()?,
        ticket: TicketId::new(row.text()?),
        came: row.text()?,
        part: usize::try_from(row.int()?).unwrap_or_default(),
        before: match row.optional_text() {
            Some(text) => Some(read_kept(&text).map_err(|error| {
                StoreError::Broken(format!("recorded.before of row {seq} cannot be read: {error}"))
            })?),
            None => None,
        },
        mapping: Arc::new(Mapped { digest: row.text()?, doc: row.text()? }),
    };
    Ok((seq, recorded))
}

/// Forgets the oldest, and the mappings that nothing speaks of any more.
pub(super) fn forget(before: Timestamp, limit: i64) -> Vec<Statement> {
    vec![
        Statement::new(
            "delete from recorded where seq in (select seq from recorded where at < $1 order by at limit $2) returning seq",
            vec![before.into(), limit.into()],
        ),
        Statement::new(
            "delete from mapping where digest not in (select mapping from recorded) returning digest",
            Vec::new(),
        ),
    ]
}
