//! The numbers of a service: what they say, that they are in the format they claim, and what is not
//! in them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::http::{Method, header};
use bits_api::operations::OPENMETRICS_TYPE;
use serde_json::json;

use crate::world::{ANNA, World, request};

/// A document as a reader of OpenMetrics 1.0 must take it, or not at all.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Panics where the text breaks a rule of the format.
    fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends with the end mark");
        let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
        let mut family: Option<(String, String)> = None;
        let mut has_samples = false;
        for line in body.lines() {
            assert!(!line.is_empty() && line.trim() == line, "`{line}`");
            if let Some(described) = line.strip_prefix("# ") {
                let (what, rest) = described.split_once(' ').expect("a word");
                let (name, value) = rest.split_once(' ').expect("a name and a value");
                match what {
                    "TYPE" => {
                        assert!(is_name(name) && families.insert(name.to_owned()), "`{line}` comes twice");
                        assert!(["counter", "gauge", "histogram", "info"].contains(&value), "{line}");
                        assert!(
                            !["_total", "_info", "_bucket", "_count", "_sum"]
                                .iter()
                                .any(|end| name.ends_with(end))
                        );
                        family = Some((name.to_owned(), value.to_owned()));
                        has_samples = false;
                    }
                    "UNIT" => assert!(name.ends_with(&format!("_{value}")), "{line}"),
                    "HELP" => assert!(!value.is_empty()),
                    _ => panic!("`{line}` is no description"),
                }
                let known = family.as_ref().map(|(name, _)| name.as_str());
                assert!(known == Some(name) && !has_samples, "`{line}` is out of its place");
                continue;
            }
            has_samples = true;
            let (name, kind) = family.as_ref().expect("a family comes first");
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().expect("a number");
            let (sample_name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            check_labels(labels);
            let ending = sample_name.strip_prefix(name.as_str()).expect("samples stand with their family");
            let endings: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "info" => &["_info"],
                "gauge" => &[""],
                _ => &["_bucket", "_count", "_sum"],
            };
            assert!(endings.contains(&ending), "{line}");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} comes twice");
        }
        let scrape = Self(samples);
        scrape.check_histogram("openbits_commit_duration_seconds");
        scrape
    }

    fn check_histogram(&self, name: &str) {
        let start = format!("{name}_bucket{{le=\"");
        let mut buckets: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter_map(|(sample, value)| {
                let bound = sample.strip_prefix(&start)?.strip_suffix("\"}").expect("one label");
                Some((bound.replace('+', "").parse().expect("a bound"), *value))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{buckets:?}");
        let (last, all) = *buckets.last().expect("buckets");
        assert!(last.is_infinite() && all == self.of(&format!("{name}_count")), "{buckets:?}");
    }

    fn of(&self, sample: &str) -> f64 {
        *self.0.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.0))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// `labels` without the brace before them.
fn check_labels(labels: &str) {
    let labels = labels.strip_suffix('}').expect("a closed brace");
    let mut names = BTreeSet::new();
    for label in labels.split_terminator(',') {
        let (name, value) = label.split_once('=').expect("a name and a value");
        assert!(is_name(name) && names.insert(name), "{labels}");
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes");
        assert!(
            value.chars().all(|character| !matches!(character, '"' | '\\' | '\n' | '{' | '}')),
            "{labels}"
        );
    }
}

async fn scrape(world: &World) -> (Scrape, String) {
    let answer = world.get("/v1/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (Scrape::parse(&answer.text), answer.text)
}

#[tokio::test]
async fn the_numbers_of_a_service_say_what_it_has_done() {
    let world = World::new();
    let (before, _) = scrape(&world).await;
    assert_eq!(before.of("openbits_attempts_total"), 0.0);
    assert_eq!(before.of("openbits_build_info{version=\"0.0.0\"}"), 1.0);

    let job = world.create().await;
    let file = json!({ "remote_name": "http://locked.test/secret-name", "local_name": "/tmp/f" });
    world.post(&format!("/v1/jobs/{job}/files"), json!({ "files": [file] })).await;
    world.post(&format!("/v1/jobs/{job}/resume"), json!({})).await;
    world.begun().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.get(&format!("/v1/jobs/{job}")).await.json()["state"] != "error" {
        assert!(Instant::now() < deadline, "it never ended");
        tokio::task::yield_now().await;
    }
    world.get("/v1/somebody's/path").await;

    let (after, text) = scrape(&world).await;
    for (sample, value) in [
        ("openbits_jobs{state=\"error\"}", 1.0),
        ("openbits_attempts_total", 1.0),
        ("openbits_errors_total{class=\"http\",transient=\"false\"}", 1.0),
        ("openbits_requests_total{operation=\"create_job\",status=\"201\"}", 1.0),
        ("openbits_requests_total{operation=\"resume_job\",status=\"200\"}", 1.0),
        ("openbits_requests_total{operation=\"none\",status=\"404\"}", 1.0),
        ("openbits_requests_total{operation=\"metrics\",status=\"200\"}", 1.0),
        ("openbits_scheduled_jobs{priority=\"normal\",turn=\"running\"}", 0.0),
        ("openbits_waiting_requests", 0.0),
    ] {
        assert_eq!(after.of(sample), value, "{sample}");
    }
    let commits = after.of("openbits_commit_duration_seconds_count");
    assert!((4.0..20.0).contains(&commits), "{commits}");
    for told in ["locked.test", "secret-name", "somebody", "a job", &job, "anna", "1000\""] {
        assert!(!text.contains(told), "`{told}` is in\n{text}");
    }
}

#[tokio::test]
async fn the_numbers_are_of_the_type_they_say_and_for_the_services_user_alone() {
    let world = World::new();
    let answer = world.send_raw(Some(ANNA), request(Method::GET, "/v1/metrics", None)).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], OPENMETRICS_TYPE);
    let other = world.send(Some(ANNA + 1), request(Method::GET, "/v1/metrics", None)).await;
    assert_eq!(other.status, 403);
}
