//! A job that is exported and imported is the same job, without its secrets and where it had come to.

use axum::http::{Method, StatusCode};
use bits_core::job::JobId;
use serde_json::{Value, json};

use crate::world::{ANNA, Answer, World, request};

/// Numbers that only look as if by chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        // xorshift*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len() as u64) as usize].clone()
    }

    /// `values` under their names, each one or not.
    fn some_of(&mut self, values: Value) -> Value {
        let Value::Object(mut values) = values else { panic!("an object") };
        values.retain(|_, _| self.one_in(2));
        values.into()
    }
}

/// A body that makes a job, with anything that can be said of one.
fn any_job(chance: &mut Chance) -> Value {
    let method = chance.of(&[json!("GET"), json!("REPORT")]);
    let priority = chance.of(&["foreground", "high", "normal", "low"].map(Value::from));
    let proxy = chance.of(&[
        json!({ "usage": "no_proxy" }),
        json!({ "usage": "autodetect" }),
        json!({ "usage": "override", "list": "http://p.test:1 https=q.test:2", "bypass": "<local> *.x" }),
        json!({ "usage": "override", "list": "http://eve:hunter2@p.test:1" }),
    ]);
    let certificate = chance.of(&[
        json!("none"),
        json!({ "file": { "path": "/c/me.pem", "key": "/c/me.key" } }),
        json!({ "by_id": { "folder": "/c", "fingerprint": "ab".repeat(20) } }),
        json!({ "by_name": { "folder": "/c", "subject": "grüße \"x\"" } }),
    ]);
    let all = json!({
        "description": "grüße\n\"quoted\" \u{1F600}",
        "minimum_retry_delay": 5 + chance.below(900),
        "no_progress_timeout": chance.below(1_000_000),
        "complete_when_done": chance.one_in(2),
        "keep_going": chance.one_in(2),
        "high_performance": chance.one_in(2),
        "max_download_size": 1 + chance.below(u64::MAX),
        "cost_flags": 1 + chance.below(0xFF),
        "rate_limit": 250 + chance.below(1 << 39),
        "custom_headers": [
            { "name": "X-A", "value": "grüße: 1" },
            { "name": "Cookie", "value": "hunter2" },
            { "name": "Authorization", "value": "Bearer hunter2" },
        ],
        "make_custom_headers_write_only": true,
        "security_flags": chance.of(&[json!(0), json!(0x0811), json!(0x020E)]),
        "client_certificate": certificate,
        "client_certificate_passphrase": "hunter2",
        "proxy": proxy,
        "use_stored_credentials": "proxy",
        "no_ntlm": chance.one_in(2),
        "service_name": "HTTP/other.test",
    });
    let mut properties = chance.some_of(all);
    if method == "GET" {
        properties["priority"] = priority;
    } else {
        properties["http_method"] = method;
    }
    let all = json!({
        "krb5_config": "/etc/krb5.conf:/home/anna/krb5.conf",
        "krb5_ccname": "FILE:/tmp/krb5cc_1000",
        "http_proxy": "http://p.test:1",
        "https_proxy": "http://eve:hunter2@p.test:2",
        "all_proxy": "http://p.test:3",
        "no_proxy": "localhost,.x.test",
        "umask": chance.below(0o1000),
    });
    let environment = chance.some_of(all);
    let name = chance.of(&[json!("a job"), json!(" '\u{202E}\" ")]);
    json!({ "display_name": name, "properties": properties, "environment": environment })
}

fn any_files(chance: &mut Chance) -> Vec<Value> {
    let user = chance.of(&[json!(""), json!("anna:hunter2@")]);
    let user = user.as_str().expect("text");
    let count = chance.below(5);
    let files = (0..count).map(|number| {
        let all = json!({
            "no_clobber": chance.one_in(2),
            "ranges": [{ "offset": chance.below(9), "length": 10 }, { "offset": 900, "length": null }],
            "checksum": format!("sha256:{}", "c".repeat(64)),
            "mirrors": ["http://m.test/a", "https://n.test/b?c=d"],
            "expected_size": chance.below(1 << 40),
        });
        let mut file = chance.some_of(all);
        if file.get("checksum").is_some() {
            file["resume_by"] = chance.of(&["checksum", "size_and_time", "validator"].map(Value::from));
        }
        file["remote_name"] = json!(format!("http://{user}h.test/a%20b/{number}?x=%2F&y"));
        file["local_name"] = json!(format!("/tmp/grüße {number}"));
        file
    });
    files.collect()
}

async fn import(world: &World, job: &Value, query: &str) -> Answer {
    let id = job["id"].as_str().expect("an id");
    world.ask(Method::PUT, &format!("/v1/jobs/{id}/export{query}"), Some(job.clone())).await
}

#[tokio::test]
async fn any_job_comes_out_of_another_service_as_it_went_in_but_for_its_secrets() {
    let (mut seen_secrets, mut seen_files) = (0, 0);
    for seed in 1..=200 {
        let chance = &mut Chance(seed);
        let here = World::new();
        let created = here.post("/v1/jobs", any_job(chance)).await;
        assert_eq!(created.status, StatusCode::CREATED, "seed {seed}: {}", created.text);
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        let files = any_files(chance);
        if !files.is_empty() {
            let added = here.post(&format!("/v1/jobs/{id}/files"), json!({ "files": files })).await;
            assert_eq!(added.status, StatusCode::OK, "seed {seed}: {}", added.text);
        }
        let first = here.get(&format!("/v1/jobs/{id}/export")).await;
        assert!(
            !first.text.contains("hunter2") && !first.text.contains("eve"),
            "seed {seed}: {}",
            first.text
        );
        let first = first.json();
        assert_eq!(first["files"].as_array().map(Vec::len), Some(files.len()));

        let there = World::new();
        let imported = import(&there, &first, "").await;
        assert_eq!(imported.status, StatusCode::OK, "seed {seed}: {}", imported.text);
        assert_eq!(imported.json()["outcome"], "imported");
        assert_eq!(imported.json()["job"]["state"], "suspended");
        let mut second = there.get(&format!("/v1/jobs/{id}/export")).await.json();
        let left_out = std::mem::take(&mut second["left_out"]);
        assert_eq!(left_out, json!([]), "seed {seed}: what was left out is not there");
        seen_secrets += first["left_out"].as_array().expect("a list").len();
        seen_files += files.len();
        second["left_out"] = first["left_out"].clone();
        assert_eq!(second, first, "seed {seed}");

        // What a program sees is the same, too, but for what is secret, times and counts.
        let shown = |job: Value| {
            let mut job = job;
            for name in ["times", "revision", "secret_headers", "credentials", "custom_headers"] {
                job[name].take();
            }
            job
        };
        let one = here.get(&format!("/v1/jobs/{id}")).await.json();
        let other = there.get(&format!("/v1/jobs/{id}")).await.json();
        assert_eq!(shown(one), shown(other), "seed {seed}");
    }
    assert!(seen_secrets > 100 && seen_files > 100, "{seen_secrets} {seen_files}");
}

#[tokio::test]
async fn importing_twice_makes_one_job_and_changes_nothing_of_it() {
    let world = World::new();
    let id = world.create().await;
    let job = world.get(&format!("/v1/jobs/{id}/export")).await.json();
    let changed = json!({ "display_name": "another name" });
    world.ask(Method::PATCH, &format!("/v1/jobs/{id}"), Some(changed)).await;
    let again = import(&world, &job, "").await.json();
    assert_eq!(again["outcome"], "already_there");
    assert_eq!(again["job"]["display_name"], "another name");
}

#[tokio::test]
async fn a_job_with_one_bad_file_is_not_imported_at_all() {
    let world = World::new();
    let good = json!({ "remote_name": "http://h.test/f", "local_name": "/tmp/f" });
    for (bad, said) in [
        (json!({ "remote_name": "http://h.test/f", "local_name": "/missing/f" }), "/missing/f"),
        (json!({ "remote_name": "gopher://h.test/f", "local_name": "/tmp/f" }), "remote name"),
        (json!({ "remote_name": "http://h.test/f", "local_name": "f" }), "absolute"),
        (json!({ "remote_name": "http://h.test/f" }), "local_name"),
        (json!({ "remote_name": "http://h.test/f", "local_name": "/tmp/f", "durable": 7 }), "durable"),
        (json!({ "remote_name": "http://h.test/g", "local_name": "/tmp/./f" }), "another file"),
    ] {
        let id = JobId([7; 16]).to_string();
        let files = json!([good, bad]);
        let job =
            json!({ "id": id, "display_name": "n", "type": "download", "state": "queued", "files": files });
        let answer = import(&world, &job, "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let message = answer.json()["message"].as_str().expect("a sentence").to_owned();
        assert!(message.contains(said), "{message}");
        assert_eq!(world.get(&format!("/v1/jobs/{id}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_makes_nothing() {
    let world = World::new();
    let id = JobId([8; 16]).to_string();
    let job = |folder: &str| {
        let file = json!({ "remote_name": "http://h.test/f", "local_name": format!("{folder}/f") });
        json!({ "id": id, "display_name": "n", "type": "download", "state": "queued", "files": [file] })
    };
    let would = import(&world, &job("/tmp"), "?dry_run=true").await.json();
    assert_eq!((&would["outcome"], &would["job"]), (&json!("would_import"), &Value::Null));
    assert_eq!(import(&world, &job("/missing"), "?dry_run=true").await.status, StatusCode::BAD_REQUEST);
    let mut twice = job("/tmp");
    let file = twice["files"][0].clone();
    twice["files"] = json!([file, file]);
    assert_eq!(import(&world, &twice, "?dry_run=true").await.status, StatusCode::BAD_REQUEST);
    let with_folders = import(&world, &job("/missing"), "?dry_run=true&create_folders=true").await;
    assert_eq!(with_folders.status, StatusCode::OK, "{}", with_folders.text);
    assert_eq!(world.get(&format!("/v1/jobs/{id}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_path_and_the_body_name_the_same_job_and_it_is_the_callers() {
    let world = World::new();
    let id = world.create().await;
    let job = world.get(&format!("/v1/jobs/{id}/export")).await.json();
    let other = format!("/v1/jobs/{}/export", JobId([9; 16]));
    assert_eq!(world.ask(Method::PUT, &other, Some(job.clone())).await.status, StatusCode::BAD_REQUEST);
    let path = format!("/v1/jobs/{id}/export");
    for request in [request(Method::GET, &path, None), request(Method::PUT, &path, Some(job))] {
        assert_eq!(world.send(Some(ANNA + 1), request).await.status, StatusCode::FORBIDDEN);
    }
}
