//! Lives drawn from seeds: a file that is cut and changed on its way, in a service that is killed,
//! stopped and hurried, and at the end the right bytes.
//!
//! Only such faults are drawn as every download survives. A life that ends wrongly tells its seed;
//! `OPENBITS_SEED=N` lives that one again, as far as the machine keeps the same time.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use bits_e2e::{Random, Service, until};
use bits_testkit::UnkindOrigin;
use serde_json::{Value, json};

use crate::storm;

/// Lives, if nobody asks for more (`OPENBITS_LIVES`).
const LIVES: u64 = 20;
/// How often it is said how far it has come, in lives.
const TOLD_EVERY: usize = 25;
/// Lives at a time; most of one is waiting.
const AT_ONCE: usize = 5;
/// How long one may take from its last blow to its end.
const PATIENCE: Duration = Duration::from_secs(90);
/// Blows a life has at most.
const BLOWS_MAX: u64 = 8;
/// The longest time between two blows, in milliseconds.
const BETWEEN_BLOWS: u64 = 500;

/// Paths from which the right bytes can be had in the end, whatever is cut.
const PATHS: &[&str] = &[
    "kind",
    "weak-tag",
    "date-only",
    "fresh-date",
    "no-validators",
    "rotating-tag",
    "no-ranges",
    "wrong-range",
    "early-range",
    "no-content-range",
    "bad-content-range",
    "other-total",
    "unknown-total",
    "short-range",
    "long-range",
    "multipart",
    "range-not-satisfiable",
    "chunked",
    "redirect",
];
/// The same, of files that change.
const CHANGING_PATHS: &[&str] =
    &["changed", "changed-dates-only", "changed-weak", "changed-no-validators", "if-range-ignored"];
/// The same, of files that change and have another size each time.
const GROWING_PATHS: &[&str] = &["changed-same-tag", "if-range-ignored-old-tag"];

/// What happens to a job from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    /// The service is killed, and started by whoever asks for it next.
    Kill,
    /// The job is suspended and resumed.
    Stop,
    /// The job is resumed, so that it is tried again at once.
    Hurry,
    /// Only time passes.
    Nothing,
}
use Blow::{Hurry, Kill, Nothing, Stop};

#[test]
fn any_sequence_of_cuts_kills_and_changes_ends_in_the_right_bytes() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("OPENBITS_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = u64::from(std::process::id()) * 1000;
            (first..first + number("OPENBITS_LIVES").unwrap_or(LIVES)).collect()
        }
    };
    let origin = UnkindOrigin::start();
    let left = Mutex::new(seeds.clone().into_iter());
    let endings = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = left.lock().expect("nobody panics with it").next();
                    let Some(seed) = seed else { return };
                    let ending = Life::draw(seed).live(&origin);
                    let mut endings = endings.lock().expect("nobody panics with it");
                    endings.insert(seed, ending);
                    if endings.len() % TOLD_EVERY == 0 && endings.len() < seeds.len() {
                        println!("lives: {} of {}", endings.len(), seeds.len());
                    }
                }
            });
        }
    });
    let endings = endings.into_inner().expect("nobody panics with it");
    for (seed, (told, _)) in &endings {
        println!("seed {seed}: {told}");
    }
    let wrong: Vec<_> = endings.iter().filter(|(_, (_, is_right))| !is_right).map(|(seed, _)| seed).collect();
    storm::report(
        "lives",
        &json!({ "lives": endings.len(), "ended_right": endings.len() - wrong.len(), "first_seed": seeds[0] }),
    );
    assert!(wrong.is_empty(), "lives with wrong ends, by OPENBITS_SEED: {wrong:?}");
    assert_eq!(endings.len(), seeds.len(), "every life was lived to its end");
}

/// What a seed draws.
#[derive(Debug)]
struct Life {
    target: String,
    /// How long after the one before each blow falls, in milliseconds.
    blows: Vec<(u64, Blow)>,
}

impl Life {
    fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let grows = *random.of(&[0, 0, 1, 4096, 100_000]);
        let changing = if grows == 0 { CHANGING_PATHS } else { &[CHANGING_PATHS, GROWING_PATHS].concat() };
        // Half of the files change; changes are what joins halves.
        let paths = *random.of(&[PATHS, changing]);
        let path = *random.of(paths);
        let size = 100_000 + random.below(4_000_000);
        let target = format!(
            "/{path}?id=life-{seed}&seed={seed}&size={size}&pace={}&grows={grows}&after={}&times={}&cut={}&cuts={}&how={}",
            10 + random.below(40),
            1 + random.below(3),
            1 + random.below(4),
            random.below(size),
            random.below(4),
            random.of(&["fin", "rst"]),
        );
        let blows = 1 + random.below(BLOWS_MAX);
        let blow = |random: &mut Random| {
            (random.below(BETWEEN_BLOWS), *random.of(&[Kill, Kill, Kill, Stop, Hurry, Nothing]))
        };
        Self { target, blows: (0..blows).map(|_| blow(&mut random)).collect() }
    }

    /// Lives it; what is to be told of it, and whether it ended as it should.
    fn live(&self, origin: &UnkindOrigin) -> (String, bool) {
        let service = Service::new();
        let file = service.file("file");
        let get = ["get", &origin.url(&self.target), "file", "--detach"];
        let id = service.bits(get).finish().expect_code(0).stdout.trim().to_owned();
        for (after, blow) in &self.blows {
            // Nothing is waited for here: the moment of the blow is what is random.
            std::thread::sleep(Duration::from_millis(*after));
            match blow {
                Kill => service.kill(),
                // What is over refuses both, and may.
                Stop => {
                    drop([service.bits(["suspend", &id]).finish(), service.bits(["resume", &id]).finish()])
                }
                Hurry => drop(service.bits(["resume", &id]).finish()),
                Nothing => {}
            }
            // Whoever asks starts the service again.
            show(&service, &id);
        }
        let job = until(PATIENCE, format_args!("{self:?} comes to an end"), || {
            let job = show(&service, &id);
            if job["state"] == "transient_error" {
                service.bits(["resume", &id]).finish();
            }
            ["acknowledged", "error"].contains(&job["state"].as_str()?).then_some(job)
        });
        let served = origin.served(&self.target);
        let newest = served.last().expect("something was served");
        let is_right = fs::read(&file).is_ok_and(|bytes| newest.is(&bytes));
        let alone = fs::read_dir(service.folder().join("files")).expect("the folder").count() == 1;
        let kills = self.blows.iter().filter(|(_, blow)| *blow == Kill).count();
        let told = format!(
            "{} bytes, {} versions, {} requests, {kills} kills: {}{}{} {}",
            newest.size,
            served.len(),
            origin.requests(&self.target).len(),
            job["state"].as_str().expect("a state"),
            if is_right { ", right" } else { ", WRONG" },
            if alone { "" } else { ", AND A PARTIAL FILE IS LEFT" },
            self.target,
        );
        (told, is_right && alone)
    }
}

fn show(service: &Service, id: &str) -> Value {
    service.bits(["show", id, "--json"]).finish().expect_code(0).json()
}
