//! What a Jira's webhooks tell: an issue has changed, somebody has written a comment, an issue is gone.
//!
//! Of an issue that changed those fields are taken that its changelog names. Comments come one by one. A field's name stands only where it changed; of those that this desk has told, the ids are known.

#![expect(clippy::indexing_slicing, reason = "a JSON value's index gives null where there is nothing")]

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    Error, adf, date,
    jira::{id, priority_here, value_here},
    text,
};
use crate::{
    domain::{
        Agreement, Comment, Extra, Namespace, Person, Privacy, Property, Role, TagSet, Tags, TicketUpdate,
        Title, Uuid, Word,
    },
    engine::status,
};

/// What a webhook is about.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The issue's id.
    pub issue: String,
    kind: Kind,
    payload: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Changed,
    Commented,
    Edited,
    Deleted,
}

/// What a webhook means for the ticket that its issue stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Hooked {
    /// The partner has changed it.
    Changed(Box<TicketUpdate>),
    /// The issue is gone.
    Deleted,
    /// Nothing: it is our own doing.
    Nothing,
}

/// Reads a webhook; `None` for one that tells nothing of a shared ticket.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Option<Hook>, Error> {
    let payload: Value = serde_json::from_slice(&text::without_nul(bytes))
        .map_err(|error| Error::new(format!("not JSON: {error}")))?;
    let event = payload["webhookEvent"].as_str();
    let kind =
        match event.ok_or_else(|| Error::new("webhookEvent is missing: this is no webhook of a Jira"))? {
            "jira:issue_updated" => Kind::Changed,
            "comment_created" => Kind::Commented,
            "comment_updated" => Kind::Edited,
            "jira:issue_deleted" => Kind::Deleted,
            _ => return Ok(None),
        };
    let issue = id(&payload["issue"]["id"]).or_else(|| in_address(&payload["comment"]["self"]));
    let issue = issue.ok_or_else(|| Error::new("issue.id is missing"))?;
    Ok(Some(Hook { issue, kind, payload }))
}

/// The issue of a comment that Data Center tells of, which stands in the comment's own address alone:
/// `https://jira.example/rest/api/2/issue/10021/comment/10100`.
fn in_address(address: &Value) -> Option<String> {
    let (issue, _) = address.as_str()?.split_once("/issue/")?.1.split_once("/comment/")?;
    (!issue.is_empty() && issue.bytes().all(|byte| byte.is_ascii_digit())).then(|| issue.to_owned())
}

impl Hook {
    /// What it means for a ticket. `has` says which of the desk's custom fields there are, `known` which comments are.
    pub fn about(
        &self,
        ticket: &Uuid,
        agreement: &Agreement,
        has: impl Fn(&Title) -> bool,
        known: impl Fn(&Uuid) -> bool,
    ) -> Hooked {
        if self.kind == Kind::Deleted {
            return Hooked::Deleted;
        }
        let names = Namespace::of(agreement.url.as_deref().unwrap_or_default());
        let project = &self.payload["issue"]["fields"]["project"];
        let kind = project["projectTypeKey"].as_str().map(|kind| kind == "service_desk");
        // Data Center tells nothing of the issue with a comment. What nobody knows is kept among agents.
        let learnt = agreement.jira.as_ref().and_then(|jira| jira.service);
        let service = kind.or(learnt).unwrap_or(true);
        let reader = Reader { agreement, names, service };
        let mut update = TicketUpdate::new(ticket.clone());
        let comment = &self.payload["comment"];
        match self.kind {
            Kind::Changed => {
                // What comes with a change of ours is as old as that change.
                if !reader.is_ours(&self.payload["user"]) {
                    reader.values(&self.payload, &mut update, has);
                }
                update.actor = reader.person(&self.payload["user"]);
                // Data Center tells a comment with the change that came with it, beside a webhook of the comment's own.
                match self.payload["issue_event_type_name"].as_str() {
                    Some("issue_comment_edited") => {
                        update.comments.extend(self.edited(&reader, known).map(Arc::new));
                    }
                    Some("issue_comment_deleted") => {}
                    _ => update.comments.extend(self.said(&reader).map(Arc::new)),
                }
            }
            Kind::Commented => {
                update.actor = reader.person(&comment["author"]);
                update.comments.extend(self.said(&reader).map(Arc::new));
            }
            Kind::Edited => {
                update.actor = reader.person(editor(comment));
                update.comments.extend(self.edited(&reader, known).map(Arc::new));
            }
            Kind::Deleted => {}
        }
        let silent = update.properties.is_empty() && update.tags.is_none() && update.comments.is_empty();
        if silent { Hooked::Nothing } else { Hooked::Changed(Box::new(update)) }
    }

    /// The new comment, if it is somebody else's than ours.
    fn said(&self, reader: &Reader<'_>) -> Option<Comment> {
        let comment = &self.payload["comment"];
        if reader.is_ours(&comment["author"]) { None } else { reader.comment(comment, None) }
    }

    /// The comment as somebody else than us has edited it; one that is not known yet comes as it now is.
    fn edited(&self, reader: &Reader<'_>, known: impl Fn(&Uuid) -> bool) -> Option<Comment> {
        let comment = &self.payload["comment"];
        if reader.is_ours(editor(comment)) {
            return None;
        }
        let first = self.comments().into_iter().next().map(|name| reader.names.comment(&name));
        let crossed = reader.is_ours(&comment["author"]) || first.is_some_and(|uuid| known(&uuid));
        reader.comment(comment, comment["updated"].as_str().filter(|_| crossed))
    }

    /// The names, in the partner's namespace, of the comments that it speaks of.
    pub fn comments(&self) -> Vec<String> {
        id(&self.payload["comment"]["id"]).into_iter().collect()
    }
}

/// Who wrote an edited comment as it now is.
fn editor(comment: &Value) -> &Value {
    let editor = &comment["updateAuthor"];
    if editor.is_null() { &comment["author"] } else { editor }
}

struct Reader<'a> {
    agreement: &'a Agreement,
    names: Namespace,
    /// The issue is in a service project.
    service: bool,
}

impl Reader<'_> {
    /// Whether somebody is the account that this daemon works with.
    fn is_ours(&self, user: &Value) -> bool {
        let account = self.agreement.jira.as_ref().and_then(|jira| jira.account.as_deref());
        let names = ["accountId", "key", "name"].into_iter().filter_map(|name| user[name].as_str());
        account.is_some_and(|account| names.into_iter().any(|name| name == account))
    }

    fn person(&self, user: &Value) -> Option<Person> {
        let id = ["accountId", "key", "name"].into_iter().find_map(|name| user[name].as_str())?;
        let name = user["displayName"].as_str().filter(|name| !name.is_empty()).unwrap_or(id);
        let role = if user["accountType"] == "customer" { Role::EndUser } else { Role::Agent };
        Some(Person { uuid: self.names.user(id), id: None, name: name.into(), role })
    }

    /// A comment; one that was edited since is another, since what has crossed is not written again.
    fn comment(&self, comment: &Value, edited: Option<&str>) -> Option<Comment> {
        let id = id(&comment["id"])?;
        let (uuid, author) = match edited {
            Some(at) => (self.names.comment(&format!("{id}@{at}")), editor(comment)),
            None => (self.names.comment(&id), &comment["author"]),
        };
        let nobody =
            || Person { uuid: Uuid::new("unknown"), id: None, name: "Unknown".into(), role: Role::EndUser };
        // In a service project what is not said to be for the customer may be internal.
        let open = comment["jsdPublic"] == true || !(self.service || comment["jsdPublic"] == false);
        let restricted = comment["visibility"].is_object() || !open;
        let privacy = if restricted { Privacy::Private } else { Privacy::Public };
        let words = adf::to_text(&comment["body"]);
        let words = if edited.is_some() { format!("(edited) {words}") } else { words };
        let author = self.person(author).unwrap_or_else(nobody);
        let mut read = Comment::new(uuid, author, words, privacy);
        let at = if edited.is_some() { &comment["updated"] } else { &comment["created"] };
        read.authored_at = at.as_str().and_then(date::parse);
        Some(read)
    }

    /// The fields that somebody changed, as they then stood. The others may be older than what is on its way there.
    fn values(&self, payload: &Value, update: &mut TicketUpdate, has: impl Fn(&Title) -> bool) {
        let fields = &payload["issue"]["fields"];
        let items: Vec<&Value> = payload["changelog"]["items"].as_array().into_iter().flatten().collect();
        let names = |item: &&Value, field: &str| item["fieldId"] == field || item["field"] == field;
        let told = |field: &str| items.iter().any(|item| names(item, field));
        let mut put = |property, value: Value| update.properties.insert(property, value.into());
        if let (Some(summary), true) = (fields["summary"].as_str(), told("summary")) {
            put(Property::Subject, Value::from(summary));
        }
        if let (Some(status), true) = (self.status(&fields["status"]), told("status")) {
            put(Property::Status, Value::from(status));
        }
        if let (Some(priority), true) = (fields["priority"]["name"].as_str(), told("priority")) {
            put(Property::Priority, Value::from(priority_here(priority)));
        }
        let labels = fields["labels"].as_array().filter(|_| told("labels"));
        let labels: Option<TagSet> =
            labels.map(|labels| labels.iter().filter_map(Value::as_str).map(Word::from).collect());
        let mut known: BTreeMap<String, String> =
            self.agreement.jira.iter().flat_map(|jira| jira.fields.clone()).collect();
        for item in items.iter().filter(|item| item["fieldtype"] == "custom") {
            if let (Some(id), Some(name)) = (item["fieldId"].as_str(), item["field"].as_str()) {
                known.insert(id.to_owned(), name.to_owned());
            }
        }
        for (id, name) in known {
            let title = Title::new(&name);
            if let (Some(value), true) = (fields.get(&id), (told(&id) || told(&name)) && has(&title)) {
                put(Property::Field(title), value_here(value));
            }
        }
        update.tags = labels.map(Tags::from);
        let seq = payload["timestamp"].as_i64();
        update.extra = seq.map(|seq| Extra { seq: Some(seq), ..Extra::default() });
    }

    /// The status by its name where the agreement maps that; otherwise done is solved, and everything else is open.
    fn status(&self, status: &Value) -> Option<String> {
        let name = status["name"].as_str()?;
        if status::is_mapped(name, self.agreement) {
            return Some(name.to_owned());
        }
        let done = status["statusCategory"]["key"] == "done";
        Some(if done { "solved" } else { "open" }.to_owned())
    }
}
