//! The configuration file.
#![no_main]

use std::collections::BTreeMap;

use crossdesk::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A file that it names may be read; nothing else of the machine is touched.
    if !text.contains("_file") {
        let _loaded = config::load(text, "fuzz.toml", &BTreeMap::new()).is_ok();
    }
});
