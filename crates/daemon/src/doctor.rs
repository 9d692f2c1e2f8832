//! Looks for what is wrong with this user's service, also when none runs: `bitsd --diagnose`, which
//! `bits service doctor` starts.
//!
//! Nothing is changed, made or locked, but for the moment in which `deep` goes through the whole
//! queue. What only a running service knows is asked for by `bits`.

mod clock;
mod conditions;
mod kerberos;
mod places;
mod queue;

use bits_api::finding::Finding;
use bits_platform::endpoint::holder;
use bits_platform::paths::Paths;

use crate::settings::{Settings, SettingsError};

/// All that can be found out from here.
pub(crate) fn examine(environment: crate::Environment<'_>, deep: bool) -> Vec<Finding> {
    let paths = match Paths::of_user(environment) {
        Ok(paths) => paths,
        Err(error) => {
            return vec![Finding::bad("paths", error.to_string(), "set the variable it names")];
        }
    };
    let loaded = Settings::load(&paths, environment, &[]);
    let mut findings = vec![settings(&loaded)];
    findings.extend(places::check(&paths));
    let holder = holder(&paths.state_folder);
    findings.push(match &holder {
        Ok(None) => Finding::ok("lock", "no service holds the state folder"),
        Ok(Some(pid)) => Finding::ok("lock", format!("process {pid} holds the state folder")),
        Err(error) => Finding::warning(
            "lock",
            format!("whether a service holds the state folder cannot be seen: {error}"),
            "`bits service status` tells whether one answers",
        ),
    });
    let is_held = matches!(holder, Ok(Some(_)));
    findings.extend(queue::check(&paths, environment, is_held, deep));
    findings.extend(clock::check(&paths));
    findings.extend(loaded.as_ref().map(conditions::check).unwrap_or_default());
    findings.extend(kerberos::check(environment));
    findings
}

fn settings(loaded: &Result<Settings, SettingsError>) -> Finding {
    match loaded {
        Ok(_) => Finding::ok("settings", "all settings can be read"),
        Err(error) => Finding::bad(
            "settings",
            format!("{error}; no service starts with it"),
            "correct that line; `bits config explain` lists the settings there are",
        ),
    }
}

#[cfg(test)]
mod tests;
