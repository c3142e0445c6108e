//! Checks upstream's signature of an archive, before the archive is pinned.

use std::path::Path;

use el7rpm::{
    input,
    openpgp::upstream::{Keyring, SignatureFault},
    spec::{Source, UpstreamSignature},
};
use fs_err::File;

use base::failure::{Class, Classify, Failure, Result};

/// Limit in bytes for a signature.
pub(super) const LARGEST: u64 = 1 << 20;
/// Limit in bytes for a file of keys. The KEYS file of a large foundation has some MB.
const LARGEST_KEYS: u64 = 64 << 20;

/// Checks the signature in `file` over the archive. Returns the key that made it.
pub(super) fn check(
    source: &Source,
    wanted: &UpstreamSignature,
    file: &Path,
    archive: &Path,
) -> Result<String> {
    let keys = input::read(&wanted.keys, LARGEST_KEYS).class(Class::Source)?;
    let keyring = Keyring::read(&keys).map_err(|e| {
        Failure::new(Class::Source, format!("{}: {e}", wanted.keys.display()))
            .help("`signature-key` names a file with upstream's public keys, armored or not")
    })?;
    let signature = fs_err::read(file).class(Class::Source)?;
    let checked = keyring.check(&signature, || File::open(archive));
    checked.map(|by| by.to_string()).map_err(|fault| {
        let message = format!("the signature of `{}` is not valid: {fault}", source.name);
        let help = match fault {
            SignatureFault::Expired(_)
            | SignatureFault::Revoked(_)
            | SignatureFault::UnknownKey(_) => format!(
                "if upstream signs with another key now, put it into {}; nothing was pinned",
                wanted.keys.display()
            ),
            _ => "do not use this archive before you know why; nothing was pinned".to_owned(),
        };
        Failure::new(Class::Source, message).help(help)
    })
}
