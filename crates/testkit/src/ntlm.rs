//! A server's message of NTLM: enough for a client to answer it. No answer is looked at.

/// A challenge of NTLM version 2 (MS-NLMP 2.2.1.2): Unicode, extended session security, key
/// exchange, 128 bits; and a domain, a server and a time as target information.
pub fn ntlm_challenge() -> Vec<u8> {
    const FLAGS: u32 = 0xE289_8215;
    const HEAD_BYTES: u32 = 56;
    let name: Vec<u8> = "DOM".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut info = Vec::new();
    for (kind, value) in
        [(2, name.clone()), (1, name.clone()), (7, vec![1, 2, 3, 4, 5, 6, 7, 1]), (0, Vec::new())]
    {
        info.extend(u16::to_le_bytes(kind));
        info.extend(u16::try_from(value.len()).expect("short").to_le_bytes());
        info.extend(value);
    }
    let field = |length: usize, place: u32| {
        let length = u16::try_from(length).expect("short").to_le_bytes();
        [&length[..], &length, &place.to_le_bytes()].concat()
    };
    [
        b"NTLMSSP\0".to_vec(),
        2u32.to_le_bytes().to_vec(),
        field(name.len(), HEAD_BYTES),
        FLAGS.to_le_bytes().to_vec(),
        vec![1, 2, 3, 4, 5, 6, 7, 8],
        vec![0; 8],
        field(info.len(), HEAD_BYTES + u32::try_from(name.len()).expect("short")),
        vec![10, 0, 0, 0, 0, 0, 0, 15],
        name,
        info,
    ]
    .concat()
}
