//! What of a changed configuration a running daemon takes up, and what has to wait for its next start.

use serde_json::Value;

use crate::config::Config;

/// What is taken up at once. The certificate's files are read again whatever stands here.
const TAKEN_UP: [&str; 4] = ["desk.fields", "rules", "agreements", "log"];

/// Keys that differ and are not taken up.
pub(super) fn needs_a_start(before: &Config, after: &Config) -> Vec<String> {
    let (before, after) = (as_value(before), as_value(after));
    let mut keys = Vec::new();
    differing("", &before, &after, &mut keys);
    keys
}

/// The configuration that counts from now on: what is not taken up is as it was.
pub(super) fn taken_up(before: &Config, after: &Config) -> Config {
    let mut config = before.clone();
    config.desk.fields.clone_from(&after.desk.fields);
    config.rules.clone_from(&after.rules);
    config.agreements.clone_from(&after.agreements);
    config.log = after.log.clone();
    config
}

/// What it holds never leaves this file: keys are named, values are not.
fn as_value(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

fn differing(path: &str, before: &Value, after: &Value, keys: &mut Vec<String>) {
    if before == after || TAKEN_UP.contains(&path) {
        return;
    }
    let (Value::Object(one), Value::Object(other)) = (before, after) else {
        return keys.push(path.to_owned());
    };
    for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let null = Value::Null;
        differing(&path, one.get(name).unwrap_or(&null), other.get(name).unwrap_or(&null), keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_need_a_start_are_named_and_the_others_are_not() {
        let before = Config::default();
        let mut after = Config::default();
        after.log.level = "debug".to_owned();
        after.store.key = "secret".to_owned();
        after.delivery.retry.max = "9m".to_owned();
        assert_eq!(needs_a_start(&before, &after), ["delivery.retry.max", "store.key"]);
        assert_eq!(taken_up(&before, &after).log.level, "debug");
        assert_eq!(
            needs_a_start(&taken_up(&before, &after), &after).len(),
            2,
            "said again until it is started anew"
        );
    }
}
