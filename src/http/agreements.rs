//! Agreements in the API: list, show, invite, answer, end, change, check.

use axum::{
    Json,
    body::Bytes,
    extract::{
        State,
        rejection::{BytesRejection, JsonRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    inviting::{address, make, random, with_key},
    jira_form::{self, JiraForm},
    name::Name,
    problem::{Problem, Result},
    view::{AgreementView, Checked, ReconciledView, json},
};
use crate::{
    domain::{AccessKey, Agreement, AgreementStatus, Kind, Profile, Uuid},
    flow::{self, AgreementAction, Change, Reconcile, TermsEdit},
    ports::Scope,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(list, invite))
        .routes(routes!(show, edit))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(deactivate))
        .routes(routes!(rotate_key))
        .routes(routes!(check))
        .routes(routes!(reconcile))
}

/// What changes of an agreement.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditForm {
    #[serde(default)]
    terms: Option<TermsEdit>,
    #[serde(default)]
    name: Option<String>,
    /// Where the partner is now, after it has moved.
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    profile: Option<Profile>,
    #[serde(default)]
    local: Option<Map<String, Value>>,
    #[serde(default)]
    jira: Option<JiraForm>,
}

/// A body that may be empty, and may not be there whole.
type Raw = std::result::Result<Bytes, BytesRejection>;

/// A JSON object that somebody sent, which may be none.
pub(super) type Sent = std::result::Result<Json<Map<String, Value>>, JsonRejection>;

/// A JSON body, or a problem that says what is wrong with it. A list is none, though its members could be taken for one's in
/// order.
pub(super) fn body<T: DeserializeOwned>(sent: Sent) -> Result<T> {
    let Json(object) = sent.map_err(|error| Problem::unusable(error.body_text()))?;
    serde_json::from_value(Value::Object(object)).map_err(|error| Problem::unusable(error.to_string()))
}

/// All agreements.
#[utoipa::path(
    get,
    path = "/agreements",
    tag = "agreements",
    responses((status = 200, description = "all agreements", body = ref("#/components/schemas/Agreements")))
)]
async fn list(State(context): State<Shared>) -> Result<Json<Value>> {
    let agreements = context.options.store.agreements().await?;
    Ok(json(agreements.iter().map(AgreementView::of).collect::<Vec<_>>()))
}

pub(super) async fn find(context: &Shared, uuid: &str) -> Result<Agreement> {
    let scope = Scope { agreements: vec![uuid.to_owned()], ..Scope::default() };
    let mut snapshot = context.options.store.snapshot(&scope).await?;
    snapshot.agreements.remove(&Uuid::new(uuid)).ok_or_else(|| Problem::unknown(format!("agreement {uuid}")))
}

/// An agreement.
#[utoipa::path(
    get,
    path = "/agreements/{uuid}",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    responses((status = 200, description = "the agreement", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")))
)]
async fn show(State(context): State<Shared>, Name(uuid): Name) -> Result<Json<Value>> {
    Ok(json(AgreementView::of(&find(&context, &uuid).await?)))
}

/// Invites a partner: the agreement is made at once, the invite goes out after.
#[utoipa::path(
    post,
    path = "/agreements",
    tag = "agreements",
    request_body(content = ref("#/components/schemas/InviteForm")),
    responses((status = 201, description = "the agreement, with the key that only this answer shows (kinds `queue` and `jira`)", body = ref("#/components/schemas/Agreement")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn invite(State(context): State<Shared>, form: Sent) -> Result<Response> {
    let (agreement, access_key) = make(&context, body(form)?).await?;
    Ok((StatusCode::CREATED, json(with_key(&agreement, &access_key))).into_response())
}

/// Who does it, where whoever asks says so.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "By")]
pub(super) struct ByForm {
    /// Their name.
    #[serde(default)]
    by: Option<String>,
}

/// The person that a body names; a body is optional.
fn person(sent: Raw) -> Result<Option<String>> {
    let bytes = sent.map_err(|error| Problem::unusable(error.body_text()))?;
    if bytes.trim_ascii().is_empty() || bytes.trim_ascii() == b"null" {
        return Ok(None);
    }
    let form: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| Problem::unusable(error.to_string()))?;
    let form: ByForm = body(Ok(Json(form)))?;
    Ok(form.by.map(|by| by.trim().to_owned()).filter(|by| !by.is_empty()))
}

pub(super) async fn act(context: &Shared, uuid: String, action: AgreementAction) -> Result<Agreement> {
    let done = context.pipeline.submit_one(Change::Agreement(Uuid::new(uuid.as_str()), action)).await?;
    done.agreement.map(|agreement| *agreement).ok_or_else(|| Problem::unknown(format!("agreement {uuid}")))
}

/// Accepts an invite; it is in force when the partner has taken the answer.
#[utoipa::path(
    post,
    path = "/agreements/{uuid}/accept",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    request_body(content = ref("#/components/schemas/By"), description = "who accepts; may be left out"),
    responses((status = 202, description = "the agreement; what the partner refuses stays pending with the reason", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn accept(State(context): State<Shared>, Name(uuid): Name, body: Raw) -> Result<Response> {
    let agreement = act(&context, uuid, AgreementAction::Accept(person(body)?)).await?;
    Ok((StatusCode::ACCEPTED, json(AgreementView::of(&agreement))).into_response())
}

/// Declines an invite.
#[utoipa::path(
    post,
    path = "/agreements/{uuid}/decline",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    request_body(content = ref("#/components/schemas/By"), description = "who declines; may be left out"),
    responses((status = 200, description = "the agreement", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn decline(State(context): State<Shared>, Name(uuid): Name, body: Raw) -> Result<Json<Value>> {
    let action = AgreementAction::End(AgreementStatus::Declined, person(body)?);
    Ok(json(AgreementView::of(&act(&context, uuid, action).await?)))
}

/// Ends an agreement for good; the tickets stay as they are on both sides.
#[utoipa::path(
    post,
    path = "/agreements/{uuid}/deactivate",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    request_body(content = ref("#/components/schemas/By"), description = "who ends it; may be left out"),
    responses((status = 200, description = "the agreement", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn deactivate(State(context): State<Shared>, Name(uuid): Name, body: Raw) -> Result<Json<Value>> {
    let action = AgreementAction::End(AgreementStatus::Inactive, person(body)?);
    Ok(json(AgreementView::of(&act(&context, uuid, action).await?)))
}

/// Gives an agreement a new access key; the old one counts until the partner has the new one.
#[utoipa::path(
    post,
    path = "/agreements/{uuid}/rotate-key",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    responses((status = 200, description = "the agreement of a bridge, with its new key", body = ref("#/components/schemas/Agreement")), (status = 202, description = "the agreement; the key is on its way to the partner", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn rotate_key(State(context): State<Shared>, Name(uuid): Name) -> Result<Response> {
    let keys = context.options.store.access_keys(&Uuid::new(uuid.as_str())).await?;
    let on_its_way = keys.is_some_and(|keys| keys.next.is_some());
    let key = random()?;
    let action = AgreementAction::Rotate { key: AccessKey::new(key.clone()), on_its_way };
    let agreement = act(&context, uuid, action).await?;
    let status = if agreement.kind == Kind::Queue { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, json(with_key(&agreement, &AccessKey::new(key)))).into_response())
}

/// Asks the partner for its side of an agreement, and compares the custom fields.
#[utoipa::path(
    get,
    path = "/agreements/{uuid}/check",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    responses((status = 200, description = "what was found", body = ref("#/components/schemas/Checked")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")))
)]
async fn check(State(context): State<Shared>, Name(uuid): Name) -> Result<Json<Value>> {
    let agreement = find(&context, &uuid).await?;
    let found = flow::check(&context.options, &agreement).await?;
    Ok(json(Checked { agreement: AgreementView::of(&agreement), found }))
}

/// How far a comparison goes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconcileForm {
    /// Tickets after this one: `next` of the step before.
    #[serde(default)]
    after: Option<Uuid>,
    /// Put right what differs: the sender's values count, and comments go to whoever lacks them.
    #[serde(default)]
    repair: bool,
}

/// Asks the partner for some of the shared tickets, and compares them with what was agreed; go on with `next` until there is none.
#[utoipa::path(
    post,
    path = "/agreements/{uuid}/reconcile",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    request_body(content = ref("#/components/schemas/ReconcileForm")),
    responses((status = 200, description = "what was found", body = ref("#/components/schemas/Reconciled")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "the agreement is not in force, or the partner does not take its key", body = ref("#/components/schemas/Problem")), (status = 422, description = "the partner cannot be asked for tickets", body = ref("#/components/schemas/Problem"))),
)]
async fn reconcile(State(context): State<Shared>, Name(uuid): Name, form: Sent) -> Result<Json<Value>> {
    let form: ReconcileForm = body(form)?;
    let agreement = find(&context, &uuid).await?;
    let reconcile = Reconcile::new(context.options.clone(), context.pipeline.clone());
    let step = reconcile.step(&agreement, form.after.as_ref(), form.repair).await?;
    Ok(json(ReconciledView::of(&step)))
}

/// Changes an agreement: the sender its terms, either side what it alone settles and where the partner is called. What is absent stays.
#[utoipa::path(
    patch,
    path = "/agreements/{uuid}",
    tag = "agreements",
    params(("uuid" = String, Path, description = "The agreement's uuid")),
    request_body(content = ref("#/components/schemas/EditForm")),
    responses((status = 200, description = "the agreement", body = ref("#/components/schemas/Agreement")), (status = 404, description = "there is none of that name", body = ref("#/components/schemas/Problem")), (status = 409, description = "not as things stand; the detail says how they do", body = ref("#/components/schemas/Problem")), (status = 422, description = "it cannot be used; the detail says why", body = ref("#/components/schemas/Problem")))
)]
async fn edit(State(context): State<Shared>, Name(uuid): Name, form: Sent) -> Result<Json<Value>> {
    let form: EditForm = body(form)?;
    let mut url = match &form.url {
        Some(url) => address(&context, find(&context, &uuid).await?.kind, Some(url.as_str()))?,
        None => None,
    };
    if let Some(jira) = form.jira {
        // At once, so that no new token goes to the old address.
        let edit = jira_form::edit(&context, &find(&context, &uuid).await?, jira, url.take()).await?;
        act(&context, uuid.clone(), edit).await?;
    }
    let edit = AgreementAction::Edit {
        terms: form.terms,
        name: form.name,
        url,
        profile: form.profile,
        local: form.local,
    };
    Ok(json(AgreementView::of(&act(&context, uuid, edit).await?)))
}
