//! Both sides of an agreement held against each other: their tickets, by hand ([`comparing`]) and by the clock ([`rounds`]), and
//! beforehand their fields ([`agreement_check`]).

mod agreement_check;
mod asking;
mod comparing;
mod rounds;

pub use agreement_check::{AgreementCheck, PartnerCheck, check};
pub use comparing::{Drift, Reconcile, Reconciled};
