//! Agreements as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;

use super::At;
use crate::{
    domain::{
        Agreement, AgreementStatus, Direction, Doer, Jira, Kind, Local, Party, Profile, Terms, Uuid,
        Visibility,
    },
    flow::AgreementCheck,
};

/// An agreement.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Agreement")]
pub(in crate::http) struct AgreementView<'a> {
    uuid: &'a Uuid,
    /// What this desk calls it.
    name: &'a str,
    direction: Direction,
    kind: Kind,
    /// The partner's sharing URL; none for kind `queue`.
    url: Option<&'a str>,
    status: AgreementStatus,
    /// Who ended it, once it is inactive.
    deactivated_by: Option<Party>,
    /// Why it stands where it stands, in words.
    reason: Option<&'a str>,
    terms: Terms,
    /// The partner's dialect.
    profile: Profile,
    /// Written in the configuration file.
    declared: bool,
    /// This side has said yes and waits for the partner's.
    accepting: bool,
    /// Who last moved it along its life.
    changed_by: Option<&'a Doer>,
    /// Since when its partner fails, if it does.
    failing_since: Option<At>,
    /// What this side alone settles.
    local: &'a Local,
    /// Where its tickets go in a Jira; of kind `jira` alone.
    jira: Option<JiraView<'a>>,
    created_at: At,
    updated_at: At,
    /// The key for the makers of a bridge (kind `queue`), shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<String>,
    /// What a Jira's webhooks have to show, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<String>,
}

/// What is settled about a Jira; what was learnt of it is nobody's to settle.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Jira")]
struct JiraView<'a> {
    /// The key of its project.
    project: &'a str,
    issue_type: &'a str,
    email: Option<&'a str>,
    link_type: &'a str,
    visibility: Option<&'a Visibility>,
    account: Option<&'a str>,
}

impl<'a> AgreementView<'a> {
    pub(in crate::http) fn of(agreement: &'a Agreement) -> Self {
        Self {
            uuid: &agreement.uuid,
            name: &agreement.name,
            direction: agreement.direction,
            kind: agreement.kind,
            url: agreement.url.as_deref(),
            status: agreement.status,
            deactivated_by: agreement.deactivated_by,
            reason: agreement.reason.as_deref(),
            terms: agreement.terms,
            profile: agreement.profile,
            declared: agreement.declared,
            accepting: agreement.accepting,
            changed_by: agreement.changed_by.as_ref(),
            failing_since: agreement.failing.map(|failing| failing.since.into()),
            local: &agreement.local,
            jira: agreement.jira.as_ref().map(JiraView::of),
            created_at: agreement.created_at.into(),
            updated_at: agreement.updated_at.into(),
            access_key: None,
            webhook_secret: None,
        }
    }

    /// With its secret, which only the answer that makes it shows.
    pub(in crate::http) fn with_secret(self, secret: String) -> Self {
        match self.kind {
            Kind::Jira => Self { webhook_secret: Some(secret), ..self },
            _ => Self { access_key: Some(secret), ..self },
        }
    }
}

impl<'a> JiraView<'a> {
    fn of(jira: &'a Jira) -> Self {
        Self {
            project: &jira.project,
            issue_type: &jira.issue_type,
            email: jira.email.as_deref(),
            link_type: &jira.link_type,
            visibility: jira.visibility.as_ref(),
            account: jira.account.as_deref(),
        }
    }
}

/// What a look at an agreement found.
#[derive(Serialize, JsonSchema)]
pub(in crate::http) struct Checked<'a> {
    pub(in crate::http) agreement: AgreementView<'a>,
    #[serde(flatten)]
    pub(in crate::http) found: AgreementCheck,
}
