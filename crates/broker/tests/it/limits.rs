//! Limits that make no sense, as programs may set them: refused by name with what is allowed, and nothing
//! changes.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// What is wrong, what is said of it, and whether it is of the wrong kind.
fn wrong_rates() -> Vec<(Value, &'static str)> {
    const BOUNDS: &str = "is none; it is 250 to 1099511627776 bytes per second, or 0 for no limit";
    const KIND: &str =
        "for `rate_limit` at line 1, column 17, where a whole number from 0 to 18446744073709551615 belongs";
    vec![
        (json!(1), BOUNDS),
        (json!(249), BOUNDS),
        (json!((1u64 << 40) + 1), BOUNDS),
        (json!(i64::MAX), BOUNDS),
        (json!(i64::MAX as u64 + 1), BOUNDS),
        (json!(u64::MAX), BOUNDS),
        (json!(-1), KIND),
        (json!(i64::MIN), KIND),
        (json!(u64::MAX as f64 * 2.0), KIND),
        (json!(1.5), KIND),
        (json!("2M"), KIND),
        (json!(true), KIND),
        (json!([250]), KIND),
        (json!({}), KIND),
    ]
}

#[tokio::test]
async fn a_rate_limit_that_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    let set =
        async |limit: &Value| world.ask(Method::PATCH, &path, Some(json!({ "rate_limit": limit }))).await;
    assert_eq!(set(&json!(250)).await.json()["rate_limit"], 250);
    let before = world.get(&path).await.text;
    for (limit, expected) in wrong_rates() {
        let refused = set(&limit).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "0x80070057"));
        let message = refused.json()["message"].as_str().expect("a sentence").to_owned();
        let start = expected.split(", column").next().expect("a beginning");
        assert!(message.contains(start) && message.contains("rate"), "{limit}: {message}");
        let end = expected.rsplit(", where").next().expect("an end");
        assert!(message.ends_with(end), "{limit}: {message}");
        assert_eq!(world.get(&path).await.text, before, "{limit}");
        // Nor is there a job with it.
        let body = json!({ "display_name": "n", "properties": { "rate_limit": limit } });
        let refused = world.post("/v1/jobs", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{limit}: {}", refused.text);
        assert!(
            refused.text.contains("rate_limit") || refused.text.contains("the rate limit"),
            "{}",
            refused.text
        );
    }
    for (limit, expected) in
        [(json!(1u64 << 40), json!(1u64 << 40)), (json!(null), json!(1u64 << 40)), (json!(0), json!(null))]
    {
        assert_eq!(set(&limit).await.json()["rate_limit"], expected, "{limit}");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_named_by_its_field_and_never_repeated() {
    let world = World::new();
    let path = format!("/v1/jobs/{}", world.create().await);
    for (body, expected) in [
        (json!({ "priority": 7 }), "for `priority` at line 1, column 13, where a text belongs"),
        (
            json!({ "keep_going": "hunter2" }),
            "for `keep_going` at line 1, column 23, where true or false belongs",
        ),
        (json!({ "cost_flags": -31337 }), "where a whole number from 0 to 4294967295 belongs"),
        (
            json!({ "custom_headers": "hunter2" }),
            "for `custom_headers` at line 1, column 27, where a list belongs",
        ),
        (
            json!({ "custom_headers": [{ "name": "A", "value": 31337 }] }),
            "for `custom_headers[0].value` at line 1",
        ),
        (json!({ "notify_command": ["hunter2"] }), "where an object belongs"),
    ] {
        let refused = world.ask(Method::PATCH, &path, Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.text.contains(expected), "{body}: {}", refused.text);
        assert!(!refused.text.contains("hunter2") && !refused.text.contains("31337"), "{}", refused.text);
    }
}
