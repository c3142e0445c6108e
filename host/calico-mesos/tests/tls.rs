//! etcd over https, with an authority of the test's own and a certificate for each side.

mod common;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

#[test]
fn https_with_client_certificates() {
    if !common::host_namespace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let ca = file("ca.pem", &authority.pem());
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        (
            file(&format!("{name}.pem"), &certificate.pem()),
            file(&format!("{name}.key"), &key.serialize_pem()),
        )
    };
    let ((server, server_key), (client, client_key)) = (issue("server"), issue("client"));
    let more = [
        "--cert-file",
        &server,
        "--key-file",
        &server_key,
        "--trusted-ca-file",
        &ca,
        "--client-cert-auth",
    ];
    let _etcd = common::etcd::Etcd::start_with(
        folder.path(),
        "https://127.0.0.1:2379",
        &more.map(str::to_owned),
    );
    let ask = |settings: &[(&str, &str)], request: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_calico_mesos"));
        command.env_clear().env("CALICO_MESOS_LOG", "off").envs(settings.iter().copied());
        let input = folder.path().join("request");
        fs_err::write(&input, request).unwrap();
        command.stdin(fs_err::File::open(input).unwrap().into_file());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let call = |settings: &[_]| ask(settings, r#"{"command":"release","args":{"uid":"u1"}}"#);
    let address = ("ETCD_AUTHORITY", "127.0.0.1:2379");
    let base = [address, ("ETCD_SCHEME", "https"), ("ETCD_CA_CERT_FILE", &ca)];
    let mut whole = base.to_vec();
    whole.extend([("ETCD_CERT_FILE", client.as_str()), ("ETCD_KEY_FILE", client_key.as_str())]);
    // etcd is started, and not waited for, because the test's own requests have no certificate.
    common::wait_for("etcd", || call(&whole) == r#"{"error":null}"#);

    // Several handshakes at once, and then more over the same connections: there is no pool to take from.
    let request =
        r#"{"command":"allocate","args":{"hostname":"h","uid":"u1","num_ipv4":1,"num_ipv6":1}}"#;
    let text = ask(&whole, request);
    assert!(text.contains("no pool has a free address"), "{text}");

    // Not `release`, which would wait for better times.
    let call = |settings: &[_]| ask(settings, request);
    let text = call(&base);
    assert!(text.contains("etcd cannot be reached"), "without a client certificate: {text}");
    let mut foreign = whole.clone();
    foreign[2].1 = &client;
    let text = call(&foreign);
    assert!(text.contains("invalid peer certificate"), "with a foreign authority: {text}");
    let mut plain = whole;
    plain[1].1 = "http";
    assert!(call(&plain).contains("error"));
}
