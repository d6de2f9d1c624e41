//! Instants in the many forms that partners write.
#![no_main]

use crossdesk::wire::date;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(at) = date::parse(text) {
        assert!(date::parse(&date::to_wire(at)).is_some(), "what is read can be written");
    }
});
