//! The service, `bitsd`.
//!
//! Here are its start and its end. What it does is wired together in [`wire`], what it is told in
//! [`settings`]; nothing about jobs is decided in this crate.

mod conditions;
mod doctor;
mod engine_thread;
mod log;
mod sealing;
mod settings;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use bits_platform::endpoint::LockError;
use bits_platform::hardening::{self, ZeroingAllocator};
use bits_platform::paths::Paths;
use bits_platform::process::{self, StartReport};
use bits_platform::service;
use clap::Parser;

use settings::Settings;
use wire::{Service, StartError};

/// What is freed is wiped, so that no password stays behind in memory nobody owns.
#[global_allocator]
static ALLOCATOR: ZeroingAllocator = ZeroingAllocator::new();

/// The OpenBITS service. `bits` starts it by itself when it is needed.
#[derive(Debug, Parser)]
#[command(name = "bitsd", version)]
struct Arguments {
    /// Say on standard output how the start went, for whoever starts it, and nothing more.
    #[arg(long)]
    report: bool,
    /// Look at the settings and say what is wrong with them, and nothing more.
    #[arg(long, conflicts_with = "report")]
    check: bool,
    /// Look for what is wrong, and print what was found as JSON; `bits service doctor` puts it in words.
    #[arg(long, conflicts_with_all = ["report", "check"])]
    diagnose: bool,
    /// With `--diagnose`: read every page of the queue.
    #[arg(long, requires = "diagnose")]
    deep: bool,
    /// A setting for this run, as KEY=VALUE; `bits config explain` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = hardening::forbid_core_dumps() {
        eprintln!("bitsd: core dumps cannot be switched off: {error}");
        return ExitCode::FAILURE;
    }
    if arguments.check {
        return check(&arguments.settings);
    }
    if arguments.diagnose {
        return diagnose(arguments.deep);
    }
    hardening::make_files_private();
    if let Err(error) = process::forget_caller_variables() {
        eprintln!("bitsd: the environment cannot be cleaned: {error}");
        return ExitCode::FAILURE;
    }
    match Service::start(&|name| std::env::var_os(name), &arguments.settings, !arguments.report) {
        Ok(service) => {
            announce(&arguments, &StartReport::Ready);
            let manager = std::env::var_os("NOTIFY_SOCKET");
            if let Err(error) = service::tell_manager_ready(manager.as_deref()) {
                eprintln!("bitsd: the service manager could not be told: {error}");
            }
            service.run()
        }
        Err(StartError::Lock(error @ LockError::HeldBy { pid, .. })) => {
            eprintln!("bitsd: {error}");
            announce(&arguments, &StartReport::AlreadyRunning { pid });
            ExitCode::from(service::EXIT_ALREADY_RUNNING)
        }
        Err(error) => {
            eprintln!("bitsd: {error}");
            announce(&arguments, &StartReport::Failed(error.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn check(settings: &[String]) -> ExitCode {
    let environment = |name: &str| std::env::var_os(name);
    let checked = Paths::of_user(&environment)
        .map_err(StartError::from)
        .and_then(|paths| Ok(Settings::load(&paths, &environment, settings)?));
    match checked {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bitsd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn diagnose(deep: bool) -> ExitCode {
    let findings = doctor::examine(&|name| std::env::var_os(name), deep);
    let text = serde_json::to_string(&findings).expect("findings are plain structures");
    // Nobody is left to tell that nobody listens.
    let printed = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn announce(arguments: &Arguments, report: &StartReport) {
    if arguments.report
        && let Err(error) = process::report_start(report)
    {
        eprintln!("bitsd: the start could not be reported: {error}");
    }
}

/// Looks up a variable of the environment.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;
