//! The desktop autostart entry, as text (the Desktop Entry Specification).

use std::path::{Path, PathBuf};

use super::{MARK, ServiceEntry, ServiceError, writable};

pub(super) fn entry_path(config_home: &Path) -> PathBuf {
    config_home.join("autostart/bitsd.desktop")
}

pub(super) fn agent_path(config_home: &Path) -> PathBuf {
    config_home.join("autostart/bits-agent.desktop")
}

pub(super) fn entry(entry: &ServiceEntry) -> Result<String, ServiceError> {
    let arguments: Vec<&str> = entry.arguments.iter().map(String::as_str).collect();
    text(entry, &entry.program, &arguments, "Background transfer service")
}

/// The entry of the agent, which asks for the credentials of background transfers.
pub(super) fn agent(entry: &ServiceEntry, program: &Path) -> Result<String, ServiceError> {
    text(entry, program, &["agent", "--quiet"], "Asks for the credentials of background transfers")
}

fn text(
    entry: &ServiceEntry,
    program: &Path,
    arguments: &[&str],
    comment: &str,
) -> Result<String, ServiceError> {
    let mut words = Vec::new();
    if !entry.environment.is_empty() {
        words.push("env".to_owned());
        for (name, value) in &entry.environment {
            words.push(quoted(writable(format!("{name}={value}").as_ref())?));
        }
    }
    words.push(quoted(writable(program.as_os_str())?));
    for argument in arguments {
        words.push(quoted(writable(argument.as_ref())?));
    }
    let command = words.join(" ");
    Ok(format!(
        "\
{MARK}
[Desktop Entry]
Type=Application
Name=OpenBITS
Comment={comment}
Exec={command}
NoDisplay=true
Terminal=false
"
    ))
}

/// Quoted twice over: as an argument (quotes, and what a shell would see in them), then as a value
/// of the file (backslashes). `%` begins a field code.
fn quoted(text: &str) -> String {
    let mut argument = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '`' | '$' | '\\') {
            argument.push('\\');
        }
        argument.push(character);
    }
    argument.push('"');
    argument.replace('\\', "\\\\").replace('%', "%%")
}
