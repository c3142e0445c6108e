//! Archives from web servers that behave as servers do, and what users bring along.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    sync::{Arc, Mutex, mpsc},
};

use serde_json::Value;

use super::{
    PACKAGE, command, fetch, fetch_fails, fetch_ok, sha256,
    web::{Web, WebAnswer},
    with,
};
use crate::{
    checkout::{Checkout, walk},
    support,
};

/// An archive of some size whose bytes do not repeat, and its SHA-256.
fn archive() -> (Vec<u8>, String) {
    let noise: Vec<u8> =
        (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(noise.len() as u64);
    tar.append_data(&mut header, "mesos-1/noise", noise.as_slice()).unwrap();
    let bytes = tar.into_inner().unwrap();
    let sha256 = sha256(&bytes);
    (bytes, sha256)
}

fn source(urls: &[String], sha256: &str) -> String {
    format!("[source.mesos]\nurl = {urls:?}\nsha256 = \"{sha256}\"\n")
}

/// The archives in the store of a checkout.
fn kept(checkout: &Checkout) -> Vec<String> {
    match checkout.path("cache/sources/archives").is_dir() {
        true => walk(&checkout.path("cache/sources/archives")),
        false => Vec::new(),
    }
}

#[test]
fn an_archive_is_downloaded_only_once() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, _| WebAnswer::file(&bytes, request));
    let checkout = with(&source(&[web.url("/mesos.tar.gz")], &sha256));
    assert!(fetch_ok(&checkout, &[]).contains("p/mesos  fetched    sha256"));
    assert!(fetch_ok(&checkout, &["--offline", "mesos"]).contains("was there"));
    fetch_ok(&checkout, &["p", "--unpack", "tree"]);
    assert_eq!(web.lines(), ["GET /mesos.tar.gz"]);
    assert_eq!(walk(&checkout.path("tree")), ["p/mesos/noise"]);
    // Another checkout of the same user finds it as well.
    let other = with(&source(&["https://nowhere.invalid/x".into()], &sha256));
    let cache = checkout.path("cache");
    support::ok(command(&other, &["--offline"]).env("MESOS_CALICO_CACHE", cache));
    let (code, message) = fetch_fails(&checkout, &["mesoss"], &[]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("sources are: mesos"), "{message}");
}

#[test]
fn an_interrupted_download_is_resumed() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, before| {
        let answer = WebAnswer::file(&bytes, request).header("ETag", "\"one\"");
        if before == 2 { answer } else { answer.cut(100_000) }
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    fetch_ok(&checkout, &[]);
    assert_eq!(web.lines(), ["GET /m", "GET /m bytes=100000-", "GET /m bytes=200000-"]);
    assert_eq!(web.requests()[1].header("if-range"), Some("\"one\""));
}

#[test]
fn the_next_run_goes_on_from_what_the_last_one_had() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, before| match before {
        0 => WebAnswer::file(&bytes, request).cut(100_000),
        1 => WebAnswer::status(404),
        _ => WebAnswer::file(&bytes, request),
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    assert_eq!(fetch(&checkout, &[]).status.code(), Some(4));
    fetch_ok(&checkout, &[]);
    let range = "GET /m bytes=100000-";
    assert_eq!(web.lines(), ["GET /m", range, range]);
}

#[test]
fn servers_without_ranges_start_anew() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |_, before| {
        let answer = WebAnswer::all(&bytes);
        if before == 0 { answer.cut(100_000) } else { answer }
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    fetch_ok(&checkout, &[]);
    assert_eq!(web.lines(), ["GET /m", "GET /m bytes=100000-"]);
}

#[test]
fn a_download_made_of_two_files_is_refused() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, before| match before {
        0 => WebAnswer::all(&vec![7; 500_000]).cut(100_000),
        1 => WebAnswer::status(410),
        // Longer than all there is: the server cannot go on from there.
        _ if request.path == "/short" => WebAnswer::file(&bytes[..50_000], request),
        _ => WebAnswer::file(&bytes, request),
    });
    let other = with(&source(&[web.url("/m")], &sha256));
    assert_eq!(fetch(&other, &[]).status.code(), Some(4));
    fetch_ok(&other, &[]);
    let range = "GET /m bytes=100000-";
    assert_eq!(web.lines(), ["GET /m", range, range, "GET /m"]);
}

#[test]
fn locations_are_tried_in_order() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, _| match request.path.as_str() {
        "/missing" => WebAnswer::status(404),
        "/wrong" => WebAnswer::all(b"something else"),
        "/busy" => WebAnswer::status(503),
        "/loop" => WebAnswer::redirect("/loop"),
        "/moved" => WebAnswer::redirect("there/../m"),
        _ => WebAnswer::file(&bytes, request),
    });
    let urls = ["/missing", "/wrong", "/busy", "/loop", "/moved"].map(|path| web.url(path));
    let checkout = with(&source(&urls, &sha256));
    fetch_ok(&checkout, &[]);
    let count = |line: &str| web.lines().iter().filter(|l| **l == format!("GET {line}")).count();
    assert_eq!(["/missing", "/wrong", "/busy", "/moved"].map(count), [1, 1, 3, 1]);
    assert_eq!((count("/loop"), count("/there/../m")), (11, 1));
}

#[test]
fn an_archive_with_a_wrong_checksum_is_refused() {
    let (_, sha256) = archive();
    let web = Web::serve(|request, _| match request.path.as_str() {
        "/missing" => WebAnswer::status(404),
        path => WebAnswer::all(path.as_bytes()),
    });
    let urls = ["/one", "/missing", "/two"].map(|path| web.url(path));
    let checkout = with(&source(&urls, &sha256));
    let (code, message) = fetch_fails(&checkout, &[], &[&web.host]);
    insta::assert_snapshot!("wrong_content", format!("exit code {code}\n{message}"));
    assert_eq!(
        (kept(&checkout).len(), walk(&checkout.path("cache/sources/partial")).len()),
        (0, 0)
    );
}

#[test]
fn hosts_that_cannot_be_reached_are_asked_once() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let asleep = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let asleep_host = asleep.local_addr().unwrap().to_string();
    let (_, sha256) = archive();
    let urls = [
        format!("http://{closed}/a"),
        "https://nowhere.invalid/a".into(),
        format!("http://{asleep_host}/a"),
        format!("http://{asleep_host}/b"),
    ];
    let one = source(&urls, &sha256);
    let two = one.replace("source.mesos", "source.other").replace(&sha256, &"0".repeat(64));
    let checkout = with(&format!("{one}{two}"));
    // With --pin, one after the other.
    let hosts = [&*closed.to_string(), &*asleep_host];
    let (code, message) = fetch_fails(&checkout, &["--pin", "--timeout", "1"], &hosts);
    // The message of the system's resolver differs between systems.
    let resolver = |line: &str| match line.split_once("nowhere.invalid cannot be reached: ") {
        Some((head, tail)) => {
            let rest = tail.split_once(';').map(|(_, rest)| format!(";{rest}")).unwrap_or_default();
            format!("{head}nowhere.invalid cannot be reached: (the resolver's words){rest}")
        }
        None => line.to_owned(),
    };
    let message: Vec<_> = message.lines().map(resolver).collect();
    insta::assert_snapshot!("unreachable", format!("exit code {code}\n{}", message.join("\n")));
    asleep.set_nonblocking(true).unwrap();
    assert_eq!(asleep.incoming().map_while(Result::ok).count(), 1);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, before| {
        let answer = WebAnswer::file(&bytes, request);
        if before == 0 { answer.silent(100_000) } else { answer }
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    fetch_ok(&checkout, &["--timeout", "1"]);
    assert_eq!(web.lines(), ["GET /m", "GET /m bytes=100000-"]);
}

#[test]
fn wrong_content_lengths_are_handled() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, _| match request.path.as_str() {
        "/huge" => WebAnswer::status(200)
            .header("Transfer-Encoding", "none")
            .header("Content-Length", "99999999999999"),
        _ => {
            let chunks = bytes
                .chunks(70_000)
                .map(|c| [format!("{:x}\r\n", c.len()).as_bytes(), c, b"\r\n"].concat());
            let body = chunks.chain([b"0\r\n\r\n".to_vec()]).collect::<Vec<_>>().concat();
            WebAnswer::all(&body).header("Transfer-Encoding", "chunked")
        }
    });
    let checkout = with(&source(&[web.url("/huge"), web.url("/chunked")], &sha256));
    fetch_ok(&checkout, &[]);
    assert_eq!(web.lines(), ["GET /huge", "GET /chunked"]);
}

#[test]
fn passwords_are_sent_and_not_shown() {
    let (_, sha256) = archive();
    let web = Web::serve(|_, _| WebAnswer::status(403));
    let url = format!("http://me:s3cret@{}/m?token=s3cret", web.host);
    let checkout = with(&source(&[url], &sha256));
    for args in [&[][..], &["--json"]] {
        let output = fetch(&checkout, args);
        assert_eq!(output.status.code(), Some(4));
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("s3cret"));
    }
    assert_eq!(web.requests()[0].header("authorization"), Some("Basic bWU6czNjcmV0"));
    for file in walk(&checkout.path("target")).iter().filter(|f| f.contains("log")) {
        let text = fs_err::read_to_string(checkout.path("target").join(file)).unwrap();
        assert!(!text.contains("s3cret"), "{file}");
    }
}

#[test]
fn passwords_follow_redirects_to_the_same_server_alone() {
    let (bytes, sha256) = archive();
    let other = Web::serve({
        let bytes = bytes.clone();
        move |request, _| WebAnswer::file(&bytes, request)
    });
    let elsewhere = other.url("/there");
    let web = Web::serve(move |request, _| match request.path.as_str() {
        "/away" => WebAnswer::redirect(&elsewhere),
        "/moved" => WebAnswer::redirect(&format!("http://{}/m", request.header("host").unwrap())),
        "/near" => WebAnswer::redirect("m"),
        _ if request.header("authorization") != Some("Basic bWU6czNjcmV0") => {
            WebAnswer::status(401)
        }
        _ => WebAnswer::file(&bytes, request),
    });
    for path in ["/moved", "/near", "/away"] {
        let url = format!("http://me:s3cret@{}{path}", web.host);
        fetch_ok(&with(&source(&[url], &sha256)), &[]);
    }
    assert_eq!(other.requests().len(), 1);
    assert_eq!(other.requests()[0].header("authorization"), None);
}

/// Of a file without a known length no more is written than there may be, also in several parts.
#[test]
fn downloads_stop_at_the_size_that_is_given() {
    let (bytes, sha256) = archive();
    let size = bytes.len();
    let web = Web::serve(move |request, before| match request.path.as_str() {
        "/endless" => {
            WebAnswer::all(&[&*bytes, &[0; 4_000_000]].concat()).header("Transfer-Encoding", "none")
        }
        "/parts" if before % 2 == 0 => WebAnswer::file(&bytes, request).cut(200_000),
        "/short" => WebAnswer::file(&bytes[..1000], request),
        _ => WebAnswer::file(&bytes, request),
    });
    let description = |path: &str, size: usize| {
        source(&[web.url(path)], &sha256).replace("sha256 =", &format!("size = {size}\nsha256 ="))
    };
    for (path, size, says) in [
        ("/endless", size, "larger than the"),
        ("/m", size - 1, "larger than the"),
        ("/m", size + 1, &*format!("it has {size} bytes, package.toml gives {}", size + 1)),
        ("/short", size, "it has 1000 bytes"),
        ("/parts", 250_000, "larger than the 250000 bytes that package.toml gives"),
    ] {
        for pin in [&[][..], &["--pin"]] {
            let text = description(path, size);
            let text = if pin.is_empty() {
                text
            } else {
                text.replace(&format!("sha256 = \"{sha256}\"\n"), "")
            };
            let checkout = with(&text);
            let (code, message) = fetch_fails(&checkout, pin, &[&web.host]);
            assert!(code == 4 && message.contains(says), "{path}: {message}");
            let partial = checkout.path("cache/sources/partial");
            for file in walk(&partial) {
                let kept = fs_err::metadata(partial.join(file)).unwrap().len();
                assert!(kept <= size as u64, "{path}: {kept} bytes were kept");
            }
        }
    }
    fetch_ok(&with(&description("/m", size)), &[]);
    let checkout = with(&source(&["file:///dev/zero".into()], &sha256));
    assert!(fetch_fails(&checkout, &[], &[]).1.contains("it is no file"));
    assert!(
        fetch_fails(&checkout, &["--source", "mesos=/dev/zero"], &[]).1.contains("it is no file")
    );
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let (bytes, sha256) = archive();
    let proxy = Web::serve(|_, _| WebAnswer::status(502));
    let web = Web::serve(move |request, _| WebAnswer::file(&bytes, request));
    let run = |url: String, variables: &[(&str, &str)]| {
        let checkout = with(&source(&[url], &sha256));
        let mut command = command(&checkout, &[]);
        support::run(command.envs(variables.iter().copied())).status.code()
    };
    let address = format!("http://{}", proxy.host);
    let far = || "http://far.invalid:8080/m".to_owned();
    assert_eq!(run(far(), &[("http_proxy", &address)]), Some(4));
    assert_eq!(run(far(), &[("ALL_PROXY", &address)]), Some(4));
    assert_eq!(run(far(), &[("https_proxy", &address)]), Some(4));
    assert_eq!(proxy.lines(), ["CONNECT far.invalid:8080"; 2]);
    let direct = [("http_proxy", &*address), ("no_proxy", "localhost, 127.0.0.1")];
    assert_eq!(run(web.url("/m"), &direct), Some(0));
    assert_eq!(proxy.lines().len(), 2);
}

#[test]
fn a_damaged_store_is_mended() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, _| WebAnswer::file(&bytes, request));
    let checkout = with(&source(&[web.url("/m")], &sha256));
    fetch_ok(&checkout, &[]);
    let file = checkout.path("cache/sources/archives").join(&sha256);
    fs_err::write(&file, "damaged").unwrap();
    let output = fetch(&checkout, &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("was damaged"));
    assert_eq!(web.lines().len(), 2);
    assert_eq!(self::sha256(&fs_err::read(&file).unwrap()), sha256);
}

/// The events of a `fetch --json` that has been started.
struct StartedFetch {
    child: std::process::Child,
    events: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl StartedFetch {
    fn start(checkout: &Checkout) -> Self {
        let mut child = command(checkout, &["--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    fn until(&mut self, event: &str) -> Value {
        let mut events = self.events.by_ref().map(|l| serde_json::from_str::<Value>(&l.unwrap()));
        events.find_map(|e| e.ok().filter(|e| e["event"] == event)).unwrap()
    }

    fn ends(mut self) -> Option<i32> {
        for _ in self.events {}
        self.child.wait().unwrap().code()
    }
}

#[test]
fn two_runs_at_once_download_an_archive_once() {
    let (bytes, sha256) = archive();
    let (asked, was_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Arc::new(Mutex::new(may_go));
    let web = Web::serve(move |request, _| {
        asked.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        WebAnswer::file(&bytes, request)
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    let first = StartedFetch::start(&checkout);
    was_asked.recv().unwrap();
    let mut second = StartedFetch::start(&checkout);
    second.until("waiting");
    go.send(()).unwrap();
    assert_eq!((first.ends(), second.ends()), (Some(0), Some(0)));
    assert_eq!(web.lines().len(), 1);
}

#[test]
fn a_killed_download_is_taken_up_again() {
    let (bytes, sha256) = archive();
    let web = Web::serve(move |request, before| {
        let answer = WebAnswer::file(&bytes, request);
        if before == 0 { answer.silent(200_000) } else { answer }
    });
    let checkout = with(&source(&[web.url("/m")], &sha256));
    let mut run = StartedFetch::start(&checkout);
    run.until("step-started");
    let partial = checkout.path("cache/sources/partial").join(&sha256);
    // The server has sent all that it will; the file grows until it has all of that.
    while fs_err::metadata(&partial).map_or(0, |m| m.len()) < 200_000 {
        std::thread::yield_now();
    }
    run.child.kill().unwrap();
    run.ends();
    fetch_ok(&checkout, &[]);
    assert_eq!(web.lines()[1], "GET /m bytes=200000-");
}

#[test]
fn offline_contacts_no_server() {
    let (bytes, sha256) = archive();
    let web = Web::serve(|_, _| WebAnswer::status(200));
    let checkout = with(&source(&[web.url("/m")], &sha256));
    let (code, message) = fetch_fails(&checkout, &["--offline"], &[&web.host]);
    insta::assert_snapshot!("offline", format!("exit code {code}\n{message}"));
    assert_eq!(web.requests().len(), 0);
    // A file is no network.
    checkout.write("m.tar", &bytes);
    let local = format!("file://{}", checkout.path("m.tar").display());
    fetch_ok(&with(&source(&[web.url("/m"), local], &sha256)), &["--offline"]);
}

#[test]
fn a_supplied_archive_is_used_if_its_checksum_is_right() {
    let (bytes, sha256) = archive();
    let folder = "[source.conf]\npath = \"conf\"\n";
    let pinned = source(&["https://nowhere.invalid/m".into()], &sha256);
    let checkout = with(&format!("{pinned}{folder}"));
    checkout.write("specs/p/conf/a", "a");
    checkout.write("m.tar", &bytes);
    checkout.write("other.tar", "something else");
    checkout.write("same/a", "a");
    checkout.write("other/a", "b");
    let said = |args: &[&str]| {
        let (code, message) = fetch_fails(&checkout, args, &[]);
        assert_eq!(kept(&checkout), [""; 0]);
        format!("# {}\nexit code {code}\n{message}\n", args.join(" "))
    };
    let wrong = [
        said(&["--source", "mesos=other.tar"]),
        said(&["--source", "mesos=none.tar"]),
        said(&["mesos", "--source", "none=m.tar"]),
        said(&["conf", "--source", "conf=other"]),
    ];
    insta::assert_snapshot!("brought_along", wrong.join("\n"));
    assert_eq!(fetch(&checkout, &["--source", "mesos"]).status.code(), Some(2));
    fetch_ok(&checkout, &["--source", "mesos=m.tar", "--source", "conf=same", "--unpack", "tree"]);
    assert_eq!(walk(&checkout.path("tree")), ["p/conf/a", "p/mesos/noise"]);
    fetch_ok(&checkout, &["--offline"]);
}

#[test]
fn a_hostile_archive_is_not_unpacked() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "m/etc", "/etc").unwrap();
    let bytes = tar.into_inner().unwrap();
    let sha256 = sha256(&bytes);
    let checkout = Checkout::empty();
    checkout.write("m.tar", &bytes);
    let url = format!("file://{}", checkout.path("m.tar").display());
    checkout.write("specs/p/package.toml", format!("{}{PACKAGE}", source(&[url], &sha256)));
    let (code, message) = fetch_fails(&checkout, &["--unpack", "tree"], &[]);
    insta::assert_snapshot!("hostile", format!("exit code {code}\n{message}"));
    assert!(!checkout.path("tree").exists());
}
