//! The way through the house: what comes in becomes a [`Change`], the [`Pipeline`] decides and writes, the [`Relay`] publishes,
//! the workers of the [`Roster`] deliver.
//!
//! ```text
//!  intake ──┐                                  ┌──▶ delivery (one worker a partner)
//!  inbound ─┼──▶ pipeline ──▶ store ──▶ relay ─┤         │
//!  sweep ───┘        ▲        (one tx)         └──▶ desk │
//!                    └──────── what came of it ──────────┘
//! ```
//!
//! The pipeline's writer has a batch on its way into the store while it decides about the next, on what is known and what is
//! about to be written; should that not arrive, both are decided anew. The [`Crew`] shares the queues of events out among the
//! daemons that work on one database.
//!
//! Who owns which acknowledgement: intake and inbound answer only after the pipeline's commit; the relay notes what the
//! broker has confirmed; a delivery worker acknowledges what its pipeline has noted. Everything here is at-least-once, and
//! the rows make twice the same as once.

mod agreement_check;
mod aloft;
mod altered;
mod asking;
mod attempt;
mod calling;
mod cases;
mod cause;
mod change;
mod command;
mod consumer;
mod crew;
mod delivery;
mod errand;
mod filtering;
mod finish;
mod flight;
mod fold;
mod fold_agreement;
mod fold_completion;
mod fold_event;
mod gate;
mod hand;
mod hooks;
mod inbound;
mod inbound_queue;
mod inlet;
mod intake;
mod mapping;
mod options;
mod outbox;
mod pipeline;
mod post;
mod reading;
mod receiver;
mod reconcile;
mod references;
mod rehearsal;
mod relay;
mod resting;
mod roster;
mod rounds;
mod scope;
mod sweep;
mod trial;
mod verdict;
mod writer;
mod writes;

pub use agreement_check::{AgreementCheck, PartnerCheck, check};
pub use altered::{Altered, How};
pub use change::{AgreementAction, Answer, Attempted, Change, Done, TermsEdit, TicketAction};
pub use crew::{Crew, Own, Standing};
pub use delivery::{Failure, Worker};
pub use filtering::Filtering;
pub use fold::{Preview, preview};
pub use hooks::{Hooks, Webhook};
pub use inbound::{Collection, Inbound, Reply, Request};
pub use inbound_queue::InboundQueue;
pub use intake::{Intake, traced};
pub use mapping::{Changeable, Mapping, SharingRule};
pub use options::{Invites, Limits, Live, Options, Reconciling};
pub use outbox::Outbox;
pub use pipeline::Pipeline;
pub use post::{Post, Postbox};
pub use reconcile::{Drift, Reconcile, Reconciled};
pub use rehearsal::{Rehearsal, Rehearsed};
pub use relay::Relay;
pub use roster::Roster;
pub use sweep::Sweep;
pub use verdict::{Verdict, verdict};
