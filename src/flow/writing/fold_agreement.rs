//! Changes of agreements, laid over a snapshot.

use serde_json::{Map, Value};

use super::writes::Batch;
use crate::{
    domain::{
        AccessKey, Agreement, AgreementStatus, Carried, Direction, Doer, Jira, Kind, Local, Message,
        MessageId, MessageState, MessageType, Uuid,
    },
    engine::{
        Refusal,
        agreement::{self, NewKey},
    },
    flow::change::{AgreementAction, Answer, Attempted, Change, Done},
    ports::Mark,
};

impl Batch<'_> {
    pub(super) fn fold_agreement(&mut self, change: &Change) -> Answer {
        match change {
            Change::Invited { uuid, told } => {
                let decline = self.snapshot.decline_all_invites.unwrap_or(self.options.decline_all_invites);
                if self.snapshot.agreements.contains_key(uuid) {
                    return Err(Refusal::new(422, format!("agreement {uuid} is known here already")));
                }
                let ruling = agreement::invited(uuid.clone(), told, &self.options.desk, decline, self.now)?;
                Ok(Done { created: true, ..Done::about(self.ruling(ruling)) })
            }
            Change::Told { uuid, told, known_key } => {
                let agreement = self.agreement(uuid)?;
                let ruling = agreement::changed_by_partner(agreement.clone(), told, known_key, self.now)?;
                if ruling.agreement == agreement
                    && ruling.access_key.is_none()
                    && ruling.partner_fields.is_none()
                {
                    return Ok(Done::about(agreement));
                }
                Ok(Done::about(self.ruling(ruling)))
            }
            Change::Invite(invite) => {
                let agreement = self.ruling(agreement::invite(invite.as_ref().clone(), self.now));
                Ok(Done { created: true, ..Done::about(agreement) })
            }
            Change::Declare(declared) => Ok(self.declare(&declared.0, &declared.1)),
            Change::Agreement(uuid, action) => {
                let before = self.agreement(uuid)?;
                let ruling = self.act(before.clone(), action)?;
                if ruling.agreement == before && ruling.access_key.is_none() {
                    return Ok(Done::about(before));
                }
                Ok(Done::about(self.ruling(ruling)))
            }
            _ => Ok(Done::default()),
        }
    }

    fn agreement(&self, uuid: &Uuid) -> Result<Agreement, Refusal> {
        let found = self.snapshot.agreements.get(uuid).cloned();
        found.ok_or_else(|| Refusal::new(404, format!("there is no agreement {uuid}")))
    }

    fn act(&self, mut agreement: Agreement, action: &AgreementAction) -> Result<agreement::Ruling, Refusal> {
        match action {
            AgreementAction::Accept(person) => {
                let by = self.doer(&agreement, person.clone());
                agreement::accept(agreement, by, self.now)
            }
            AgreementAction::End(to, person) => {
                let by = self.doer(&agreement, person.clone());
                agreement::end(agreement, *to, by, self.now)
            }
            AgreementAction::Rotate { key, on_its_way } => {
                agreement::rotate_key(agreement, key.clone(), *on_its_way, self.now)
            }
            AgreementAction::Health(failure) => {
                let patience = self.options.notify_after;
                Ok(agreement::health(agreement, failure.as_deref(), patience, self.now))
            }
            AgreementAction::Expire => Ok(agreement::expire(agreement, &self.options.desk.name, self.now)),
            AgreementAction::Edit { terms, name, url, profile, local } => {
                if let Some(local) = local {
                    agreement.local = merged(&agreement.local, local)?;
                    agreement.updated_at = self.now;
                }
                agreement.profile = profile.unwrap_or(agreement.profile);
                if let Some(name) = name {
                    let name = name.trim();
                    if name.is_empty() {
                        return Err(Refusal::new(422, "name is empty: leave it out, and it stays as it is"));
                    }
                    name.clone_into(&mut agreement.name);
                    agreement.own_name = true;
                    agreement.updated_at = self.now;
                }
                let moves = url.as_ref().is_some_and(|url| agreement.url.as_ref() != Some(url));
                if let Some(url) = url {
                    agreement = agreement::moved(agreement, url.clone(), self.now)?;
                }
                let ruling = match terms {
                    Some(edit) => {
                        let terms = edit.over(agreement.terms);
                        agreement::set_terms(agreement, terms, self.now)
                    }
                    None => Ok(agreement::unchanged(agreement)),
                }?;
                // A Jira is looked at where it is now.
                let looks = moves && ruling.agreement.kind == Kind::Jira;
                Ok(if looks { agreement::check_again(ruling.agreement) } else { ruling })
            }
            AgreementAction::Trouble(reason) => {
                agreement.reason.clone_from(reason);
                agreement.updated_at = self.now;
                Ok(agreement::unchanged(agreement))
            }
            AgreementAction::Jira(jira, secrets, url) => {
                if agreement.kind != Kind::Jira {
                    return Err(Refusal::new(422, "jira: the agreement's partner is none"));
                }
                if let Some(url) = url {
                    agreement = agreement::moved(agreement, url.clone(), self.now)?;
                }
                let known = agreement.jira.take().unwrap_or_else(|| jira.as_ref().clone());
                let service = known.service.filter(|_| known.project == jira.project);
                let (account, fields) = (known.account, known.fields);
                agreement.jira = Some(Jira { account, service, fields, ..jira.as_ref().clone() });
                agreement.updated_at = self.now;
                let mut ruling = agreement::check_again(agreement);
                ruling.access_key = secrets.clone().map(NewKey::Set);
                Ok(ruling)
            }
            AgreementAction::Speak(profile) => {
                agreement.profile = *profile;
                Ok(agreement::unchanged(agreement))
            }
        }
    }

    /// Somebody on this desk.
    fn doer(&self, agreement: &Agreement, person: Option<String>) -> Doer {
        Doer { party: agreement.direction.ours(), desk: self.options.desk.name.clone(), person }
    }

    /// An agreement of the configuration: made where it is new; where its file says something else than before, brought in
    /// line, as far as it is the file's to say. Where it stands is the file's word only at first, and so are an inbound
    /// one's terms: from then on they are the two parties'. A key that was changed since is changed again only by the file.
    fn declare(&mut self, wanted: &Agreement, key: &AccessKey) -> Done {
        let Some(before) = self.snapshot.agreements.get(&wanted.uuid).cloned() else {
            let mut ruling = agreement::declare(wanted.clone());
            ruling.access_key = Some(NewKey::Set(key.clone()));
            return Done::about(self.ruling(ruling));
        };
        let said = |agreement: &Agreement| agreement.declared_as.clone();
        if before.declared && said(&before) == said(wanted) {
            return Done::about(before);
        }
        let apart = |kind: Kind| (kind == Kind::Queue, kind == Kind::Jira);
        if apart(before.kind) != apart(wanted.kind) {
            // What is on its way would go nowhere, or be read by nobody.
            tracing::error!(
                agreement.uuid = %before.uuid, from = ?before.kind, to = ?wanted.kind,
                "a declared agreement cannot turn into a bridge or a Jira, or from one: end it, and declare a new one"
            );
            return Done::about(before);
        }
        let new_key = said(&before).map(|as_| as_.key) != said(wanted).map(|as_| as_.key);
        let mut jira = wanted.jira.clone();
        if let (Some(wanted), Some(before)) = (&mut jira, &before.jira) {
            (wanted.account, wanted.fields) = (before.account.clone(), before.fields.clone());
            wanted.service = before.service.filter(|_| before.project == wanted.project);
        }
        let agreement = Agreement {
            jira,
            name: wanted.name.clone(),
            kind: wanted.kind,
            url: wanted.url.clone(),
            local: wanted.local.clone(),
            declared: true,
            declared_as: wanted.declared_as.clone(),
            profile: wanted.profile,
            own_name: true,
            updated_at: self.now,
            ..before
        };
        let terms = agreement.direction == Direction::Outbound && !agreement.status.is_final();
        let mut ruling = agreement::unchanged(agreement.clone());
        if terms && let Ok(told) = agreement::set_terms(agreement, wanted.terms, self.now) {
            ruling = told;
        }
        if ruling.agreement.kind == Kind::Jira {
            ruling = agreement::check_again(ruling.agreement);
        }
        ruling.access_key = new_key.then(|| NewKey::Set(key.clone()));
        Done::about(self.ruling(ruling))
    }

    /// Keeps what was learnt about a Jira: whose account does it, and which ids fields have.
    pub(super) fn learn(&mut self, agreement: &Uuid, carried: &Carried) {
        let Some(mut known) = self.snapshot.agreements.get(agreement).cloned() else { return };
        let Some(jira) = &mut known.jira else { return };
        let before = jira.clone();
        jira.account = carried.account.clone().or(jira.account.take());
        jira.service = carried.service.or(jira.service);
        jira.fields.extend(carried.fields.clone());
        if *jira != before {
            self.ruling(agreement::unchanged(known));
        }
    }

    pub(super) fn attempted_agreement(&mut self, message: &Message, attempted: &Attempted) -> Answer {
        let Ok(before) = self.agreement(&message.id.owner) else { return Ok(Done::default()) };
        let ruling = match attempted {
            Attempted::Delivered | Attempted::Taken => agreement::delivered(before.clone(), self.now),
            Attempted::Carried(carried) => {
                self.learn(&before.uuid, carried);
                agreement::checked(self.agreement(&before.uuid)?, self.now)
            }
            Attempted::Rekeyed => {
                let mut ruling = agreement::delivered(before.clone(), self.now);
                ruling.access_key = Some(NewKey::Promoted);
                ruling
            }
            Attempted::Later { error: None, .. } => return Ok(Done::default()),
            Attempted::Later { error: Some(error), .. } | Attempted::Fails { why: error, .. } => {
                agreement::troubled(before.clone(), error.clone(), false, self.now)
            }
            Attempted::Parked(reason) => {
                let mut ruling = agreement::troubled(before.clone(), reason.clone(), true, self.now);
                if message.contents.rekeys {
                    ruling.access_key = Some(NewKey::Dropped);
                }
                ruling.agreement.messages += 1;
                let id = MessageId { owner: before.uuid.clone(), n: ruling.agreement.messages };
                self.dead(
                    id,
                    Some(before.uuid.clone()),
                    MessageType::DeadPartner,
                    message.body.clone(),
                    reason.clone(),
                );
                ruling
            }
        };
        if ruling.agreement != before || ruling.access_key.is_some() {
            self.ruling(ruling);
        }
        Ok(Done::default())
    }

    /// Has a parked message sent once more, as if it were new.
    pub(super) fn send_again(&mut self, message: &Message) {
        let (id, state) = (message.id.clone(), MessageState::Pending);
        self.writes.marks.push(Mark { id, command: false, state, attempts: 0, due_at: None, error: None });
    }

    /// A refused message about an agreement goes out again as it is: it says where the agreement stands.
    pub(super) fn replay_agreement(&mut self, message: &Message) -> Answer {
        let agreement = self.agreement(&message.id.owner)?;
        self.send_again(message);
        let answers =
            message.kind == MessageType::AgreementUpdate && agreement.direction == Direction::Inbound;
        if answers && agreement.status == AgreementStatus::Pending {
            // All that a receiver tells before it is in force is its acceptance.
            let accepting = Agreement { accepting: true, reason: None, ..agreement };
            return Ok(Done::about(self.ruling(agreement::unchanged(accepting))));
        }
        // An agreement that has ended may need its worker once more.
        Ok(Done::about(self.ruling(agreement::unchanged(agreement))))
    }
}

/// Local settings with those members that change; null takes one back to the usual.
fn merged(present: &Local, changes: &Map<String, Value>) -> Result<Local, Refusal> {
    let mut members = match serde_json::to_value(present) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    for (name, value) in changes {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(members))
        .map_err(|error| Refusal::new(422, format!("local: {error}")))
}
