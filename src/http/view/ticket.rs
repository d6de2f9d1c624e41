//! Tickets as the API shows them, with their shares and what did not sync.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{At, MessageView};
use crate::{
    domain::{
        Issue, Origin, Parts, Person, Property, Reason, Share, ShareRole, ShareState, Shared, TagSet, Tags,
        Ticket, TicketId, Undone, Uuid,
    },
    ports::TicketView,
};

/// A ticket that is shared, or was.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
pub(in crate::http) struct TicketShape<'a> {
    /// The desk's id, once it is known.
    id: Option<&'a TicketId>,
    /// Where the desk shows it.
    url: Option<String>,
    uuid: &'a Uuid,
    /// The subject, as the desk last told it or is being told.
    subject: Value,
    status: Value,
    priority: Value,
    tags: Tags,
    /// Title → value.
    custom_fields: BTreeMap<String, Value>,
    requester: Option<&'a Person>,
    /// Where it first came from; null: from here.
    origin: Option<&'a Origin>,
    /// A partner's ticket, made here by a command.
    received: bool,
    /// How many comments it has had.
    comments: i64,
    /// No share is in force: the desk may merge it.
    mergeable: bool,
    shares: Vec<ShareView<'a>>,
    issues: Vec<IssueView<'a>>,
    waiting_for_desk: Waiting<'a>,
    /// What the desk could not do, and is asked again when the ticket changes.
    undone: Vec<UndoneView<'a>>,
}

/// A ticket under an agreement.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Share")]
struct ShareView<'a> {
    agreement: &'a Uuid,
    role: ShareRole,
    state: ShareState,
    reason: Option<&'a str>,
    partner_ticket_id: Option<&'a str>,
    partner_url: Option<&'a str>,
    /// What the partner tells beside: assignee, requester's address, who is in copy.
    partner_told: BTreeMap<String, Value>,
    /// The other side has been told of the ticket.
    told: bool,
}

/// Something that did not sync.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Issue")]
struct IssueView<'a> {
    agreement: &'a Uuid,
    /// Which part of the ticket: a property's name, `comment:<uuid>`, `ticket`, `share`.
    subject: &'a str,
    reason: Reason,
    /// Why, in words.
    detail: &'a str,
    opened_at: At,
    resolved_at: Option<At>,
}

/// Commands that the desk has not answered, and what waits for them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WaitingForDesk")]
struct Waiting<'a> {
    commands: Vec<OpenView<'a>>,
    held_values: Vec<String>,
    held_comments: usize,
}

/// A command that the desk has not answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenCommand")]
struct OpenView<'a> {
    /// Its id.
    command: String,
    since: At,
    /// It has not reached the desk's queue yet.
    on_its_way: bool,
    /// What it sets.
    sets: BTreeMap<String, &'a Shared>,
    /// How many comments it adds.
    comments: usize,
}

/// What a partner wanted and the desk could not do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Undone")]
struct UndoneView<'a> {
    agreement: &'a Uuid,
    values: BTreeMap<String, &'a Shared>,
    /// Their uuids.
    comments: Vec<&'a Uuid>,
    tags_added: &'a TagSet,
    tags_removed: &'a TagSet,
    /// How often it was asked again.
    tries: u32,
}

/// How many messages are tried again.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Replayed {
    pub(in crate::http) replayed: usize,
}

/// What happened to a ticket.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Explained<'a> {
    pub(in crate::http) ticket: TicketShape<'a>,
    /// What came in, what went out, what was held back and why, oldest first: `at` and what is known of it.
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    pub(in crate::http) timeline: Vec<Value>,
    pub(in crate::http) messages: Vec<MessageView<'a>>,
}

fn named(values: &Parts<Shared>) -> BTreeMap<String, &Shared> {
    values.iter().map(|(property, value)| (property.to_string(), value)).collect()
}

impl<'a> TicketShape<'a> {
    /// A ticket with the issues that are open, or all; `url` is where the desk shows tickets.
    pub(in crate::http) fn of(view: &'a TicketView, resolved_too: bool, url: Option<&str>) -> Self {
        let ticket = &view.ticket;
        let mut custom_fields = BTreeMap::new();
        for (property, value) in ticket.effective_properties().iter() {
            if let Property::Field(title) = property {
                custom_fields.insert(title.as_str().to_owned(), value.json().into_owned());
            }
        }
        let text =
            |property| ticket.effective(&property).map(|value| value.json().into_owned()).unwrap_or_default();
        let issues = view.issues.iter().filter(|issue| resolved_too || issue.resolved_at.is_none());
        Self {
            id: ticket.id.as_ref(),
            url: url.zip(ticket.id.as_ref()).map(|(pattern, id)| id.link(pattern)),
            uuid: &ticket.uuid,
            subject: text(Property::Subject),
            status: text(Property::Status),
            priority: text(Property::Priority),
            tags: ticket.effective_tags(),
            custom_fields,
            requester: ticket.requester.as_ref(),
            origin: ticket.origin.as_ref(),
            received: ticket.received,
            comments: ticket.comments,
            mergeable: view.shares.iter().all(|share| share.state == ShareState::Ended),
            shares: view.shares.iter().map(ShareView::of).collect(),
            issues: issues.map(IssueView::of).collect(),
            waiting_for_desk: Waiting::of(ticket),
            undone: ticket.undone.iter().map(undone).collect(),
        }
    }
}

impl<'a> ShareView<'a> {
    fn of(share: &'a Share) -> Self {
        let told = share.partner.told.iter();
        Self {
            agreement: &share.agreement,
            role: share.role,
            state: share.state,
            reason: share.reason.as_deref(),
            partner_ticket_id: share.partner.ticket_id.as_deref(),
            partner_url: share.partner.url.as_deref(),
            partner_told: told
                .map(|(property, value)| (property.to_string(), value.json().into_owned()))
                .collect(),
            told: share.begun,
        }
    }
}

impl<'a> IssueView<'a> {
    fn of(issue: &'a Issue) -> Self {
        Self {
            agreement: &issue.agreement,
            subject: &issue.subject,
            reason: issue.reason,
            detail: &issue.detail,
            opened_at: issue.opened_at.into(),
            resolved_at: issue.resolved_at.map(At::from),
        }
    }
}

impl<'a> Waiting<'a> {
    fn of(ticket: &'a Ticket) -> Self {
        let open = ticket.open.iter().map(|open| OpenView {
            command: format!("{}.{}", ticket.uuid, open.n),
            since: open.at.into(),
            on_its_way: open.on_its_way,
            sets: named(&open.properties),
            comments: open.comments.len(),
        });
        Self {
            commands: open.collect(),
            held_values: ticket.held.properties.keys().map(ToString::to_string).collect(),
            held_comments: ticket.held.comments.len(),
        }
    }
}

fn undone(undone: &Undone) -> UndoneView<'_> {
    UndoneView {
        agreement: &undone.agreement,
        values: named(&undone.properties),
        comments: undone.comments.iter().map(|comment| &comment.uuid).collect(),
        tags_added: &undone.tags_added,
        tags_removed: &undone.tags_removed,
        tries: undone.tries,
    }
}
