//! `bits completions`: what a shell needs to complete the commands.

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::exit::Failure;
use crate::output::Output;

pub(super) fn run(completions: &Completions, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Arguments::command(), "bits", &mut script);
    output.result_bytes(&script)
}
