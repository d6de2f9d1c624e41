//! What a fake partner keeps, and how it answers: the protocol's rules and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Agreements and tickets, by uuid.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    agreements: BTreeMap<String, Kept>,
    tickets: BTreeMap<String, Ticket>,
}

/// An agreement that somebody invited to.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) status: String,
    pub(super) sender_url: String,
    body: Map<String, Value>,
}

#[derive(Debug)]
struct Ticket {
    agreement: String,
    body: Map<String, Value>,
    comments: BTreeSet<String>,
    ended: bool,
}

/// An answer: status, and a body or the reason.
pub(super) type Answer = (u16, Value);

/// What is asked, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    /// `agreements` or `tickets`.
    pub(super) kind: &'a str,
    pub(super) uuid: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) body: &'a [u8],
}

fn refusal(status: u16, reason: &str) -> Answer {
    (status, Value::from(reason))
}

/// What is said: null is not.
fn merge(known: &mut Map<String, Value>, said: Map<String, Value>) {
    for (name, value) in said {
        if !value.is_null() && name != "comments" {
            known.insert(name, value);
        }
    }
}

impl Ledger {
    pub(super) fn agreement(&self, uuid: &str) -> Option<&Kept> {
        self.agreements.get(uuid)
    }

    pub(super) fn accept(&mut self, uuid: &str) {
        if let Some(kept) = self.agreements.get_mut(uuid) {
            "accepted".clone_into(&mut kept.status);
        }
    }

    /// Answers.
    pub(super) fn answer(&mut self, asked: &Asked<'_>) -> Answer {
        let body = match asked.method {
            "POST" | "PUT" => match serde_json::from_slice::<Map<String, Value>>(asked.body) {
                Ok(body) => body,
                Err(error) => return refusal(422, &format!("not a JSON object: {error}")),
            },
            _ => Map::new(),
        };
        let named = body.get("uuid").and_then(Value::as_str);
        if named.is_some_and(|named| named != asked.uuid) {
            return refusal(422, "the body is about another object than the address");
        }
        match asked.kind {
            "agreements" => self.about_agreement(asked, body),
            "tickets" => self.about_ticket(asked, body),
            _ => refusal(404, "there are agreements and tickets here"),
        }
    }

    /// The agreement that a token is of.
    fn shown(&self, token: Option<&str>) -> Result<(String, &Kept), Answer> {
        let Some(token) = token else { return Err(refusal(401, "X-Ticket-Sharing-Token is missing")) };
        let known = token.split_once(':').and_then(|(uuid, key)| {
            self.agreements.get(uuid).filter(|kept| kept.key == key).map(|kept| (uuid.to_owned(), kept))
        });
        known.ok_or_else(|| refusal(403, "the token is of no agreement"))
    }

    fn about_agreement(&mut self, asked: &Asked<'_>, body: Map<String, Value>) -> Answer {
        if asked.method == "POST" {
            return self.invited(asked.uuid, body);
        }
        match self.shown(asked.token) {
            Err(refused) if asked.token.is_none() || self.agreements.contains_key(asked.uuid) => {
                return refused;
            }
            Ok((uuid, _)) if uuid == asked.uuid => {}
            _ => return refusal(404, "no such agreement"),
        }
        let Some(kept) = self.agreements.get_mut(asked.uuid) else {
            return refusal(404, "no such agreement");
        };
        match (asked.method, body.get("status").and_then(Value::as_str)) {
            ("GET", _) => {
                let mut shown = kept.body.clone();
                shown.insert("status".to_owned(), Value::from(kept.status.as_str()));
                shown.remove("access_key");
                (200, Value::Object(shown))
            }
            ("PUT", Some(status)) if status != kept.status && status != "inactive" => {
                refusal(422, "whoever invited can only end the agreement")
            }
            ("PUT", status) => {
                kept.status = status.unwrap_or(&kept.status).to_owned();
                if let Some(key) = body.get("access_key").and_then(Value::as_str) {
                    key.clone_into(&mut kept.key);
                }
                merge(&mut kept.body, body);
                (200, Value::Null)
            }
            _ => refusal(405, "agreements are made, read and changed"),
        }
    }

    fn invited(&mut self, uuid: &str, body: Map<String, Value>) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (key, sender_url) = (text("access_key"), text("sender_url"));
        if key.is_empty() || sender_url.is_empty() {
            return refusal(422, "an invite needs access_key and sender_url");
        }
        if let Some(kept) = self.agreements.get(uuid) {
            // Its answer was lost, perhaps.
            return if kept.key == key {
                (200, Value::Null)
            } else {
                refusal(422, "known, with another key")
            };
        }
        let status = "pending".to_owned();
        self.agreements.insert(uuid.to_owned(), Kept { key, status, sender_url, body });
        (201, Value::Null)
    }

    fn about_ticket(&mut self, asked: &Asked<'_>, body: Map<String, Value>) -> Answer {
        let agreement = match self.shown(asked.token) {
            Ok((agreement, kept)) if kept.status == "accepted" => agreement,
            Ok((_, kept)) => return refusal(403, &format!("the agreement is {}", kept.status)),
            Err(refused) => return refused,
        };
        let known = self.tickets.get_mut(asked.uuid);
        match (asked.method, known) {
            ("POST", Some(known)) if known.agreement != agreement || known.ended => {
                refusal(422, "the ticket is known, and not under this agreement any more")
            }
            ("POST", Some(_)) => (200, Value::Null),
            ("POST", None) => {
                let (comments, mut kept) = (comments(&body), Map::new());
                merge(&mut kept, body);
                self.tickets
                    .insert(asked.uuid.to_owned(), Ticket { agreement, body: kept, comments, ended: false });
                (201, Value::Null)
            }
            (_, Some(known)) if known.agreement != agreement => refusal(404, "no such ticket"),
            (_, None) => refusal(404, "no such ticket"),
            (_, Some(known)) if known.ended => refusal(410, "the ticket is shared no more"),
            ("PUT", Some(known)) => {
                known.comments.extend(comments(&body));
                merge(&mut known.body, body);
                (200, Value::Null)
            }
            ("GET", Some(known)) => (200, Value::Object(known.body.clone())),
            ("DELETE", Some(known)) => {
                known.ended = true;
                (200, Value::Null)
            }
            _ => refusal(405, "tickets are made, read, changed and ended"),
        }
    }
}

/// The uuids of the comments of a body.
fn comments(body: &Map<String, Value>) -> BTreeSet<String> {
    let all = body.get("comments").and_then(Value::as_array);
    let uuid = |comment: &Value| comment.get("uuid").and_then(Value::as_str).map(str::to_owned);
    all.into_iter().flatten().filter_map(uuid).collect()
}
