//! What the desk says.
#![no_main]

use crossdesk::{domain::Namespace, wire::desk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _read = desk::decode(bytes, &Namespace::of("desk.example/sharing")).is_ok();
});
