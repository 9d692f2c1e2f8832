//! The harness itself: what it promises the tests, shown with programs that are always there.

use std::path::Path;

use bits_e2e::{Run, Service};

mod bus;
mod cleared;
mod dialogue;
mod domain;
mod kdcs;
mod locations;
mod programs;
mod proxies;
mod skipped;

/// `run` with a ticket of `user`, from the KDC of a client's `config`.
#[track_caller]
fn with_ticket(world: &Service, run: Run, config: &Path, user: &str, password: &str) -> Run {
    let cache = format!("FILE:{}", world.file("tickets").display());
    let as_client = |run: Run| run.env("KRB5_CONFIG", config).env("KRB5CCNAME", &cache);
    as_client(world.run("kinit").arg(user)).stdin(format!("{password}\n")).finish().expect_code(0);
    as_client(run)
}
