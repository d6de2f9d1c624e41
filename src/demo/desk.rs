//! A small help desk: tickets, comments, users; it does what commands ask and tells what happens in events, as a real one
//! beside a crossdesk does. No I/O: events and commands are JSON values, and somebody else carries them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// How a desk treats commands: desks differ, and all of these work.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// It answers commands with `helpdesk.command.completed`.
    pub completes: bool,
    /// Its events say which command caused them.
    pub names_commands: bool,
    /// It writes what it is given in its own way: tags in small letters without white space, on-hold as open.
    pub normalises: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { completes: true, names_commands: false, normalises: false }
    }
}

/// A comment on this desk.
#[derive(Clone, Debug)]
pub struct DeskComment {
    /// Its id here.
    pub id: String,
    /// The network's name, where it came by a command.
    pub uuid: Option<String>,
    /// Who wrote it: id and name.
    pub author: (String, String),
    /// `agent` or `end-user`.
    pub role: String,
    /// What it says.
    pub body: String,
    /// Whether everybody may read it.
    pub public: bool,
}

/// A ticket on this desk.
#[derive(Clone, Debug, Default)]
pub struct DeskTicket {
    /// Counts its changes.
    pub revision: i64,
    /// The network's name, where a command made it.
    pub uuid: Option<String>,
    /// Subject, status and so on.
    pub values: Map<String, Value>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its custom fields.
    pub fields: BTreeMap<String, Value>,
    /// Who asked: id and name.
    pub requester: (String, String),
    /// Its comments, in order.
    pub comments: Vec<DeskComment>,
}

/// A small help desk.
#[derive(Clone, Debug)]
pub struct HelpDesk {
    /// What it is called.
    pub name: String,
    /// Its tickets, by number.
    pub tickets: BTreeMap<String, DeskTicket>,
    /// Dummy users that commands made: the network's name to id and name.
    pub dummies: BTreeMap<String, (String, String)>,
    /// Notices that it was given.
    pub notices: Vec<Value>,
    /// Custom fields that did not sync, as commands told.
    pub not_synced: Vec<Value>,
    /// A custom field that must be filled before a ticket can be solved.
    pub required_to_solve: Option<String>,
    pub(super) habits: Habits,
    pub(super) done: BTreeSet<String>,
    next: u64,
    events: u64,
}

impl HelpDesk {
    /// A desk whose first ticket has this number.
    pub fn new(name: &str, first: u64, habits: Habits) -> Self {
        Self {
            name: name.to_owned(),
            tickets: BTreeMap::new(),
            dummies: BTreeMap::new(),
            notices: Vec::new(),
            not_synced: Vec::new(),
            required_to_solve: None,
            habits,
            done: BTreeSet::new(),
            next: first,
            events: 0,
        }
    }

    pub(super) fn number(&mut self) -> String {
        self.next += 1;
        (self.next - 1).to_string()
    }

    pub(super) fn event(&mut self, kind: &str, data: Value) -> Value {
        self.events += 1;
        let mut event = json!({
            "specversion": "1.0", "id": format!("e-{}", self.events), "source": format!("desk/{}", self.name),
            "type": kind, "data": data,
        });
        let at = crate::clock::Clock::now(&crate::clock::SystemClock);
        if let Value::Object(event) = &mut event {
            event.insert("time".to_owned(), json!(crate::wire::date::to_rfc3339(at)));
        }
        event
    }

    /// The ticket as an event tells it, with these of its comments.
    pub(super) fn changed(
        &mut self,
        id: &str,
        comments: &[DeskComment],
        actor: (&str, &str, &str),
        caused_by: Option<&str>,
    ) -> Value {
        let data = self.data(id, comments, actor, caused_by);
        self.event("helpdesk.ticket.changed", data)
    }

    pub(super) fn data(
        &mut self,
        id: &str,
        comments: &[DeskComment],
        actor: (&str, &str, &str),
        caused_by: Option<&str>,
    ) -> Value {
        let Some(ticket) = self.tickets.get_mut(id) else { return Value::Null };
        ticket.revision += 1;
        let mut form = ticket.values.clone();
        form.insert("id".to_owned(), json!(id));
        form.insert("revision".to_owned(), json!(ticket.revision));
        form.insert("tags".to_owned(), json!(ticket.tags));
        form.insert("via".to_owned(), json!(if ticket.uuid.is_some() { "ticket_sharing" } else { "web" }));
        form.insert("requester".to_owned(), json!({"id": ticket.requester.0, "name": ticket.requester.1}));
        let fields = ticket.fields.iter().map(|(title, value)| json!({"title": title, "value": value}));
        form.insert("custom_fields".to_owned(), fields.collect());
        let comment = |comment: &DeskComment| {
            json!({"id": comment.id, "body": comment.body, "public": comment.public,
                "author": {"id": comment.author.0, "name": comment.author.1, "role": comment.role}})
        };
        let mut data = json!({
            "ticket": form, "comments": comments.iter().map(comment).collect::<Vec<_>>(),
            "actor": {"id": actor.0, "name": actor.1, "role": actor.2},
        });
        if let (Some(command), true, Value::Object(data)) = (caused_by, self.habits.names_commands, &mut data)
        {
            data.insert("command_id".to_owned(), json!(command));
        }
        data
    }

    /// Somebody writes to the desk: a new ticket. Returns its number and the event.
    pub fn open(
        &mut self,
        requester: (&str, &str),
        subject: &str,
        body: &str,
        fields: &[(&str, Value)],
    ) -> (String, Value) {
        let id = self.number();
        let comment = DeskComment {
            id: format!("c{id}-1"),
            uuid: None,
            author: (requester.0.to_owned(), requester.1.to_owned()),
            role: "end-user".to_owned(),
            body: body.to_owned(),
            public: true,
        };
        let mut values = Map::new();
        values.insert("subject".to_owned(), json!(subject));
        values.insert("status".to_owned(), json!("open"));
        let ticket = DeskTicket {
            values,
            requester: (requester.0.to_owned(), requester.1.to_owned()),
            fields: fields.iter().map(|(title, value)| ((*title).to_owned(), value.clone())).collect(),
            comments: vec![comment.clone()],
            ..DeskTicket::default()
        };
        self.tickets.insert(id.clone(), ticket);
        let event = self.changed(&id, &[comment], (requester.0, requester.1, "end-user"), None);
        (id, event)
    }

    /// An agent shares a ticket under an agreement.
    pub fn share(&mut self, id: &str, agreement: &str) -> Value {
        let comments = self.tickets.get(id).map(|ticket| ticket.comments.clone()).unwrap_or_default();
        let mut data = self.data(id, &comments, ("9", "Agent", "agent"), None);
        if let Value::Object(data) = &mut data {
            data.insert("agreement".to_owned(), json!(agreement));
            data.insert("comments_complete".to_owned(), json!(true));
        }
        self.event("helpdesk.ticket.shared", data)
    }

    /// An agent writes a comment.
    pub fn comment(&mut self, id: &str, agent: &str, body: &str, public: bool) -> Value {
        let count = self.tickets.get(id).map_or(0, |ticket| ticket.comments.len());
        let comment = DeskComment {
            id: format!("c{id}-{}", count + 1),
            uuid: None,
            author: (format!("agent-{agent}"), agent.to_owned()),
            role: "agent".to_owned(),
            body: body.to_owned(),
            public,
        };
        if let Some(ticket) = self.tickets.get_mut(id) {
            ticket.comments.push(comment.clone());
        }
        self.changed(id, &[comment], (&format!("agent-{agent}"), agent, "agent"), None)
    }

    /// An agent sets a value: `status`, `subject`, `priority`.
    pub fn set(&mut self, id: &str, key: &str, value: &str) -> Value {
        if let Some(ticket) = self.tickets.get_mut(id) {
            ticket.values.insert(key.to_owned(), json!(value));
        }
        self.changed(id, &[], ("9", "Agent", "agent"), None)
    }

    /// An agent fills a custom field.
    pub fn fill(&mut self, id: &str, title: &str, value: Value) -> Value {
        if let Some(ticket) = self.tickets.get_mut(id) {
            ticket.fields.insert(title.to_owned(), value);
        }
        self.changed(id, &[], ("9", "Agent", "agent"), None)
    }

    /// The person of a partner's writes on this desk: under the dummy's name.
    pub fn comment_as_dummy(&mut self, id: &str, uuid: &str, body: &str) -> Value {
        let (user, name) = self.dummies.get(uuid).cloned().unwrap_or_default();
        let event = self.comment(id, &name, body, true);
        let author = json!({"id": user, "name": name, "role": "end-user"});
        let mut event = event;
        for path in ["/data/comments/0/author", "/data/actor"] {
            if let Some(place) = event.pointer_mut(path) {
                *place = author.clone();
            }
        }
        event
    }

    /// An agent sets the tags.
    pub fn tag(&mut self, id: &str, tags: &[&str]) -> Value {
        if let Some(ticket) = self.tickets.get_mut(id) {
            ticket.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        }
        self.changed(id, &[], ("9", "Agent", "agent"), None)
    }

    /// The number of the ticket with this network name.
    pub fn find(&self, uuid: &str) -> Option<String> {
        self.tickets.iter().find(|(_, ticket)| ticket.uuid.as_deref() == Some(uuid)).map(|(id, _)| id.clone())
    }
}

pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}
