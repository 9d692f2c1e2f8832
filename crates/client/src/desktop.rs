//! Shows on the desktop what has become of background jobs (`org.freedesktop.Notifications`).
//!
//! Who made a job, and who serves its files, has chosen its name: it is shown, and means nothing.

use std::collections::HashMap;
use std::time::SystemTime;

use bits_api::event::Event;
use bits_api::job::Job;
use bits_core::notify::{Call, Callbacks, Happened};
use bits_core::time::Timestamp;
use bits_platform::shown::shown;
use zbus::zvariant::Value;
use zbus::{Connection, Proxy};

use crate::client::Client;
use crate::error::Error;
use crate::notifications::seen;
use crate::saved::bus_connection;

/// The desktop of the session.
#[derive(Debug)]
pub struct Desktop {
    connection: Connection,
    /// Whether the body of a notification is read as markup.
    reads_markup: bool,
}

/// Characters of a name or a sentence that are shown.
const TEXT_MAX: usize = 200;
const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

impl Desktop {
    /// The desktop on the bus at `address`, or on the session's; none where there is none that shows
    /// notifications.
    pub async fn find(address: Option<&str>) -> Option<Self> {
        let connection = bus_connection(address).await.ok()?;
        let proxy = Proxy::new(&connection, NAME, PATH, NAME).await.ok()?;
        let capabilities: Vec<String> = proxy.call("GetCapabilities", &()).await.ok()?;
        let reads_markup = capabilities.iter().any(|capability| capability == "body-markup");
        Some(Self { connection, reads_markup })
    }

    /// Shows what becomes of the caller's background jobs, from now on and for as long as there is a
    /// service: that one is TRANSFERRED or in ERROR, if its notification flags say so. What stands
    /// already is no news, and somebody looks on at a foreground job.
    ///
    /// # Errors
    /// Those of [`crate::EventStream::next`]. A notification that cannot be shown is none.
    pub async fn show_news(&self, client: &Client) -> Result<(), Error> {
        let mut stream = client.events(None).await?;
        let mut jobs: HashMap<String, Callbacks> = HashMap::new();
        let mut is_news = false;
        loop {
            match stream.next().await? {
                Event::Ready => is_news = true,
                Event::Note(_) | Event::Ranges(_) => {}
                Event::Job(job) => {
                    let callbacks = jobs.entry(job.id.clone()).or_default();
                    callbacks.see(seen(&job));
                    if !is_news {
                        callbacks.heard(true, now());
                    }
                    let calls = callbacks.all(now());
                    let happened = calls.iter().find_map(|call| match call {
                        Call::Happened(happened) => Some(*happened),
                        Call::Files | Call::Ranges | Call::Modification => None,
                    });
                    if let Some(happened) = happened.filter(|_| job.priority != "foreground") {
                        // The desktop may have gone; the next one may find it again.
                        let _ = self.show(&job, happened).await;
                    }
                    if ["acknowledged", "cancelled"].contains(&job.state.as_str()) {
                        jobs.remove(&job.id);
                    }
                }
            }
        }
    }

    async fn show(&self, job: &Job, happened: Happened) -> zbus::Result<u32> {
        let (icon, summary, urgency, body) = match (happened, &job.error) {
            (Happened::Transferred, _) => {
                let files = job.progress.files_total;
                let what = if files == 1 { "its file".to_owned() } else { format!("all {files} files") };
                ("emblem-downloads", "Download finished", 1_u8, format!("{}: {what}", job.display_name))
            }
            (Happened::Error, error) => {
                let why = error.as_ref().map_or("", |error| error.message.as_str());
                ("dialog-error", "Download failed", 2, format!("{}: {why}", job.display_name))
            }
        };
        let body = plain(&body, self.reads_markup);
        let hints = HashMap::from([("urgency", Value::from(urgency))]);
        let actions: [&str; 0] = [];
        let arguments = ("OpenBITS", 0_u32, icon, summary, body.as_str(), &actions[..], hints, -1_i32);
        Proxy::new(&self.connection, NAME, PATH, NAME).await?.call("Notify", &arguments).await
    }
}

/// `text` as it is shown; nothing in it means anything where markup is read.
fn plain(text: &str, reads_markup: bool) -> String {
    let text: String = shown(text).chars().take(TEXT_MAX).collect();
    if !reads_markup {
        return text;
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default() + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_and_means_nothing() {
        for (text, markup, expected) in [
            ("<b>a</b> & b", true, "&lt;b&gt;a&lt;/b&gt; &amp; b"),
            ("<b>a</b> & b", false, "<b>a</b> & b"),
            ("a\nb\u{1b}[31mc\u{202e}d", true, "a bcd"),
            (&"x".repeat(500), true, &"x".repeat(200)),
        ] {
            assert_eq!(plain(text, markup), expected);
        }
    }
}
