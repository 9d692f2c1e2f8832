//! Telling the service manager that the service is ready.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the service is ready to whoever asked for it with `NOTIFY_SOCKET` (systemd's
/// protocol, `sd_notify(3)`). `socket` is that variable's value; without one, nobody has asked.
pub fn tell_manager_ready(socket: Option<&OsStr>) -> io::Result<()> {
    let Some(name) = socket.filter(|name| !name.is_empty()) else { return Ok(()) };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1\n", &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> Vec<u8> {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        message[..length].to_vec()
    }

    #[test]
    fn a_manager_that_asked_is_told_by_path_or_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        tell_manager_ready(Some(path.as_os_str())).unwrap();
        assert_eq!(received(&socket), b"READY=1\n");

        let name = format!("bits-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        tell_manager_ready(Some(format!("@{name}").as_ref())).unwrap();
        assert_eq!(received(&socket), b"READY=1\n");
    }

    #[test]
    fn without_a_manager_nobody_is_told() {
        tell_manager_ready(None).unwrap();
        tell_manager_ready(Some(OsStr::new(""))).unwrap();
        assert!(tell_manager_ready(Some(OsStr::new("/nowhere/notify"))).is_err());
    }
}
