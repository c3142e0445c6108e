//! Self-signatures: what a primary key states about itself.
//!
//! Keys also have certifications by others, photographs, subkeys, and user ids that have expired or been revoked. These are
//! not wrong, but rpm does not use them. They are left out of the published key, because rpm 4.11 cannot import a
//! key with a certification by an algorithm that it does not know.

use std::time::{SystemTime, UNIX_EPOCH};

use pgp::{
    composed::SignedKeyDetails,
    packet::{PublicKey, Signature, SignatureType},
    types::{KeyDetails, SignedUser, Tag},
};

use crate::{Error, Result};

/// The valid self-signatures in `details`. At least one of them must certify a user id.
pub(super) fn details(key: &PublicKey, details: SignedKeyDetails) -> Result<SignedKeyDetails> {
    let own = statements(key, details);
    if own.users.is_empty() {
        return Err(Error::key(
            "the key has no valid self-signature: none of its user ids is certified",
            "export the key again; an expired or revoked user id can be replaced with `gpg --quick-add-uid`",
        ));
    }
    Ok(own)
}

/// The valid self-signatures in `details`.
pub(super) fn statements(key: &PublicKey, details: SignedKeyDetails) -> SignedKeyDetails {
    let SignedKeyDetails { revocation_signatures, direct_signatures, users, .. } = details;
    let direct: Vec<_> = direct_signatures
        .into_iter()
        .filter(|s| is_by(key, s) && is_valid_now(s) && s.verify_key(key).is_ok())
        .collect();
    let users: Vec<_> = users.into_iter().filter_map(|user| confirmed(key, user)).collect();
    let own = || users.iter().flat_map(|user| &user.signatures).chain(&direct);
    let revoker = |s: &Signature| {
        own().filter_map(Signature::revocation_key).any(|named| {
            let by: Vec<_> = s.issuer_fingerprint().iter().map(|f| f.as_bytes().to_vec()).collect();
            let ids: Vec<_> = s.issuer_key_id().iter().map(|id| id.as_ref().to_vec()).collect();
            let named = &named.fingerprint[..];
            by.iter().any(|f| f == named) || ids.iter().any(|id| named.ends_with(id))
        })
    };
    // A revocation by a designated revoker cannot be checked without the revoker's key. It is assumed to be valid.
    let revocations: Vec<_> = revocation_signatures
        .into_iter()
        .filter(|s| s.verify_key(key).is_ok() || !is_by(key, s) && revoker(s))
        .collect();
    SignedKeyDetails::new(revocations, direct, users, Vec::new())
}

/// The newest self-signature. It is the one that applies to the key as a whole. A direct one without key flags and expiry only
/// names a revoker, as gpg writes it, and changes neither.
fn newest(own: &SignedKeyDetails) -> Option<&Signature> {
    let says_how = |s: &&Signature| {
        s.key_expiration_time().is_some() || s.key_flags().sign() || s.key_flags().certify()
    };
    let direct = own.direct_signatures.iter().filter(says_how);
    let all = own.users.iter().flat_map(|user| &user.signatures).chain(direct);
    all.max_by_key(|s| s.created().map(|t| t.as_secs()))
}

/// Whether the primary key may sign, by its self-signatures. A key that does not state its use may.
pub(super) fn may_sign(own: &SignedKeyDetails) -> bool {
    newest(own).is_none_or(|newest| {
        let flags = newest.key_flags();
        flags.sign() || !(flags.certify() || flags.encrypt_comms())
    })
}

/// Whether the key has expired, according to its self-signatures.
pub(super) fn is_expired(key: &PublicKey, own: &SignedKeyDetails) -> bool {
    let lasts =
        newest(own).and_then(Signature::key_expiration_time).map(|d| u64::from(d.as_secs()));
    is_over(u64::from(key.created_at().as_secs()), lasts)
}

/// Whether a period of `lasts` seconds that began at `start` is over.
pub(super) fn is_over(start: u64, lasts: Option<u64>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |d| d.as_secs());
    lasts.is_some_and(|lasts| lasts > 0 && start + lasts <= now)
}

/// The user id with the key's valid certifications of it; `None` if there are none.
fn confirmed(key: &PublicKey, user: SignedUser) -> Option<SignedUser> {
    let holds =
        |s: &Signature| is_by(key, s) && s.verify_certification(key, Tag::UserId, &user.id).is_ok();
    let is_revocation = |s: &Signature| s.typ() == Some(SignatureType::CertRevocation);
    let (revocations, certifications): (Vec<_>, Vec<_>) =
        user.signatures.iter().filter(|s| holds(s)).cloned().partition(is_revocation);
    let time = |s: &Signature| s.created().map(|t| t.as_secs());
    let newest = certifications.iter().max_by_key(|s| time(s))?;
    let is_revoked = revocations.iter().any(|s| time(s) >= time(newest));
    if is_revoked || !is_valid_now(newest) {
        return None;
    }
    Some(SignedUser::new(user.id, certifications))
}

fn is_by(key: &PublicKey, signature: &Signature) -> bool {
    let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
    ids.is_empty() && fingerprints.is_empty()
        || ids.iter().any(|id| **id == key.legacy_key_id())
        || fingerprints.iter().any(|f| **f == key.fingerprint())
}

/// Whether the signature has not expired.
pub(super) fn is_valid_now(signature: &Signature) -> bool {
    let made = signature.created().map_or(0, |t| u64::from(t.as_secs()));
    let lasts = signature.signature_expiration_time().map(|d| u64::from(d.as_secs()));
    !is_over(made, lasts)
}
