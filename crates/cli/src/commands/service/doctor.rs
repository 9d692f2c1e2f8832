//! `bits service doctor`: looks for what is wrong, and says what it means and what to do.
//!
//! The service's program looks at its own things, also when no service runs; here is what a caller
//! sees: programs and versions, the service that answers, its unit, the room at destinations, the
//! proxies of the environment. No service is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use bits_client::api::about::About;
use bits_client::api::finding::{Finding, Verdict};
use bits_client::api::job::ListQuery;
use bits_client::{Client, ConnectOptions, Error, Unreachable, service_program};
use bits_core::units::Bytes;
use bits_platform::service::{UnitState, unit_state};
use bits_platform::space;
use futures_util::TryStreamExt;

use super::super::Context;
use crate::exit::{Failure, UNWELL};
use crate::output::units;
use crate::session::id_of;

/// Jobs whose destinations are looked at; with more the list would be no help.
const JOBS_MAX: usize = 1000;
/// Files of each.
const FILES_MAX: usize = 1000;

pub(super) async fn run(deep: bool, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    output.say("looking; a KDC that does not answer takes some seconds");
    let program = service_program().map_err(Error::from);
    let mut findings = Vec::new();
    match &program {
        Ok(program) => findings.extend(programs(program)),
        Err(error) => findings.push(Finding::bad(
            "program",
            error.to_string(),
            "install the whole of OpenBITS, or put the folder of `bitsd` into PATH",
        )),
    }
    if let Ok(program) = &program {
        findings.extend(own_findings(program, deep).await);
    }
    findings.extend(service().await);
    findings.push(unit());
    findings.extend(proxies(&|name| std::env::var(name).ok()));

    if output.is_json() {
        output.result_json(&findings)?;
    } else {
        for finding in &findings {
            in_words(finding).iter().try_for_each(|line| output.result(line))?;
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    output.say(&match (bad, warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, warnings) => {
            format!("nothing is in the way of the service; {}", units::counted(warnings, "warning"))
        }
        (bad, warnings) => format!("{bad} bad, {}", units::counted(warnings, "warning")),
    });
    if bad > 0 { Err(Failure::Told(UNWELL)) } else { Ok(()) }
}

/// A line, and one more for what to do.
fn in_words(finding: &Finding) -> Vec<String> {
    let verdict = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Bad => "BAD",
    };
    let mut lines = vec![format!("{verdict:<8}{:<12}  {}", finding.check, finding.finding)];
    lines.extend(finding.advice.as_ref().map(|advice| format!("{:<22}to do: {advice}", "")));
    lines
}

fn programs(program: &Path) -> Vec<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    let shown = program.display();
    let version = Command::new(program).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    vec![match version {
        Ok(text) if text.strip_prefix("bitsd ") == Some(ours) => {
            Finding::ok("program", format!("{shown} is of version {ours}, as this `bits` is"))
        }
        Ok(text) => Finding::warning(
            "program",
            format!("{shown} says that it is `{text}`, and this `bits` is of version {ours}"),
            "install both from one package",
        ),
        Err(error) => Finding::bad("program", format!("{shown} cannot be run: {error}"), "install it anew"),
    }]
}

/// What the service's program finds, started for that alone.
async fn own_findings(program: &Path, deep: bool) -> Vec<Finding> {
    let mut command = Command::new(program);
    command.arg("--diagnose").args(deep.then_some("--deep"));
    let run = tokio::task::spawn_blocking(move || command.output());
    let found = match run.await.expect("running a program does not panic") {
        Ok(output) => serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("{} --diagnose ended without findings: {}", program.display(), said.trim())
        }),
        Err(error) => Err(format!("{} cannot be run: {error}", program.display())),
    };
    found.unwrap_or_else(|finding| {
        vec![Finding::bad("program", finding, "install `bits` and `bitsd` from one package")]
    })
}

/// The service that answers, if one does.
async fn service() -> Vec<Finding> {
    let client = match Client::connect(ConnectOptions::new().never_start()).await {
        Ok(client) => client,
        Err(Error::Unreachable(Unreachable::NotRunning { .. })) => {
            return vec![Finding::ok("service", "none runs; the next job or `bits service start` starts it")];
        }
        Err(error) => {
            let advice = "see the lines about sockets; `bits service restart` makes them anew";
            return vec![Finding::bad("service", error.to_string(), advice)];
        }
    };
    match client.about_if_running().await {
        Ok(about) => {
            let mut findings = of_running(&about);
            findings.extend(destinations(&client).await);
            findings
        }
        Err(error) => vec![Finding::bad(
            "service",
            format!("a service is there and does not answer as it should: {error}"),
            "read its log; `bits service restart` starts another",
        )],
    }
}

fn of_running(about: &About) -> Vec<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    let mut findings = vec![if about.version == ours {
        Finding::ok(
            "service",
            format!("version {ours} runs as process {}; its log is {}", about.pid, about.log),
        )
    } else {
        Finding::warning(
            "service",
            format!("it is of version {}, and this `bits` is of version {ours}", about.version),
            "bits service restart",
        )
    }];
    findings.extend(about.key.as_ref().map(|key| match &key.problem {
        None => Finding::ok("key", format!("the service has it: {}", about.key_source)),
        Some(problem) => Finding::bad(
            "key",
            format!("{problem}; jobs with credentials wait"),
            "put it back, then `bits service restart`",
        ),
    }));
    findings.extend(about.notices.iter().map(|notice| {
        Finding::warning("notice", notice.clone(), "a restart of the service takes the notice back")
    }));
    findings
}

/// Whether what is still to come has room where it is to be.
async fn destinations(client: &Client) -> Vec<Finding> {
    match missing_room(client).await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::warning(
            "space",
            format!("the destinations of jobs cannot be looked at: {error}"),
            "`bits list` shows whether the service answers",
        )],
    }
}

async fn missing_room(client: &Client) -> Result<Vec<Finding>, Error> {
    let mut to_come: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut jobs = std::pin::pin!(client.jobs(ListQuery::default()));
    let mut seen = 0;
    while let Some(job) = jobs.try_next().await? {
        seen += 1;
        if seen > JOBS_MAX {
            break;
        }
        let Ok(id) = id_of(&job) else { continue };
        let mut files = std::pin::pin!(client.files(id));
        let mut files_seen = 0;
        while let Some(file) = files.try_next().await? {
            files_seen += 1;
            if files_seen > FILES_MAX {
                break;
            }
            let Some(folder) = Path::new(&file.local_name).parent().filter(|_| !file.completed) else {
                continue;
            };
            let rest = file.bytes_total.unwrap_or(0).saturating_sub(file.bytes_transferred);
            *to_come.entry(folder.to_owned()).or_default() += rest;
        }
    }
    Ok(to_come.into_iter().filter_map(|(folder, rest)| enough(&folder, Bytes(rest))).collect())
}

/// What is wrong with a destination, if something is.
fn enough(folder: &Path, rest: Bytes) -> Option<Finding> {
    let shown = folder.display();
    match space::free(folder) {
        Ok(free) if free < rest => {
            let (free, rest) = (units::bytes(free.0), units::bytes(rest.0));
            Some(Finding::warning(
                "space",
                format!("{rest} are still to come into {shown}, where {free} are free"),
                "make room there, or suspend jobs",
            ))
        }
        Ok(_) => None,
        Err(error) => Some(Finding::warning(
            "space",
            format!("jobs have files for {shown}, which cannot be looked at: {error}"),
            "mount or make that folder, or cancel the jobs",
        )),
    }
}

fn unit() -> Finding {
    match unit_state() {
        UnitState::NoManager => {
            Finding::ok("unit", "no manager of systemd's answers here; `bits` starts the service when needed")
        }
        UnitState::NotInstalled => {
            Finding::ok("unit", "no unit is installed; `bits service install` has it start after a reboot")
        }
        UnitState::Installed { active, enabled } if active == "failed" => Finding::bad(
            "unit",
            format!("the unit has failed ({enabled})"),
            "journalctl --user -u bitsd says why; then systemctl --user restart bitsd",
        ),
        UnitState::Installed { active, enabled } => {
            Finding::ok("unit", format!("the unit is {enabled} and {active}"))
        }
    }
}

/// What transfers made from here take of the environment.
fn proxies(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let used = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];
    let set: Vec<&str> = used.into_iter().filter(|name| is_set(name)).collect();
    let mut findings = vec![match set[..] {
        [] => Finding::ok("proxy", "the environment names no proxy"),
        _ => Finding::ok(
            "proxy",
            format!("{} set here; jobs made from here use what they say", set.join(", ")),
        ),
    }];
    if is_set("HTTP_PROXY") && !is_set("http_proxy") {
        findings.push(Finding::warning(
            "proxy",
            "HTTP_PROXY is set and not used, as web servers set it from requests",
            "set http_proxy, in lower case",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_what_to_do_another() {
        let bad = Finding::bad("folder", "it is open", "close it");
        assert_eq!(
            in_words(&bad),
            ["BAD     folder        it is open", "                      to do: close it"]
        );
        assert_eq!(in_words(&Finding::ok("key", "it is there")), ["ok      key           it is there"]);
    }

    #[test]
    fn of_the_environment_names_are_told_and_no_values() {
        let variable = |name: &str| {
            ["https_proxy", "HTTP_PROXY"].contains(&name).then(|| "http://anna:hunter2@p.test".to_owned())
        };
        let findings = proxies(&variable);
        let verdicts: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Warning]);
        assert!(findings.iter().all(|finding| !format!("{finding:?}").contains("hunter2")));
    }

    #[test]
    fn a_destination_that_is_gone_or_full_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(enough(folder.path(), Bytes(1)), None);
        for (folder, rest) in
            [(folder.path().to_owned(), Bytes(u64::MAX)), (folder.path().join("none"), Bytes(0))]
        {
            assert_eq!(enough(&folder, rest).map(|finding| finding.verdict), Some(Verdict::Warning));
        }
    }
}
