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
//! | room | what for |
//! |---|---|
//! | `intake`, `mapping` | the desk's events, and what of the configuration decides about them |
//! | `inbound` | what partners, bridges and a Jira's webhooks ask |
//! | `sweep`, `reconcile` | what is due by the clock; both sides held against each other |
//! | `change`, `pipeline`, `writing` | what happened; the one way in; what becomes of it, decided and written |
//! | `outbox`, `relay` | what is to be published, and who does |
//! | `roster`, `delivery` | a worker for every partner and for the desk, and what it does |
//! | `crew` | the daemons that share a database |
//! | `rehearsal` | what would become of recorded events under another configuration |
//! | `options`, `consumer`, `post` | what all of them need: settings and ports, taking from a queue, letters |
//!
//! The pipeline's writer has a batch on its way into the store while it decides about the next, on what is known and what is
//! about to be written; should that not arrive, both are decided anew. The [`Crew`] shares the queues of events out among the
//! daemons that work on one database.
//!
//! Who owns which acknowledgement: intake and inbound answer only after the pipeline's commit; the relay notes what the
//! broker has confirmed; a delivery worker acknowledges what its pipeline has noted. Everything here is at-least-once, and
//! the rows make twice the same as once.

mod change;
mod consumer;
mod crew;
mod delivery;
mod inbound;
mod intake;
mod mapping;
mod options;
mod outbox;
mod pipeline;
mod post;
mod reconcile;
mod rehearsal;
mod relay;
mod roster;
mod sweep;
mod writing;

pub use change::{AgreementAction, Answer, Attempted, Change, Done, TermsEdit, TicketAction};
pub use crew::{Crew, Own, Standing};
pub use delivery::{Failure, Verdict, Worker, verdict};
pub use inbound::{Collection, Hooks, Inbound, InboundQueue, Reply, Request, Webhook};
pub use intake::{Intake, traced};
pub use mapping::{Changeable, Filtering, Mapping, SharingRule};
pub use options::{Invites, Limits, Live, Options, Reconciling};
pub use outbox::Outbox;
pub use pipeline::Pipeline;
pub use post::{Post, Postbox};
pub use reconcile::{AgreementCheck, Drift, PartnerCheck, Reconcile, Reconciled, check};
pub use rehearsal::{Altered, How, Rehearsal, Rehearsed};
pub use relay::Relay;
pub use roster::Roster;
pub use sweep::Sweep;
pub use writing::{Preview, preview};
