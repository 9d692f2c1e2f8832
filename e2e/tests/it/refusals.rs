//! What BITS documents as refused is refused by its code, asked over the service's socket as a program
//! does, and nothing has changed: one row for each method and code. `docs/bits-compatibility.md` names
//! those that are shown here; those that a state of the servers brings are in other modules.

use std::collections::BTreeSet;
use std::time::Duration;

use bits_e2e::{Api, Service, until};
use serde_json::{Value, json};

/// A program with jobs, each there for what is refused of it.
struct Program {
    api: Api,
    service: Service,
    /// Suspended, with one file; nothing of it has ever run.
    job: String,
    /// Without files.
    empty: String,
    /// On demand, with one file.
    on_demand: String,
    /// Resumed once, and suspended again.
    resumed: String,
    /// Cancelled.
    over: String,
    /// TRANSFERRED, with one file.
    here: String,
    /// With a method of its own.
    post: String,
    /// Failed once, and waits for ten minutes before it tries again.
    active: String,
}

/// Room for the jobs of a [`Program`] that are not over, and for two files and ranges each.
const LIMITS: &str = "max_jobs_per_user = 7\nmax_files_per_job = 2\nmax_ranges_per_file = 2\n";
const PATIENCE: Duration = Duration::from_secs(60);

impl Program {
    fn new(service: Service) -> Self {
        let none = String::new;
        let api = Api::at(service.socket());
        let mut program = Self {
            api,
            service,
            job: none(),
            empty: none(),
            on_demand: none(),
            resumed: none(),
            over: none(),
            here: none(),
            post: none(),
            active: none(),
        };
        program.empty = program.create(json!({}), false);
        program.job = program.create(json!({}), true);
        program.on_demand = program.create(json!({ "on_demand": true }), true);
        program.resumed = program.create(json!({}), true);
        program.over = program.create(json!({}), true);
        let path = format!("/v1/jobs/{}/cancel", program.over);
        assert_eq!(program.api.ask("POST", &path, None).expect("an answer").status, 200);
        program.post = program.create(json!({ "http_method": "POST" }), true);
        program.active = program.create(json!({ "minimum_retry_delay": 600 }), true);
        program.here = program.create(json!({}), false);
        std::fs::write(program.service.file("source"), "content").expect("a file of this world");
        std::fs::create_dir(program.service.file("folder")).expect("a folder of this world");
        let source = json!({ "remote_name": program.service.file("source") });
        let path = format!("/v1/jobs/{}/files", program.here);
        let added = program.api.ask("POST", &path, Some(&program.files(source))).expect("an answer");
        assert_eq!(added.status, 200, "{}", added.json());
        for command in ["resume", "suspend"] {
            let path = format!("/v1/jobs/{}/{command}", program.resumed);
            assert_eq!(program.api.ask("POST", &path, None).expect("an answer").status, 200);
        }
        for (job, state) in
            [(program.here.clone(), "transferred"), (program.active.clone(), "transient_error")]
        {
            let path = format!("/v1/jobs/{job}");
            program.api.ask("POST", &format!("{path}/resume"), None).expect("an answer");
            until(PATIENCE, state, || {
                let job = program.api.ask("GET", &path, None).expect("an answer").json();
                (job["state"] == state).then_some(())
            });
        }
        program
    }

    fn create(&mut self, properties: Value, with_file: bool) -> String {
        let body = json!({ "display_name": "a job", "properties": properties });
        let made = self.api.ask("POST", "/v1/jobs", Some(&body)).expect("an answer");
        assert_eq!(made.status, 201, "{}", made.json());
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        if with_file {
            let path = format!("/v1/jobs/{id}/files");
            let added = self.api.ask("POST", &path, Some(&self.files(json!({})))).expect("an answer");
            assert_eq!(added.status, 200, "{}", added.json());
        }
        id
    }

    /// A body that adds a file, with `more` to it.
    fn files(&self, more: Value) -> Value {
        let path = self.service.file("file");
        // Nobody listens there: no attempt brings anything.
        let mut file = json!({ "remote_name": "http://127.0.0.1:1/file", "local_name": path });
        let fields = file.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        json!({ "files": [file] })
    }

    /// All that is known of the jobs and their files.
    fn everything(&mut self) -> Vec<Value> {
        let Self { job, empty, on_demand, resumed, over, here, post, active, .. } = self;
        let jobs = [job, empty, on_demand, resumed, over, here, post, active];
        let mut paths = vec!["/v1/jobs".to_owned()];
        paths
            .extend(jobs.iter().flat_map(|job| [format!("/v1/jobs/{job}"), format!("/v1/jobs/{job}/files")]));
        paths.iter().map(|path| self.api.ask("GET", path, None).expect("an answer").json()).collect()
    }
}

/// Method, code, and a request that is refused so.
type Row = (&'static str, &'static str, &'static str, String, Value);

#[test]
fn every_documented_refusal_has_its_code_and_changes_nothing() {
    let service = Service::new();
    service.configure(LIMITS);
    let _running = service.start();
    let mut program = Program::new(service);
    let mut rows = of_jobs(&program);
    rows.extend(of_properties(&program));
    rows.extend(of_requests(&program));
    rows.extend(of_files(&program));
    rows.extend(of_jobs_that_are_over(&program));
    let before = program.everything();
    let mut wrong = Vec::new();
    let mut shown_here = BTreeSet::new();
    for (method, code, verb, path, body) in rows {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = program.api.ask(verb, &path, body.as_ref()).expect("an answer");
        let problem = answer.json();
        let shown = body.map_or_else(String::new, |body| body.to_string().chars().take(80).collect());
        let row = format!("{method}: {verb} {path} {shown}");
        if !(400..500).contains(&answer.status) || problem["code"] != code {
            wrong.push(format!("{row}: {} {problem}, and not {code}", answer.status));
        }
        shown_here.insert(format!("{method} {}", problem["name"].as_str().unwrap_or_default()));
        if problem["message"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{row}: no sentence"));
        }
        if program.everything() != before {
            wrong.push(format!("{row}: something has changed"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let said: Vec<&str> = documented().filter(|refusal| !shown_here.contains(*refusal)).collect();
    assert!(said.is_empty(), "the page says that these are shown here: {said:?}");
}

/// The refusals that the page of compatibility says are shown here, as method and name of the code.
fn documented() -> impl Iterator<Item = &'static str> {
    const PAGE: &str = include_str!("../../../docs/bits-compatibility.md");
    const TEST: &str = "every_documented_refusal_has_its_code_and_changes_nothing";
    let (_, refusals) = PAGE.split_once("## Refusals").expect("the page has its section");
    let (refusals, _) = refusals.split_once("\n## ").expect("another one follows");
    let rows = refusals.lines().filter(|line| line.contains("| works") && line.contains(TEST));
    rows.filter_map(|line| line.split(" | ").next()?.strip_prefix("| "))
}

fn long(count: usize) -> String {
    "x".repeat(count)
}

const NOWHERE: &str = "/v1/jobs/00000000-0000-4000-8000-000000000000";

fn of_jobs(program: &Program) -> Vec<Row> {
    let Program { empty, active, .. } = program;
    let named = |name: &str| json!({ "display_name": name });
    vec![
        ("CreateJob", "0x80070057", "POST", "/v1/jobs".into(), named("")),
        (
            "CreateJob",
            "0x80070057",
            "POST",
            "/v1/jobs".into(),
            json!({ "display_name": "x", "type": "upload" }),
        ),
        ("CreateJob", "0x80200021", "POST", "/v1/jobs".into(), named(&long(257))),
        ("CreateJob", "0x80200049", "POST", "/v1/jobs".into(), named("one too many")),
        ("GetJob", "0x80200001", "GET", NOWHERE.into(), json!(null)),
        ("EnumJobs", "0x80070005", "GET", "/v1/jobs?all_users=true".into(), json!(null)),
        ("EnumJobs", "0x80070057", "GET", "/v1/jobs?state=lost".into(), json!(null)),
        ("EnumFiles", "0x80200001", "GET", format!("{NOWHERE}/files"), json!(null)),
        ("Resume", "0x80200003", "POST", format!("/v1/jobs/{empty}/resume"), json!(null)),
        ("Resume", "0x80200001", "POST", format!("{NOWHERE}/resume"), json!(null)),
        (
            "SetServerCertificateValidationInterface",
            "0x80200075",
            "GET",
            format!("/v1/jobs/{active}/certificates/events"),
            json!(null),
        ),
    ]
}

fn of_properties(program: &Program) -> Vec<Row> {
    let Program { job, on_demand, resumed, here, post, .. } = program;
    let change = |method, code, body| (method, code, "PATCH", format!("/v1/jobs/{job}"), body);
    let change_of = |job: &str, method, code, body| (method, code, "PATCH", format!("/v1/jobs/{job}"), body);
    let run = |program: &str, arguments: &[&str]| json!({ "notify_command": { "program": program, "arguments": arguments } });
    vec![
        change("SetDisplayName", "0x80070057", json!({ "display_name": "" })),
        change("SetDisplayName", "0x80200021", json!({ "display_name": long(257) })),
        change("SetDescription", "0x80200021", json!({ "description": long(1025) })),
        change("SetPriority", "0x80070057", json!({ "priority": "urgent" })),
        change_of(post, "SetPriority", "0x80200071", json!({ "priority": "low" })),
        change("SetNotifyFlags", "0x80004001", json!({ "notify_flags": 0x40 })),
        change("SetNotifyCmdLine", "0x80070057", run("", &["a"])),
        change("SetNotifyCmdLine", "0x80070057", run("relative", &[])),
        change("SetNotifyCmdLine", "0x80200021", run(&format!("/{}", long(5000)), &[])),
        change("SetFileACLFlags", "0x80070057", json!({ "file_acl_flags": 16 })),
        change_of(here, "SetFileACLFlags", "0x80200002", json!({ "file_acl_flags": 1 })),
        change("SetPeerCachingFlags", "0x80004001", json!({ "peer_caching_flags": 8 })),
        change("SetHelperTokenFlags", "0x80004001", json!({ "helper_token_flags": 4 })),
        change("SetProperty", "0x80070057", json!({ "colour": 1 })),
        change("SetProperty", "0x80070057", json!({ "error_count": 0 })),
        change("SetProperty", "0x80070057", json!({ "cost_flags": 0x100 })),
        change("SetProperty", "0x80070057", json!({ "notification_clsid": "{4991}" })),
        change("SetProperty", "0x80200063", json!({ "max_download_size": 0 })),
        change("SetProperty", "0x80200066", json!({ "use_stored_credentials": "server" })),
        change("SetProperty", "0x80200061", json!({ "high_performance": true })),
        change_of(resumed, "SetProperty", "0x80200062", json!({ "on_demand": true })),
        change_of(resumed, "SetProperty", "0x80200062", json!({ "dynamic_content": true })),
        change_of(resumed, "SetProperty", "0x80200062", json!({ "max_download_size": 7 })),
        change_of(post, "SetProperty", "0x80200071", json!({ "on_demand": true })),
        change_of(on_demand, "SetProperty", "0x80200072", json!({ "dynamic_content": true })),
        // All changes, or none.
        change("SetProperty", "0x80200063", json!({ "description": "new", "max_download_size": 0 })),
    ]
}

/// How requests are made, and who one is in them.
fn of_requests(program: &Program) -> Vec<Row> {
    let Program { job, on_demand, resumed, .. } = program;
    let change = |method, code, body| (method, code, "PATCH", format!("/v1/jobs/{job}"), body);
    let change_of = |job: &str, method, code, body| (method, code, "PATCH", format!("/v1/jobs/{job}"), body);
    let proxy = |usage: &str, list: Option<&str>, bypass: Option<&str>| {
        let mut proxy = json!({ "usage": usage });
        for (name, value) in [("list", list), ("bypass", bypass)] {
            value.into_iter().for_each(|value| proxy[name] = json!(value));
        }
        json!({ "proxy": proxy })
    };
    let certificate = |which: Value| json!({ "client_certificate": which });
    let put = |code, target: &str, scheme: &str, user: &str, password: &str| {
        let path = format!("/v1/jobs/{job}/credentials/{target}/{scheme}");
        ("SetCredentials", code, "PUT", path, json!({ "user": user, "password": password }))
    };
    let remove = |code, target: &str, scheme: &str| {
        let path = format!("/v1/jobs/{job}/credentials/{target}/{scheme}");
        ("RemoveCredentials", code, "DELETE", path, json!(null))
    };
    let headers = json!({ "custom_headers": [{ "name": "A", "value": long(20_000) }] });
    vec![
        change("SetProxySettings", "0x80070057", proxy("override", None, None)),
        change("SetProxySettings", "0x80070057", proxy("no_proxy", Some("p:1"), None)),
        change("SetProxySettings", "0x80070057", proxy("preconfig", None, Some("h"))),
        change("SetProxySettings", "0x80070057", proxy("sometimes", None, None)),
        change("SetProxySettings", "0x80200018", proxy("override", Some(&long(4001)), None)),
        change("SetProxySettings", "0x80200019", proxy("override", Some("p:1"), Some(&long(4001)))),
        change("SetCustomHeaders", "0x80200021", headers),
        change("SetSecurityFlags", "0x80004001", json!({ "security_flags": 0x8000 })),
        change_of(resumed, "SetHttpMethod", "0x80200062", json!({ "http_method": "POST" })),
        change_of(on_demand, "SetHttpMethod", "0x80200071", json!({ "http_method": "POST" })),
        change("SetHttpMethod", "0x80070057", json!({ "http_method": "G T" })),
        change(
            "SetClientCertificateByID",
            "0x80070057",
            certificate(json!({ "by_id": { "folder": "/c", "fingerprint": "xyz" } })),
        ),
        change(
            "SetClientCertificateByName",
            "0x80070057",
            certificate(json!({ "by_name": { "folder": "relative", "subject": "anna" } })),
        ),
        put("0x80200025", "server", "basic", &long(301), "secret"),
        put("0x80200026", "server", "basic", "anna", &long(65_537)),
        put("0x80200027", "moon", "basic", "anna", "secret"),
        put("0x80200028", "server", "kerberos", "anna", "secret"),
        put("0x80070057", "server", "basic", "", ""),
        put("0x80070057", "server", "digest", "", ""),
        put("0x80090305", "server", "passport", "anna", "secret"),
        remove("0x80200027", "moon", "basic"),
        remove("0x80200028", "server", "kerberos"),
    ]
}

fn of_files(program: &Program) -> Vec<Row> {
    let Program { job, on_demand, .. } = program;
    let files = || format!("/v1/jobs/{job}/files");
    let add = |code, more: Value| ("AddFile", code, "POST", files(), program.files(more));
    let ranges = |code, ranges: Value| {
        ("AddFileWithRanges", code, "POST", files(), program.files(json!({ "ranges": ranges })))
    };
    let mut three = program.files(json!({}));
    let file = three["files"][0].clone();
    three["files"] = json!([file.clone(), file.clone(), file]);
    let file = |index: u32| format!("/v1/jobs/{job}/files/{index}");
    let prefix = |old: &str, new: &str| {
        let path = format!("/v1/jobs/{job}/replace_remote_prefix");
        ("ReplaceRemotePrefix", "0x80070057", "POST", path, json!({ "old": old, "new": new }))
    };
    let one = json!({ "ranges": [{ "offset": 0, "length": 1 }] });
    let none = json!({ "ranges": [{ "offset": 0, "length": 0 }] });
    vec![
        add("0x80070057", json!({ "remote_name": "no url" })),
        add("0x80070057", json!({ "remote_name": "" })),
        add("0x80070057", json!({ "remote_name": "ftp://h.test/f" })),
        add("0x80070057", json!({ "remote_name": format!("http://h.test/{}", long(70_000)) })),
        add("0x80070057", json!({ "local_name": "relative" })),
        add("0x80070057", json!({ "local_name": "$HOME/f" })),
        add("0x80070003", json!({ "local_name": "/no/such/folder/f" })),
        add("0x80070005", json!({ "local_name": program.service.file("folder") })),
        ("AddFileSet", "0x80200051", "POST", files(), three),
        ranges("0x8020002C", json!([{ "offset": 0, "length": 10 }, { "offset": 5, "length": 10 }])),
        ranges("0x8020002B", json!([{ "offset": 0, "length": 0 }])),
        ranges("0x8020002B", json!([{ "offset": u64::MAX, "length": 2 }])),
        ranges(
            "0x80200052",
            json!([{ "offset": 0, "length": 1 }, { "offset": 2, "length": 1 }, { "offset": 4 }]),
        ),
        ("GetFile", "0x80200029", "GET", file(9), json!(null)),
        ("SetRemoteName", "0x80070057", "PATCH", file(0), json!({ "remote_name": "gopher://h.test/f" })),
        ("SetRemoteName", "0x80070057", "PATCH", file(0), json!({ "remote_name": "http://u:p@h.test/f" })),
        ("SetRemoteName", "0x80200029", "PATCH", file(9), json!({ "remote_name": "http://h.test/f" })),
        ("SetValidationState", "0x8000000A", "PATCH", file(0), json!({ "valid": true })),
        ("SetValidationState", "0x80200029", "PATCH", file(9), json!({ "valid": true })),
        prefix("", "http://h.test/"),
        prefix("http:", "ftp:"),
        ("RequestFileRanges", "0x8020006D", "POST", format!("{}/ranges", file(0)), one),
        ("RequestFileRanges", "0x8020002B", "POST", format!("/v1/jobs/{on_demand}/files/0/ranges"), none),
        ("GetFilledFileRanges", "0x8020006D", "GET", format!("{}/ranges", file(0)), json!(null)),
        (
            "UpdateDownloadPosition",
            "0x8020006D",
            "PUT",
            format!("{}/position", file(0)),
            json!({ "offset": 0 }),
        ),
    ]
}

/// A job that is over changes no more.
fn of_jobs_that_are_over(program: &Program) -> Vec<Row> {
    const CODE: &str = "0x80200002";
    let over = &program.over;
    let at = |rest: &str| format!("/v1/jobs/{over}{rest}");
    let set = |method, body| (method, CODE, "PATCH", at(""), body);
    let command = |method, word: &str| (method, CODE, "POST", at(&format!("/{word}")), json!(null));
    let secret = json!({ "user": "anna", "password": "secret" });
    let certificate = json!({ "client_certificate": "none" });
    let ranges = json!({ "ranges": [{ "offset": 0, "length": 1 }] });
    vec![
        command("Resume", "resume"),
        command("Suspend", "suspend"),
        command("Complete", "complete"),
        command("Cancel", "cancel"),
        command("TakeOwnership", "take_ownership"),
        ("AddFile", CODE, "POST", at("/files"), program.files(json!({}))),
        ("AddFileWithRanges", CODE, "POST", at("/files"), program.files(ranges.clone())),
        set("SetDisplayName", json!({ "display_name": "new" })),
        set("SetDescription", json!({ "description": "new" })),
        set("SetPriority", json!({ "priority": "low" })),
        set("SetNotifyFlags", json!({ "notify_flags": 1 })),
        set("SetMinimumRetryDelay", json!({ "minimum_retry_delay": 7 })),
        set("SetNoProgressTimeout", json!({ "no_progress_timeout": 7 })),
        set("SetProxySettings", json!({ "proxy": { "usage": "no_proxy" } })),
        set("SetNotifyCmdLine", json!({ "notify_command": { "program": "/bin/true" } })),
        set("SetFileACLFlags", json!({ "file_acl_flags": 1 })),
        set("SetPeerCachingFlags", json!({ "peer_caching_flags": 1 })),
        set("SetMaximumDownloadTime", json!({ "maximum_download_time": 7 })),
        set("SetProperty", json!({ "cost_flags": 0x8000_00FF_u32 })),
        set("SetCustomHeaders", json!({ "custom_headers": [{ "name": "A", "value": "b" }] })),
        set("MakeCustomHeadersWriteOnly", json!({ "make_custom_headers_write_only": true })),
        set("SetSecurityFlags", json!({ "security_flags": 1 })),
        set("SetHttpMethod", json!({ "http_method": "POST" })),
        set("RemoveClientCertificate", certificate),
        set("SetHelperTokenFlags", json!({ "helper_token_flags": 1 })),
        ("SetCredentials", CODE, "PUT", at("/credentials/server/basic"), secret),
        ("RemoveCredentials", CODE, "DELETE", at("/credentials/server/basic"), json!(null)),
        (
            "ReplaceRemotePrefix",
            CODE,
            "POST",
            at("/replace_remote_prefix"),
            json!({ "old": "http:", "new": "https:" }),
        ),
        ("SetRemoteName", CODE, "PATCH", at("/files/0"), json!({ "remote_name": "http://h.test/g" })),
        ("SetServerCertificateValidationInterface", CODE, "GET", at("/certificates/events"), json!(null)),
    ]
}
