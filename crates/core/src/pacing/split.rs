//! Divides the window among connections.
//!
//! Everybody gets its part by weight, but none more than it makes use of while others could. When
//! the window is too small for all, some are parked: a connection that has less than two segments
//! in flight only waits for timers.

use alloc::vec;
use alloc::vec::Vec;

/// Segments below which a connection is better parked.
pub(super) const SEGMENTS_MIN: f64 = 2.0;

/// What one connection is to the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claim {
    pub(super) weight: f64,
    /// Bytes in flight that it could make use of now.
    pub(super) wanted: f64,
    /// Whether it is slow to answer, and the first to be parked.
    pub(super) is_silent: bool,
}

/// Each one's part of `window`, in the order of the claims; `None` for those that are parked. One
/// at least is not parked, whatever the window, so that there is something to measure by.
pub(super) fn split(window: f64, segment: f64, claims: &[Claim]) -> Vec<Option<f64>> {
    let least = SEGMENTS_MIN * segment;
    let mut order: Vec<usize> = (0..claims.len()).collect();
    // Stable: of equals the first stays the one that measures.
    order.sort_by(|&a, &b| {
        let (a, b) = (&claims[a], &claims[b]);
        a.is_silent.cmp(&b.is_silent).then(b.weight.total_cmp(&a.weight))
    });
    let served = ((window / least) as usize).max(1);
    order.truncate(served);

    let mut shares = vec![None; claims.len()];
    let mut left = (window - least * order.len() as f64).max(0.0);
    for &at in &order {
        shares[at] = Some(least);
    }
    // Fills up those that want little, then the rest by weight.
    let mut thirsty = order.clone();
    while left > 0.0 && !thirsty.is_empty() {
        let weights: f64 = thirsty.iter().map(|&at| claims[at].weight).sum();
        let of = |at: usize| left * claims[at].weight / weights;
        let missing = |at: usize| (claims[at].wanted - shares[at].unwrap_or(0.0)).max(0.0);
        let (quenched, more): (Vec<_>, Vec<_>) = thirsty.iter().partition(|&&at| missing(at) <= of(at));
        if quenched.is_empty() {
            let parts: Vec<_> = more.iter().map(|&at| (at, of(at))).collect();
            for (at, part) in parts {
                shares[at] = shares[at].map(|share| share + part);
            }
            return shares;
        }
        let parts: Vec<_> = quenched.iter().map(|&at| (at, missing(at))).collect();
        for (at, part) in parts {
            shares[at] = shares[at].map(|share| share + part);
            left -= part;
        }
        thirsty = more;
    }
    // Nobody is known to want more; but who knows.
    let weights: f64 = order.iter().map(|&at| claims[at].weight).sum();
    for &at in &order {
        shares[at] = shares[at].map(|share| share + left * claims[at].weight / weights);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: f64 = 1000.0;

    fn claim(weight: f64, wanted: f64) -> Claim {
        Claim { weight, wanted, is_silent: false }
    }

    fn rounded(window: f64, claims: &[Claim]) -> Vec<Option<u64>> {
        split(window, SEGMENT, claims)
            .into_iter()
            .map(|share| share.map(|share| (share + 0.5) as u64))
            .collect()
    }

    #[test]
    fn a_window_is_divided_by_weight() {
        let all = f64::INFINITY;
        for (window, claims, expected) in [
            (100_000.0, vec![claim(2.0, all)], vec![Some(100_000)]),
            (100_000.0, vec![claim(2.0, all), claim(2.0, all)], vec![Some(50_000), Some(50_000)]),
            (74_000.0, vec![claim(4.0, all), claim(2.0, all), claim(1.0, all)], {
                // Two segments each, and the rest by 4 : 2 : 1.
                vec![Some(40_857), Some(21_429), Some(11_714)]
            }),
        ] {
            assert_eq!(rounded(window, &claims), expected);
        }
    }

    #[test]
    fn what_one_cannot_use_is_for_the_others_and_what_nobody_claims_for_all() {
        let slow = claim(2.0, 10_000.0);
        let fast = claim(2.0, f64::INFINITY);
        assert_eq!(rounded(100_000.0, &[slow, fast]), [Some(10_000), Some(90_000)]);
        assert_eq!(rounded(100_000.0, &[slow, slow]), [Some(50_000), Some(50_000)]);
    }

    #[test]
    fn too_small_a_window_parks_the_silent_the_light_and_the_later_ones() {
        let silent = Claim { is_silent: true, ..claim(4.0, 1e9) };
        let (heavy, light) = (claim(4.0, 1e9), claim(1.0, 1e9));
        assert_eq!(rounded(2000.0, &[light, silent, heavy, heavy]), [None, None, Some(2000), None]);
        assert_eq!(rounded(4000.0, &[light, silent, heavy, heavy]), [None, None, Some(2000), Some(2000)]);
        assert_eq!(rounded(1.0, &[silent]), [Some(2000)], "one always measures");
        assert_eq!(rounded(1e6, &[]), []);
    }

    #[test]
    fn no_more_is_given_than_there_is() {
        for count in 1..20_usize {
            for window in [3e3, 2e4, 1e6] {
                let wanted = |at: usize| if at.is_multiple_of(3) { 5e3 } else { 1e9 };
                let claims: Vec<_> = (0..count).map(|at| claim((1 + at % 4) as f64, wanted(at))).collect();
                let given: f64 = split(window, SEGMENT, &claims).into_iter().flatten().sum();
                assert!((given - window).abs() < 1.0, "{count}, {window}: {given}");
            }
        }
    }
}
