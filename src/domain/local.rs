//! What this side alone settles about an agreement; the partner never learns of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Privacy, Title, Value};

/// The local settings of an agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// How a partner's comment is taken that does not say whether it is public.
    #[serde(skip_serializing_if = "is_default")]
    pub unmarked_comments: Privacy,
    /// Words for a status that differ from the usual ones.
    #[serde(skip_serializing_if = "is_default")]
    pub status: StatusMap,
    /// What is special about single custom fields.
    #[serde(skip_serializing_if = "is_default")]
    pub fields: Vec<FieldRule>,
    /// The custom field that carries the priority, for a partner that knows nothing of priorities.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_field: Option<Title>,
    /// The custom field that carries the other side's ticket number, for a partner that does not tell its own.
    #[serde(skip_serializing_if = "is_default")]
    pub reference_field: Option<Title>,
    /// Numbers of tickets in comments (`#4711`) become the partner's numbers of the same tickets, where they are known.
    #[serde(skip_serializing_if = "is_default")]
    pub rewrite_references: bool,
}

/// Words for a status, each way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StatusMap {
    /// This desk's word, and what the partner is told.
    pub to_partner: BTreeMap<String, String>,
    /// The partner's word, in any letter case, and this desk's.
    pub from_partner: BTreeMap<String, String>,
}

/// What is special about a custom field under an agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Its title on this desk.
    pub title: Title,
    /// Its title at the partner's, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_title: Option<Title>,
    /// Which way it crosses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: FieldDirection,
    /// This desk's values, and the partner's for the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What the partner is told always, whatever this desk has; nothing is taken from it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Value>,
}

/// Which way a custom field crosses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldDirection {
    /// Both ways.
    #[default]
    Both,
    /// To the partner alone.
    ToPartner,
    /// From the partner alone.
    FromPartner,
    /// Not at all.
    Never,
}

impl FieldDirection {
    /// Whether this desk's value goes to the partner.
    pub fn leaves(self) -> bool {
        matches!(self, Self::Both | Self::ToPartner)
    }

    /// Whether the partner's value comes to this desk.
    pub fn arrives(self) -> bool {
        matches!(self, Self::Both | Self::FromPartner)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Local {
    /// Nothing is settled differently from the usual.
    pub fn is_usual(&self) -> bool {
        is_default(self)
    }

    /// Takes a Jira's words in: transitions or statuses by this desk's statuses, names of fields by this desk's titles.
    pub fn settle_jira(&mut self, status: BTreeMap<String, String>, fields: BTreeMap<String, String>) {
        self.status.to_partner.extend(status);
        for (title, name) in fields {
            let (title, name) = (Title::new(&title), Some(Title::new(&name)));
            match self.fields.iter_mut().find(|rule| rule.title == title) {
                Some(rule) => rule.partner_title = name,
                None => self.fields.push(FieldRule {
                    title,
                    partner_title: name,
                    direction: FieldDirection::default(),
                    values: BTreeMap::new(),
                    fixed: None,
                }),
            }
        }
    }

    /// What is special about a field of this desk.
    pub fn field(&self, title: &Title) -> Option<&FieldRule> {
        self.fields.iter().find(|rule| rule.title == *title)
    }
}
