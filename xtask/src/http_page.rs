//! `docs/http-api.md`, made from the document that describes the API.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

/// Where the page is, from the root of the repository.
pub const PATH: &str = "docs/http-api.md";

const HEAD: &str = "\
<!-- Made by `cargo xtask manual` from the table of operations and the types; not edited by hand. -->

# The HTTP API

Whatever the command line and the library do, they do by HTTP/1.1 and JSON over the service's socket, and so
can any program. In the sources `crates/api/openapi.json` is the same as this page, for programs.

```sh
curl --unix-socket \"$XDG_STATE_HOME/bits/bitsd.sock\" http://localhost/v1/jobs
```

Who calls is known from the socket: there is nothing to sign in with. A request with the header `Origin` or
`Referer` is refused, as this socket is not for web pages. Bodies are `application/json`; a field that is not
in the table of its type is refused, and so is a parameter that is not in the path's list. Answers may get
further fields in later versions; none is renamed. Times are RFC 3339 in UTC, sizes are bytes, and codes are
text: `0x` and eight hexadecimal digits, which `bits error` explains.

A connection may be kept for the next request. The service ends it after an answer with `Connection: close`,
which follows a body that is a secret, could not be understood, was refused or was not read, and when it has not
been used for 30 s. Once it was asked to stop, whatever else it is asked for is refused with 503.

A refusal has a [Problem](#problem) as its body, and nothing has changed:

| Status | Meaning |
|---|---|
| 400 | malformed, or a value that cannot be |
| 403 | not your job, not your service, or a request of a web page |
| 404 | there is no such job, file, question or address |
| 405 | the address is there, and this method is not one of its own |
| 408 | the body did not come in time |
| 409 | the state of the job does not allow it now |
| 412 | the job has changed since the revision in `If-Match` |
| 413 | the body is too long |
| 415 | the body is not `application/json` |
| 429 | too many connections |
| 503 | the service is stopping |
| 507 | it could not be written; ask again |
";

/// The page as it should be.
pub fn page() -> String {
    let document = bits_api::openapi::document();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Operations\n\n| Request | Does |\n|---|---|\n");
    let mut details = String::new();
    for (path, methods) in object(&document["paths"]) {
        for (method, operation) in object(methods) {
            let request = format!("{} {path}", method.to_uppercase());
            let anchor = slug(&request);
            add(&mut page, format_args!("| [{request}](#{anchor}) | {} |\n", text(&operation["summary"])));
            describe(&mut details, &request, operation);
        }
    }
    page.push_str(&details);
    page.push_str("\n## Types\n\nA field that need not be there is marked with `?`.\n");
    let schemas = &document["components"]["schemas"];
    for (name, schema) in object(schemas) {
        describe_type(&mut page, name, schema);
    }
    page
}

fn describe(page: &mut String, request: &str, operation: &Value) {
    let (name, summary) = (text(&operation["operationId"]), text(&operation["summary"]));
    // In code font, as a book takes braces at the end of a heading for something else.
    add(page, format_args!("\n### `{request}`\n\n{summary} (`{name}`)\n"));
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|each| each["in"] != "path")
        .collect();
    if !parameters.is_empty() {
        page.push_str("\n| Parameter | Type | Meaning |\n|---|---|---|\n");
        for each in parameters {
            let schema = &each["schema"];
            let meaning = each["description"].as_str().or(schema["description"].as_str()).unwrap_or_default();
            let place = if each["in"] == "header" { " (a header)" } else { "" };
            add(
                page,
                format_args!("| `{}`{place} | {} | {} |\n", text(&each["name"]), kind(schema), cell(meaning)),
            );
        }
    }
    if let Some(reference) =
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()
    {
        add(page, format_args!("\nThe body is {}.\n", article(reference)));
    }
    let mut refused = Vec::new();
    for (status, answer) in object(&operation["responses"]) {
        if status.starts_with('2') {
            let content = answer["content"].as_object().and_then(|content| content.iter().next());
            let body = match content {
                None => "without a body".to_owned(),
                Some((media, content)) => match content["schema"]["$ref"].as_str() {
                    Some(reference) => format!("with {}", article(reference)),
                    None => format!("with `{media}`"),
                },
            };
            add(page, format_args!("\nThe answer is {status}, {body}. "));
            let description = text(&answer["description"]);
            if description != "Done." {
                add(page, format_args!("{description} "));
            }
        } else {
            refused.push(status.as_str());
        }
    }
    add(page, format_args!("Refused with {}.\n", refused.join(", ")));
}

fn describe_type(page: &mut String, name: &str, schema: &Value) {
    add(page, format_args!("\n### {name}\n\n"));
    if let Some(meaning) = schema["description"].as_str() {
        add(page, format_args!("{}\n\n", meaning.replace('\n', " ")));
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        for way in ways {
            let meaning = way["description"].as_str().unwrap_or_default();
            if let Some(event) = way["properties"]["event"]["const"].as_str() {
                let content = &way["properties"]["data"]["contentSchema"];
                let data = match content["$ref"].as_str() {
                    Some(reference) => article(reference),
                    None => "`{}`".to_owned(),
                };
                add(page, format_args!("- `event: {event}`, whose data is {data}: {meaning}\n"));
                continue;
            }
            add(page, format_args!("- {}: {}\n", kind(way), meaning.replace('\n', " ")));
            for (inner, what) in way["properties"].as_object().into_iter().flatten() {
                for (field, of) in what["properties"].as_object().into_iter().flatten() {
                    let meaning = of["description"].as_str().unwrap_or_default();
                    add(page, format_args!("  - `{inner}.{field}`, {}: {meaning}\n", kind(of)));
                }
            }
        }
        return;
    }
    let Some(properties) = schema["properties"].as_object() else {
        add(page, format_args!("It is {}.\n", kind(schema)));
        return;
    };
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("| Field | Type | Meaning |\n|---|---|---|\n");
    for (field, of) in properties {
        let mark = if required.contains(field.as_str()) { "" } else { "?" };
        let meaning = of["description"].as_str().unwrap_or_default();
        add(page, format_args!("| `{field}`{mark} | {} | {} |\n", kind(of), cell(meaning)));
    }
}

/// What a value of the schema is, in words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference);
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let words: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return words.join(", ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(ways) = schema[several].as_array() {
            return ways.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let words = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let named = |word: &str| match word {
        "array" => format!("list of {}", kind(&schema["items"])),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "object" if schema["properties"].is_object() => {
            let names: Vec<String> =
                object(&schema["properties"]).map(|(name, _)| format!("`{name}`")).collect();
            format!("object with {}", names.join(", "))
        }
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    };
    words.into_iter().map(named).collect::<Vec<_>>().join(" or ")
}

fn article(reference: &str) -> String {
    let vowel = name_of(reference).starts_with(['A', 'E', 'I', 'O']);
    format!("{} {}", if vowel { "an" } else { "a" }, link(reference))
}

fn link(reference: &str) -> String {
    let name = name_of(reference);
    format!("[{name}](#{})", name.to_lowercase())
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes all that is written");
}
