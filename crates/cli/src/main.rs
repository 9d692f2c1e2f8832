//! `bits`, the command line of OpenBITS.
//!
//! One file for each command under `commands`; how outcomes become sentences and exit codes is in
//! `exit`. No decision about jobs is made here: the service makes them all.

mod arguments;
mod bitsadmin;
mod commands;
mod destination;
mod exit;
mod following;
mod kept;
mod nearest;
mod output;
mod requests;
mod session;
mod sign_in;
mod standing;
mod url_list;

use std::process::ExitCode;

use bits_platform::hardening::{self, ZeroingAllocator};
use output::Output;

/// Passwords pass through this process; no freed memory keeps one.
#[global_allocator]
static ALLOCATOR: ZeroingAllocator = ZeroingAllocator::new();

fn main() -> ExitCode {
    // Where the system does not allow it, a crash could leave a password on the disk: no reason
    // not to transfer files.
    let undumpable = hardening::forbid_core_dumps();

    let arguments = bitsadmin::typed(std::env::args_os());
    let output = Output::new(&arguments.everywhere);
    if let Err(error) = undumpable {
        output.detail(&format!("core dumps could not be turned off: {error}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(arguments, &output)),
        Err(error) => Err(exit::Failure::System(format!("no event loop can be had: {error}"))),
    };
    exit::end(outcome, &output)
}
