//! What a caller sees: messages, exit status, settings, the log. Only the last tests need etcd or root.

mod common;

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// Runs the plugin with some settings and nothing else, and the bytes on stdin.
fn run(settings: &[(&str, &str)], input: &[u8]) -> (Value, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calico_mesos"));
    command.env_clear().env("CALICO_MESOS_LOG", "off").envs(settings.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The plugin may be done before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let status = child.wait().unwrap().code().unwrap();
    let (mut text, mut errors) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "", "nobody reads stderr");
    assert!(text.len() < 64 * 1024 && !text.ends_with('\n'));
    (serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}")), status)
}

fn error(settings: &[(&str, &str)], input: &[u8]) -> String {
    let (answer, status) = run(settings, input);
    assert_eq!(status, 1);
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["error"].as_str().unwrap().to_owned()
}

const ALLOCATE: &[u8] =
    br#"{"command":"allocate","args":{"hostname":"h","uid":"u","num_ipv4":1,"num_ipv6":0}}"#;

#[test]
fn wrong_requests() {
    assert_eq!(error(&[], b"{}"), "Missing command");
    assert_eq!(error(&[], br#"{"command":"x"}"#), "Missing args");
    assert_eq!(error(&[], br#"{"command":"x","args":{}}"#), "Unknown command: x");
    assert_eq!(error(&[], br#"{"command":"isolate","args":{}}"#), "Missing container_id");
    assert!(error(&[], b"").contains("EOF"));
    assert!(error(&[], b"\0\xff").contains("line 1"));
    assert!(error(&[], &[b'['; 500_000]).contains("recursion"));
    assert!(error(&[], &[b' '; 3_000_000]).contains("longer than"));
}

#[test]
fn malformed_settings_are_an_answer() {
    for (value, part) in [
        ("etcd", "the port is missing"),
        ("http://etcd:4001", "HOST:PORT"),
        ("<IP of host with etcd running>:4001", "HOST:PORT"),
        ("SET-THE-ETCD-ADDRESS:4001", "placeholder"),
        ("\u{1}\u{2}:\u{3}", "HOST:PORT"),
    ] {
        let text = error(&[("ETCD_AUTHORITY", value)], ALLOCATE);
        assert!(text.contains("ETCD_AUTHORITY") && text.contains(part), "{text}");
    }
    let text = error(&[("CALICO_MESOS_TOTAL_TIMEOUT", "never")], ALLOCATE);
    assert!(text.contains("CALICO_MESOS_TOTAL_TIMEOUT"), "{text}");
    let text = error(&[("ETCD_SCHEME", "https"), ("ETCD_CA_CERT_FILE", "/nonexistent")], ALLOCATE);
    assert!(text.contains("/nonexistent"), "{text}");
    // A wrong request is a wrong request, whatever the settings are.
    assert_eq!(error(&[("ETCD_AUTHORITY", "etcd")], b"{}"), "Missing command");
}

#[test]
fn an_unreachable_etcd() {
    let text = error(&[("ETCD_AUTHORITY", "127.0.0.1:1")], ALLOCATE);
    assert!(text.contains("http://127.0.0.1:1: connection refused"), "{text}");
    assert!(text.contains("ETCD_AUTHORITY"), "{text}");
    let text = error(&[("ETCD_ENDPOINTS", "http://127.0.0.1:1,http://127.0.0.1:3")], ALLOCATE);
    assert!(text.contains("127.0.0.1:1") && text.contains("127.0.0.1:3"), "{text}");
    let text = error(&[("ETCD_ENDPOINTS", "http://me:s3cret@127.0.0.1:1")], ALLOCATE);
    assert!(!text.contains("s3cret"), "{text}");
    let text = error(&[("ETCD_AUTHORITY", "no-such-host.invalid:1")], ALLOCATE);
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[test]
fn something_else_than_etcd() {
    let answer = |head: &'static str, body: &'static str| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        error(&[("ETCD_AUTHORITY", &address)], ALLOCATE)
    };
    let text = answer("404 Not Found", "404 page not found");
    assert!(text.contains("does not serve etcd's v2 API"), "{text}");
    assert!(answer("200 OK", "<html>").contains("unreadable answer"));
    assert!(answer("502 Bad Gateway", "<html>").contains("502"));
    assert!(answer("301 Moved\r\nLocation: http://example.invalid/", "").contains("301"));
    assert!(answer("200 OK\r\nNonsense", "").contains("etcd"));
    let wrong = r#"{"node":{"key":"/x","dir":true,"nodes":[{"key":"/x/y","value":"no json"}]}}"#;
    assert!(answer("200 OK", wrong).contains("is not as expected"));
}

/// What never ends, in every part of an answer: it costs little memory, and there is an answer.
#[test]
fn answers_without_an_end() {
    const JSON: &str = r#"{"action":"get","node":{"key":"/a","dir":true,"nodes":["#;
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    for (start, again, why) in [
        (format!("{OK}\r\n{JSON}"), r#"{"key":"/a/b","value":"x"},"#, "the answer is too long"),
        (format!("{OK}\r\n{JSON}{{\"key\":\""), "aaaaaaaaaaaaaaaa", "the answer is too long"),
        (
            format!("{OK}Content-Length: 9000000000\r\n\r\n"),
            "xxxxxxxxxxxxxxxx",
            "the answer is too long",
        ),
        (
            format!("{OK}Transfer-Encoding: chunked\r\n\r\n"),
            "5\r\naaaaa\r\n",
            "the answer is too long",
        ),
        (format!("{OK}X-Long: "), "aaaaaaaaaaaaaaaa", "the answer is"),
        (OK.to_owned(), "X-More: a\r\n", "the answer is"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let piece = again.repeat(4096);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (start, piece) = (start.clone(), piece.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(start.as_bytes());
                    while stream.write_all(piece.as_bytes()).is_ok() {}
                });
            }
        });
        let mut command = Command::new("sh");
        // 64 MiB of addresses, libraries and stacks included.
        command.args(["-c", "ulimit -v 65536 && exec \"$0\"", env!("CARGO_BIN_EXE_calico_mesos")]);
        command.env_clear().env("CALICO_MESOS_LOG", "off").env("ETCD_AUTHORITY", &address);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(ALLOCATE).unwrap();
        let output = child.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = answer["error"].as_str().unwrap();
        assert!(text.contains(why), "{again}: {text}");
    }
}

#[test]
fn a_caller_that_keeps_stdin_open() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calico_mesos"));
    command.env_clear().env("CALICO_MESOS_LOG", "off");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for byte in b"{\"command\": \"x\", \"args\": {}}" {
        stdin.write_all(&[*byte]).unwrap();
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    assert_eq!(text, r#"{"error":"Unknown command: x"}"#);
    drop(stdin);
}

#[test]
fn the_command_line() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_calico_mesos")).args(args).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    };
    assert_eq!(run(&["--version"]), (format!("calico_mesos {}\n", env!("CARGO_PKG_VERSION")), 0));
    assert!(run(&["--help"]).0.contains("Exit status"));
    assert_eq!(run(&["chekc"]), (String::new(), 2));
}

#[test]
fn the_log_tells_what_happened_and_no_secret() {
    let Some(mut world) = common::world() else { return };
    world.allocate("uid-1", 1, 0).ok();
    world.cleanup("c1").ok();
    world.call(&json!({"command": "x\ny", "args": {}})).error();
    let log = world.log();
    for part in
        ["request {", "answer {", "uid-1", "claimed block 192.168.0.0/26", "etcd GET /calico"]
    {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    let mut ids = std::collections::BTreeSet::new();
    for line in log.lines() {
        let words: Vec<_> = line.splitn(5, ' ').collect();
        assert!(words[0].len() == 24 && words[0].ends_with('Z'), "{line}");
        assert!(words[1].starts_with('[') && words[2].starts_with("CALICOMESOS["), "{line}");
        assert!(words[3].len() == 9, "{line}");
        ids.insert(words[3].to_owned());
    }
    assert_eq!(ids.len(), 3, "three requests");

    world.set("ETCD_ENDPOINTS", "http://me:s3cret@127.0.0.1:1,http://me:s3cret@127.0.0.1:2379");
    world.allocate("uid-2", 1, 0).ok();
    assert!(world.log().contains("uid-2") && !world.log().contains("s3cret"));

    world.set("CALICO_MESOS_LOG", "off");
    let before = world.log();
    world.allocate("uid-3", 1, 0).ok();
    assert_eq!(world.log(), before);
}

#[test]
fn lines_of_many_processes_do_not_mix() {
    let Some(world) = common::world() else { return };
    let children: Vec<_> = (0..20)
        .map(|n| world.start(&json!({"command": "x".repeat(2000), "args": {"n": n}})))
        .collect();
    children.into_iter().for_each(|child| drop(common::finish(child)));
    let log = world.log();
    assert!(log.lines().all(|line| line.starts_with("20") && line.contains(" CALICOMESOS[")));
    assert_eq!(log.lines().filter(|line| line.contains(": request {")).count(), 20);
}

#[test]
fn a_log_that_cannot_be_written_is_no_reason_to_fail() {
    let Some(mut world) = common::world() else { return };
    world.set("CALICO_MESOS_LOG_FILE", "/proc/nowhere/isolator.log");
    world.allocate("uid-1", 1, 0).ok();
}
