//! Security identifiers (MS-DTYP 2.4.2): binary, text, and the relative part.

/// The binary form of a value that may be the printed `S-1-5-…`.
pub(super) fn value(value: &[u8]) -> Vec<u8> {
    let parsed = std::str::from_utf8(value).ok().and_then(parse);
    parsed.unwrap_or_else(|| value.to_vec())
}

fn parse(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.trim().strip_prefix("S-1-").or_else(|| text.trim().strip_prefix("s-1-"))?.split('-');
    let authority: u64 = parts.next()?.parse().ok()?;
    let sub: Vec<u32> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let mut bytes = vec![1, u8::try_from(sub.len()).ok()?];
    bytes.extend_from_slice(&authority.to_be_bytes()[2..]);
    sub.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
    Some(bytes)
}

/// A domain's identifier that follows from 12 bytes.
pub(super) fn domain(seed: &[u8; 16]) -> Vec<u8> {
    let mut bytes = vec![1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0];
    bytes.extend_from_slice(&seed[..12]);
    bytes
}

/// A domain's identifier with a relative one behind it.
pub(super) fn with_rid(domain: &[u8], rid: u32) -> Vec<u8> {
    let mut bytes = domain.to_vec();
    if let Some(count) = bytes.get_mut(1) {
        *count += 1;
    }
    bytes.extend_from_slice(&rid.to_le_bytes());
    bytes
}

/// Splits an account's identifier into the domain's and the relative one.
pub(super) fn split(sid: &[u8]) -> Option<(Vec<u8>, u32)> {
    if sid.len() < 16 {
        return None;
    }
    let (domain, rid) = sid.split_last_chunk::<4>()?;
    let mut domain = domain.to_vec();
    *domain.get_mut(1)? -= 1;
    Some((domain, u32::from_le_bytes(*rid)))
}

/// The printed form.
pub(super) fn text(sid: &[u8]) -> String {
    let authority = sid.get(2..8).unwrap_or_default().iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    let mut text = format!("S-1-{authority}");
    for part in sid.get(8..).unwrap_or_default().chunks_exact(4) {
        let part = <[u8; 4]>::try_from(part).map_or(0, u32::from_le_bytes);
        text.push_str(&format!("-{part}"));
    }
    text
}
