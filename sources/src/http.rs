//! HTTP GET requests. They use the user's proxy and the system's certificates, and follow a few redirects, but
//! none from https to http.

use std::io::Read;

use ureq::{
    Agent, Error, Proxy, Timeout,
    config::Config,
    http::{HeaderMap, StatusCode, header},
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::{
    address,
    hosts::{Hosts, LocationProblem, Patience},
};

const REDIRECTS: u32 = 10;

/// An HTTP client.
pub(super) struct Client {
    agent: Agent,
    patience: Patience,
}

/// Which part of a file to ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FileRequest<'a> {
    /// Number of bytes that have been downloaded already.
    pub(super) from: u64,
    /// The rest is wanted only if the file still has this tag (ETag); otherwise the whole file is.
    pub(super) same: Option<&'a str>,
}

/// A response with any status.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body. [`read_problem`] turns its errors into [`LocationProblem`]s.
    pub(super) body: Box<dyn Read>,
    /// The host that has answered, after all redirects.
    pub(super) host: String,
}

impl Response {
    /// A header's value, if it is plain text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    pub(super) fn new(patience: Patience) -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> =
            found.iter().map(|c| Certificate::from_der(c.as_ref()).to_owned()).collect();
        let config = Config::builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("mesos-calico-rpm/", env!("CARGO_PKG_VERSION")))
            // The bytes must be those of the file, because the digest is of these.
            .accept_encoding("identity")
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.silence))
            .timeout_per_read(Some(patience.silence))
            .timeout_per_write(Some(patience.silence))
            .build();
        Self { agent: config.new_agent(), patience }
    }

    /// Requests a file, and follows redirects.
    pub(super) fn get(
        &self,
        url: &str,
        wanted: FileRequest<'_>,
        hosts: &Hosts,
    ) -> Result<Response, LocationProblem> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let answer = self.request(&url, wanted, hosts)?;
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            let next = answer.header(header::LOCATION).and_then(|to| address::join(&url, to));
            let next = next.ok_or_else(|| {
                LocationProblem::Refused(format!("{} redirects to no address", answer.host))
            })?;
            check_redirect(&url, &next)?;
            url = next;
        }
        Err(LocationProblem::Refused(format!("it redirects more than {REDIRECTS} times")))
    }

    fn request(
        &self,
        url: &str,
        wanted: FileRequest<'_>,
        hosts: &Hosts,
    ) -> Result<Response, LocationProblem> {
        let host = address::host(url)
            .ok_or_else(|| LocationProblem::Refused("the address names no host".into()))?;
        if let Some(why) = hosts.reason(&host) {
            return Err(LocationProblem::Unreachable { host, why });
        }
        let mut request = self.agent.get(url).config().proxy(proxy(url)).build();
        if wanted.from > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", wanted.from));
            if let Some(tag) = wanted.same {
                request = request.header(header::IF_RANGE, tag);
            }
        }
        match request.call() {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let body = Box::new(body.into_reader());
                Ok(Response { status: parts.status, headers: parts.headers, body, host })
            }
            Err(error) => {
                let problem = self.call_problem(error, host);
                if let LocationProblem::Unreachable { host, why } = &problem {
                    hosts.add_unreachable(host, why);
                }
                Err(problem)
            }
        }
    }

    /// The problem behind an error. The error's text is not shown if it could contain the address.
    fn call_problem(&self, error: Error, host: String) -> LocationProblem {
        use std::io::ErrorKind as Kind;
        let unreachable = |why: String| LocationProblem::Unreachable { host: host.clone(), why };
        match error {
            Error::HostNotFound => unreachable("its name is not known".into()),
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                unreachable(format!("no connection within {} s", self.patience.connect.as_secs()))
            }
            Error::Timeout(_) => unreachable(self.silence()),
            Error::ConnectionFailed => unreachable("no connection".into()),
            Error::ConnectProxyFailed(_) => unreachable("the proxy cannot connect to it".into()),
            Error::Io(e) => match e.kind() {
                Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::UnexpectedEof => {
                    LocationProblem::broken(format!("the connection broke: {e}"))
                }
                Kind::InvalidData => LocationProblem::Refused(format!("no secure connection: {e}")),
                _ => unreachable(e.to_string()),
            },
            Error::Tls(e) => LocationProblem::Refused(format!("no secure connection: {e}")),
            Error::Rustls(e) => LocationProblem::Refused(format!("no secure connection: {e}")),
            Error::Protocol(e) => {
                LocationProblem::Refused(format!("{host} does not speak HTTP: {e}"))
            }
            _ => LocationProblem::Refused("the address cannot be asked for".into()),
        }
    }

    /// The problem behind an error of reading the body.
    pub(super) fn read_problem(&self, error: std::io::Error) -> LocationProblem {
        match Error::from(error) {
            Error::Timeout(_) => LocationProblem::Broken { why: self.silence(), silent: true },
            Error::Io(e) => LocationProblem::broken(format!("the connection broke: {e}")),
            _ => LocationProblem::broken("the connection broke"),
        }
    }

    fn silence(&self) -> String {
        format!("it sent nothing for {} s", self.patience.silence.as_secs())
    }
}

fn check_redirect(from: &str, to: &str) -> Result<(), LocationProblem> {
    let refuse = |why: &str| Err(LocationProblem::Refused(format!("it redirects {why}")));
    match (from.starts_with("https://"), to) {
        (true, to) if to.starts_with("http://") => refuse("from https to http"),
        (_, to) if to.starts_with("https://") || to.starts_with("http://") => Ok(()),
        _ => refuse("to what is no web server"),
    }
}

/// The proxy for this address from the environment, by the rules of curl and git.
fn proxy(url: &str) -> Option<Proxy> {
    let variable =
        |names: &[&str]| names.iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let own: &[&str] = match url.starts_with("https://") {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let given = Proxy::new(&variable(own)?).ok()?;
    let mut builder = Proxy::builder(given.protocol()).host(given.host()).port(given.port());
    if let Some(name) = given.username() {
        builder = builder.username(name);
    }
    if let Some(password) = given.password() {
        builder = builder.password(password);
    }
    for direct in variable(&["no_proxy", "NO_PROXY"]).unwrap_or_default().split(',') {
        builder = builder.no_proxy(direct.trim());
    }
    builder.build().ok()
}
