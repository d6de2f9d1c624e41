//! Tags: a ticket has a few, which are compared and written with every event.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

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

    fn place(&self, tag: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|one| one.as_str().cmp(tag))
    }

    /// Whether a tag is among them.
    pub fn contains(&self, tag: &str) -> bool {
        self.place(tag).is_ok()
    }

    /// Adds a tag; returns whether it is new.
    pub fn insert(&mut self, tag: Word) -> bool {
        let Err(place) = self.place(&tag) else { return false };
        self.0.insert(place, tag);
        true
    }

    /// Takes a tag away; returns whether it was there.
    pub fn remove(&mut self, tag: &str) -> bool {
        let Ok(place) = self.place(tag) else { return false };
        self.0.remove(place);
        true
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
        deserializer.deserialize_seq(ReadTags)
    }
}

struct ReadTags;

impl<'de> Visitor<'de> for ReadTags {
    type Value = TagSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TagSet, A::Error> {
        let mut tags = Vec::new();
        while let Some(tag) = list.next_element()? {
            tags.push(tag);
        }
        Ok(tags.into_iter().collect())
    }
}

impl schemars::JsonSchema for TagSet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::collections::BTreeSet::<Word>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeSet::<Word>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = Vec<Word>> {
        prop::collection::vec("[a-dÄé]{0,2}".prop_map(Word::from), 0..12)
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
            prop_assert_eq!(list.insert(Word::from(tag.as_str())), tree.insert(Word::from(tag.as_str())));
            prop_assert!(same(&list, tree.clone()));
            prop_assert_eq!(list.remove(&tag), tree.remove(tag.as_str()));
            list.extend(second);
            tree.extend(beside);
            prop_assert!(same(&list, tree));
        }
    }
}
