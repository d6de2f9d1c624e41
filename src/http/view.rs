//! How agreements, tickets and messages look in the API.

use serde_json::{Map, Value, json};

use crate::{
    domain::{Agreement, Issue, Jira, Message, MessageState, Property, Share, ShareState, Ticket},
    ports::TicketView,
    wire::date::to_rfc3339,
};

pub(super) fn agreement(agreement: &Agreement) -> Value {
    json!({
        "uuid": agreement.uuid, "name": agreement.name, "direction": agreement.direction, "kind": agreement.kind,
        "url": agreement.url, "status": agreement.status, "deactivated_by": agreement.deactivated_by,
        "reason": agreement.reason, "terms": agreement.terms, "profile": agreement.profile, "declared": agreement.declared,
        "accepting": agreement.accepting, "changed_by": agreement.changed_by, "failing_since": agreement.failing.map(|failing| to_rfc3339(failing.since)), "local": agreement.local, "jira": agreement.jira.as_ref().map(jira),
        "created_at": to_rfc3339(agreement.created_at), "updated_at": to_rfc3339(agreement.updated_at),
    })
}

/// What is settled about a Jira; what was learnt of it is nobody's to settle.
fn jira(jira: &Jira) -> Value {
    json!({
        "project": jira.project, "issue_type": jira.issue_type, "email": jira.email, "link_type": jira.link_type,
        "visibility": jira.visibility, "account": jira.account,
    })
}

pub(super) fn ticket(view: &TicketView, resolved_too: bool, url: Option<&str>) -> Value {
    let ticket = &view.ticket;
    let is_shared = view.shares.iter().any(|share| share.state != ShareState::Ended);
    let mut fields = Map::new();
    for (property, value) in ticket.effective_properties().iter() {
        if let Property::Field(title) = property {
            fields.insert(title.as_str().to_owned(), Value::clone(value));
        }
    }
    let text = |property| ticket.effective(&property).cloned().unwrap_or_default();
    let issues = view.issues.iter().filter(|issue| resolved_too || issue.resolved_at.is_none());
    json!({
        "id": ticket.id, "url": url.zip(ticket.id.as_ref()).map(|(url, id)| url.replace("{id}", id.as_str())), "uuid": ticket.uuid, "subject": text(Property::Subject), "status": text(Property::Status),
        "priority": text(Property::Priority), "tags": ticket.effective_tags(), "custom_fields": fields,
        "requester": ticket.requester, "origin": ticket.origin, "received": ticket.received, "comments": ticket.comments,
        "mergeable": !is_shared, "shares": view.shares.iter().map(share).collect::<Vec<_>>(),
        "issues": issues.map(issue).collect::<Vec<_>>(), "waiting_for_desk": waiting(ticket), "undone": undone(ticket),
    })
}

fn share(share: &Share) -> Value {
    json!({
        "agreement": share.agreement, "role": share.role, "state": share.state, "reason": share.reason,
        "partner_ticket_id": share.partner.ticket_id, "partner_url": share.partner.url, "partner_told": share.partner.told, "told": share.begun,
    })
}

fn issue(issue: &Issue) -> Value {
    json!({
        "agreement": issue.agreement, "subject": issue.subject, "reason": issue.reason, "detail": issue.detail,
        "opened_at": to_rfc3339(issue.opened_at), "resolved_at": issue.resolved_at.map(to_rfc3339),
    })
}

/// What the desk could not do, and is asked again when the ticket changes.
fn undone(ticket: &Ticket) -> Value {
    let undone = ticket.undone.iter().map(|undone| {
        let comments: Vec<_> = undone.comments.iter().map(|comment| &comment.uuid).collect();
        json!({"agreement": undone.agreement, "values": undone.properties, "comments": comments,
            "tags_added": undone.tags_added, "tags_removed": undone.tags_removed, "tries": undone.tries})
    });
    undone.collect()
}

/// Commands that the desk has not answered, and what waits for them.
fn waiting(ticket: &Ticket) -> Value {
    let command = |n: i64| format!("{}.{n}", ticket.uuid);
    let open = ticket.open.iter().map(|open| {
        json!({"command": command(open.n), "since": to_rfc3339(open.at), "on_its_way": open.on_its_way, "sets": open.properties, "comments": open.comments.len()})
    });
    json!({
        "commands": open.collect::<Vec<_>>(), "held_values": ticket.held.properties.keys().collect::<Vec<_>>(),
        "held_comments": ticket.held.comments.len(),
    })
}

pub(super) fn message(message: &Message) -> Value {
    let body: Value =
        serde_json::from_str(&message.body).unwrap_or_else(|_| Value::from(message.body.as_str()));
    json!({
        "id": message.id, "type": message.kind.as_str(), "state": message.state.as_str(), "agreement": message.agreement,
        "about": message.id.owner, "attempts": message.attempts, "due_at": message.due_at.map(to_rfc3339),
        "reason": message.error, "created_at": to_rfc3339(message.created_at), "body": body,
        "parked_at": (message.state == MessageState::Parked).then(|| to_rfc3339(message.updated_at)),
    })
}
