//! Who may speak to the service: the kernel says who calls, and only its own user is served.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use bits_e2e::Service;

/// A user that exists on every machine and owns nothing here.
const NOBODY: &str = "65534";

#[test]
fn another_user_on_a_socket_it_can_reach_is_refused_and_so_is_root() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can call as another user");
        return;
    }
    let service = Service::new();
    let running = service.start();
    let id = service.bits(["create", "mine"]).finish().expect_code(0).stdout;
    let id = id.trim();
    // Open every door there is: what is left is the service's own judgement.
    for (path, mode) in [(service.state_folder(), 0o755), (service.folder().join("state"), 0o755)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our own folder");
    }
    fs::set_permissions(service.socket(), Permissions::from_mode(0o777)).expect("our own socket");
    for words in [vec!["show", id], vec!["list"], vec!["cancel", id], vec!["create", "theirs"]] {
        let refused = service
            .bits(words.clone())
            .env("BITS_SOCKET", service.socket())
            .through(["setpriv", "--clear-groups", "--regid", NOBODY, "--reuid", NOBODY])
            .finish()
            .expect_code(4);
        assert!(refused.stderr.contains("0x80070005"), "{words:?}: {refused}");
        assert_eq!(refused.stdout, "", "{words:?}");
    }
    let shown = service.bits(["show", id, "--json"]).finish().expect_code(0);
    assert_eq!(shown.json()["state"], "suspended", "nothing has changed");
    drop(running);
}

#[test]
fn root_is_a_user_like_any_other() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can call as root");
        return;
    }
    let service = Service::new();
    // The service of somebody who is not root, in a world that is theirs.
    for name in ["home", "run", "files", "tmp", "state", "config"] {
        let folder = service.folder().join(name);
        fs::create_dir_all(&folder).expect("a folder of this world");
        std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).expect("root gives it away");
    }
    let as_nobody = ["setpriv", "--clear-groups", "--regid", NOBODY, "--reuid", NOBODY];
    let running = service.bitsd().through(as_nobody).spawn();
    let id = bits_e2e::until(std::time::Duration::from_secs(20), "the service answers", || {
        let create = service.bits(["--no-start", "create", "theirs"]).through(as_nobody).finish();
        (create.code == Some(0)).then(|| create.stdout.trim().to_owned())
    });
    let refused = service.bits(["show", &id]).env("BITS_SOCKET", service.socket()).finish().expect_code(4);
    assert!(refused.stderr.contains("0x80070005"), "{refused}");
    drop(running);
}
