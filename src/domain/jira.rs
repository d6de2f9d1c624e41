//! What is settled about a partner that is a Jira: where its issues go, who may read what, and what it tells of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccessKey, Reason};

/// How an agreement's tickets stand in a Jira. Which words mean a status, and which titles a field, is in
/// [`Local`](super::Local), as for any partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jira {
    /// The key of the project that shared tickets become issues of.
    pub project: String,
    /// The name of their type of issue.
    #[serde(default = "task")]
    pub issue_type: String,
    /// The account's e-mail address, for an API token of Jira Cloud. Without it the token is a personal access token, as Jira
    /// Data Center has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the link of an issue back to its ticket is called.
    #[serde(default = "shared_from")]
    pub link_type: String,
    /// Who may read private comments. Without it they are internal comments of a service project, and stay here for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The account's id over there, once it is known: what it does is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub account: Option<String>,
    /// Whether it is a service project, once that is known: there what is not said to be for the customer is internal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub service: Option<bool>,
    /// The names of custom fields that were set there, by their ids: a webhook names only those that change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub fields: BTreeMap<String, String>,
}

fn task() -> String {
    "Task".to_owned()
}

fn shared_from() -> String {
    "is shared from".to_owned()
}

/// Who may read a comment in a Jira.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Those with this role in the project.
    Role(String),
    /// This group.
    Group(String),
}

impl Jira {
    /// The settings of a project, all else as it is for most.
    pub fn new(project: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            issue_type: task(),
            email: None,
            link_type: shared_from(),
            visibility: None,
            account: None,
            service: None,
            fields: BTreeMap::new(),
        }
    }
}

/// The two secrets of an agreement with a Jira. They are kept as one, where other agreements keep their access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JiraSecrets {
    /// What lets us in: an API token or a personal access token.
    pub token: AccessKey,
    /// What lets its webhooks in; without it none are taken.
    pub webhook: Option<AccessKey>,
}

impl JiraSecrets {
    /// Both as one text.
    pub fn packed(&self) -> AccessKey {
        match &self.webhook {
            Some(webhook) => AccessKey::new(format!("{}\n{}", self.token.reveal(), webhook.reveal())),
            None => self.token.clone(),
        }
    }

    /// Takes them apart again.
    pub fn unpacked(key: &AccessKey) -> Self {
        match key.reveal().split_once('\n') {
            Some((token, webhook)) => {
                // An empty one would be everybody's.
                let webhook = Some(AccessKey::new(webhook)).filter(|webhook| !webhook.reveal().is_empty());
                Self { token: AccessKey::new(token), webhook }
            }
            None => Self { token: key.clone(), webhook: None },
        }
    }
}

/// An issue of a Jira.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JiraIssue {
    /// Its number, which stays when it moves to another project.
    pub id: String,
    /// What people call it, such as `SUP-12`.
    pub key: String,
    /// A link for people.
    pub url: String,
}

/// What came of bringing a ticket to a partner that is no desk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What stands for the ticket over there.
    pub issue: Option<JiraIssue>,
    /// Whose account did it.
    pub account: Option<String>,
    /// Whether that is in a service project.
    pub service: Option<bool>,
    /// What could not be set there, and why.
    pub obstacles: Vec<Obstacle>,
    /// The parts that were set, as issues name them.
    pub settled: Vec<String>,
    /// The custom fields among them: id and name.
    pub fields: BTreeMap<String, String>,
}

/// A part of a ticket that a partner did not take, while it took the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The part, as issues name it.
    pub subject: String,
    /// Why, as a code.
    pub reason: Reason,
    /// Why, in words; the partner's own where it has any.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_travel_as_one() {
        for webhook in [None, Some(AccessKey::new("hook"))] {
            let secrets = JiraSecrets { token: AccessKey::new("token"), webhook };
            assert_eq!(JiraSecrets::unpacked(&secrets.packed()), secrets);
        }
    }
}
