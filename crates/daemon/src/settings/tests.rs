//! Layers of settings, where each value came from, and what is refused.

use super::*;

struct World {
    home: tempfile::TempDir,
    variables: BTreeMap<String, OsString>,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let path = |name: &str| home.path().join(name).into_os_string();
        let variables = [("HOME", "."), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")];
        let variables = variables.map(|(name, place)| (name.to_owned(), path(place))).into();
        Self { home, variables }
    }

    fn with_file(self, text: &str) -> Self {
        let folder = self.home.path().join("config/bits");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("config.toml"), text).expect("a file");
        self
    }

    fn load(&self, command_line: &[&str]) -> Result<Settings, SettingsError> {
        let environment = |name: &str| self.variables.get(name).cloned();
        let paths = Paths::of_user(&environment).expect("paths");
        let command_line: Vec<String> = command_line.iter().map(|&pair| pair.to_owned()).collect();
        Settings::load(&paths, &environment, &command_line)
    }
}

fn explained(settings: &Settings, key: &str) -> (String, String, usize) {
    let list = settings.listed().settings;
    let setting = list.into_iter().find(|setting| setting.key == key).expect("the key");
    (setting.value, setting.origin, setting.overruled.len())
}

#[test]
fn a_later_layer_overrules_an_earlier_one_and_remembers_it() {
    let mut world = World::new().with_file("connect_timeout = 10\nlog_level = \"debug\"\n");
    world.variables.insert("BITS_CONNECT_TIMEOUT".to_owned(), "20".into());
    let settings = world.load(&["connect_timeout=40"]).expect("settings");
    assert_eq!(settings.seconds("connect_timeout"), Duration::from_secs(40));
    assert_eq!(explained(&settings, "connect_timeout"), ("40".to_owned(), "the command line".to_owned(), 3));
    let (value, origin, overruled) = explained(&settings, "log_level");
    assert_eq!((value.as_str(), overruled), ("debug", 1));
    assert!(origin.ends_with("config/bits/config.toml, line 2"), "{origin}");
    assert_eq!(explained(&settings, "idle_exit"), ("300".to_owned(), "built in".to_owned(), 0));
}

#[test]
fn what_is_wrong_is_named_with_where_it_stands() {
    for (text, expected) in [
        ("connect_timout = 3", "there is no setting `connect_timout`; did you mean `connect_timeout`?"),
        ("zzz = 3", "there is no setting `zzz`"),
        ("connect_timeout = 0", "`connect_timeout` is 0, but must be a number of seconds from 1 to 604800"),
        ("connect_timeout = true", "is of the kind boolean, but must be"),
        ("log_level = \"loud\"", "`log_level` is `loud`, but must be error, warn, info or debug"),
        ("extra_ca = \"ca.pem\"", "must be an absolute path of a PEM file, or empty"),
        ("log_level = \"info\"\nconnect_timeout = \n", "does not parse: line 2"),
        ("\n# ü\nlog_level = \"info\"\nzzz = 3", "config.toml, line 4: there is no setting `zzz`"),
        ("log_level = \"info\"\nlog_level = \"warn\"", "line 2: duplicate key"),
        // The first of several.
        ("time_slice = -1\nconnect_timeout = 0", "config.toml, line 1: `time_slice` is -1, but must be"),
        (
            "\nconnect_timeout = 99999999999999999999",
            "config.toml, line 2: `connect_timeout` is 99999999999999999999, but must be a number of seconds",
        ),
        ("rate_limit = 99999999999999999999", "config.toml, line 1: `rate_limit`: "),
        ("[rate_limit]\nx = 1", "config.toml, line 1: `rate_limit` is of the kind table, but must be"),
    ] {
        let error = World::new().with_file(text).load(&[]).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.contains("config.toml"), "{text}: {error}");
    }
}

#[test]
fn no_settings_file_is_no_mistake() {
    assert!(World::new().load(&[]).is_ok());
    assert!(matches!(World::new().load(&["x"]), Err(SettingsError::NotAPair(_))));
}

#[test]
fn every_setting_has_a_built_in_value_that_it_would_accept() {
    let built_in = Settings::built_in();
    for key in KEYS {
        let value = &built_in.0[key.name].value;
        assert_eq!(key.parse(&Written::Text(value.to_string())).as_ref(), Some(value), "{}", key.name);
    }
}

#[test]
fn politeness_can_be_switched_off_and_set_within_what_works() {
    let politeness = |pairs: &[&str]| World::new().load(pairs).expect("settings").politeness();
    assert_eq!(politeness(&[]), Some(Politeness::default()));
    assert_eq!(politeness(&["polite=off"]), None);
    let set = politeness(&["polite_target_delay=15", "polite_minimum_share=10", "polite_on_link=on"]);
    let expected = Politeness {
        target: TargetDelay::new(Duration::from_millis(15)),
        minimum_share: MinimumShare::new(10).expect("a share"),
        on_link: true,
    };
    assert_eq!(set, Some(expected));
    assert_eq!(politeness(&["polite_target_delay=auto"]), Some(Politeness::default()));
    for wrong in [
        "polite=yes",
        "polite_on_link=",
        "polite_target_delay=1",
        "polite_target_delay=101",
        "polite_target_delay=4ms",
        "polite_minimum_share=51",
        "polite_minimum_share=-1",
    ] {
        assert!(World::new().load(&[wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn conditions_are_set_by_words_and_absurd_ones_are_refused() {
    let rules = |pairs: &[&str]| World::new().load(pairs).expect("settings").rules();
    assert_eq!(rules(&[]), Rules::default());
    let set = rules(&[
        "wait_for_network=off",
        "transfer_policy_foreground=not-roaming",
        "transfer_policy_low=standard",
        "on_battery=foreground-only",
        "owner_away=wait",
    ]);
    let expected = Rules {
        wait_for_network: false,
        transfer_policies: [
            TransferPolicy::NotRoaming,
            TransferPolicy::Unrestricted,
            TransferPolicy::Unrestricted,
            TransferPolicy::Standard,
        ],
        on_battery: OnBattery::ForegroundOnly,
        owner_away: OwnerAway::Wait,
        by_local_proxy: false,
    };
    assert_eq!(set, expected);
    let costs =
        World::new().load(&["network_cost=eth0=metered wlan*=roaming"]).expect("settings").network_costs();
    assert_eq!(costs.of("eth0"), Some(bits_core::conditions::NetworkCost::Metered));
    for (wrong, expected) in [
        ("network_cost=eth0", "pairs INTERFACE=COST"),
        ("network_cost=eth0=cheap", "the costs are unrestricted, metered"),
        ("network_cost=a/b=metered", "pairs INTERFACE=COST"),
        ("network_cost=eth0=metered eth0=billed", "pairs INTERFACE=COST"),
        ("on_battery=sometimes", "run, foreground-only or wait"),
        ("owner_away=stay", "run or wait"),
        ("transfer_policy_low=never", "always, not-roaming, no-surcharge, standard or unrestricted"),
        ("wait_for_network=5", "on or off"),
    ] {
        let error = World::new().load(&[wrong]).expect_err(wrong).to_string();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
}
