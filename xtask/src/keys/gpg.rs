//! Signs through the user's gpg and its agent: the secret key never comes here, it may be on a
//! card.

use std::io::Read;

use el7rpm::{
    Error,
    openpgp::{Certificate, Signer},
};

use crate::failure::{Class, Failure, Result};

/// A key in gpg's keyring.
pub(super) struct GpgKey {
    id: String,
    certificate: Certificate,
}

impl GpgKey {
    /// Exports the public key `id` and checks that CentOS 7 can use it.
    pub(super) fn find(id: &str) -> Result<Self> {
        let failed = |message: String| {
            Failure::new(Class::Key, message)
                .help("`gpg --list-secret-keys` shows the keys that are there")
        };
        // `--` keeps an id that begins with a dash from being an option.
        let armored =
            duct::cmd!("gpg", "--batch", "--armor", "--export", "--", id).stderr_capture().read();
        let armored =
            armored.map_err(|e| failed(format!("gpg cannot be asked for the key {id}: {e}")))?;
        if armored.trim().is_empty() {
            return Err(failed(format!("gpg has no key {id}")));
        }
        let certificate = Certificate::from_armored(&armored).map_err(Failure::from)?;
        certificate.check_for_signing().map_err(Failure::from)?;
        Ok(Self { id: certificate.fingerprint(), certificate })
    }
}

impl Signer for GpgKey {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The signature bears the present time: the agent signs what gpg hands it, and gpg dates it.
    fn sign(&self, data: &mut dyn Read, _time: u32) -> el7rpm::Result<Vec<u8>> {
        // The exclamation mark: this very key, not a subkey that rpm 4.11 would not know.
        let user = format!("{}!", self.id);
        let (reader, mut writer) = std::io::pipe()?;
        let gpg = duct::cmd!(
            "gpg",
            "--batch",
            "--no-armor",
            "--digest-algo",
            "SHA256",
            "--local-user",
            user,
            "--detach-sign",
            "--output",
            "-",
            "-"
        );
        let gpg = gpg.stdin_file(reader).stdout_capture().stderr_capture().unchecked().start()?;
        // If gpg ends early, its own words say more than a broken pipe.
        let copied = std::io::copy(data, &mut writer);
        drop(writer);
        let output = gpg.into_output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let words: String = words.chars().filter(|c| !c.is_control() || *c == '\n').collect();
            return Err(Error::Sign(format!("gpg ended with {}: {}", output.status, words.trim())));
        }
        copied?;
        Ok(output.stdout)
    }
}
