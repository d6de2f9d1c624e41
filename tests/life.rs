//! The life of an agreement, step by step: what each party may do in each state.

use crossdesk::domain::{AgreementStatus, Party};

#[test]
fn only_the_steps_of_its_life_are_taken() {
    use AgreementStatus::{Accepted, Declined, Inactive, Pending};
    let mut taken = Vec::new();
    for from in [Pending, Accepted, Declined, Inactive] {
        for to in [Pending, Accepted, Declined, Inactive] {
            for actor in [Party::Sender, Party::Receiver] {
                let mut agreement = pending();
                agreement.status = from;
                let result = agreement.advance(to, actor, crossdesk::domain::Timestamp::from_millis(1));
                match result {
                    Ok(true) => taken.push((from.as_str(), to.as_str(), actor.as_str())),
                    Ok(false) => assert_eq!(from, to),
                    Err(error) => {
                        assert_eq!(agreement.status, from, "a refused step changes nothing");
                        assert!(error.to_string().contains(from.as_str()));
                    }
                }
            }
        }
    }
    assert_eq!(
        taken,
        [
            ("pending", "accepted", "receiver"),
            ("pending", "declined", "receiver"),
            ("pending", "inactive", "sender"),
            ("accepted", "inactive", "sender"),
            ("accepted", "inactive", "receiver"),
        ]
    );
}

/// An invite that this desk has got.
pub(crate) fn pending() -> crossdesk::domain::Agreement {
    use crossdesk::domain::{Agreement, Direction, Kind, Profile, Terms, Timestamp, Uuid};
    Agreement {
        uuid: Uuid::new("a"),
        name: "A".into(),
        direction: Direction::Inbound,
        kind: Kind::ThirdParty,
        url: None,
        status: AgreementStatus::Pending,
        deactivated_by: None,
        reason: None,
        terms: Terms::default(),
        profile: Profile::default(),
        accepting: false,
        declared: false,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        messages: 0,
        version: 0,
    }
}
