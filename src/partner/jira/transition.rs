//! A status, by the transition that leads there.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{facts::Facts, session::Session};
use crate::{
    domain::{Carried, Obstacle, Property, Reason},
    ports::Setback,
};

/// Brings an issue to a status: the word is a transition's name, a status' name, or solved or open. Where none leads there the
/// status stays, and that is told with those that do lead somewhere.
pub(super) async fn to(
    session: &Session<'_>,
    facts: &Facts,
    issue: &str,
    word: &str,
    carried: &mut Carried,
) -> Result<(), Setback> {
    let path = [facts.version, "issue", issue];
    let shown = session.ask(Method::GET, &path, &[("fields", "status")], None).await?;
    let shown = shown.done("Jira does not show the issue")?;
    let now = &shown["fields"]["status"];
    let subject = Property::Status.to_string();
    let words = &session.errand.words;
    if is(now, word, words) {
        carried.settled.push(subject);
        return Ok(());
    }
    let path = [facts.version, "issue", issue, "transitions"];
    let expand = [("expand", "transitions.fields")];
    let answered = session.ask(Method::GET, &path, &expand, None).await?;
    let all = answered.done("Jira does not tell the transitions")?;
    let all: Vec<&Value> = all["transitions"].as_array().into_iter().flatten().collect();
    let called =
        |transition: &&&Value| same(&transition["name"], word) || same(&transition["to"]["name"], word);
    let chosen =
        all.iter().find(called).or_else(|| all.iter().find(|transition| is(&transition["to"], word, words)));
    let detail = match chosen {
        None => {
            let names: Vec<&str> = all.iter().filter_map(|transition| transition["name"].as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!(
                "no transition leads {issue} from {} to \"{word}\"; the account has: {names}",
                now["name"].as_str().unwrap_or("its status")
            )
        }
        Some(transition) => {
            let mut body = json!({"transition": {"id": transition["id"]}});
            let fields = required(transition);
            if !fields.is_empty()
                && let Value::Object(body) = &mut body
            {
                body.insert("fields".to_owned(), Value::Object(fields));
            }
            let answered = session.ask(Method::POST, &path, &[], Some(&body)).await?;
            if answered.is_done() {
                carried.settled.push(subject);
                return Ok(());
            }
            let name = transition["name"].as_str().unwrap_or_default();
            answered.words(&format!("Jira does not do the transition \"{name}\" of {issue}"))
        }
    };
    carried.obstacles.push(Obstacle { subject, reason: Reason::PartnerRefused, detail });
    Ok(())
}

/// Whether a status is what a word means. One that the agreement's map names is that alone, and not just any of its kind.
fn is(status: &Value, word: &str, words: &[String]) -> bool {
    if same(&status["name"], word) {
        return true;
    }
    let mapped = words.iter().any(|other| same(&status["name"], other));
    let category = status["statusCategory"]["key"].as_str();
    match word {
        "solved" => category == Some("done") && !mapped,
        "open" => category.is_some_and(|category| category != "done") && !mapped,
        _ => false,
    }
}

fn same(name: &Value, word: &str) -> bool {
    name.as_str().is_some_and(|name| name.to_lowercase() == word.to_lowercase())
}

/// A resolution, where a transition does not go without.
fn required(transition: &Value) -> Map<String, Value> {
    let resolution = &transition["fields"]["resolution"];
    let names: Vec<&str> = resolution["allowedValues"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|value| value["name"].as_str())
        .collect();
    let done = names.iter().find(|name| name.eq_ignore_ascii_case("done")).or_else(|| names.first());
    match done.filter(|_| resolution["required"] == true) {
        Some(name) => Map::from_iter([("resolution".to_owned(), json!({"name": name}))]),
        None => Map::new(),
    }
}
