//! The fields of an issue, from the parts of a ticket; what Jira does not take is left out alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    answer::{self, Answered},
    facts::Facts,
};
use crate::{
    domain::{Carried, Obstacle, Property, Reason, TicketUpdate, Title},
    wire::jira::{self, Field},
};

/// What a request sets, and which part of the ticket each of it is.
#[derive(Default)]
pub(super) struct Setting {
    /// Fields by id.
    pub(super) fields: Map<String, Value>,
    /// The part of the ticket that each field is, as issues name it.
    subjects: BTreeMap<String, String>,
    /// The names of custom fields, by id.
    names: BTreeMap<String, String>,
}

/// The fields that an update sets. The status is none: it is a matter of transitions.
pub(super) fn of(update: &TicketUpdate, facts: &Facts, carried: &mut Carried) -> Setting {
    let mut setting = Setting::default();
    for (property, value) in &update.properties {
        match property {
            Property::Subject => {
                let summary = jira::summary(value.as_str().unwrap_or_default());
                setting.put("summary", Value::from(summary), property);
            }
            Property::Priority => {
                let wanted = value.as_str().unwrap_or_default();
                let called = |name: &&String| {
                    [wanted, jira::priority(wanted)].iter().any(|word| name.eq_ignore_ascii_case(word))
                };
                match facts.priorities.iter().find(called) {
                    Some(name) => setting.put("priority", json!({"name": name}), property),
                    None => carried.obstacles.push(Obstacle {
                        subject: property.to_string(),
                        reason: Reason::UnknownOption,
                        detail: format!(
                            "Jira has no priority \"{wanted}\"; it has {}",
                            facts.priorities.join(", ")
                        ),
                    }),
                }
            }
            Property::Field(title) => custom(title, &value.json(), property, facts, &mut setting, carried),
            _ => {}
        }
    }
    setting
}

fn custom(
    title: &Title,
    value: &Value,
    property: &Property,
    facts: &Facts,
    setting: &mut Setting,
    carried: &mut Carried,
) {
    let mut obstacle = |reason, detail| {
        carried.obstacles.push(Obstacle { subject: property.to_string(), reason, detail });
    };
    let Some(field) = find(facts, title) else {
        return obstacle(Reason::UnknownField, format!("Jira has no custom field \"{title}\""));
    };
    match jira::value(field, value, facts.cloud) {
        Ok(value) => {
            setting.names.insert(field.id.clone(), field.name.clone());
            setting.put(&field.id, value, property);
        }
        Err(why) => obstacle(Reason::IncompatibleType, why),
    }
}

/// The custom field of a title.
pub(super) fn find<'a>(facts: &'a Facts, title: &Title) -> Option<&'a Field> {
    facts.fields.iter().find(|field| Title::new(&field.name) == *title)
}

impl Setting {
    fn put(&mut self, id: &str, value: Value, property: &Property) {
        self.fields.insert(id.to_owned(), value);
        self.subjects.insert(id.to_owned(), property.to_string());
    }

    /// Sets something that is no part of the ticket, or one that no issue need be told of.
    pub(super) fn put_plain(&mut self, id: &str, value: Value) {
        self.fields.insert(id.to_owned(), value);
    }

    /// Sets the description of a new issue.
    pub(super) fn put_description(&mut self, text: Value) {
        self.fields.insert("description".to_owned(), text);
        self.subjects.insert("description".to_owned(), "description".to_owned());
    }

    /// Sets labels.
    pub(super) fn put_labels(&mut self, labels: Value) {
        self.fields.insert("labels".to_owned(), labels);
        self.subjects.insert("labels".to_owned(), "tags".to_owned());
    }

    /// Leaves out what a refusal names and an issue can do without; returns whether anything was.
    pub(super) fn leave_out(&mut self, answered: &Answered, carried: &mut Carried) -> bool {
        let (_, named) = jira::refusal(&answered.body);
        let mut any = false;
        for id in named.iter().filter(|id| *id != "summary") {
            let Some(subject) = self.subjects.remove(id) else { continue };
            self.fields.remove(id);
            any = true;
            let said = answered.body["errors"][id].as_str().unwrap_or_default();
            let name = self.names.remove(id).unwrap_or_else(|| id.clone());
            let unknown = said.contains("cannot be set") || said.contains("unknown");
            let reason = if unknown { Reason::UnknownField } else { Reason::UnknownOption };
            let detail = format!("Jira does not take {name}: {}", answer::line(said));
            carried.obstacles.push(Obstacle { subject, reason, detail });
        }
        any
    }

    /// Notes what was set.
    pub(super) fn settle(self, carried: &mut Carried) {
        carried.settled.extend(self.subjects.into_values());
        carried.fields.extend(self.names);
    }
}
