//! Each server, how it is set up, what happens, and what must become of it.

use crate::outcome::Expected::{self, Fatal, Right, Transient, Unknowable, Whole};

/// One way of meeting a server, one job.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) at: At,
    /// The location; see `tests/peers/wild`.
    pub(super) way: &'static str,
    pub(super) happens: Happens,
    pub(super) expected: Expected,
    /// Whether the owner gives the checksum that the newest version has.
    pub(super) is_given: bool,
}

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Nginx,
    Apache,
    /// nginx by way of a proxy that has the first version and asks nobody for another.
    Squid,
}

/// What happens in the middle of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happens {
    Nothing,
    /// The connection ends.
    Cut,
    /// The connection is reset.
    Reset,
    /// The connection ends, and another file with another size takes the place of the first.
    Changes,
    /// The same with the same size.
    IsReplaced,
    /// The same with the same size and the same date.
    IsDisguised,
    /// The proxy has the first file where there is another by now; after the cut there is no proxy.
    GoesStale,
}

impl At {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Squid => "squid",
        }
    }
}

impl Happens {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no accident",
            Self::Cut => "cut off",
            Self::Reset => "reset",
            Self::Changes => "cut off, then another file of another size",
            Self::IsReplaced => "cut off, then another file of the same size",
            Self::IsDisguised => "cut off, then another file of the same size and date",
            Self::GoesStale => "a stale half, cut off, then without the proxy",
        }
    }
}

const fn row(at: At, way: &'static str, happens: Happens, expected: Expected) -> Row {
    Row { at, way, happens, expected, is_given: false }
}

const fn with_checksum(row: Row) -> Row {
    Row { is_given: true, ..row }
}

const fn http(status: u32) -> u32 {
    0x8019_0000 + status
}

/// `BG_E_INVALID_SERVER_RESPONSE`.
const INVALID_RESPONSE: u32 = 0x8020_001B;

use At::{Apache, Nginx, Squid};
use Happens::{Changes, Cut, GoesStale, IsDisguised, IsReplaced, Nothing, Reset};

pub(super) const ROWS: &[Row] = &[
    row(Nginx, "plain", Nothing, Right),
    row(Nginx, "plain", Cut, Right),
    row(Nginx, "plain", Reset, Right),
    row(Nginx, "plain", Changes, Right),
    row(Nginx, "plain", IsReplaced, Right),
    // Its tag is made of size and date.
    row(Nginx, "plain", IsDisguised, Unknowable),
    with_checksum(row(Nginx, "plain", IsDisguised, Right)),
    row(Nginx, "weak", Cut, Right),
    row(Nginx, "weak", IsReplaced, Right),
    row(Nginx, "weak", IsDisguised, Right),
    row(Nginx, "no-tag", Cut, Right),
    row(Nginx, "no-tag", IsReplaced, Right),
    row(Nginx, "nothing", Cut, Right),
    row(Nginx, "nothing", IsReplaced, Right),
    row(Nginx, "no-ranges", Cut, Right),
    row(Nginx, "no-ranges", Changes, Right),
    row(Nginx, "gzip", Nothing, Right),
    row(Nginx, "gzip", Cut, Right),
    row(Nginx, "gzip", IsReplaced, Right),
    row(Nginx, "packed", Nothing, Fatal(INVALID_RESPONSE)),
    row(Nginx, "dynamic", Nothing, Right),
    row(Nginx, "dynamic", Cut, Right),
    row(Nginx, "behind", Cut, Right),
    row(Nginx, "behind", IsReplaced, Right),
    row(Nginx, "elsewhere", Nothing, Right),
    row(Nginx, "loop", Nothing, Fatal(http(302))),
    row(Nginx, "gone", Nothing, Fatal(http(404))),
    row(Nginx, "forbidden", Nothing, Fatal(http(403))),
    row(Nginx, "no-such-range", Nothing, Fatal(http(416))),
    row(Nginx, "broken", Nothing, Transient(http(500))),
    row(Nginx, "busy", Nothing, Transient(http(503))),
    row(Nginx, "too-many", Nothing, Transient(http(429))),
    row(Apache, "plain", Nothing, Right),
    row(Apache, "plain", Cut, Right),
    row(Apache, "plain", Reset, Right),
    row(Apache, "plain", Changes, Right),
    row(Apache, "plain", IsReplaced, Right),
    row(Apache, "plain", IsDisguised, Unknowable),
    row(Apache, "no-tag", Cut, Right),
    row(Apache, "no-tag", IsReplaced, Right),
    row(Apache, "nothing", Cut, Right),
    row(Apache, "nothing", IsReplaced, Right),
    row(Apache, "gzip", Nothing, Right),
    row(Apache, "gzip", Cut, Right),
    row(Apache, "gzip", IsReplaced, Right),
    row(Apache, "dynamic", Nothing, Right),
    row(Apache, "dynamic", Cut, Right),
    row(Apache, "gone", Nothing, Fatal(http(404))),
    row(Apache, "long-gone", Nothing, Fatal(http(410))),
    row(Apache, "forbidden", Nothing, Fatal(http(403))),
    row(Apache, "busy", Nothing, Transient(http(503))),
    row(Squid, "plain", Nothing, Right),
    row(Squid, "plain", Cut, Right),
    row(Squid, "plain", Reset, Right),
    // The proxy has the first version and gives that: the newest is out of reach, and what comes is one.
    row(Squid, "plain", Changes, Whole),
    row(Squid, "plain", IsReplaced, Whole),
    row(Squid, "no-tag", IsReplaced, Whole),
    row(Squid, "weak", IsReplaced, Whole),
    // A half of the first version from the proxy, and another version at its source.
    row(Squid, "plain", GoesStale, Right),
    row(Squid, "no-tag", GoesStale, Right),
    row(Squid, "weak", GoesStale, Right),
];
