//! SQLite's write-ahead log is copied into the file beside the writer, who would else stand still for it every few seconds.
//!
//! The writer begins the log anew once all of it is copied; where it never is, the writer copies what is left when the log is as long as
//! `wal_autocheckpoint` says. (Both at once is something that SQLite before 3.51.3 could get wrong: it is built in.)

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Row as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

/// After how many touched rows the log is looked at.
const LOOK: u64 = 1_000;
/// How many of its pages must wait for it to be copied. One that is written often is copied once.
const PAGES: i64 = 2_000;

/// It is copied no more often: a writer that is busy enough to fill it sooner copies it at less cost, and nobody waits for each of its
/// events.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after the write-ahead log.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    /// Rows touched since it was last looked at.
    touched: AtomicU64,
    /// When it was last copied; held while it is.
    copied: Arc<Mutex<Option<Instant>>>,
}

impl Checkpoint {
    /// A transaction touched so many rows; another connection copies the log when there is enough of it.
    pub(super) fn touched(&self, rows: u64, others: &SqlitePool) {
        if self.touched.fetch_add(rows, Ordering::Relaxed) + rows < LOOK {
            return;
        }
        let Ok(mut copied) = self.copied.clone().try_lock_owned() else { return };
        if copied.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.touched.store(0, Ordering::Relaxed);
        let others = others.clone();
        tokio::spawn(async move {
            match copy(&others).await {
                Ok(true) => *copied = Some(Instant::now()),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "the write-ahead log was not copied beside the writer, who does it itself later");
                }
            }
        });
    }
}

/// Copies it, if there is enough of it.
async fn copy(others: &SqlitePool) -> sqlx::Result<bool> {
    let mut connection = others.acquire().await?;
    let enough = waiting(&mut connection, "pragma wal_checkpoint(noop)").await? >= PAGES;
    if enough {
        waiting(&mut connection, "pragma wal_checkpoint(passive)").await?;
    }
    Ok(enough)
}

/// How many pages of the log are not copied yet.
async fn waiting(connection: &mut SqliteConnection, checkpoint: &'static str) -> sqlx::Result<i64> {
    let row = sqlx::query(checkpoint).fetch_one(connection).await?;
    let (pages, copied): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    Ok(pages - copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        link::{Cell, Link, Statement},
        sqlite::Sqlite,
    };

    #[tokio::test]
    async fn the_log_is_copied_before_the_writer_would_have_to() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("crossdesk.db").display());
        let sqlite = Sqlite::new(&url).unwrap();
        let table = Statement::new("create table leaf (text text not null)", Vec::new());
        sqlite.transact(vec![table]).await.unwrap();
        for _ in 0..2 {
            // A row fills a page.
            let leaves = (0..PAGES).map(|_| {
                let text = Cell::Text("x".repeat(3_500));
                Statement::new("insert into leaf (text) values ($1)", vec![text])
            });
            sqlite.transact(leaves.collect()).await.unwrap();
        }
        let version = Statement::new("select sqlite_version()", Vec::new());
        let version = sqlite.query(version).await.unwrap();
        let Cell::Text(version) = &version[0][0] else { panic!("{version:?}") };
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert!(numbers >= vec![3, 51, 3], "older ones may harm the file when both copy at once: {version}");
        let copied = async || {
            let log = Statement::new("pragma wal_checkpoint(noop)", Vec::new());
            let rows = sqlite.query(log).await.unwrap();
            matches!(rows[0][..], [_, Cell::Int(pages), Cell::Int(copied)] if pages < 10_000 && copied >= PAGES)
        };
        tokio::time::timeout(Duration::from_secs(30), async {
            while !copied().await {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the log is copied");
    }
}
