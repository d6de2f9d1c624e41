//! Names that come with every event: titles of custom fields, tags. A thread keeps each of them once, so that a busy ticket does not
//! hold dozens of copies, and two that are the same are found so at a glance.

use std::{cell::RefCell, sync::Arc};

use super::QuickSet;

/// How many names a thread keeps: then it begins anew.
const MANY: usize = 2000;
/// The longest name that is kept, in bytes: what is longer hardly comes twice.
const LONG: usize = 100;

thread_local! {
    static KEPT: RefCell<QuickSet<Arc<str>>> = RefCell::default();
    /// Where a name is put together that is looked for.
    static WHOLE: RefCell<String> = RefCell::default();
}

/// A name, in the piece of memory where it stands already if there is one.
///
/// ```
/// use std::sync::Arc;
/// use crossdesk::domain::named;
/// assert!(Arc::ptr_eq(&named("billing"), &named("billing")));
/// ```
pub fn named(name: &str) -> Arc<str> {
    if name.len() > LONG {
        return name.into();
    }
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(name) {
            return known.clone();
        }
        if kept.len() >= MANY {
            kept.clear();
        }
        let name: Arc<str> = name.into();
        kept.insert(name.clone());
        name
    })
}

/// A name behind a word, likewise.
pub(super) fn named_behind(word: &str, name: &str) -> Arc<str> {
    if word.len() + name.len() > LONG {
        return [word, name].concat().into();
    }
    WHOLE.with_borrow_mut(|whole| {
        whole.clear();
        whole.push_str(word);
        whole.push_str(name);
        named(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_names_are_kept_than_there_is_room_for() {
        let first = named("0");
        for n in 0..10 * MANY {
            assert_eq!(&*named(&n.to_string()), n.to_string());
        }
        assert!(KEPT.with_borrow(QuickSet::len) <= MANY);
        assert!(!Arc::ptr_eq(&first, &named("0")), "it was let go of");
        let long = "x".repeat(LONG + 1);
        assert!(!Arc::ptr_eq(&named(&long), &named(&long)));
        assert!(Arc::ptr_eq(&named_behind("field:", "Site"), &named("field:Site")));
        assert_eq!(&*named_behind("field:", &long), format!("field:{long}"));
    }
}
