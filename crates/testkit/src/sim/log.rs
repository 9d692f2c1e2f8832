//! Listens to the log of a simulated world for what must not be in it.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::scenario::SECRET_MARK;

/// A log that keeps no line but the first one with a secret in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Option<String>>>);

impl Log {
    /// The line with a secret, if there was one.
    pub(super) fn leaked(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Looks for a secret in what is written to it, and keeps nothing of that.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// How much of the mark has just been seen.
    matched: usize,
    pub(super) has_found: bool,
}

impl Search {
    /// Whether there is a secret in `text`.
    pub(super) fn finds_in(text: fmt::Arguments<'_>) -> bool {
        let mut search = Self::default();
        // A search does not fail.
        _ = search.write_fmt(text);
        search.has_found
    }
}

impl fmt::Write for Search {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // No mark has its first byte a second time.
        let mark = SECRET_MARK.as_bytes();
        if self.matched > 0 || text.as_bytes().contains(&mark[0]) {
            for byte in text.bytes() {
                let is_next = byte == mark[self.matched];
                self.matched = if is_next { self.matched + 1 } else { usize::from(byte == mark[0]) };
                if self.matched == mark.len() {
                    (self.matched, self.has_found) = (0, true);
                }
            }
        }
        Ok(())
    }
}

impl Visit for Search {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        _ = write!(self, "{value:?} ");
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        _ = write!(self.0, "{value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut search = Search::default();
        event.record(&mut search);
        if search.has_found {
            let mut line = Line(String::new());
            event.record(&mut line);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.0);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_is_in_what_is_written_and_however_it_is_cut() {
        let found = |parts: &[&str]| {
            let mut search = Search::default();
            parts.iter().for_each(|part| search.write_str(part).expect("it is only looked at"));
            search.has_found
        };
        assert!(found(&[SECRET_MARK]) && found(&["a XXX", &SECRET_MARK[1..], " b"]));
        for at in 0..=SECRET_MARK.len() {
            let (first, second) = SECRET_MARK.split_at(at);
            assert!(found(&["right-", first, second, "-and more"]), "cut at {at}");
            assert!(!found(&[first, "-", second]) || at == 0 || at == SECRET_MARK.len());
        }
        assert!(!found(&["X", "nothing", &SECRET_MARK[1..]]));
        assert!(Search::finds_in(format_args!("{:?}", ("a", format!("wrong-{SECRET_MARK}")))));
    }
}
