//! The job model of BITS through the API: its limits, what is kept without effect, and who owns what.

use axum::http::{Method, StatusCode};
use bits_core::policy::Policy;
use bits_core::queue::Limits;
use serde_json::json;

use crate::world::World;

/// `bits.md` §4: each limit has its code, and nothing is changed beyond it.
#[tokio::test]
async fn beyond_a_limit_nothing_is_made_or_added_and_the_code_says_which() {
    let policy = Policy {
        jobs_per_user_max: 2,
        jobs_per_machine_max: 100,
        files_per_job_max: 3,
        ranges_per_file_max: 2,
        ..Policy::BUILT_IN
    };
    let world = World::with_limits(Limits { policy, ..Limits::default() });
    let job = world.create().await;
    world.create().await;
    let third = world.post("/v1/jobs", json!({ "display_name": "a third" })).await;
    assert_eq!((third.status, third.code()), (StatusCode::CONFLICT, "0x80200049".to_owned()));

    let files = format!("/v1/jobs/{job}/files");
    let file = |number: usize, ranges: u64| {
        let ranges: Vec<_> = (0..ranges).map(|n| json!({ "offset": 2 * n, "length": 1 })).collect();
        json!({ "remote_name": "http://h.test/f", "local_name": format!("/tmp/{number}"), "ranges": ranges })
    };
    let add = |count: usize, ranges| json!({ "files": (0..count).map(|number| file(number, ranges)).collect::<Vec<_>>() });
    let refused = world.post(&files, add(4, 0)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "0x80200051".to_owned()));
    let refused = world.post(&files, add(1, 3)).await;
    assert_eq!(refused.code(), "0x80200052");
    let shown = world.get(&format!("/v1/jobs/{job}")).await.json();
    assert_eq!(shown["progress"]["files_total"], 0);
    assert_eq!(world.post(&files, add(3, 2)).await.status, StatusCode::OK);
    // A job that is over makes room.
    world.post(&format!("/v1/jobs/{job}/cancel"), json!({})).await;
    assert_eq!(
        world.post("/v1/jobs", json!({ "display_name": "a third" })).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn one_job_more_than_the_machine_may_have_is_refused() {
    let policy = Policy { jobs_per_machine_max: 1, ..Policy::BUILT_IN };
    let world = World::with_limits(Limits { policy, ..Limits::default() });
    world.create().await;
    let refused = world.post("/v1/jobs", json!({ "display_name": "another" })).await;
    assert_eq!(refused.code(), "0x80200050");
}

/// `bits.md` §1.4 to §1.6, §1.12: set, shown, and refused where BITS refuses.
#[tokio::test]
async fn what_means_nothing_here_is_kept_and_refused_as_bits_does() {
    let world = World::new();
    let job = world.create().await;
    let path = format!("/v1/jobs/{job}");
    let new = world.get(&path).await.json();
    assert_eq!(new["maximum_download_time"], json!(null));
    assert_eq!([&new["file_acl_flags"], &new["peer_caching_flags"], &new["helper_token_flags"]], [0, 0, 0]);
    assert_eq!(new["notification_clsid"], json!(null));
    let change = json!({
        "maximum_download_time": 7, "file_acl_flags": 15, "peer_caching_flags": 7, "helper_token_flags": 3,
        "notification_clsid": "4991d34b-80a1-4291-83b6-3328366b9097"
    });
    let shown = world.ask(Method::PATCH, &path, Some(change.clone())).await.json();
    for (key, value) in change.as_object().expect("an object") {
        assert_eq!(&shown[key], value, "{key}");
    }
    for (key, value, code) in [
        ("file_acl_flags", json!(16), "0x80070057"),
        ("peer_caching_flags", json!(8), "0x80004001"),
        ("helper_token_flags", json!(4), "0x80004001"),
        ("notification_clsid", json!("{4991}"), "0x80070057"),
    ] {
        let refused = world.ask(Method::PATCH, &path, Some(json!({ key: value }))).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, code), "{key}");
    }
    let after = world.get(&path).await.json();
    assert_eq!(after["revision"], shown["revision"], "a refused change changes nothing");
    let cleared = json!({
        "maximum_download_time": 0, "notification_clsid": "{00000000-0000-0000-0000-000000000000}"
    });
    let shown = world.ask(Method::PATCH, &path, Some(cleared)).await.json();
    assert_eq!(shown["maximum_download_time"], json!(null));
    assert_eq!(shown["notification_clsid"], json!(null));
}

/// `bits.md` §1.3, §1.5: the owner, and the nearest there is to a level of integrity.
#[tokio::test]
async fn a_job_says_whose_it_is_and_taking_ones_own_changes_nothing() {
    let world = World::new();
    let job = world.create().await;
    let path = format!("/v1/jobs/{job}");
    let before = world.get(&path).await.json();
    assert_eq!(before["owner"]["name"], "anna");
    assert_eq!(
        (&before["owner"]["integrity_level"], &before["owner"]["elevated"]),
        (&json!(0x2000), &json!(false))
    );
    let taken = world.post(&format!("{path}/take_ownership"), json!({})).await;
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(taken.json()["outcome"]["name"], "S_FALSE");
    assert_eq!(world.get(&path).await.json()["revision"], before["revision"]);
    let none = world.post("/v1/jobs/00000000-0000-0000-0000-000000000007/take_ownership", json!({})).await;
    assert_eq!(none.code(), "0x80200001");
    world.post(&format!("{path}/cancel"), json!({})).await;
    let over = world.post(&format!("{path}/take_ownership"), json!({})).await;
    assert_eq!((over.status, over.code()), (StatusCode::CONFLICT, "0x80200002".to_owned()));
}
