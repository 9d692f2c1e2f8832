//! A bus has the keyring that was asked for, as secret-tool sees it.

use bits_e2e::{Keyring, Service, peers};

#[test]
fn a_keyring_is_open_locked_or_not_there() {
    let Some(peers) = peers() else { return };
    for (keyring, complaint) in [
        (Keyring::Unlocked, None),
        (Keyring::Locked, Some("locked collection")),
        (Keyring::None, Some("not provided")),
    ] {
        let Some(bus) = peers.bus(keyring) else { return };
        let world = Service::new();
        let run = |words: &[&str]| {
            world.run("secret-tool").args(words).env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        };
        let stored = run(&["store", "--label=x", "peer", "nginx"]).stdin("hunter2").finish();
        let found = run(&["lookup", "peer", "nginx"]).finish();
        match complaint {
            None => {
                stored.expect_code(0);
                assert_eq!(found.expect_code(0).stdout, "hunter2");
            }
            Some(complaint) => {
                assert!(stored.stderr.contains(complaint), "{stored}");
                found.expect_code(1);
            }
        }
    }
}
