//! The log: a file that is rotated by size, and the journal where systemd has started the service.
//!
//! An event is one line, whatever is in it: what a server or a person has called something cannot
//! begin another. What libraries say is capped: a security library that tells everything tells
//! secrets (`credentials.md` §4.3).

mod journal;
mod line;
mod rotated;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use journal::Prefixed;
use line::Lines;
use rotated::RotatedFile;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("the log {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the log cannot be begun: {0}")]
    Begin(#[from] TryInitError),
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people: time, level, place, sentence, fields.
    Text,
    /// For programs: an object, in which sentence and fields are members.
    Json,
}

impl Form {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Sends what is logged to the file `path`; also to the journal, where standard error is that
/// (`stream` is `$JOURNAL_STREAM`), or else to the terminal, where `in_terminal`.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn begin(
    path: &Path,
    level: Level,
    form: Form,
    stream: Option<&OsStr>,
    in_terminal: bool,
) -> Result<(), LogError> {
    let file = RotatedFile::open(path).map_err(|source| LogError::Open { path: path.into(), source })?;
    let ours = move |metadata: &Metadata<'_>| {
        let target = metadata.target();
        let cap = if target.starts_with("bits") { level } else { Level::WARN };
        *metadata.level() <= cap
    };
    let to_file = to(Lines::file(file), form).with_filter(filter_fn(ours));
    let to_stderr = if journal::is_stderr(stream) {
        Some(to_journal(Lines::stderr(), form))
    } else {
        in_terminal.then(|| to(Lines::stderr(), form))
    };
    let to_stderr = to_stderr.map(|layer| layer.with_filter(filter_fn(ours)));
    tracing_subscriber::registry().with(to_file).with(to_stderr).try_init()?;
    log_panics();
    Ok(())
}

type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

fn to<S: Subscriber + for<'a> LookupSpan<'a>>(lines: Lines, form: Form) -> Boxed<S> {
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    match form {
        Form::Text => layer.with_writer(lines).boxed(),
        Form::Json => layer.json().flatten_event(true).with_writer(lines).boxed(),
    }
}

/// The journal knows when something was said, and takes its weight from a prefix.
fn to_journal<S: Subscriber + for<'a> LookupSpan<'a>>(lines: Lines, form: Form) -> Boxed<S> {
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_level(false);
    match form {
        Form::Text => layer.map_event_format(Prefixed).with_writer(lines).boxed(),
        Form::Json => layer.json().flatten_event(true).map_event_format(Prefixed).with_writer(lines).boxed(),
    }
}

/// Has the log say where a mistake of ours was met. Not what it was: the text of a panic can have a
/// piece of any text in it, a password among them; that goes to standard error alone.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a mistake of ours: please report it");
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of what `say` says.
    fn logged(
        form: Form,
        to_layer: fn(Lines, Form) -> Boxed<tracing_subscriber::Registry>,
        say: fn(),
    ) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bitsd.log");
        let lines = Lines::file(RotatedFile::open(&path).expect("a log"));
        let subscriber = tracing_subscriber::registry().with(to_layer(lines, form));
        tracing::subscriber::with_default(subscriber, say);
        std::fs::read_to_string(&path).expect("a log")
    }

    /// A server's word for an error, which would like to be two lines and red.
    fn something_hostile() {
        let message = "no\n2026-11-29T00:00:00Z  INFO bitsd: all is well\r\x1b[31m\u{85}\u{202E}\u{7f}";
        tracing::warn!(job = "8e2d", attempt = 3, cause = %"\n<0>x", "{message}");
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for (form, layer) in [
            (Form::Text, to as fn(Lines, Form) -> Boxed<tracing_subscriber::Registry>),
            (Form::Json, to),
            (Form::Text, to_journal),
            (Form::Json, to_journal),
        ] {
            let text = logged(form, layer, something_hostile);
            assert_eq!(text.lines().count(), 1, "{text:?}");
            let line = text.strip_suffix('\n').expect("an end");
            assert!(
                !line.chars().any(|character| character.is_control() || character == '\u{202E}'),
                "{line:?}"
            );
            assert!(line.contains("all is well") && line.contains("8e2d"), "{line}");
        }
    }

    #[test]
    fn a_line_for_programs_is_an_object_with_every_field() {
        let text = logged(Form::Json, to, something_hostile);
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&line["level"], &line["attempt"]), (&"WARN".into(), &3.into()));
        assert_eq!((&line["job"], &line["cause"]), (&"8e2d".into(), &"\n<0>x".into()));
        assert!(line["message"].as_str().expect("a sentence").starts_with("no\n2026"));
        assert!(line["timestamp"].is_string() && line["target"].is_string(), "{line}");
    }

    #[test]
    fn a_line_for_the_journal_says_its_weight_first_and_leaves_the_time_to_it() {
        let say: fn() = || {
            tracing::error!("a");
            tracing::warn!("b");
            tracing::info!("c");
            tracing::debug!("d");
        };
        let text = logged(Form::Text, to_journal, say);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.iter().zip(["<3>", "<4>", "<6>", "<7>"]).all(|(line, start)| line.starts_with(start)),
            "{text}"
        );
        assert!(lines[2].ends_with(": c") && !lines[2].contains("INFO"), "{text}");
    }

    #[test]
    fn the_log_says_where_a_panic_was_and_not_what_it_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bitsd.log");
        let lines = Lines::file(RotatedFile::open(&path).expect("a log"));
        let subscriber = tracing_subscriber::registry().with(to(lines, Form::Text));
        log_panics();
        let ended = std::thread::spawn(move || {
            tracing::subscriber::with_default(subscriber, || panic!("hunter2"));
        });
        assert!(ended.join().is_err());
        let text = std::fs::read_to_string(&path).expect("a log");
        assert!(text.contains("crates/daemon/src/log.rs:") && !text.contains("hunter2"), "{text}");
    }
}
