//! The copies in `third_party/` differ from the published crates by their patches alone, and they
//! are what the programs are built with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A copy, and the one place where it was changed.
struct Copy {
    name: &'static str,
    version: &'static str,
    file: &'static str,
    published: &'static str,
    ours: &'static str,
}

const COPIES: [Copy; 2] = [
    Copy {
        name: "picky-krb",
        version: "0.13.1",
        file: "src/constants.rs",
        published: "    pub const KERB_AP_OPTIONS_CBT: [u8; 2] = [0x40, 0x00];\n",
        ours: "    pub const KERB_AP_OPTIONS_CBT: [u8; 4] = [0x00, 0x40, 0x00, 0x00];\n",
    },
    Copy {
        name: "picky-asn1",
        version: "0.10.2",
        file: "src/restricted_string.rs",
        published: "    const NAME: &'static str = \"IA5\";

    fn check(data: &[u8]) -> bool {
        for &c in data {
            if !c.is_ascii() {
                return false;
            }
        }
        true
",
        ours: "    const NAME: &'static str = \"IA5\";

    fn check(data: &[u8]) -> bool {
        std::str::from_utf8(data).is_ok()
",
    },
];

#[test]
fn a_ticket_with_channel_bindings_says_so_in_four_octets() {
    assert_eq!(picky_krb::constants::types::KERB_AP_OPTIONS_CBT.as_slice(), [0x00, 0x40, 0x00, 0x00]);
}

#[test]
fn kerberos_names_may_hold_letters_outside_ascii() {
    let name = picky_asn1::restricted_string::Ia5String::new("müller").unwrap();
    assert_eq!(name.as_utf8(), "müller");
    assert!(picky_asn1::restricted_string::Ia5String::new(*b"\xFCml").is_err());
}

#[test]
fn each_copy_differs_from_the_published_crate_by_its_patch_alone() {
    for copy in &COPIES {
        let folder = root().join(copy.name);
        let recorded = recorded_hashes(copy.name);
        let mut found = files_below(&folder);
        let changed = found.get_mut(copy.file).expect("the changed file is there");
        let text = String::from_utf8(fs::read(folder.join(copy.file)).unwrap()).unwrap();
        assert_eq!(text.matches(copy.ours).count(), 1, "{}", copy.name);
        *changed = hash(text.replace(copy.ours, copy.published).as_bytes());

        assert_eq!(found, recorded, "{}", copy.name);
    }
}

#[test]
fn the_recorded_hashes_are_those_of_the_published_crates() {
    for copy in &COPIES {
        // Cargo keeps the published source only on a machine that has built with it.
        for published in published_sources(copy) {
            let mut found = files_below(&published);
            found.remove(".cargo-ok");
            assert_eq!(found, recorded_hashes(copy.name), "{}", published.display());
        }
    }
}

#[test]
fn each_patch_file_is_the_difference() {
    for copy in &COPIES {
        let patch = fs::read_to_string(root().join(format!("{}.patch", copy.name))).unwrap();
        // One side of the difference: the lines that stay, and those that go or those that come.
        let side = |gone: char| -> String {
            let lines = patch.lines().skip_while(|line| !line.starts_with("@@")).skip(1);
            lines.filter(|line| !line.starts_with(gone)).map(|line| format!("{}\n", &line[1..])).collect()
        };
        let source = fs::read_to_string(root().join(copy.name).join(copy.file)).unwrap();
        assert!(source.contains(&side('-')), "{}", copy.name);
        assert!(source.replace(copy.ours, copy.published).contains(&side('+')), "{}", copy.name);
        assert!(patch.contains(&format!("+++ b/{}\n", copy.file)), "{}", copy.name);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../third_party")
}

/// The hashes of the published files by name, as they were recorded.
fn recorded_hashes(name: &str) -> BTreeMap<String, String> {
    let list = fs::read_to_string(root().join(format!("{name}.sha256"))).unwrap();
    let pairs = list.lines().map(|line| line.split_once("  ").expect("a line is `hash  name`"));
    pairs.map(|(hash, name)| (name.to_owned(), hash.to_owned())).collect()
}

/// The hashes of all files below `folder` by their names.
fn files_below(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, hash(&fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where cargo has unpacked the published crate.
fn published_sources(copy: &Copy) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(registries) = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok()) else {
        return Vec::new();
    };
    let folder = format!("{}-{}", copy.name, copy.version);
    registries.map(|entry| entry.unwrap().path().join(&folder)).filter(|path| path.is_dir()).collect()
}
