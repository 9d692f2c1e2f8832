//! `openapi.json`, made from the table of operations and the types.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::operations::{OPENMETRICS, OPENMETRICS_TYPE, OPERATIONS, Operation};
use crate::{
    about, certificate, challenge, credentials, event, export, file, job, notification, problem, settings,
};

/// What an event stream tells.
struct Stream {
    operation: &'static str,
    /// What one event of it is called among the types.
    name: &'static str,
    meaning: &'static str,
    /// By name; what the data is, unless it is nothing; and what that means.
    events: &'static [(&'static str, Option<&'static str>, &'static str)],
}

const STREAMS: &[Stream] = &[
    Stream {
        operation: "events",
        name: "JobEvent",
        meaning: "An event of the stream of jobs.",
        events: &[
            (event::JOB, Some("Job"), "A job that is there, is new or has changed."),
            (event::READY, None, "All jobs that were there have been told; from here on it is changes."),
            (event::NOTE, Some("Note"), "Something a curious person may want to know."),
            (event::RANGES, Some("RangesTransferred"), "More of a file of a job on demand is on the disk."),
        ],
    },
    Stream {
        operation: "challenges",
        name: "ChallengeEvent",
        meaning: "An event of the stream of challenges.",
        events: &[
            (
                challenge::CHALLENGE,
                Some("PendingChallenge"),
                "A challenge that is there, is new or has more jobs.",
            ),
            (challenge::WITHDRAWN, Some("Withdrawn"), "A challenge that needs no answer any more."),
            (challenge::READY, None, "All that were there have been told; from here on it is changes."),
        ],
    },
    Stream {
        operation: "certificates",
        name: "CertificateEvent",
        meaning: "An event of the stream of a job's server certificates.",
        events: &[
            (certificate::REGISTERED, Some("Registered"), "The first: the reader is the one who is asked."),
            (certificate::CERTIFICATE, Some("ServerCertificate"), "A certificate to be judged."),
        ],
    },
];

impl Stream {
    fn schema(&self) -> Value {
        let ways = self.events.iter().map(|(name, data, meaning)| {
            // Its data is a text that is JSON.
            let content = match data {
                Some(kind) => json!({
                    "$ref": format!("#/components/schemas/{kind}"), "unevaluatedProperties": false
                }),
                None => json!({ "type": "object", "additionalProperties": false }),
            };
            json!({
                "description": meaning,
                "type": "object",
                "properties": {
                    "event": { "const": name },
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": content,
                    },
                },
                "required": ["event", "data"],
                "additionalProperties": false,
            })
        });
        json!({ "description": self.meaning, "oneOf": ways.collect::<Vec<_>>() })
    }

    fn of(operation: &str) -> &'static Self {
        STREAMS.iter().find(|stream| stream.operation == operation).expect("every stream has its events")
    }
}

/// The whole document.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let queries = describe_types(&mut generator);
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = describe(operation, &queries);
    }
    let mut schemas = generator.definitions().clone();
    for stream in STREAMS {
        schemas.insert(stream.name.to_owned(), stream.schema());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenBITS",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The local socket of the OpenBITS service. Who calls is known from the socket; \
                            requests with Origin or Referer are refused.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" }
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// Makes every body type known to `generator`; returns the query types, whose properties become
/// parameters.
fn describe_types(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.subschema_for::<about::About>();
    generator.subschema_for::<about::Key>();
    generator.subschema_for::<settings::SettingList>();
    generator.subschema_for::<settings::Reloaded>();
    generator.subschema_for::<job::CreateJob>();
    generator.subschema_for::<job::CreateJobs>();
    generator.subschema_for::<job::CreatedJobs>();
    generator.subschema_for::<job::ChangeJob>();
    generator.subschema_for::<job::Job>();
    generator.subschema_for::<job::JobList>();
    generator.subschema_for::<job::CommandAnswer>();
    generator.subschema_for::<export::ExportedJob>();
    generator.subschema_for::<export::Imported>();
    generator.subschema_for::<file::AddFiles>();
    generator.subschema_for::<file::FileList>();
    generator.subschema_for::<file::ChangeFile>();
    generator.subschema_for::<file::FilledRanges>();
    generator.subschema_for::<file::RequestRanges>();
    generator.subschema_for::<file::DownloadPosition>();
    generator.subschema_for::<file::ReplaceRemotePrefix>();
    generator.subschema_for::<credentials::SetCredentials>();
    generator.subschema_for::<credentials::Removed>();
    generator.subschema_for::<challenge::ChallengeList>();
    generator.subschema_for::<challenge::PendingChallenge>();
    generator.subschema_for::<challenge::Withdrawn>();
    generator.subschema_for::<challenge::AnswerChallenge>();
    generator.subschema_for::<challenge::Answered>();
    generator.subschema_for::<certificate::Registered>();
    generator.subschema_for::<certificate::ServerCertificate>();
    generator.subschema_for::<certificate::AnswerCertificate>();
    // Those of `STREAMS`, too.
    generator.subschema_for::<event::Note>();
    generator.subschema_for::<event::RangesTransferred>();
    generator.subschema_for::<job::Heard>();
    generator.subschema_for::<notification::Message>();
    generator.subschema_for::<problem::Problem>();
    let mut queries = Map::new();
    for (name, schema) in [
        ("ListQuery", generator.root_schema_for::<job::ListQuery>()),
        ("ImportQuery", generator.root_schema_for::<export::ImportQuery>()),
        ("FileQuery", generator.root_schema_for::<file::FileQuery>()),
        ("RemoveRegistration", generator.root_schema_for::<certificate::RemoveRegistration>()),
        ("EventQuery", generator.root_schema_for::<event::EventQuery>()),
    ] {
        queries.insert(name.to_owned(), schema.to_value());
    }
    queries
}

fn describe(operation: &Operation, queries: &Map<String, Value>) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for segment in operation.path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": path_schema(name) }));
        }
    }
    if let Some(properties) = operation.query.and_then(|name| queries[name]["properties"].as_object()) {
        for (name, schema) in properties {
            let schema = without_null(schema);
            parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
        }
    }
    if operation.name == "change_job" {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The revision the change was decided on, in quotes.",
            "schema": { "type": "string", "pattern": "^\"[0-9]{1,20}\"$" }
        }));
    }
    let mut responses = Map::new();
    let (status, answer) = operation.answer;
    responses.insert(status.to_string(), describe_answer(operation.name, answer));
    for problem in operation.problems {
        responses.insert(
            problem.to_string(),
            json!({
                "description": "Refused; nothing has changed.",
                "content": { "application/json": { "schema": reference("Problem") } }
            }),
        );
    }
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": reference(body) } } });
    }
    described
}

fn describe_answer(operation: &str, answer: Option<&str>) -> Value {
    match answer {
        None => json!({ "description": "Done." }),
        Some("event stream") => json!({
            "description": "Server-sent events, one after the other for as long as the stream is open.",
            "content": { "text/event-stream": { "schema": reference(Stream::of(operation).name) } }
        }),
        Some(OPENMETRICS) => json!({
            "description": "Done.",
            "content": { OPENMETRICS_TYPE: { "schema": { "type": "string" } } }
        }),
        Some(name) => json!({
            "description": "Done.",
            "content": { "application/json": { "schema": reference(name) } }
        }),
    }
}

/// A parameter that is not given is not there; it is never null.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    if let Some(kinds) = schema["type"].as_array_mut() {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            schema["type"] = kind.clone();
        }
    }
    schema
}

fn path_schema(name: &str) -> Value {
    match name {
        "target" => json!({ "type": "string", "enum": ["server", "proxy"] }),
        "scheme" => {
            json!({ "type": "string", "enum": ["basic", "digest", "ntlm", "negotiate", "passport", "any"] })
        }
        "challenge" | "question" => json!({ "type": "string" }),
        "index" => json!({ "type": "integer", "minimum": 0 }),
        _ => json!({ "type": "string", "format": "uuid" }),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers that are no JSON.
    const NO_JSON: [&str; 2] = ["event stream", OPENMETRICS];

    #[test]
    fn the_checked_in_document_is_current() {
        let checked_in: Value =
            serde_json::from_str(include_str!("../openapi.json")).expect("openapi.json is JSON");
        assert_eq!(checked_in, document(), "run `cargo xtask openapi`");
    }

    #[test]
    fn every_event_of_a_stream_is_closed_and_its_data_is_a_type_that_is_there() {
        let document = document();
        let mut seen = 0;
        for operation in OPERATIONS.iter().filter(|operation| operation.answer.1 == Some("event stream")) {
            let name = Stream::of(operation.name).name;
            let ways = document["components"]["schemas"][name]["oneOf"].as_array().expect("ways");
            for way in ways {
                assert_eq!(way["additionalProperties"], false, "{name}: {way}");
                let content = &way["properties"]["data"]["contentSchema"];
                let closed = ["unevaluatedProperties", "additionalProperties"]
                    .iter()
                    .any(|word| content[word] == false);
                assert!(closed, "{name}: {content}");
                if let Some(reference) = content["$ref"].as_str() {
                    let target = document.pointer(reference.trim_start_matches('#'));
                    assert!(target.is_some_and(Value::is_object), "{name}: {reference}");
                }
                seen += 1;
            }
        }
        assert_eq!(seen, STREAMS.iter().map(|stream| stream.events.len()).sum::<usize>());
    }

    #[test]
    fn every_type_the_table_names_is_described() {
        let document = document();
        for operation in OPERATIONS {
            for name in [operation.body, operation.answer.1.filter(|name| !NO_JSON.contains(name))] {
                let Some(name) = name else { continue };
                assert!(document["components"]["schemas"][name].is_object(), "{name}");
            }
        }
    }
}
