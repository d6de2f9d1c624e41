//! The desk answers a command, or is not heard of it in time.

use crate::domain::{
    Comment, Completion, CompletionStatus, OpenCommand, Reason, Revision, Shared, Tags, Undone,
};

use super::{Case, Context, Decision, Outcome, asking, asking::Asked, diff, echo, sharing, undone};

/// How many comments of a ticket are looked out for after their commands have ended.
const MISSING: usize = 50;

/// The desk has done a command, or could not.
pub fn completed(case: &mut Case, completion: &Completion, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision::default();
    let partners = case.shares.iter().map(|share| &share.agreement).collect::<Vec<_>>();
    for user in ctx.users.values().filter(|user| partners.contains(&&user.agreement)) {
        if let Some(id) = completion.users.get(&user.uuid)
            && user.id.as_ref() != Some(id)
        {
            decision.users.push(crate::domain::User { id: Some(id.clone()), ..user.clone() });
        }
    }
    learn_comments(case, completion);
    if let Some(id) = &completion.ticket_id {
        case.ticket.id.get_or_insert_with(|| id.clone());
    }
    let at = case.ticket.open.iter().position(|command| command.n == completion.command_id.n);
    let creates = at.and_then(|at| case.ticket.open.get(at)).is_some_and(|command| command.creates);
    if creates && completion.status == CompletionStatus::Done && case.ticket.id.is_none() {
        // Without its number the ticket cannot be gone on with: as good as not created.
        let error = Some("the desk answered without a ticket_id".to_owned());
        let failed = Completion { status: CompletionStatus::Failed, error, ..completion.clone() };
        return completed(case, &failed, ctx);
    }
    let fetches = at.and_then(|at| case.ticket.open.get(at)).is_some_and(|command| command.fetches);
    if fetches && completion.status == CompletionStatus::Done && !case.ticket.known {
        // The ticket itself is still to come: that is the answer.
        return decision;
    }
    let Some(command) = at.map(|at| case.ticket.open.remove(at)) else {
        let late = completion.status == CompletionStatus::Failed;
        if let (true, Some(agreement)) = (late, case.shares.first().map(|share| share.agreement.clone())) {
            let words = completion.error.as_deref().unwrap_or("the desk gave no reason");
            let subject = format!("command:{}", completion.command_id.n);
            decision.issue(case, &agreement, subject, Reason::CommandFailed, words, ctx);
        }
        decision.outcome = if decision.users.is_empty() { Outcome::Unchanged } else { Outcome::Applied };
        return decision;
    };
    decision.outcome = Outcome::Applied;
    match completion.status {
        CompletionStatus::Done => {
            undone::done(&mut decision, case, &command, ctx);
            settle(case, command, Some(completion));
            case.ticket.moves_to(completion.revision);
        }
        CompletionStatus::Failed => failed(&mut decision, case, command, completion, ctx),
    }
    release(case, ctx);
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}

/// Takes in the ids that the desk gave to our comments.
pub fn learn_comments(case: &mut Case, completion: &Completion) {
    for (uuid, id) in &completion.comments {
        case.learn_comment(uuid, id);
    }
}

/// The desk has taken a command that it was brought: from now on its answer is waited for.
pub fn taken(case: &mut Case, n: i64, ctx: &Context<'_>) -> Decision {
    if let Some(command) = case.ticket.open.iter_mut().find(|command| command.n == n && command.on_its_way) {
        command.on_its_way = false;
        command.at = ctx.now;
        case.ticket.due_at = asking::next_due(case, ctx);
    }
    Decision { outcome: Outcome::Applied, ..Decision::default() }
}

/// Settles the commands that the desk should have answered by now: they are taken as done, and what waited counts.
///
/// A command that creates a ticket is waited for without limit, and what follows it with it: without its answer the ticket
/// has no number here.
pub fn timed_out(case: &mut Case, ctx: &Context<'_>) -> Decision {
    let mut decision = Decision { outcome: Outcome::Applied, ..Decision::default() };
    let limit = ctx.now.minus(ctx.desk.command_timeout);
    while case.ticket.open.first().is_some_and(|command| command.at <= limit && command.runs_out()) {
        let command = case.ticket.open.remove(0);
        if command.fetches {
            asking::not_told(&mut decision, case, &command.agreement, "no answer", ctx);
            continue;
        }
        undone::done(&mut decision, case, &command, ctx);
        settle(case, command, None);
    }
    release(case, ctx);
    diff::all_shares(&mut decision, case, None, ctx);
    decision
}

/// The desk did it: what it set is so, unless the desk has meanwhile said otherwise.
fn settle(case: &mut Case, command: OpenCommand, answer: Option<&Completion>) {
    let done_at = answer.map_or(Revision::default(), |completion| completion.revision);
    // What an older command expects of the same parts has been overtaken.
    for older in case.ticket.open.iter_mut().filter(|older| older.n < command.n) {
        older.properties.retain(|property, _| !command.properties.contains_key(property));
        older.tags_added.retain(|tag| !command.tags_removed.contains(tag));
        older.tags_removed.retain(|tag| !command.tags_added.contains(tag));
    }
    for (property, value) in command.properties {
        let held = case.ticket.held.properties.remove(&property);
        // Said again without having changed, and no answer that says when: as good as not said.
        let unchanged = |said: &Shared, at: &Revision| {
            case.ticket.properties.get(&property) == Some(said)
                && !matches!((at.number, done_at.number), (Some(_), Some(_)))
        };
        match held.filter(|(said, at)| !unchanged(said, at)) {
            Some((said, at)) => {
                case.ticket.properties.insert(property.clone(), said.clone());
                if matches!((at.number, done_at.number), (Some(at), Some(done)) if at <= done) {
                    echo::reads_here(case, &property, &value, &said);
                }
            }
            None => {
                case.ticket.properties.insert(property, value);
            }
        }
    }
    let shown =
        matches!((case.ticket.revision.number, done_at.number), (Some(now), Some(done)) if now >= done);
    if shown {
        // The desk has told its tags since: what has not come back, it has left out or kept in its own way.
        for exchange in case.shares.iter_mut().filter_map(|share| share.agreed.tags.as_mut()) {
            let here = Tags::make_mut(&mut exchange.here);
            here.retain(|tag| !command.tags_added.contains(tag));
            here.extend(command.tags_removed.iter().cloned());
        }
    } else {
        let tags = Tags::make_mut(&mut case.ticket.tags);
        tags.retain(|tag| !command.tags_removed.contains(tag));
        tags.extend(command.tags_added);
    }
    for ours in command.comments {
        recognise(case, &ours);
    }
}

/// Finds, among the comments that wait, the one that is ours coming back; one that is not there may still come.
fn recognise(case: &mut Case, ours: &Comment) {
    if let Some(at) = case.ticket.held.comments.iter().position(|held| echo::same_comment(held, ours)) {
        let held = case.ticket.held.comments.remove(at);
        case.learn_comment(&ours.uuid, held.id.as_deref().unwrap_or_default());
    } else {
        case.ticket.missing.push(ours.clone());
        let surplus = case.ticket.missing.len().saturating_sub(MISSING);
        case.ticket.missing.drain(..surplus);
    }
}

/// The desk could not: the partner's value stays agreed on the wire, reads here as what the desk has, and is an issue.
fn failed(
    decision: &mut Decision,
    case: &mut Case,
    command: OpenCommand,
    completion: &Completion,
    ctx: &Context<'_>,
) {
    let words = completion.error.as_deref().unwrap_or("the desk gave no reason");
    let agreement = command.agreement;
    if command.creates {
        decision.issue(case, &agreement, "ticket", Reason::CommandFailed, words, ctx);
        let text = format!("the desk could not create ticket {}: {words}", case.ticket.uuid);
        decision.notice(case, &agreement, "command_failed", text.clone(), ctx);
        sharing::end(decision, case, &agreement, &text, ctx);
        return;
    }
    if command.fetches {
        return asking::not_told(decision, case, &agreement, words, ctx);
    }
    let mut wanted = Undone { tries: command.tries, ..Undone::none(agreement.clone()) };
    let mixed = !command.properties.is_empty();
    for (property, value) in command.properties {
        let held = case.ticket.held.properties.remove(&property);
        let has = case.ticket.effective(&property).cloned().unwrap_or_default();
        // Somebody on the desk, or the partner, may have said something else meanwhile: then nobody wants it any more.
        let mut still = held.as_ref().is_none_or(|(said, _)| *said == has)
            && !case.ticket.open.iter().any(|other| other.properties.contains_key(&property));
        match case.share_mut(&agreement).and_then(|share| share.agreed.properties.get_mut(&property)) {
            Some(exchange) if exchange.here == value => exchange.here = has,
            // Asked again, it was not laid over what is agreed.
            Some(_) => still &= !command.settles.is_empty(),
            None => still = false,
        }
        if let Some((said, _)) = held {
            case.ticket.properties.insert(property.clone(), said);
        }
        let detail = format!("the desk could not set {property} to {value}: {words}");
        decision.issue(case, &agreement, &property, Reason::CommandFailed, detail, ctx);
        if still {
            wanted.properties.insert(property, value);
        }
    }
    if let Some(tags) = case.share_mut(&agreement).and_then(|share| share.agreed.tags.as_mut()) {
        let here = Tags::make_mut(&mut tags.here);
        here.retain(|tag| !command.tags_added.contains(tag));
        here.extend(command.tags_removed.iter().cloned());
    }
    let (tags_added, tags_removed, comments) = (command.tags_added, command.tags_removed, command.comments);
    let rest = !tags_added.is_empty() || !tags_removed.is_empty() || !comments.is_empty();
    let mut settles: Vec<String> =
        comments.iter().map(|comment| format!("comment:{}", comment.uuid)).collect();
    if !tags_added.is_empty() || !tags_removed.is_empty() {
        settles.push("tags".to_owned());
    }
    if rest
        && mixed
        && let Some(known) = ctx.agreements.get(&agreement)
    {
        // The values are to blame, most likely a status: the comments and tags that came with them are asked for at once.
        let asked = Asked { settles, tags_added, tags_removed, comments, tries: 1, ..Asked::default() };
        asking::ask(decision, case, known, asked, ctx);
    } else if rest {
        for subject in settles {
            let detail = format!("the desk could not add it: {words}");
            decision.issue(case, &agreement, subject, Reason::CommandFailed, detail, ctx);
        }
        wanted = Undone { tags_added, tags_removed, comments, ..wanted };
    }
    if !wanted.is_empty() {
        undone::keep(case, wanted);
    }
}

/// Lets go what nothing is waited for any more.
fn release(case: &mut Case, ctx: &Context<'_>) {
    let open = &case.ticket.open;
    let free: Vec<_> = case.ticket.held.properties.keys().cloned().collect();
    let free = free.into_iter().filter(|p| !open.iter().any(|command| command.properties.contains_key(p)));
    for property in free.collect::<Vec<_>>() {
        if let Some((said, _)) = case.ticket.held.properties.remove(&property) {
            case.ticket.properties.insert(property, said);
        }
    }
    echo::let_go(case, ctx);
    case.ticket.due_at = asking::next_due(case, ctx);
}
