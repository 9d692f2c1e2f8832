//! The whole service in a simulated world: the real queue, jobs, plans, engine and vault, on a clock,
//! a network, servers, a disk and people that all follow from one seed.
//!
//! First things go wrong, and no promise may ever be seen broken; then nothing does any more, and
//! every job must come to rest. What only the real programs can show is not here: sockets, TLS,
//! SQLite and the kernel are `e2e`'s.

mod answers;
mod attempt;
mod closing;
mod coming;
mod conditions;
mod demand;
mod disk;
mod events;
mod extents;
mod judge;
mod lanes;
mod log;
mod mutations;
mod notices;
mod people;
mod random;
mod scenario;
mod servers;
mod shared;
mod shrink;
mod store;
mod stream;
mod worker;
mod world;

use std::collections::BTreeSet;
use std::panic::catch_unwind;

pub use judge::{Promise, Violation};
pub use mutations::Mutation;
pub use shrink::shrink;
pub use world::Outcome;

/// Which world, and what is different in it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub seed: u64,
    /// The numbers of what is left in; all without it.
    pub kept: Option<BTreeSet<u32>>,
    pub mutation: Option<Mutation>,
    /// Whether [`Outcome::story`] is wanted.
    pub is_told: bool,
}

impl Run {
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Lets that world run to its end, which is the same each time.
    pub fn run(&self) -> Outcome {
        let world = || world::World::new(self.seed, &self.kept, self.mutation, self.is_told).run();
        catch_unwind(world).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = text.unwrap_or_else(|| "something that is no sentence".to_owned());
            let elements = world::elements(self.seed);
            let violation = Some(Violation { promise: Promise::Sound, what, at: 0 });
            Outcome { violation, elements, ..Outcome::default() }
        })
    }
}
