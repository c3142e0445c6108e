//! Checks upstream's signatures of source archives. All kinds of OpenPGP keys may be used, subkeys included,
//! because rpm does not check these signatures.
//!
//! A key is used if its self-signatures are valid and it has neither expired nor been revoked. Certifications by
//! others are not needed: the user has chosen the file of keys.

use std::{
    fmt,
    io::{self, Read},
};

use pgp::{
    composed::{DetachedSignature, SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    errors::Result as Parsed,
    packet::{Signature, SignatureType},
    types::KeyDetails,
};

use super::{armored, own};
use crate::{Error, Result};

/// Keys that may have signed an archive.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
}

/// The key that made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// Fingerprint of the primary key, in lower-case hex.
    pub fingerprint: String,
    /// Its first user id.
    pub user_id: String,
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fingerprint, self.user_id)
    }
}

/// Why a signature is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    /// The file is no signature.
    #[error("it is no OpenPGP signature of a file")]
    NoSignature,
    /// It was made by a key that is not in the keyring.
    #[error("it was made by the key {0}, which is not among the keys")]
    UnknownKey(String),
    /// The key has expired.
    #[error("the key {0} has expired")]
    Expired(String),
    /// The key has been revoked.
    #[error("the key {0} is revoked")]
    Revoked(String),
    /// The key is not for signing, or its self-signatures are not valid.
    #[error("the key {0} may not sign")]
    NotForSigning(String),
    /// The signature has expired.
    #[error("the signature has expired")]
    Old,
    /// Its digest is MD5, which can be forged.
    #[error("it uses MD5, which proves nothing")]
    Weak,
    /// It was made over other data.
    #[error("it does not match the file")]
    Wrong,
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Keyring {
    /// Reads keys, armored or not. There may be any text between armored keys, as in the KEYS files
    /// of the Apache projects. A key that cannot be read is skipped.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no key.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let keys: Vec<_> = match text.contains(BEGIN) {
            true => text.split(BEGIN).skip(1).flat_map(block).collect(),
            false => readable(armored::binary(bytes)),
        };
        match keys.is_empty() {
            true => Err(Error::key("it holds no OpenPGP public key that can be read", "")),
            false => Ok(Self { keys }),
        }
    }

    /// Checks a detached signature, armored or not. `open` opens the signed data; it is called once for each
    /// signature that is tried.
    ///
    /// # Errors
    /// [`SignatureFault`] with the reason; if there are several signatures, the reason of the last.
    pub fn check<R: Read>(
        &self,
        signature: &[u8],
        open: impl Fn() -> io::Result<R>,
    ) -> std::result::Result<SignedBy, SignatureFault> {
        let mut fault = SignatureFault::NoSignature;
        for signature in signatures(signature) {
            match self.check_one(&signature, &open) {
                Ok(by) => return Ok(by),
                Err(why) => fault = why,
            }
        }
        Err(fault)
    }

    fn check_one<R: Read>(
        &self,
        signature: &Signature,
        open: impl Fn() -> io::Result<R>,
    ) -> std::result::Result<SignedBy, SignatureFault> {
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(SignatureFault::NoSignature);
        }
        if signature.hash_alg() == Some(HashAlgorithm::Md5) {
            return Err(SignatureFault::Weak);
        }
        if !own::is_valid_now(signature) {
            return Err(SignatureFault::Old);
        }
        for key in &self.keys {
            if is_by(signature, &key.primary_key) {
                check_primary(key, true)?;
                signature.verify(&key.primary_key, open()?).map_err(|_| SignatureFault::Wrong)?;
                return Ok(signed_by(key));
            }
            if let Some(subkey) = key.public_subkeys.iter().find(|s| is_by(signature, &s.key)) {
                check_primary(key, false)?;
                check_subkey(key, subkey)?;
                signature.verify(&subkey.key, open()?).map_err(|_| SignatureFault::Wrong)?;
                return Ok(signed_by(key));
            }
        }
        let fingerprints = signature.issuer_fingerprint();
        let by = fingerprints.first().map(|f| f.to_string());
        let by = by.or_else(|| signature.issuer_key_id().first().map(|id| id.to_string()));
        Err(SignatureFault::UnknownKey(by.unwrap_or_else(|| "of no name".into())))
    }
}

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// The keys of one armored block. `rest` begins after its first line.
fn block(rest: &str) -> Vec<SignedPublicKey> {
    let body = rest.split(END).next().unwrap_or_default();
    readable(armored::all(format!("{BEGIN}{body}{END}\n").as_bytes()))
}

fn signatures(bytes: &[u8]) -> Vec<Signature> {
    let found: Vec<DetachedSignature> =
        readable(armored::all(bytes).or_else(|_| armored::binary(bytes)));
    found.into_iter().map(|s| s.signature).collect()
}

/// Those that can be read; none if the whole cannot.
fn readable<T>(all: Parsed<Vec<Parsed<T>>>) -> Vec<T> {
    all.unwrap_or_default().into_iter().filter_map(Parsed::ok).collect()
}

fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature.issuer_fingerprint().iter().any(|f| **f == key.fingerprint())
        || signature.issuer_key_id().iter().any(|id| **id == key.legacy_key_id())
}

fn signed_by(key: &SignedPublicKey) -> SignedBy {
    let id = key.details.users.first().map(|u| String::from_utf8_lossy(u.id.id()).into_owned());
    SignedBy {
        fingerprint: key.fingerprint().to_string(),
        user_id: crate::spec::printable(&id.unwrap_or_default()),
    }
}

/// The newest of some signatures.
fn newest<'a>(all: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    all.max_by_key(|s| s.created().map(|t| t.as_secs()))
}

fn check_primary(key: &SignedPublicKey, signs: bool) -> std::result::Result<(), SignatureFault> {
    let name = || key.fingerprint().to_string();
    let own = own::statements(&key.primary_key, key.details.clone());
    if !own.revocation_signatures.is_empty() {
        return Err(SignatureFault::Revoked(name()));
    }
    if own.users.is_empty() && own.direct_signatures.is_empty() {
        return Err(SignatureFault::NotForSigning(name()));
    }
    if own::is_expired(&key.primary_key, &own) {
        return Err(SignatureFault::Expired(name()));
    }
    match signs && !own::may_sign(&own) {
        true => Err(SignatureFault::NotForSigning(name())),
        false => Ok(()),
    }
}

fn check_subkey(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
) -> std::result::Result<(), SignatureFault> {
    let name = || subkey.key.fingerprint().to_string();
    let holds = |s: &&Signature| s.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok();
    let of = |typ: SignatureType| {
        subkey.signatures.iter().filter(move |s| s.typ() == Some(typ)).filter(holds)
    };
    if of(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(SignatureFault::Revoked(name()));
    }
    let binding = newest(of(SignatureType::SubkeyBinding));
    let binding = binding.ok_or_else(|| SignatureFault::NotForSigning(name()))?;
    let agreed = binding
        .embedded_signature()
        .is_some_and(|back| back.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    if !binding.key_flags().sign() || !agreed {
        return Err(SignatureFault::NotForSigning(name()));
    }
    let lasts = binding.key_expiration_time().map(|d| u64::from(d.as_secs()));
    match own::is_over(u64::from(subkey.key.created_at().as_secs()), lasts) {
        true => Err(SignatureFault::Expired(name())),
        false => Ok(()),
    }
}
