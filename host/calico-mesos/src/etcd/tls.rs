//! The TLS side of a client. Files are read only where an address is https, and errors name the
//! file, never what is in it.

use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::Error;
use crate::settings::TlsFiles;

/// Builds the TLS settings of the HTTP agent.
pub fn config(files: &TlsFiles) -> Result<TlsConfig, Error> {
    let mut builder = TlsConfig::builder();
    if let Some(path) = &files.ca {
        builder = builder.root_certs(RootCerts::Specific(Arc::new(certificates(path)?)));
    }
    if let Some((cert, key)) = &files.client {
        let client = ClientCert::new_with_certs(&certificates(cert)?, private_key(key)?);
        builder = builder.client_cert(Some(client));
    }
    Ok(builder.build())
}

fn certificates(path: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let mut found = Vec::new();
    for item in parse_pem(&read(path)?) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| unusable(path))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(unusable(path)) } else { Ok(found) }
}

fn private_key(path: &str) -> Result<PrivateKey<'static>, Error> {
    PrivateKey::from_pem(&read(path)?).map_err(|_| unusable(path))
}

fn read(path: &str) -> Result<Vec<u8>, Error> {
    // The io error names the file and the reason.
    fs_err::read(path).map_err(|e| Error::Tls(e.to_string()))
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
