//! Agreements of the configuration: made and brought in line at the start; ended, if that is wanted, when they are gone from it.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::{
    config::{Config, DeclaredAgreement, DeclaredJira},
    domain::{AccessKey, Agreement, AgreementStatus, DeclaredAs, Direction, Local, Timestamp, Uuid},
    flow::{AgreementAction, Change, Options, Pipeline},
};

/// What the configuration declares.
pub(super) struct Declared {
    changes: Vec<Change>,
    uuids: HashSet<Uuid>,
    prune: bool,
}

impl Declared {
    pub(super) fn of(config: &Config, now: Timestamp, prune: bool) -> Self {
        let uuids = config.agreements.iter().map(|declared| declared.uuid.clone()).collect();
        Self { changes: changes(config, now), uuids, prune }
    }

    /// Brings the store in line.
    pub(super) async fn apply(self, options: &Options, pipeline: &Pipeline) {
        for answer in pipeline.submit(self.changes).await {
            if let Err(refusal) = answer {
                tracing::error!(reason = refusal.reason, "a declared agreement could not be applied");
            }
        }
        // The fields of the configuration count only until the desk has sent its own; they may be others than before.
        let _next_time = pipeline.submit_one(Change::RefitAll).await;
        let known = match options.store.agreements().await {
            Ok(known) => known,
            Err(error) => return tracing::error!(error = %error, "declared agreements could not be compared"),
        };
        let gone = known.into_iter().filter(|agreement| {
            agreement.declared && !agreement.status.is_final() && !self.uuids.contains(&agreement.uuid)
        });
        for agreement in gone {
            let uuid = agreement.uuid.clone();
            if !self.prune {
                tracing::warn!(agreement.uuid = %uuid, agreement.name = agreement.name,
                    "a declared agreement is gone from the configuration, and stays in force: run --prune ends it");
                continue;
            }
            let unanswered =
                agreement.status == AgreementStatus::Pending && agreement.direction == Direction::Inbound;
            let to = if unanswered { AgreementStatus::Declined } else { AgreementStatus::Inactive };
            let end = AgreementAction::End(to, Some("the configuration".to_owned()));
            if let Err(refusal) = pipeline.submit_one(Change::Agreement(uuid, end)).await {
                tracing::error!(reason = refusal.reason, "a declared agreement could not be ended");
            }
        }
    }
}

/// The agreements of the configuration, each with its key.
pub(super) fn changes(config: &Config, now: Timestamp) -> Vec<Change> {
    let agreement = |declared: &DeclaredAgreement| Agreement {
        jira: declared.jira.as_ref().map(DeclaredJira::settled),
        uuid: declared.uuid.clone(),
        name: declared.name.clone(),
        direction: declared.direction,
        kind: declared.kind,
        url: declared.url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        status: declared.status,
        terms: declared.terms,
        profile: declared.profile,
        local: local(declared),
        own_name: true,
        declared_as: Some(declared_as(declared)),
        declared: true,
        ..Agreement::pending(now)
    };
    let change =
        |declared: &DeclaredAgreement| Change::Declare(Box::new((agreement(declared), secret(declared))));
    config.agreements.iter().map(change).collect()
}

/// What this side settles alone; a Jira's words stand with the Jira.
fn local(declared: &DeclaredAgreement) -> Local {
    let mut local = declared.local.clone();
    if let Some(jira) = &declared.jira {
        local.settle_jira(jira.status.clone(), jira.fields.clone());
    }
    local
}

/// The secret of an agreement.
fn secret(declared: &DeclaredAgreement) -> AccessKey {
    match &declared.jira {
        Some(jira) => jira.secrets().packed(),
        None => AccessKey::new(declared.access_key.clone()),
    }
}

/// What the file says, as digests: of the key apart, since a key may be changed without the file.
fn declared_as(declared: &DeclaredAgreement) -> DeclaredAs {
    let digest = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    let form = serde_json::json!({
        "name": declared.name, "kind": declared.kind, "url": declared.url, "terms": declared.terms,
        "profile": declared.profile, "local": local(declared),
        "jira": declared.jira.as_ref().map(DeclaredJira::settled),
    });
    DeclaredAs { form: digest(&form.to_string()), key: digest(secret(declared).reveal()) }
}
