//! Shares as they stand in the row of their ticket: of what was agreed, what the ticket itself says is not said again.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    domain::{
        Counterpart, Exchange, Failing, Insisted, Parts, Share, ShareRole, ShareState, Shared, TagsExchange,
        Title, part_at,
    },
    engine::Stored,
};

/// All shares of a ticket, by agreement.
pub(super) struct SharesForm<'a>(pub(super) &'a Stored);

impl Serialize for SharesForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Stored { ticket, shares, .. }) = self;
        let forms = shares.iter().map(|share| (&share.agreement, ShareForm::of(share, &ticket.properties)));
        serializer.collect_map(forms)
    }
}

#[derive(Serialize)]
struct ShareForm<'a> {
    role: ShareRole,
    state: ShareState,
    begun: bool,
    from_n: i64,
    seq: i64,
    #[serde(skip_serializing_if = "is_zero")]
    partner_seq: i64,
    comments_sent: i64,
    agreed: AgreedForm<'a>,
    #[serde(skip_serializing_if = "Counterpart::is_unknown")]
    partner: &'a Counterpart,
    told_number: bool,
    #[serde(skip_serializing_if = "is_zero")]
    refused_from: i64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    refused: &'a [i64],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    comments_held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Failing>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    insisted: &'a [Insisted],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct AgreedForm<'a> {
    properties: ExchangesForm<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a TagsExchange>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    not_taken: &'a std::collections::BTreeMap<Title, Shared>,
}

struct ExchangesForm<'a> {
    exchanges: &'a Parts<Exchange>,
    ticket: &'a Parts<Shared>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl<'a> ShareForm<'a> {
    fn of(share: &'a Share, ticket: &'a Parts<Shared>) -> Self {
        let agreed = &share.agreed;
        let agreed = AgreedForm {
            properties: ExchangesForm { exchanges: &agreed.properties, ticket },
            tags: agreed.tags.as_ref(),
            not_taken: &agreed.not_taken,
        };
        Self {
            role: share.role,
            state: share.state,
            begun: share.begun,
            from_n: share.from_n,
            seq: share.seq,
            partner_seq: share.partner_seq,
            comments_sent: share.comments_sent,
            agreed,
            partner: &share.partner,
            told_number: share.told_number,
            refused_from: share.refused_from,
            refused: &share.refused,
            comments_held: share.comments_held,
            failing: share.failing,
            insisted: &share.insisted,
            reason: share.reason.as_deref(),
        }
    }
}

impl Serialize for ExchangesForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.exchanges.len()))?;
        for (place, (property, exchange)) in self.exchanges.iter().enumerate() {
            let ticket = part_at(self.ticket, place, property);
            let same = ticket == Some(&exchange.wire) && ticket == Some(&exchange.here);
            if same && !exchange.unfit {
                map.serialize_entry(property, &exchange.seq)?;
            } else {
                map.serialize_entry(property, exchange)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Property, Ticket, Uuid, Value};

    #[test]
    fn shares_are_read_back_as_they_were() {
        let value = |text: &str| Shared::from(Value::from(text));
        let mut ticket = Ticket::new(Uuid::new("t"));
        ticket.properties.insert(Property::Status, value("open"));
        ticket.properties.insert(Property::Subject, value("Lens"));
        let mut share = Share::new(Uuid::new("t"), Uuid::new("a"), ShareRole::Outgoing);
        let mut agree = |property, wire: &str, here: &str, unfit| {
            let exchange = Exchange { wire: value(wire), here: value(here), seq: 7, unfit };
            share.agreed.properties.insert(property, exchange);
        };
        agree(Property::Status, "open", "open", false);
        agree(Property::Subject, "Lens", "Lens", true);
        agree(Property::Priority, "high", "high", false);
        agree(Property::Field(Title::new("Site")), "1", "one", false);
        let stored = Stored::new(ticket, vec![share]);
        let text = serde_json::to_string(&SharesForm(&stored)).unwrap_or_default();
        assert!(text.contains("\"status\":7,"), "{text}");
        let read: Result<BTreeMap<Uuid, Share>, _> = serde_json::from_str(&text);
        let mut read =
            read.unwrap_or_default().into_values().next().unwrap_or_else(|| unreachable!("{text}"));
        read.agreed.fill_in(&stored.ticket.properties);
        assert_eq!(Some(&read.agreed), stored.shares.first().map(|share| &share.agreed));
    }
}
