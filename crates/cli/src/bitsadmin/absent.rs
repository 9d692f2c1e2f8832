//! Switches that are known and not carried out: why, with which code, and what there is in their place.
//! What is built leaves this list.

use bits_core::error::Code;

/// Something that tool can do elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Absent {
    /// What was asked for, after "Unable to".
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) code: Code,
}

const fn not_built(what: &'static str, why: &'static str) -> Absent {
    Absent { what, why, code: Code::NOT_IMPLEMENTED }
}

pub(super) const UPLOAD: Absent = not_built("create job", "uploads are not available in this version");
pub(super) const HELPER_TOKEN: Absent =
    not_built("access helper token", "there are no tokens on this system; credentials are set on the job");
pub(super) const REPAIR: Absent = not_built(
    "repair service",
    "there is no registration to repair; `bits service doctor` says what is wrong",
);
pub(super) const ACCOUNT_PROXY: Absent = not_built(
    "access proxy settings",
    "there are no such accounts here; the settings `proxy` and `no_proxy` of the service are for all its jobs",
);
pub(super) const ANALYTIC_CHANNEL: Absent = not_built(
    "change analytic channel",
    "there is no such channel; `bits service status` says where the log is",
);
pub(super) const PEER_CACHE: Absent = Absent {
    what: "access peer cache",
    why: "there is no peer cache here: all that comes is from the servers of a job",
    code: PEERCACHING_DISABLED,
};

/// `BG_E_PEERCACHING_DISABLED`.
const PEERCACHING_DISABLED: Code = Code(0x8020_0047);
