//! The process' environment, read once.

use std::collections::BTreeMap;

/// The variables that are ours: `CROSSDESK_` and a `__` behind it. Others that begin alike are somebody else's; Kubernetes
/// injects such for a service named crossdesk.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("CROSSDESK_") && name.contains("__")).collect()
}
