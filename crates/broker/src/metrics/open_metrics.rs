//! The text format of OpenMetrics 1.0, as far as it is written here.
//!
//! Names and labels are ours and of closed sets; nothing of a user, a job or a server gets in, so
//! that there is little to escape. It is some sixty lines, for which a library would bring seven crates.

use std::fmt::{Display, Write as _};

/// A document that is being written.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// What kind of number a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// A family whose samples are being written: they stand together.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    kind: Kind,
}

impl Text {
    /// Begins the family `name`, which ends in its unit where it has one.
    pub(super) fn family(
        &mut self,
        name: &'static str,
        kind: Kind,
        unit: Option<&'static str>,
        help: &str,
    ) -> Family<'_> {
        let text = &mut self.0;
        debug_assert!(unit.is_none_or(|unit| name.ends_with(&format!("_{unit}"))), "{name}");
        line(text, format_args!("# TYPE {name} {}", kind.word()));
        if let Some(unit) = unit {
            line(text, format_args!("# UNIT {name} {unit}"));
        }
        line(text, format_args!("# HELP {name} {}", escaped(help)));
        Family { text, name, kind }
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

impl Family<'_> {
    /// One number, with these labels.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let ending = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.write(ending, labels, value);
    }

    /// A histogram: how many were up to each bound (not only beyond the one before), how many in
    /// all, and their sum.
    pub(super) fn histogram(&mut self, buckets: &[(f64, u64)], count: u64, sum: f64) {
        for (bound, up_to) in buckets {
            self.write("_bucket", &[("le", &number(*bound))], up_to);
        }
        self.write("_bucket", &[("le", "+Inf")], count);
        self.write("_count", &[], count);
        self.write("_sum", &[], number(sum));
    }

    fn write(&mut self, ending: &str, labels: &[(&str, &str)], value: impl Display) {
        let name = self.name;
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        line(self.text, format_args!("{name}{ending}{labels} {value}"));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("text takes any line");
}

/// A number that is always one with a point, as readers expect of bounds.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
