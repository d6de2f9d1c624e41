//! A message for a partner that is a Jira: what its tracker is asked to do, and what its answer means.

use std::time::Duration;

use super::verdict::Verdict;
use crate::{
    domain::{Agreement, Carried, JiraSecrets, Keys, Message, MessageType, Privacy, Uuid},
    flow::{
        change::{AgreementAction, Change},
        options::Options,
        pipeline::Pipeline,
    },
    ports::{Errand, Scope, Setback, StoreError, Task},
    wire::nhd,
};

/// How long before a creation an issue is looked for that an earlier one may have made: each that the account made is looked at.
const EARLIER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Brings a message to a Jira.
pub(super) async fn run(
    options: &Options,
    pipeline: &Pipeline,
    agreement: &Agreement,
    keys: Option<&Keys>,
    message: &Message,
) -> (Verdict, Option<Carried>) {
    let task = match task(message) {
        Ok(Some(task)) => task,
        // A Jira speaks of no agreements: there is nobody to tell.
        Ok(None) => return (Verdict::Done, None),
        Err(why) => return (Verdict::Park(why), None),
    };
    let Some(mut errand) = of(options, agreement, keys) else {
        return (Verdict::Park("the agreement has no project or no token".to_owned()), None);
    };
    errand.ticket = message.id.owner.clone();
    errand.since = message.created_at;
    if let Task::Create(update) = &task
        && message.contents.seq > 1
    {
        // An earlier message may have made the issue, and its answer been lost.
        let earliest = errand.since.minus(EARLIER);
        errand.since = update.requested_at.unwrap_or(errand.since).clamp(earliest, errand.since);
    }
    errand.task = task;
    errand.issue = match known_issue(options, &errand.ticket, &errand.agreement).await {
        Ok(issue) => issue,
        Err(why) => return (Verdict::Later { why, after: None }, None),
    };
    let (mut carried, result) = options.tracker.carry(&errand).await;
    for obstacle in &mut carried.obstacles {
        obstacle.detail = hidden(std::mem::take(&mut obstacle.detail), &errand);
    }
    let invited = message.kind == MessageType::AgreementInvite;
    let Err(setback) = result else {
        settle_trouble(pipeline, agreement, None).await;
        return (Verdict::Done, Some(carried));
    };
    if carried.issue.is_some() && errand.issue.is_none() {
        // Whatever comes next begins with the issue that was made.
        let (issue, account) = (carried.issue, carried.account);
        let carried = Box::new(Carried { issue, account, ..Carried::default() });
        let (agreement, ticket) = (errand.agreement.clone(), errand.ticket.clone());
        let found = Change::Found { agreement, ticket, carried };
        let _found_again_otherwise = pipeline.submit_one(found).await;
    }
    let hide = |text: String| hidden(text, &errand);
    let verdict = match setback {
        Setback::Refused(why) => Verdict::Park(hide(why)),
        Setback::Later { why, after } => Verdict::Later { why: hide(why), after },
        Setback::Credentials(why) if invited => Verdict::Park(hide(why)),
        Setback::Credentials(why) => {
            let why = hide(why);
            settle_trouble(pipeline, agreement, Some(&why)).await;
            Verdict::Later { why, after: None }
        }
    };
    (verdict, None)
}

/// A check of an agreement with a Jira; `None` where it has no project or no token.
///
/// # Errors
/// The store is away.
pub(in crate::flow) async fn checking(
    options: &Options,
    agreement: &Agreement,
) -> Result<Option<Errand>, StoreError> {
    let keys = options.store.access_keys(&agreement.uuid).await?;
    Ok(of(options, agreement, keys.as_ref()))
}

/// An errand under an agreement: a check, as long as nothing else is said.
fn of(options: &Options, agreement: &Agreement, keys: Option<&Keys>) -> Option<Errand> {
    Some(Errand {
        agreement: agreement.uuid.clone(),
        desk: options.desk.name.clone(),
        base: agreement.url.clone()?,
        jira: agreement.jira.clone()?,
        words: agreement.local.status.to_partner.values().cloned().collect(),
        token: JiraSecrets::unpacked(&keys?.current).token,
        ticket: agreement.uuid.clone(),
        issue: None,
        since: agreement.created_at,
        now: options.clock.now(),
        task: Task::Check,
    })
}

/// Words in which the token does not stand, though the Jira may have repeated what it was sent.
pub(in crate::flow) fn hidden(text: String, errand: &Errand) -> String {
    errand.token.hidden_in(text)
}

/// What a message asks for; `None` for what a Jira need not know.
fn task(message: &Message) -> Result<Option<Task>, String> {
    let update = || {
        let read = nhd::read_ticket(message.body.as_bytes(), &message.id.owner, Privacy::Private);
        read.map(Box::new).map_err(|error| error.to_string())
    };
    Ok(match message.kind {
        MessageType::AgreementInvite => Some(Task::Check),
        MessageType::TicketCreate => Some(Task::Create(update()?)),
        MessageType::TicketUpdate => Some(Task::Update(update()?)),
        MessageType::TicketUnshare => Some(Task::Unshare),
        _ => None,
    })
}

/// The key of the issue that stands for a ticket, where it is known.
async fn known_issue(options: &Options, ticket: &Uuid, agreement: &Uuid) -> Result<Option<String>, String> {
    let scope = Scope { tickets: vec![ticket.clone()], ..Scope::default() };
    let snapshot = options.store.snapshot(&scope).await.map_err(|error| error.to_string())?;
    let share = snapshot.cases.get(ticket).and_then(|case| case.share(agreement));
    Ok(share.and_then(|share| share.partner.ticket_id.clone()))
}

/// Keeps with the agreement that its credentials are not accepted, or that they are again.
async fn settle_trouble(pipeline: &Pipeline, agreement: &Agreement, why: Option<&str>) {
    let known = agreement.reason.as_deref();
    if known != why && agreement.is_accepted() {
        let trouble = AgreementAction::Trouble(why.map(str::to_owned));
        let _next_time = pipeline.submit_one(Change::Agreement(agreement.uuid.clone(), trouble)).await;
    }
}
