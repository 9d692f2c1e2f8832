//! What a contest must come to, and whether it has.

use std::fmt;

use crate::contest::Contest;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measure {
    /// Processor time, as a multiple of the floor's.
    OfFloor,
    /// Processor time, as a multiple of curl's.
    OfCurl,
    /// The most memory that the service had, in MiB.
    PeakMib,
}

/// Something that must be, and what is aimed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Must {
    pub(crate) measure: Measure,
    most: f64,
    aim: Option<f64>,
}

impl Must {
    fn new(measure: Measure, most: f64, aim: Option<f64>) -> Self {
        Self { measure, most, aim }
    }

    /// What `contest` must come to.
    pub(crate) fn of(contest: Contest) -> Vec<Self> {
        match contest {
            Contest::Http => {
                vec![
                    Self::new(Measure::OfFloor, 1.0, Some(0.6)),
                    Self::new(Measure::PeakMib, 24.0, Some(16.0)),
                ]
            }
            Contest::Checksum => vec![Self::new(Measure::OfCurl, 1.0, Some(0.65))],
            Contest::Tls => vec![Self::new(Measure::OfFloor, 1.1, Some(0.9))],
            Contest::Many => {
                vec![Self::new(Measure::OfFloor, 1.5, Some(1.0)), Self::new(Measure::OfCurl, 1.0, None)]
            }
        }
    }

    /// What is to be said of `value`; a contestant that was left out has none.
    pub(crate) fn verdict(&self, value: Option<f64>) -> String {
        let outcome = match value {
            None => "not measured".to_owned(),
            Some(value) if value <= self.most => format!("{value:.2}: met"),
            Some(value) => format!("{value:.2}: NOT MET"),
        };
        let aim = self.aim.map(|aim| format!(", aim {aim:.2}")).unwrap_or_default();
        format!("{} at most {:.2}{aim}: {outcome}", self.measure, self.most)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfFloor => "x floor",
            Self::OfCurl => "x curl",
            Self::PeakMib => "RSS MiB",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_what_must_be_and_what_is() {
        let must = Must::new(Measure::OfFloor, 1.5, Some(1.0));
        for (value, expected) in [
            (Some(1.5), "x floor at most 1.50, aim 1.00: 1.50: met"),
            (Some(1.51), "x floor at most 1.50, aim 1.00: 1.51: NOT MET"),
            (None, "x floor at most 1.50, aim 1.00: not measured"),
        ] {
            assert_eq!(must.verdict(value), expected);
        }
    }
}
