//! Sees under which conditions jobs run, and tells the engine when they change: the network by the
//! kernel, its cost by settings or NetworkManager, power by UPower or the kernel, whether the owner is
//! logged on by systemd-logind, and by the kernel that volumes come and go.
//!
//! What follows from it is decided elsewhere. Nobody is asked again and again: each of them tells when
//! there is news, and then all that is known of it is looked at anew.

mod bus;

use std::future::pending;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bits_broker::effects::EngineHandle;
use bits_core::conditions::{
    Attendance, Conditions, InterfaceCosts, Network, NetworkCost, OnBattery, OwnerAway, Power, Rules,
};
use bits_core::job::Owner;
use bits_platform::mounts::MountWatch;
use bits_platform::network::{self, NetworkWatch};
use bits_platform::power::{self, PowerWatch};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use bus::{Bus, Told};

/// How long to let things settle after the first news: a link, its addresses and its routes come one
/// after another.
const SETTLING_TIME: Duration = Duration::from_millis(200);
/// How long the start of the service may wait for what others say.
const PATIENCE_AT_THE_START: Duration = Duration::from_millis(500);

/// All that is known, each as its source has said it.
#[derive(Debug, Default)]
struct Facts {
    network: Network,
    supplies: Power,
    told: Told,
    volumes: Option<u64>,
}

/// What of the settings is gone by here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Regard {
    pub(crate) costs: InterfaceCosts,
    pub(crate) owner: OwnerAway,
}

/// Looks and listens.
pub(crate) struct Watching {
    facts: Facts,
    costs: InterfaceCosts,
    regard: watch::Receiver<Regard>,
    network: Option<AsyncFd<NetworkWatch>>,
    power: Option<AsyncFd<PowerWatch>>,
    mounts: Option<AsyncFd<MountWatch>>,
    bus: Option<Receiver<Told>>,
}

impl Facts {
    /// What all of it comes to. What a setting says of an interface goes before what others say.
    fn conditions(&self, costs: &InterfaceCosts) -> Conditions {
        let by_setting = match &self.network {
            Network::Up { interface: Some(interface), .. } => costs.of(interface),
            Network::Up { interface: None, .. } | Network::Down(_) => None,
        };
        let network = match self.network.clone() {
            // Whoever has slept does not know what was meanwhile.
            Network::Up { interface, attachment } => {
                Network::Up { interface, attachment: attachment.wrapping_add(self.told.awakenings) }
            }
            down @ Network::Down(_) => down,
        };
        Conditions {
            network,
            cost: by_setting.or(self.told.cost).unwrap_or(NetworkCost::Unrestricted),
            power: self.told.power.unwrap_or(self.supplies),
            owner: self.told.owner,
            volumes: self.volumes,
        }
    }
}

/// `watch`, so that one can wait for its news.
#[expect(deprecated, reason = "a watch owns its socket, and neither closes it nor puts another in its place")]
fn registered<T: AsRawFd>(watch: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(watch, interest)
}

impl Watching {
    /// Looks for the first time. What cannot be seen, and would matter, is added to `notices`.
    pub(crate) async fn begin(
        bus_address: &str,
        owner: Owner,
        rules: &Rules,
        mut regard: watch::Receiver<Regard>,
        notices: &mut Vec<String>,
    ) -> Self {
        let readable = |watch| registered(watch, Interest::READABLE);
        let network = NetworkWatch::open().and_then(readable).inspect_err(|error| {
            notices.push(format!(
                "changes of the network cannot be seen ({error}): jobs try also without one, and again after a while"
            ));
        });
        let mounts = MountWatch::open().and_then(|watch| registered(watch, Interest::PRIORITY));
        let mounts = mounts.inspect_err(|error| {
            tracing::info!(%error, "nobody tells when volumes are mounted: jobs try again after a while");
        });
        let Regard { costs, owner: owner_away } = regard.borrow_and_update().clone();
        let owner_matters = owner_away == OwnerAway::Wait;
        let connect = async {
            let mut bus = Bus::connect(bus_address, owner).await?;
            if let Some(bus) = &mut bus {
                bus.regard_owner(owner_matters).await?;
            }
            Ok(bus)
        };
        let bus = timeout(PATIENCE_AT_THE_START, connect).await;
        let bus: Option<Bus> = match bus.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
            Ok(bus) => bus,
            Err(reason) => {
                tracing::info!(reason, address = bus_address, "the system bus cannot be used");
                None
            }
        };
        let mut facts = Facts::default();
        if let Some(bus) = &bus {
            // Whoever does not answer in time is heard when there is news of it.
            facts.told = timeout(PATIENCE_AT_THE_START, bus.read()).await.unwrap_or_default();
        }
        let bus = bus.map(|bus| {
            let (to, told) = channel(1);
            // Whoever does not answer there is to hold up nothing that others tell.
            tokio::spawn(bus.tell(to, regard.clone()));
            told
        });
        let (network, mounts) = (network.ok(), mounts.ok());
        let mut watching = Self { facts, costs, regard, network, power: None, mounts, bus };
        watching.look_at_network();
        watching.look_at_mounts();
        watching.look_at_supplies();
        if watching.facts.supplies != Power::Unknown {
            watching.power = PowerWatch::open().and_then(|watch| registered(watch, Interest::READABLE)).ok();
        }
        let told = &watching.facts.told;
        if owner_matters && told.owner == Attendance::Unknown {
            notices.push(
                "jobs are to wait while their owner is logged off, but there is no systemd-logind that tells: they go on"
                    .to_owned(),
            );
        }
        if rules.on_battery != OnBattery::Run
            && told.power.is_none()
            && watching.facts.supplies == Power::Unknown
        {
            tracing::info!("nothing says what this machine runs on: jobs run as on mains");
        }
        watching
    }

    /// The conditions as they are known.
    pub(crate) fn conditions(&self) -> Conditions {
        self.facts.conditions(&self.costs)
    }

    /// Tells `engine` of every change, for as long as the service runs.
    pub(crate) async fn run(mut self, engine: EngineHandle) {
        let mut told = self.conditions();
        loop {
            tokio::select! {
                news = heard(self.network.as_ref(), NetworkWatch::take) => match news {
                    Ok(true) => {
                        sleep(SETTLING_TIME).await;
                        self.look_at_network();
                    }
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "changes of the network are seen no more");
                        self.network = None;
                        self.facts.network = Network::default();
                    }
                },
                news = heard(self.power.as_ref(), PowerWatch::take) => match news {
                    Ok(true) => self.look_at_supplies(),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "changes of power are seen no more");
                        self.power = None;
                        self.facts.supplies = Power::Unknown;
                    }
                },
                news = mounted(self.mounts.as_ref()) => {
                    if let Err(error) = news {
                        tracing::warn!(%error, "nobody tells any more when volumes are mounted");
                        self.mounts = None;
                    }
                    sleep(SETTLING_TIME).await;
                    self.look_at_mounts();
                }
                news = told_by(self.bus.as_mut()) => match news {
                    Some(told) => self.facts.told = told,
                    None => {
                        tracing::warn!("the system bus is gone; what it told counts no more");
                        self.bus = None;
                        self.facts.told = Told::default();
                    }
                },
                now = changed(&mut self.regard) => {
                    if now.owner == OwnerAway::Wait && self.bus.is_none() {
                        tracing::warn!("nobody tells whether the owner is logged on: jobs go on");
                    }
                    self.costs = now.costs;
                }
            }
            let now = self.conditions();
            if now != told {
                // What is mounted concerns those who wait for it, and is no news to others.
                if (Conditions { volumes: told.volumes, ..now.clone() }) != told {
                    tell(&now);
                }
                engine.conditions_are(now.clone());
                told = now;
            }
        }
    }

    fn look_at_network(&mut self) {
        if self.network.is_none() {
            return;
        }
        match network::look() {
            Ok(network) => self.facts.network = network,
            Err(error) => {
                tracing::warn!(%error, "the network cannot be looked at");
                self.facts.network = Network::default();
            }
        }
    }

    fn look_at_mounts(&mut self) {
        let seen = self.mounts.as_ref().map(|watch| watch.get_ref().look());
        self.facts.volumes = match seen.transpose() {
            Ok(volumes) => volumes,
            Err(error) => {
                tracing::warn!(%error, "what is mounted cannot be looked at");
                None
            }
        };
    }

    fn look_at_supplies(&mut self) {
        self.facts.supplies = power::look();
    }
}

fn tell(conditions: &Conditions) {
    let Conditions { network, cost, power, owner, volumes: _ } = conditions;
    match network {
        Network::Up { interface, .. } => {
            let interface = interface.as_deref().unwrap_or("unknown");
            tracing::info!(
                network = "up",
                interface,
                cost = cost.name(),
                ?power,
                ?owner,
                "the conditions have changed"
            );
        }
        Network::Down(missing) => {
            let missing = missing.name();
            tracing::info!(network = "down", missing, ?power, ?owner, "the conditions have changed");
        }
    }
}

/// Waits until the kernel has told something, and takes it.
async fn heard<W: AsRawFd>(
    watch: Option<&AsyncFd<W>>,
    take: impl Fn(&W) -> io::Result<bool>,
) -> io::Result<bool> {
    let Some(watch) = watch else { return pending().await };
    let mut ready = watch.readable().await?;
    let is_worth_it = take(ready.get_inner())?;
    ready.clear_ready();
    Ok(is_worth_it)
}

/// Waits until something was mounted or taken away.
async fn mounted(watch: Option<&AsyncFd<MountWatch>>) -> io::Result<()> {
    let Some(watch) = watch else { return pending().await };
    watch.ready(Interest::PRIORITY).await?.clear_ready();
    Ok(())
}

/// Waits until the bus has something to tell; nothing when it is gone.
async fn told_by(bus: Option<&mut Receiver<Told>>) -> Option<Told> {
    match bus {
        Some(bus) => bus.recv().await,
        None => pending().await,
    }
}

/// Waits until something else of the settings is in force.
async fn changed(regard: &mut watch::Receiver<Regard>) -> Regard {
    if regard.changed().await.is_err() {
        // Nobody is left to change any.
        return pending().await;
    }
    regard.borrow_and_update().clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_broker::engine::Input;

    #[test]
    fn another_cost_of_the_network_in_use_is_told_without_any_news_of_the_network() {
        let regard = |costs: &str| Regard {
            costs: InterfaceCosts::parse(costs).expect("costs"),
            owner: OwnerAway::default(),
        };
        let (set, mut regarded) = watch::channel(regard("eth0=metered"));
        let network = Network::Up { interface: Some("eth0".to_owned()), attachment: 7 };
        let facts = Facts { network, ..Facts::default() };
        let costs = regarded.borrow_and_update().costs.clone();
        let watching =
            Watching { facts, costs, regard: regarded, network: None, power: None, mounts: None, bus: None };
        assert_eq!(watching.conditions().cost, NetworkCost::Metered);
        let (inputs, mut told) = tokio::sync::mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.spawn(watching.run(EngineHandle::new(inputs)));
        for (costs, expected) in [
            ("eth0=roaming", NetworkCost::Roaming),
            ("wlan*=metered", NetworkCost::Unrestricted),
            ("eth*=billed", NetworkCost::Billed),
        ] {
            // The same once more is no news.
            for _ in 0..2 {
                set.send_replace(regard(costs));
            }
            let Some(Input::Conditions(conditions)) = told.blocking_recv() else {
                panic!("nothing is told of {costs}")
            };
            assert_eq!(conditions.cost, expected);
        }
        // Only when all is told that was to be.
        drop(runtime);
        assert!(told.blocking_recv().is_none(), "nothing else was told");
    }

    #[test]
    fn a_setting_goes_before_what_others_say_and_what_nobody_says_is_free() {
        let costs = InterfaceCosts::parse("eth0=unrestricted wwan*=roaming").expect("costs");
        let by = |interface: &str| Network::Up { interface: Some(interface.to_owned()), attachment: 7 };
        for (network, told, expected) in [
            (by("eth0"), Some(NetworkCost::Metered), NetworkCost::Unrestricted),
            (by("wwan0"), None, NetworkCost::Roaming),
            (by("wlan0"), Some(NetworkCost::Metered), NetworkCost::Metered),
            (by("wlan0"), None, NetworkCost::Unrestricted),
            (Network::default(), Some(NetworkCost::Metered), NetworkCost::Metered),
        ] {
            let told = Told { cost: told, ..Told::default() };
            let facts = Facts { network: network.clone(), told, ..Facts::default() };
            assert_eq!(facts.conditions(&costs).cost, expected, "{network:?}");
        }
    }

    #[test]
    fn a_desktop_s_service_goes_before_the_kernel_and_waking_up_is_another_network() {
        let facts = |power, awakenings| Facts {
            network: Network::Up { interface: None, attachment: 7 },
            supplies: Power::Battery,
            told: Told { power, awakenings, ..Told::default() },
            volumes: None,
        };
        let conditions = |facts: Facts| facts.conditions(&InterfaceCosts::default());
        assert_eq!(conditions(facts(None, 0)).power, Power::Battery);
        assert_eq!(conditions(facts(Some(Power::Mains), 0)).power, Power::Mains);
        assert_ne!(conditions(facts(None, 0)).network, conditions(facts(None, 1)).network);
    }
}
