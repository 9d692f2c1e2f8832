//! The switches that are about the service and the machine (`bits.md` §11.4).

use super::super::absent::{self, Absent};
use super::super::asked::Asked;
use super::super::words::{Fault, Words};
use super::Row;
use super::setters::TRUTH;

const NOT_HERE: &str = "Not available on this system";
const NO_CACHE: &str = "There is no peer cache";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "/util /version",
        takes: "[/verbose]",
        about: "The versions of this tool and of the service",
        read: |words| Ok(Asked::Version { is_verbose: words.switch("verbose") }),
    },
    row("/util /repairservice", "[/force]", NOT_HERE, |words| {
        words.switch("force");
        Ok(Asked::Absent(&absent::REPAIR))
    }),
    row("/util /getieproxy", "<account> [/conn <name>]", NOT_HERE, |words| {
        words.take("the account")?;
        connection(words)
    }),
    row(
        "/util /setieproxy",
        "<account> NO_PROXY|AUTODETECT|MANUAL_PROXY <list> <bypass>|AUTOSCRIPT <url>|RESET [/conn <name>]",
        NOT_HERE,
        |words| {
            words.take("the account")?;
            let known =
                [("NO_PROXY", 0), ("AUTODETECT", 0), ("MANUAL_PROXY", 2), ("AUTOSCRIPT", 1), ("RESET", 0)];
            for _ in 0..words.one_of("the usage", &known)? {
                words.take("what belongs to the usage")?;
            }
            connection(words)
        },
    ),
    row("/util /enableanalyticchannel", "TRUE|FALSE", NOT_HERE, |words| {
        words.one_of("the state", &TRUTH).map(|_| Asked::Absent(&absent::ANALYTIC_CHANNEL))
    }),
    row("/util /help", "", "Lists the switches", |_| Ok(Asked::Help)),
    row("/peercaching /getconfigurationflags", "", "The flags of the peer cache: none", |_| {
        Ok(Asked::PeerCachingFlags)
    }),
    row("/peercaching /setconfigurationflags", "<number>", NO_CACHE, |words| {
        words.number("the flags").map(|_| CACHE)
    }),
    row("/peercaching /help", "", "Lists the switches", |_| Ok(Asked::Help)),
    row("/cache /list", "[/verbose]", NO_CACHE, |words| {
        words.switch("verbose");
        Ok(CACHE)
    }),
    row("/cache /info", "<id> [/verbose]", NO_CACHE, |words| {
        words.take("the id")?;
        words.switch("verbose");
        Ok(CACHE)
    }),
    row("/cache /delete", "<id>", NO_CACHE, |words| words.take("the id").map(|_| CACHE)),
    row("/cache /deleteurl", "<url>", NO_CACHE, |words| words.take("the URL").map(|_| CACHE)),
    row("/cache /clear", "", NO_CACHE, |_| Ok(CACHE)),
    row("/cache /setlimit", "<percent>", NO_CACHE, |words| words.number("the limit").map(|_| CACHE)),
    row("/cache /getlimit", "", NO_CACHE, |_| Ok(CACHE)),
    row("/cache /setexpirationtime", "<seconds>", NO_CACHE, |words| words.number("the time").map(|_| CACHE)),
    row("/cache /getexpirationtime", "", NO_CACHE, |_| Ok(CACHE)),
    row("/cache /help", "", "Lists the switches", |_| Ok(Asked::Help)),
    row("/peers /list", "", NO_CACHE, |_| Ok(CACHE)),
    row("/peers /clear", "", NO_CACHE, |_| Ok(CACHE)),
    row("/peers /discover", "", NO_CACHE, |_| Ok(CACHE)),
    row("/peers /help", "", "Lists the switches", |_| Ok(Asked::Help)),
];

const CACHE: Asked = Asked::Absent(&absent::PEER_CACHE);

const fn row(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    read: fn(&mut Words<'_>) -> Result<Asked, Fault>,
) -> Row {
    Row { name, takes, about, read }
}

/// The end of what is about the proxies of an account.
fn connection(words: &mut Words<'_>) -> Result<Asked, Fault> {
    const PROXY: &Absent = &absent::ACCOUNT_PROXY;
    if words.switch("conn") {
        words.take("the connection")?;
    }
    Ok(Asked::Absent(PROXY))
}
