//! Reads signature packets as rpm does (rpmio/rpmpgp.c). OpenPGP libraries accept more kinds, and find the
//! key in other ways.

/// The fields of a signature packet that rpm uses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Id of the key: the first issuer subpacket. It does not matter whether it is hashed, or whether there is
    /// a fingerprint, too.
    pub(super) issuer: Option<[u8; 8]>,
    pub(super) kind: u8,
    pub(super) algorithm: u8,
    pub(super) hash: u8,
}

/// Digests that are accepted: SHA-1 and the four of SHA-2. rpm 4.11.3 (rpmio/digest_nss.c) knows MD5 as well, which is
/// broken.
pub(super) const HASHES: [u8; 5] = [2, 8, 9, 10, 11];
/// Binary document.
pub(super) const BINARY: u8 = 0;
pub(super) const RSA: u8 = 1;
const SIGNATURE_PACKET: u8 = 2;

const CREATED: u8 = 2;
const ISSUER: u8 = 16;
const KEY_FLAGS: u8 = 27;
const CRITICAL: u8 = 0x80;

/// Reads one RSA signature packet of version 3 or 4. `None` if it is another packet, or there are more bytes.
pub(super) fn read(packet: &[u8]) -> Option<Facts> {
    let body = body(packet)?;
    let (facts, end) = match body.first()? {
        3 => version_3(body)?,
        4 => version_4(body)?,
        _ => return None,
    };
    // Two bytes of the digest, then RSA's single number.
    let number = end.get(2..)?;
    let bits = usize::from(be16(number)?);
    (number.len() == 2 + bits.div_ceil(8)).then_some(facts)
}

fn version_3(body: &[u8]) -> Option<(Facts, &[u8])> {
    let (head, end) = body.split_at_checked(17)?;
    let issuer = head[7..15].try_into().ok();
    let facts = Facts { issuer, kind: head[2], algorithm: head[15], hash: head[16] };
    // The length of the hashed part: kind and time.
    (head[1] == 5).then_some((facts, end))
}

fn version_4(body: &[u8]) -> Option<(Facts, &[u8])> {
    let (head, rest) = body.split_at_checked(4)?;
    let (hashed, rest) = area(rest)?;
    let (unhashed, end) = area(rest)?;
    let mut stated = Subpackets::default();
    stated.read(hashed, true)?;
    stated.read(unhashed, false)?;
    let facts = Facts { issuer: stated.issuer?, kind: head[1], algorithm: head[2], hash: head[3] };
    stated.created.then_some((facts, end))
}

/// What the subpackets of both areas state.
#[derive(Default)]
struct Subpackets {
    /// The issuer. `Some(None)`: there is an issuer subpacket, but it names no key.
    issuer: Option<Option<[u8; 8]>>,
    created: bool,
}

impl Subpackets {
    fn read(&mut self, mut area: &[u8], is_hashed: bool) -> Option<()> {
        while !area.is_empty() {
            let (length, rest) = length(area, 255)?;
            let (subpacket, rest) = rest.split_at_checked(length)?;
            area = rest;
            let (kind, content) = subpacket.split_first()?;
            match *kind {
                ISSUER if self.issuer.is_none() => self.issuer = Some(content.try_into().ok()),
                CREATED if is_hashed && self.created => return None,
                CREATED => self.created |= is_hashed && content.len() == 4,
                // rpm 4.18 refuses critical subpackets that it does not know; 4.11.3 does not know a critical issuer.
                kind if kind & CRITICAL != 0 => match kind & !CRITICAL {
                    CREATED | KEY_FLAGS if is_hashed => self.created |= kind == CREATED | CRITICAL,
                    _ => return None,
                },
                _ => {}
            }
        }
        Some(())
    }
}

/// Splits off an area of subpackets from the bytes after it.
fn area(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(be16(bytes)?);
    bytes.get(2..)?.split_at_checked(length)
}

/// The body of a packet; `None` if `packet` has bytes after it.
fn body(packet: &[u8]) -> Option<&[u8]> {
    let (head, rest) = packet.split_first()?;
    let (tag, length, body) = match head & 0xc0 {
        0xc0 => {
            let (length, body) = length(rest, 224)?;
            (head & 0x3f, length, body)
        }
        0x80 => {
            let width = [1, 2, 4].get(usize::from(head & 3))?;
            let (length, body) = rest.split_at_checked(*width)?;
            let length = length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            (head >> 2 & 0xf, length, body)
        }
        _ => return None,
    };
    (tag == SIGNATURE_PACKET && body.len() == length).then_some(body)
}

/// Splits off a length of the new format: one byte, or two bytes if the first is below `two`, or five bytes.
fn length(bytes: &[u8], two: u8) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        0..192 => Some((usize::from(*first), rest)),
        255 => {
            let (length, rest) = rest.split_first_chunk()?;
            Some((u32::from_be_bytes(*length) as usize, rest))
        }
        first if first < two => {
            let (second, rest) = rest.split_first()?;
            Some(((usize::from(first) - 192) * 256 + usize::from(*second) + 192, rest))
        }
        _ => None,
    }
}

fn be16(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.first_chunk()?))
}
