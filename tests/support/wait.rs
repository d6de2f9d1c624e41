//! Waiting on states, with a limit.

use std::time::{Duration, Instant};

/// The longest that anything here may take, on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Waits until `look` sees something, and gives it back.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(LIMIT, look).await.unwrap_or_else(|| panic!("this did not come true in {LIMIT:?}: {what}"))
}

/// Looks until `look` sees something, or the time is over.
pub(crate) async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let seen = look().await;
        if seen.is_some() || begun.elapsed() > limit {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
