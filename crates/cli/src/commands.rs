//! The commands, one file each.

mod add;
mod agent;
mod completions;
mod config;
mod create;
pub(crate) mod credentials;
mod error;
pub(crate) mod get;
mod list;
mod man;
pub(crate) mod on_jobs;
pub(crate) mod ranges;
mod replace_remote_prefix;
mod saved;
mod service;
mod set;
mod show;
mod watch;

use crate::arguments::{Arguments, Command};
use crate::bitsadmin;
use crate::exit::Failure;
use crate::output::Output;
use crate::session::Session;

/// What every command has at hand.
pub(crate) struct Context<'a> {
    pub(crate) output: &'a Output,
    never_start: bool,
}

impl Context<'_> {
    /// The service, started unless the person said not to.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        Session::open(self.never_start, self.output).await
    }

    /// The service if it runs.
    pub(crate) async fn running_session(&self) -> Result<Session, Failure> {
        Session::open(true, self.output).await
    }
}

/// Carries out what was typed.
pub(crate) async fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let context = Context { output, never_start: arguments.everywhere.no_start };
    match arguments.command {
        Command::Get(get) => get::run(*get, &context).await,
        Command::Create(create) => create::run(create, &context).await,
        Command::Add(add) => add::run(add, &context).await,
        Command::Credentials(credentials) => credentials::run(credentials, &context).await,
        Command::Agent(agent) => agent::run(agent, &context).await,
        Command::Resume(jobs) => on_jobs::run(on_jobs::Verb::Resume, jobs, &context).await,
        Command::Suspend(jobs) => on_jobs::run(on_jobs::Verb::Suspend, jobs, &context).await,
        Command::Complete(jobs) => on_jobs::run(on_jobs::Verb::Complete, jobs, &context).await,
        Command::TakeOwnership(jobs) => on_jobs::run(on_jobs::Verb::TakeOwnership, jobs, &context).await,
        Command::Cancel(jobs) => on_jobs::run(on_jobs::Verb::Cancel, jobs, &context).await,
        Command::List(list) => list::run(list, &context).await,
        Command::Show(show) => show::run(show, &context).await,
        Command::Watch(watch) => watch::run(watch, &context).await,
        Command::Set(set) => set::run(set, &context).await,
        Command::ReplaceRemotePrefix(replace) => replace_remote_prefix::run(replace, &context).await,
        Command::Ranges(what) => ranges::run(what, &context).await,
        Command::Error(code) => error::run(&code, output),
        Command::Config(config) => config::run(config, &context).await,
        Command::Service(service) => service::run(service, &context).await,
        Command::Admin(admin) => bitsadmin::run(&admin.words, &context).await,
        Command::Completions(completions) => completions::run(&completions, output),
        Command::Man(manual) => man::run(&manual, output),
    }
}
