//! Deleting what ended long ago, some rows at a time.

use super::link::{Cell, Statement};
use crate::{
    domain::Timestamp,
    engine::agreement::{ALL_DECLINED, TAKEN_BACK},
};

/// After so long an invite is forgotten that was declined because all are, or taken back: an hour.
const UNASKED_MILLIS: i64 = 3_600_000;

/// Deletes up to so many rows of each table that ended before a time.
pub(super) fn statements(now: Timestamp, before: Timestamp, limit: i64) -> Vec<Statement> {
    let args = || vec![Cell::from(before), Cell::from(limit)];
    // The oldest that have ended, in the order in which they were written: no index is needed to find them.
    let messages = "delete from message where seq in (select seq from (select seq, updated_at from message \
        where state in ('handed', 'asked', 'delivered', 'withdrawn') order by seq limit $2) as oldest \
        where updated_at < $1) and seq not in (select seq from outbox) returning seq";
    // A message may have ended before the broker's word for it was noted.
    let outbox = "delete from outbox where seq in (select o.seq from outbox o left join message m on m.seq = o.seq \
        where o.seq in (select seq from outbox order by seq limit 1000) \
        and (m.seq is null or m.state in ('delivered', 'withdrawn', 'parked'))) returning seq";
    let seen = "delete from seen where key in (select key from seen where at < $1 order by at limit $2) returning key";
    // An invite that was declined leaves nothing behind, and one that nobody was asked about goes first.
    let invites = "delete from agreement where uuid in (select uuid from agreement a where direction = 'inbound' \
        and (status = 'declined' or (status = 'inactive' and reason = $5)) and declared = 0 \
        and (updated_at < $1 or (reason in ($3, $5) and updated_at < $4)) \
        and not exists (select 1 from message m where m.agreement = a.uuid and m.state = 'open') \
        order by updated_at limit $2) returning uuid";
    let fields =
        "delete from partner_fields where agreement not in (select uuid from agreement) returning agreement";
    let history = "delete from history where seq in (select seq from (select seq, at from history order by seq limit $2) as oldest \
        where at < $1) returning seq";
    let mut statements = [messages, seen, history].map(|sql| Statement::new(sql, args())).to_vec();
    let long_ago = before.max(Timestamp::from_millis(now.millis() - UNASKED_MILLIS));
    let args = vec![before.into(), limit.into(), ALL_DECLINED.into(), long_ago.into(), TAKEN_BACK.into()];
    statements.push(Statement::new(invites, args));
    statements.push(Statement::new(fields, Vec::new()));
    statements.push(Statement::new(outbox, Vec::new()));
    statements
}
