//! Who asks: the token that a request shows, and the agreement that it opens.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::request::{Collection, Request, away};
use crate::{
    domain::{AccessKey, Agreement, Kind, Uuid},
    engine::Refusal,
    flow::options::Options,
    ports::Scope,
};

/// Who asks: 401 without a token, 403 with one that opens nothing, whatever is wrong with it.
pub(super) async fn authenticate(
    options: &Options,
    request: &Request,
) -> Result<(Agreement, AccessKey), Refusal> {
    let token = request.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Refusal::new(401, "the X-Ticket-Sharing-Token header is missing"))?;
    let (uuid, given) = token.split_once(':').unwrap_or((token, ""));
    let uuid = Uuid::new(uuid);
    let keys = options.store.access_keys(&uuid).await.map_err(away)?;
    // While a new key is on its way the partner may use either. Both are compared, so that time tells nothing.
    let current = keys.as_ref().map(|keys| keys.current.clone());
    let next = keys.and_then(|keys| keys.next);
    let opens = |key: Option<&AccessKey>| same(given, key.map_or("", AccessKey::reveal)) && key.is_some();
    let (by_current, by_next) = (opens(current.as_ref()), opens(next.as_ref()));
    let matches = by_current || by_next;
    let known = if by_next { next } else { current };
    let right_place = request.collection == Collection::Tickets || uuid.as_str() == request.uuid;
    let stranger = || Refusal::new(403, "the token is not that of an agreement here");
    // Nothing more is read for a wrong key than for an agreement that is not there.
    let key = known.filter(|_| matches && right_place).ok_or_else(stranger)?;
    let scope = Scope { agreements: vec![uuid.to_string()], ..Scope::default() };
    let snapshot = options.store.snapshot(&scope).await.map_err(away)?;
    // A Jira does not speak the protocol: its token is no key of an agreement.
    let agreement = snapshot.agreements.get(&uuid).filter(|agreement| agreement.kind != Kind::Jira);
    let agreement = agreement.cloned().ok_or_else(stranger)?;
    Ok((agreement, key))
}

/// Compares secrets in a time that depends on neither their contents nor their lengths.
pub(super) fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one.as_bytes()).ct_eq(&Sha256::digest(other.as_bytes())).into()
}
