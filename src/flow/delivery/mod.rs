//! What goes to a receiver, a partner or the desk: one [`worker`] a queue.
//!
//! It keeps what it has taken in its [`hand`], after it has read the rows ([`reading`]) and how the receiver is ([`receiver`]). A try
//! ([`attempt`]) is a call to a partner ([`calling`]), an errand in a Jira ([`errand`]) or a command for the desk ([`command`]); what the
//! answer means is [`verdict()`]'s to say. A ticket on which the partner fails is left [`apart`]; how much is taken at once is its [`pace`].

mod apart;
mod attempt;
mod calling;
mod command;
mod delivering;
pub(super) mod errand;
mod failure;
mod hand;
mod pace;
mod reading;
mod receiver;
mod verdict;
mod worker;

pub use failure::Failure;
pub use verdict::{Verdict, verdict};
pub use worker::Worker;
