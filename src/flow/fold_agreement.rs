//! Changes of agreements, laid over a snapshot.

use super::{
    change::{AgreementAction, Answer, Attempted, Change, Done},
    writes::Batch,
};
use crate::{
    domain::{
        AccessKey, Agreement, AgreementStatus, Direction, Doer, Message, MessageId, MessageState,
        MessageType, Uuid,
    },
    engine::{
        Refusal,
        agreement::{self, NewKey},
    },
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
                let sharing_url = &self.options.desk.sharing_url;
                let ruling = agreement::invited(uuid.clone(), told, sharing_url, decline, self.now)?;
                let agreement = Some(self.ruling(ruling));
                Ok(Done { created: true, agreement, ..Done::default() })
            }
            Change::Told { uuid, told, known_key } => {
                let agreement = self.agreement(uuid)?;
                let ruling = agreement::changed_by_partner(agreement.clone(), told, known_key, self.now)?;
                if ruling.agreement == agreement
                    && ruling.access_key.is_none()
                    && ruling.partner_fields.is_none()
                {
                    return Ok(Done { agreement: Some(agreement), ..Done::default() });
                }
                Ok(Done { agreement: Some(self.ruling(ruling)), ..Done::default() })
            }
            Change::Invite(invite) => {
                let agreement = Some(self.ruling(agreement::invite(invite.as_ref().clone(), self.now)));
                Ok(Done { created: true, agreement, ..Done::default() })
            }
            Change::Declare(declared) => Ok(self.declare(&declared.0, &declared.1)),
            Change::Agreement(uuid, action) => {
                let before = self.agreement(uuid)?;
                let ruling = self.act(before.clone(), action)?;
                if ruling.agreement == before && ruling.access_key.is_none() {
                    return Ok(Done { agreement: Some(before), ..Done::default() });
                }
                Ok(Done { agreement: Some(self.ruling(ruling)), ..Done::default() })
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
            AgreementAction::Expire => Ok(agreement::expire(agreement, &self.options.desk.name, self.now)),
            AgreementAction::Edit { terms, name, profile, local } => {
                if let Some(local) = local {
                    agreement.local = local.as_ref().clone();
                    agreement.updated_at = self.now;
                }
                agreement.profile = profile.unwrap_or(agreement.profile);
                if let Some(name) = name {
                    agreement.name.clone_from(name);
                    agreement.updated_at = self.now;
                }
                match terms {
                    Some(terms) => agreement::set_terms(agreement, *terms, self.now),
                    None => Ok(agreement::unchanged(agreement)),
                }
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

    /// An agreement of the configuration: made where it is new, brought in line where its file says otherwise. Where it
    /// stands is the file's word only at first; from then on it is the two parties'.
    fn declare(&mut self, wanted: &Agreement, key: &AccessKey) -> Done {
        let mut agreement = wanted.clone();
        if let Some(before) = self.snapshot.agreements.get(&wanted.uuid) {
            agreement = Agreement {
                name: wanted.name.clone(),
                kind: wanted.kind,
                url: wanted.url.clone(),
                terms: wanted.terms,
                local: wanted.local.clone(),
                declared: true,
                ..before.clone()
            };
            if agreement == *before {
                return Done { agreement: Some(agreement), ..Done::default() };
            }
        }
        let mut ruling = agreement::unchanged(agreement);
        ruling.access_key = Some(NewKey::Set(key.clone()));
        Done { agreement: Some(self.ruling(ruling)), ..Done::default() }
    }

    pub(super) fn attempted_agreement(&mut self, message: &Message, attempted: &Attempted) -> Answer {
        let Ok(before) = self.agreement(&message.id.owner) else { return Ok(Done::default()) };
        let ruling = match attempted {
            Attempted::Delivered => agreement::delivered(before.clone(), self.now),
            Attempted::Rekeyed => {
                let mut ruling = agreement::delivered(before.clone(), self.now);
                ruling.access_key = Some(NewKey::Promoted);
                ruling
            }
            Attempted::Later { error: None, .. } => return Ok(Done::default()),
            Attempted::Later { error: Some(error), .. } => {
                let reason = format!("the partner cannot be reached, and is tried again: {error}");
                agreement::troubled(before.clone(), reason, false, self.now)
            }
            Attempted::Parked(reason) => {
                let mut ruling = agreement::troubled(before.clone(), reason.clone(), true, self.now);
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

    /// A refused message about an agreement goes out again as it is: it says where the agreement stands.
    pub(super) fn replay_agreement(&mut self, message: &Message) -> Answer {
        let agreement = self.agreement(&message.id.owner)?;
        let state = MessageState::Pending;
        self.writes.marks.push(Mark {
            id: message.id.clone(),
            command: false,
            state,
            attempts: 0,
            due_at: None,
            error: None,
        });
        let answers =
            message.kind == MessageType::AgreementUpdate && agreement.direction == Direction::Inbound;
        if answers && agreement.status == AgreementStatus::Pending {
            // All that a receiver tells before it is in force is its acceptance.
            let accepting = Agreement { accepting: true, reason: None, ..agreement };
            let agreement = Some(self.ruling(agreement::unchanged(accepting)));
            return Ok(Done { agreement, ..Done::default() });
        }
        // An agreement that has ended may need its worker once more.
        self.agreements_changed = true;
        Ok(Done { agreement: Some(agreement), ..Done::default() })
    }
}
