//! The desk is asked to do something to a ticket: one command, and what is expected to come back of it.

use super::{Case, Context, Decision, Outcome};
use crate::domain::{
    Agreement, Command, Comment, FieldNotSynced, OpenCommand, Parts, Person, Reason, Share, ShareRole,
    Shared, TagSet, Tags, TicketCommand, TicketId, Timestamp, Uuid,
};

/// What an issue is about when the desk does not tell a ticket that it was asked for.
const FETCH: &str = "fetch";

/// What the desk is to do.
#[derive(Default)]
pub(super) struct Asked {
    /// The ticket is new.
    pub(super) creates: bool,
    /// The issues that end when it is done: it could not do so before.
    pub(super) settles: Vec<String>,
    /// How often it was asked before.
    pub(super) tries: u32,
    pub(super) properties: Parts<Shared>,
    pub(super) tags_added: TagSet,
    pub(super) tags_removed: TagSet,
    pub(super) comments: Vec<Comment>,
    pub(super) actor: Option<Person>,
    pub(super) fields_not_synced: Vec<FieldNotSynced>,
    /// Something new is known of the partner's own ticket.
    pub(super) partner_news: bool,
}

impl Asked {
    fn is_empty(&self) -> bool {
        !self.creates
            && !self.partner_news
            && self.properties.is_empty()
            && self.tags_added.is_empty()
            && self.tags_removed.is_empty()
            && self.comments.is_empty()
            && self.fields_not_synced.is_empty()
    }
}

/// Asks, where there is anything to ask for.
pub(super) fn ask(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Agreement,
    asked: Asked,
    ctx: &Context<'_>,
) {
    if asked.is_empty() {
        return;
    }
    let tags = !asked.tags_added.is_empty() || !asked.tags_removed.is_empty();
    let mut after = case.ticket.effective_tags();
    if tags {
        let after = Tags::make_mut(&mut after);
        after.retain(|tag| !asked.tags_removed.contains(tag));
        after.extend(asked.tags_added.iter().cloned());
    }
    let partner = case.share(&agreement.uuid).map(|share| share.partner.clone());
    let command = Box::new(TicketCommand {
        uuid: case.ticket.uuid.clone(),
        id: case.ticket.id.clone(),
        properties: asked.properties.clone(),
        tags: (tags || asked.creates).then_some(after),
        tags_added: asked.tags_added.clone(),
        tags_removed: asked.tags_removed.clone(),
        requester: case.ticket.requester.clone().filter(|_| asked.creates),
        comments: asked.comments.clone(),
        actor: asked.actor,
        agreement: (agreement.uuid.clone(), agreement.name.clone()),
        origin: case.ticket.origin.clone().filter(|_| asked.creates),
        partner: partner.filter(|_| asked.partner_news || asked.creates),
        fields_not_synced: asked.fields_not_synced,
    });
    let command = if asked.creates { Command::CreateTicket(command) } else { Command::UpdateTicket(command) };
    let n = decision.command(case, &agreement.uuid, command, ctx);
    case.ticket.open.push(OpenCommand {
        on_its_way: ctx.desk.takes_commands,
        creates: asked.creates,
        properties: asked.properties,
        tags_added: asked.tags_added,
        tags_removed: asked.tags_removed,
        comments: asked.comments,
        settles: asked.settles,
        tries: asked.tries,
        ..OpenCommand::new(n, ctx.now, agreement.uuid.clone())
    });
    case.ticket.due_at = next_due(case, ctx);
    decision.outcome = Outcome::Applied;
}

/// Asks the desk for a ticket that is about to be shared. Of one that nothing is known of, nothing can be told before it answers.
pub(super) fn fetch(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Agreement,
    id: TicketId,
    ctx: &Context<'_>,
) {
    let uuid = case.ticket.uuid.clone();
    let n = decision.command(case, &agreement.uuid, Command::FetchTicket { uuid, id }, ctx);
    if case.ticket.known {
        return;
    }
    let command = OpenCommand::new(n, ctx.now, agreement.uuid.clone());
    case.ticket.open.push(OpenCommand { on_its_way: ctx.desk.takes_commands, fetches: true, ..command });
    case.ticket.due_at = next_due(case, ctx);
}

/// The desk was asked for a ticket that nothing is known of, and has not told it: `why`.
pub(super) fn not_told(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Uuid,
    why: &str,
    ctx: &Context<'_>,
) {
    if !case.share(agreement).is_some_and(Share::is_active) {
        return;
    }
    let number = case.number();
    let name = ctx.agreements.get(agreement).map(|agreement| agreement.name.as_str()).unwrap_or_default();
    let text = format!(
        "ticket {number} is to be shared with \"{name}\", but the desk has not told it ({why}): {name} hears of it once the desk sends \
         helpdesk.ticket.changed"
    );
    decision.issue(case, agreement, FETCH, Reason::CommandFailed, text.clone(), ctx);
    decision.notice(case, agreement, "command_failed", text, ctx);
}

/// The desk has told a ticket: it is asked for it no more.
pub(super) fn told(decision: &mut Decision, case: &mut Case, first: bool, ctx: &Context<'_>) {
    if case.ticket.open.iter().any(|command| command.fetches) {
        case.ticket.open.retain(|command| !command.fetches);
        case.ticket.due_at = next_due(case, ctx);
    }
    if first && case.is_stored() {
        for share in case.shares.iter().filter(|share| share.role == ShareRole::Outgoing) {
            decision.resolved(case, &share.agreement, FETCH, Reason::CommandFailed, ctx);
        }
    }
}

/// When the next open command runs out.
pub(super) fn next_due(case: &Case, ctx: &Context<'_>) -> Option<Timestamp> {
    let next = case.ticket.open.first().filter(|command| command.runs_out());
    next.map(|command| command.at.plus(ctx.desk.command_timeout))
}
