//! A service that is killed at any moment goes on from a state it had really been in.

use std::collections::BTreeMap;
use std::time::Duration;

use bits_e2e::{Random, Service, peers, sha256, until};
use serde_json::{Value, json};

use crate::storm;

/// Kills of one download, if nobody asks for more (`OPENBITS_KILLS`).
const KILLS: usize = 50;
/// Bytes the server sends a second: slow enough that the file outlives the kills.
const RATE: u64 = 2 << 20;
/// Bytes a kill may cost, if a second of the rate is less (the bound of the promise).
const COST_OF_A_KILL: u64 = 4 << 20;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_download_survives_kills_at_random_moments_and_nothing_acknowledged_is_lost() {
    let Some(peers) = peers() else { return };
    let kills = std::env::var("OPENBITS_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let seed = u64::from(std::process::id()) + 1;
    println!("seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    let service = Service::new();
    let target = peers.nginx.unique(&format!("/slow/64m.bin?rate={RATE}"));
    let url = peers.nginx.url(&target);
    let file = service.file("64m.bin");

    let get = ["get", &url, file.to_str().expect("a path in UTF-8"), "--detach", "--name", "big"];
    let id = service.bits(get).finish().expect_code(0).stdout.trim().to_owned();
    let show = || -> Option<Value> {
        let shown = service.bits(["show", &id, "--json"]).finish();
        (shown.code == Some(0)).then(|| shown.json())
    };

    // What has been acknowledged: the job's id, and its description.
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    let mut while_transferring = 0;
    let mut come = 0;
    for round in 0..kills {
        // The file moves on between kills, or nothing would ever be tested but the start.
        let job = until(PATIENCE, "the download moves on", || {
            let job = show()?;
            let now = job["progress"]["bytes_transferred"].as_u64()?;
            (job["state"] != "transferring" || now > come).then_some(job)
        });
        come = job["progress"]["bytes_transferred"].as_u64().expect("a count");
        let created = service.bits(["create", &format!("job {round}")]).finish().expect_code(0);
        let created = created.stdout.trim().to_owned();
        let description = format!("round {round}");
        acknowledged.insert(created.clone(), String::new());
        service.bits(["set", &created, &format!("description={description}")]).finish().expect_code(0);
        acknowledged.insert(created, description);
        let doomed = acknowledged.keys().nth(random.below(acknowledged.len() as u64) as usize).cloned();
        if let Some(doomed) = doomed.filter(|_| round % 5 == 4) {
            service.bits(["cancel", &doomed]).finish().expect_code(0);
            acknowledged.remove(&doomed);
        }
        if show().is_some_and(|job| job["state"] == "transferring") {
            while_transferring += 1;
        }
        // Nothing is waited for here: the moment of the kill is what is random.
        std::thread::sleep(Duration::from_millis(random.below(60)));
        service.kill();
    }

    let watched = service.bits(["watch", &id, "--json"]).within(PATIENCE * 3).finish().expect_code(0);
    assert!(watched.stdout.contains("acknowledged"), "{watched}");
    assert_eq!(sha256(&file), sha256(peers.nginx.file("64m.bin")), "the right bytes");
    println!("{while_transferring} of {kills} kills while transferring");
    storm::report(
        "kills",
        &json!({ "seed": seed, "kills": kills, "kills_while_transferring": while_transferring,
            "jobs_and_properties_acknowledged": acknowledged.len() }),
    );
    assert!(while_transferring * 5 >= kills * 4, "only {while_transferring} of {kills} while transferring");

    let listed = service.bits(["list", "--json"]).finish().expect_code(0).json();
    let listed: BTreeMap<String, String> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|job| {
            let text = |key: &str| job[key].as_str().expect("a text").to_owned();
            (text("id"), text("description"))
        })
        .collect();
    assert_eq!(listed, acknowledged, "no acknowledged job or property is lost, and none is invented");

    let size = peers.nginx.file("64m.bin").metadata().expect("the server's file").len();
    // The last answers of killed connections are logged when the server notices.
    let sent: u64 = peers.nginx.requests(&target).iter().map(|request| request.sent).sum();
    let bound = size + kills as u64 * RATE.max(COST_OF_A_KILL);
    println!("the server sent {sent} bytes for {size}; the bound is {bound}");
    assert!(sent <= bound, "{sent} bytes sent, {bound} allowed");
    assert!(sent >= size, "every byte was sent at least once");

    let left: Vec<_> = std::fs::read_dir(service.folder().join("files"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["64m.bin"], "no partial file is left");
}
