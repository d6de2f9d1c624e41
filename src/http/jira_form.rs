//! What somebody settles about a Jira over the API: its project, its secrets, its words for statuses and fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{
    Shared,
    problem::{Problem, Result},
};
use crate::{
    domain::{AccessKey, Agreement, Jira, JiraSecrets, Local, Visibility},
    engine::status::STATUSES,
    flow::AgreementAction,
};

/// `jira` of an agreement; in a change, what is absent stays.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JiraForm {
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    issue_type: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    pub(super) webhook_secret: Option<String>,
    #[serde(default)]
    link_type: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<Visibility>")]
    visibility: Readers,
    /// This desk's statuses, and the transition or status of the Jira for each.
    #[serde(default)]
    status: BTreeMap<String, String>,
    /// Titles of this desk's custom fields, and the Jira's names for them.
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

/// Who may read private comments: as it was, where nothing is said of it; `null` takes it back.
#[derive(Default)]
enum Readers {
    #[default]
    AsTheyWere,
    Given(Option<Visibility>),
}

impl<'de> Deserialize<'de> for Readers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        Option::deserialize(from).map(Self::Given)
    }
}

impl JiraForm {
    /// What a page asks for.
    pub(super) fn of(
        project: Option<String>,
        issue_type: Option<String>,
        email: Option<String>,
        token: Option<String>,
    ) -> Self {
        Self { project, issue_type, email, token, ..Self::default() }
    }

    /// What a new agreement begins with.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn settled(self) -> Result<(Jira, Local, JiraSecrets)> {
        let given = |text: &Option<String>, name: &str| {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| Problem::unusable(format!("jira.{name} is missing")))
        };
        let (project, token) = (given(&self.project, "project")?, given(&self.token, "token")?);
        if let Some(word) = self.status.keys().find(|word| !STATUSES.contains(&word.as_str())) {
            let all = STATUSES.join(" ");
            return Err(Problem::unusable(format!("jira.status: \"{word}\" is none of this desk's: {all}")));
        }
        let mut local = Local::default();
        local.settle_jira(self.status.clone(), self.fields.clone());
        let webhook = self.webhook_secret.clone().map(AccessKey::new);
        Ok((self.over(Jira::new(project)), local, JiraSecrets { token: AccessKey::new(token), webhook }))
    }

    /// What is settled, with what this changes of it.
    fn over(self, mut jira: Jira) -> Jira {
        let set = |place: &mut String, text: Option<String>| {
            if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
                *place = text;
            }
        };
        set(&mut jira.project, self.project);
        set(&mut jira.issue_type, self.issue_type);
        set(&mut jira.link_type, self.link_type);
        jira.email = self.email.map_or(jira.email, |email| Some(email).filter(|email| !email.is_empty()));
        if let Readers::Given(readers) = self.visibility {
            jira.visibility = readers;
        }
        jira
    }
}

/// A change of what is settled; the Jira is looked at anew. Statuses and fields are changed as `local`.
///
/// # Errors
/// 422 where the agreement's partner is no Jira, or statuses or fields are given here.
pub(super) async fn edit(
    context: &Shared,
    agreement: &Agreement,
    form: JiraForm,
    url: Option<String>,
) -> Result<AgreementAction> {
    let Some(jira) = agreement.jira.clone() else {
        return Err(Problem::unusable("jira: the partner of this agreement is none"));
    };
    if !form.status.is_empty() || !form.fields.is_empty() {
        return Err(Problem::unusable(
            "jira: statuses and fields are changed as local.status and local.fields",
        ));
    }
    let keys = context.options.store.access_keys(&agreement.uuid).await?;
    let mut secrets = JiraSecrets::unpacked(&keys.map_or_else(|| AccessKey::new(""), |keys| keys.current));
    let before = secrets.clone();
    if let Some(token) = form.token.clone().filter(|token| !token.trim().is_empty()) {
        secrets.token = AccessKey::new(token.trim());
    }
    secrets.webhook = form.webhook_secret.clone().map(AccessKey::new).or(secrets.webhook);
    let changed = (secrets != before).then(|| secrets.packed());
    Ok(AgreementAction::Jira(Box::new(form.over(jira)), changed, url))
}
