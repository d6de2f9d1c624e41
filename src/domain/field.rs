//! The desk's custom fields: what a value from a partner must fit.

use serde::{Deserialize, Serialize};

use super::Title;

/// The type of a custom field on this desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// One line.
    Text,
    /// Many lines.
    Textarea,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// True or false.
    Checkbox,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// One of the options.
    Dropdown,
    /// Any of the options.
    Multiselect,
    /// One line that the desk checks against a pattern of its own.
    Regexp,
}

impl FieldType {
    /// Whether its values are those that the field lists.
    pub fn has_options(self) -> bool {
        matches!(self, Self::Dropdown | Self::Multiselect)
    }
}

/// A custom field of this desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    /// Its title; partners' values find it by this, in any letter case.
    pub title: Title,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// The options of a dropdown or multiselect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// All custom fields of this desk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(Vec<CustomField>);

impl Catalogue {
    /// The catalogue of these fields.
    pub fn new(fields: Vec<CustomField>) -> Self {
        Self(fields)
    }

    /// The field with this title, in any letter case.
    pub fn find(&self, title: &Title) -> Option<&CustomField> {
        self.0.iter().find(|field| field.title == *title)
    }

    /// The fields, in the order that the desk gave them.
    pub fn fields(&self) -> &[CustomField] {
        &self.0
    }
}
