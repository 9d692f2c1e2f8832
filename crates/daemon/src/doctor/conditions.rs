//! Whether the service can see the conditions under which jobs run: the network, and what settings say
//! of interfaces.

use bits_api::finding::Finding;
use bits_core::conditions::{InterfaceCosts, Network};
use bits_platform::network::{self, NetworkWatch};

use crate::settings::Settings;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let rules = settings.rules();
    let seen = NetworkWatch::open().and_then(|_| network::look());
    let network = match seen {
        Ok(Network::Up { interface, .. }) => {
            let interface = interface.unwrap_or_else(|| "an interface".to_owned());
            Finding::ok("network", format!("there is a network, by {interface}"))
        }
        Ok(Network::Down(missing)) if rules.wait_for_network => Finding::warning(
            "network",
            format!(
                "there is no network (no {}): jobs wait for it, but those for files of this machine",
                missing.name()
            ),
            "connect the machine; where hosts can be reached all the same, set `wait_for_network` to off",
        ),
        Ok(Network::Down(missing)) => Finding::ok(
            "network",
            format!("there is no network (no {}), and jobs try all the same", missing.name()),
        ),
        Err(error) => Finding::warning(
            "network",
            format!("changes of the network cannot be seen ({error}): jobs try also without one"),
            "let the service use sockets of the family AF_NETLINK",
        ),
    };
    let mut findings = vec![network];
    findings.extend(costs(&settings.network_costs(), &network::interfaces().unwrap_or_default()));
    findings
}

fn costs(costs: &InterfaceCosts, interfaces: &[String]) -> Option<Finding> {
    if *costs == InterfaceCosts::default() {
        return None;
    }
    let unknown: Vec<&str> = costs.unmatched(interfaces).collect();
    Some(if unknown.is_empty() {
        Finding::ok("network_cost", "every interface that the setting names is there")
    } else {
        Finding::warning(
            "network_cost",
            format!(
                "there is no interface {} just now; there are {}",
                unknown.join(", "),
                interfaces.join(", ")
            ),
            "correct the setting `network_cost`, unless that interface comes and goes",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_that_are_not_there_are_named() {
        let there = ["eth0".to_owned(), "lo".to_owned()];
        let of = |text: &str| costs(&InterfaceCosts::parse(text).expect("costs"), &there);
        assert_eq!(of(""), None);
        assert_eq!(
            of("eth*=metered"),
            Some(Finding::ok("network_cost", "every interface that the setting names is there"))
        );
        let finding = of("eth1=metered wwan*=roaming").expect("a finding");
        assert_eq!(finding.finding, "there is no interface eth1, wwan* just now; there are eth0, lo");
    }
}
