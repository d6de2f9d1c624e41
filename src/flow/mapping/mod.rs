//! The mapping: what of the configuration decides what becomes of the desk's events. As text, so that it can be kept beside what
//! was taken in under it; and as the flow works with it.

mod filtering;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Catalogue, CustomField},
    engine::rules::Rule,
    ports::Mapped,
    wire::desk_filter::Filter,
};
pub use filtering::Filtering;

/// A mapping as the configuration has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// The jq program that makes our events of what the desk emits; empty: none.
    pub event_filter: String,
    /// The desk's custom fields, until it sends its own.
    pub fields: Vec<CustomField>,
    /// Sharing rules, in order.
    pub rules: Vec<SharingRule>,
}

/// A sharing rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SharingRule {
    /// What it is called.
    pub name: String,
    /// The condition, in CEL.
    pub when: String,
    /// The agreement, by uuid or name.
    pub share_with: String,
}

/// What of a mapping may change while the daemon runs.
#[derive(Clone, Debug, Default)]
pub struct Changeable {
    /// The desk's custom fields.
    pub catalogue: Arc<Catalogue>,
    /// Sharing rules, in order.
    pub rules: Arc<Vec<Rule>>,
    /// The whole mapping, for what is recorded under it.
    pub mapped: Arc<Mapped>,
}

impl Mapping {
    /// What the flow takes anew while it runs.
    ///
    /// # Errors
    /// A condition that cannot be used, and why.
    pub fn changeable(&self) -> Result<Changeable, String> {
        let rule = |rule: &SharingRule| Rule::new(&rule.name, &rule.when, &rule.share_with);
        let rules = self.rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let doc = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let digest = hex::encode(Sha256::digest(doc.as_bytes()));
        Ok(Changeable {
            catalogue: Arc::new(Catalogue::new(self.fields.clone())),
            rules: Arc::new(rules),
            mapped: Arc::new(Mapped { digest, doc }),
        })
    }

    /// The desk's filter, where there is one.
    ///
    /// # Errors
    /// A program that cannot be used, and why.
    pub fn filter(&self) -> Result<Option<Filtering>, String> {
        if self.event_filter.is_empty() {
            return Ok(None);
        }
        Filter::new(&self.event_filter)
            .map(|filter| Some(Filtering::new(filter)))
            .map_err(|error| format!("desk.event_filter: {error}"))
    }
}
