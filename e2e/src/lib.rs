//! What the end-to-end tests stand on: real servers, a private world for each test, and programs
//! run under a deadline.
//!
//! [`peers`] starts nginx, KDCs, Apache and lighttpd by the scripts in `tests/peers`, once for the
//! test process, and proxies, a domain, a name server or a keyring for the tests that ask for one. [`Service`] is one test's world: folders, environment, the programs `bits`
//! and `bitsd` in it, and the end of all of them. [`Run`] is one program run in it, by pipes or
//! on a pseudo terminal. [`Api`] is a program that speaks to the service's socket itself.
//!
//! The harness panics where a test would: with what was run and what it printed. It knows nothing
//! of the service's inside and imports none of its crates; what it tests are programs.

mod api;
mod ground;
mod own_mounts;
mod peers;
mod process;
mod programs;
mod random;
mod run;
mod service;
mod sums;
mod terminal;
mod until;

pub use api::{Answer, Api, Unanswered};
pub use own_mounts::{with_own_mounts, with_own_network};
pub use peers::{
    Account, Bus, Desktop, Domain, FaultProxy, Kdc, Keyring, NameServer, Peers, Proxies, Proxy, Request,
    Server, SignIn, Wild, asker, desktop, peers,
};
pub use programs::{program, tickets_are_built_in};
pub use random::Random;
pub use run::{Finished, Run, Running, json};
pub use service::Service;
pub use sums::sha256;
pub use terminal::Terminal;
pub use until::until;

/// What [`Running::signal`] and [`Terminal::signal`] send.
pub use rustix::process::{Pid, Signal};
