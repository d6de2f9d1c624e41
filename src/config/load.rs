//! Reading: file, then environment, then secrets from files, then every check.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::{sections::Config, validate};

/// A configuration that cannot be used: where, which key, what is wrong, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(super) String);

/// What can be given as `KEY_file`: the secrets, and a program that is too long for a line.
const SECRETS: [&str; 7] =
    ["url", "token", "access_key", "key", "webhook_secret", "command_secret", "event_filter"];

/// The JSON Schema of the configuration.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

/// Loads a file and the variables; without a file, the defaults and the variables.
///
/// # Errors
/// The first thing that is wrong, in one line.
pub fn from_file(path: Option<&Path>, variables: &BTreeMap<String, String>) -> Result<Config, Error> {
    let Some(path) = path else { return load("", "the defaults", variables) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error(format!("{name}: cannot be read: {error}; give its path with --config")))?;
    load(&text, &name, variables)
}

/// Loads a text; `name` is what errors call it.
///
/// # Errors
/// The first thing that is wrong, in one line.
pub fn load(text: &str, name: &str, variables: &BTreeMap<String, String>) -> Result<Config, Error> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        Error(format!("{name}:{line}: not TOML: {}", one_line(error.message())))
    })?;
    let mut from_environment = BTreeMap::new();
    let defaults = Value::try_from(Config::default()).map_err(|error| Error(error.to_string()))?;
    for (variable, raw) in variables {
        let path: Vec<String> =
            variable.trim_start_matches("CROSSDESK_").split("__").map(str::to_lowercase).collect();
        let value =
            typed(raw, default_at(&defaults, &path)).map_err(|why| Error(format!("{variable}: {why}")))?;
        if !put(&mut table, &path, value) {
            return Err(Error(format!("{variable}: {} is no section", path.join("."))));
        }
        from_environment.insert(path.join("."), variable.clone());
    }
    let source = |path: &str| match from_environment.iter().find(|(key, _)| path.starts_with(key.as_str())) {
        Some((_, variable)) => variable.clone(),
        None => name.to_owned(),
    };
    secrets(&mut table, "", &source)?;
    status_maps(&mut table);
    let config: Config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let message = one_line(error.inner().message());
        // What stands where a secret belongs is not repeated.
        let secret = SECRETS.iter().any(|secret| path.rsplit('.').next() == Some(*secret));
        let message = if secret { "must be a text, in quotes".to_owned() } else { message };
        let from = source(&path);
        let line = if from == name { line_of(text, &path) } else { String::new() };
        Error(format!("{from}{line}: {path}: {message}"))
    })?;
    validate::check(&config).map_err(|(key, why)| Error(format!("{}: {key}: {why}", source(&key))))?;
    Ok(config)
}

/// `[agreements.status]` is short for `[agreements.local.status]`: then `agreement` in it says where the agreement stands.
fn status_maps(table: &mut Table) {
    let agreements = table.get_mut("agreements").and_then(Value::as_array_mut);
    for agreement in agreements.into_iter().flatten().filter_map(Value::as_table_mut) {
        if !agreement.get("status").is_some_and(Value::is_table) {
            continue;
        }
        let Some(Value::Table(mut map)) = agreement.remove("status") else { continue };
        let stands = map.remove("agreement").unwrap_or_else(|| Value::from("accepted"));
        agreement.insert("status".to_owned(), stands);
        let local = agreement.entry("local").or_insert_with(|| Value::Table(Table::new()));
        if let Some(local) = local.as_table_mut() {
            local.insert("status".to_owned(), Value::Table(map));
        }
    }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The line of a key, for a reader to jump to; nothing where it stands in more than one.
fn line_of(text: &str, path: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or_default().split('[').next().unwrap_or_default();
    let is_it = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let lines: Vec<usize> =
        text.lines().zip(1..).filter(|(line, _)| is_it(line)).map(|(_, number)| number).collect();
    match lines.as_slice() {
        [line] => format!(":{line}"),
        _ => String::new(),
    }
}

fn default_at<'a>(defaults: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(defaults, |value, key| value.get(key))
}

/// A variable's text as the type that the key has by default.
fn typed(raw: &str, default: Option<&Value>) -> Result<Value, String> {
    match default {
        Some(Value::Boolean(_)) => {
            raw.parse().map(Value::Boolean).map_err(|_| format!("\"{raw}\" is neither true nor false"))
        }
        Some(Value::Integer(_)) => {
            raw.parse().map(Value::Integer).map_err(|_| format!("\"{raw}\" is no whole number"))
        }
        Some(Value::Array(_) | Value::Table(_)) => {
            let table: Table = format!("value = {raw}").parse().map_err(|_| "not a TOML value".to_owned())?;
            table.get("value").cloned().ok_or_else(|| "not a TOML value".to_owned())
        }
        _ => Ok(Value::String(raw.to_owned())),
    }
}

fn put(table: &mut Table, path: &[String], value: Value) -> bool {
    match path {
        [] => false,
        [key] => {
            table.insert(key.clone(), value);
            true
        }
        [section, rest @ ..] => {
            let inner = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().is_some_and(|inner| put(inner, rest, value))
        }
    }
}

/// Replaces every `KEY_file` of a secret by what is in the file.
fn secrets(table: &mut Table, prefix: &str, source: &dyn Fn(&str) -> String) -> Result<(), Error> {
    for secret in SECRETS {
        let key = format!("{secret}_file");
        let Some(Value::String(path)) = table.remove(&key) else { continue };
        let place = format!("{prefix}{key}");
        if table.contains_key(secret) {
            return Err(Error(format!(
                "{}: {place}: {prefix}{secret} is given too; keep one of them",
                source(&place)
            )));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error(format!("{}: {place}: {path} cannot be read: {error}", source(&place))))?;
        table.insert(secret.to_owned(), Value::String(text.trim().to_owned()));
    }
    for (key, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => secrets(inner, &format!("{prefix}{key}."), source)?,
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    if let Value::Table(inner) = item {
                        secrets(inner, &format!("{prefix}{key}[{at}]."), source)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
