//! Settings: layers merged once, each value remembering where it came from.
//!
//! built in < `/etc/bits/config.toml` < `/etc/bits/config.d/*.toml` < the user's `config.toml` <
//! `BITS_*` variables < the command line. Nothing else reads a settings file or such a variable.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_api::settings::{Overruled, Setting, SettingList};
use bits_core::conditions::{InterfaceCosts, OnBattery, OwnerAway, Rules, TransferPolicy};
use bits_core::http_options::{ProxyEnvironment, ProxyUse};
use bits_core::notify::NotifyLimits;
use bits_core::pacing::gate::{Priorities, RateLimits};
use bits_core::pacing::rate::Rate;
use bits_core::pacing::timetable::Timetable;
use bits_core::pacing::{MinimumShare, Politeness, TargetDelay};
use bits_core::policy::Policy;
use bits_core::proxy::ProxyRules;
use bits_core::queue::Limits;
use bits_core::units::Bytes;
use bits_platform::paths::Paths;
use bits_worker::Http2;
use bits_worker::run::PartsSettings;
use toml::de::{DeTable, DeValue};

use crate::conditions::Regard;
use crate::log::Form;

pub(crate) use keys::{KEYS, Key, Kind, LIVE};

/// Bytes of one settings file; a longer one is a mistake.
const SETTINGS_FILE_BYTES_MAX: u64 = 1 << 20;

/// What a switch can be.
const ON: &str = "on";
const OFF: &str = "off";
/// Of a number: as the service thinks best.
const AUTO: &str = "auto";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    BuiltIn,
    File { path: PathBuf, line: usize },
    Variable(String),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::CommandLine => f.write_str("the command line"),
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("the settings file {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the settings file {} does not parse: {reason}", path.display())]
    Parse { path: PathBuf, reason: String },
    #[error("{origin}: there is no setting `{key}`{}", nearest.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    Unknown { origin: Origin, key: String, nearest: Option<&'static str> },
    #[error("{origin}: `{key}` is {value}, but must be {expected}")]
    Value { origin: Origin, key: &'static str, value: String, expected: &'static str },
    #[error("{origin}: `{key}`: {reason}")]
    Wrong { origin: Origin, key: &'static str, reason: String },
    #[error("`{0}` is not KEY=VALUE")]
    NotAPair(String),
}

/// A value in force, and what it overruled.
#[derive(Debug, Clone)]
struct Layered {
    value: Value,
    origin: Origin,
    overruled: Vec<(Value, Origin)>,
}

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(u64),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The settings in force.
#[derive(Debug)]
pub(crate) struct Settings(BTreeMap<&'static str, Layered>);

/// Where settings are read from, again and again.
#[derive(Debug)]
pub(crate) struct Layers {
    paths: Paths,
    variables: BTreeMap<String, OsString>,
    command_line: Vec<String>,
}

impl Layers {
    /// The variables are those of now.
    pub(crate) fn of(
        paths: &Paths,
        environment: &dyn Fn(&str) -> Option<OsString>,
        command_line: &[String],
    ) -> Self {
        let names = KEYS.iter().map(|key| variable(key.name));
        let variables = names.filter_map(|name| environment(&name).map(|value| (name, value))).collect();
        Self { paths: paths.clone(), variables, command_line: command_line.to_vec() }
    }

    /// # Errors
    /// As [`Settings::load`].
    pub(crate) fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.paths, &|name| self.variables.get(name).cloned(), &self.command_line)
    }
}

fn variable(key: &str) -> String {
    format!("BITS_{}", key.to_uppercase())
}

impl Settings {
    /// Merges all layers.
    ///
    /// # Errors
    /// The first thing that is wrong, naming where it stands; nothing is half applied.
    pub(crate) fn load(
        paths: &Paths,
        environment: &dyn Fn(&str) -> Option<OsString>,
        command_line: &[String],
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::built_in();
        settings.add_file(paths.system_settings())?;
        for path in files_in(paths.system_settings_folder())? {
            settings.add_file(&path)?;
        }
        settings.add_file(&paths.settings())?;
        for key in KEYS {
            let name = variable(key.name);
            if let Some(value) = environment(&name) {
                let value = value.to_string_lossy().into_owned();
                settings.set(key.name, Written::Text(value), Origin::Variable(name))?;
            }
        }
        for pair in command_line {
            let (key, value) = pair.split_once('=').ok_or_else(|| SettingsError::NotAPair(pair.clone()))?;
            settings.set(key.trim(), Written::Text(value.trim().to_owned()), Origin::CommandLine)?;
        }
        Ok(settings)
    }

    /// The settings as programs see them.
    pub(crate) fn listed(&self) -> SettingList {
        let settings = KEYS.iter().map(|key| {
            let layered = &self.0[key.name];
            Setting {
                key: key.name.to_owned(),
                value: layered.value.to_string(),
                origin: layered.origin.to_string(),
                meaning: key.meaning.to_owned(),
                overruled: layered
                    .overruled
                    .iter()
                    .rev()
                    .map(|(value, origin)| Overruled { value: value.to_string(), origin: origin.to_string() })
                    .collect(),
            }
        });
        SettingList { settings: settings.collect() }
    }

    /// How fast jobs may be, at any time of the week.
    pub(crate) fn rate_limits(&self) -> RateLimits {
        let rate = |key| limit(self.text(key)).expect("the limit was checked when it was set");
        let together = [
            (Priorities::ALL, rate("rate_limit")),
            (Priorities::FOREGROUND, rate("foreground_rate_limit")),
            (Priorities::BACKGROUND, rate("background_rate_limit")),
        ];
        let together = together.into_iter().filter_map(|(who, rate)| Some((who, rate?))).collect();
        RateLimits { together, owner: rate("owner_rate_limit") }
    }

    /// How fast they may be besides, by the time of the week.
    pub(crate) fn timetable(&self) -> Timetable {
        Timetable::parse(self.text("rate_schedule")).expect("the timetable was checked when it was set")
    }

    /// The keys of which the values differ.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let is_other = |key: &&Key| self.0[key.name].value != before.0[key.name].value;
        KEYS.iter().filter(is_other).map(|key| key.name).collect()
    }

    /// These settings, but with the values of `now` where a change holds without a restart.
    pub(crate) fn with_live_of(&self, now: &Self) -> Self {
        let from = |key: &'static str| if LIVE.contains(&key) { now } else { self };
        Self(KEYS.iter().map(|key| (key.name, from(key.name).0[key.name].clone())).collect())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            foreground_jobs_max: self.count("foreground_jobs_max"),
            background_jobs_max: self.count("background_jobs_max"),
            time_slice: self.seconds("time_slice"),
            policy: self.policy(),
            rules: self.rules(),
            notify: NotifyLimits {
                expiry: self.seconds("notify_expiry"),
                commands: self.is_on("notify_commands"),
                ..NotifyLimits::default()
            },
            connections_max: self.count("connections_max"),
            host_connections_max: self.count("host_connections_max"),
        }
    }

    /// What is allowed of everything.
    fn policy(&self) -> Policy {
        let most = |key| u32::try_from(self.number(key)).unwrap_or(u32::MAX);
        let days = self.number("job_inactivity_timeout");
        Policy {
            jobs_per_user_max: most("max_jobs_per_user"),
            jobs_per_machine_max: most("max_jobs_per_machine"),
            files_per_job_max: most("max_files_per_job"),
            ranges_per_file_max: most("max_ranges_per_file"),
            maximum_download_time: self.seconds("max_download_time"),
            job_inactivity_timeout: (days > 0).then(|| Duration::from_secs(days * 86_400)),
        }
    }

    /// Under which conditions jobs run.
    pub(crate) fn rules(&self) -> Rules {
        let policy =
            |key| TransferPolicy::named(self.text(key)).expect("the policy was checked when it was set");
        Rules {
            wait_for_network: self.is_on("wait_for_network"),
            transfer_policies: [
                policy("transfer_policy_foreground"),
                policy("transfer_policy_high"),
                policy("transfer_policy_normal"),
                policy("transfer_policy_low"),
            ],
            on_battery: OnBattery::named(self.text("on_battery")).expect("it was checked when it was set"),
            owner_away: match self.text("owner_away") {
                "wait" => OwnerAway::Wait,
                _ => OwnerAway::Run,
            },
            by_local_proxy: ProxyRules::new(
                &ProxyUse::Preconfigured,
                &ProxyEnvironment::default(),
                &self.proxies(),
            )
            .is_ok_and(|rules| rules.are_local()),
        }
    }

    /// What the conditions under which jobs run are seen by.
    pub(crate) fn regard(&self) -> Regard {
        Regard { costs: self.network_costs(), owner: self.rules().owner_away }
    }

    /// What networks cost, by interface.
    pub(crate) fn network_costs(&self) -> InterfaceCosts {
        InterfaceCosts::parse(self.text("network_cost")).expect("they were checked when they were set")
    }

    pub(crate) fn extra_ca(&self) -> Option<PathBuf> {
        Some(self.text("extra_ca")).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    pub(crate) fn crl(&self) -> Option<PathBuf> {
        Some(self.text("crl")).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    pub(crate) fn user_agent(&self) -> String {
        self.text("user_agent").to_owned()
    }

    /// The proxy of jobs for which nobody else names one.
    pub(crate) fn proxies(&self) -> ProxyEnvironment {
        let some = |key| Some(self.text(key).to_owned()).filter(|text| !text.trim().is_empty());
        ProxyEnvironment { all: some("proxy"), none_for: some("no_proxy"), ..ProxyEnvironment::default() }
    }

    pub(crate) fn seconds(&self, key: &'static str) -> Duration {
        Duration::from_secs(self.number(key))
    }

    pub(crate) fn log_level(&self) -> tracing::Level {
        self.text("log_level").parse().expect("the level was checked when it was set")
    }

    pub(crate) fn log_format(&self) -> Form {
        Form::named(self.text("log_format")).expect("the form was checked when it was set")
    }

    /// How background jobs behave towards others; `None`: like everybody else.
    pub(crate) fn politeness(&self) -> Option<Politeness> {
        let target = match &self.0["polite_target_delay"].value {
            Value::Number(millis) => TargetDelay::new(Duration::from_millis(*millis)),
            Value::Text(_) => None,
        };
        let share = u8::try_from(self.number("polite_minimum_share")).ok().and_then(MinimumShare::new);
        self.is_on("polite").then(|| Politeness {
            target,
            minimum_share: share.expect("the share was checked when it was set"),
            on_link: self.is_on("polite_on_link"),
        })
    }

    pub(crate) fn http2(&self) -> Http2 {
        match self.text("http2") {
            ON => Http2::On,
            OFF => Http2::Off,
            _ => Http2::Auto,
        }
    }

    fn is_on(&self, key: &'static str) -> bool {
        self.text(key) == ON
    }

    /// How far files come in parts.
    pub(crate) fn parts(&self) -> PartsSettings {
        let few = |key| u8::try_from(self.number(key)).expect("it was checked when it was set");
        PartsSettings {
            most: few("parts_max"),
            of_one_server: few("parts_per_server"),
            bytes_min: Bytes(self.number("parts_file_min") * 1024 * 1024),
        }
    }

    fn number(&self, key: &'static str) -> u64 {
        match &self.0[key].value {
            Value::Number(number) => *number,
            Value::Text(_) => unreachable!("`{key}` is a number in the table"),
        }
    }

    fn count(&self, key: &'static str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    fn text(&self, key: &'static str) -> &str {
        match &self.0[key].value {
            Value::Text(text) => text,
            Value::Number(_) => unreachable!("`{key}` is a text in the table"),
        }
    }

    fn built_in() -> Self {
        let layers = KEYS.iter().map(|key| {
            let value = match key.kind {
                Kind::Number { built_in, .. } => Value::Number(built_in),
                Kind::Path
                | Kind::Level
                | Kind::Form
                | Kind::Switch
                | Kind::SwitchOrAuto
                | Kind::Choice(_)
                | Kind::NetworkCosts
                | Kind::NumberOrAuto { .. }
                | Kind::Rate
                | Kind::Timetable => Value::Text(key.built_in_text().to_owned()),
                Kind::Text | Kind::AnyText => Value::Text(key.built_in_text().to_owned()),
            };
            (key.name, Layered { value, origin: Origin::BuiltIn, overruled: Vec::new() })
        });
        Self(layers.collect())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let Some(text) = read(path)? else { return Ok(()) };
        let table = DeTable::parse(&text)
            .map_err(|error| SettingsError::Parse { path: path.into(), reason: one_line(&error, &text) })?;
        let mut lines: Vec<_> = table.into_inner().into_iter().collect();
        // As they stand there, so that the first mistake is the first one in the file.
        lines.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in lines {
            let origin = Origin::File { path: path.into(), line: line_of(key.span().start, &text) };
            self.set(key.get_ref(), Written::of(value.into_inner()), origin)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, written: Written, origin: Origin) -> Result<(), SettingsError> {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(SettingsError::Unknown { origin, key: name.to_owned(), nearest: nearest(name) });
        };
        if let Err(reason) = key.look_at(&written) {
            return Err(SettingsError::Wrong { origin, key: key.name, reason });
        }
        let value = key.parse(&written).ok_or_else(|| SettingsError::Value {
            origin: origin.clone(),
            key: key.name,
            value: written.to_string(),
            expected: key.expected,
        })?;
        let layered = self.0.get_mut(key.name).expect("every key has its built-in value");
        let before = std::mem::replace(layered, Layered { value, origin, overruled: Vec::new() });
        layered.overruled = before.overruled;
        layered.overruled.push((before.value, before.origin));
        Ok(())
    }
}

/// A value as somebody wrote it.
#[derive(Debug)]
enum Written {
    Number(i64),
    Text(String),
    /// One that is beyond all that a setting can be.
    Huge(String),
    /// Something of a kind that no setting has.
    Other(&'static str),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Huge(digits) => f.write_str(digits),
            Self::Other(kind) => write!(f, "of the kind {kind}"),
        }
    }
}

impl Written {
    fn of(value: DeValue<'_>) -> Self {
        match value {
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Number(number),
                Err(_) => Self::Huge(number.to_string()),
            },
            DeValue::String(text) => Self::Text(text.into_owned()),
            DeValue::Float(_) => Self::Other("float"),
            DeValue::Boolean(_) => Self::Other("boolean"),
            DeValue::Datetime(_) => Self::Other("datetime"),
            DeValue::Array(_) => Self::Other("array"),
            DeValue::Table(_) => Self::Other("table"),
        }
    }
}

impl Key {
    /// What is wrong with a value that has a language of its own.
    fn look_at(&self, written: &Written) -> Result<(), String> {
        match (self.kind, written) {
            (Kind::Rate, Written::Number(number)) => limit(&number.to_string()).map(drop),
            (Kind::Rate, Written::Text(text) | Written::Huge(text)) => limit(text).map(drop),
            (Kind::Timetable, Written::Text(text)) => {
                Timetable::parse(text).map(drop).map_err(|error| error.to_string())
            }
            (Kind::NetworkCosts, Written::Text(text)) => InterfaceCosts::parse(text)
                .map(drop)
                .map_err(|error| format!("{error}; it must be {}", self.expected)),
            _ => Ok(()),
        }
    }

    fn parse(&self, written: &Written) -> Option<Value> {
        match (&self.kind, written) {
            (Kind::Number { least, most, .. }, written) => {
                number(written).filter(|number| (*least..=*most).contains(number)).map(Value::Number)
            }
            (Kind::NumberOrAuto { .. }, Written::Text(text)) if text == AUTO => {
                Some(Value::Text(text.clone()))
            }
            (Kind::NumberOrAuto { least, most }, written) => {
                number(written).filter(|number| (*least..=*most).contains(number)).map(Value::Number)
            }
            (Kind::Switch, Written::Text(text)) => {
                [ON, OFF].contains(&text.as_str()).then(|| Value::Text(text.clone()))
            }
            (Kind::SwitchOrAuto, Written::Text(text)) => {
                [ON, OFF, AUTO].contains(&text.as_str()).then(|| Value::Text(text.clone()))
            }
            (Kind::Choice(words), Written::Text(text)) => {
                words.contains(&text.as_str()).then(|| Value::Text(text.clone()))
            }
            (Kind::Path, Written::Text(text)) => {
                (text.is_empty() || text.starts_with('/')).then(|| Value::Text(text.clone()))
            }
            (Kind::Text, Written::Text(text)) => {
                let printable = !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
                printable.then(|| Value::Text(text.clone()))
            }
            (Kind::AnyText, Written::Text(text)) => {
                text.chars().all(|c| c == ' ' || c.is_ascii_graphic()).then(|| Value::Text(text.clone()))
            }
            (Kind::Rate, Written::Text(text)) => Some(Value::Text(rate(text.clone()))),
            (Kind::Rate, Written::Number(number)) => Some(Value::Text(rate(number.to_string()))),
            (Kind::Timetable | Kind::NetworkCosts, Written::Text(text)) => Some(Value::Text(text.clone())),
            (Kind::Form, Written::Text(text)) => Form::named(text).map(|_| Value::Text(text.clone())),
            (Kind::Level, Written::Text(text)) => {
                let known = ["error", "warn", "info", "debug"].contains(&text.as_str());
                known.then(|| Value::Text(text.clone()))
            }
            (
                Kind::Path
                | Kind::Text
                | Kind::AnyText
                | Kind::Level
                | Kind::Form
                | Kind::Switch
                | Kind::SwitchOrAuto
                | Kind::Choice(_)
                | Kind::NetworkCosts
                | Kind::Rate
                | Kind::Timetable,
                _,
            ) => None,
        }
    }
}

fn limit(text: &str) -> Result<Option<Rate>, String> {
    Rate::parse_limit(text).map_err(|error| error.to_string())
}

/// A rate that was checked, as it is shown: no limit has one name.
fn rate(text: String) -> String {
    if matches!(limit(&text), Ok(None)) { "none".to_owned() } else { text }
}

fn number(written: &Written) -> Option<u64> {
    match written {
        Written::Number(number) => u64::try_from(*number).ok(),
        Written::Text(text) => text.parse().ok(),
        Written::Huge(_) | Written::Other(_) => None,
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    /// Below this likeness a suggestion would only puzzle.
    const LIKENESS_MIN: f64 = 0.6;
    KEYS.iter()
        .map(|key| (strsim::jaro_winkler(key.name, name), key.name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The file's text; none when there is no such file.
fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    let failed = |source| SettingsError::Read { path: path.into(), source };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if metadata.len() > SETTINGS_FILE_BYTES_MAX => {
            return Err(failed(io::Error::other("it is longer than 1 MiB")));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(failed)
}

/// The `.toml` files of a folder in the order of their names.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let failed = |source| SettingsError::Read { path: folder.into(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The line, from 1, that the byte `at` of `text` is in.
fn line_of(at: usize, text: &str) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn one_line(error: &toml::de::Error, text: &str) -> String {
    match error.span().map(|span| line_of(span.start, text)) {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}
