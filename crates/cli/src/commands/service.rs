//! `bits service`: the service itself.

mod doctor;
mod export;
mod import;
mod queue_document;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bits_client::api::about::{About, Conditions, Key};
use bits_client::{Error, Unreachable, service_program};
use bits_platform::paths::Paths;
use bits_platform::process::is_running;
use bits_platform::service::{self, ServiceEntry, Starter};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Context;
use crate::arguments::{Install, Service};
use crate::exit::Failure;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(service: Service, context: &Context<'_>) -> Result<(), Failure> {
    match service {
        Service::Run => run_here(),
        Service::Start => start(context).await,
        Service::Stop => stop(context).await.map(drop),
        Service::Restart => {
            check_settings()?;
            stop(context).await?;
            start(context).await
        }
        Service::Reload => reload(context).await,
        Service::Status => status(context).await,
        Service::RotateKey => rotate_key(context).await,
        Service::Export { file } => export::run(&file, context).await,
        Service::Import(import) => import::run(import, context).await,
        Service::Doctor { deep } => doctor::run(deep, context).await,
        Service::Metrics => metrics(context).await,
        Service::Install(which) => install(&which, context.output),
        Service::Uninstall => uninstall(context.output),
    }
}

/// Becomes the service.
fn run_here() -> Result<(), Failure> {
    let program = service_program().map_err(Error::from)?;
    let error = Command::new(&program).exec();
    Err(Failure::System(format!("{} cannot be run: {error}", program.display())))
}

/// Has the service's program look at the settings: one that runs is not stopped for one that
/// cannot start.
fn check_settings() -> Result<(), Failure> {
    let program = service_program().map_err(Error::from)?;
    let checked = Command::new(&program).arg("--check").output();
    let checked =
        checked.map_err(|error| Failure::System(format!("{} cannot be run: {error}", program.display())))?;
    if checked.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&checked.stderr);
    let said = said.trim().trim_start_matches("bitsd: ");
    Err(Failure::System(format!("{said}; the running service was left as it is")))
}

async fn reload(context: &Context<'_>) -> Result<(), Failure> {
    let reloaded = context.session().await?.client.reload_settings().await?;
    if context.output.is_json() {
        return context.output.result_json(&reloaded);
    }
    let sentence = match &reloaded.changed[..] {
        [] => "no setting that can change without a restart has changed".to_owned(),
        keys => format!("now in force: {}", keys.join(", ")),
    };
    context.output.say(&sentence);
    if !reloaded.need_restart.is_empty() {
        let keys = reloaded.need_restart.join(", ");
        context.output.warn(&format!("changed too, but in force only after `bits service restart`: {keys}"));
    }
    Ok(())
}

async fn start(context: &Context<'_>) -> Result<(), Failure> {
    let session = context.session().await?;
    context.output.say(&format!("the service runs as process {}", session.about.pid));
    Ok(())
}

/// How long a service may take to leave: it lets the disk catch up first.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at its process.
const PAUSE: Duration = Duration::from_millis(20);

/// Stops the service and waits until it is gone.
async fn stop(context: &Context<'_>) -> Result<(), Failure> {
    let Session { client, about } = match running(context).await? {
        Some(session) => session,
        None => {
            context.output.say("the service does not run");
            return Ok(());
        }
    };
    client.stop().await?;
    let deadline = Instant::now() + STOP_PATIENCE;
    while is_running(about.pid) {
        if Instant::now() > deadline {
            let seconds = STOP_PATIENCE.as_secs();
            return Err(Failure::System(format!(
                "the service was asked to stop and is still there after {seconds} s, as process {}",
                about.pid
            )));
        }
        sleep(PAUSE).await;
    }
    context.output.say("the service has stopped; transfers go on when it is started again");
    Ok(())
}

async fn status(context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    match running(context).await? {
        Some(Session { about, .. }) if output.is_json() => output.result_json(&as_json(&about)),
        Some(Session { about, .. }) => in_words(&about).iter().try_for_each(|line| output.result(line)),
        None => {
            if output.is_json() {
                output.result_json(&json!({ "running": false }))?;
            } else {
                output
                    .result("The service does not run. `bits service start` starts it; so does any job.")?;
            }
            Err(Failure::NotRunning)
        }
    }
}

async fn rotate_key(context: &Context<'_>) -> Result<(), Failure> {
    let key = context.session().await?.client.rotate_key().await?;
    if context.output.is_json() {
        return context.output.result_json(&key);
    }
    let id = key.id.as_deref().unwrap_or("without a name");
    context.output.say(&format!("a new key seals stored credentials from now on: {id}"));
    Ok(())
}

/// The numbers are those of a run: no service is started for them.
async fn metrics(context: &Context<'_>) -> Result<(), Failure> {
    if context.output.is_json() {
        let sentence = "the numbers are text in the format of OpenMetrics and have no JSON; leave --json out";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let text = context.running_session().await?.client.metrics().await?;
    context.output.result_bytes(text.as_bytes())
}

/// The service, when it runs. It is not started.
async fn running(context: &Context<'_>) -> Result<Option<Session>, Failure> {
    match context.running_session().await {
        Ok(session) => Ok(Some(session)),
        Err(Failure::Client(Error::Unreachable(Unreachable::NotRunning { .. }))) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn as_json(about: &About) -> Value {
    let mut value = serde_json::to_value(about).expect("it is a plain structure");
    value["running"] = Value::Bool(true);
    value
}

fn in_words(about: &About) -> Vec<String> {
    let jobs: Vec<String> =
        about.jobs.iter().map(|(state, count)| format!("{count} {}", state.replace('_', " "))).collect();
    let key = match &about.key {
        None => about.key_source.clone(),
        Some(Key { id, problem: None, .. }) => {
            format!("{} (id {})", about.key_source, id.as_deref().unwrap_or("unknown"))
        }
        Some(Key { problem: Some(problem), .. }) => format!("MISSING: {problem}"),
    };
    let jobs = if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") };
    [
        ("state", format!("running as process {}", about.pid)),
        ("version", about.version.clone()),
        ("started", about.started.clone()),
        ("socket", about.socket.clone()),
        ("state folder", about.state_folder.clone()),
        ("log", about.log.clone()),
        ("key", key),
        ("conditions", about.conditions.as_ref().map_or_else(|| "unknown".to_owned(), conditions)),
        ("jobs", jobs),
    ]
    .map(|(name, value)| format!("{:<14}{value}", format!("{name}:")))
    .into()
}

/// `network up by eth0, unrestricted; mains power`.
fn conditions(conditions: &Conditions) -> String {
    let Conditions { network, interface, cost, power, owner } = conditions;
    let network = match (network.as_str(), interface) {
        ("up", Some(interface)) => format!("network up by {interface}, {cost}"),
        ("up", None) => format!("network not seen, {cost}"),
        (missing, _) => missing.replace("no_", "no network: no "),
    };
    let power = power.as_deref().map(|power| match power {
        "mains" => "; mains power".to_owned(),
        power => format!("; on {power}"),
    });
    let owner = owner.as_deref().map(|owner| format!("; owner {owner}"));
    [network, power.unwrap_or_default(), owner.unwrap_or_default()].concat()
}

fn install(which: &Install, output: &Output) -> Result<(), Failure> {
    let paths = paths()?;
    // The manager of services knows nothing of the variables that were set here.
    let environment = ["XDG_STATE_HOME", "XDG_CONFIG_HOME"]
        .into_iter()
        .filter_map(|name| {
            Some((name.to_owned(), std::env::var(name).ok().filter(|value| !value.is_empty())?))
        })
        .collect();
    let entry = ServiceEntry {
        program: service_program().map_err(Error::from)?,
        arguments: Vec::new(),
        environment,
        config_home: paths.config_home.clone(),
        agent: which.agent.then(own_program).transpose()?,
    };
    let installed = service::install(&entry, Starter::of_this_machine())
        .map_err(|error| Failure::System(error.to_string()))?;
    for file in installed.files {
        output.say(&format!("made {}", file.display()));
    }
    for hint in installed.hints {
        output.say(&hint);
    }
    Ok(())
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::System(format!("where this program is cannot be found out: {error}")))
}

fn uninstall(output: &Output) -> Result<(), Failure> {
    let removed =
        service::uninstall(&paths()?.config_home).map_err(|error| Failure::System(error.to_string()))?;
    if removed.is_empty() {
        output.say("nothing was installed");
    }
    for file in removed {
        output.say(&format!("removed {}", file.display()));
    }
    Ok(())
}

fn paths() -> Result<Paths, Failure> {
    Paths::of_user(&|name| std::env::var_os(name))
        .map_err(|error| Failure::Client(Unreachable::from(error).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_about() -> About {
        About {
            version: "0.1.0".to_owned(),
            api: 1,
            pid: 42,
            started: "2026-11-23T06:00:00.000Z".to_owned(),
            socket: "/s".to_owned(),
            state_folder: "/f".to_owned(),
            log: "/l".to_owned(),
            key_source: "the key file /f/seal.key".to_owned(),
            key: Some(Key {
                id: Some("0102030405060708".to_owned()),
                source: "key_file".to_owned(),
                present: true,
                problem: None,
            }),
            jobs: [("transient_error".to_owned(), 2)].into(),
            conditions: None,
            notices: Vec::new(),
        }
    }

    #[test]
    fn status_says_which_key_there_is_or_what_is_wrong_with_it() {
        let line = |about: &About| in_words(about).into_iter().find(|line| line.starts_with("key:"));
        let mut about = an_about();
        let there = "key:          the key file /f/seal.key (id 0102030405060708)";
        assert_eq!(line(&about).as_deref(), Some(there));
        let key = about.key.as_mut().expect("a key");
        (key.present, key.problem) = (false, Some("the key file /f/seal.key is missing".to_owned()));
        let missing = "key:          MISSING: the key file /f/seal.key is missing";
        assert_eq!(line(&about).as_deref(), Some(missing));
    }

    #[test]
    fn status_says_what_the_service_sees_of_the_conditions() {
        let of = |network: &str, interface: Option<&str>, power: Option<&str>, owner: Option<&str>| {
            let some = |text: Option<&str>| text.map(str::to_owned);
            conditions(&Conditions {
                network: network.to_owned(),
                interface: some(interface),
                cost: "metered".to_owned(),
                power: some(power),
                owner: some(owner),
            })
        };
        assert_eq!(of("up", Some("eth0"), Some("mains"), None), "network up by eth0, metered; mains power");
        assert_eq!(
            of("no_address", None, Some("battery"), Some("away")),
            "no network: no address; on battery; owner away"
        );
        assert_eq!(of("up", None, None, None), "network not seen, metered");
    }

    #[test]
    fn status_has_what_scripts_look_for() {
        let about = an_about();
        let value = as_json(&about);
        for key in ["pid", "version", "socket", "state_folder", "key_source", "key", "jobs"] {
            assert!(!value[key].is_null(), "{key}");
        }
        assert_eq!(value["running"], true);
        assert_eq!(in_words(&about).last().map(String::as_str), Some("jobs:         2 transient error"));
    }
}
