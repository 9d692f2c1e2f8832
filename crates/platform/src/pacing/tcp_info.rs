//! `TCP_INFO`: what the kernel has measured of one connection.
//!
//! The structure has grown with the kernel. What it returns is read by its documented places and
//! only as far as it reaches; a field that is not there is absent, not zero.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

use bits_core::units::Bytes;

use super::outcome;

/// Longer than any kernel's structure so far; a longer one is cut by the kernel.
const INFO_BYTES_MAX: usize = 512;
/// Up to here it has been since Linux 4.6; older ones do not count bytes.
const INFO_BYTES_MIN: usize = 160;

/// The bit of `tcpi_options` for time stamps, without which a receiver cannot measure.
const OPTION_TIMESTAMPS: u8 = 1;

/// Places of `struct tcp_info` in `linux/tcp.h`, in bytes. Each number is a `u32` but where said.
mod place {
    /// A `u8`.
    pub(super) const OPTIONS: usize = 5;
    /// A `u8`: below the scale of what the other side advertises, above of what we do.
    pub(super) const WINDOW_SCALES: usize = 6;
    pub(super) const SEND_SEGMENT: usize = 16;
    pub(super) const ROUND_TRIP: usize = 68;
    pub(super) const ADVERTISED_SEGMENT: usize = 84;
    pub(super) const RECEIVER_ROUND_TRIP: usize = 92;
    pub(super) const SENT_AGAIN: usize = 100;
    /// A `u64`.
    pub(super) const BYTES_ACKNOWLEDGED: usize = 120;
    /// A `u64`.
    pub(super) const BYTES_RECEIVED: usize = 128;
    /// A `u64`, since 4.19.
    pub(super) const BYTES_SENT: usize = 200;
    /// Since 5.4.
    pub(super) const OUT_OF_ORDER: usize = 224;
    /// Since 6.2.
    pub(super) const RECEIVE_WINDOW: usize = 232;
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// As a receiver measures it, from the time stamps of what comes in; `None` without them, or
    /// before the first measurement.
    pub receiver_round_trip: Option<Duration>,
    /// As a sender measures it, from acknowledgements; `None` before the first. Of a connection that
    /// only receives it is the one of its beginning.
    pub sender_round_trip: Option<Duration>,
    pub received: Bytes,
    pub acknowledged: Bytes,
    /// With what was sent again.
    pub sent: Bytes,
    /// Segments that came out of order; 0 on kernels that do not say.
    pub out_of_order: u64,
    /// Segments that were sent again.
    pub sent_again: u64,
    /// The largest segment that may come.
    pub receive_segment: Bytes,
    /// The largest that may be sent.
    pub send_segment: Bytes,
    /// What we advertise at the moment, and the step in which it can be said; `None` on kernels
    /// that do not tell.
    pub receive_window: Option<(Bytes, Bytes)>,
}

/// Asks the kernel about a connection.
///
/// # Errors
/// When `socket` is no TCP connection, or the kernel's answer is too short to be of use.
pub fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let mut info = [0_u8; INFO_BYTES_MAX];
    let mut length = libc::socklen_t::try_from(info.len()).expect("a small number");
    // SAFETY: the kernel writes at most `length` bytes, which is how long the buffer is, and says
    // in `length` how many it wrote. The descriptor is open as long as it is borrowed.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    outcome(status)?;
    let length = usize::try_from(length).unwrap_or(0).min(info.len());
    parse(&info[..length]).ok_or_else(|| io::Error::other("the kernel says too little of TCP connections"))
}

/// What the structure says, as far as it reaches; `None` when that is too little.
pub(super) fn parse(info: &[u8]) -> Option<TcpInfo> {
    if info.len() < INFO_BYTES_MIN {
        return None;
    }
    let four = |place: usize| info.get(place..place + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let eight = |place: usize| info.get(place..place + 8)?.try_into().ok().map(u64::from_ne_bytes);
    let micros = |place| four(place).filter(|micros| *micros != 0).map(u64::from).map(Duration::from_micros);
    let segment = |place| Bytes(u64::from(four(place).unwrap_or(0)));
    let has_timestamps = info[place::OPTIONS] & OPTION_TIMESTAMPS != 0;
    let acknowledged = Bytes(eight(place::BYTES_ACKNOWLEDGED)?);
    // How C's bit fields lie in their byte is the compiler's choice, and follows its byte order.
    let scales = info[place::WINDOW_SCALES];
    let our_scale = if cfg!(target_endian = "little") { scales >> 4 } else { scales & 0x0f };
    Some(TcpInfo {
        receiver_round_trip: micros(place::RECEIVER_ROUND_TRIP).filter(|_| has_timestamps),
        sender_round_trip: micros(place::ROUND_TRIP),
        received: Bytes(eight(place::BYTES_RECEIVED)?),
        acknowledged,
        sent: eight(place::BYTES_SENT).map_or(acknowledged, Bytes),
        out_of_order: four(place::OUT_OF_ORDER).map_or(0, u64::from),
        sent_again: four(place::SENT_AGAIN).map_or(0, u64::from),
        receive_segment: segment(place::ADVERTISED_SEGMENT),
        send_segment: segment(place::SEND_SEGMENT),
        receive_window: four(place::RECEIVE_WINDOW)
            .map(|window| (Bytes(u64::from(window)), Bytes(1 << our_scale))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_kernel_counts_what_a_connection_carries() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        theirs.write_all(&[7; 5000]).unwrap();
        ours.read_exact(&mut [0; 5000]).unwrap();
        ours.write_all(&[7; 300]).unwrap();
        theirs.read_exact(&mut [0; 300]).unwrap();
        let info = tcp_info(&ours).unwrap();
        assert_eq!((info.received, info.sent), (Bytes(5000), Bytes(300)));
        assert!(info.sender_round_trip.is_some());
        assert!(info.receive_segment > Bytes(500), "{info:?}");
    }

    #[test]
    fn what_is_no_connection_has_no_measurements() {
        let folder = std::fs::File::open("/").unwrap();
        assert!(tcp_info(&folder).is_err());
    }

    #[test]
    fn an_answer_of_any_length_is_read_as_far_as_it_reaches() {
        let mut whole: Vec<u8> = vec![0; 248];
        whole[place::OPTIONS] = OPTION_TIMESTAMPS;
        whole[place::WINDOW_SCALES] = 0xA0 | 0x0A;
        let mut put =
            |place: usize, value: u32| whole[place..place + 4].copy_from_slice(&value.to_ne_bytes());
        put(place::RECEIVER_ROUND_TRIP, 21_000);
        put(place::OUT_OF_ORDER, 3);
        put(place::RECEIVE_WINDOW, 65_536);
        whole[place::BYTES_ACKNOWLEDGED..][..8].copy_from_slice(&9_u64.to_ne_bytes());
        whole[place::BYTES_SENT..][..8].copy_from_slice(&12_u64.to_ne_bytes());
        for length in 0..=whole.len() {
            let info = parse(&whole[..length]);
            assert_eq!(info.is_some(), length >= INFO_BYTES_MIN, "{length}");
            let Some(info) = info else { continue };
            assert_eq!(info.receiver_round_trip, Some(Duration::from_millis(21)));
            assert_eq!(info.sender_round_trip, None, "none was measured");
            assert_eq!(info.sent, if length >= 208 { Bytes(12) } else { Bytes(9) });
            assert_eq!(info.out_of_order, if length >= 228 { 3 } else { 0 });
            assert_eq!(info.receive_window, (length >= 236).then_some((Bytes(65_536), Bytes(1024))));
        }
        whole[place::OPTIONS] = 0;
        assert_eq!(parse(&whole).and_then(|info| info.receiver_round_trip), None);
    }
}
