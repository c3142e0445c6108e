//! `sign NAME`: signs a package. The result is the signed RPM. It is empty for a debug package without any debug
//! information.

use std::path::PathBuf;

use el7rpm::{openpgp::Certificate, signature, signature::SignedRpm};

use super::{
    Context, Draft, Prerequisite, Step, WritePackage,
    package::{PackageResult, rpm_in},
};
use crate::cache::{Cache, changed};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Key, KeyBuilder},
    step::Kind,
};

/// Signs a package.
#[derive(Debug)]
pub struct SignPackage {
    /// The unsigned package.
    pub unsigned: Prerequisite<WritePackage>,
}

impl SignPackage {
    /// `signing_key` is the fingerprint of the key.
    pub(crate) fn draft(unsigned: Prerequisite<WritePackage>, signing_key: &str) -> Draft<Self> {
        let key = KeyBuilder::new("sign", 1)
            .step("package", &unsigned.name, &unsigned.identity.key)
            .text("the signing key", signing_key);
        let name = unsigned.work.package.name.clone();
        let (needs, package) = (vec![unsigned.id], Some(name.clone()));
        Draft {
            needs,
            package,
            ..Draft::new(format!("sign {name}"), key.identify(), Self { unsigned })
        }
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        let written = self.unsigned.rpm(context.cache)?;
        let written = written.ok_or_else(|| context.gone(&self.unsigned.name))?;
        context.cache.make(Kind::Sign, &step.key, |out| {
            if let PackageResult::Rpm(rpm) = written {
                let path = out.join(self.unsigned.work.package.file_name());
                signature::sign(&rpm, context.signer, &path).class(Class::Output)?;
            }
            Ok::<_, Failure>(())
        })?;
        Ok(())
    }

    /// The signed RPM in the result with this key; `None` if there was nothing to sign. Only its headers are read and
    /// checked ([`SignedRpm::open`]); the payload is checked before the RPM is published.
    ///
    /// # Errors
    /// [`Class::Output`] if the result is missing, or something else has changed it.
    pub fn signed(
        &self,
        key: &Key,
        cache: &Cache,
        certificate: &Certificate,
    ) -> Result<Option<SignedRpm>> {
        let package = &self.unsigned.work.package;
        let gone =
            || Failure::new(Class::Output, format!("the signed {} is gone", package.file_name()));
        let dir = cache.get(Kind::Sign, key).ok_or_else(gone)?;
        let PackageResult::Rpm(path) = rpm_in(&dir, package)? else { return Ok(None) };
        let signed = SignedRpm::open(&path, certificate).class(Class::Output);
        signed.map(Some).map_err(|failure| changed(failure, &dir))
    }

    /// The signed RPM if it is there, else the unsigned one.
    pub(crate) fn newest(
        &self,
        key: &Key,
        cache: &Cache,
    ) -> Result<Option<PackageResult<PathBuf>>> {
        let dir = cache
            .get(Kind::Sign, key)
            .or_else(|| cache.get(Kind::Package, &self.unsigned.identity.key));
        dir.map(|dir| rpm_in(&dir, &self.unsigned.work.package)).transpose()
    }
}
