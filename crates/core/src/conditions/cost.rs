//! What a network costs, and in which of these states a job may transfer (`bits.md` §10.4).

use core::fmt;
use core::num::NonZeroU8;

/// States of a network's cost, one bit each, of which there is one at least.
pub type States = NonZeroU8;

/// What a network costs: one of BITS's `BITS_COST_STATE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkCost {
    #[default]
    Unrestricted,
    /// There is a limit, and nobody says how much of it is used up.
    Metered,
    BelowCap,
    NearCap,
    /// More than the limit, and paid for.
    OverCapCharged,
    /// More than the limit, and slow.
    OverCapThrottled,
    /// Each byte is paid for.
    Billed,
    Roaming,
}

impl NetworkCost {
    pub const ALL: [Self; 8] = [
        Self::Unrestricted,
        Self::Metered,
        Self::BelowCap,
        Self::NearCap,
        Self::OverCapCharged,
        Self::OverCapThrottled,
        Self::Billed,
        Self::Roaming,
    ];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unrestricted => "unrestricted",
            Self::Metered => "metered",
            Self::BelowCap => "below-cap",
            Self::NearCap => "near-cap",
            Self::OverCapCharged => "over-cap-charged",
            Self::OverCapThrottled => "over-cap-throttled",
            Self::Billed => "billed",
            Self::Roaming => "roaming",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cost| cost.name() == name)
    }

    pub(super) fn is_among(self, states: States) -> bool {
        states.get() & (1 << self as u8) != 0
    }
}

/// `BITS_JOB_PROPERTY_ID_COST_FLAGS`: the states of a network's cost in which a job may transfer.
///
/// ```
/// # use bits_core::conditions::CostFlags;
/// assert_eq!(CostFlags::new(0x8000_0067).expect("a policy's").to_string(), "standard");
/// assert!(CostFlags::new(0).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostFlags(u32);

/// `BITS_COST_OPTION_IGNORE_CONGESTION`: kept, and without effect. Congestion is what pacing sees to.
const IGNORE_CONGESTION: u32 = 0x8000_0000;
/// All eight states.
const STATES: u32 = 0xFF;

/// Why a number is no cost flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostFlagsError {
    /// With no state at all the job could never transfer.
    NoState,
    /// A bit that means nothing.
    UnknownBit(u32),
}

impl fmt::Display for CostFlagsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoState => {
                f.write_str("allow no state of the network, so that the job would never transfer")
            }
            Self::UnknownBit(bits) => write!(f, "have bits that mean nothing: {bits:#x}"),
        }
    }
}

impl core::error::Error for CostFlagsError {}

impl CostFlags {
    /// # Errors
    /// [`CostFlagsError`].
    pub fn new(flags: u32) -> Result<Self, CostFlagsError> {
        match flags & !(STATES | IGNORE_CONGESTION) {
            0 if flags & STATES == 0 => Err(CostFlagsError::NoState),
            0 => Ok(Self(flags)),
            unknown => Err(CostFlagsError::UnknownBit(unknown)),
        }
    }

    pub fn bits(self) -> u32 {
        self.0
    }

    pub fn states(self) -> States {
        States::new((self.0 & STATES) as u8).expect("there are none without a state")
    }

    /// The policy these are the flags of, if any.
    pub fn policy(self) -> Option<TransferPolicy> {
        TransferPolicy::ALL.into_iter().find(|policy| policy.flags().states() == self.states())
    }
}

impl From<States> for CostFlags {
    fn from(states: States) -> Self {
        Self(u32::from(states.get()))
    }
}

impl fmt::Display for CostFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.policy() {
            Some(policy) => f.write_str(policy.name()),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// `BITS_JOB_TRANSFER_POLICY_*`: cost flags that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferPolicy {
    Always,
    /// Anywhere but abroad.
    NotRoaming,
    /// Nor where more than the limit is paid for.
    NoSurcharge,
    /// Nor where the limit is near.
    Standard,
    /// Where nothing is counted, or where counting has ended.
    Unrestricted,
}

impl TransferPolicy {
    pub const ALL: [Self; 5] =
        [Self::Always, Self::NotRoaming, Self::NoSurcharge, Self::Standard, Self::Unrestricted];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::NotRoaming => "not-roaming",
            Self::NoSurcharge => "no-surcharge",
            Self::Standard => "standard",
            Self::Unrestricted => "unrestricted",
        }
    }

    /// The policy called `name`, in any letter case, also as BITS spells it.
    pub fn named(name: &str) -> Option<Self> {
        let same = |a: u8, b: u8| a.eq_ignore_ascii_case(&b) || (a == b'-' && b == b'_');
        let is =
            |word: &str| word.len() == name.len() && word.bytes().zip(name.bytes()).all(|(a, b)| same(a, b));
        Self::ALL.into_iter().find(|policy| is(policy.name()))
    }

    pub fn flags(self) -> CostFlags {
        CostFlags(match self {
            Self::Always => 0x8000_00FF,
            Self::NotRoaming => 0x8000_007F,
            Self::NoSurcharge => 0x8000_006F,
            Self::Standard => 0x8000_0067,
            Self::Unrestricted => 0x8000_0021,
        })
    }
}
