//! What can be set about politeness. Which interface has which kind is not known here.

use core::time::Duration;

/// How background transfers behave towards others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Politeness {
    /// The queueing delay that is aimed at; `None`: by the kind of the interface.
    pub target: Option<TargetDelay>,
    /// What is kept even beside others.
    pub minimum_share: MinimumShare,
    /// Whether transfers from and to hosts on the same link are paced too. Their bottleneck is not
    /// the way to the internet, and mostly there is none that anybody feels.
    pub on_link: bool,
}

impl Default for Politeness {
    fn default() -> Self {
        Self { target: None, minimum_share: MinimumShare::NOTHING, on_link: false }
    }
}

impl Politeness {
    /// The target for an interface of this kind.
    pub fn target_on(&self, kind: LinkKind) -> TargetDelay {
        self.target.unwrap_or(match kind {
            LinkKind::Wired => TargetDelay::QUIET,
            LinkKind::Wireless => TargetDelay::WIRELESS,
        })
    }
}

/// What an interface is made of, as far as it matters here: the air jitters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Wired,
    Wireless,
}

/// The queue, in time, that background transfers alone build up at the bottleneck.
///
/// A short one is not felt. One that is shorter than the jitter of the path is never reached: the
/// transfers starve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetDelay(Duration);

impl TargetDelay {
    /// Round trips of downloads are measured in milliseconds; below two of them nothing can be told.
    const LEAST: Duration = Duration::from_millis(2);
    /// What LEDBAT allows at most; beyond, a call is disturbed.
    const MOST: Duration = Duration::from_millis(100);

    /// Not felt by anybody, for paths that do not jitter.
    pub const QUIET: Self = Self(Duration::from_millis(4));
    /// Above the jitter of a common wireless link.
    pub const WIRELESS: Self = Self(Duration::from_millis(15));
    /// What LEDBAT++ aims at: for paths on which nothing shorter works.
    pub const LEGACY: Self = Self(Duration::from_millis(60));

    /// A target from 2 to 100 milliseconds.
    pub fn new(target: Duration) -> Option<Self> {
        (Self::LEAST..=Self::MOST).contains(&target).then_some(Self(target))
    }

    pub fn get(self) -> Duration {
        self.0
    }
}

/// The part of the link that is kept beside others, in per cent. Whoever sets it pays with
/// politeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinimumShare(u8);

impl MinimumShare {
    /// Only what it takes to go on measuring.
    pub const NOTHING: Self = Self(0);
    /// Beyond a half it is others who would have to yield.
    const MOST: u8 = 50;

    /// A share of 0 to 50 per cent.
    pub fn new(percent: u8) -> Option<Self> {
        (percent <= Self::MOST).then_some(Self(percent))
    }

    pub(super) fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_and_shares_that_can_work_are_taken() {
        for (millis, is_taken) in [(0, false), (1, false), (2, true), (4, true), (100, true), (101, false)] {
            assert_eq!(TargetDelay::new(Duration::from_millis(millis)).is_some(), is_taken, "{millis} ms");
        }
        for (percent, is_taken) in [(0, true), (50, true), (51, false), (255, false)] {
            assert_eq!(MinimumShare::new(percent).is_some(), is_taken, "{percent} %");
        }
    }

    #[test]
    fn a_target_that_was_set_holds_on_every_kind_of_link() {
        let by_kind = Politeness::default();
        assert_eq!(by_kind.target_on(LinkKind::Wired), TargetDelay::QUIET);
        assert_eq!(by_kind.target_on(LinkKind::Wireless), TargetDelay::WIRELESS);
        let set = Politeness { target: Some(TargetDelay::LEGACY), ..by_kind };
        assert_eq!(set.target_on(LinkKind::Wired), TargetDelay::LEGACY);
        assert_eq!(set.target_on(LinkKind::Wireless), TargetDelay::LEGACY);
    }
}
