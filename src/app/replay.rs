//! Recorded events under a changed configuration: what would be sent that was not, what was sent that would not be.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::{declared, options};
use crate::{
    clock::{Clock as _, SystemClock},
    config::Config,
    flow::Rehearsal,
};

pub use crate::flow::{Altered, How, Rehearsed};

/// How many events are read at once.
const PAGE: i64 = 200;

/// How much was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events.
    pub events: u64,
    /// Those of them that would send something else.
    pub other: u64,
}

/// Goes through what was recorded for so long, in the store that the configuration names, and tells each event that would send
/// something else. Sends nothing, changes nothing; a daemon may be working on the store.
///
/// # Errors
/// A configuration or a store that cannot be used; what `tell` fails with.
pub async fn replay(
    config: &Config,
    since: Duration,
    mut tell: impl FnMut(Rehearsed) -> Result<()>,
) -> Result<Replayed> {
    let (changed, now) = (options(config)?, SystemClock.now());
    let store = changed.store.clone();
    store.attach().await.map_err(|error| anyhow!("store.url: {error}"))?;
    let mut rehearsal = Rehearsal::new(changed, declared::changes(config, now));
    let (mut replayed, mut after) = (Replayed::default(), 0);
    loop {
        let page = store.recorded(after, now.minus(since), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(replayed) };
        after = *last;
        for (_, recorded) in page {
            replayed.events += 1;
            if let Some(rehearsed) = rehearsal.step(recorded).await? {
                replayed.other += 1;
                tell(rehearsed)?;
            }
        }
    }
}
