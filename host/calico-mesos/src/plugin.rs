//! One request from stdin to an answer. Whatever goes wrong, there is an answer.

use std::{
    any::Any,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    cleanup::cleanup,
    deadline::Deadline,
    error::{Error, Result},
    etcd::Client,
    host,
    ipam::{Ipam, undo::Taken},
    isolate::isolate,
    log,
    protocol::{Release, Request, Response, request, stdin},
    settings::{Settings, limits_or_default},
};

/// How a request ended.
pub struct Outcome {
    /// The answer.
    pub response: Response,
    take_back: Option<Box<dyn FnOnce()>>,
}

impl Outcome {
    /// For an answer that nobody takes, since the agent has ended: takes back the addresses that it tells of.
    pub fn take_back(self) {
        self.take_back.into_iter().for_each(|take_back| take_back());
    }
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self { response, take_back: None }
    }
}

/// Reads the request and carries it out.
pub fn answer() -> Outcome {
    // The default hook writes to stderr, which net-modules never reads (facts 1.8).
    std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
    let outcome = guarded(serve);
    match &outcome.response {
        Response::Failed(error) => log::error(&error.to_string()),
        response => log::info(&format!("answer {}", response.to_json())),
    }
    outcome
}

/// Runs `work` and makes an answer of everything that it can end with.
fn guarded(work: impl FnOnce() -> Result<Outcome>) -> Outcome {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Response::Failed(error).into(),
        Err(panic) => {
            let text = format!("{}: this is a fault of calico_mesos", panic_text(&*panic));
            Response::Failed(Error::Unhandled(text)).into()
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic")
}

fn serve() -> Result<Outcome> {
    let deadline = Deadline::after(limits_or_default().total);
    let input = stdin::read(std::io::stdin(), deadline)?;
    log::info(&format!("request {}", String::from_utf8_lossy(&input).trim()));
    // The request before the settings: the answer to a wrong request is the same everywhere.
    let request = request::parse(&input)?;
    let settings = Settings::from_environment()?;
    // Its connections end with the process, when the answer is out already.
    let client = Box::leak(Box::new(Client::new(&settings.etcd(), deadline)?));
    carry_out(client, &settings, host::name()?, request)
}

fn carry_out(
    client: &'static Client,
    settings: &Settings,
    host: String,
    request: Request,
) -> Result<Outcome> {
    let ipam = Ipam { client, host: &host };
    if matches!(request, Request::Release(_) | Request::Cleanup(_)) {
        client.be_patient();
    }
    match request {
        Request::Allocate(request) => {
            let (v4, v6, taken) = ipam.allocate(&request)?;
            return Ok(taking(allocated(&v4, &v6), client, host, request.uid, taken));
        }
        Request::Reserve(request) => {
            let taken = ipam.reserve(&request)?;
            return Ok(taking(Response::Done, client, host, request.uid, taken));
        }
        Request::Release(Release::Uid(uid)) => ipam.release_uid(&uid)?,
        Request::Release(Release::Ips(ips)) => ipam.release_ips(&ips)?,
        Request::Isolate(request) => isolate(client, settings, &host, &request)?,
        Request::Cleanup(request) => cleanup(client, settings.strict_cleanup, &host, &request)?,
    }
    Ok(Response::Done.into())
}

/// The outcome of a request that has taken addresses for a uid.
fn taking(
    response: Response,
    client: &'static Client,
    host: String,
    uid: String,
    taken: Vec<Taken>,
) -> Outcome {
    let take_back = move || Ipam { client, host: &host }.roll_back(&uid, &taken);
    Outcome { response, take_back: Some(Box::new(take_back)) }
}

fn allocated(v4: &[IpAddr], v6: &[IpAddr]) -> Response {
    let v4_only = |ip: &IpAddr| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None };
    let v6_only = |ip: &IpAddr| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None };
    Response::Allocated {
        ipv4: v4.iter().filter_map(v4_only).collect(),
        ipv6: v6.iter().filter_map(v6_only).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        let response = guarded(|| panic!("out of {}", "luck")).response;
        assert_eq!(response.exit_status(), 1);
        let text = response.to_json();
        assert!(text.contains("Unhandled error out of luck"), "{text}");
    }
}
