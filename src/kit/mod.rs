//! For makers of partners: one to develop against, and one that examines theirs. Both speak the Networked Help Desk protocol over
//! HTTP and share nothing with the daemon, so that they are no mirror of its mistakes.

mod exam;
mod fake;
mod ledger;
mod paper;
mod sent;
mod sheet;

pub use exam::{Exam, examine};
pub use fake::{FakePartner, Habits};
pub use paper::{Paper, Point, Verdict};

use std::io;

/// A new name or key: 40 hex digits, as all implementations take them.
fn name() -> io::Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random numbers: {error}")))?;
    Ok(hex::encode(bytes))
}
