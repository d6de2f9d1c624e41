//! The configuration as a JSON Schema, for editors and for whoever checks one before it is used.

use serde_json::{Map, Value, json};

use super::{load::SECRETS, sections::Config};

/// The JSON Schema of the configuration.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    beside_files(&mut schema);
    // What else an agreement's status may be (`load::status_maps`).
    if let Some(status) = schema.pointer_mut("/$defs/DeclaredAgreement/properties/status") {
        let (stands, words) =
            (status.take(), json!({"type": "object", "additionalProperties": {"type": "string"}}));
        *status = json!({"anyOf": [stands.clone(), {
            "type": "object", "additionalProperties": false,
            "properties": {"agreement": stands, "to_partner": words.clone(), "from_partner": words},
            "description": "Short for local.status; `agreement` says where the agreement stands."
        }]});
    }
    schema
}

/// Every secret may stand in a file of its own instead.
fn beside_files(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                let secrets: Vec<&str> =
                    SECRETS.into_iter().filter(|key| properties.contains_key(*key)).collect();
                name_files(object, &secrets);
            }
            object.values_mut().for_each(beside_files);
        }
        Value::Array(members) => members.iter_mut().for_each(beside_files),
        _ => {}
    }
}

fn name_files(section: &mut Map<String, Value>, secrets: &[&str]) {
    let file = |secret: &str| format!("{secret}_file");
    if let Some(properties) = section.get_mut("properties").and_then(Value::as_object_mut) {
        for secret in secrets {
            let said =
                json!({"type": "string", "description": format!("The file that {secret} is read from.")});
            properties.insert(file(secret), said);
        }
    }
    let Some(required) = section.get_mut("required").and_then(Value::as_array_mut) else { return };
    let must: Vec<&&str> = secrets.iter().filter(|secret| required.contains(&json!(secret))).collect();
    required.retain(|key| !must.iter().any(|secret| key == **secret));
    let either =
        must.iter().map(|secret| json!({"anyOf": [{"required": [secret]}, {"required": [file(secret)]}]}));
    let either: Vec<Value> = either.collect();
    if !either.is_empty() {
        section.insert("allOf".to_owned(), Value::Array(either));
    }
}
