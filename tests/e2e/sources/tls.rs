//! `fetch` over HTTPS: whom it trusts, and that it is not led back to HTTP.

use std::{net::TcpStream, sync::Arc};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{
    PACKAGE, command, sha256,
    web::{Web, WebAnswer},
};
use crate::{checkout::Checkout, support};

const CONTENT: &[u8] = b"over a secure line";

/// A server with a certificate of an authority of its own, and that authority.
fn secure(name: &str, plain: String) -> (Web, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key).unwrap();
    let own = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&own, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], own.serialize_der().try_into().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let wrap = move |stream: TcpStream| -> Box<dyn super::web::Stream> {
        Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream))
    };
    let site = move |request: &super::web::Request, _| match request.path.as_str() {
        "/plain" => WebAnswer::redirect(&plain),
        _ => WebAnswer::all(CONTENT),
    };
    (Web::over(site, wrap), authority.pem())
}

/// The output of `fetch` for `https://127.0.0.1:…/path`, if it trusts this authority.
fn asked(web: &Web, path: &str, trusted: &str) -> (i32, String) {
    let checkout = Checkout::empty();
    let url = format!("https://{}{path}", web.host);
    let pin = sha256(CONTENT);
    let source = format!("[source.mesos]\nurl = \"{url}\"\nsha256 = \"{pin}\"\n{PACKAGE}");
    checkout.write("specs/p/package.toml", source);
    checkout.write("trusted.pem", trusted);
    let mut command = command(&checkout, &[]);
    command.env("SSL_CERT_FILE", checkout.path("trusted.pem")).env_remove("SSL_CERT_DIR");
    let (code, message) = checkout.code_and_text(&support::run(&mut command));
    (code, message.replace(&web.host, "[HOST]"))
}

#[test]
fn tls_trusts_the_certificates_of_the_system() {
    let plain = Web::serve(|_, _| WebAnswer::all(CONTENT));
    let (web, authority) = secure("127.0.0.1", plain.url("/m"));
    let (other, others) = secure("localhost", plain.url("/m"));
    assert_eq!(asked(&web, "/m", &authority).0, 0);
    let says = |(code, message): (i32, String), what: &str| {
        assert_eq!(code, 4, "{message}");
        assert!(message.contains(what), "{message}");
    };
    says(asked(&web, "/m", &others), "no secure connection");
    says(asked(&other, "/m", &others), "no secure connection");
    says(asked(&web, "/m", ""), "no secure connection");
    says(asked(&web, "/plain", &authority), "it redirects from https to http");
    assert_eq!(plain.requests().len(), 0);
}
