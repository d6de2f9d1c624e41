//! `[agreements.jira]`: where the tickets of an agreement go in a Jira.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{AccessKey, Jira, JiraSecrets, Visibility};

/// `[agreements.jira]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredJira {
    /// The key of the project that tickets become issues of.
    pub project: String,
    /// The name of their type of issue.
    #[serde(default = "task")]
    pub issue_type: String,
    /// The account's e-mail address (Cloud); empty for a personal access token (Data Center).
    #[serde(default)]
    pub email: String,
    /// The API token, or the personal access token.
    pub token: String,
    /// What the Jira's webhooks show, in their address or as their signature; empty: none are taken.
    #[serde(default)]
    pub webhook_secret: String,
    /// This desk's statuses, and the transition or status of the Jira for each.
    #[serde(default)]
    pub status: BTreeMap<String, String>,
    /// What the link of an issue back to its ticket is called.
    #[serde(default = "shared_from")]
    pub link_type: String,
    /// Titles of this desk's custom fields, and the Jira's names for them, where they differ.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Who may read private comments: `{ role = "…" }` or `{ group = "…" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

fn task() -> String {
    "Task".to_owned()
}

fn shared_from() -> String {
    "is shared from".to_owned()
}

impl DeclaredJira {
    /// What is settled.
    pub fn settled(&self) -> Jira {
        Jira {
            issue_type: self.issue_type.clone(),
            email: Some(self.email.clone()).filter(|email| !email.is_empty()),
            link_type: self.link_type.clone(),
            visibility: self.visibility.clone(),
            ..Jira::new(self.project.clone())
        }
    }

    /// What lets us in, and its webhooks.
    pub fn secrets(&self) -> JiraSecrets {
        let webhook = Some(self.webhook_secret.clone()).filter(|secret| !secret.is_empty());
        JiraSecrets { token: AccessKey::new(self.token.clone()), webhook: webhook.map(AccessKey::new) }
    }
}

impl std::fmt::Debug for DeclaredJira {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeclaredJira(…)")
    }
}
