//! Which crate may import which, and what must never be reached from where.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::tree::root;

/// Which crate may import which of ours. Tests may import more, so that a crate can be tried with
/// what it will be put together with.
const FLOORS: &[(&str, &[&str])] = &[
    // floor 0: the domain
    ("bits-core", &[]),
    // floor 1: adapters
    ("bits-api", &["bits-core"]),
    ("bits-store", &["bits-core"]),
    ("bits-platform", &["bits-core"]),
    // a program, and the words that a worker says to it
    ("bits-gss", &[]),
    // floor 2: services
    ("bits-worker", &["bits-core", "bits-platform", "bits-gss"]),
    ("bits-broker", &["bits-core", "bits-api", "bits-worker"]),
    ("bits-client", &["bits-core", "bits-api", "bits-platform"]),
    // floor 3: programs
    ("bits-daemon", &["bits-core", "bits-api", "bits-store", "bits-platform", "bits-worker", "bits-broker"]),
    ("bits-cli", &["bits-core", "bits-api", "bits-platform", "bits-client"]),
    // not shipped; the first two know only the programs, from outside
    ("bits-e2e", &[]),
    ("bits-benches", &[]),
    // its origin knows nothing of who is tried with it, its simulation all but the programs
    ("bits-testkit", &["bits-core", "bits-store", "bits-worker", "bits-broker"]),
    ("xtask", &["bits-core", "bits-api"]),
];

/// What must never be reached from where, by whatever way, and why.
const NEVER_REACHED: &[(&str, &str, &str)] = &[
    ("bits-core", "tokio", "the core is told what happens; it does not wait for it"),
    ("bits-core", "libc", "the core cannot open a file, read a clock or start a thread"),
    ("bits-core", "rustix", "the core cannot open a file, read a clock or start a thread"),
    ("bits-core", "getrandom", "randomness is an argument"),
    ("bits-api", "tokio", "shapes do not wait; client and service bring their own runtime"),
    ("bits-api", "hyper", "HTTP is spoken by client and service, not by the shapes they exchange"),
    ("bits-store", "tokio", "the store blocks on purpose: it has one caller, on one thread"),
    ("bits-platform", "tokio", "what differs by system does not choose a runtime"),
    ("bits-platform", "rusqlite", "only the store opens the queue"),
    ("bits-worker", "rusqlite", "a worker runs as the owner and must not be able to open the queue"),
    ("bits-worker", "libgssapi", "it reads this process's environment; a program of its own calls it"),
    ("bits-worker", "axum", "a worker serves nobody; it answers over its link"),
    ("bits-broker", "rusqlite", "the broker does not know which store it has"),
    ("bits-client", "rustls", "programs that embed the client do not pay for TLS they never use"),
    ("bits-client", "sspi", "whoever asks for a password does not use it: the worker does"),
    ("bits-client", "axum", "a client serves nobody"),
    ("bits-client", "rusqlite", "only the service opens the queue"),
    ("bits-cli", "rustls", "the command line reaches no server"),
    ("bits-cli", "sspi", "whoever asks for a password does not use it: the worker does"),
    ("bits-cli", "rusqlite", "only the service opens the queue"),
    ("bits-daemon", "bits-testkit", "what makes mistakes on purpose is not shipped"),
    ("bits-cli", "bits-testkit", "what makes mistakes on purpose is not shipped"),
    ("bits-gss", "bits-testkit", "what makes mistakes on purpose is not shipped"),
    ("bits-daemon", "indicatif", "a service has no terminal to draw on"),
    ("bits-daemon", "rpassword", "a service asks nobody; its callers do"),
];

/// What a crate must not import itself, though what it imports may.
const NOT_IMPORTED: &[(&str, &str, &str)] = &[
    ("bits-core", "serde", "what is serialised is a promise to others; the core must be free to change"),
    ("bits-store", "serde", "rows are written out, so that a renamed field changes no database"),
    ("bits-broker", "rustix", "the broker opens no user's file; what it needs of the system is handed in"),
    ("bits-broker", "libc", "the broker opens no user's file; what it needs of the system is handed in"),
    ("bits-broker", "rustls", "the broker reaches no server"),
    ("bits-broker", "sspi", "the broker proves nothing to anybody; it hands credentials to a worker"),
    ("bits-worker", "libc", "system calls that rustix does not have are platform's"),
    ("bits-cli", "rustix", "what differs by system is platform's"),
    ("bits-client", "rustix", "what differs by system is platform's"),
];

#[test]
fn every_crate_imports_only_what_its_floor_allows() {
    let house = House::read();
    let mut wrong = Vec::new();
    for package in house.members() {
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == package.name.as_str()) else {
            wrong.push(format!("{} is on no floor: add it to FLOORS", package.name));
            continue;
        };
        for import in imports(package) {
            if house.is_member(import) && !allowed.contains(&import) {
                wrong.push(format!("{} imports {import}", package.name));
            }
        }
    }
    for (name, _) in FLOORS {
        if !house.is_member(name) {
            wrong.push(format!("FLOORS has {name}, which is not there"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_reaches_what_it_must_not() {
    let house = House::read();
    let mut wrong = Vec::new();
    for (from, to, why) in NEVER_REACHED {
        if let Some(way) = house.way(from, to) {
            wrong.push(format!("{}: {why}", way.join(" → ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_crate_imports_what_belongs_to_another() {
    let house = House::read();
    let mut wrong = Vec::new();
    for (from, to, why) in NOT_IMPORTED {
        if imports(house.member(from)).any(|import| import == *to) {
            wrong.push(format!("{from} imports {to}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The checks above find nothing when nothing is wrong; so they must find what is there.
#[test]
fn ways_are_found_where_there_are_some() {
    let house = House::read();
    assert!(house.way("bits-daemon", "rusqlite").is_some());
    assert!(house.way("bits-daemon", "rustls").is_some_and(|way| way.len() > 2));
    assert!(imports(house.member("bits-platform")).any(|import| import == "rustix"));
}

/// All packages, and what each imports when the workspace is built for this system.
struct House {
    metadata: Metadata,
    edges: BTreeMap<PackageId, Vec<PackageId>>,
}

impl House {
    fn read() -> Self {
        // For this system alone: cargo has fetched nothing else, and need not.
        let metadata = MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host()])
            .exec()
            .expect("cargo describes the workspace");
        let resolve = metadata.resolve.as_ref().expect("dependencies were asked for");
        let edges = resolve.nodes.iter().map(|node| {
            let shipped = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
            });
            (node.id.clone(), shipped.map(|dependency| dependency.pkg.clone()).collect())
        });
        Self { edges: edges.collect(), metadata }
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.metadata.workspace_packages().into_iter()
    }

    fn is_member(&self, name: &str) -> bool {
        self.members().any(|package| package.name.as_str() == name)
    }

    #[track_caller]
    fn member(&self, name: &str) -> &Package {
        self.members()
            .find(|package| package.name.as_str() == name)
            .unwrap_or_else(|| panic!("there is no crate {name}"))
    }

    fn name(&self, id: &PackageId) -> &str {
        self.metadata[id].name.as_str()
    }

    /// The crates on a shortest way from one to another.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let start = self.member(from).id.clone();
        let mut seen = BTreeSet::from([start.clone()]);
        let mut ways = vec![vec![start]];
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                let last = way.last().expect("a way begins somewhere");
                if way.len() > 1 && self.name(last) == to {
                    return Some(way.iter().map(|id| self.name(id).to_owned()).collect());
                }
                for next in self.edges.get(last).into_iter().flatten() {
                    if seen.insert(next.clone()) {
                        longer.push(way.iter().chain([next]).cloned().collect());
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

/// What a crate imports when it is built, not when it is tested.
fn imports(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

/// The system we build on, in rustc's words.
fn host() -> String {
    let rustc = std::process::Command::new("rustc").arg("-vV").output().expect("rustc starts");
    let told = String::from_utf8(rustc.stdout).expect("rustc writes text");
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}
