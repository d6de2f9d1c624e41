//! What is wrong with a value: its key, and why.

use url::Url;

/// Nothing, or the key of a value that cannot be used, and why.
pub(super) type Check = Result<(), (String, String)>;

pub(super) fn wrong(key: impl Into<String>, why: impl Into<String>) -> Check {
    Err((key.into(), why.into()))
}

/// Whether an address can be asked over HTTP.
pub(super) fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host().is_some()
}
