//! The TLS side of a client. Files are read only where an address is https, and errors name the
//! file, never what is in it.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{Error, TlsFiles};
use crate::files;

/// Builds the TLS settings of the connections.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &files.ca {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|_| unusable(path))?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|_| unusable(key))?,
    };
    Ok(Arc::new(config))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| unusable(path))
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| unusable(path))
}

fn read(path: &str) -> Result<Vec<u8>, Error> {
    // The io error names the file and the reason.
    files::read(path.as_ref()).map_err(|e| Error::Tls(e.to_string()))
}

fn unusable(path: &str) -> Error {
    Error::Tls(format!("{path} has no usable PEM block of the kind that is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file_and_keep_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs_err::write(&path, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap();
        let path = path.to_str().unwrap().to_owned();
        let files = TlsFiles { ca: Some(path.clone()), client: None };
        let text = config(&files).unwrap_err().to_string();
        assert!(text.contains(&path) && !text.contains("c2VjcmV0"), "{text}");
        let gone = TlsFiles { ca: Some("/nonexistent/ca".to_owned()), client: None };
        assert!(config(&gone).unwrap_err().to_string().contains("/nonexistent/ca"));
    }
}
