//! The document a queue is exported as: a head, and one job a line.
//!
//! Whatever is wrong with one is told with its line, and before any job of it is imported.

use std::borrow::Cow;

use bits_client::api::export::{ExportedJob, FORMAT, VERSION};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes a document may have.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
/// Jobs that one may have.
const JOBS_MAX: usize = 1_000_000;

/// A job of a document, and where it is there.
#[derive(Debug)]
pub(super) struct Entry {
    /// From 1.
    pub(super) line: usize,
    pub(super) job: ExportedJob,
}

/// The head of a document, to which one job after the other is added.
pub(super) fn head(written_at: &str) -> String {
    let by = format!("OpenBITS {}", env!("CARGO_PKG_VERSION"));
    let text = |text: &str| serde_json::to_string(text).expect("text is JSON");
    format!(
        "{{\"format\":{},\"version\":{VERSION},\"written_by\":{},\"written_at\":{},\"jobs\":[",
        text(FORMAT),
        text(&by),
        text(written_at)
    )
}

/// The next job, with what goes before it.
pub(super) fn entry(job: &ExportedJob, is_first: bool) -> String {
    let comma = if is_first { "" } else { "," };
    format!("{comma}\n{}", serde_json::to_string(job).expect("jobs are plain structures"))
}

pub(super) const TAIL: &str = "\n]}\n";

/// What tells whether the rest can be read. Other members may be there: it is read first.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    version: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u32,
    #[serde(rename = "written_by", default)]
    _written_by: Option<String>,
    #[serde(rename = "written_at", default)]
    _written_at: Option<String>,
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// Reads all jobs of `text`.
///
/// # Errors
/// A sentence fragment to be put after the name of the document: what is wrong, where, and what to do.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    let head: Head<'_> = serde_json::from_str(text).map_err(|error| not_read(&error))?;
    let is_ours = head.format.is_some_and(|format| {
        serde_json::from_str::<Cow<'_, str>>(format.get()).is_ok_and(|format| format == FORMAT)
    });
    if !is_ours {
        return Err(format!(
            "is no exported queue: its `format` is not `{FORMAT}`; `bits service export` writes one"
        ));
    }
    let version = head.version.and_then(|version| version.get().parse::<u64>().ok());
    match version {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) if version > u64::from(VERSION) => {
            return Err(format!(
                "is of version {version} of the format and this `bits` reads {VERSION}: it was written by a \
                 newer OpenBITS; import it with one that is as new"
            ));
        }
        _ => return Err(format!("has no `version` that there ever was; this `bits` writes {VERSION}")),
    }
    let document: Document<'_> = serde_json::from_str(text).map_err(|error| not_read(&error))?;
    if document.jobs.len() > JOBS_MAX {
        return Err(format!("has {} jobs; {JOBS_MAX} are the most", document.jobs.len()));
    }
    let mut line_to = Lines { text, at: 0, line: 1 };
    let mut entries = Vec::with_capacity(document.jobs.len());
    for (number, raw) in document.jobs.iter().enumerate() {
        let line = line_to.line_of(raw.get().as_ptr() as usize - text.as_ptr() as usize);
        let parser = &mut serde_json::Deserializer::from_str(raw.get());
        let job = serde_path_to_error::deserialize(parser).map_err(|error| {
            let field = match error.path().to_string() {
                path if path == "." => String::new(),
                path => format!(".{path}"),
            };
            let error = error.into_inner();
            let line = line + error.line().saturating_sub(1);
            format!("is wrong at line {line}, jobs[{number}]{field}: {}", without_place(&error))
        })?;
        entries.push(Entry { line, job });
    }
    Ok(entries)
}

fn not_read(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("is wrong at line {line}, column {column}: {}", without_place(error))
        }
        _ => format!("is not JSON, or not all of it: line {line}, column {column}"),
    }
}

/// What is wrong, without the place: of a job it would be within that job.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Counts lines, from one place to the next.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of a place that is not before the last one that was asked for.
    fn line_of(&mut self, place: usize) -> usize {
        self.line += self.text.as_bytes()[self.at..place].iter().filter(|byte| **byte == b'\n').count();
        self.at = place;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(number: u32) -> Value {
        let file = json!({ "remote_name": "http://h.test/f", "local_name": "/tmp/f" });
        json!({ "id": format!("00000000-0000-0000-0000-00000000000{number}"), "display_name": "a job",
            "type": "download", "state": "queued", "files": [file] })
    }

    fn document(jobs: &[Value]) -> String {
        let jobs = jobs.iter().zip(0..).map(|(job, number)| {
            let comma = if number == 0 { "" } else { "," };
            format!("{comma}\n{job}")
        });
        format!("{}{}{TAIL}", head("2026-11-29T00:00:00Z"), jobs.collect::<String>())
    }

    #[test]
    fn what_is_written_is_read_with_the_line_of_each_job() {
        let text = document(&[job(1), job(2)]);
        let entries = read(&text).expect("a document");
        assert_eq!(entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [2, 3]);
        let again: String =
            entries.iter().zip(0..).map(|(one, number)| entry(&one.job, number == 0)).collect();
        let again = format!("{}{again}{TAIL}", head("2026-11-29T00:00:00Z"));
        assert_eq!(read(&again).expect("a document").len(), 2);
        assert_eq!(read(&document(&[])).expect("a document").len(), 0);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_field() {
        let with = |field: &str, value: Value| {
            let mut job = job(2);
            job[field] = value;
            document(&[super::tests::job(1), job])
        };
        let newer = document(&[]).replace("\"version\":1", "\"version\":2,\"more\":{}");
        for (text, said) in [
            (String::new(), "is not JSON, or not all of it: line 1"),
            ("7".to_owned(), "is wrong at line 1"),
            ("[]".to_owned(), "its `format` is not `openbits-queue`"),
            ("{}".to_owned(), "its `format` is not `openbits-queue`"),
            ("{\"format\":7}".to_owned(), "its `format` is not `openbits-queue`"),
            (newer, "is of version 2 of the format and this `bits` reads 1"),
            (document(&[]).replace("\"version\":1", "\"version\":\"x\""), "has no `version`"),
            (document(&[]).replace("\"version\":1", "\"version\":0"), "has no `version`"),
            (document(&[]).replace("\"jobs\"", "\"jubs\""), "unknown field `jubs`"),
            (document(&[job(1)]).replace("]}\n", ""), "is not JSON, or not all of it: line 3"),
            (with("files", json!(7)), "line 3, jobs[1].files: invalid type"),
            (with("id", Value::Null), "line 3, jobs[1].id: invalid type"),
            (with("more", json!(1)), "line 3, jobs[1].more: unknown field `more`"),
            (with("properties", json!({ "priority": 1 })), "line 3, jobs[1].properties.priority: invalid"),
            (with("files", json!([{ "remote_name": "x" }])), "line 3, jobs[1].files[0]: missing field"),
        ] {
            let error = read(&text).expect_err("it is wrong");
            assert!(error.contains(said), "{error}\n{said}");
        }
    }

    #[test]
    fn no_text_is_too_wrong_to_be_refused() {
        let text = document(&[job(1), job(2)]);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let cut = &text[..end];
            assert_eq!(read(cut).is_ok(), end == text.trim_end().len(), "{cut}");
        }
        let deep = format!("{}{}", "{\"jobs\":", "[".repeat(100_000));
        assert!(read(&deep).is_err());
    }
}
