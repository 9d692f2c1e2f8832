//! What BITS documents as refused is refused by its code, asked over the service's socket as a program
//! does, and nothing has changed. Those that a state of the servers brings are in other modules.

use bits_e2e::{Api, Service};
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
}

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
        };
        program.empty = program.create(json!({}), false);
        program.job = program.create(json!({}), true);
        program.on_demand = program.create(json!({ "on_demand": true }), true);
        program.resumed = program.create(json!({}), true);
        program.over = program.create(json!({}), true);
        for (job, command) in
            [(&program.resumed, "resume"), (&program.resumed, "suspend"), (&program.over, "cancel")]
        {
            let path = format!("/v1/jobs/{job}/{command}");
            assert_eq!(program.api.ask("POST", &path, None).expect("an answer").status, 200);
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
        let jobs = [&self.job, &self.empty, &self.on_demand, &self.resumed, &self.over];
        let mut paths = vec!["/v1/jobs".to_owned()];
        paths
            .extend(jobs.iter().flat_map(|job| [format!("/v1/jobs/{job}"), format!("/v1/jobs/{job}/files")]));
        paths.iter().map(|path| self.api.ask("GET", path, None).expect("an answer").json()).collect()
    }
}

#[test]
fn every_documented_refusal_has_its_code_and_changes_nothing() {
    let service = Service::new();
    let _running = service.start();
    let mut program = Program::new(service);
    let Program { job, empty, on_demand, resumed, over, .. } = &program;
    let one = format!("/v1/jobs/{job}");
    let credentials = |target: &str, scheme: &str| format!("{one}/credentials/{target}/{scheme}");
    let secret = |user: &str, password: &str| json!({ "user": user, "password": password });
    let proxy = |list: &str, bypass: &str| json!({ "proxy": { "usage": "override", "list": list, "bypass": bypass } });
    let ranges = |ranges: Value| program.files(json!({ "ranges": ranges }));
    let to = |path: &str| program.files(json!({ "local_name": path }));
    let from = |url: &str| program.files(json!({ "remote_name": url }));
    let long = |count: usize| "x".repeat(count);
    let nowhere = "/v1/jobs/00000000-0000-4000-8000-000000000000";
    let rows: Vec<(&str, &str, String, Value)> = vec![
        // jobs
        ("0x80200001", "GET", nowhere.into(), json!(null)),
        ("0x80200001", "POST", format!("{nowhere}/resume"), json!(null)),
        ("0x80200003", "POST", format!("/v1/jobs/{empty}/resume"), json!(null)),
        ("0x80200002", "POST", format!("/v1/jobs/{over}/resume"), json!(null)),
        ("0x80200002", "POST", format!("/v1/jobs/{over}/suspend"), json!(null)),
        ("0x80200002", "POST", format!("/v1/jobs/{over}/complete"), json!(null)),
        ("0x80200002", "POST", format!("/v1/jobs/{over}/cancel"), json!(null)),
        ("0x80200002", "POST", format!("/v1/jobs/{over}/files"), program.files(json!({}))),
        ("0x80070057", "POST", "/v1/jobs".into(), json!({ "display_name": "" })),
        ("0x80200021", "POST", "/v1/jobs".into(), json!({ "display_name": long(257) })),
        // properties
        ("0x80200021", "PATCH", one.clone(), json!({ "display_name": long(257) })),
        ("0x80200021", "PATCH", one.clone(), json!({ "description": long(1025) })),
        ("0x80070057", "PATCH", one.clone(), json!({ "priority": "urgent" })),
        ("0x80200018", "PATCH", one.clone(), proxy(&long(4001), "")),
        ("0x80200019", "PATCH", one.clone(), proxy("p:1", &long(4001))),
        ("0x80200066", "PATCH", one.clone(), json!({ "use_stored_credentials": "server" })),
        ("0x80200063", "PATCH", one.clone(), json!({ "max_download_size": 0 })),
        ("0x80200061", "PATCH", one.clone(), json!({ "high_performance": true })),
        ("0x80200062", "PATCH", format!("/v1/jobs/{resumed}"), json!({ "on_demand": true })),
        ("0x80200062", "PATCH", format!("/v1/jobs/{resumed}"), json!({ "http_method": "POST" })),
        ("0x80200062", "PATCH", format!("/v1/jobs/{resumed}"), json!({ "dynamic_content": true })),
        ("0x80200071", "PATCH", format!("/v1/jobs/{on_demand}"), json!({ "http_method": "POST" })),
        ("0x80200072", "PATCH", format!("/v1/jobs/{on_demand}"), json!({ "dynamic_content": true })),
        // all changes, or none
        ("0x80200063", "PATCH", one.clone(), json!({ "description": "new", "max_download_size": 0 })),
        // credentials
        ("0x80200025", "PUT", credentials("server", "basic"), secret(&long(301), "secret")),
        ("0x80200026", "PUT", credentials("server", "basic"), secret("anna", &long(65_537))),
        ("0x80200027", "PUT", credentials("moon", "basic"), secret("anna", "secret")),
        ("0x80200028", "PUT", credentials("server", "kerberos"), secret("anna", "secret")),
        ("0x80200027", "DELETE", credentials("moon", "basic"), json!(null)),
        ("0x80200028", "DELETE", credentials("server", "kerberos"), json!(null)),
        ("0x80090305", "PUT", credentials("server", "passport"), secret("anna", "secret")),
        // files
        ("0x80070057", "POST", format!("{one}/files"), from("no url")),
        ("0x80070057", "POST", format!("{one}/files"), from("ftp://h.test/f")),
        ("0x80070057", "POST", format!("{one}/files"), to("relative")),
        ("0x80070003", "POST", format!("{one}/files"), to("/no/such/folder/f")),
        ("0x80200029", "GET", format!("{one}/files/9"), json!(null)),
        ("0x80200029", "PATCH", format!("{one}/files/9"), json!({ "valid": true })),
        // ranges
        (
            "0x8020002C",
            "POST",
            format!("{one}/files"),
            ranges(json!([{ "offset": 0, "length": 10 }, { "offset": 5, "length": 10 }])),
        ),
        ("0x8020002B", "POST", format!("{one}/files"), ranges(json!([{ "offset": 0, "length": 0 }]))),
        (
            "0x8020006D",
            "POST",
            format!("{one}/files/0/ranges"),
            json!({ "ranges": [{ "offset": 0, "length": 1 }] }),
        ),
        ("0x8020006D", "GET", format!("{one}/files/0/ranges"), json!(null)),
        ("0x8020006D", "PUT", format!("{one}/files/0/position"), json!({ "offset": 0 })),
    ];
    let before = program.everything();
    let mut wrong = Vec::new();
    for (code, method, path, body) in rows {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = program.api.ask(method, &path, body.as_ref()).expect("an answer");
        let problem = answer.json();
        let shown = body.map_or_else(String::new, |body| body.to_string().chars().take(80).collect());
        if !(400..500).contains(&answer.status) || problem["code"] != code {
            wrong.push(format!("{method} {path} {shown}: {} {problem}, and not {code}", answer.status));
        }
        if problem["message"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{method} {path} {shown}: no sentence"));
        }
        if program.everything() != before {
            wrong.push(format!("{method} {path} {shown}: something has changed"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
