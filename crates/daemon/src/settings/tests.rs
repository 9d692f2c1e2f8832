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

/// The settings where `key` is `value`, as a text in a file, as a variable, and on the command line.
fn by_each_way(key: &str, value: &str) -> [Result<Settings, SettingsError>; 3] {
    let mut by_variable = World::new();
    by_variable.variables.insert(variable(key), value.into());
    let in_file = World::new().with_file(&format!("{key} = '''{value}'''"));
    [in_file.load(&[]), by_variable.load(&[]), World::new().load(&[&format!("{key}={value}")])]
}

/// By no way can `key` be `value`, and each names the setting and says all of `expected`.
#[track_caller]
fn check_refused(key: &str, value: &str, expected: &[&str]) {
    let ways = ["config.toml, line 1: ", "the variable BITS_", "the command line: "];
    for (way, settings) in ways.into_iter().zip(by_each_way(key, value)) {
        let error = settings.expect_err(&format!("{key} = {value} by {way}")).to_string();
        let named = format!("`{key}`");
        for expected in expected.iter().chain([&way, &named.as_str()]) {
            assert!(error.contains(expected), "{key} = {value}: {error}, without {expected}");
        }
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

#[test]
fn a_number_beyond_its_bounds_is_refused_by_every_way_in_and_the_bounds_are_told() {
    for key in KEYS {
        let (least, most) = match key.kind {
            Kind::Number { least, most, .. } | Kind::NumberOrAuto { least, most } => (least, most),
            _ => continue,
        };
        let (below, beyond) = (least.checked_sub(1).map(|below| below.to_string()), (most + 1).to_string());
        let others =
            ["-1", "18446744073709551615", "18446744073709551616", "1.5", "1e3", "0x20", "2M", "many", ""];
        for wrong in below.iter().map(String::as_str).chain([beyond.as_str()]).chain(others) {
            check_refused(key.name, wrong, &["but must be", key.expected]);
        }
        for bound in [least, most] {
            assert!(key.expected.contains(&bound.to_string()), "{}: {}", key.name, key.expected);
            for settings in by_each_way(key.name, &bound.to_string()) {
                assert_eq!(settings.expect(key.name).number(key.name), bound);
            }
        }
    }
}

#[test]
fn a_rate_that_makes_no_sense_is_refused_by_every_way_in_and_nothing_is_no_limit() {
    for key in KEYS.iter().filter(|key| key.kind == Kind::Rate).map(|key| key.name) {
        for (value, expected) in [
            ("1", "`1` is less than 250 bytes per second"),
            ("249", "write none for no limit"),
            ("0k", "write none for no limit"),
            ("-1", "`-1` is no rate; write bytes per second such as 500k or 2M"),
            ("1099511627777", "`1099511627777` is more than 1T"),
            ("18446744073709551615", "is more than 1T, which no link carries; write none for no limit"),
            ("18446744073709551616", "is more than 1T"),
            ("99999999999999999999.999999T", "is more than 1T"),
            ("2 MB/s", "is no rate; write"),
            ("none at all", "is no rate; write"),
            ("", "`` is no rate; write"),
        ] {
            check_refused(key, value, &[expected]);
        }
        for (value, expected) in [
            ("0", "none"),
            ("none", "none"),
            ("250", "250"),
            ("1.5M", "1.5M"),
            ("8mbit", "8mbit"),
            ("1T", "1T"),
        ] {
            for settings in by_each_way(key, value) {
                assert_eq!(explained(&settings.expect(key), key).0, expected);
            }
        }
        // In a file it need not be a text.
        for (value, expected) in [
            ("249", "is less than 250"),
            ("-9223372036854775808", "is no rate"),
            ("9223372036854775807", "is more than 1T"),
            ("9223372036854775808", "is more than 1T"),
            ("0xFFFFFFFFFFFFFFFFFF", "is no rate"),
            ("2.5", "is of the kind float, but must be bytes per second such as 500k or 2M"),
            ("['1M']", "is of the kind array, but must be bytes per second"),
        ] {
            let error = World::new().with_file(&format!("{key} = {value}")).load(&[]).expect_err(value);
            let error = error.to_string();
            assert!(error.contains(&format!("`{key}`")) && error.contains(expected), "{value}: {error}");
        }
        for (value, expected) in [("0", "none"), ("250", "250"), ("1_000_000", "1000000"), ("0x400", "1024")]
        {
            let settings = World::new().with_file(&format!("{key} = {value}")).load(&[]).expect(value);
            assert_eq!(explained(&settings, key).0, expected);
        }
    }
    let limits =
        World::new().load(&["rate_limit=0", "owner_rate_limit=none"]).expect("settings").rate_limits();
    assert_eq!(limits, RateLimits::default());
}

#[test]
fn a_timetable_that_cannot_be_kept_to_is_refused_by_every_way_in_with_its_line_and_an_empty_one_is_none() {
    for (value, expected) in [
        (
            "mon-fri 08:00-18:00 1M; mon 09:00-10:00 stop",
            "line 2: it is for a time and for jobs that line 1 is for already",
        ),
        ("daily 08:00-08:00 1M", "line 1: `08:00-08:00` is empty; all of a day is 00:00-24:00"),
        (
            "daily 08:00-18:00 0",
            "line 1: 0 can be taken for both: write stop for nothing, or none for no limit",
        ),
        ("daily 08:00-18:00 -1", "line 1: `-1` is no rate"),
        ("daily 08:00-18:00 18446744073709551615", "line 1: `18446744073709551615` is more than 1T"),
        ("always 1M", "line 1: `always` is no day; there are mon,"),
        ("1M", "line 1: `1m` is no day"),
    ] {
        check_refused("rate_schedule", value, &[expected]);
    }
    for value in ["", "  ;  ; # nothing"] {
        for settings in by_each_way("rate_schedule", value) {
            assert!(settings.expect(value).timetable().is_empty(), "{value}");
        }
    }
    for (value, kind) in [("5", "5"), ("true", "of the kind boolean"), ("[]", "of the kind array")] {
        let error = World::new().with_file(&format!("rate_schedule = {value}")).load(&[]).expect_err(value);
        let expected = format!("`rate_schedule` is {kind}, but must be a timetable of lines such as");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn costs_of_what_can_be_no_interface_are_refused_by_every_way_in_and_one_that_is_not_there_is_none() {
    let most = "e".repeat(16);
    for (value, expected) in [
        ("eth0", "`eth0` is not INTERFACE=COST"),
        ("eth0=cheap", "`cheap` is no cost"),
        ("eth0=metered,wlan0=metered", "`metered,wlan0=metered` is no cost"),
        ("=metered", "`` cannot be the name of an interface"),
        ("wl*n0=metered", "`wl*n0` cannot be the name of an interface"),
        ("eth0=metered eth0=billed", "`eth0` is named twice"),
        (&format!("{most}=metered"), "cannot be the name of an interface"),
    ] {
        check_refused("network_cost", value, &[expected, "it must be pairs INTERFACE=COST", "near-cap"]);
    }
    // It may come; the doctor says that it is not there.
    for settings in by_each_way("network_cost", "none-such0=metered") {
        assert!(settings.expect("settings").network_costs().of("none-such0").is_some());
    }
}
