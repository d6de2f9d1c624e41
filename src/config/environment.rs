//! The process' environment, read once.

use std::collections::BTreeMap;

/// The lists at the top of the configuration, which are given whole under one name.
const LISTS: [&str; 2] = ["CROSSDESK_AGREEMENTS", "CROSSDESK_RULES"];

/// The variables that are ours: `CROSSDESK_` and a `__` behind it, or a list. Others that begin alike are somebody else's; Kubernetes
/// injects such for a service named crossdesk.
pub fn environment() -> BTreeMap<String, String> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let ours = |name: &str| name.starts_with("CROSSDESK_") && name.contains("__");
    texts.filter(|(name, _)| ours(name) || LISTS.contains(&name.as_str())).collect()
}
