//! What this side alone settles about an agreement; the partner never learns of it.

use serde::{Deserialize, Serialize};

use super::Privacy;

/// The local settings of an agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// How a partner's comment is taken that does not say whether it is public.
    #[serde(skip_serializing_if = "is_default")]
    pub unmarked_comments: Privacy,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Local {
    /// Nothing is settled differently from the usual.
    pub fn is_usual(&self) -> bool {
        is_default(self)
    }
}
