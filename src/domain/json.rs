//! JSON, written into a text that is large enough from the start: growing it step by step would copy it several times.

use serde::Serialize;

/// A value as JSON of about so many bytes; how many it really is, is no matter. What cannot be written (a map whose keys are no
/// texts, of which there are none here) is an empty text.
///
/// ```
/// assert_eq!(crossdesk::domain::written(&["a", "b"], 16), r#"["a","b"]"#);
/// ```
pub fn written(value: &impl Serialize, about: usize) -> String {
    let mut bytes = Vec::with_capacity(about);
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => String::new(),
    }
}
