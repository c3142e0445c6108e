//! OpenPGP keys and signatures that rpm 4.11 of CentOS 7 can check.
//!
//! That rpm knows RSA (and DSA, which is too weak today). It reads the primary
//! key of a certificate only: for it, a signature by a subkey is one by an unknown key. This crate refuses keys that
//! would make such signatures, before it signs anything.

mod armored;
mod own;
mod packet;
pub mod upstream;

use std::{fmt, io::Read, time::SystemTime};

use pgp::{
    composed::{
        ArmorOptions, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedPublicKey,
        SignedSecretKey,
    },
    crypto::hash::HashAlgorithm,
    packet::{
        Packet, PacketParser, PacketTrait, Signature, SignatureConfig, SignatureType, Subpacket,
        SubpacketData,
    },
    types::{
        KeyDetails, KeyId, Password, PublicParams, S2kParams, SecretParams, StringToKey, Timestamp,
    },
};
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Makes signatures: with a [`SecretKey`], or with a key that another program holds, such as gpg.
pub trait Signer: Send + Sync {
    /// The certificate that checks the signatures.
    fn certificate(&self) -> &Certificate;

    /// Makes a binary OpenPGP signature packet over `data`. Its date is `time`, in seconds since 1970, or the
    /// key's creation if that is later.
    ///
    /// # Errors
    /// [`Error::Sign`] or an I/O error.
    fn sign(&self, data: &mut dyn Read, time: u32) -> Result<Vec<u8>>;
}

/// A secret key held in memory.
pub struct SecretKey {
    key: SignedSecretKey,
    password: Password,
    certificate: Certificate,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.certificate.fingerprint())
    }
}

/// RSA with 4096 bits and SHA-256 is the strongest kind that CentOS 7's rpm checks.
const KEY_BITS: u32 = 4096;

impl SecretKey {
    /// Makes a new RSA key of 4096 bits without a passphrase.
    ///
    /// # Errors
    /// [`Error::Key`] if the clock is outside of 1970 to 2106, which OpenPGP cannot store, or if the system gives no random
    /// numbers.
    pub fn generate(user_id: &str) -> Result<Self> {
        let failed = |e: &dyn fmt::Display| Error::key(format!("no key could be made: {e}"), "");
        clock(SystemTime::now())?;
        let key = SecretKeyParamsBuilder::default()
            .key_type(KeyType::Rsa(KEY_BITS))
            .can_certify(true)
            .can_sign(true)
            .primary_user_id(user_id.into())
            .build()
            .map_err(|e| failed(&e))?
            .generate(rand_core::OsRng)
            .map_err(|e| failed(&e))?;
        Self::checked(key, Password::empty())
    }

    /// Reads an armored secret key. `passphrase` is called only if the key is encrypted.
    ///
    /// # Errors
    /// [`Error::Key`] if the text is no such key, if rpm 4.11 cannot check the key's signatures, or if the
    /// passphrase is wrong; or the error of `passphrase`.
    pub fn from_armored(
        text: &str,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>>,
    ) -> Result<Self> {
        let key: SignedSecretKey = armored::first(text.as_bytes()).map_err(|e| {
            armored::check_first_version(text).err().unwrap_or_else(|| {
                Error::key(
                    format!("this is not an armored OpenPGP secret key: {e}"),
                    "export one with `gpg --armor --export-secret-keys ID`",
                )
            })
        })?;
        check_kind(&key.primary_key)?;
        if !key.primary_key.secret_params().is_encrypted() {
            return Self::checked(key, Password::empty());
        }
        if is_stub(key.primary_key.secret_params()) {
            return Err(Error::key(
                "the file holds no secret part of the primary key, at most of subkeys, whose signatures rpm 4.11 of \
                 CentOS 7 does not know",
                "export it where the primary key is, with `gpg --armor --export-secret-keys ID`; of a key on a card, \
                 give the id with --gpg-key",
            ));
        }
        let passphrase = passphrase()?;
        let password = Password::from(passphrase.as_str());
        let unlocked = key.primary_key.unlock(&password, |_, _| Ok(()));
        if !matches!(unlocked, Ok(Ok(()))) {
            return Err(Error::key(
                "the passphrase does not open the secret key",
                "check the passphrase; nothing was signed",
            ));
        }
        Self::checked(key, password)
    }

    fn checked(key: SignedSecretKey, password: Password) -> Result<Self> {
        let certificate = Certificate::new(key.to_public_key())?;
        certificate.check_for_signing()?;
        Ok(Self { key, password, certificate })
    }

    /// The secret key, armored. A key of [`SecretKey::generate`] is not encrypted.
    ///
    /// # Errors
    /// [`Error::Key`] if it cannot be written out.
    pub fn to_armored(&self) -> Result<Zeroizing<String>> {
        let armored = self.key.to_armored_string(ArmorOptions::default());
        Ok(Zeroizing::new(armored.map_err(|e| Error::key(e.to_string(), ""))?))
    }
}

impl Signer for SecretKey {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn sign(&self, data: &mut dyn Read, time: u32) -> Result<Vec<u8>> {
        let key = &self.key.primary_key;
        let failed = |e: pgp::errors::Error| Error::Sign(e.to_string());
        let time = time.max(key.created_at().as_secs());
        let mut config =
            SignatureConfig::v4(SignatureType::Binary, key.algorithm(), HashAlgorithm::Sha256);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))
                .map_err(failed)?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))
                .map_err(failed)?,
        ];
        // rpm 4.11 finds the key by this subpacket.
        config.unhashed_subpackets = vec![
            Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id())).map_err(failed)?,
        ];
        let signature = config.sign(key, &self.password, data).map_err(failed)?;
        let mut packet = Vec::new();
        signature.to_writer_with_header(&mut packet).map_err(failed)?;
        Ok(packet)
    }
}

/// Why newer systems refuse a key that CentOS 7 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat {
    /// Its time is over.
    Expired,
    /// SHA-1 ties its user id to it.
    Sha1,
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => {
                "the key has expired: rpm of CentOS 7 does not look at that, EL 9 and later refuse it; \
                 `gpg --quick-set-expire FINGERPRINT 2y` prolongs it"
            }
            Self::Sha1 => {
                "the key signed its own user id with SHA-1: CentOS 7 takes it, EL 9 and later do not; \
                 `gpg --cert-digest-algo SHA256 --quick-set-expire FINGERPRINT 2y` signs it anew"
            }
        })
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: SignedPublicKey,
}

impl Certificate {
    fn new(key: SignedPublicKey) -> Result<Self> {
        let details = own::details(&key.primary_key, key.details)?;
        Ok(Self { key: SignedPublicKey::new(key.primary_key, details, Vec::new()) })
    }

    /// Whether a user id is certified with SHA-1 only. EL9 and later do not accept such keys.
    pub fn relies_on_sha1(&self) -> bool {
        let newest = |signatures: &[Signature]| {
            let newest = signatures.iter().max_by_key(|s| s.created().map(|t| t.as_secs()));
            newest.and_then(Signature::hash_alg)
        };
        let mut users = self.key.details.users.iter();
        users.any(|user| newest(&user.signatures) == Some(HashAlgorithm::Sha1))
    }

    /// Why newer systems refuse the key, although CentOS 7 takes it.
    pub fn caveats(&self) -> Vec<Caveat> {
        let expired = self.is_expired().then_some(Caveat::Expired);
        let sha1 = self.relies_on_sha1().then_some(Caveat::Sha1);
        expired.into_iter().chain(sha1).collect()
    }

    /// Whether its owner, or whom he has named for it, has taken it back.
    pub fn is_revoked(&self) -> bool {
        !self.key.details.revocation_signatures.is_empty()
    }

    /// Reads the first key of an armored text.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no such key, or rpm 4.11 cannot use it.
    pub fn from_armored(text: &str) -> Result<Self> {
        let key: SignedPublicKey = armored::first(text.as_bytes()).map_err(|e| {
            armored::check_first_version(text).err().unwrap_or_else(|| {
                Error::key(
                    format!("this is not an armored OpenPGP public key: {e}"),
                    "export one with `gpg --armor --export ID`",
                )
            })
        })?;
        check_kind(&key.primary_key)?;
        Self::new(key)
    }

    /// Reads an armored text that must hold exactly one key. (`rpm --import` would import all of them.)
    ///
    /// # Errors
    /// As [`Certificate::from_armored`], or if there is more than one.
    pub fn only(text: &str) -> Result<Self> {
        const BEGIN: &str = "-----BEGIN PGP";
        let own = Self::from_armored(text)?;
        match text.matches(BEGIN).count() > 1 || Self::count(text) > 1 {
            true => Err(Error::key("the file holds more than one key", "")),
            false => Ok(own),
        }
    }

    /// The number of keys in the first block of an armored text, whether they can be read or not.
    pub fn count(text: &str) -> usize {
        armored::all::<SignedPublicKey>(text.as_bytes()).map_or(0, |keys| keys.len())
    }

    /// The certificate as CentOS 7's rpm wants it for import: armored, RSA primary key.
    ///
    /// # Errors
    /// [`Error::Key`] if it cannot be written out.
    pub fn to_armored(&self) -> Result<String> {
        self.key
            .to_armored_string(ArmorOptions::default())
            .map_err(|e| Error::key(e.to_string(), ""))
    }

    /// Fingerprint in lower-case hex.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint().to_string()
    }

    /// The user ids, in the key's order.
    pub fn user_ids(&self) -> Vec<String> {
        let ids = self.key.details.users.iter();
        ids.map(|u| crate::spec::printable(&String::from_utf8_lossy(u.id.id()))).collect()
    }

    /// When the key was made, in seconds since 1970.
    pub fn created(&self) -> u32 {
        self.key.created_at().as_secs()
    }

    /// Checks that the primary key may sign now. A key that does not state its use may.
    ///
    /// # Errors
    /// [`Error::Key`] with the reason why it may not.
    pub fn check_for_signing(&self) -> Result<()> {
        check_kind(&self.key.primary_key)?;
        let details = &self.key.details;
        if !own::may_sign(details) {
            return Err(Error::key(
                "the primary key may not sign; rpm 4.11 of CentOS 7 knows no signatures by subkeys",
                "use a key whose primary key is marked for signing",
            ));
        }
        self.check_is_made(SystemTime::now())?;
        if self.is_expired() {
            return Err(Error::key(
                "the key has expired",
                "prolong it (`gpg --quick-set-expire FINGERPRINT 2y`) and export it again, or use another",
            ));
        }
        if self.is_revoked() {
            return Err(Error::key("the key is revoked", "use another key"));
        }
        Ok(())
    }

    /// Refuses a key from the future: its signatures would have its date, and yum checks the metadata with gpg, which refuses
    /// signatures from the future.
    fn check_is_made(&self, now: SystemTime) -> Result<()> {
        let made = self.key.created_at();
        if clock(now)? >= made {
            return Ok(());
        }
        let date = time::OffsetDateTime::from_unix_timestamp(made.as_secs().into());
        let date = date.map_or_else(|_| made.as_secs().to_string(), |d| d.date().to_string());
        Err(Error::key(
            format!("the key was made on {date}, in the future by this machine's clock"),
            "set the clock if it is wrong (`date` shows it); a key that was made at a wrong clock is of no use, make a new one",
        ))
    }

    /// Whether the key has expired, according to its newest self-signature.
    pub fn is_expired(&self) -> bool {
        own::is_expired(&self.key.primary_key, &self.key.details)
    }

    /// Checks one signature packet over `data`.
    ///
    /// # Errors
    /// [`Mismatch`] with the reason.
    pub fn verify(&self, packet: &[u8], data: impl Read) -> std::result::Result<(), Mismatch> {
        let (signature, issuer) = parse_signature(packet)?;
        if issuer != Some(self.key.legacy_key_id()) {
            let by = issuer.map_or_else(|| "none is named".into(), |id| id.to_string());
            return Err(Mismatch::OtherKey(by));
        }
        signature.verify(&self.key.primary_key, data).map_err(|_| Mismatch::Wrong)
    }
}

/// Whether the file has gpg's placeholder instead of the secret part, which was not exported or is on a card.
fn is_stub(secret: &SecretParams) -> bool {
    let SecretParams::Encrypted(secret) = secret else { return false };
    match secret.string_to_key_params() {
        S2kParams::Cfb { s2k, .. } | S2kParams::MalleableCfb { s2k, .. } => {
            matches!(s2k, StringToKey::Private { .. })
        }
        _ => false,
    }
}

/// The time in OpenPGP's form. The crate `pgp` would panic for times outside of 1970 to 2106.
fn clock(now: SystemTime) -> Result<Timestamp> {
    Timestamp::try_from(now).map_err(|_| {
        Error::key(
            "this machine's clock is before 1970 or after February 2106: no key can bear that time",
            "set the clock (`date` shows it), and run again",
        )
    })
}

/// Why a signature is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is no signature, or of a kind that rpm 4.11 cannot check.
    #[error("is not an RSA signature that CentOS 7 can check")]
    Unusable,
    /// It was made by another key.
    #[error("was made by another key ({0})")]
    OtherKey(String),
    /// It belongs to other data.
    #[error("does not match the content")]
    Wrong,
}

/// Parses a signature packet. Returns the id of the key by which rpm looks for it as well.
fn parse_signature(packet: &[u8]) -> std::result::Result<(Signature, Option<KeyId>), Mismatch> {
    let facts = packet::read(packet).ok_or(Mismatch::Unusable)?;
    let is_rsa = facts.algorithm == packet::RSA && facts.kind == packet::BINARY;
    if !is_rsa || !packet::HASHES.contains(&facts.hash) {
        return Err(Mismatch::Unusable);
    }
    match PacketParser::new(packet).next() {
        Some(Ok(Packet::Signature(signature))) => Ok((signature, facts.issuer.map(KeyId::from))),
        _ => Err(Mismatch::Unusable),
    }
}

/// The signature packet inside an armored detached signature (`repomd.xml.asc`).
///
/// # Errors
/// [`Mismatch::Unusable`] for anything else.
pub fn packet_from_armor(text: &[u8]) -> std::result::Result<Vec<u8>, Mismatch> {
    let signature: DetachedSignature = armored::first(text).map_err(|_| Mismatch::Unusable)?;
    let mut packet = Vec::new();
    signature.signature.to_writer_with_header(&mut packet).map_err(|_| Mismatch::Unusable)?;
    Ok(packet)
}

/// Armors a signature packet.
///
/// # Errors
/// [`Error::Sign`] if `packet` is no signature packet.
pub fn armor(packet: &[u8]) -> Result<String> {
    let (signature, _) = parse_signature(packet).map_err(|e| Error::Sign(e.to_string()))?;
    let detached = DetachedSignature::new(signature);
    detached.to_armored_string(ArmorOptions::default()).map_err(|e| Error::Sign(e.to_string()))
}

fn check_kind(key: &impl KeyDetails) -> Result<()> {
    armored::check_version(u8::from(key.version()))?;
    let name = match key.public_params() {
        PublicParams::RSA(rsa) => {
            let bits = rsa.key.n().bits();
            if bits >= 2048 {
                return Ok(());
            }
            return Err(Error::key(
                format!("the RSA key has {bits} bits, which is too weak to be trusted"),
                "make one with 4096 bits: `gpg --quick-generate-key NAME rsa4096 sign`",
            ));
        }
        PublicParams::DSA(_) => "DSA",
        PublicParams::ECDSA(_) => "ECDSA",
        PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) | PublicParams::Ed448(_) => "EdDSA",
        _ => "an algorithm",
    };
    Err(Error::key(
        format!(
            "the key is {name}, whose signatures rpm 4.11 of CentOS 7 cannot check or should not trust"
        ),
        "use an RSA key of 4096 bits: `gpg --quick-generate-key NAME rsa4096 sign`",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use pgp::types::KeyVersion;

    use super::*;

    #[test]
    fn keys_of_other_versions_than_4_are_refused() {
        for version in [KeyVersion::V4, KeyVersion::V6] {
            let key = SecretKeyParamsBuilder::default()
                .version(version)
                .key_type(KeyType::Rsa(2048))
                .can_certify(true)
                .can_sign(true)
                .primary_user_id("x".into())
                .build()
                .unwrap();
            let key = key.generate(rand_core::OsRng).unwrap();
            let armored = key.to_armored_string(ArmorOptions::default()).unwrap();
            let secret = SecretKey::from_armored(&armored, || unreachable!());
            let armored = key.to_public_key().to_armored_string(ArmorOptions::default()).unwrap();
            let public = Certificate::from_armored(&armored);
            if version == KeyVersion::V4 {
                assert!(secret.is_ok() && public.is_ok());
                continue;
            }
            for error in [secret.map(drop).unwrap_err(), public.map(drop).unwrap_err()] {
                assert!(error.to_string().contains("the key is of version 6"), "{error}");
            }
        }
    }

    #[test]
    fn a_clock_outside_of_1970_to_2106_is_an_error() {
        let second = Duration::from_secs(1);
        let (first, last) = (UNIX_EPOCH, UNIX_EPOCH + second * u32::MAX);
        assert_eq!(clock(first).unwrap().as_secs(), 0);
        assert_eq!(clock(last).unwrap().as_secs(), u32::MAX);
        for now in [first - second, last + second] {
            assert!(clock(now).unwrap_err().to_string().contains("clock"));
        }
    }
}
