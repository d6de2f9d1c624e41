//! One ticket under one agreement, and what both sides last agreed about it.

use std::{collections::BTreeMap, fmt, sync::LazyLock, time::Duration};

use serde::{
    Deserialize, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    AgreementStatus, Failing, Message, MessageType, Parts, Shared, TagsExchange, Timestamp, Title, Uuid,
    Value,
};

/// Whether this desk started the share or the partner did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareRole {
    /// This desk shares its ticket.
    Outgoing,
    /// The partner shares its own.
    Incoming,
}

/// How a share is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareState {
    /// Changes cross.
    Active,
    /// The partner refused the ticket itself: nothing more is sent until a person decides.
    Parked,
    /// Nothing crosses any more.
    Ended,
}

/// What one property last was between the two sides.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Exchange {
    /// As the wire said it.
    pub wire: Shared,
    /// As it reads on this desk.
    pub here: Shared,
    /// The number of our message that last told it; zero where the partner told it last.
    pub seq: i64,
    /// The partner's value fits no field of this desk: it is tried again when the desk's fields change.
    pub unfit: bool,
}

/// An exchange as it is kept: what reads here as the wire says it stands there once.
#[derive(Deserialize)]
struct ExchangeForm {
    wire: Shared,
    #[serde(default, deserialize_with = "present")]
    here: Option<Shared>,
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    unfit: bool,
}

/// A value that is there, be it null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Shared>, D::Error> {
    Shared::deserialize(deserializer).map(Some)
}

/// Stands for what the ticket itself says, until that is known.
static AS_THE_TICKET: LazyLock<Shared> = LazyLock::new(|| Shared::from(Value::Array(Vec::new())));

/// Reads an exchange as it is kept: the number alone, where it is what the ticket itself says, or all of it.
struct ReadExchange;

impl<'de> Visitor<'de> for ReadExchange {
    type Value = Exchange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exchange, or its number")
    }

    fn visit_i64<E: Error>(self, seq: i64) -> Result<Exchange, E> {
        let value = &*AS_THE_TICKET;
        Ok(Exchange { wire: value.clone(), here: value.clone(), seq, unfit: false })
    }

    fn visit_u64<E: Error>(self, seq: u64) -> Result<Exchange, E> {
        self.visit_i64(i64::try_from(seq).unwrap_or(i64::MAX))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Exchange, A::Error> {
        let form = ExchangeForm::deserialize(MapAccessDeserializer::new(map))?;
        let here = form.here.unwrap_or_else(|| form.wire.clone());
        Ok(Exchange { wire: form.wire, here, seq: form.seq, unfit: form.unfit })
    }
}

impl<'de> Deserialize<'de> for Exchange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadExchange)
    }
}

impl Serialize for Exchange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("wire", &self.wire)?;
        if self.here != self.wire {
            map.serialize_entry("here", &self.here)?;
        }
        if self.seq != 0 {
            map.serialize_entry("seq", &self.seq)?;
        }
        if self.unfit {
            map.serialize_entry("unfit", &true)?;
        }
        map.end()
    }
}

/// The partner's own ticket, as far as it has told us.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
pub struct Counterpart {
    /// Its number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<String>,
    /// A link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it tells beside: the assignee, the requester's mail address, who is in copy.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub told: Parts<Shared>,
    /// When it last told each part, by its own clock, where it tells times instead of numbers.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub at: Parts<i64>,
}

impl Counterpart {
    /// Whether it has told nothing.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Exchange {
    /// What the partner has, `there`, though the ticket says something else, `now`: the next difference tells it that.
    pub fn untold(there: Shared, now: &Shared) -> Self {
        // Anything but what the ticket has.
        let here = if now.is_null() { there.clone() } else { Shared::default() };
        Self { wire: there, here, seq: 0, unfit: false }
    }
}

/// What both sides last exchanged, part by part.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
pub struct Agreed {
    /// Property by property.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub properties: Parts<Exchange>,
    /// The tags; `None` until they were told once.
    #[serde(default)]
    pub tags: Option<TagsExchange>,
    /// Custom fields of the partner's that this side has settled not to take, as it last told them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_taken: BTreeMap<Title, Shared>,
}

impl Agreed {
    /// Takes what is kept as the ticket's from the ticket.
    pub fn fill_in(&mut self, ticket: &Parts<Shared>) {
        for (property, exchange) in self.properties.iter_mut() {
            if exchange.wire.is_copy_of(&AS_THE_TICKET) {
                let value = ticket.get(property).cloned().unwrap_or_default();
                exchange.wire = value.clone();
                exchange.here = value;
            }
        }
    }
}

/// How often a partner that does not say what it has seen is told our value again after another of its own; then it has its way.
const INSIST: u8 = 5;
/// Within what time.
const LATELY: Duration = Duration::from_secs(600);

/// What is made of a partner's value that contradicts ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insistence {
    /// It is told ours once more.
    Again,
    /// It has its way, and is told so: what is on its way to it still says otherwise.
    GivesIn,
    /// It has said so much else that nothing of it is taken any more: most likely it says what it had, and takes ours all the same.
    Ignored,
}

/// How often a partner was told our value again lately.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Insisted {
    /// A property, or `tags`.
    pub what: String,
    /// Since when it is counted.
    pub since: Timestamp,
    /// So often.
    pub times: u8,
}

/// One ticket under one agreement.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Share {
    /// The ticket.
    #[serde(skip, default = "nobody")]
    pub ticket: Uuid,
    /// The agreement.
    #[serde(skip, default = "nobody")]
    pub agreement: Uuid,
    /// Who started it.
    pub role: ShareRole,
    /// How it is doing.
    pub state: ShareState,
    /// Whether the partner has been told of the ticket at all (outgoing), or has told us (incoming).
    pub begun: bool,
    /// The number, among the ticket's messages, of the one that told the partner of the ticket.
    #[serde(default)]
    pub from_n: i64,
    /// The number of our last message.
    #[serde(default)]
    pub seq: i64,
    /// The number of the partner's last message that was applied, where it numbers them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partner_seq: i64,
    /// Comments of the ticket up to this number have been sent or came from there.
    #[serde(default)]
    pub comments_sent: i64,
    /// What both sides last exchanged.
    #[serde(default)]
    pub agreed: Agreed,
    /// The partner's own ticket.
    #[serde(default, skip_serializing_if = "Counterpart::is_unknown")]
    pub partner: Counterpart,
    /// The partner knows our number of the ticket.
    #[serde(default)]
    pub told_number: bool,
    /// The last comment that a message which the partner refused began with; zero: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused_from: i64,
    /// The numbers of the last messages that the partner refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<i64>,
    /// Comments are not told until a person has what was refused sent again or dropped: the partner
    /// refuses them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub comments_held: bool,
    /// The partner fails on this ticket, while it takes others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// What the partner was told again lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insisted: Vec<Insisted>,
    /// Why it is parked or ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn nobody() -> Uuid {
    Uuid::new("")
}

impl Share {
    /// A share about to begin.
    pub fn new(ticket: Uuid, agreement: Uuid, role: ShareRole) -> Self {
        Self {
            ticket,
            agreement,
            role,
            state: ShareState::Active,
            begun: false,
            from_n: 0,
            seq: 0,
            partner_seq: 0,
            comments_sent: 0,
            agreed: Agreed::default(),
            partner: Counterpart::default(),
            told_number: false,
            refused_from: 0,
            refused: Vec::new(),
            comments_held: false,
            failing: None,
            insisted: Vec::new(),
            reason: None,
        }
    }

    /// Whether a message of ours is this share's. One that has ended, or begun anew since, has nothing to do with an old message, but for
    /// that of its end.
    pub fn has(&self, message: &Message) -> bool {
        let ends = message.kind == MessageType::TicketUnshare;
        (self.state == ShareState::Ended) == ends && message.id.n >= self.from_n
    }

    /// Whether changes cross.
    pub fn is_active(&self) -> bool {
        self.state == ShareState::Active
    }

    /// The partner says another value while it is told ours, without saying what it has seen. One that rewrites whatever it is told
    /// would else be told for ever.
    pub fn insists(&mut self, what: &str, now: Timestamp) -> Insistence {
        self.insisted.retain(|last| now.since(last.since) < LATELY);
        let times = if let Some(last) = self.insisted.iter_mut().find(|last| last.what == what) {
            last.times = last.times.saturating_add(1);
            last.times
        } else {
            self.insisted.push(Insisted { what: what.to_owned(), since: now, times: 1 });
            1
        };
        match times {
            0..=INSIST => Insistence::Again,
            times if times <= 2 * INSIST => Insistence::GivesIn,
            _ => Insistence::Ignored,
        }
    }

    /// Comments that a partner refused are told again.
    pub fn tells_comments(&mut self) {
        (self.comments_held, self.refused_from) = (false, 0);
    }

    /// Ends with its agreement, where that has come to its end: nothing crosses under it any more.
    pub fn end_with(&mut self, agreement: AgreementStatus) {
        if agreement.is_final() && self.state != ShareState::Ended {
            self.state = ShareState::Ended;
            self.reason = Some(format!("the agreement is {}", agreement.as_str()));
        }
    }
}
