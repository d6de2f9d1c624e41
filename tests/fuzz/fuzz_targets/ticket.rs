//! What partners say of tickets: what is read can be written and read again.
#![no_main]

use crossdesk::{
    domain::{Privacy, Uuid},
    wire::nhd,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let uuid = Uuid::new("t");
    if let Ok(update) = nhd::read_ticket(bytes, &uuid, Privacy::Private) {
        let again = nhd::read_ticket(nhd::ticket(&update).as_bytes(), &uuid, Privacy::Private);
        let again = again.expect("what was read can be written and read again");
        assert_eq!(again.comments.len(), update.comments.len());
        for (one, other) in again.comments.iter().zip(&update.comments) {
            assert_eq!(one.privacy(), other.privacy(), "privacy is kept");
        }
    }
});
