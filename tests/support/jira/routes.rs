//! The REST API of the tests' Jira.

use std::sync::{Arc, Mutex};

use axum::{
    body::Bytes,
    extract::State as Extract,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use super::{ACCOUNT, EMAIL, Issue, State, Trick, status, written_now};

type Answer = (u16, Value);

pub(super) async fn answer(
    Extract(state): Extract<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let version = if state.cloud { "/rest/api/3" } else { "/rest/api/2" };
    let path = uri.path().to_owned();
    // Both kinds tell in version 2 what they are.
    let spoken = [version, "/rest/api/2"].iter().find_map(|version| path.strip_prefix(version));
    let known = path == "/rest/api/2/serverInfo" || path.starts_with(version);
    let Some(rest) = spoken.filter(|_| known) else {
        return reply(404, &[], &json!({"errorMessages": [format!("{path} is not here")]}));
    };
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let canonical = format!("/rest/api/3{rest}");
    let name = method.as_str().to_owned();
    state.requests.push(format!("{name} {rest}"));
    if let Some(fault) = state.contract.fault(&name, &canonical, &query, &body) {
        state.faults.push(fault);
    }
    if !may(&state, &headers) {
        return reply(401, &[], &json!({"errorMessages": ["You are not authenticated."]}));
    }
    let asked = format!("{name} {rest}");
    let trick = state.tricks.iter().position(|(request, _)| asked.contains(request));
    let trick = trick.and_then(|at| state.tricks.remove(at)).map(|(_, trick)| trick);
    if let Some(Trick::Refuse(status, headers, body)) = trick {
        return reply(status, &headers, &body);
    }
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let (status, said) = serve(&mut state, &name, &parts, &query, &body);
    if let Some(fault) = state.contract.answer_fault(&name, &canonical, status, &said) {
        state.faults.push(format!("this Jira's own answer: {fault}"));
    }
    if let Some(Trick::Bury(count)) = trick {
        for _ in 0..count {
            state.comment_of_kim("Me too.", &Value::Null);
        }
    }
    match trick {
        // As good as a connection that breaks: the other side cannot know what became of its request.
        Some(Trick::Lose | Trick::Bury(_)) => reply(502, &[], &json!({})),
        _ => reply(status, &[], &said),
    }
}

fn reply(status: u16, headers: &[(&'static str, String)], body: &Value) -> Response {
    let text = if status == 204 { String::new() } else { body.to_string() };
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn may(state: &State, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = if state.cloud {
        format!("Basic {}", BASE64.encode(format!("{EMAIL}:{}", state.token)))
    } else {
        format!("Bearer {}", state.token)
    };
    given == wanted
}

fn gone(what: &str) -> Answer {
    (
        404,
        json!({"errorMessages": [format!("{what} does not exist or you do not have permission to see it.")]}),
    )
}

fn serve(
    state: &mut State,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    body: &Value,
) -> Answer {
    match (method, parts) {
        ("GET", ["serverInfo"]) => {
            let kind = if state.cloud { "Cloud" } else { "Server" };
            (200, json!({"deploymentType": kind, "version": "1001.0.0", "serverTitle": "Jira"}))
        }
        ("GET", ["myself"]) => (200, state.user(ACCOUNT, "Crossdesk")),
        ("GET", ["field"]) => {
            let custom = state.custom.iter().map(|(id, name, schema)| {
                json!({"id": id, "key": id, "name": name, "custom": true, "schema": schema})
            });
            let summary =
                json!({"id": "summary", "name": "Summary", "custom": false, "schema": {"type": "string"}});
            (200, custom.chain([summary]).collect())
        }
        ("GET", ["priority"]) => {
            let names = ["Highest", "High", "Medium", "Low", "Lowest"];
            (200, names.iter().map(|name| json!({"name": name, "id": name})).collect())
        }
        ("GET", ["project", "SUP"]) => {
            let kind = if state.service { "service_desk" } else { "software" };
            (
                200,
                json!({"id": "1", "key": "SUP", "name": "Support", "projectTypeKey": kind,
                "issueTypes": [{"id": "1", "name": "Task"}, {"id": "2", "name": "Bug"}]}),
            )
        }
        ("GET", ["project", "SUP", "statuses"]) => {
            let statuses: Vec<Value> = state.workflow.keys().map(|name| status(name)).collect();
            (200, json!([{"id": "1", "name": "Task", "self": "x", "subtask": false, "statuses": statuses}]))
        }
        ("GET", ["project", other, ..]) => gone(&format!("Project {other}")),
        ("POST", ["search"]) if state.newest => (
            410,
            json!({"errorMessages": ["The requested API has been removed. Please migrate to /rest/api/3/search/jql."]}),
        ),
        ("POST", ["search"] | ["search", "jql"]) => search(state, body),
        ("POST", ["issue"]) => create(state, body),
        ("GET", ["comment", id, "properties", key]) => {
            let comments = state.issues.values().flat_map(|issue| &issue.comments);
            let found = comments.into_iter().find(|comment| comment["id"] == *id);
            let property =
                found.and_then(|comment| comment["properties"].as_array()?.iter().find(|p| p["key"] == *key));
            property.map_or_else(|| gone("The property"), |property| (200, property.clone()))
        }
        (_, ["issue", name, rest @ ..]) => {
            let Some(issue) = state.find(name).cloned() else { return gone("Issue") };
            of_issue(state, method, issue, rest, query, body)
        }
        _ => gone("That"),
    }
}

fn search(state: &State, body: &Value) -> Answer {
    let jql = body["jql"].as_str().unwrap();
    let wanted =
        jql.split("issuesWithRemoteLinksByGlobalId(\"").nth(1).and_then(|rest| rest.split('"').next());
    assert!(jql.contains("project = \"SUP\" AND creator = currentUser()"), "{jql}");
    let mine = |issue: &&Issue| {
        issue.links.iter().any(|link| link["globalId"] == wanted.unwrap_or_default())
            || issue.properties.contains_key("crossdesk")
    };
    let issues = state.issues.values().filter(mine).map(|issue| {
        json!({"id": issue.id, "key": issue.key, "fields": {"summary": issue.fields["summary"]},
            "properties": if state.cloud { json!(issue.properties) } else { json!({}) }})
    });
    (200, json!({"issues": issues.collect::<Vec<_>>()}))
}

/// What of these fields cannot be set, in Jira's words.
fn unsettable(state: &State, fields: &Map<String, Value>) -> Option<Answer> {
    let mut errors = Map::new();
    for (id, value) in fields {
        let plain = ["summary", "description", "project", "issuetype", "labels", "priority"];
        let known = plain.contains(&id.as_str()) || state.custom.iter().any(|(custom, ..)| custom == id);
        if !known || state.hidden.contains(id) {
            let words =
                format!("Field '{id}' cannot be set. It is not on the appropriate screen, or unknown.");
            errors.insert(id.clone(), json!(words));
        }
        let rich = value.is_object() && value["type"] == "doc";
        if id == "description" && rich != state.cloud {
            errors.insert(id.clone(), json!("Operation value must be a string, or an Atlassian Document."));
        }
        if value["value"] == "Unheard of" {
            errors.insert(id.clone(), json!("Option value 'Unheard of' is not valid"));
        }
        if id == "labels" && value.as_array().unwrap().iter().any(|l| l.as_str().unwrap().contains(' ')) {
            errors.insert(id.clone(), json!("The label contains spaces which is invalid."));
        }
    }
    (!errors.is_empty()).then(|| (400, json!({"errorMessages": [], "errors": errors})))
}

fn create(state: &mut State, body: &Value) -> Answer {
    let fields = body["fields"].as_object().unwrap();
    if fields["project"]["key"] != "SUP" {
        return (400, json!({"errorMessages": [], "errors": {"project": "valid project is required"}}));
    }
    if let Some(refused) = unsettable(state, fields) {
        return refused;
    }
    let (number, _) = state.fresh();
    let (id, key) = (format!("{}", 10_000 + number), format!("SUP-{number}"));
    let mut issue =
        Issue { id: id.clone(), key: key.clone(), status: "To Do".to_owned(), ..Issue::default() };
    issue.fields = fields.clone().into_iter().collect();
    for property in body["properties"].as_array().into_iter().flatten() {
        issue.properties.insert(property["key"].as_str().unwrap().to_owned(), property["value"].clone());
    }
    state.issues.insert(id.clone(), issue);
    (201, json!({"id": id, "key": key, "self": format!("http://jira/{id}")}))
}

fn of_issue(
    state: &mut State,
    method: &str,
    issue: Issue,
    rest: &[&str],
    query: &[(String, String)],
    body: &Value,
) -> Answer {
    match (method, rest) {
        ("GET", []) => {
            let fields = State::shown(&issue);
            (200, json!({"id": issue.id, "key": issue.key, "fields": fields}))
        }
        ("PUT", []) => {
            let none = Map::new();
            let fields = body["fields"].as_object().unwrap_or(&none);
            if let Some(refused) = unsettable(state, fields) {
                return refused;
            }
            let stored = state.find(&issue.id).unwrap();
            stored.fields.extend(fields.clone());
            let mut labels: Vec<Value> =
                stored.fields.get("labels").and_then(Value::as_array).cloned().unwrap_or_default();
            for change in body["update"]["labels"].as_array().into_iter().flatten() {
                labels.retain(|label| *label != change["remove"] && *label != change["add"]);
                if !change["add"].is_null() {
                    labels.push(change["add"].clone());
                }
            }
            stored.fields.insert("labels".to_owned(), Value::Array(labels));
            (204, Value::Null)
        }
        ("GET", ["comment"]) => {
            let asked = |name: &str, usual: usize| {
                query
                    .iter()
                    .find(|(known, _)| known == name)
                    .map_or(usual, |(_, value)| value.parse().unwrap())
            };
            let mut comments = issue.comments.clone();
            comments.reverse();
            let (start, most) = (asked("startAt", 0), asked("maxResults", 50).min(100));
            let mut comments: Vec<Value> = comments.into_iter().skip(start).take(most).collect();
            for comment in &mut comments {
                comment.as_object_mut().unwrap().remove("properties");
            }
            (200, json!({"comments": comments, "total": issue.comments.len()}))
        }
        ("POST", ["comment"]) => {
            let rich = body["body"].is_object();
            if rich != state.cloud {
                return (
                    400,
                    json!({"errorMessages": [], "errors": {"comment": "Comment body is not valid!"}}),
                );
            }
            let (number, _) = state.fresh();
            let mut comment = body.clone();
            comment["id"] = json!(number.to_string());
            comment["author"] = state.user(ACCOUNT, "Crossdesk");
            comment["created"] = json!(written_now());
            state.find(&issue.id).unwrap().comments.push(comment.clone());
            (201, comment)
        }
        ("GET", ["transitions"]) => {
            let transitions = state.workflow[&issue.status]
                .iter()
                .map(|(name, to)| json!({"id": name, "name": name, "to": status(to), "fields": {}}));
            (200, json!({"transitions": transitions.collect::<Vec<_>>()}))
        }
        ("POST", ["transitions"]) => {
            let known =
                state.workflow[&issue.status].iter().find(|(name, _)| body["transition"]["id"] == *name);
            let Some((_, to)) = known.copied() else {
                return (
                    400,
                    json!({"errorMessages": ["It is not on the appropriate screen"], "errors": {}}),
                );
            };
            state.find(&issue.id).unwrap().status = to.to_owned();
            (204, Value::Null)
        }
        ("POST", ["remotelink"]) => {
            let links = &mut state.find(&issue.id).unwrap().links;
            let known = links.iter().position(|link| link["globalId"] == body["globalId"]);
            match known {
                Some(at) => links[at] = body.clone(),
                None => links.push(body.clone()),
            }
            (if known.is_some() { 200 } else { 201 }, json!({"id": 1, "self": "http://jira/link"}))
        }
        ("DELETE", ["remotelink"]) => {
            let id = &query.iter().find(|(name, _)| name == "globalId").unwrap().1;
            state.find(&issue.id).unwrap().links.retain(|link| link["globalId"] != id.as_str());
            (204, Value::Null)
        }
        ("GET", ["properties", key]) => match issue.properties.get(*key) {
            Some(value) => (200, json!({"key": key, "value": value})),
            None => gone("The property"),
        },
        ("PUT", ["properties", key]) => {
            let known = state.find(&issue.id).unwrap().properties.insert((*key).to_owned(), body.clone());
            (if known.is_some() { 200 } else { 201 }, Value::Null)
        }
        ("DELETE", ["properties", key]) => match state.find(&issue.id).unwrap().properties.remove(*key) {
            Some(_) => (204, Value::Null),
            None => gone("The property"),
        },
        _ => gone("That"),
    }
}
