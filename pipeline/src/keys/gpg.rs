//! Signs with the user's gpg and its agent: this program never sees the secret key, which may be on a card.

use std::{io::Read, process::Output};

use el7rpm::{
    Error,
    openpgp::{Certificate, Signer},
};

use base::{
    failure::{Class, Failure, Result},
    process::Program,
};

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
        let mut gpg = Program::new("gpg");
        // `--` keeps an id that begins with a dash from being an option.
        gpg.args(["--batch", "--armor", "--export", "--", id]);
        let asked = |why: String| failed(format!("gpg cannot be asked for the key {id}: {why}"));
        let output = gpg.output().map_err(|e| asked(e.to_string()))?;
        if !output.status.success() {
            return Err(asked(format!("it ended with {}: {}", output.status, words(&output))));
        }
        let armored = String::from_utf8_lossy(&output.stdout);
        if armored.trim().is_empty() {
            return Err(failed(format!("gpg has no key {id}")));
        }
        if Certificate::count(&armored) > 1 {
            let message = format!("several of gpg's keys match `{id}`");
            return Err(Failure::new(Class::Key, message)
                .help("name one by its fingerprint, which `gpg --list-secret-keys` shows"));
        }
        let certificate = Certificate::from_armored(&armored).map_err(Failure::from)?;
        certificate.check_for_signing().map_err(Failure::from)?;
        let own = Self { id: certificate.fingerprint(), certificate };
        own.check_has_secret()?;
        Ok(own)
    }

    /// Checks for the secret part now; otherwise its lack would be found after everything is compiled.
    fn check_has_secret(&self) -> Result<()> {
        let mut gpg = Program::new("gpg");
        gpg.args(["--batch", "--with-colons", "--list-secret-keys", "--", &self.id]);
        let output = gpg.output().map_err(|e| Failure::new(Class::Key, e.to_string()))?;
        // The fifteenth field is `#` if the secret part of the primary key is missing.
        let list = String::from_utf8_lossy(&output.stdout);
        let has = |line: &str| line.starts_with("sec:") && line.split(':').nth(14) != Some("#");
        if output.status.success() && list.lines().any(has) {
            return Ok(());
        }
        let message = format!("gpg has no secret key for {}, and cannot sign with it", self.id);
        Err(Failure::new(Class::Key, message)
            .help("import it where the release is made; `gpg --list-secret-keys` shows the keys that are there"))
    }
}

impl Signer for GpgKey {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The signature has the present time, since gpg sets it.
    fn sign(&self, data: &mut dyn Read, _time: u32) -> el7rpm::Result<Vec<u8>> {
        // `!` means this very key, not a subkey, which rpm 4.11 would not know.
        let user = format!("{}!", self.id);
        let mut gpg = Program::new("gpg");
        gpg.args(["--batch", "--no-armor", "--digest-algo", "SHA256", "--local-user", &user]);
        gpg.args(["--detach-sign", "--output", "-", "-"]);
        let (output, copied) = gpg.output_with_input(data)?;
        // If gpg ends early, its own message says more than the error of the pipe.
        if !output.status.success() {
            let words = words(&output);
            return Err(Error::Sign(format!("gpg ended with {}: {words}", output.status)));
        }
        copied?;
        Ok(output.stdout)
    }
}

/// gpg's messages, without control characters.
fn words(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let words: String = words.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    words.trim().to_owned()
}
