//! Answers of name servers, and a tiny one that gives them.

use super::*;
use tokio::net::TcpListener;

const NAME: &str = "_kerberos._tcp.EXAMPLE.TEST";

/// An SRV record whose owner is a pointer to the question.
fn record(priority: u16, weight: u16, port: u16, host: &[u8]) -> Vec<u8> {
    let data = [&priority.to_be_bytes()[..], &weight.to_be_bytes(), &port.to_be_bytes(), host].concat();
    let length = u16::try_from(data.len()).unwrap();
    [&[0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60][..], &length.to_be_bytes(), &data].concat()
}

/// An answer to `question` with these flags and records.
fn reply(question: &[u8], flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(records.len()).unwrap();
    let mut message = question[..2].to_vec();
    message.extend([flags, 1, count, 0, 0].iter().flat_map(|number| number.to_be_bytes()));
    message.extend_from_slice(&question[12..question.len() - 11]);
    message.extend(records.concat());
    message
}

/// A name server that answers every question with these records, over UDP only that it is too long
/// when `truncated`. Each question is first answered wrongly, as a forger would.
pub(in crate::auth) async fn name_server(records: Vec<Vec<u8>>, truncated: bool) -> SocketAddr {
    // The same port for both: take one for TCP, and ask for it for UDP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    let for_tcp = records.clone();
    tokio::spawn(async move {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question).await {
            let question = &question[..length];
            let mut forged = reply(question, 0x8180, &[record(0, 0, 1, b"\x06forger\0")]);
            forged[0] ^= 1;
            socket.send_to(&forged, from).await.unwrap();
            let flags = if truncated { 0x8380 } else { 0x8180 };
            let records = if truncated { &[][..] } else { &records };
            socket.send_to(&reply(question, flags, records), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let message = reply(&question, 0x8180, &for_tcp);
            stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
            stream.write_all(&message).await.unwrap();
        }
    });
    address
}

/// A record for `127.0.0.1` at `port`, written as a host name.
pub(in crate::auth) fn local_record(port: u16) -> Vec<u8> {
    record(0, 0, port, b"\x09localhost\0")
}

fn shown(places: &[Place]) -> Vec<String> {
    places.iter().map(|place| format!("{}:{}", place.host, place.port)).collect()
}

#[tokio::test]
async fn places_come_in_the_order_of_their_priorities() {
    let records = vec![
        record(20, 0, 88, b"\x04last\0"),
        // A name that goes on at the `EXAMPLE.TEST` of the question.
        record(10, 0, 750, &[3, b'k', b'd', b'c', 0xC0, 27]),
        record(30, 0, 88, b"\0"),
    ];
    for truncated in [false, true] {
        let server = name_server(records.clone(), truncated).await;
        let places = places(&[server], NAME).await.unwrap();
        assert_eq!(shown(&places), ["kdc.EXAMPLE.TEST:750", "last:88"], "truncated: {truncated}");
    }
}

#[tokio::test]
async fn the_next_name_server_is_asked_when_one_does_not_answer() {
    let nobody = {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap()
    };
    let server = name_server(vec![record(0, 0, 88, b"\x03kdc\0")], false).await;
    assert_eq!(shown(&places(&[nobody, server], NAME).await.unwrap()), ["kdc:88"]);
    assert!(places(&[nobody], NAME).await.is_err());
    assert!(places(&[], NAME).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_given_up_on() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let error = places(&[socket.local_addr().unwrap()], NAME).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn an_answer_is_told_from_what_is_none() {
    let question = question(7, NAME).unwrap();
    let good = reply(&question, 0x8180, &[record(0, 0, 88, b"\x03kdc\0")]);
    let places = |message: &[u8]| answer(message, 7, &question);
    assert!(matches!(places(&good), Ok(Some(Answer::Places(found))) if found.len() == 1));

    let changed = |at: usize, byte: u8| {
        let mut message = good.clone();
        message[at] = byte;
        message
    };
    assert_eq!(places(&changed(1, 8)), Err(NotOurs), "another question's number");
    assert_eq!(places(&changed(2, 0)), Err(NotOurs), "a question");
    assert_eq!(places(&changed(13, b'x')), Err(NotOurs), "another name");
    assert!(places(&changed(13, b'_')).is_ok());
    assert_eq!(places(&changed(3, 0x83)), Ok(Some(Answer::Places(Vec::new()))), "no such name");
    assert_eq!(places(&changed(3, 0x82)), Ok(None), "the server failed");
    for end in 0..good.len() {
        let cut = places(&good[..end]);
        assert!(matches!(cut, Err(NotOurs) | Ok(None)), "{end}: {cut:?}");
    }
}

#[test]
fn a_name_that_points_in_circles_is_no_name() {
    let question = question(7, NAME).unwrap();
    // The record's host begins at its own place: the pointer leads to itself.
    let host_at = u8::try_from(question.len() - 11 + 12 + 6).unwrap();
    for host in [&[0xC0, host_at][..], &[1, b'a', 0xC0, host_at], &[0xC0, 0xFF], &[0x40, 0], &[1, b'.', 0]] {
        let message = reply(&question, 0x8180, &[record(0, 0, 88, host)]);
        assert_eq!(answer(&message, 7, &question), Ok(None), "{host:02x?}");
    }
}

#[test]
fn what_is_no_domain_name_is_not_asked_for() {
    let long = "a".repeat(64);
    let wide = ["a"; 130].join(".");
    for name in ["", ".", "a..b", "a b", "ä", long.as_str(), wide.as_str()] {
        assert_eq!(question(1, name), None, "{name}");
    }
    assert!(question(1, "a.b.").is_some());
}

#[test]
fn heavier_places_of_one_priority_tend_to_come_first() {
    let place = |weight, host: &str| Place { priority: 1, weight, port: 88, host: host.to_owned() };
    let mut first = 0;
    for _ in 0..200 {
        let ordered = in_order(vec![place(0, "light"), place(999, "heavy")]);
        assert_eq!(ordered.len(), 2);
        first += u32::from(ordered[0].host == "heavy");
    }
    // One in a thousand goes the other way.
    assert!(first > 150, "{first}");
}

#[test]
fn name_servers_are_read_from_the_systems_file() {
    let text = "# comment\nsearch x\nnameserver 192.0.2.1\n nameserver 2001:db8::1 \nnameserver bad\n\
                nameserver fe80::1%eth0\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
    let found: Vec<_> = servers(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
    assert_eq!(servers("")[0].to_string(), "127.0.0.1:53");
}
