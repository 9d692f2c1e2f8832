//! What others tell over the system bus: NetworkManager, UPower and systemd-logind.
//!
//! None of them is started for it, and each is asked only after the bus has said that there is news.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bits_core::conditions::{Attendance, NetworkCost, OwnerAway, Power};
use bits_core::job::Owner;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zbus::{Connection, MatchRule, MessageStream};

use super::{Regard, changed};

const NETWORK_MANAGER: Place = Place {
    name: "org.freedesktop.NetworkManager",
    path: "/org/freedesktop/NetworkManager",
    interface: "org.freedesktop.NetworkManager",
};
const UPOWER: Place = Place {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower",
    interface: "org.freedesktop.UPower",
};
const LOGIND: Place = Place {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
};
const LOGIND_USER: &str = "org.freedesktop.login1.User";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How long an answer may take; one that hangs is as if it were not there.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Where something is on the bus.
struct Place {
    name: &'static str,
    path: &'static str,
    interface: &'static str,
}

/// What was told. What is absent nobody says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub(super) cost: Option<NetworkCost>,
    pub(super) power: Option<Power>,
    pub(super) owner: Attendance,
    /// How often the machine has woken up.
    pub(super) awakenings: u64,
}

/// The system bus.
pub(super) struct Bus {
    connection: Connection,
    owner: Owner,
    /// Whoever listens to what concerns the owner, while that matters.
    owner_watch: Option<Listening>,
    heard: Arc<Heard>,
}

/// Listens until it is dropped.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What has come in and is not looked at yet.
#[derive(Debug, Default)]
struct Heard {
    news: Notify,
    is_gone: AtomicBool,
    awakenings: AtomicU64,
}

impl Bus {
    /// Connects to the bus at `address`; none where there is no such bus.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) async fn connect(address: &str, owner: Owner) -> Result<Option<Self>, String> {
        // Many machines have none, and that is no trouble.
        if let Some(path) = address.strip_prefix("unix:path=")
            && !std::path::Path::new(path.split(',').next().unwrap_or(path)).exists()
        {
            return Ok(None);
        }
        let builder = Builder::address(address).map_err(of_bus)?;
        let connection = builder.method_timeout(ANSWER_TIME_MAX).build().await.map_err(of_bus)?;
        let mut rules = vec![told_by_logind("PrepareForSleep")];
        for Place { name, path, interface } in [NETWORK_MANAGER, UPOWER] {
            rules.push(format!(
                "type='signal',sender='{name}',path='{path}',interface='{PROPERTIES}',\
                 member='PropertiesChanged',arg0='{interface}'"
            ));
        }
        for Place { name, .. } in [NETWORK_MANAGER, UPOWER, LOGIND] {
            rules.push(format!(
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
                 member='NameOwnerChanged',arg0='{name}'"
            ));
        }
        let heard = Arc::new(Heard::default());
        listen_to(&rules, &connection, &heard).await?;
        Ok(Some(Self { connection, owner, owner_watch: None, heard }))
    }

    /// Whether it matters from now on that the owner is there.
    ///
    /// # Errors
    /// Why it cannot be heard; the owner is not asked after, then.
    pub(super) async fn regard_owner(&mut self, matters: bool) -> Result<(), String> {
        if !matters {
            self.owner_watch = None;
        } else if self.owner_watch.is_none() {
            let members = ["SessionNew", "SessionRemoved", "UserNew", "UserRemoved"];
            let listening = listen_to(&members.map(told_by_logind), &self.connection, &self.heard).await?;
            self.owner_watch = Some(Listening(listening));
        }
        Ok(())
    }

    /// Waits until there is something to read; whether the bus is still there.
    async fn news(&self) -> bool {
        self.heard.news.notified().await;
        !self.heard.is_gone.load(Ordering::Acquire)
    }

    /// What all of them say now. They are asked at once, and who has not answered when the time is over
    /// says nothing.
    pub(super) async fn read(&self) -> Told {
        let until = Instant::now() + ANSWER_TIME_MAX;
        let owner = async {
            if self.owner_watch.is_some() && self.is_there(&LOGIND).await {
                self.attendance(self.owner).await
            } else {
                Attendance::Unknown
            }
        };
        let (metered, on_battery, owner) = tokio::join!(
            timeout_at(until, self.property::<u32>(&NETWORK_MANAGER, "Metered")),
            timeout_at(until, self.property::<bool>(&UPOWER, "OnBattery")),
            timeout_at(until, owner),
        );
        Told {
            cost: metered.ok().flatten().and_then(cost_of),
            power: on_battery.ok().flatten().map(|yes| if yes { Power::Battery } else { Power::Mains }),
            owner: owner.unwrap_or_default(),
            awakenings: self.heard.awakenings.load(Ordering::Relaxed),
        }
    }

    /// Reads whenever there is news or something else is regarded, and passes it on; ends when the bus is
    /// gone.
    pub(super) async fn tell(mut self, to: Sender<Told>, mut regard: watch::Receiver<Regard>) {
        loop {
            tokio::select! {
                is_there = self.news() => if !is_there {
                    return;
                },
                now = changed(&mut regard) => {
                    let matters = now.owner == OwnerAway::Wait;
                    if let Err(reason) = self.regard_owner(matters).await {
                        tracing::warn!(reason, "systemd-logind cannot be heard: jobs go on without their owner");
                    }
                }
            }
            if to.send(self.read().await).await.is_err() {
                return;
            }
        }
    }

    async fn is_there(&self, place: &Place) -> bool {
        let Ok(bus) = DBusProxy::new(&self.connection).await else { return false };
        let name = place.name.try_into().expect("a bus name");
        bus.name_has_owner(name).await.unwrap_or(false)
    }

    async fn property<T: TryFrom<OwnedValue>>(&self, place: &Place, property: &str) -> Option<T> {
        if !self.is_there(place).await {
            return None;
        }
        self.value(place.name, place.path, place.interface, property).await
    }

    async fn value<T: TryFrom<OwnedValue>>(
        &self,
        name: &str,
        path: &str,
        interface: &str,
        property: &str,
    ) -> Option<T> {
        let ask = (interface, property);
        let answer = self.connection.call_method(Some(name), path, Some(PROPERTIES), "Get", &ask).await;
        let answer = answer.inspect_err(|error| tracing::debug!(%error, name, property, "no answer")).ok()?;
        T::try_from(answer.body().deserialize::<OwnedValue>().ok()?).ok()
    }

    async fn attendance(&self, owner: Owner) -> Attendance {
        let Place { name, path, interface } = LOGIND;
        let answer =
            self.connection.call_method(Some(name), path, Some(interface), "GetUser", &owner.0).await;
        let user = match answer {
            Ok(answer) => answer.body().deserialize::<OwnedObjectPath>().ok(),
            // Whom logind does not know is not there.
            Err(zbus::Error::MethodError(error, ..)) if error.ends_with(".NoSuchUser") => {
                return Attendance::Away;
            }
            Err(_) => None,
        };
        let Some(user) = user else { return Attendance::Unknown };
        let state: Option<String> = self.value(name, user.as_str(), LOGIND_USER, "State").await;
        match state.as_deref() {
            Some("active" | "online") => Attendance::Present,
            Some(_) => Attendance::Away,
            None => Attendance::Unknown,
        }
    }
}

/// What the bus is asked for so that it passes on this signal of systemd-logind.
fn told_by_logind(member: &str) -> String {
    let Place { name, path, interface } = LOGIND;
    format!("type='signal',sender='{name}',path='{path}',interface='{interface}',member='{member}'")
}

/// Has somebody take note of what comes in by `rules`.
///
/// Whoever asks must not be whoever listens, or an answer may wait behind what is told.
async fn listen_to(
    rules: &[String],
    connection: &Connection,
    heard: &Arc<Heard>,
) -> Result<JoinHandle<()>, String> {
    let mut streams = Vec::new();
    for rule in rules {
        let rule = MatchRule::try_from(rule.as_str()).map_err(of_bus)?;
        streams.push(MessageStream::for_match_rule(rule, connection, None).await.map_err(of_bus)?);
    }
    Ok(tokio::spawn(listen(select_all(streams), Arc::clone(heard))))
}

fn of_bus(error: zbus::Error) -> String {
    error.to_string()
}

/// Takes note of what comes in, until the bus is gone.
async fn listen(
    mut told: impl futures_util::Stream<Item = zbus::Result<zbus::Message>> + Unpin,
    heard: Arc<Heard>,
) {
    while let Some(message) = told.next().await {
        let Ok(message) = message else { continue };
        if message.header().member().is_some_and(|member| member.as_str() == "PrepareForSleep") {
            // It is told before, and after that with `false`.
            if message.body().deserialize::<bool>() != Ok(false) {
                continue;
            }
            heard.awakenings.fetch_add(1, Ordering::Relaxed);
        }
        heard.news.notify_one();
    }
    heard.is_gone.store(true, Ordering::Release);
    heard.news.notify_one();
}

/// `NMMetered`: what is guessed counts as what is said, as it does for desktops.
fn cost_of(metered: u32) -> Option<NetworkCost> {
    const YES: u32 = 1;
    const NO: u32 = 2;
    const GUESS_YES: u32 = 3;
    const GUESS_NO: u32 = 4;
    match metered {
        YES | GUESS_YES => Some(NetworkCost::Metered),
        NO | GUESS_NO => Some(NetworkCost::Unrestricted),
        _ => None,
    }
}
