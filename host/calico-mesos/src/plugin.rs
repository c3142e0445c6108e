//! One request from stdin to an answer. Whatever goes wrong, there is an answer.

use std::{
    any::Any,
    mem::ManuallyDrop,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    cleanup::cleanup,
    deadline::Deadline,
    error::{Error, Result},
    etcd::Client,
    host,
    ipam::Ipam,
    isolate::isolate,
    log,
    protocol::{Release, Request, Response, request, stdin},
    settings::{Settings, limits_or_default},
};

/// Reads and answers the request.
pub fn answer() -> Response {
    // The default hook writes to stderr, which net-modules never reads (facts 1.8).
    std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
    let response = guarded(serve);
    match &response {
        Response::Failed(error) => log::error(&error.to_string()),
        response => log::info(&format!("answer {}", response.to_json())),
    }
    response
}

/// Runs `work` and makes an answer of everything that it can end with.
fn guarded(work: impl FnOnce() -> Result<Response>) -> Response {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => Response::Failed(error),
        Err(panic) => {
            let text = format!("{}: this is a fault of calico_mesos", panic_text(&*panic));
            Response::Failed(Error::Unhandled(text))
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic")
}

fn serve() -> Result<Response> {
    let deadline = Deadline::after(limits_or_default().total);
    let input = stdin::read(std::io::stdin(), deadline)?;
    log::info(&format!("request {}", String::from_utf8_lossy(&input).trim()));
    // The request before the settings: the answer to a wrong request is the same everywhere.
    let request = request::parse(&input)?;
    let settings = Settings::from_environment()?;
    // Its connections end with the process, when the answer is out already.
    let client = ManuallyDrop::new(Client::new(&settings, deadline)?);
    carry_out(&client, &settings, &host::name()?, &request)
}

fn carry_out(
    client: &Client,
    settings: &Settings,
    host: &str,
    request: &Request,
) -> Result<Response> {
    let ipam = Ipam { client, host };
    match request {
        Request::Allocate(request) => {
            let (v4, v6) = ipam.allocate(request)?;
            return Ok(allocated(&v4, &v6));
        }
        Request::Reserve(request) => ipam.reserve(request)?,
        Request::Release(Release::Uid(uid)) => ipam.release_uid(uid)?,
        Request::Release(Release::Ips(ips)) => ipam.release_ips(ips)?,
        Request::Isolate(request) => isolate(client, settings, host, request)?,
        Request::Cleanup(request) => cleanup(client, settings.strict_cleanup, host, request)?,
    }
    Ok(Response::Done)
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
        let response = guarded(|| panic!("out of {}", "luck"));
        assert_eq!(response.exit_status(), 1);
        let text = response.to_json();
        assert!(text.contains("Unhandled error out of luck"), "{text}");
    }
}
