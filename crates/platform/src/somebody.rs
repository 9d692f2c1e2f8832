//! For tests: doing something as an ordinary user, also when the tests run as root.

use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// The uid and gid of `nobody` everywhere.
const NOBODY: u32 = 65_534;

/// Runs `act` on a thread that is an ordinary user: `nobody` when the tests run as root, else
/// whoever runs them. On Linux a thread has credentials of its own.
pub(crate) fn as_an_ordinary_user<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let uid = rustix::process::Uid::from_raw(NOBODY);
                let gid = rustix::process::Gid::from_raw(NOBODY);
                set_thread_groups(&[]).unwrap();
                set_thread_res_gid(gid, gid, gid).unwrap();
                set_thread_res_uid(uid, uid, uid).unwrap();
            }
            act()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
