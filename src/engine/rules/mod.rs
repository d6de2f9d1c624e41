//! Sharing rules: conditions in CEL over a desk event; the first that holds names the agreement to share under.

mod names;

use cel::{Context, ExecutionError, Program};
use serde_json::json;

use crate::domain::{Property, TicketEvent, TicketId, Value};

/// A rule, its condition compiled.
#[derive(Debug)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// The agreement to share under, by uuid or name.
    pub share_with: String,
    program: Program,
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// What is wrong with the condition, in one line.
    pub fn new(name: &str, when: &str, share_with: &str) -> Result<Self, String> {
        let program = Program::compile(when).map_err(|error| {
            let text = error.to_string();
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
        })?;
        let rule = Self { name: name.to_owned(), share_with: share_with.to_owned(), program };
        rule.is_condition().map(|()| rule)
    }

    /// Whether it can hold at all: it speaks of nothing that no event has, and of a ticket that says nothing it is not a yes or no
    /// of what is none. What it finds missing there may come.
    fn is_condition(&self) -> Result<(), String> {
        let nothing = TicketEvent::about(TicketId::new(""));
        let Some(context) = context(&nothing) else { return Ok(()) };
        names::check(self.program.expression(), &context)?;
        match self.program.execute(&context) {
            Err(ExecutionError::UndeclaredReference(name)) => Err(names::unknown(&name)),
            Ok(value) if !matches!(value, cel::Value::Bool(_)) => Err(format!(
                "it is no condition: of an empty ticket it is {value:?}, and neither true nor false"
            )),
            _ => Ok(()),
        }
    }
}

/// What conditions may speak of.
fn context(event: &TicketEvent) -> Option<Context<'static, 'static>> {
    let mut context = Context::default();
    let via = event.via.clone().unwrap_or_default();
    for (name, value) in [("ticket", ticket(event)), ("comment", comment(event)), ("actor", actor(event))] {
        context.add_variable(name, value).ok()?;
    }
    context.add_variable("via", via).ok()?;
    Some(context)
}

/// The first rule whose condition holds for an event. A condition that cannot be evaluated (a member that is not there)
/// does not hold.
pub fn first_match<'a>(rules: &'a [Rule], event: &TicketEvent) -> Option<&'a Rule> {
    if rules.is_empty() {
        return None;
    }
    let context = context(event)?;
    rules.iter().find(|rule| rule.program.execute(&context) == Ok(cel::Value::Bool(true)))
}

fn ticket(event: &TicketEvent) -> Value {
    let get = |property| {
        event.properties.get(&property).map_or_else(|| Value::from(""), |value| value.json().into_owned())
    };
    let fields: serde_json::Map<String, Value> = event
        .properties
        .iter()
        .filter_map(|(property, value)| match property {
            Property::Field(title) => Some((title.as_str().to_owned(), value.json().into_owned())),
            _ => None,
        })
        .collect();
    let email = get(Property::RequesterEmail);
    let ccs = event.properties.get(&Property::Ccs).map_or_else(|| json!([]), |ccs| ccs.json().into_owned());
    json!({
        "id": event.id, "revision": event.revision.number, "subject": get(Property::Subject), "status": get(Property::Status),
        "custom_status": get(Property::CustomStatus), "priority": get(Property::Priority),
        "tags": event.tags.clone().unwrap_or_default(), "custom_fields": fields,
        "via": event.via.clone().unwrap_or_default(), "assignee": get(Property::Assignee), "ccs": ccs,
        "requester": event.requester.as_ref().map_or_else(
            || json!({"id": "", "name": "", "email": email}),
            |r| json!({"id": r.id, "name": r.name, "email": email}),
        ),
    })
}

fn comment(event: &TicketEvent) -> Value {
    let newest = event.comments.last().map(|(comment, _)| comment);
    newest.map_or_else(
        || json!({"body": "", "public": false}),
        |comment| {
            let author = &comment.author;
            json!({
                "body": comment.body, "public": comment.privacy().is_public(),
                "author": {"id": author.id, "name": author.name, "role": author.role},
            })
        },
    )
}

fn actor(event: &TicketEvent) -> Value {
    event.actor.as_ref().map_or_else(
        || json!({"id": "", "name": "", "role": ""}),
        |actor| json!({"id": actor.id, "name": actor.name, "role": actor.role}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_hold_is_no_condition() {
        for (when, says) in [
            ("tiket.priority == 'urgent'", "there is no \"tiket\""),
            ("ticket.priority == 'urgent' && tiket.subject == 'x'", "there is no \"tiket\""),
            ("ticket.tags.exists(tag, tag == wanted)", "there is no \"wanted\""),
            ("tag == 'x' || ticket.tags.exists(tag, tag == 'x')", "there is no \"tag\""),
            ("ticket.prioriti == 'urgent'", "ticket has no \"prioriti\""),
            ("has(comment.html)", "comment has no \"html\""),
            ("ticket.requester.emial == 'x'", "ticket.requester has no \"emial\""),
            ("ticket.tags.exists(t, t.lowerAscii() == 'lens')", "there is no \"lowerAscii\""),
            ("ticket.priority == 'x' && ticket.subject.upperAscii() == 'X'", "there is no \"upperAscii\""),
            ("urgent(ticket.id)", "there is no \"urgent\""),
            ("ticket.priority", "neither true nor false"),
            ("1 + 1", "neither true nor false"),
        ] {
            let said = Rule::new("r", when, "Lens").map(drop).unwrap_err();
            assert!(said.contains(says), "{when}: {said}");
        }
        for when in [
            "ticket.custom_fields['Cost'] > 5",
            "ticket.tags.exists(tag, tag.startsWith('lens'))",
            "comment.author.name == 'Joe' || via == 'mail'",
            "actor.role == 'agent' && ticket.requester.name.matches('^J')",
            "ticket.requester.email.endsWith('@example.com') && ticket.revision > 1",
            "type(ticket.id) == string && ticket.tags.all(ticket, ticket.startsWith('x'))",
            "size(ticket.tags) > 1 && ticket.subject.contains('x') && int(ticket.id) > 5 && !ticket.subject.matches('^x')",
            "ticket.tags.exists_one(t, t.startsWith('l')) && ticket.tags.filter(t, t.endsWith('s')).size() > 0",
            "ticket.custom_fields['Cost'] > 5 ? 'lens' in ticket.tags : has(ticket.custom_fields.Cost)",
            "ticket.ccs.exists(cc, cc.name == 'Ann') || ticket.custom_fields.size() > 0",
        ] {
            assert_eq!(Rule::new("r", when, "Lens").map(drop), Ok(()), "{when}");
        }
    }
}
