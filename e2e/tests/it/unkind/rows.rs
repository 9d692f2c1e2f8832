//! Each fault, and what must become of it.

use bits_testkit::Certificate;
use serde_json::Value;

use crate::outcome::Expected;

/// How the origin is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    /// The server shows this.
    Tls(Certificate),
    /// HTTP/2, and HTTP/1.1 where that is wanted.
    Http2,
    /// Nothing but HTTP/2.
    Http2Only,
}

/// One fault, one job.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Path and query at the unkind origin.
    pub(super) target: &'static str,
    pub(super) way: Way,
    pub(super) expected: Expected,
    /// Whether the owner gives the checksum that the file has at first.
    pub(super) is_given: bool,
    /// After how many errors a job that is tried again counts as seen enough of.
    errors: u64,
}

use Expected::{Fatal, Right, Transient, Unknowable};

const ABORTED: u32 = 0x8007_2EFE;
const TIMEOUT: u32 = 0x8007_2EE2;
/// The answer is not HTTP as it may be accepted.
const NO_HTTP: u32 = 0x8007_2F78;
const SIGN_IN_TO_NETWORK: u32 = 0x8019_01FF;
/// BG_E_INVALID_SERVER_RESPONSE.
const INVALID_RESPONSE: u32 = 0x8020_001B;
/// A certificate that is not accepted, for no reason with a number of its own.
const TLS: u32 = 0x8007_2F8F;
/// ERROR_FILE_TOO_LARGE.
const TOO_LARGE: u32 = 0x8007_00DF;
const CERTIFICATE_DATE: u32 = 0x8007_2F05;
const CERTIFICATE_NAME: u32 = 0x8007_2F06;
const UNKNOWN_AUTHORITY: u32 = 0x8007_2F0D;

/// BG_E_VALIDATION_FAILED.
const VALIDATION: u32 = 0x8020_0053;

const fn http(status: u32) -> u32 {
    0x8019_0000 + status
}

impl Row {
    /// Whether `job`, which is not over, has come to where nothing new is to be expected.
    pub(super) fn rests(&self, job: &Value) -> bool {
        match self.expected {
            _ if job["state"] == "error" => true,
            Transient(_) => {
                job["state"] == "transient_error" && job["error_count"].as_u64() >= Some(self.errors)
            }
            _ => false,
        }
    }

    /// The same over TLS, with a server that shows `certificate`.
    const fn over_tls(mut self, certificate: Certificate) -> Self {
        self.way = Way::Tls(certificate);
        self
    }

    /// The same over HTTP/2, where what is wrong can be wrong there.
    pub(super) fn over_http2(&self) -> Option<Self> {
        let fault = self.target.split('?').next().unwrap_or_default();
        let is_of_http_1 = OF_HTTP_1.iter().any(|of_http_1| fault.starts_with(of_http_1));
        if self.way != Way::Plain || is_of_http_1 {
            return None;
        }
        let differs = DIFFERS_OVER_HTTP_2.iter().find(|(target, ..)| *target == self.target);
        let expected = differs.map_or(self.expected, |(_, expected)| *expected);
        Some(Self { way: Way::Http2, expected, ..self.clone() })
    }

    const fn by(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// With the checksum that the file has at first, given by the owner.
    const fn given(mut self) -> Self {
        self.is_given = true;
        self
    }

    /// Seen enough of after one error: the next try is far away.
    const fn once(mut self) -> Self {
        self.errors = 1;
        self
    }
}

const fn row(target: &'static str, expected: Expected) -> Row {
    Row { target, way: Way::Plain, expected, is_given: false, errors: 2 }
}

pub(super) const ROWS: &[Row] = &[
    // bodies
    row("kind", Right),
    row("kind?size=0", Right),
    row("kind?size=3000000", Right),
    row("cut?at=100000", Right),
    row("cut?at=100000&how=rst", Right),
    row("cut?at=1500000&size=4000000", Right),
    row("cut?at=0", Transient(ABORTED)),
    row("cut?at=0&how=rst", Transient(ABORTED)),
    row("stall?at=100000&first=1", Right),
    row("stall?at=1500000&size=4000000&first=1", Right),
    row("stall?at=0", Transient(TIMEOUT)),
    row("drip", Right),
    row("long-length", Transient(ABORTED)),
    row("long-length?first=1", Right),
    row("short-length", Unknowable),
    row("no-length", Right),
    row("no-length?cut=100000", Unknowable),
    row("no-length?cut=100000&how=rst", Right),
    row("chunked", Right),
    row("chunked?cut=100000", Right),
    row("chunked?cut=100000&how=rst", Right),
    row("chunked-bad-size", Transient(NO_HTTP)),
    row("chunked-no-end", Transient(ABORTED)),
    row("chunked-long-line", Transient(NO_HTTP)),
    row("chunked-endless-trailer", Transient(NO_HTTP)),
    row("garbage-after", Right),
    row("corrupt", Unknowable),
    row("gzip", Fatal(INVALID_RESPONSE)),
    row("gzip-in-name", Fatal(INVALID_RESPONSE)),
    row("gzip?from=1&cut=100000", Fatal(INVALID_RESPONSE)),
    // ranges
    row("no-ranges?cut=100000", Right),
    row("wrong-range?cut=100000", Right),
    row("early-range?cut=100000", Right),
    row("lying-range?cut=100000", Unknowable),
    row("no-content-range?cut=100000", Right),
    row("bad-content-range?cut=100000", Right),
    row("other-total?cut=100000", Right),
    row("unknown-total?cut=100000", Right),
    row("short-range?cut=100000", Right),
    row("long-range?cut=100000", Right),
    row("multipart?cut=100000", Right),
    row("range-not-satisfiable?cut=100000", Right),
    row("unasked-part", Fatal(INVALID_RESPONSE)),
    // versions
    row("changed?cut=100000", Right),
    row("changed?cut=100000&grows=1000", Right),
    row("changed?cut=100000&cuts=3&times=3&grows=1000", Right),
    row("changed?cut=100000&cuts=1000&times=1000", Transient(ABORTED)),
    row("changed?cut=1500000&size=4000000", Right),
    row("changed-dates-only?cut=100000", Right),
    row("changed-dates-only?cut=100000&grows=1000", Right),
    row("changed-weak?cut=100000", Right),
    row("changed-weak?cut=100000&grows=1000", Right),
    row("changed-no-validators?cut=100000", Right),
    row("changed-no-validators?cut=100000&grows=1000", Right),
    row("changed-same-tag?cut=100000", Unknowable),
    row("changed-same-tag?cut=100000&grows=1000", Right),
    row("if-range-ignored?cut=100000", Right),
    row("if-range-ignored?cut=100000&grows=1000", Right),
    row("if-range-ignored-old-tag?cut=100000", Unknowable),
    row("if-range-ignored-old-tag?cut=100000&grows=1000", Right),
    row("if-range-ignored-no-tag?cut=100000", Right),
    row("if-range-ignored-no-tag?cut=100000&grows=1000", Right),
    row("weak-tag?cut=100000", Right),
    row("date-only?cut=100000", Right),
    row("fresh-date?cut=100000", Right),
    row("no-validators?cut=100000", Right),
    row("rotating-tag?cut=100000", Right),
    row("rotating-tag?cut=200000&cuts=3", Right),
    row("odd-tag?cut=100000", Right),
    // digests that the server gives
    row("kind?digest=repr-digest", Right),
    row("kind?digest=sha-512", Right),
    row("kind?digest=content-digest", Right),
    row("kind?digest=digest", Right),
    row("kind?digest=content-md5", Right),
    row("kind?digest=repr-digest&cut=100000", Right),
    row("kind?digest=content-digest&cut=100000", Right),
    row("kind?digest=digest&cut=100000", Right),
    row("kind?digest=content-md5&cut=100000", Right),
    row("kind?digest=repr-digest&cut=1500000&size=4000000", Right),
    row("chunked?digest=repr-digest&cut=100000", Right),
    row("no-validators?digest=repr-digest&cut=100000", Right),
    row("kind?digest=repr-digest&wrong=1", Fatal(VALIDATION)),
    row("kind?digest=sha-512&wrong=1", Fatal(VALIDATION)),
    row("kind?digest=content-digest&wrong=1", Fatal(VALIDATION)),
    row("kind?digest=digest&wrong=1", Fatal(VALIDATION)),
    row("kind?digest=content-md5&wrong=1", Fatal(VALIDATION)),
    row("corrupt?digest=repr-digest", Fatal(VALIDATION)),
    row("corrupt?digest=repr-digest&first=1", Right),
    row("corrupt?digest=content-md5&first=1", Right),
    row("corrupt?digest=repr-digest&size=4000000&at=3000000&first=1", Right),
    row("short-length?digest=repr-digest", Fatal(VALIDATION)),
    row("no-length?digest=repr-digest&cut=100000", Right),
    row("lying-range?digest=repr-digest&cut=100000", Right),
    row("changed?digest=repr-digest&cut=100000", Right),
    row("changed-same-tag?digest=repr-digest&cut=100000", Right),
    row("changed-same-tag?digest=content-digest&cut=100000", Right),
    row("if-range-ignored-old-tag?digest=repr-digest&cut=100000", Right),
    row("if-range-ignored-old-tag?digest=content-md5&cut=100000", Right),
    row("rotating-tag?digest=repr-digest&cut=200000&cuts=3", Right),
    // a checksum that the owner gives
    row("kind", Right).given(),
    row("kind?cut=100000", Right).given(),
    row("kind?digest=repr-digest&wrong=1", Right).given(),
    row("corrupt", Fatal(VALIDATION)).given(),
    row("corrupt?first=1", Right).given(),
    row("short-length", Fatal(VALIDATION)).given(),
    row("no-length?cut=100000", Right).given(),
    row("lying-range?cut=100000", Right).given(),
    row("changed?cut=100000", Fatal(VALIDATION)).given(),
    row("changed-same-tag?cut=100000", Fatal(VALIDATION)).given(),
    row("portal", Fatal(VALIDATION)).given(),
    row("portal-redirect?from=1&cut=100000", Transient(SIGN_IN_TO_NETWORK)).given(),
    // heads
    row("interim", Right),
    row("interim-flood", Transient(NO_HTTP)),
    row("switch-protocols", Transient(NO_HTTP)),
    row("huge-head", Transient(NO_HTTP)),
    row("huge-head?bytes=20000", Right),
    row("many-fields", Transient(NO_HTTP)),
    row("many-fields?count=50", Right),
    row("endless-head", Transient(NO_HTTP)),
    row("folded-field", Transient(NO_HTTP)),
    row("folded-length", Transient(NO_HTTP)),
    row("nul-in-head", Transient(NO_HTTP)),
    row("bare-lf", Right),
    row("bare-cr", Transient(NO_HTTP)),
    row("space-before-colon", Transient(NO_HTTP)),
    row("two-lengths", Transient(NO_HTTP)),
    row("length-and-chunks", Right),
    row("negative-length", Transient(NO_HTTP)),
    row("huge-length", Transient(NO_HTTP)),
    row("huge-length?length=9000000000000000000", Fatal(TOO_LARGE)),
    row("bad-status", Transient(NO_HTTP)),
    row("no-reason", Right),
    row("not-http", Transient(NO_HTTP)),
    row("http-1.0", Right),
    row("http-1.0?cut=100000", Right),
    row("http-0.9", Transient(NO_HTTP)),
    row("http-3.0", Transient(NO_HTTP)),
    // redirects and portals
    row("redirect?code=301", Right),
    row("redirect?code=302&cut=100000", Right),
    row("redirect?code=303", Right),
    row("redirect?code=307", Right),
    row("redirect?code=308", Right),
    row("redirect-loop", Fatal(http(302))),
    row("redirect-cross-host", Right),
    row("redirect-to-file", Fatal(http(302))),
    row("redirect-nowhere", Fatal(http(302))),
    row("redirect-bad", Fatal(http(302))),
    row("portal", Unknowable),
    row("portal?from=1&cut=100000", Transient(SIGN_IN_TO_NETWORK)),
    row("portal-redirect?from=1&cut=100000", Transient(SIGN_IN_TO_NETWORK)),
    // statuses
    row("status?code=204", Transient(http(204))),
    row("status?code=304", Fatal(http(304))),
    row("status?code=400", Fatal(http(400))),
    row("status?code=403", Fatal(http(403))),
    row("status?code=404", Fatal(http(404))),
    row("status?code=404&from=1&cut=100000", Fatal(http(404))),
    row("status?code=410", Fatal(http(410))),
    row("status?code=416", Fatal(http(416))),
    row("status?code=500", Transient(http(500))),
    row("status?code=501", Fatal(http(501))),
    row("busy?first=1", Right),
    row("busy?code=429&first=1", Right),
    row("busy-until?first=1", Right),
    row("busy-soon?first=1", Right),
    row("busy-for-ever", Transient(http(503))).once(),
    row("sign-in", Fatal(http(401))),
    row("sign-in?scheme=Negotiate", Fatal(http(401))),
    row("sign-in?scheme=Unheard-Of", Fatal(http(401))),
    row("sign-in-nameless", Fatal(http(401))),
    row("sign-in?from=1&cut=100000", Fatal(http(401))),
    row("proxy-sign-in", Fatal(http(407))),
    // connections
    row("silent", Transient(TIMEOUT)),
    row("closed", Transient(ABORTED)),
    row("closed?first=1", Right),
    row("reset", Transient(ABORTED)),
    row("half-head", Transient(ABORTED)),
    row("slow-head", Transient(TIMEOUT)),
    row("closed-idle?cut=100000", Right),
    row("hang-up", Right),
    // TLS
    row("kind", Right).over_tls(Certificate::Good),
    row("cut?at=100000&how=hang-up", Right).over_tls(Certificate::Good),
    row("changed?cut=100000&how=hang-up", Right).over_tls(Certificate::Good),
    row("no-length", Right).over_tls(Certificate::Good),
    row("no-length?cut=100000&how=hang-up", Right).over_tls(Certificate::Good),
    row("hang-up", Transient(ABORTED)).over_tls(Certificate::Good),
    row("redirect-to-plain", Fatal(http(302))).over_tls(Certificate::Good),
    row("kind", Fatal(CERTIFICATE_DATE)).over_tls(Certificate::Expired),
    row("kind", Fatal(CERTIFICATE_DATE)).over_tls(Certificate::NotYetValid),
    row("kind", Fatal(CERTIFICATE_NAME)).over_tls(Certificate::WrongName),
    row("kind", Fatal(UNKNOWN_AUTHORITY)).over_tls(Certificate::SelfSigned),
    row("kind", Fatal(TLS)).over_tls(Certificate::OtherAuthority),
];

/// Faults, by how their names begin, that are wrong in the text of HTTP/1.1, or with a connection that
/// carries one answer at a time.
const OF_HTTP_1: &[&str] = &[
    "chunked",
    "garbage-after",
    "interim",
    "switch-protocols",
    "endless-head",
    "folded",
    "nul-in-head",
    "bare",
    "space-before-colon",
    "length-and-chunks",
    "bad-status",
    "no-reason",
    "not-http",
    "http-",
    "half-head",
    "slow-head",
    "hang-up",
];

/// What HTTP/2 tells that HTTP/1.1 cannot (a body that goes on behind its length is malformed), and what
/// TLS makes another case of.
const DIFFERS_OVER_HTTP_2: &[(&str, Expected)] = &[
    // From TLS to plain http.
    ("redirect-cross-host", Fatal(http(302))),
    ("short-length", Transient(ABORTED)),
    ("short-length?digest=repr-digest", Transient(ABORTED)),
];

/// What is wrong with the frames of HTTP/2 alone.
pub(super) const FRAMES: &[Row] = &[
    row("kind", Right).by(Way::Http2Only),
    row("kind?size=3000000&cut=1500000", Right).by(Way::Http2Only),
    row("h2-reset?at=100000&first=1", Right).by(Way::Http2),
    row("h2-reset?at=1500000&size=4000000&first=1", Right).by(Way::Http2),
    row("h2-reset?at=0", Transient(ABORTED)).by(Way::Http2),
    row("h2-refused?first=2", Right).by(Way::Http2),
    row("h2-refused", Transient(ABORTED)).by(Way::Http2),
    row("h2-gone-away?first=2", Right).by(Way::Http2),
    row("h2-gone-away", Transient(ABORTED)).by(Way::Http2),
    row("h2-leaving", Right).by(Way::Http2),
    row("h2-leaving?cut=100000", Right).by(Way::Http2),
    row("h2-short", Right).by(Way::Http2),
    row("h2-short?at=0", Transient(ABORTED)).by(Way::Http2),
    row("h2-long", Transient(ABORTED)).by(Way::Http2),
    row("h2-long?first=1", Right).by(Way::Http2),
    row("h2-trailer", Right).by(Way::Http2),
    row("h2-trailer?bytes=20000", Right).by(Way::Http2),
    // With more than four times as much the connection is given up, whatever has come before.
    row("h2-trailer?bytes=100000", Right).by(Way::Http2),
    row("h2-interim", Right).by(Way::Http2),
    row("h2-interim?count=10000", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-continuations", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-pings", Transient(TIMEOUT)).by(Way::Http2),
    row("h2-settings", Transient(TIMEOUT)).by(Way::Http2),
    row("h2-empty-frames", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-push", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-large-frame", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-upper-case", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-connection-field", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-two-lengths", Transient(NO_HTTP)).by(Way::Http2),
    row("h2-garbage", Transient(NO_HTTP)).by(Way::Http2),
];
