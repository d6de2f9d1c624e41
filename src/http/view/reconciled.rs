//! What a comparison with a partner found, as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::At;
use crate::{
    domain::{Shared, TicketId, Uuid},
    engine::drift::Difference,
    flow::{Drift, Reconciled},
};

/// One step through the tickets of an agreement.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reconciled")]
pub(in crate::http) struct ReconciledView<'a> {
    /// How many shared tickets were looked at.
    looked: usize,
    /// How many of them something is on its way about: they are not judged.
    on_their_way: usize,
    /// Those that differ; after a repair, those that differed.
    differing: Vec<DriftView<'a>>,
    /// Those of which nobody knows what the partner has.
    unclear: Vec<UnclearView<'a>>,
    /// Where the next step begins; null after the last one.
    next: Option<&'a Uuid>,
}

/// A ticket that is not the same on both sides.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Drift")]
struct DriftView<'a> {
    ticket: &'a Uuid,
    /// Its number on this desk.
    #[schemars(with = "Option<String>")]
    number: Option<&'a TicketId>,
    differences: Vec<DifferenceView<'a>>,
}

/// A ticket that could not be compared.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Unclear")]
struct UnclearView<'a> {
    ticket: &'a Uuid,
    /// Why not.
    reason: &'a str,
}

/// One part of a ticket that differs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
struct DifferenceView<'a> {
    /// `subject`, `status`, `tags`, `field:<title>`, `comments`, `ticket` (the partner has none), `share` (it has ended there), `sequence`
    /// (one side was set back, and its next messages would be taken for old ones).
    part: &'a str,
    /// What both sides agreed on; of comments those that the partner lacks.
    here: &'a Shared,
    /// What the partner has; of comments those that this side lacks.
    there: &'a Shared,
    /// Since when it is known.
    since: At,
}

impl<'a> ReconciledView<'a> {
    pub(in crate::http) fn of(step: &'a Reconciled) -> Self {
        let (looked, on_their_way) = (step.looked, step.on_their_way);
        let differing = step.differing.iter().map(DriftView::of).collect();
        let unclear = step.unclear.iter().map(|(ticket, reason)| UnclearView { ticket, reason }).collect();
        Self { looked, on_their_way, differing, unclear, next: step.next.as_ref() }
    }
}

impl<'a> DriftView<'a> {
    fn of(drift: &'a Drift) -> Self {
        let differences = drift.differences.iter().map(DifferenceView::of).collect();
        Self { ticket: &drift.ticket, number: drift.number.as_ref(), differences }
    }
}

impl<'a> DifferenceView<'a> {
    fn of(difference: &'a Difference) -> Self {
        let Difference { part, here, there, since, .. } = difference;
        Self { part, here, there, since: (*since).into() }
    }
}
