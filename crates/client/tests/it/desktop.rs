//! Notifications on the desktop, on a private bus with python-dbusmock in the desktop's place.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use bits_client::Desktop;
use serde_json::json;

use crate::saved::bus::Bus;
use crate::service::{Act, Service, job};

/// The desktop of a bus; ended with this.
struct Mock(Child);

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python(bus: &Bus, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    command
}

/// A bus with a desktop; none where its programs are missing.
fn desktop() -> Option<(Bus, Mock)> {
    let bus = Bus::start("none")?;
    let has_mock = python(&bus, &["-c", "import dbusmock"]).stderr(Stdio::null()).status();
    if !has_mock.is_ok_and(|status| status.success()) {
        let required = std::env::var_os("OPENBITS_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "python3-dbusmock is missing");
        let _ = writeln!(std::io::stderr(), "skipped: python3-dbusmock is missing");
        return None;
    }
    let start = ["-m", "dbusmock", "--session", "--template", "notification_daemon"];
    let mock = python(&bus, &start).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    Some((bus, Mock(mock)))
}

/// What the desktop was asked to show, as `dbus-send` prints it.
fn asked(bus: &Bus) -> String {
    let output = Command::new("/usr/bin/dbus-send")
        .args(["--session", "--print-reply", "--dest=org.freedesktop.Notifications"])
        .args(["/org/freedesktop/Notifications", "org.freedesktop.DBus.Mock.GetMethodCalls", "string:Notify"])
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .output()
        .expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn event(number: u8, state: &str, name: &str, priority: &str) -> &'static str {
    let mut job = job(state);
    job["id"] = json!(format!("8e2d0a1b-0203-4405-8607-08090a0b0c{number:02x}"));
    job["display_name"] = json!(name);
    job["priority"] = json!(priority);
    job["notify_flags"] = json!(3);
    job["error_count"] = json!(1);
    Box::leak(format!("event: job\ndata: {job}\n\n").into_boxed_str())
}

#[tokio::test]
async fn what_becomes_of_background_jobs_is_shown_and_their_names_mean_nothing() {
    let Some((bus, _mock)) = desktop() else { return };
    let service = Service::acting(vec![Act::KeepStream(vec![
        event(1, "transferred", "old news", "normal"),
        event(2, "transferring", "<b>bold</b> & \u{1b}[31mred", "normal"),
        event(3, "transferring", "looked at", "foreground"),
        event(4, "transferring", "failing", "low"),
        "event: ready\n\n",
        event(1, "transferred", "old news", "normal"),
        event(2, "transferred", "<b>bold</b> & \u{1b}[31mred", "normal"),
        event(3, "transferred", "looked at", "foreground"),
        event(4, "error", "failing", "low"),
    ])]);
    let client = service.client().await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let desktop = loop {
        if let Some(desktop) = Desktop::find(Some(&bus.address)).await {
            break desktop;
        }
        assert!(std::time::Instant::now() < deadline, "the mock does not begin");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let shown = async {
        loop {
            let shown = asked(&bus);
            if shown.contains("failing") {
                return shown;
            }
            assert!(std::time::Instant::now() < deadline, "{shown}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let shown = tokio::select! {
        ended = desktop.show_news(&client) => panic!("{ended:?}"),
        shown = shown => shown,
    };
    assert!(shown.contains("Download finished") && shown.contains("Download failed"), "{shown}");
    assert!(
        !shown.contains("old news") && !shown.contains("looked at") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let markup = ["&lt;b&gt;bold&lt;/b&gt; &amp; red", "<b>bold</b> & red"];
    assert!(markup.iter().any(|text| shown.contains(text)), "{shown}");
}
