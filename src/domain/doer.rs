//! Who did something to an agreement, for people to read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Party;

/// Somebody, on one of the two sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Doer {
    /// Which side.
    pub party: Party,
    /// What that side's desk is called.
    pub desk: String,
    /// The person, where they are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

impl fmt::Display for Doer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.person {
            Some(person) => write!(f, "{person} of {}", self.desk),
            None => f.write_str(&self.desk),
        }
    }
}
