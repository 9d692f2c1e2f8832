//! The systemd user unit, as text.

use std::path::{Path, PathBuf};

use super::{EXIT_ALREADY_RUNNING, EXIT_NOBODY_TO_ASK, MARK, ServiceEntry, ServiceError, writable};
use crate::process::CALLER_VARIABLES;
use crate::seal::CREDENTIAL_NAME;

pub(super) const UNIT_NAME: &str = "bitsd.service";
const AGENT_NAME: &str = "bits-agent.service";

pub(super) fn unit_path(config_home: &Path) -> PathBuf {
    config_home.join("systemd/user").join(UNIT_NAME)
}

/// The link that enables the unit.
pub(super) fn wanted_path(config_home: &Path) -> PathBuf {
    config_home.join("systemd/user/default.target.wants").join(UNIT_NAME)
}

pub(super) fn agent_path(config_home: &Path) -> PathBuf {
    config_home.join("systemd/user").join(AGENT_NAME)
}

/// The link that enables the agent's unit: where there is no graphical session there is nobody whom a
/// window could ask.
pub(super) fn agent_wanted_path(config_home: &Path) -> PathBuf {
    config_home.join("systemd/user/graphical-session.target.wants").join(AGENT_NAME)
}

/// The text of the agent's unit: it asks by windows, and so belongs to the session that has them.
pub(super) fn agent(entry: &ServiceEntry, program: &Path) -> Result<String, ServiceError> {
    let (command, environment) = (quoted_program(program)?, environment(entry)?);
    Ok(format!(
        "\
{MARK}
[Unit]
Description=OpenBITS agent, which asks for the credentials of background transfers
PartOf=graphical-session.target
After=graphical-session.target

[Service]
ExecStart={command} agent --quiet
{environment}Restart=on-failure
RestartSec=5
# Nobody can be asked here: no window and no program for it.
RestartPreventExitStatus={EXIT_NOBODY_TO_ASK}
LimitCORE=0
NoNewPrivileges=yes

[Install]
WantedBy=graphical-session.target
"
    ))
}

/// The unit's text. Only lines that a user's manager can carry out without privileges, and none
/// that would keep files from places a person may name (`PrivateTmp`, `ProtectHome`) or break
/// set-group-ID folders (`RestrictSUIDSGID`).
pub(super) fn unit(entry: &ServiceEntry) -> Result<String, ServiceError> {
    let mut command = quoted_program(&entry.program)?;
    for argument in &entry.arguments {
        command.push(' ');
        command.push_str(&quoted_argument(writable(argument.as_ref())?));
    }
    let environment = environment(entry)?;
    let callers = CALLER_VARIABLES.join(" ");
    Ok(format!(
        "\
{MARK}
[Unit]
Description=OpenBITS background transfer service

[Service]
# A key from systemd (256 or newer) to seal credentials with, chosen when the queue is made:
# head -c 32 /dev/urandom | systemd-creds encrypt --user --name={CREDENTIAL_NAME} - KEY-FILE
# LoadCredentialEncrypted={CREDENTIAL_NAME}:KEY-FILE
Type=notify
ExecStart={command}
{environment}UnsetEnvironment={callers}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={EXIT_ALREADY_RUNNING}
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictNamespaces=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"
    ))
}

/// A line for each variable.
fn environment(entry: &ServiceEntry) -> Result<String, ServiceError> {
    let mut lines = String::new();
    for (name, value) in &entry.environment {
        let assignment = format!("{name}={value}");
        lines.push_str(&format!("Environment={}\n", quoted(writable(assignment.as_ref())?)));
    }
    Ok(lines)
}

/// Quoted so that systemd reads back `text`: its escapes, and `%`, which begins a specifier.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// The program's path is not searched for variables, so a `$` in it is only itself; but systemd
/// starts no program with a quote or a backslash in its path.
fn quoted_program(path: &Path) -> Result<String, ServiceError> {
    let text = writable(path.as_os_str())?;
    if text.contains(['"', '\'', '\\']) {
        return Err(ServiceError::ProgramIsQuoted(path.into()));
    }
    Ok(quoted(text))
}

fn quoted_argument(text: &str) -> String {
    quoted(&text.replace('$', "$$"))
}
