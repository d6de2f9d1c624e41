//! How much comes in: invites, since anybody can send one, and requests under each agreement.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{Comment, Property, Shared, TicketUpdate, Timestamp, Uuid},
    engine::Refusal,
    flow::options::Limits,
};

/// How many HTML tags one request may hold.
const HTML_TAGS: usize = 20_000;
/// How deep they may be nested: to clean them takes a time that grows with the square of that.
const HTML_DEPTH: usize = 500;
/// How many attachments one request may hold.
const ATTACHMENTS: usize = 10_000;
/// Of how many values all fields of one request may be made, and how deep one may be nested: in memory an empty list takes ten times what
/// it takes in JSON.
const VALUES: usize = 20_000;
const DEPTH: usize = 32;
/// How many bytes a uuid, a ticket's number or the title of a custom field may have: a database finds things by them.
const NAME: usize = 500;
/// From so many agreements on, gates of those that have been quiet are forgotten.
const GATES: usize = 10_000;

/// A bucket that fills by the minute; an invite takes one drop. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    per_minute: u32,
    level: Arc<Mutex<(f64, Timestamp)>>,
}

impl Gate {
    pub(super) fn new(per_minute: u32, now: Timestamp) -> Self {
        Self { per_minute, level: Arc::new(Mutex::new((f64::from(per_minute), now))) }
    }

    /// Whether nobody has come for so long that a new gate would be the same.
    fn is_full(&self, now: Timestamp) -> bool {
        let state = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = f64::from(self.per_minute);
        state.0 + now.since(state.1).as_secs_f64() * rate / 60.0 >= rate
    }

    /// Whether one more may come in now.
    pub(super) fn lets_in(&self, now: Timestamp) -> bool {
        let mut state = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = f64::from(self.per_minute);
        let level = (state.0 + now.since(state.1).as_secs_f64() * rate / 60.0).min(rate);
        let lets = level >= 1.0;
        *state = (if lets { level - 1.0 } else { level }, now);
        lets
    }
}

/// A gate for each agreement that asks. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gates {
    per_minute: u32,
    gates: Arc<Mutex<HashMap<Uuid, Gate>>>,
}

impl Gates {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, gates: Arc::default() }
    }

    /// Whether one more request may come in under an agreement now.
    pub(super) fn lets_in(&self, agreement: &Uuid, now: Timestamp) -> bool {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(agreement) {
            return gate.lets_in(now);
        }
        if gates.len() >= GATES {
            gates.retain(|_, gate| !gate.is_full(now));
        }
        gates.entry(agreement.clone()).or_insert_with(|| Gate::new(self.per_minute, now)).lets_in(now)
    }
}

impl Limits {
    /// Whether a ticket is no larger than partners may send.
    ///
    /// # Errors
    /// 422 with what there is too much of, and how much may be.
    pub(in crate::flow) fn admit(&self, update: &TicketUpdate) -> Result<(), Refusal> {
        let fields =
            update.properties.keys().filter(|property| matches!(property, Property::Field(_))).count();
        let told = update.extra.as_ref();
        let told = told.map_or(0, |extra| extra.tags_added.len().max(extra.tags_removed.len()));
        let tags = update.tags.as_ref().map_or(0, |tags| tags.len()).max(told);
        let attachments = update.comments.iter().map(|comment| comment.attachments.len()).sum();
        let extents = update.properties.values().map(Shared::extent);
        let (depth, values) =
            extents.fold((0, 0), |(depth, values), (deep, many)| (deep.max(depth), values + many));
        for (what, count, limit) in [
            ("comments in one request", update.comments.len(), self.comments),
            ("tags", tags, self.tags),
            ("custom fields in one request", fields, self.fields),
            ("attachments in one request", attachments, ATTACHMENTS),
            ("values in the fields of one request", values, VALUES),
            ("levels of lists in a field", depth, DEPTH),
        ] {
            if count > limit {
                return Err(Refusal::new(422, format!("{count} {what}: this desk takes {limit} at most")));
            }
        }
        let authors = update.comments.iter().map(|comment| &comment.author);
        let people = update.requester.iter().chain(&update.actor).chain(authors).map(|person| &person.uuid);
        let uuids = people.chain(update.comments.iter().map(|comment| &comment.uuid)).map(Uuid::as_str);
        let titles = update.properties.keys().filter_map(|property| match property {
            Property::Field(title) => Some(title.as_str()),
            _ => None,
        });
        let mut names = uuids.chain(titles).chain(update.original_id.as_deref());
        if let Some(name) = names.find(|name| name.len() > NAME) {
            let begins: String = name.chars().take(40).collect();
            return Err(Refusal::new(
                422,
                format!(
                    "the name that begins \"{begins}\" is longer than the {NAME} bytes that this desk takes"
                ),
            ));
        }
        let tags = |comment: &Arc<Comment>| {
            comment.html_body.as_ref().map_or(0, |html| html.bytes().filter(|byte| *byte == b'<').count())
        };
        let count: usize = update.comments.iter().map(tags).sum();
        if count > HTML_TAGS {
            return Err(Refusal::new(
                422,
                format!("{count} HTML tags in one request: this desk takes {HTML_TAGS} at most"),
            ));
        }
        let html = update.comments.iter().filter_map(|comment| comment.html_body.as_deref());
        if html.clone().any(|html| nesting(html) > HTML_DEPTH) {
            return Err(Refusal::new(
                422,
                format!("HTML is nested more than {HTML_DEPTH} deep: this desk does not take that"),
            ));
        }
        let size = |comment: &Comment| {
            comment
                .body
                .chars()
                .count()
                .max(comment.html_body.as_ref().map_or(0, |html| html.chars().count()))
        };
        match update.comments.iter().find(|comment| size(comment) > self.comment_length) {
            Some(comment) => Err(Refusal::new(
                422,
                format!(
                    "comment {} is longer than the {} characters that this desk takes",
                    comment.uuid, self.comment_length
                ),
            )),
            None => Ok(()),
        }
    }
}

/// How deep tags of HTML are nested at most. Those do not count that have nothing inside, or that the next of their kind ends.
fn nesting(html: &str) -> usize {
    const FLAT: [&str; 20] = [
        "area", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
        "source", "td", "th", "tr", "track", "wbr",
    ];
    let mut open: HashMap<String, usize> = HashMap::new();
    let (mut depth, mut deepest) = (0_usize, 0);
    for tag in html.split('<').skip(1) {
        let (ends, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name = tag.split(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || FLAT.contains(&name.as_str()) {
            continue;
        }
        let same = open.entry(name).or_default();
        if !ends {
            (*same, depth) = (*same + 1, depth + 1);
        } else if *same > 0 {
            // One that ends nothing changes nothing.
            (*same, depth) = (*same - 1, depth - 1);
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_as_deep_as_its_tags_stand_in_each_other() {
        assert_eq!(nesting("1 < 2 and <b>bold</b>, <i>not</i><br><img src='x'>"), 1);
        assert_eq!(nesting("<p>one<p>two<ul><li>a<li>b<ul><li>c</ul></ul>"), 2);
        assert_eq!(nesting(&"<DIV class='x'>".repeat(700)), 700);
        assert_eq!(nesting(&"</div>".repeat(7)), 0);
        assert_eq!(nesting(&"<div></x>".repeat(7)), 7);
        assert_eq!(nesting(&"<p-x>".repeat(7)), 7);
    }

    #[test]
    fn a_minute_lets_in_so_many_and_the_next_minute_as_many_again() {
        let at = Timestamp::from_millis;
        let gate = Gate::new(3, at(0));
        let passed = |now| (0..10).filter(|_| gate.lets_in(at(now))).count();
        assert_eq!((passed(0), passed(1_000), passed(20_000), passed(600_000)), (3, 0, 1, 3));
    }
}
