//! Tags: a ticket has a few, which are compared and written with every event; and what they last were between two sides.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Word;

/// Some tags, in their order, each once: a sorted list in one piece, which for so few is quicker than a tree.
///
/// ```
/// use crossdesk::domain::TagSet;
/// let tags: TagSet = ["vip", "billing", "vip"].into_iter().map(Into::into).collect();
/// assert!(tags.contains("vip") && tags.len() == 2);
/// assert_eq!(serde_json::to_string(&tags).unwrap(), r#"["billing","vip"]"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TagSet(Vec<Word>);

/// The tags of a ticket. The same set stands in many places at once, as a [`Shared`](super::Shared) value does.
pub type Tags = Arc<TagSet>;

impl TagSet {
    /// No tags.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Word> {
        self.0.iter()
    }

    /// Whether a tag is among them.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.binary_search_by(|one| one.as_str().cmp(tag)).is_ok()
    }

    /// Keeps those that are wanted.
    pub fn retain(&mut self, wanted: impl FnMut(&Word) -> bool) {
        self.0.retain(wanted);
    }

    /// Those that the other set has not.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        Self(self.iter().filter(|tag| !other.contains(tag)).cloned().collect())
    }

    /// Those that one of both has.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.iter().chain(other).cloned().collect()
    }
}

impl Extend<Word> for TagSet {
    fn extend<I: IntoIterator<Item = Word>>(&mut self, tags: I) {
        self.0.extend(tags);
        // Some more behind what is in order already: this finds that at a glance, unlike the unstable one.
        self.0.sort();
        self.0.dedup();
    }
}

impl FromIterator<Word> for TagSet {
    fn from_iter<I: IntoIterator<Item = Word>>(tags: I) -> Self {
        let mut set = Self::new();
        set.extend(tags);
        set
    }
}

impl IntoIterator for TagSet {
    type Item = Word;
    type IntoIter = std::vec::IntoIter<Word>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a TagSet {
    type Item = &'a Word;
    type IntoIter = std::slice::Iter<'a, Word>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl Serialize for TagSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TagSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Word>::deserialize(deserializer).map(|tags| tags.into_iter().collect())
    }
}

impl schemars::JsonSchema for TagSet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        BTreeSet::<Word>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        BTreeSet::<Word>::json_schema(generator)
    }
}

/// What the tags last were between the two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagsExchange {
    /// As the wire said them.
    pub wire: Tags,
    /// As they read on this desk.
    pub here: Tags,
    /// Tags whose change the partner has not been seen to know, with the number of our message that told it.
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub told: LiteMap<Arc<str>, i64>,
    /// Tags that this desk writes in its own way, and what they are on the wire.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<Word, Word>,
}

impl TagsExchange {
    /// What changed since, in the wire's words: what this desk writes in its own way is the same tag.
    pub fn changes(&self, here: &TagSet) -> (TagSet, TagSet) {
        if self.names.is_empty() {
            return (here.less(&self.here), self.here.less(here));
        }
        let on_wire = |tags: &TagSet| -> TagSet { tags.iter().map(|tag| self.on_wire(tag)).collect() };
        let (now, before) = (on_wire(here), on_wire(&self.here));
        (now.less(&before), before.less(&now))
    }

    /// Notes how this desk writes tags of the wire, where it has them as the wire says them.
    pub fn reads_here(&mut self, written: &[(Word, Word)]) {
        if !written.iter().any(|(wire, _)| self.here.contains(wire)) {
            return;
        }
        // As a tree, since there may be as many as a partner likes.
        let mut here: BTreeSet<Word> = self.here.iter().cloned().collect();
        for (wire, own) in written {
            if here.remove(wire) {
                here.insert(own.clone());
                self.names.insert(own.clone(), wire.clone());
            }
        }
        self.here = Tags::new(here.into_iter().collect());
    }

    /// What a tag of this desk is on the wire.
    pub fn on_wire(&self, here: &str) -> Word {
        self.names.get(here).cloned().unwrap_or_else(|| here.into())
    }

    /// What tags of the wire are on this desk.
    pub fn on_desk(&self, wire: &TagSet) -> TagSet {
        let mut own: HashMap<&Word, &Word> = HashMap::new();
        for (here, told) in self.names.iter().filter(|(here, _)| self.here.contains(here)) {
            own.entry(told).or_insert(here);
        }
        wire.iter().map(|tag| own.get(tag).copied().unwrap_or(tag).clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = Vec<Word>> {
        prop::collection::vec("[a-dÄé]{0,2}".prop_map(Word::from), 0..12)
    }

    fn tags(tags: &[&str]) -> TagSet {
        tags.iter().map(|tag| Word::from(*tag)).collect()
    }

    #[test]
    fn tags_that_the_desk_writes_in_its_own_way_are_the_same_on_the_wire() {
        let set = Tags::new(tags(&["Big", "VIP", "new"]));
        let mut exchange = TagsExchange { wire: set.clone(), here: set, ..TagsExchange::default() };
        let written = [("VIP", "vip"), ("Big", "big"), ("Gone", "gone")];
        exchange.reads_here(&written.map(|(wire, own)| (wire.into(), own.into())));
        assert_eq!(*exchange.here, tags(&["big", "new", "vip"]));
        assert_eq!(*exchange.wire, tags(&["Big", "VIP", "new"]));
        assert_eq!(exchange.on_desk(&exchange.wire), *exchange.here);
        assert_eq!(exchange.on_desk(&tags(&["Gone"])), tags(&["Gone"]));
        assert_eq!(exchange.changes(&tags(&["big", "vip", "x"])), (tags(&["x"]), tags(&["new"])));
    }

    proptest! {
        #[test]
        fn it_is_what_a_tree_would_be(one in some(), other in some(), tag in "[a-d]{0,2}") {
            let tree: BTreeSet<Word> = one.iter().cloned().collect();
            let beside: BTreeSet<Word> = other.iter().cloned().collect();
            let (mut list, second): (TagSet, TagSet) = (one.into_iter().collect(), other.into_iter().collect());
            let same = |list: &TagSet, tree: BTreeSet<Word>| list.iter().cloned().eq(tree);
            prop_assert!(same(&list, tree.clone()));
            prop_assert!(same(&list.less(&second), &tree - &beside) && same(&list.with(&second), &tree | &beside));
            prop_assert_eq!(list.contains(&tag), tree.contains(tag.as_str()));
            let text = serde_json::to_string(&list).unwrap_or_default();
            prop_assert_eq!(&text, &serde_json::to_string(&tree).unwrap_or_default());
            prop_assert_eq!(serde_json::from_str::<TagSet>(&text).ok(), Some(list.clone()));
            let mut tree = tree;
            list.extend(second);
            tree.extend(beside);
            prop_assert!(same(&list, tree));
        }
    }
}
