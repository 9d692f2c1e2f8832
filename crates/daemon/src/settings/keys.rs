//! Every setting there is.

/// What kind of value a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number {
        built_in: u64,
        least: u64,
        most: u64,
    },
    /// An absolute path, or nothing.
    Path,
    Text,
    /// A text, or nothing.
    AnyText,
    /// A level of the log.
    Level,
    /// A form of the log.
    Form,
    /// On or off.
    Switch,
    /// The same, or as the service thinks best, which is what is built in.
    SwitchOrAuto,
    /// So many, or as the service thinks best, which is what is built in.
    NumberOrAuto {
        least: u64,
        most: u64,
    },
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What a value must be, in words.
    pub(crate) expected: &'static str,
    pub(crate) meaning: &'static str,
    text: &'static str,
}

impl Key {
    /// The built-in value of a setting that is a text.
    pub(super) fn built_in_text(&self) -> &'static str {
        self.text
    }
}

const fn seconds(name: &'static str, built_in: u64, least: u64, meaning: &'static str) -> Key {
    /// A week; a longer time-out would never be noticed.
    const MOST: u64 = 7 * 24 * 3600;
    Key {
        name,
        kind: Kind::Number { built_in, least, most: MOST },
        expected: if least == 0 {
            "a number of seconds from 0 to 604800"
        } else {
            "a number of seconds from 1 to 604800"
        },
        meaning,
        text: "",
    }
}

const fn jobs(name: &'static str, built_in: u64, meaning: &'static str) -> Key {
    const MOST: u64 = 1000;
    Key {
        name,
        kind: Kind::Number { built_in, least: 1, most: MOST },
        expected: "a number from 1 to 1000",
        meaning,
        text: "",
    }
}

/// The table; `bits config explain` prints it with the values in force.
pub(crate) const KEYS: &[Key] = &[
    jobs("background_jobs_max", 4, "Jobs of high, normal and low priority that run at a time."),
    seconds("connect_timeout", 30, 1, "Seconds for one attempt to connect to a server."),
    Key {
        name: "crl",
        kind: Kind::Path,
        expected: "an absolute path of a PEM or DER file, or empty",
        meaning: "Lists of revoked certificates, for jobs that check revocation, beside those the certificates name.",
        text: "",
    },
    Key {
        name: "extra_ca",
        kind: Kind::Path,
        expected: "an absolute path of a PEM file, or empty",
        meaning: "Certificates to be trusted beside the system's.",
        text: "",
    },
    Key {
        name: "http2",
        kind: Kind::SwitchOrAuto,
        expected: "auto, on or off",
        meaning: "Whether HTTP/2 is spoken with servers; auto: where many small files come from far away, or nothing else is spoken there.",
        text: "auto",
    },
    jobs("foreground_jobs_max", 16, "Jobs of foreground priority that run at a time."),
    seconds(
        "idle_exit",
        300,
        0,
        "Seconds without jobs and callers after which the service leaves; 0: never.",
    ),
    seconds("idle_timeout", 60, 1, "Seconds a server may be silent in the middle of a file."),
    Key {
        name: "log_format",
        kind: Kind::Form,
        expected: "text or json",
        meaning: "How a line of the log is written.",
        text: "text",
    },
    Key {
        name: "log_level",
        kind: Kind::Level,
        expected: "error, warn, info or debug",
        meaning: "How much the log tells.",
        text: "info",
    },
    Key {
        name: "no_proxy",
        kind: Kind::AnyText,
        expected: "printable ASCII, or empty",
        meaning: "Hosts that are reached without the proxy of `proxy`, apart by commas, as curl reads them.",
        text: "",
    },
    Key {
        name: "parts_max",
        kind: Kind::Number { built_in: 4, least: 1, most: 16 },
        expected: "a number from 1 to 16",
        meaning: "Connections over which parts of one file come at a time, at most, from as many of its sources; 1: files come in one piece.",
        text: "",
    },
    Key {
        name: "parts_per_server",
        kind: Kind::Number { built_in: 1, least: 1, most: 16 },
        expected: "a number from 1 to 16",
        meaning: "Those of them that go to one server, at most; for jobs with `high_performance` it is `parts_max`.",
        text: "",
    },
    Key {
        name: "parts_file_min",
        kind: Kind::Number { built_in: 64, least: 1, most: 1024 * 1024 },
        expected: "a number of MiB from 1 to 1048576",
        meaning: "MiB of the smallest file that comes in parts.",
        text: "",
    },
    Key {
        name: "proxy",
        kind: Kind::AnyText,
        expected: "printable ASCII, or empty",
        meaning: "The proxy, as in `http://host:port`, of jobs that name none and whose owner's environment names none.",
        text: "",
    },
    Key {
        name: "polite",
        kind: Kind::Switch,
        expected: "on or off",
        meaning: "Whether jobs of high, normal and low priority yield to other traffic.",
        text: "on",
    },
    Key {
        name: "polite_minimum_share",
        kind: Kind::Number { built_in: 0, least: 0, most: 50 },
        expected: "a number from 0 to 50",
        meaning: "Per cent of the link that jobs keep even beside other traffic.",
        text: "",
    },
    Key {
        name: "polite_on_link",
        kind: Kind::Switch,
        expected: "on or off",
        meaning: "Whether jobs yield on the way to servers on the same link, too.",
        text: "off",
    },
    Key {
        name: "polite_target_delay",
        kind: Kind::NumberOrAuto { least: 2, most: 100 },
        expected: "a number of milliseconds from 2 to 100, or auto",
        meaning: "The queue that jobs may build up at the slowest link; auto: 4, or 15 on wireless links.",
        text: "auto",
    },
    seconds("response_timeout", 60, 1, "Seconds a server may take to begin an answer."),
    seconds(
        "time_slice",
        60,
        1,
        "Seconds that a job runs before another of its priority, which waits, has its turn.",
    ),
    Key {
        name: "user_agent",
        kind: Kind::Text,
        expected: "printable ASCII, not empty",
        meaning: "How transfers introduce themselves to servers.",
        text: concat!("OpenBITS/", env!("CARGO_PKG_VERSION")),
    },
];
