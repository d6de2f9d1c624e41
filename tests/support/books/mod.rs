//! What a desk and its partners have of the tickets they share, without the ways it came by; and whether it is all right.

mod desk;
mod partner;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use desk::DeskBooks;
pub(crate) use partner::PartnerBooks;

/// How many differences are told.
const TOLD: usize = 20;

/// Numbers that are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of so many.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default() % sides
    }
}

/// What is not the same on both sides: every comment once and in order, the last values, every ticket and user made once.
pub(crate) fn differences<'a>(
    desk: &DeskBooks,
    sharing_url: &str,
    partners: impl Iterator<Item = &'a PartnerBooks> + Clone,
) -> Vec<String> {
    let mut found = Vec::new();
    if desk.waiting() > 0 {
        found.push(format!("{} events wait on the desk", desk.waiting()));
    }
    for (n, partner) in partners.clone().enumerate() {
        if partner.waiting() > 0 {
            found.push(format!("{} changes wait at partner {n}", partner.waiting()));
        }
    }
    // What the desk has of its own tickets is what the partners have.
    let has: BTreeMap<String, Value> = partners.clone().flat_map(PartnerBooks::tickets).collect();
    for (uuid, wanted) in desk.shared(sharing_url) {
        match has.get(&uuid) {
            Some(there) if *there == wanted => {}
            Some(there) => found.push(format!("ticket {uuid}: the desk has {wanted}, the partner {there}")),
            None => found.push(format!("ticket {uuid} is at no partner")),
        }
    }
    // What the partners have shared is on the desk, once.
    for (uuid, wanted) in partners.flat_map(PartnerBooks::shared) {
        match desk.received(&uuid).as_slice() {
            [there] if there == wanted => {}
            there => found.push(format!("ticket {uuid} of a partner: it has {wanted:?}, the desk {there:?}")),
        }
    }
    for (uuid, commands) in desk.users_made() {
        if commands > 1 {
            found.push(format!("{commands} commands make user {uuid}"));
        }
    }
    found.truncate(TOLD);
    found
}
