//! Waiting on states, with a limit.

use std::time::{Duration, Instant};

/// The longest that anything here may take, on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Waits until `look` sees something, and gives it back.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < LIMIT, "this did not come true in {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
