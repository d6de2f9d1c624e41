//! The client of all requests that leave: one way to resolve names, one time limit, no redirects of its own.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect};

use super::address::{Allowed, CheckedResolver};

/// A client that gives every request this long, to addresses that may be called.
///
/// # Errors
/// Where the system's certificates cannot be read.
pub(super) fn build(timeout: Duration, allowed: Allowed) -> Result<Client, String> {
    let client = Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(CheckedResolver(allowed)))
        .user_agent(concat!("crossdesk/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| error.to_string())
}

/// An error with its causes, in one line, without the URL: it may end in a log.
pub(super) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
