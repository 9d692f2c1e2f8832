//! Jobs wait for the right conditions and go on by themselves: a network that is not there, one that
//! costs, a battery, an owner who has left, a volume that is not mounted. Each in a network, or with mounts,
//! of its own, with nothing in it but what is made here.

use std::fs;
use std::time::Duration;

use bits_e2e::{Run, Running, Service, desktop, until, with_own_mounts, with_own_network};
use serde_json::{Value, json};

/// What happens by events comes at once on a machine that is not busy; what does not never comes.
const PATIENCE: Duration = Duration::from_secs(120);
const CONTENT: &str = "what is wanted";

#[track_caller]
fn ip(words: &str) {
    Run::new("ip").args(words.split(' ')).finish().expect_code(0);
}

/// A server of files at `address`, in the network of the process `of`, if it is another one.
fn server(service: &Service, address: &str, of: Option<&Running>) -> Running {
    let served = service.file("served");
    fs::create_dir_all(&served).expect("a folder");
    fs::write(served.join("f"), CONTENT).expect("a file");
    let inside = |run: Run| match of {
        Some(of) => run.through(["nsenter", "--net", "--target", &of.pid().as_raw_nonzero().to_string()]),
        None => run,
    };
    let words = ["-u", "-m", "http.server", "8000", "--bind", address, "--directory"];
    let server =
        inside(service.run("python3")).args(words).arg(served).within(Duration::from_secs(300)).spawn();
    server.wait_for_stdout("Serving HTTP");
    server
}

/// The only job there is.
#[track_caller]
fn job(service: &Service) -> Option<Value> {
    let listed = service.bits(["list", "--json"]).finish().expect_code(0).json();
    listed.as_array().and_then(|jobs| jobs.first().cloned())
}

/// Waits until the only job waits with this `reason`.
#[track_caller]
fn waits(service: &Service, reason: &str) -> Value {
    until(PATIENCE, format!("the job waits ({reason})"), || {
        job(service).map(|job| job["wait"].clone()).filter(|wait| wait["reason"] == reason)
    })
}

/// Waits until the only job has put its file to `name`.
#[track_caller]
fn is_done(service: &Service, name: &str) {
    until(PATIENCE, "the file is there", || fs::read_to_string(service.file(name)).ok());
    assert_eq!(fs::read_to_string(service.file(name)).expect("a file"), CONTENT);
}

#[test]
fn a_job_waits_for_the_network_and_goes_on_when_there_is_one() {
    if !with_own_network() {
        return;
    }
    ip("link set lo up");
    let service = Service::new();
    let _running = service.start();
    let _local = server(&service, "127.0.0.1", None);
    service.bits(["get", "http://127.0.0.1:8000/f", "local"]).finish().expect_code(0);
    is_done(&service, "local");

    service.bits(["get", "--detach", "http://192.0.2.2:8000/f", "far"]).finish().expect_code(0);
    let wait = waits(&service, "network");
    assert_eq!((&wait["needs"], &wait["code"]), (&json!("link"), &json!("0x80200010")));
    let list = service.bits(["list"]).finish().expect_code(0);
    assert!(list.stdout.contains("queued (network)"), "{}", list.stdout);
    let id = job(&service).expect("a job")["id"].as_str().expect("an id").to_owned();
    let shown = service.bits(["show", &id]).finish().expect_code(0);
    assert!(shown.stdout.contains("It waits for the network: no link is up."), "{}", shown.stdout);
    let status = service.status().expect("it runs");
    assert_eq!(status["conditions"]["network"], "no_link");
    let doctor = service.bits(["service", "doctor"]).finish();
    assert!(doctor.stdout.contains("there is no network (no link)"), "{}", doctor.stdout);

    let other = Run::new("unshare").args(["--net", "sleep", "300"]).within(Duration::from_secs(300)).spawn();
    let pid = other.pid().as_raw_nonzero();
    let own = fs::read_link("/proc/self/ns/net").expect("a network");
    until(PATIENCE, "the other one has its own network", || {
        fs::read_link(format!("/proc/{pid}/ns/net")).ok().filter(|net| *net != own)
    });
    ip(&format!("link add near type veth peer name far netns {pid}"));
    let there = |words: &str| {
        let run = Run::new("ip").args(words.split(' '));
        run.through(["nsenter", "--net", "--target", &pid.to_string()]).finish().expect_code(0);
    };
    there("address add 192.0.2.2/24 dev far");
    there("link set far up");
    let _far = server(&service, "192.0.2.2", Some(&other));
    ip("link set near up");
    until(PATIENCE, "an address is what is missing", || {
        (waits(&service, "network")["needs"] == "address").then_some(())
    });
    ip("address add 192.0.2.1/24 dev near");
    is_done(&service, "far");

    // What has failed on its way is tried again with another network, whatever its delay.
    let get = ["get", "--detach", "http://192.0.2.3:8000/f", "later"];
    service.bits(get).finish().expect_code(0);
    let set = |id: &str| service.bits(["set", id, "minimum-retry-delay=3600"]).finish();
    set(job(&service).expect("a job")["id"].as_str().expect("an id")).expect_code(0);
    until(PATIENCE, "it has failed", || job(&service).filter(|job| job["state"] == "transient_error"));
    there("address add 192.0.2.3/24 dev far");
    let _later = server(&service, "192.0.2.3", Some(&other));
    ip("address add 192.0.2.7/24 dev near");
    is_done(&service, "later");
}

#[test]
fn jobs_wait_while_the_network_costs_the_battery_runs_down_or_their_owner_is_away() {
    if !with_own_network() {
        return;
    }
    let Some(desktop) = desktop() else { return };
    ip("link set lo up");
    ip("link add wire type veth peer name end");
    ip("link set end up");
    ip("link set wire up");
    ip("address add 192.0.2.1/24 dev wire");
    let service = Service::new();
    service.configure("on_battery = \"foreground-only\"\nowner_away = \"wait\"\n");
    let _server = server(&service, "192.0.2.1", None);
    desktop.metered(1);
    let _running = service.start_as(service.bitsd().env("DBUS_SYSTEM_BUS_ADDRESS", desktop.address()));

    let get = |name: &str, priority: &str| {
        let words = ["get", "--detach", "--priority", priority, "http://192.0.2.1:8000/f", name];
        service.bits(words).finish().expect_code(0);
    };
    get("foreground", "foreground");
    is_done(&service, "foreground");

    get("cost", "normal");
    let wait = waits(&service, "cost");
    let expected = json!({
        "reason": "cost", "needs": "unrestricted", "has": "metered", "asked_by": "settings",
        "code": "0x80200059", "until": null
    });
    assert_eq!(wait, expected);
    desktop.metered(2);
    is_done(&service, "cost");

    desktop.metered(3);
    until(PATIENCE, "it is metered", || (service.status()?["conditions"]["cost"] == "metered").then_some(()));
    get("own", "low");
    waits(&service, "cost");
    let id = job(&service).expect("a job")["id"].as_str().expect("an id").to_owned();
    for wrong in ["transfer-policy=sometimes", "cost-flags=0x40000001", "cost-flags=0x80000000"] {
        service.bits(["set", &id, wrong]).finish().expect_code(2);
    }
    service.bits(["set", &id, "transfer-policy=not-roaming"]).finish().expect_code(0);
    is_done(&service, "own");
    desktop.metered(4);

    desktop.on_battery(true);
    until(PATIENCE, "it is on battery", || {
        (service.status()?["conditions"]["power"] == "battery").then_some(())
    });
    get("power", "high");
    waits(&service, "power");
    desktop.on_battery(false);
    is_done(&service, "power");

    desktop.user_is("lingering");
    until(PATIENCE, "its owner is away", || {
        (service.status()?["conditions"]["owner"] == "away").then_some(())
    });
    get("owner", "foreground");
    assert_eq!(waits(&service, "owner_away")["code"], "0x800704DD");
    desktop.user_is("online");
    is_done(&service, "owner");

    // A rule that is set anew while the service runs holds for jobs that are there.
    let reload = |settings: &str, changed: &str| {
        service.configure(settings);
        let reloaded = service.bits(["service", "reload"]).finish().expect_code(0);
        assert!(!reloaded.stderr.contains("restart"), "{}", reloaded.stderr);
        assert!((reloaded.stdout + &reloaded.stderr).contains(changed), "{changed}");
    };
    reload("owner_away = \"run\"\n", "owner_away");
    until(PATIENCE, "nobody asks for the owner", || {
        service.status()?["conditions"]["owner"].is_null().then_some(())
    });
    desktop.user_is("lingering");
    get("without", "foreground");
    is_done(&service, "without");
    reload("owner_away = \"wait\"\n", "owner_away");
    until(PATIENCE, "its owner is known to be away", || {
        (service.status()?["conditions"]["owner"] == "away").then_some(())
    });
    get("again", "foreground");
    waits(&service, "owner_away");
    desktop.user_is("online");
    is_done(&service, "again");
}

#[test]
fn what_a_setting_says_of_an_interface_holds_jobs_back_until_another_one_is_used() {
    if !with_own_network() {
        return;
    }
    ip("link set lo up");
    for (name, address) in [("wwan0", "192.0.2.1"), ("wire", "198.51.100.1")] {
        ip(&format!("link add {name} type veth peer name {name}-end"));
        ip(&format!("link set {name}-end up"));
        if name == "wwan0" {
            ip(&format!("link set {name} up"));
        }
        ip(&format!("address add {address}/24 dev {name}"));
    }
    ip("route add default via 192.0.2.254 dev wwan0 metric 100");
    let service = Service::new();
    service.configure("network_cost = \"wwan*=roaming nosuch0=metered\"\n");
    let _server = server(&service, "192.0.2.1", None);
    let _running = service.start();
    service
        .bits(["get", "--detach", "--priority", "high", "http://192.0.2.1:8000/f", "f"])
        .finish()
        .expect_code(0);
    assert_eq!(waits(&service, "cost")["has"], "roaming");
    let doctor = service.bits(["service", "doctor"]).finish();
    assert!(doctor.stdout.contains("there is no interface nosuch0 just now"), "{}", doctor.stdout);
    service.configure("network_cost = \"wwan*=over-cap-charged\"\n");
    service.bits(["service", "reload"]).finish().expect_code(0);
    until(PATIENCE, "it costs otherwise", || {
        (waits(&service, "cost")["has"] == "over-cap-charged").then_some(())
    });
    ip("link set wire up");
    ip("route add default via 198.51.100.254 dev wire metric 10");
    is_done(&service, "f");
}

#[track_caller]
fn mount(words: &[&str]) {
    Run::new(words[0]).args(&words[1..]).finish().expect_code(0);
}

#[test]
fn a_job_waits_for_the_volume_of_its_destination_and_goes_on_when_that_is_mounted() {
    if !with_own_mounts() {
        return;
    }
    let service = Service::new();
    let [disk, other, place] = ["disk", "other", "place"].map(|name| {
        let folder = service.file(name);
        fs::create_dir(&folder).expect("a folder");
        folder.display().to_string()
    });
    for disk in [&disk, &other] {
        mount(&["mount", "-t", "tmpfs", "volume", disk]);
    }
    mount(&["mount", "--bind", &disk, &place]);
    fs::create_dir(service.file("place/in")).expect("a folder");
    let served = service.file("served");
    fs::create_dir(&served).expect("a folder");
    let content = vec![7; 400_000];
    fs::write(served.join("f"), &content).expect("a file");
    let words = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"];
    let server = service.run("python3").args(words).arg(&served).within(Duration::from_secs(300)).spawn();
    server.wait_for_stdout("Serving HTTP");
    let said = server.stdout();
    let port = said.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port");
    let running = service.start();
    let get = ["get", "--detach", "--limit-rate", "2kbit"];
    let url = format!("http://127.0.0.1:{port}/f");
    let id = service.bits(get).args([&url, "place/in/f"]).finish().expect_code(0).stdout.trim().to_owned();
    until(PATIENCE, "some of it has come", || {
        job(&service).filter(|job| job["progress"]["bytes_transferred"].as_u64() > Some(0))
    });
    service.bits(["suspend", &id]).finish().expect_code(0);
    // Its file is held open until the attempt is over.
    until(PATIENCE, "the volume can be taken away", || {
        (Run::new("umount").arg(&place).finish().code == Some(0)).then_some(())
    });
    service.bits(["resume", &id]).finish().expect_code(0);
    let wait = waits(&service, "volume");
    assert_eq!((&wait["code"], &wait["until"]), (&json!("0x8020000D"), &Value::Null));
    // That it was taken away is news, too, after which it looks once more.
    until(PATIENCE, "people are told why", || {
        let said = |words: &[&str]| service.bits(words).finish().expect_code(0).stdout;
        let sentence = "It waits for the volume that its files go to: the folder";
        (said(&["show", &id]).contains(sentence) && said(&["list"]).contains("queued (volume)")).then_some(())
    });
    assert_eq!(job(&service).expect("a job")["error_count"], 0, "it has not failed");

    // Another one in its place is not written to, and neither is it by another service.
    mount(&["mount", "--bind", &other, &place]);
    fs::create_dir(service.file("place/in")).expect("a folder");
    until(PATIENCE, "the other one is seen", || {
        job(&service).filter(|job| job["error"]["code"] == "0x8020000E" && job["wait"]["reason"] == "volume")
    });
    drop(running.kill());
    let _running = service.start();
    waits(&service, "volume");
    assert_eq!(fs::read_dir(service.file("place/in")).expect("a folder").count(), 0);

    service.bits(["set", &id, "rate-limit=none"]).finish().expect_code(0);
    waits(&service, "volume");
    mount(&["umount", &place]);
    mount(&["mount", "--bind", &disk, &place]);
    until(PATIENCE, "it has gone on by itself", || job(&service).is_none().then_some(()));
    assert_eq!(fs::read(service.file("place/in/f")).expect("a file"), content);
}
