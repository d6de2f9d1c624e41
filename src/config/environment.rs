//! The process' environment, read once.

use std::collections::BTreeMap;

/// The variables that are ours: `CROSSDESK_` and a `__` behind it. Others that begin alike are somebody else's; Kubernetes
/// injects such for a service named crossdesk.
pub fn environment() -> BTreeMap<String, String> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| name.starts_with("CROSSDESK_") && name.contains("__")).collect()
}
