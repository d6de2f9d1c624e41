//! Reading: file, then environment, then secrets from files, then every check.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use toml::{Table, Value};

use super::{sections::Config, validate};

/// A configuration that cannot be used: where, which key, what is wrong, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(super) String);

/// What can be given as `KEY_file`: the secrets, and a program that is too long for a line.
pub(super) const SECRETS: [&str; 7] =
    ["url", "token", "access_key", "key", "webhook_secret", "command_secret", "event_filter"];

/// How many members of a list variables can make.
const MEMBERS: usize = 1000;

/// A configuration in which every list has a member, so that it is known what a variable's text is to be read as.
const ONE_OF_EACH: &str = r#"
[[desk.fields]]
title = ""
type = "text"
[[agreements]]
uuid = ""
name = ""
direction = "outbound"
kind = "queue"
status = "accepted"
[agreements.jira]
project = ""
issue_type = ""
token = ""
[[rules]]
name = ""
when = ""
share_with = ""
"#;

/// Loads a file and the variables; without a file, the defaults and the variables.
///
/// # Errors
/// The first thing that is wrong, in one line.
pub fn from_file(path: Option<&Path>, variables: &BTreeMap<String, String>) -> Result<Config, Error> {
    let Some(path) = path else { return load("", "the defaults", variables) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error(format!("{name}: cannot be read: {error}; is it the right path (--config), and text in UTF-8?"))
    })?;
    load(&text, &name, variables)
}

/// Loads a text; `name` is what errors call it.
///
/// # Errors
/// The first thing that is wrong, in one line.
pub fn load(text: &str, name: &str, variables: &BTreeMap<String, String>) -> Result<Config, Error> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        Error(format!("{name}:{line}: not TOML: {}", one_line(error.message())))
    })?;
    let mut from_environment = BTreeMap::new();
    let one_of_each: Config = toml::from_str(ONE_OF_EACH).map_err(|error| Error(error.to_string()))?;
    let known = Value::try_from(one_of_each).map_err(|error| Error(error.to_string()))?;
    let in_file: HashSet<String> = table.keys().cloned().collect();
    let mut whole = Value::Table(table);
    for (variable, raw) in variables {
        let path = place_of(variable);
        // Compose and its like set what they do not have to nothing.
        if raw.trim().is_empty() && other_form(&path).is_some() {
            continue;
        }
        let value = typed(raw, known_at(&known, &path)).map_err(|why| Error(format!("{variable}: {why}")))?;
        if !put(&mut whole, &path, value) {
            return Err(Error(format!("{variable}: {} is no section", path.join("."))));
        }
        // A variable counts before the file, whichever of its two forms a secret has there.
        if let Some(other) = other_form(&path)
            && !variables.iter().any(|(variable, raw)| place_of(variable) == other && !raw.trim().is_empty())
        {
            forget(&mut whole, &other);
        }
        from_environment.insert(named(&path), variable.clone());
    }
    let Value::Table(mut table) = whole else { return Err(Error(format!("{name}: not a table"))) };
    let source = |path: &str| {
        // Of a section that the file has, the file is the whole.
        let section = path.split(['.', '[']).next().unwrap_or_default();
        let is_of = |key: &str| within(path, key) || (within(key, path) && !in_file.contains(section));
        match from_environment.iter().find(|(key, _)| is_of(key)) {
            Some((_, variable)) => variable.clone(),
            None => name.to_owned(),
        }
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

/// Whether a key is another one, or stands in its section.
fn within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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

/// What stands at a place; of a list, whichever of its members is meant.
fn known_at<'a>(known: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(known, |value, key| match value {
        Value::Array(members) => members.first(),
        other => other.get(key),
    })
}

/// The place that a variable names.
fn place_of(variable: &str) -> Vec<String> {
    variable.trim_start_matches("CROSSDESK_").split("__").map(str::to_lowercase).collect()
}

/// Where a secret stands in its other form: as `KEY_file` or as itself.
fn other_form(path: &[String]) -> Option<Vec<String>> {
    let (key, section) = path.split_last()?;
    let other = match key.strip_suffix("_file") {
        Some(secret) => SECRETS.contains(&secret).then(|| secret.to_owned()),
        None => SECRETS.contains(&key.as_str()).then(|| format!("{key}_file")),
    };
    Some(section.iter().cloned().chain([other?]).collect())
}

/// Takes away what stands at a place.
fn forget(at: &mut Value, path: &[String]) {
    match (at, path) {
        (Value::Table(table), [key]) => drop(table.remove(key)),
        (Value::Table(table), [key, rest @ ..]) => {
            if let Some(inner) = table.get_mut(key) {
                forget(inner, rest);
            }
        }
        (Value::Array(members), [key, rest @ ..]) => {
            if let Some(inner) = key.parse().ok().and_then(|place: usize| members.get_mut(place)) {
                forget(inner, rest);
            }
        }
        _ => {}
    }
}

/// A place as errors name it.
fn named(path: &[String]) -> String {
    let mut name = String::new();
    for key in path {
        if key.parse::<usize>().is_ok() {
            name.extend(["[", key, "]"]);
        } else {
            name.extend([if name.is_empty() { "" } else { "." }, key]);
        }
    }
    name
}

/// A variable's text as the type that the key has.
fn typed(raw: &str, known: Option<&Value>) -> Result<Value, String> {
    match known {
        Some(Value::Boolean(_)) => {
            raw.parse().map(Value::Boolean).map_err(|_| format!("\"{raw}\" is neither true nor false"))
        }
        Some(Value::Integer(_)) => {
            raw.parse().map(Value::Integer).map_err(|_| format!("\"{raw}\" is no whole number"))
        }
        Some(Value::Float(_)) => raw.parse().map(Value::Float).map_err(|_| format!("\"{raw}\" is no number")),
        Some(Value::Array(_) | Value::Table(_)) => {
            let table: Table = format!("value = {raw}").parse().map_err(|_| "not a TOML value".to_owned())?;
            table.get("value").cloned().ok_or_else(|| "not a TOML value".to_owned())
        }
        _ => Ok(Value::String(raw.to_owned())),
    }
}

/// Puts a value at a place, and makes the sections and members of lists that lead there.
fn put(at: &mut Value, path: &[String], value: Value) -> bool {
    let [key, rest @ ..] = path else {
        *at = value;
        return true;
    };
    let inner = match at {
        Value::Table(table) => table.entry(key.clone()).or_insert_with(|| {
            let list = rest.first().is_some_and(|key| key.parse::<usize>().is_ok());
            if list { Value::Array(Vec::new()) } else { Value::Table(Table::new()) }
        }),
        Value::Array(members) => {
            let Some(place) = key.parse().ok().filter(|place| *place < MEMBERS) else { return false };
            if members.len() <= place {
                members.resize(place + 1, Value::Table(Table::new()));
            }
            let Some(member) = members.get_mut(place) else { return false };
            member
        }
        _ => return false,
    };
    put(inner, rest, value)
}

/// Replaces every `KEY_file` of a secret by what is in the file.
fn secrets(table: &mut Table, prefix: &str, source: &dyn Fn(&str) -> String) -> Result<(), Error> {
    for secret in SECRETS {
        let key = format!("{secret}_file");
        let place = format!("{prefix}{key}");
        let path = match table.remove(&key) {
            None => continue,
            Some(Value::String(path)) => path,
            Some(_) => {
                return Err(Error(format!(
                    "{}: {place}: must be the path of a file, in quotes",
                    source(&place)
                )));
            }
        };
        if table.contains_key(secret) {
            return Err(Error(format!(
                "{}: {place}: {prefix}{secret} is given too; keep one of them",
                source(&place)
            )));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error(format!("{}: {place}: {path} cannot be read: {error}", source(&place))))?;
        if text.trim().is_empty() {
            return Err(Error(format!(
                "{}: {place}: {path} is empty; put the secret into it",
                source(&place)
            )));
        }
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
