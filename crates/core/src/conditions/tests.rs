//! Which conditions hold back whom: tables.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

/// The conditions that these words name; what is not named is as it is without them.
fn conditions(words: &str) -> Conditions {
    let mut conditions = Conditions::default();
    for word in words.split_whitespace() {
        match word {
            "no-link" => conditions.network = Network::Down(Missing::Link),
            "no-route" => conditions.network = Network::Down(Missing::Route),
            "battery" => conditions.power = Power::Battery,
            "away" => conditions.owner = Attendance::Away,
            cost => conditions.cost = NetworkCost::named(cost).expect("a cost"),
        }
    }
    conditions
}

/// The rules that these words name.
fn rules(words: &str) -> Rules {
    let mut rules = Rules::default();
    for word in words.split_whitespace() {
        match word {
            "wait-on-battery" => rules.on_battery = OnBattery::Wait,
            "foreground-on-battery" => rules.on_battery = OnBattery::ForegroundOnly,
            "wait-for-owner" => rules.owner_away = OwnerAway::Wait,
            "local-proxy" => rules.by_local_proxy = true,
            "try-anyway" => rules.wait_for_network = false,
            policy => rules.transfer_policies = [TransferPolicy::named(policy).expect("a policy"); 4],
        }
    }
    rules
}

/// The job that these words name.
fn needs(words: &str) -> Needs {
    let mut needs = Needs {
        priority: Priority::Normal,
        is_local: false,
        way: Way::Network,
        cost: None,
        lacks_volume: false,
    };
    for word in words.split_whitespace() {
        match (word, Priority::named(word)) {
            (_, Some(priority)) => needs.priority = priority,
            ("local", None) => needs.is_local = true,
            ("local-proxy", None) => needs.way = Way::LocalProxy,
            ("proxy-of-settings", None) => needs.way = Way::OfSettings,
            ("no-volume", None) => needs.lacks_volume = true,
            (policy, None) => {
                needs.cost = TransferPolicy::named(policy).map(|policy| policy.flags().states());
                assert!(needs.cost.is_some(), "{policy} is no policy");
            }
        }
    }
    needs
}

fn shown(hold: Option<Hold>) -> String {
    match hold {
        None => "runs".to_owned(),
        Some(Hold::Network(missing)) => "network: no ".to_owned() + missing.name(),
        Some(Hold::Cost { is, allowed, is_own }) => {
            let whose = if is_own { "job" } else { "settings" };
            ["cost: ", is.name(), ", ", &allowed.to_string(), " by the ", whose].concat()
        }
        Some(Hold::Power) => "power".to_owned(),
        Some(Hold::OwnerAway) => "owner away".to_owned(),
        Some(Hold::Volume) => "volume".to_owned(),
    }
}

#[test]
fn conditions_hold_back_whom_they_are_to() {
    for (rule, is, job, expected) in [
        ("", "", "low", "runs"),
        ("", "no-link", "low", "network: no link"),
        ("", "no-route", "foreground", "network: no route"),
        ("", "no-route", "foreground local", "runs"),
        ("try-anyway", "no-route", "low", "runs"),
        ("", "no-link", "low local-proxy", "runs"),
        ("", "metered", "low local-proxy", "cost: metered, unrestricted by the settings"),
        ("", "no-link", "low proxy-of-settings", "network: no link"),
        ("local-proxy", "no-link", "low proxy-of-settings", "runs"),
        ("local-proxy", "no-link", "low", "network: no link"),
        ("", "metered", "normal", "cost: metered, unrestricted by the settings"),
        ("", "metered", "foreground", "runs"),
        ("", "metered", "normal local", "runs"),
        ("", "metered", "normal standard", "runs"),
        ("", "metered", "foreground unrestricted", "cost: metered, unrestricted by the job"),
        ("", "roaming", "foreground", "runs"),
        ("", "over-cap-throttled", "low", "runs"),
        ("standard", "near-cap", "foreground", "cost: near-cap, standard by the settings"),
        ("standard", "near-cap", "low always", "runs"),
        ("", "battery away", "low", "runs"),
        ("foreground-on-battery", "battery", "high", "power"),
        ("foreground-on-battery", "battery", "foreground", "runs"),
        ("wait-on-battery", "battery", "foreground local", "power"),
        ("wait-on-battery", "", "low", "runs"),
        ("wait-for-owner", "away", "foreground local", "owner away"),
        ("wait-for-owner", "", "low", "runs"),
        ("", "", "foreground local no-volume", "volume"),
        // The first thing that would have to change is named.
        ("wait-on-battery wait-for-owner", "no-link metered battery away", "low", "network: no link"),
        ("wait-on-battery wait-for-owner", "battery away", "low", "power"),
        ("wait-for-owner", "away", "low no-volume", "owner away"),
    ] {
        let hold = rules(rule).hold(needs(job), &conditions(is));
        assert_eq!(shown(hold), expected, "rules `{rule}`, conditions `{is}`, job `{job}`");
    }
}

#[test]
fn a_policy_allows_the_states_that_the_reference_names() {
    // By columns: unrestricted, metered, below, near, over and charged, over and slow, billed, roaming.
    for (policy, flags, expected) in [
        ("always", 0x8000_00FF, "++++++++"),
        ("NOT_ROAMING", 0x8000_007F, "+++++++-"),
        ("no-surcharge", 0x8000_006F, "++++-++-"),
        ("Standard", 0x8000_0067, "+++--++-"),
        ("unrestricted", 0x8000_0021, "+----+--"),
    ] {
        let policy = TransferPolicy::named(policy).expect("a policy");
        assert_eq!(policy.flags().bits(), flags);
        assert_eq!(CostFlags::new(flags), Ok(policy.flags()));
        assert_eq!(policy.flags().policy(), Some(policy));
        let states = policy.flags().states();
        let allowed = NetworkCost::ALL.map(|cost| if cost.is_among(states) { '+' } else { '-' });
        assert_eq!(allowed.iter().collect::<String>(), expected);
    }
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    assert_eq!(CostFlags::new(0), Err(CostFlagsError::NoState));
    assert_eq!(CostFlags::new(0x8000_0000), Err(CostFlagsError::NoState));
    assert_eq!(CostFlags::new(0x4000_0001), Err(CostFlagsError::UnknownBit(0x4000_0000)));
    assert_eq!(CostFlags::new(0x101), Err(CostFlagsError::UnknownBit(0x100)));
    assert_eq!(CostFlags::new(3).map(|flags| flags.to_string()), Ok("0x3".to_owned()));
    assert_eq!(TransferPolicy::named("sometimes"), None);
}

#[test]
fn interfaces_are_known_by_the_first_pattern_that_fits() {
    let costs = InterfaceCosts::parse("eth0=metered  wwan*=roaming *=unrestricted").expect("costs");
    for (interface, expected) in [
        ("eth0", NetworkCost::Metered),
        ("eth01", NetworkCost::Unrestricted),
        ("wwan0", NetworkCost::Roaming),
        ("wwan", NetworkCost::Roaming),
    ] {
        assert_eq!(costs.of(interface), Some(expected), "{interface}");
    }
    assert_eq!(InterfaceCosts::parse("").map(|costs| costs.of("eth0")), Ok(None));
    let costs = InterfaceCosts::parse("eth0=metered wlan*=billed").expect("costs");
    let there = ["eth1".to_owned(), "wlan0".to_owned()];
    assert_eq!(costs.unmatched(&there).collect::<Vec<_>>(), ["eth0"]);
}

#[test]
fn what_is_no_list_of_costs_is_named() {
    let many = (0..65).map(|n| alloc::format!("e{n}=metered ")).collect::<String>();
    for (text, expected) in [
        ("eth0", "`eth0` is not INTERFACE=COST"),
        ("eth0=cheap", "`cheap` is no cost"),
        ("eth0=", "`` is no cost"),
        ("=metered", "`` cannot be the name of an interface"),
        ("a/b=metered", "`a/b` cannot be the name of an interface"),
        ("..=metered", "`..` cannot be the name of an interface"),
        ("w*n=metered", "`w*n` cannot be the name of an interface"),
        ("an_interface_0001=metered", "`an_interface_0001` cannot be the name of an interface"),
        ("eth0=metered eth0=billed", "`eth0` is named twice"),
        (&many, "there are more than 64 interfaces"),
    ] {
        let error = InterfaceCosts::parse(text).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}
