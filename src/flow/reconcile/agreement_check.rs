//! What can be known of an agreement before anybody relies on it: whether the partner answers, and which fields will sync.

use serde::Serialize;

use super::asking;
use crate::{
    domain::{Agreement, AgreementStatus, Catalogue, CustomField, Direction, Kind, Title},
    engine::field_check::{self, FieldCheck},
    flow::{delivery::errand, options::Options},
    ports::{Point, Scope, Setback, StoreError},
    wire::nhd,
};

/// What a look at an agreement found.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct AgreementCheck {
    /// Whether the partner answered, and how.
    pub partner: PartnerCheck,
    /// What was looked at in a Jira, point by point.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub points: Vec<Point>,
    /// Whether the terms let custom fields cross.
    pub sync_custom_fields: bool,
    /// Whether the partner's custom fields are known; only a crossdesk tells them.
    pub partner_fields_known: bool,
    /// Every custom field of the two sides.
    pub fields: Vec<FieldCheck>,
    /// The partner's fields that this desk lacks.
    pub lacking_here: Vec<Title>,
}

/// How the partner answered.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PartnerCheck {
    /// `ok`, `refused`, `unreachable`, or `not_asked` (a bridge, or an invite that the partner has not got yet).
    pub state: &'static str,
    /// What it said, or why it was not asked.
    pub detail: String,
    /// Where the agreement stands over there.
    pub status: Option<AgreementStatus>,
}

/// Looks at an agreement: asks the partner for its side of it, and compares the catalogues.
///
/// # Errors
/// The store is away.
pub async fn check(options: &Options, agreement: &Agreement) -> Result<AgreementCheck, StoreError> {
    let mut points = Vec::new();
    let (partner, told) = match agreement.kind {
        Kind::Jira => look(options, agreement, &mut points).await?,
        _ => ask(options, agreement).await?,
    };
    let there = match told {
        Some(fields) => Some(fields),
        None => options.store.partner_fields(&agreement.uuid).await?,
    };
    let snapshot = options.store.snapshot(&Scope::default()).await?;
    let configured = options.live.catalogue();
    let here = snapshot.catalogue.as_ref().unwrap_or(&configured);
    let fields = field_check::compare(here, there.as_ref(), agreement);
    let lacking_here =
        fields.iter().filter(|field| field.here.is_none()).map(|field| field.title.clone()).collect();
    Ok(AgreementCheck {
        partner,
        points,
        sync_custom_fields: agreement.terms.sync_custom_fields,
        partner_fields_known: there.is_some(),
        fields,
        lacking_here,
    })
}

/// Looks at a Jira: whether credentials, project, type of issue, statuses and fields are as the agreement needs them.
async fn look(
    options: &Options,
    agreement: &Agreement,
    points: &mut Vec<Point>,
) -> Result<(PartnerCheck, Option<Catalogue>), StoreError> {
    let Some(errand) = errand::checking(options, agreement).await? else {
        let detail = "the agreement has no project or no token".to_owned();
        return Ok((PartnerCheck { state: "not_asked", detail, status: None }, None));
    };
    let looked = match options.tracker.look(&errand).await {
        Ok(mut looked) => {
            for point in &mut looked.points {
                point.detail = errand::hidden(std::mem::take(&mut point.detail), &errand);
            }
            looked
        }
        Err(setback) => {
            let state = if matches!(setback, Setback::Later { .. }) { "unreachable" } else { "refused" };
            let detail = errand::hidden(setback.to_string(), &errand);
            return Ok((PartnerCheck { state, detail, status: None }, None));
        }
    };
    let wrong: Vec<&str> =
        looked.points.iter().filter(|point| !point.ok).map(|point| point.what.as_str()).collect();
    let detail = match wrong.as_slice() {
        [] => "everything that tickets need is there".to_owned(),
        wrong => format!("look at: {}", wrong.join(", ")),
    };
    *points = looked.points;
    // A Jira has hundreds of fields: those count that tickets here have.
    let snapshot = options.store.snapshot(&Scope::default()).await?;
    let configured = options.live.catalogue();
    let here = snapshot.catalogue.as_ref().unwrap_or(&configured);
    let ours = |field: &&CustomField| {
        let renamed =
            agreement.local.fields.iter().any(|rule| rule.partner_title.as_ref() == Some(&field.title));
        renamed || here.find(&field.title).is_some()
    };
    let fields = looked.fields.fields().iter().filter(ours).cloned().collect();
    let status = Some(agreement.status);
    Ok((PartnerCheck { state: "ok", detail, status }, Some(Catalogue::new(fields))))
}

async fn ask(
    options: &Options,
    agreement: &Agreement,
) -> Result<(PartnerCheck, Option<Catalogue>), StoreError> {
    let not_asked =
        |why: &str| (PartnerCheck { state: "not_asked", detail: why.to_owned(), status: None }, None);
    if agreement.kind == Kind::Queue {
        return Ok(not_asked("a bridge is not asked: it answers on the inbound queue"));
    }
    let invited = agreement.direction == Direction::Inbound || agreement.reason.is_none();
    if agreement.status == AgreementStatus::Pending && !invited {
        return Ok(not_asked("the partner has not taken the invite yet"));
    }
    let keys = options.store.access_keys(&agreement.uuid).await?;
    let asked = asking::ask(options, agreement, keys.as_ref(), "agreements", &agreement.uuid).await;
    let Some(result) = asked else {
        return Ok(not_asked("the agreement has no URL or no access key"));
    };
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => {
            return Ok((
                PartnerCheck { state: "unreachable", detail: error.to_string(), status: None },
                None,
            ));
        }
    };
    let words = asking::words(&answer, keys.as_ref());
    if !(200..300).contains(&answer.status) || answer.is_page {
        let detail = format!("the partner answered {} {words}", answer.status);
        return Ok((PartnerCheck { state: "refused", detail: detail.trim().to_owned(), status: None }, None));
    }
    Ok(match nhd::read_agreement(answer.text.as_bytes()) {
        Ok(told)
            if told
                .uuid
                .as_ref()
                .is_none_or(|uuid| !uuid.as_str().eq_ignore_ascii_case(agreement.uuid.as_str())) =>
        {
            let detail = "the partner answered, but not with this agreement".to_owned();
            (PartnerCheck { state: "refused", detail, status: None }, None)
        }
        Ok(told) => {
            let detail = "the partner knows the agreement, and its key".to_owned();
            (PartnerCheck { state: "ok", detail, status: told.status }, told.fields)
        }
        Err(error) => {
            let detail = format!("the partner answered, but not with an agreement: {error}");
            (PartnerCheck { state: "refused", detail, status: None }, None)
        }
    })
}
