//! What partners say of agreements.
#![no_main]

use crossdesk::wire::nhd;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _read = nhd::read_agreement(bytes).is_ok();
});
