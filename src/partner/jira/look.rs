//! Whether everything that tickets will need is there.

use reqwest::Method;

use super::{
    facts::{Facts, names},
    session::Session,
};
use crate::{
    domain::{Catalogue, CustomField, FieldType, Title, Visibility},
    ports::{Looked, Point, Setback},
    wire::jira::Field,
};

/// What an agreement cannot begin without.
pub(super) fn must_do(session: &Session<'_>, facts: &Facts) -> Result<(), Setback> {
    let wanted = &session.errand.jira.issue_type;
    if facts.types.iter().any(|name| name.eq_ignore_ascii_case(wanted)) || facts.types.is_empty() {
        return Ok(());
    }
    Err(Setback::Refused(format!(
        "the project {} has no issue type \"{wanted}\"; it has {}",
        facts.project,
        facts.types.join(", ")
    )))
}

/// Looks at everything, point by point.
pub(super) async fn look(session: &Session<'_>, facts: &Facts) -> Result<Looked, Setback> {
    let jira = &session.errand.jira;
    let mut points = Vec::new();
    let mut point = |what: &str, ok: bool, detail: String| {
        points.push(Point { what: what.to_owned(), ok, detail });
    };
    let kind = if facts.cloud { "Cloud" } else { "Data Center" };
    point("credentials", true, format!("Jira {kind} knows the account as {}", facts.called));
    let service = if facts.service { ", a service project" } else { "" };
    point("project", true, format!("{} is {}{service}", jira.project, facts.project));
    let typed = must_do(session, facts);
    let said =
        typed.as_ref().err().map_or_else(|| format!("{} is there", jira.issue_type), ToString::to_string);
    point("issue type", typed.is_ok(), said);
    let (restricted, said) = match &jira.visibility {
        Some(Visibility::Role(role)) => (true, format!("private comments are for the role {role}")),
        Some(Visibility::Group(group)) => (true, format!("private comments are for the group {group}")),
        None if facts.service => (true, "private comments are internal ones".to_owned()),
        None => (false, "private comments stay here: give jira.visibility a role or a group".to_owned()),
    };
    point("private comments", restricted, said);
    let path = [facts.version, "project", &jira.project, "statuses"];
    let statuses = session.ask(Method::GET, &path, &[], None).await?;
    let statuses = statuses.done("Jira does not tell the statuses")?;
    let of_type = statuses.as_array().into_iter().flatten();
    let of_type = of_type.filter(|known| {
        known["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&jira.issue_type))
    });
    let there: Vec<String> = of_type.flat_map(|known| names(&known["statuses"])).collect();
    for word in &session.errand.words {
        let known = there.iter().any(|name| name.eq_ignore_ascii_case(word));
        let said = if known {
            format!("\"{word}\" is a status of {}", jira.issue_type)
        } else {
            format!(
                "\"{word}\" is no status of {} ({}); whether a transition is called so is seen at an issue only",
                jira.issue_type,
                there.join(", ")
            )
        };
        point("transition", known, said);
    }
    let fields = facts.fields.iter().filter_map(described).collect();
    Ok(Looked { points, fields: Catalogue::new(fields) })
}

/// A custom field as help desks describe theirs. Which options one has is not told with it, so it counts as text.
fn described(field: &Field) -> Option<CustomField> {
    let kind = match (field.kind.as_str(), field.items.as_str()) {
        ("string", _) if field.is_long => FieldType::Textarea,
        ("string" | "option", _) => FieldType::Text,
        ("number", _) => FieldType::Decimal,
        ("date", _) => FieldType::Date,
        ("array", "option" | "string") => FieldType::Multiselect,
        _ => return None,
    };
    Some(CustomField { title: Title::new(&field.name), kind, options: Vec::new() })
}
