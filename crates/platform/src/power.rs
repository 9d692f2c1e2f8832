//! What the machine runs on, as the kernel says it, and when that changes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use bits_core::conditions::Power;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// Where the kernel lists what can supply power.
const SUPPLIES: &str = "/sys/class/power_supply";
/// The group in which the kernel itself tells.
const KERNEL: u32 = 1;
/// Room for one message of the kernel's.
const MESSAGE_BYTES: usize = 8 * 1024;
/// Supplies that are looked at; there are never many.
const SUPPLIES_MAX: usize = 64;

/// Hears of changes.
#[derive(Debug)]
pub struct PowerWatch(OwnedFd);

impl PowerWatch {
    /// # Errors
    /// When the system does not tell.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(KOBJECT_UEVENT);
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// Takes what has been told since; whether any of it is about power.
    ///
    /// # Errors
    /// When nothing will be told any more.
    pub fn take(&self) -> io::Result<bool> {
        let mut message = vec![0; MESSAGE_BYTES];
        let mut is_about_power = false;
        loop {
            match rustix::net::recv(&self.0, &mut message[..], RecvFlags::empty()) {
                Ok((length, _)) => is_about_power |= is_of_power(&message[..length]),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(is_about_power),
                Err(rustix::io::Errno::NOBUFS) => is_about_power = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsRawFd for PowerWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for PowerWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn is_of_power(message: &[u8]) -> bool {
    message.split(|byte| *byte == 0).any(|field| field == b"SUBSYSTEM=power_supply")
}

/// What the machine runs on, as far as the kernel knows.
pub fn look() -> Power {
    look_in(Path::new(SUPPLIES))
}

/// What the machine runs on by what is listed in `supplies`: on its battery if it has one, and nothing
/// else gives power. Batteries of a mouse do not count.
fn look_in(supplies: &Path) -> Power {
    let Ok(entries) = fs::read_dir(supplies) else { return Power::Unknown };
    let (mut has_battery, mut is_online, mut has_supply) = (false, false, false);
    for entry in entries.flatten().take(SUPPLIES_MAX) {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        match read("type").trim() {
            "Battery" if read("scope").trim() != "Device" => has_battery = true,
            "Battery" | "" => continue,
            _ => is_online |= read("online").trim() == "1",
        }
        has_supply = true;
    }
    match (has_supply, has_battery && !is_online) {
        (false, _) => Power::Unknown,
        (true, true) => Power::Battery,
        (true, false) => Power::Mains,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_runs_on_its_battery_when_nothing_else_gives_power() {
        for (supplies, expected) in [
            (vec![], Power::Unknown),
            (vec![("BAT0", "type=Battery scope=System status=Discharging")], Power::Battery),
            (vec![("AC", "type=Mains online=0"), ("BAT0", "type=Battery")], Power::Battery),
            (vec![("AC", "type=Mains online=1"), ("BAT0", "type=Battery")], Power::Mains),
            (
                vec![("AC", "type=Mains online=0"), ("C1", "type=USB online=1"), ("BAT0", "type=Battery")],
                Power::Mains,
            ),
            (vec![("AC", "type=Mains online=1")], Power::Mains),
            (vec![("mouse", "type=Battery scope=Device")], Power::Unknown),
            (vec![("AC", "type=Mains online=1"), ("mouse", "type=Battery scope=Device")], Power::Mains),
            (vec![("odd", "")], Power::Unknown),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            for (name, files) in &supplies {
                let supply = folder.path().join(name);
                fs::create_dir(&supply).expect("a folder");
                for file in files.split_whitespace() {
                    let (file, content) = file.split_once('=').expect("a file");
                    fs::write(supply.join(file), format!("{content}\n")).expect("a file");
                }
            }
            assert_eq!(look_in(folder.path()), expected, "{supplies:?}");
        }
        assert_eq!(look_in(Path::new("/nowhere")), Power::Unknown);
    }

    #[test]
    fn only_what_is_told_of_power_is_worth_a_look() {
        assert!(is_of_power(b"change@/devices/x\0ACTION=change\0SUBSYSTEM=power_supply\0SEQNUM=1\0"));
        assert!(!is_of_power(b"add@/devices/y\0ACTION=add\0SUBSYSTEM=usb\0"));
        assert!(!is_of_power(b""));
    }
}
