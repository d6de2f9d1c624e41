//! The [`Partner`](crate::ports::Partner) over HTTP: the Networked Help Desk protocol in its two dialects, to addresses that
//! may be called.

mod address;
mod http;

pub use address::Allowed;
pub use http::HttpPartner;
