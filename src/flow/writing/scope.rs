//! What the changes of a batch speak of, so that one reading of the store serves them all.

use crate::{
    domain::{Comment, DeskEvent, EventBody, Message, TicketEvent, TicketUpdate, Uuid},
    engine::drift::There,
    flow::{
        change::{Attempted, Change, TicketAction},
        options::Options,
    },
    ports::{Scope, TicketRef},
};

/// The scope of a batch.
pub(super) fn of(changes: &[&Change], options: &Options) -> Scope {
    let mut scope = Scope::default();
    for change in changes {
        add(&mut scope, change);
        let shared = match change {
            Change::Share(id, _) => Some(id),
            Change::Event { event, .. } => match &event.body {
                EventBody::Shared(ticket, _) => Some(&ticket.id),
                EventBody::Changed(ticket) if !options.rules.is_empty() => Some(&ticket.id),
                _ => None,
            },
            _ => None,
        };
        // A partner may have shared a ticket under the uuid that ours would get.
        scope.tickets.extend(shared.map(|id| options.desk.namespace.ticket(id)));
    }
    if changes.iter().any(|change| matches!(change, Change::Event { .. })) {
        scope.agreements.extend(options.rules.iter().map(|rule| rule.share_with.clone()));
    }
    scope
}

fn add(scope: &mut Scope, change: &Change) {
    match change {
        Change::Event { event, .. } => add_event(scope, event),
        Change::Ticket { agreement, ticket, action, .. } => {
            scope.agreements.push(agreement.to_string());
            scope.tickets.push(ticket.clone());
            scope.unanswered = true;
            if let TicketAction::Create(update) | TicketAction::Update(update) = action {
                add_update(scope, update);
            }
            if matches!(action, TicketAction::Create(_)) {
                scope.all_comments.push(TicketRef::Network(ticket.clone()));
            }
        }
        Change::Invited { uuid, .. } | Change::Told { uuid, .. } | Change::Agreement(uuid, _) => {
            scope.agreements.push(uuid.to_string());
        }
        Change::Invite(invite) => scope.agreements.push(invite.uuid.to_string()),
        Change::Declare(declared) => scope.agreements.push(declared.0.uuid.to_string()),
        Change::Share(ticket, agreement) => {
            scope.desk_ids.push(ticket.clone());
            scope.all_comments.push(TicketRef::Desk(ticket.clone()));
            scope.agreements.push(agreement.clone());
        }
        Change::Unshare(ticket) => scope.desk_ids.push(ticket.clone()),
        Change::Attempt(message, attempted) => match attempted {
            _ if message.kind.is_about_agreement() => add_owner(scope, message),
            // That a partner has it, or that it will be tried again, is written with the message alone; unless it failed before, on this
            // ticket alone perhaps.
            Attempted::Delivered if message.attempts <= 1 => {}
            Attempted::Later { .. } => {}
            Attempted::Delivered | Attempted::Fails { .. } => {
                scope.tickets.push(message.id.owner.clone());
                scope.agreements.extend(message.agreement.iter().map(ToString::to_string));
            }
            Attempted::Taken => scope.tickets.push(message.id.owner.clone()),
            _ => add_owner(scope, message),
        },
        Change::Replay(message) | Change::Drop(message) => add_owner(scope, message),
        Change::Retell(message) => {
            add_owner(scope, message);
            scope.unanswered = true;
        }
        Change::Due(ticket) | Change::Refit(ticket) | Change::Retry(ticket) => {
            scope.tickets.push(ticket.clone());
        }
        Change::Compared { agreement, ticket, comparison } => {
            scope.agreements.push(agreement.to_string());
            scope.tickets.push(ticket.clone());
            scope.unanswered = true;
            scope.all_comments.push(TicketRef::Network(ticket.clone()));
            if let There::Ticket(update) = &comparison.there {
                add_update(scope, update);
            }
        }
        Change::Claim(key) => scope.events.push(key.clone()),
        Change::Once(key, change) => {
            scope.events.push(key.clone());
            add(scope, change);
        }
        Change::Found { agreement, ticket, .. } => {
            scope.agreements.push(agreement.to_string());
            scope.tickets.push(ticket.clone());
        }
        Change::Hold(..)
        | Change::Release(..)
        | Change::Dead { .. }
        | Change::Unnamed(..)
        | Change::Published(_)
        | Change::Buried(_)
        | Change::Refitted(..)
        | Change::RefitAll
        | Change::DeclineAll(_) => {}
    }
}

/// What a message is about, with all that a decision about it looks at.
fn add_owner(scope: &mut Scope, message: &Message) {
    let owner = &message.id.owner;
    if message.kind.is_about_agreement() {
        scope.agreements.push(owner.to_string());
    } else {
        scope.tickets.push(owner.clone());
        scope.all_comments.push(TicketRef::Network(owner.clone()));
    }
}

fn add_event(scope: &mut Scope, event: &DeskEvent) {
    // Of the others, their tickets remember which have been applied.
    if event.mark().is_none() {
        scope.events.push(event.key.clone());
    }
    match &event.body {
        EventBody::Changed(ticket) => add_ticket(scope, ticket),
        EventBody::Shared(ticket, agreement) => {
            add_ticket(scope, ticket);
            scope.all_comments.push(TicketRef::Desk(ticket.id.clone()));
            scope.agreements.push(agreement.clone());
        }
        EventBody::Unshared(id) | EventBody::Deleted(id) | EventBody::Merged(id, _) => {
            scope.desk_ids.push(id.clone());
        }
        EventBody::Fields(_) => {}
        EventBody::Completed(completion) => {
            let owner = &completion.command_id.owner;
            scope.tickets.push(owner.clone());
            scope.desk_ids.extend(completion.ticket_id.clone());
            scope.users.extend(completion.users.keys().cloned());
            for (uuid, id) in &completion.comments {
                scope.comments.push((
                    TicketRef::Network(owner.clone()),
                    uuid.clone(),
                    Some(id.as_str().into()),
                ));
            }
        }
    }
}

fn add_ticket(scope: &mut Scope, event: &TicketEvent) {
    scope.desk_ids.push(event.id.clone());
    scope.tickets.extend(event.uuid.clone());
    let people = event.comments.iter().map(|(comment, _)| &comment.author).chain(&event.actor);
    scope.user_ids.extend(people.filter_map(|person| person.id.clone()));
    for (comment, _) in &event.comments {
        scope.comments.push((TicketRef::Desk(event.id.clone()), comment.uuid.clone(), comment.id.clone()));
        if let Some(uuid) = &event.uuid {
            scope.comments.push((TicketRef::Network(uuid.clone()), comment.uuid.clone(), comment.id.clone()));
        }
    }
}

/// Events that waited for a ticket to be named speak of its comments.
pub(super) fn add_waiting(scope: &mut Scope, owner: &Uuid, event: &DeskEvent) {
    if let EventBody::Shared(_, agreement) = &event.body {
        scope.agreements.push(agreement.clone());
        scope.all_comments.push(TicketRef::Network(owner.clone()));
    }
    if let EventBody::Changed(ticket) | EventBody::Shared(ticket, _) = &event.body {
        let of =
            |comment: &Comment| (TicketRef::Network(owner.clone()), comment.uuid.clone(), comment.id.clone());
        scope.comments.extend(ticket.comments.iter().map(|(comment, _)| of(comment)));
    }
}

fn add_update(scope: &mut Scope, update: &TicketUpdate) {
    let authors = update.comments.iter().map(|comment| &comment.author);
    let people = update.requester.iter().chain(&update.actor).chain(authors);
    scope.users.extend(people.map(|person| person.uuid.clone()));
    let ticket: &Uuid = &update.uuid;
    for comment in &update.comments {
        scope.comments.push((TicketRef::Network(ticket.clone()), comment.uuid.clone(), None));
    }
}

/// The scope of one change.
pub(in crate::flow) fn of_one(change: &Change, options: &Options) -> Scope {
    of(&[change], options)
}
