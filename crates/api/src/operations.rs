//! All one can ask of the service, as one table.
//!
//! Routes, client and `openapi.json` are tested against it.

/// One thing one can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub summary: &'static str,
    /// The type of the query, if it has one.
    pub query: Option<&'static str>,
    /// The type of the body, if it has one.
    pub body: Option<&'static str>,
    /// The status of success, and the type of its body.
    pub answer: (u16, Option<&'static str>),
    /// The statuses of refusals, each with a `Problem`.
    pub problems: &'static [u16],
}

const GET: &str = "GET";
const POST: &str = "POST";

/// Refusals of whatever speaks to the socket: not the service's user, malformed, unwritable.
const ANY: &[u16] = &[400, 403, 413, 429, 503];
const ONE_JOB: &[u16] = &[400, 403, 404, 413, 429, 503];
/// The same, where the job must be one on demand.
const ONE_JOB_ON_DEMAND: &[u16] = &[400, 403, 404, 409, 413, 429, 503];
const CHANGE: &[u16] = &[400, 403, 404, 408, 409, 412, 413, 415, 429, 503, 507];

const fn command(name: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation {
        name,
        method: POST,
        path,
        summary,
        query: None,
        body: None,
        answer: (200, Some("CommandAnswer")),
        problems: CHANGE,
    }
}

/// What stands in the table for an answer in the text format of OpenMetrics, and its media type.
pub const OPENMETRICS: &str = "OpenMetrics text";
pub const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The table.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "about",
        method: GET,
        path: "/v1/about",
        summary: "The service: version, places, how many jobs.",
        query: None,
        body: None,
        answer: (200, Some("About")),
        problems: ANY,
    },
    Operation {
        name: "settings",
        method: GET,
        path: "/v1/settings",
        summary: "The settings in force, and where each came from.",
        query: None,
        body: None,
        answer: (200, Some("SettingList")),
        problems: ANY,
    },
    Operation {
        name: "create_job",
        method: POST,
        path: "/v1/jobs",
        summary: "Creates a job, suspended and without files.",
        query: None,
        body: Some("CreateJob"),
        answer: (201, Some("Job")),
        problems: CHANGE,
    },
    Operation {
        name: "list_jobs",
        method: GET,
        path: "/v1/jobs",
        summary: "The caller's jobs, oldest first, a page at a time.",
        query: Some("ListQuery"),
        body: None,
        answer: (200, Some("JobList")),
        problems: ANY,
    },
    Operation {
        name: "job",
        method: GET,
        path: "/v1/jobs/{job}",
        summary: "One job, with its wait reason, its last error and which credentials are set.",
        query: None,
        body: None,
        answer: (200, Some("Job")),
        problems: ONE_JOB,
    },
    Operation {
        name: "change_job",
        method: "PATCH",
        path: "/v1/jobs/{job}",
        summary: "Changes properties: all of them, or none. `If-Match` carries the revision.",
        query: None,
        body: Some("ChangeJob"),
        answer: (200, Some("Job")),
        problems: CHANGE,
    },
    command("resume_job", "/v1/jobs/{job}/resume", "Lets the job run."),
    command("suspend_job", "/v1/jobs/{job}/suspend", "Stops the job; what has come is kept."),
    command("complete_job", "/v1/jobs/{job}/complete", "Puts whole files in place and ends the job."),
    command("cancel_job", "/v1/jobs/{job}/cancel", "Ends the job and deletes what has come."),
    Operation {
        name: "export_job",
        method: GET,
        path: "/v1/jobs/{job}/export",
        summary: "The job and its files as another service can take them over; no secret is in it.",
        query: None,
        body: None,
        answer: (200, Some("ExportedJob")),
        problems: ONE_JOB,
    },
    Operation {
        name: "import_job",
        method: "PUT",
        path: "/v1/jobs/{job}/export",
        summary: "Makes the job that was exported so, suspended and with its files, unless it is there.",
        query: Some("ImportQuery"),
        body: Some("ExportedJob"),
        answer: (200, Some("Imported")),
        problems: CHANGE,
    },
    Operation {
        name: "add_files",
        method: POST,
        path: "/v1/jobs/{job}/files",
        summary: "Adds files: all of them, or none.",
        query: None,
        body: Some("AddFiles"),
        answer: (200, Some("Job")),
        problems: CHANGE,
    },
    Operation {
        name: "list_files",
        method: GET,
        path: "/v1/jobs/{job}/files",
        summary: "The files of a job in their order, a page at a time.",
        query: Some("FileQuery"),
        body: None,
        answer: (200, Some("FileList")),
        problems: ONE_JOB,
    },
    Operation {
        name: "show_file",
        method: GET,
        path: "/v1/jobs/{job}/files/{index}",
        summary: "Everything about one file, with what the server said of it.",
        query: None,
        body: None,
        answer: (200, Some("File")),
        problems: ONE_JOB,
    },
    Operation {
        name: "change_file",
        method: "PATCH",
        path: "/v1/jobs/{job}/files/{index}",
        summary: "Changes where a file comes from, or says whether its content is right.",
        query: None,
        body: Some("ChangeFile"),
        answer: (200, Some("Job")),
        problems: CHANGE,
    },
    Operation {
        name: "filled_ranges",
        method: GET,
        path: "/v1/jobs/{job}/files/{index}/ranges",
        summary: "What of a file of a job on demand is there, and what is asked for.",
        query: None,
        body: None,
        answer: (200, Some("FilledRanges")),
        problems: ONE_JOB_ON_DEMAND,
    },
    Operation {
        name: "request_ranges",
        method: POST,
        path: "/v1/jobs/{job}/files/{index}/ranges",
        summary: "Has parts of a file of a job on demand come before all else, while the job runs.",
        query: None,
        body: Some("RequestRanges"),
        answer: (200, Some("Job")),
        problems: CHANGE,
    },
    Operation {
        name: "set_download_position",
        method: "PUT",
        path: "/v1/jobs/{job}/files/{index}/position",
        summary: "Has all that is missing of a file of a job on demand come, from this place on first.",
        query: None,
        body: Some("DownloadPosition"),
        answer: (200, Some("Job")),
        problems: CHANGE,
    },
    Operation {
        name: "replace_remote_prefix",
        method: POST,
        path: "/v1/jobs/{job}/replace_remote_prefix",
        summary: "Changes the start of every remote name that begins so, of files that have not come.",
        query: None,
        body: Some("ReplaceRemotePrefix"),
        answer: (200, Some("CommandAnswer")),
        problems: CHANGE,
    },
    Operation {
        name: "set_credentials",
        method: "PUT",
        path: "/v1/jobs/{job}/credentials/{target}/{scheme}",
        summary: "Sets an explicit credential; the scheme `any` sets all that suit.",
        query: None,
        body: Some("SetCredentials"),
        answer: (204, None),
        problems: CHANGE,
    },
    Operation {
        name: "remove_credentials",
        method: "DELETE",
        path: "/v1/jobs/{job}/credentials/{target}/{scheme}",
        summary: "Removes a credential.",
        query: None,
        body: None,
        answer: (200, Some("Removed")),
        problems: CHANGE,
    },
    Operation {
        name: "events",
        method: GET,
        path: "/v1/events",
        summary: "Server-sent events: first how things are, then what changes.",
        query: Some("EventQuery"),
        body: None,
        answer: (200, Some("event stream")),
        problems: ONE_JOB,
    },
    Operation {
        name: "list_challenges",
        method: GET,
        path: "/v1/challenges",
        summary: "Which servers and proxies want credentials for the caller's background jobs.",
        query: None,
        body: None,
        answer: (200, Some("ChallengeList")),
        problems: ANY,
    },
    Operation {
        name: "challenges",
        method: GET,
        path: "/v1/challenges/events",
        summary: "The same as server-sent events. Whoever reads them is an agent: jobs wait for its answers.",
        query: None,
        body: None,
        answer: (200, Some("event stream")),
        problems: ANY,
    },
    Operation {
        name: "answer_challenge",
        method: POST,
        path: "/v1/challenges/{challenge}",
        summary: "Answers with credentials, for all jobs that wait for them, or says that there are none.",
        query: None,
        body: Some("AnswerChallenge"),
        answer: (200, Some("Answered")),
        problems: CHANGE,
    },
    Operation {
        name: "certificates",
        method: GET,
        path: "/v1/jobs/{job}/certificates/events",
        summary: "Registers the reader as the one who is asked about the certificates of the job's servers.",
        query: None,
        body: None,
        answer: (200, Some("event stream")),
        problems: CHANGE,
    },
    Operation {
        name: "answer_certificate",
        method: POST,
        path: "/v1/jobs/{job}/certificates/{question}",
        summary: "Passes or rejects a certificate.",
        query: None,
        body: Some("AnswerCertificate"),
        answer: (204, None),
        problems: CHANGE,
    },
    Operation {
        name: "remove_certificates",
        method: "DELETE",
        path: "/v1/jobs/{job}/certificates",
        summary: "Has nobody asked about certificates any more.",
        query: Some("RemoveRegistration"),
        body: None,
        answer: (204, None),
        problems: CHANGE,
    },
    Operation {
        name: "metrics",
        method: GET,
        path: "/v1/metrics",
        summary: "Numbers, as OpenMetrics text; without names, addresses and owners.",
        query: None,
        body: None,
        answer: (200, Some(OPENMETRICS)),
        problems: ANY,
    },
    Operation {
        name: "rotate_key",
        method: POST,
        path: "/v1/rotate_key",
        summary: "Makes a new key to seal credentials with, and seals their keys with it.",
        query: None,
        body: None,
        answer: (200, Some("Key")),
        problems: &[400, 403, 409, 413, 429, 503, 507],
    },
    Operation {
        name: "stop",
        method: POST,
        path: "/v1/stop",
        summary: "Stops the service; transfers go on when it is started again.",
        query: None,
        body: None,
        answer: (202, None),
        problems: ANY,
    },
];

/// The operation called `name`.
pub fn named(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}
