//! How an agreement is made: whom to invite, at which address, and with which secret.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Shared,
    jira_form::JiraForm,
    problem::{Problem, Result},
    view::AgreementView,
};
use crate::{
    domain::{AccessKey, Agreement, Doer, JiraSecrets, Kind, Party, Profile, Terms},
    engine::agreement::Invite,
    flow::Change,
};

/// Whom to invite, and to what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteForm {
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) terms: Terms,
    #[serde(default)]
    pub(super) profile: Profile,
    #[serde(default)]
    pub(super) by: Option<String>,
    #[serde(default)]
    pub(super) jira: Option<JiraForm>,
}

impl InviteForm {
    /// A partner of this kind, about whom nothing else is said.
    pub(super) fn of(kind: Kind) -> Self {
        let (terms, profile) = (Terms::default(), Profile::default());
        Self { kind, url: None, name: None, terms, profile, by: None, jira: None }
    }
}

/// Makes an agreement, whose invite then goes out; returns it with its key.
///
/// # Errors
/// What of the form cannot be used.
pub(super) async fn make(context: &Shared, form: InviteForm) -> Result<(Agreement, AccessKey)> {
    let url = address(context, form.kind, form.url.as_deref())?;
    let name = form.name.filter(|name| !name.trim().is_empty()).or_else(|| url.clone());
    let name = name.ok_or_else(|| Problem::unusable("name is missing"))?;
    let mut access_key = AccessKey::new(random()?);
    let mut settled = None;
    match (form.kind, form.jira) {
        (Kind::Jira, Some(mut jira)) => {
            // Its webhooks get a secret of ours, which the answer shows once, like a bridge's key.
            jira.webhook_secret.get_or_insert(random()?);
            let (jira, local, secrets) = jira.settled()?;
            access_key = secrets.packed();
            settled = Some((jira, local));
        }
        (Kind::Jira, None) => return Err(Problem::unusable("jira is missing: its project and its token")),
        (_, Some(_)) => return Err(Problem::unusable("jira is for kind jira alone")),
        (_, None) => {}
    }
    let uuid = context.options.desk.namespace.agreement(&random()?);
    let new = Invite {
        uuid,
        name,
        kind: form.kind,
        url,
        terms: form.terms,
        profile: form.profile,
        by: Doer { party: Party::Sender, desk: context.options.desk.name.clone(), person: form.by },
        access_key: access_key.clone(),
        jira: settled,
    };
    let done = context.pipeline.submit_one(Change::Invite(Box::new(new))).await?;
    let agreement = done.agreement.ok_or_else(|| Problem::unknown("such agreement"))?;
    Ok((*agreement, access_key))
}

/// Where a partner of this kind is called.
///
/// # Errors
/// Why it may not be called there.
pub(super) fn address(context: &Shared, kind: Kind, url: Option<&str>) -> Result<Option<String>> {
    let url = sharing_url(kind, url)?;
    if let Some(url) = &url {
        context.options.partner.permits(url).map_err(|why| Problem::unusable(format!("url: {why}")))?;
    }
    if url.as_deref() == Some(context.options.desk.sharing_url.trim_end_matches('/')) {
        return Err(Problem::unusable("url is this desk's own: it shares no tickets with itself"));
    }
    Ok(url)
}

/// The sharing URL of a partner of this kind, from the one address that fits it.
fn sharing_url(kind: Kind, url: Option<&str>) -> Result<Option<String>> {
    let url = url.map(str::trim).filter(|url| !url.is_empty());
    match (kind, url) {
        (Kind::Queue, None) => Ok(None),
        (Kind::Queue, Some(_)) => {
            Err(Problem::unusable("a partner of kind queue has no url: its bridge takes the queue"))
        }
        (_, None) => Err(Problem::unusable("url is missing")),
        (Kind::ThirdParty | Kind::Jira, Some(url)) => Ok(Some(url.trim_end_matches('/').to_owned())),
        (Kind::Zendesk, Some(url)) => {
            let begins = url.get(..8).filter(|begins| begins.eq_ignore_ascii_case("https://"));
            let domain = begins.map_or(url, |begins| url.split_at(begins.len()).1);
            let domain = domain.trim_end_matches('/').trim_end_matches("/sharing");
            if domain.contains("://") {
                return Err(Problem::unusable(
                    "a Zendesk is called over https: give its domain, or https://DOMAIN",
                ));
            }
            let domain =
                if domain.contains('.') { domain.to_owned() } else { format!("{domain}.zendesk.com") };
            Ok(Some(format!("https://{domain}/sharing")))
        }
    }
}

/// 160 bits from the system's generator, as 40 hex digits.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the system gives no random numbers: {error}"),
        )
    })?;
    Ok(hex::encode(bytes))
}

/// An agreement with its secret, where there is one for people: a bridge's makers get the key, and a Jira's administrators what
/// its webhooks show. It shows this once.
pub(super) fn with_key<'a>(agreement: &'a Agreement, key: &AccessKey) -> AgreementView<'a> {
    let shown = AgreementView::of(agreement);
    match secret(agreement, key) {
        Some((_, secret)) => shown.with_secret(secret),
        None => shown,
    }
}

/// The secret of an agreement that has to be given to somebody by hand, with its name in answers.
pub(super) fn secret(agreement: &Agreement, key: &AccessKey) -> Option<(&'static str, String)> {
    match agreement.kind {
        Kind::Queue => Some(("access_key", key.reveal().to_owned())),
        Kind::Jira => {
            let webhook = JiraSecrets::unpacked(key).webhook?;
            Some(("webhook_secret", webhook.reveal().to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_address_is_what_fits_its_kind() {
        for (kind, given, becomes) in [
            (Kind::Zendesk, Some("lens"), Some("https://lens.zendesk.com/sharing")),
            (Kind::Zendesk, Some("support.lens.example"), Some("https://support.lens.example/sharing")),
            (
                Kind::Zendesk,
                Some("https://support.lens.example/"),
                Some("https://support.lens.example/sharing"),
            ),
            (
                Kind::Zendesk,
                Some("HTTPS://lens.zendesk.com/sharing/"),
                Some("https://lens.zendesk.com/sharing"),
            ),
            (Kind::ThirdParty, Some("https://lens.example/nhd/1.0/"), Some("https://lens.example/nhd/1.0")),
            (Kind::Queue, None, None),
        ] {
            assert_eq!(sharing_url(kind, given).ok(), Some(becomes.map(str::to_owned)), "{kind:?} {given:?}");
        }
        for (kind, given) in [
            (Kind::Queue, Some("https://lens.example")),
            (Kind::ThirdParty, None),
            (Kind::Zendesk, Some(" ")),
            (Kind::Zendesk, Some("http://lens.zendesk.com")),
        ] {
            assert!(sharing_url(kind, given).is_err(), "{kind:?} {given:?}");
        }
    }
}
