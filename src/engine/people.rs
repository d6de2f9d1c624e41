//! Who somebody of a partner's is on this desk: our own requester, or a dummy user.

use std::borrow::Cow;

use crate::domain::{Command, NewUser, Person, TicketEvent, User, Uuid};

use super::{Case, Context, Decision};

/// The person as the desk should see them; a stranger becomes a dummy user first.
///
/// A uuid proves nothing, since anybody can compute it: only the requester of our own ticket is recognised as himself, and
/// a dummy stands for the same person under the same agreement alone.
pub(super) fn resolve(
    decision: &mut Decision,
    case: &mut Case,
    agreement: &Uuid,
    person: &Person,
    ctx: &Context<'_>,
) -> Person {
    if let Some(ours) = &case.ticket.requester
        && !case.ticket.received
        && ours.uuid == person.uuid
    {
        return ours.clone();
    }
    let key = (agreement.clone(), person.uuid.clone());
    let met = decision.users.iter().find(|user| user.agreement == key.0 && user.uuid == key.1);
    if let Some(known) = ctx.users.get(&key).or(met) {
        return Person { id: known.id.clone(), ..person.clone() };
    }
    let name = ctx.agreements.get(agreement).map(|agreement| agreement.name.clone()).unwrap_or_default();
    let user = NewUser {
        uuid: person.uuid.clone(),
        name: person.name.clone(),
        role: person.role,
        agreement: (agreement.clone(), name),
    };
    decision.command(case, agreement, Command::CreateUser(user), ctx);
    decision.users.push(User {
        agreement: key.0,
        uuid: key.1,
        id: None,
        name: person.name.clone(),
        role: person.role,
    });
    Person { id: None, ..person.clone() }
}

/// An event in which the partners' people are called as their partners call them: a dummy user who writes on this desk is
/// the same person over there. The desk may leave that to us.
pub(super) fn as_known<'a>(case: &Case, event: &'a TicketEvent, ctx: &Context<'_>) -> Cow<'a, TicketEvent> {
    if ctx.users.is_empty() {
        return Cow::Borrowed(event);
    }
    let dummy = |person: &Person| {
        let of_ticket = |user: &&User| {
            user.id.is_some()
                && user.id == person.id
                && case.shares.iter().any(|share| share.agreement == user.agreement)
        };
        ctx.users.values().filter(of_ticket).map(|user| user.uuid.clone()).min()
    };
    let people = event.comments.iter().map(|(comment, _)| &comment.author).chain(&event.actor);
    if people.clone().all(|person| dummy(person).is_none()) {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    let people = event.comments.iter_mut().map(|(comment, _)| &mut comment.author).chain(&mut event.actor);
    for person in people {
        person.uuid = dummy(person).unwrap_or_else(|| person.uuid.clone());
    }
    Cow::Owned(event)
}
