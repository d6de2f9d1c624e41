//! The store itself: each verb of the port in a line or two.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;

use super::{
    agreement, apply, comment, crew,
    link::{Cell, Link, Statement},
    message, migrations, pages, prune, read, recorded,
    row::Reader,
    snapshot,
    vault::Vault,
    waiting,
};
use crate::{
    domain::{Agreement, Catalogue, Keys, Message, StoredComment, TicketId, Timestamp, Uuid},
    engine::{
        Snapshot, Stored,
        agreement::{ALL_DECLINED, TAKEN_BACK},
    },
    ports::{
        Beat, Counts, Happened, MessageFilter, Minute, Recorded, Scope, Store, StoreError, Tables,
        TicketView, Trouble, TroubleKey, Writes,
    },
};

/// A batch of so many messages or more is written beside the runtime.
const MANY: usize = 64;

/// The store on one database.
#[derive(Debug)]
pub(super) struct SqlStore {
    link: Arc<dyn Link>,
    /// Seals access keys.
    vault: Vault,
    /// What this daemon is called among those that share the database.
    daemon: Arc<str>,
    /// The tables are there: until then the database is as good as away.
    prepared: AtomicBool,
    /// Why they are not.
    unready: Mutex<String>,
}

impl SqlStore {
    pub(super) fn new(link: Arc<dyn Link>, vault: Vault, daemon: &str) -> Self {
        Self {
            link,
            vault,
            daemon: daemon.into(),
            prepared: AtomicBool::new(false),
            unready: Mutex::new("its tables are not ready yet".to_owned()),
        }
    }

    /// The database, once its tables are there.
    fn link(&self) -> Result<&dyn Link, StoreError> {
        if self.prepared.load(Ordering::Acquire) {
            return Ok(self.link.as_ref());
        }
        Err(StoreError::Away(self.unready.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    /// Opens every key, so that a missing `store.key` shows at the start; seals those that are not sealed yet.
    async fn seal_keys(&self) -> Result<(), StoreError> {
        let rows = self.link.query(Statement::new(agreement::ALL_KEYS, Vec::new())).await?;
        let mut seals = Vec::new();
        for row in rows {
            let (uuid, keys, sealed) = agreement::keys(row, &self.vault)?;
            if self.vault.seals() && !sealed {
                seals.push(agreement::seal(&uuid, &keys, &self.vault)?);
            }
        }
        if seals.is_empty() { Ok(()) } else { self.link.transact(seals).await.map(drop) }
    }

    async fn rows(&self, sql: &'static str, args: Vec<Cell>) -> Result<Vec<Vec<Cell>>, StoreError> {
        self.link()?.query(Statement::new(sql, args)).await
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        let ready = async {
            if self.link.is_shared() {
                migrations::nobody_else(self.link.as_ref()).await?;
            }
            self.link.prepare().await?;
            self.seal_keys().await
        };
        if let Err(error) = ready.await {
            *self.unready.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
            return Err(error);
        }
        self.prepared.store(true, Ordering::Release);
        Ok(())
    }

    async fn tables(&self) -> Result<Tables, StoreError> {
        migrations::tables(self.link.as_ref()).await
    }

    async fn attach(&self) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        if !tables.missing.is_empty() {
            let missing = tables.missing.join(", ");
            return Err(StoreError::Broken(format!(
                "its tables lack: {missing}; a start of the daemon adds that"
            )));
        }
        self.prepared.store(true, Ordering::Release);
        Ok(())
    }

    async fn recorded(
        &self,
        after: i64,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<(i64, Recorded)>, StoreError> {
        let rows = self.link()?.query(recorded::select(after, since, limit)).await?;
        rows.into_iter().map(recorded::read).collect()
    }

    async fn forget_recorded(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let gone = self.link()?.transact(recorded::forget(before, limit)).await?;
        Ok(gone.first().and_then(|rows| u64::try_from(rows.len()).ok()).unwrap_or(0))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.link.query(Statement::new("select 1", Vec::new())).await.map(drop)
    }

    async fn snapshot_knowing(&self, scope: &Scope, known: Vec<Arc<Stored>>) -> Result<Snapshot, StoreError> {
        snapshot::read(self.link()?, scope, known).await
    }

    async fn places(&self, count: usize) -> Result<Vec<i64>, StoreError> {
        self.link()?.places(count).await
    }

    async fn apply(&self, writes: Arc<Writes>) -> Result<(), StoreError> {
        self.link()?;
        if writes.messages.len() < MANY {
            let statements = apply::statements(&writes, &self.vault, &self.daemon)?;
            return self.link.transact(statements).await.map(drop);
        }
        // Beside whatever else is going on: writing the rows down takes a while, and the database waits after each statement
        // for the next.
        let (link, vault, daemon) = (self.link.clone(), self.vault.clone(), self.daemon.clone());
        let runtime = tokio::runtime::Handle::current();
        let beside = tokio::task::spawn_blocking(move || {
            let statements = apply::statements(&writes, &vault, &daemon)?;
            drop(writes);
            runtime.block_on(link.transact(statements)).map(drop)
        });
        beside.await.map_err(|error| StoreError::Broken(format!("a batch was not written: {error}")))?
    }

    async fn messages(&self, filter: MessageFilter, limit: i64) -> Result<Vec<Message>, StoreError> {
        let rows = self.link()?.query(message::select(filter, limit, &self.daemon)).await?;
        let mut messages: Vec<Message> = rows.into_iter().map(message::read).collect::<Result<_, _>>()?;
        // Many ids may go in several pieces.
        messages.sort_by_key(|message| (message.seq, message.id.n));
        Ok(messages)
    }

    async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql =
            "select uuid from ticket where due_at is not null and due_at <= $1 order by due_at limit $2";
        let rows = self.rows(sql, vec![now.into(), limit.into()]).await?;
        rows.into_iter().map(|row| Reader::new("ticket", row).uuid()).collect()
    }

    async fn waiting(&self, ticket: &TicketId) -> Result<Vec<String>, StoreError> {
        waiting::of(self.link()?, ticket).await
    }

    async fn waiting_since(
        &self,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError> {
        waiting::since(self.link()?, before, limit).await
    }

    async fn waiting_named(
        &self,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(TicketId, String)>, StoreError> {
        waiting::named(self.link()?, before, limit).await
    }

    async fn held(
        &self,
        prefix: &str,
        before: Timestamp,
        after: &str,
        limit: i64,
    ) -> Result<Vec<TicketId>, StoreError> {
        waiting::held(self.link()?, prefix, before, after, limit).await
    }

    async fn access_keys(&self, agreement: &Uuid) -> Result<Option<Keys>, StoreError> {
        let rows = self.link()?.query(agreement::read_keys(agreement)).await?;
        let keys = rows.into_iter().next().map(|row| agreement::keys(row, &self.vault)).transpose()?;
        Ok(keys.map(|(_, keys, _)| keys))
    }

    async fn partner_fields(&self, agreement: &Uuid) -> Result<Option<Catalogue>, StoreError> {
        let sql = "select fields from partner_fields where agreement = $1";
        let rows = self.rows(sql, vec![agreement.into()]).await?;
        rows.into_iter().next().map(|row| Reader::new("partner_fields", row).json()).transpose()
    }

    async fn invites(&self, before: Timestamp, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = "select uuid from agreement where direction = 'inbound' and status = 'pending' \
            and created_at < $1 order by created_at limit $2";
        let rows = self.rows(sql, vec![before.into(), limit.into()]).await?;
        rows.into_iter().map(|row| Reader::new("agreement", row).uuid()).collect()
    }

    async fn agreements(&self) -> Result<Vec<Agreement>, StoreError> {
        self.rows(agreement::ALL, Vec::new()).await?.into_iter().map(agreement::read).collect()
    }

    async fn tickets(
        &self,
        after: Option<&Uuid>,
        agreement: Option<&Uuid>,
        limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        read::tickets(self.link()?, after, agreement, limit).await
    }

    async fn ticket(&self, id: &str) -> Result<Option<TicketView>, StoreError> {
        read::ticket(self.link()?, id).await
    }

    async fn counterpart(&self, agreement: &Uuid, id: &str) -> Result<Option<Uuid>, StoreError> {
        let sql = "select ticket from counterpart where agreement = $1 and id = $2";
        let mut rows = self.link()?.query(Statement::new(sql, vec![agreement.into(), id.into()])).await?;
        rows.pop().map(|row| Reader::new("counterpart", row).uuid()).transpose()
    }

    async fn comments(&self, ticket: &Uuid) -> Result<Vec<StoredComment>, StoreError> {
        comment::all(self.link()?, ticket).await
    }

    async fn unanswered_invites(&self, limit: i64) -> Result<i64, StoreError> {
        let sql = "select uuid from agreement a where direction = 'inbound' and status = 'pending' union all \
            select uuid from agreement a where direction = 'inbound' and status = 'declined' and reason = $1 and exists \
            (select 1 from message m where m.agreement = a.uuid and m.state = 'open') union all \
            select uuid from agreement a where direction = 'inbound' and status = 'inactive' and reason = $3 limit $2";
        let rows = self.rows(sql, vec![ALL_DECLINED.into(), limit.into(), TAKEN_BACK.into()]).await?;
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    }

    async fn history(&self, ticket: &Uuid, limit: i64) -> Result<Vec<Happened>, StoreError> {
        pages::history(self.link()?, ticket, limit).await
    }

    async fn refitting(&self) -> Result<Option<Uuid>, StoreError> {
        let rows = self.rows("select value from setting where key = 'refitted'", Vec::new()).await?;
        let value = rows.into_iter().next().map(|row| Reader::new("setting", row).json::<Option<Uuid>>());
        Ok(value.transpose()?.flatten())
    }

    async fn unfit(&self, after: &Uuid, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = "select distinct ticket from issue where resolved_at is null \
            and reason in ('unknown_field', 'incompatible_type', 'unknown_option') and ticket > $1 order by ticket limit $2";
        let rows = self.rows(sql, vec![after.into(), limit.into()]).await?;
        rows.into_iter().map(|row| Reader::new("issue", row).uuid()).collect()
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        read::counts(self.link()?).await
    }

    async fn recent(&self, before: i64, limit: i64) -> Result<(Vec<TicketView>, Option<i64>), StoreError> {
        pages::recent(self.link()?, before, limit).await
    }

    async fn numbered(&self, number: &str, limit: i64) -> Result<Vec<TicketView>, StoreError> {
        pages::numbered(self.link()?, number, limit).await
    }

    async fn troubles(&self, limit: i64) -> Result<Vec<Trouble>, StoreError> {
        pages::troubles(self.link()?, limit).await
    }

    async fn troubled(
        &self,
        trouble: &TroubleKey,
        after: Option<&Uuid>,
        limit: i64,
    ) -> Result<Vec<TicketView>, StoreError> {
        pages::troubled(self.link()?, trouble, after, limit).await
    }

    async fn backlog(&self) -> Result<HashMap<Uuid, i64>, StoreError> {
        pages::backlog(self.link()?).await
    }

    async fn keep_minute(&self, minute: &Minute, forget: Timestamp) -> Result<(), StoreError> {
        pages::keep_minute(self.link()?, &self.daemon, minute, forget).await
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, StoreError> {
        pages::minutes(self.link()?, since).await
    }

    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        if !self.link.is_shared() {
            return Ok(None);
        }
        let now = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
        let mut rows = self.link.query(Statement::new(now, Vec::new())).await?;
        rows.pop().map(|row| Reader::new("clock", row).time()).transpose()
    }

    async fn beat(&self, holding: &[String]) -> Result<Vec<Beat>, StoreError> {
        crew::beat(self.link()?, &self.daemon, holding).await
    }

    async fn inherit(&self, gone: &[String]) -> Result<u64, StoreError> {
        crew::inherit(self.link()?, &self.daemon, gone).await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        crew::leave(self.link()?, &self.daemon).await
    }

    fn daemon(&self) -> &str {
        &self.daemon
    }

    fn is_shared(&self) -> bool {
        self.link.is_shared()
    }

    async fn prune(&self, now: Timestamp, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let gone = self.link()?.transact(prune::statements(now, before, limit)).await?;
        Ok(gone.iter().map(|rows| u64::try_from(rows.len()).unwrap_or(0)).max().unwrap_or(0))
    }
}
