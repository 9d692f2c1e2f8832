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
    /// One of these words.
    Choice(&'static [&'static str]),
    /// What networks cost, by interface, or nothing.
    NetworkCosts,
    /// So many, or as the service thinks best, which is what is built in.
    NumberOrAuto {
        least: u64,
        most: u64,
    },
    /// A limit in bytes per second, or none.
    Rate,
    /// A weekly timetable of limits, or nothing.
    Timetable,
}

/// Settings of which a change holds without a restart.
pub(crate) const LIVE: &[&str] = &[
    "background_jobs_max",
    "background_rate_limit",
    "connections_max",
    "foreground_jobs_max",
    "foreground_rate_limit",
    "host_connections_max",
    "job_inactivity_timeout",
    "max_download_time",
    "max_files_per_job",
    "max_jobs_per_machine",
    "max_jobs_per_user",
    "max_ranges_per_file",
    "network_cost",
    "notify_commands",
    "notify_expiry",
    "on_battery",
    "owner_away",
    "owner_rate_limit",
    "rate_limit",
    "rate_schedule",
    "time_slice",
    "transfer_policy_foreground",
    "transfer_policy_high",
    "transfer_policy_low",
    "transfer_policy_normal",
    "wait_for_network",
];

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

/// The words of BITS's transfer policies.
const POLICIES: &[&str] = &["always", "not-roaming", "no-surcharge", "standard", "unrestricted"];

const fn policy(name: &'static str, built_in: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Choice(POLICIES),
        expected: "always, not-roaming, no-surcharge, standard or unrestricted",
        meaning,
        text: built_in,
    }
}

const fn rate(name: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Rate,
        expected: "bytes per second such as 500k or 2M, bits such as 8mbit, or none (or 0) for no limit",
        meaning,
        text: "none",
    }
}

const fn connections(name: &'static str, built_in: u64, meaning: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Number { built_in, least: 1, most: 10_000 },
        expected: "a number from 1 to 10000",
        meaning,
        text: "",
    }
}

/// The table; `bits config explain` prints it with the values in force.
pub(crate) const KEYS: &[Key] = &[
    jobs("background_jobs_max", 4, "Jobs of high, normal and low priority that run at a time."),
    rate("background_rate_limit", "What jobs of high, normal and low priority receive per second together."),
    seconds("connect_timeout", 30, 1, "Seconds for one attempt to connect to a server."),
    connections("connections_max", 128, "Connections of all jobs at a time."),
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
    rate("foreground_rate_limit", "What jobs of foreground priority receive per second together."),
    connections("host_connections_max", 16, "Connections of all jobs to one server at a time."),
    seconds(
        "idle_exit",
        300,
        0,
        "Seconds without jobs and callers after which the service leaves; 0: never.",
    ),
    seconds("idle_timeout", 60, 1, "Seconds a server may be silent in the middle of a file."),
    Key {
        name: "job_inactivity_timeout",
        kind: Kind::Number { built_in: 90, least: 0, most: 3650 },
        expected: "a number of days from 0 to 3650",
        meaning: "Days without progress or a word of its owner after which a job is cancelled; 0: never.",
        text: "",
    },
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
        name: "max_download_time",
        kind: Kind::Number { built_in: 7_776_000, least: 1, most: 315_360_000 },
        expected: "a number of seconds from 1 to 315360000",
        meaning: "Seconds that a job which says nothing of it may connect and transfer since it was last resumed.",
        text: "",
    },
    Key {
        name: "max_files_per_job",
        kind: Kind::Number { built_in: 1_000_000, least: 1, most: 100_000_000 },
        expected: "a number from 1 to 100000000",
        meaning: "Files of one job; 200 is as in BITS.",
        text: "",
    },
    Key {
        name: "max_jobs_per_machine",
        kind: Kind::Number { built_in: 5_000_000, least: 1, most: 100_000_000 },
        expected: "a number from 1 to 100000000",
        meaning: "Jobs of all users that are not over; 300 is as in BITS.",
        text: "",
    },
    Key {
        name: "max_jobs_per_user",
        kind: Kind::Number { built_in: 2_000_000, least: 1, most: 100_000_000 },
        expected: "a number from 1 to 100000000",
        meaning: "Jobs of one user that are not over; 60 is as in BITS.",
        text: "",
    },
    Key {
        name: "max_ranges_per_file",
        kind: Kind::Number { built_in: 10_000, least: 1, most: 10_000 },
        expected: "a number from 1 to 10000",
        meaning: "Ranges of one file; 500 is as in BITS.",
        text: "",
    },
    Key {
        name: "network_cost",
        kind: Kind::NetworkCosts,
        expected: "pairs INTERFACE=COST apart by blanks, where a final * stands for the rest of a name and the costs are unrestricted, metered, below-cap, near-cap, over-cap-charged, over-cap-throttled, billed and roaming; or empty",
        meaning: "What networks cost by the interface that leads there, as in `eth0=metered wlan*=unrestricted`; of others NetworkManager says it.",
        text: "",
    },
    Key {
        name: "no_proxy",
        kind: Kind::AnyText,
        expected: "printable ASCII, or empty",
        meaning: "Hosts that are reached without the proxy of `proxy`, apart by commas, as curl reads them.",
        text: "",
    },
    rate("owner_rate_limit", "What all jobs of one owner receive per second together."),
    Key {
        name: "notify_commands",
        kind: Kind::Switch,
        expected: "on or off",
        meaning: "Whether owners may have commands run when their jobs are done or in error.",
        text: "on",
    },
    seconds("notify_command_timeout", 600, 1, "Seconds after which such a command is killed."),
    seconds(
        "notify_expiry",
        86_400,
        1,
        "Seconds after which it is given up to run a command or to send a webhook.",
    ),
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
        name: "on_battery",
        kind: Kind::Choice(&["run", "foreground-only", "wait"]),
        expected: "run, foreground-only or wait",
        meaning: "Which jobs run while the machine is on its battery: all, those of foreground priority, or none.",
        text: "run",
    },
    Key {
        name: "owner_away",
        kind: Kind::Choice(&["run", "wait"]),
        expected: "run or wait",
        meaning: "What jobs do while their owner is logged off, where systemd-logind tells; wait is BITS's way.",
        text: "run",
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
    rate("rate_limit", "What all jobs receive per second together."),
    Key {
        name: "rate_schedule",
        kind: Kind::Timetable,
        expected: "a timetable of lines such as `mon-fri 08:00-18:00 1M`, or empty",
        meaning: "Limits by the time of the week; see [limits](limits.md).",
        text: "",
    },
    seconds("response_timeout", 60, 1, "Seconds a server may take to begin an answer."),
    seconds(
        "time_slice",
        60,
        1,
        "Seconds that a job runs before another of its priority, which waits, has its turn.",
    ),
    policy(
        "transfer_policy_foreground",
        "always",
        "On which networks, by what they cost, jobs of foreground priority transfer that do not say so themselves.",
    ),
    policy("transfer_policy_high", "unrestricted", "The same for jobs of high priority."),
    policy("transfer_policy_low", "unrestricted", "The same for jobs of low priority."),
    policy("transfer_policy_normal", "unrestricted", "The same for jobs of normal priority."),
    Key {
        name: "wait_for_network",
        kind: Kind::Switch,
        expected: "on or off",
        meaning: "Whether jobs wait while the machine has no network, or try all the same; those for files of this machine never wait.",
        text: "on",
    },
    Key {
        name: "user_agent",
        kind: Kind::Text,
        expected: "printable ASCII, not empty",
        meaning: "How transfers introduce themselves to servers.",
        text: concat!("OpenBITS/", env!("CARGO_PKG_VERSION")),
    },
];
