//! The document that describes the API leaves nothing open that goes in.

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn every_body_is_closed_at_whatever_depth() {
    let document = bits_api::openapi::document();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            check(&document, body, &format!("{method} {path}"), &mut seen, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 10, "only {} types were found", seen.len());
}

/// Follows each reference once.
fn check(
    document: &Value,
    schema: &Value,
    place: &str,
    seen: &mut BTreeSet<String>,
    wrong: &mut Vec<String>,
) {
    match schema {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str)
                && seen.insert(reference.to_owned())
            {
                let target = document.pointer(reference.trim_start_matches('#'));
                check(document, target.expect("a reference leads somewhere"), reference, seen, wrong);
            }
            if fields.get("properties").is_some_and(Value::is_object)
                && fields.get("additionalProperties") != Some(&Value::Bool(false))
            {
                wrong.push(format!("{place}: an object without `additionalProperties: false`"));
            }
            for (name, inner) in fields {
                // Its names are those of fields, not of this language.
                let inner: Vec<&Value> = match (name.as_str(), inner) {
                    ("properties", Value::Object(of_fields)) => of_fields.values().collect(),
                    _ => vec![inner],
                };
                for inner in inner {
                    check(document, inner, &format!("{place}/{name}"), seen, wrong);
                }
            }
        }
        Value::Array(all) => {
            for inner in all {
                check(document, inner, place, seen, wrong);
            }
        }
        _ => {}
    }
}
