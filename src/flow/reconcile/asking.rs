//! A partner asked for what it has: an agreement, a ticket.

use crate::{
    domain::{Agreement, Keys, Uuid},
    flow::options::Options,
    ports::{Answer, Call, CallError, Method},
};

/// How much of a partner's answer is told on.
const WORDS: usize = 300;

/// Asks a partner, with the other key too where one is on its way. `None`: there is nobody to ask, or nothing to ask with.
pub(super) async fn ask(
    options: &Options,
    agreement: &Agreement,
    keys: Option<&Keys>,
    collection: &'static str,
    uuid: &Uuid,
) -> Option<Result<Answer, CallError>> {
    let (base, keys) = (agreement.url.clone()?, keys?);
    let token = |key| Some((agreement.uuid.clone(), key));
    let call = Call {
        trace: None,
        method: Method::Get,
        base,
        collection,
        uuid: uuid.clone(),
        body: None,
        token: token(keys.current.clone()),
        profile: agreement.profile,
    };
    let mut result = options.partner.call(&call).await;
    if let (Ok(answer), Some(next)) = (&result, &keys.next)
        && matches!(answer.status, 401 | 403)
    {
        result = options.partner.call(&Call { token: token(next.clone()), ..call }).await;
    }
    Some(result)
}

/// The first words of an answer, without the keys that it may repeat.
pub(super) fn words(answer: &Answer, keys: Option<&Keys>) -> String {
    let both = keys.into_iter().flat_map(|keys| [Some(&keys.current), keys.next.as_ref()]).flatten();
    let hidden = both.fold(answer.text.clone(), |text, key| key.hidden_in(text));
    hidden.trim().chars().take(WORDS).collect()
}
