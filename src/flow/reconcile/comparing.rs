//! Partners asked, ticket by ticket, for what they have: where it is not what was agreed, that is said, or put right.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, stream};

use super::asking;
use crate::{
    domain::{Agreement, Keys, Kind, TicketId, Timestamp, Uuid, Word},
    engine::{
        Refusal,
        drift::{self, Comparison, Difference, There},
        incoming,
    },
    flow::{change::Change, inbound::away, options::Options, pipeline::Pipeline},
    ports::{Scope, TicketRef, TicketView},
    wire::nhd,
};

/// How many tickets are looked at in one step.
const TICKETS: i64 = 50;
/// How many of them a partner is asked for side by side.
const SIDE_BY_SIDE: usize = 4;
/// How long what differs is left alone before it is looked at again: what is on its way may arrive meanwhile.
const GRACE: Duration = Duration::from_secs(2);

/// A ticket that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct Drift {
    /// The ticket.
    pub ticket: Uuid,
    /// Its number on this desk.
    pub number: Option<TicketId>,
    /// Where it differs.
    pub differences: Vec<Difference>,
}

/// One step through the tickets of an agreement.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// How many shared tickets were looked at.
    pub looked: usize,
    /// How many of them something is on its way about: they are not judged.
    pub on_their_way: usize,
    /// Those that differ; after a repair, those that differed.
    pub differing: Vec<Drift>,
    /// Those of which nobody knows what the partner has, and why.
    pub unclear: Vec<(Uuid, String)>,
    /// Where the next step begins; none after the last one.
    pub next: Option<Uuid>,
}

/// What a partner has of tickets, and those that it was asked for in vain.
type Shown = (HashMap<Uuid, There>, Vec<(Uuid, String)>);

/// Compares shared tickets with their counterparts.
#[derive(Clone, Debug)]
pub struct Reconcile {
    pub(super) options: Options,
    pub(super) pipeline: Pipeline,
}

impl Reconcile {
    /// A comparison that works through a pipeline.
    pub fn new(options: Options, pipeline: Pipeline) -> Self {
        Self { options, pipeline }
    }

    /// Looks at some tickets of an agreement, after this one in the order of their uuids, and puts right what differs where
    /// that is wanted.
    ///
    /// # Errors
    /// A [`Refusal`]: 422 for a partner that cannot be asked, 409 for an agreement that is not in force or whose key the
    /// partner does not take, 503 where the partner or the store is away.
    pub async fn step(
        &self,
        agreement: &Agreement,
        after: Option<&Uuid>,
        repair: bool,
    ) -> Result<Reconciled, Refusal> {
        askable(agreement)?;
        let store = &self.options.store;
        let views = store.tickets(after, Some(&agreement.uuid), TICKETS).await.map_err(away)?;
        let full = i64::try_from(views.len()).is_ok_and(|count| count == TICKETS);
        let next = views.last().filter(|_| full).map(|view| view.ticket.uuid.clone());
        Ok(Reconciled { next, ..self.some(agreement, views, repair).await? })
    }

    /// The same with these tickets.
    ///
    /// # Errors
    /// As of [`Self::step`].
    pub async fn some(
        &self,
        agreement: &Agreement,
        views: Vec<TicketView>,
        repair: bool,
    ) -> Result<Reconciled, Refusal> {
        askable(agreement)?;
        let store = &self.options.store;
        let keys = store.access_keys(&agreement.uuid).await.map_err(away)?;
        let active = |view: &TicketView| {
            view.shares.iter().any(|s| s.agreement == agreement.uuid && s.is_active() && s.begun)
        };
        let views: Vec<TicketView> = views.into_iter().filter(active).collect();
        let (there, unclear) = self.ask(agreement, keys.as_ref(), &views).await?;
        let suspects = self.suspects(agreement, &views, &there).await?;
        let mut reconciled = Reconciled { looked: views.len(), unclear, ..Reconciled::default() };
        if suspects.is_empty() {
            return Ok(reconciled);
        }
        tokio::time::sleep(GRACE).await;
        // Read anew, so that how far they have come is known from before the partner is asked.
        let mut again = Vec::new();
        for uuid in &suspects {
            again.extend(store.ticket(uuid.as_str()).await.map_err(away)?);
        }
        let (there, unclear) = self.ask(agreement, keys.as_ref(), &again).await?;
        reconciled.unclear.extend(unclear);
        let changes: Vec<_> =
            again.iter().filter_map(|view| compared(agreement, view, &there, repair)).collect();
        again.retain(|view| there.contains_key(&view.ticket.uuid));
        for (view, answer) in again.iter().zip(self.pipeline.submit(changes).await) {
            match answer?.differs {
                None => reconciled.on_their_way += 1,
                Some(differences) if differences.is_empty() => {}
                Some(differences) => reconciled.differing.push(Drift {
                    ticket: view.ticket.uuid.clone(),
                    number: view.ticket.id.clone(),
                    differences,
                }),
            }
        }
        Ok(reconciled)
    }

    /// What the partner has of these tickets.
    async fn ask(
        &self,
        agreement: &Agreement,
        keys: Option<&Keys>,
        views: &[TicketView],
    ) -> Result<Shown, Refusal> {
        let uuids: Vec<Uuid> = views.iter().map(|view| view.ticket.uuid.clone()).collect();
        let asked = stream::iter(uuids).map(|uuid| async move {
            let shown = self.show(agreement, keys, &uuid).await;
            (uuid, shown)
        });
        let answers: Vec<_> = asked.buffer_unordered(SIDE_BY_SIDE).collect().await;
        let (mut there, mut unclear, mut why) = (HashMap::new(), Vec::new(), None);
        for (uuid, answer) in answers {
            match answer {
                Ok(Ok(shown)) => drop(there.insert(uuid, shown)),
                Ok(Err(reason)) => unclear.push((uuid, reason)),
                // It is that ticket's alone, where others are shown.
                Err(refusal) if refusal.status == 422 => {
                    unclear.push((uuid, refusal.reason.clone()));
                    why.get_or_insert(refusal);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        match why {
            Some(refusal) if there.is_empty() => Err(refusal),
            _ => Ok((there, unclear)),
        }
    }

    /// What the partner has of one; or why what it showed cannot be used.
    async fn show(
        &self,
        agreement: &Agreement,
        keys: Option<&Keys>,
        uuid: &Uuid,
    ) -> Result<Result<There, String>, Refusal> {
        let answer = asking::ask(&self.options, agreement, keys, "tickets", uuid).await;
        let none = || Refusal::new(422, "the agreement has no URL or no access key");
        let answer = answer
            .ok_or_else(none)?
            .map_err(|error| Refusal::new(503, format!("{} cannot be asked: {error}", agreement.name)))?;
        let said = format!("{} answered {} {}", agreement.name, answer.status, asking::words(&answer, keys));
        Ok(match answer.status {
            200..=299 if !answer.is_page => {
                let unmarked = agreement.local.unmarked_comments;
                let read = nhd::read_ticket(answer.text.as_bytes(), uuid, unmarked);
                let within = |update| self.options.limits.admit(&update).map(|()| update);
                match read.map_err(|error| error.to_string()).map(within) {
                    Ok(Ok(update)) => Ok(There::Ticket(Box::new(nhd::cleaned(update)))),
                    Ok(Err(refusal)) => Err(format!("{} shows {}", agreement.name, refusal.reason)),
                    Err(error) => Err(format!("{said}: {error}")),
                }
            }
            404 => Ok(There::Nothing),
            410 => Ok(There::Ended),
            401 | 403 => return Err(Refusal::new(409, said)),
            408 | 425 | 429 | 500..=599 => return Err(Refusal::new(503, said)),
            _ => return Err(Refusal::new(422, format!("{said}: it shows no tickets"))),
        })
    }

    /// The tickets that seem to differ, and those that did.
    async fn suspects(
        &self,
        agreement: &Agreement,
        views: &[TicketView],
        there: &HashMap<Uuid, There>,
    ) -> Result<Vec<Uuid>, Refusal> {
        let uuids: Vec<Uuid> = views.iter().map(|view| view.ticket.uuid.clone()).collect();
        let scope = Scope {
            all_comments: uuids.iter().cloned().map(TicketRef::Network).collect(),
            comments: views.iter().flat_map(|view| theirs(&view.ticket.uuid, there)).collect(),
            tickets: uuids,
            agreements: vec![agreement.uuid.to_string()],
            ..Scope::default()
        };
        let snapshot = self.options.store.snapshot(&scope).await.map_err(away)?;
        let configured = self.options.live.catalogue();
        let catalogue = snapshot.catalogue.as_ref().unwrap_or(&configured);
        let suspect = |view: &&TicketView| {
            let uuid = &view.ticket.uuid;
            let (Some(case), Some(there)) = (snapshot.cases.get(uuid), there.get(uuid)) else { return false };
            let known = view.issues.iter().any(|issue| {
                issue.agreement == agreement.uuid
                    && issue.resolved_at.is_none()
                    && Comparison::is_about(&issue.subject)
            });
            known || !drift::differences(case, agreement, catalogue, there).is_empty()
        };
        Ok(views.iter().filter(suspect).map(|view| view.ticket.uuid.clone()).collect())
    }
}

/// Whether a partner can be asked for tickets.
pub(super) fn askable(agreement: &Agreement) -> Result<(), Refusal> {
    match agreement.kind {
        Kind::Queue => Err(Refusal::new(422, "a bridge on a queue cannot be asked for tickets")),
        Kind::Jira => {
            Err(Refusal::new(422, "a Jira has issues, not tickets to compare; agreement check looks at it"))
        }
        Kind::Zendesk | Kind::ThirdParty => {
            incoming::in_force(agreement).map_err(|refusal| Refusal::new(409, refusal.reason))
        }
    }
}

/// The comments that a partner has of a ticket.
fn theirs<'a>(
    ticket: &'a Uuid,
    there: &'a HashMap<Uuid, There>,
) -> impl Iterator<Item = (TicketRef, Uuid, Option<Word>)> + 'a {
    let update = match there.get(ticket) {
        Some(There::Ticket(update)) => Some(update),
        _ => None,
    };
    let comments = update.into_iter().flat_map(|update| &update.comments);
    comments.map(|comment| (TicketRef::Network(ticket.clone()), comment.uuid.clone(), None))
}

fn compared(
    agreement: &Agreement,
    view: &TicketView,
    there: &HashMap<Uuid, There>,
    repair: bool,
) -> Option<Change> {
    let share = view.shares.iter().find(|share| share.agreement == agreement.uuid)?;
    let open =
        view.issues.iter().filter(|issue| issue.agreement == agreement.uuid && issue.resolved_at.is_none());
    let known: Vec<(String, Timestamp)> = open
        .filter(|issue| Comparison::is_about(&issue.subject))
        .map(|issue| (issue.subject.clone(), issue.opened_at))
        .collect();
    let comparison = Comparison {
        there: there.get(&view.ticket.uuid)?.clone(),
        seq: (share.seq, share.partner_seq),
        known,
        repair,
    };
    Some(Change::Compared {
        agreement: agreement.uuid.clone(),
        ticket: view.ticket.uuid.clone(),
        comparison: Box::new(comparison),
    })
}
