//! What the pipeline does with a batch: what must be known is read, change by change is decided and laid over that, and all of it is
//! written at once.
//!
//! [`writer`] has the batches, one being decided on while the one before is written ([`flight`]); [`scope`] says what a change needs to
//! know, [`fold`] and its like decide, [`writes`] gathers what is to be written and [`cause`] what the ticket's history says of it;
//! [`finish`] ends a batch, [`cases`] remembers busy tickets.

mod cases;
mod cause;
mod finish;
mod flight;
mod fold;
mod fold_agreement;
mod fold_attempt;
mod fold_completion;
mod fold_event;
mod inlet;
pub(super) mod references;
pub(super) mod scope;
mod writer;
mod writes;

pub(super) use cases::Cases;
pub use fold::{Preview, preview};
pub(super) use inlet::{Inlet, Unit};
pub(super) use writer::{Scribe, Writer};
pub(super) use writes::Batch;
