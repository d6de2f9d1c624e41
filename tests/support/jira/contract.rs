//! Every request to a Jira held against Jira's own description of its API, and every answer of ours in its place too.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The description: paths with their parameters, schemas of bodies.
pub(crate) struct Contract {
    document: Value,
    requests: HashMap<String, Validator>,
    answers: HashMap<String, Validator>,
}

impl Contract {
    pub(crate) fn read() -> Self {
        let document: Value = serde_json::from_str(include_str!("../../fixtures/jira/openapi.json")).unwrap();
        let mut strict = document["components"]["schemas"].clone();
        for schema in strict.as_object_mut().unwrap().values_mut() {
            close(schema);
        }
        let (mut requests, mut answers) = (HashMap::new(), HashMap::new());
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = format!("{} {path}", method.to_uppercase());
                let body = &operation["requestBody"]["content"]["application/json"]["schema"];
                if !body.is_null() {
                    let mut body = body.clone();
                    close(&mut body);
                    requests.insert(name.clone(), validator(&body, &strict));
                }
                for (code, answer) in operation["responses"].as_object().unwrap() {
                    let schema = &answer["content"]["application/json"]["schema"];
                    if !schema.is_null() {
                        let known = validator(schema, &document["components"]["schemas"]);
                        answers.insert(format!("{name} {code}"), known);
                    }
                }
            }
        }
        Self { document, requests, answers }
    }

    /// What is wrong with a request: its path, its method, its query or its body.
    pub(crate) fn fault(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: &Value,
    ) -> Option<String> {
        let Some((template, operation)) = self.operation(method, path) else {
            return Some(format!("Jira has no {method} {path}"));
        };
        let known = |name: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.into_iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == name)
        };
        if let Some((name, _)) = query.iter().find(|(name, _)| !known(name)) {
            return Some(format!("{method} {template} has no parameter {name}"));
        }
        match self.requests.get(&format!("{method} {template}")) {
            None if !body.is_null() => Some(format!("{method} {template} takes no body")),
            None => None,
            Some(schema) => {
                let faults: Vec<String> = schema
                    .iter_errors(body)
                    .map(|error| format!("{} at {}", error, error.instance_path()))
                    .collect();
                (!faults.is_empty()).then(|| format!("{method} {template}: {}", faults.join("; ")))
            }
        }
    }

    /// What is wrong with an answer.
    pub(crate) fn answer_fault(&self, method: &str, path: &str, status: u16, body: &Value) -> Option<String> {
        let (template, _) = self.operation(method, path)?;
        let schema = self.answers.get(&format!("{method} {template} {status}"))?;
        let faults: Vec<String> =
            schema.iter_errors(body).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        (!faults.is_empty()).then(|| format!("{method} {template} {status}: {}", faults.join("; ")))
    }

    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let parts: Vec<&str> = path.split('/').collect();
        self.document["paths"].as_object()?.iter().find_map(|(template, methods)| {
            let wanted: Vec<&str> = template.split('/').collect();
            let fits = wanted.len() == parts.len()
                && wanted.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part);
            let operation = methods.get(method.to_lowercase())?;
            fits.then_some((template.as_str(), operation))
        })
    }
}

/// A request says nothing that its schema does not name: the description leaves room for anything nearly everywhere, which
/// would let every misspelt name through. What only answers carry is taken out.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let named = object.get("properties").is_some_and(Value::is_object);
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties.retain(|_, property| property["readOnly"] != true);
            }
            if named && object.get("additionalProperties").is_none_or(|more| *more == json!(true)) {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn validator(schema: &Value, schemas: &Value) -> Validator {
    let whole = json!({"allOf": [schema], "components": {"schemas": schemas}});
    jsonschema::draft202012::new(&whole).unwrap()
}
