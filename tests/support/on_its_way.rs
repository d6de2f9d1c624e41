//! What a database says is not done yet: for whoever waits in vain, and wants to know what for.

use sqlx::{Connection as _, PgConnection, SqliteConnection};

/// Messages that have not ended, and those that the broker is not known to have, a line each.
pub(crate) async fn on_its_way(url: &str) -> Vec<String> {
    const SQL: &str = "select coalesce(m.owner, '?') || ' ' || coalesce(m.n, 0) || ' ' || coalesce(m.kind, '?') || ' is ' || \
        coalesce(m.state, 'gone') || coalesce(' due at ' || m.due_at, '') || coalesce(', ' || m.error, '') || \
        coalesce(', to be published by ' || o.daemon, '') || ', since ' || coalesce(m.created_at, 0) || ', last ' || coalesce(m.updated_at, 0) \
        from message m left join outbox o on o.seq = m.seq where m.state in ('open', 'asked') or o.seq is not null \
        union all select 'nothing of number ' || seq || ', to be published by ' || daemon from outbox \
        where seq not in (select seq from message)";
    if url.starts_with("sqlite") {
        let mut database = SqliteConnection::connect(url).await.unwrap();
        sqlx::query_scalar(SQL).fetch_all(&mut database).await.unwrap()
    } else {
        let mut database = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(SQL).fetch_all(&mut database).await.unwrap()
    }
}
