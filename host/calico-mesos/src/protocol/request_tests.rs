//! Every message of facts 1.4 that the parser gives, the order of the checks, and properties.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parsed(value: &Value) -> Result<Request> {
    parse(value.to_string().as_bytes())
}

fn message(command: &str, args: Value) -> String {
    match parsed(&json!({"command": command, "args": args})) {
        Err(error) => error.to_string(),
        Ok(request) => panic!("accepted: {request:?}"),
    }
}

fn without(mut args: Value, name: &str) -> Value {
    args.as_object_mut().unwrap().remove(name);
    args
}

fn with(mut args: Value, name: &str, value: Value) -> Value {
    args[name] = value;
    args
}

fn isolate_args() -> Value {
    json!({"hostname": "agent-1", "container_id": "c1", "pid": 42,
        "ipv4_addrs": ["192.168.0.1"], "netgroups": ["prod"]})
}

fn allocate_args() -> Value {
    json!({"hostname": "agent-1", "num_ipv4": 1, "num_ipv6": 0, "uid": "u1"})
}

fn reserve_args() -> Value {
    json!({"hostname": "agent-1", "uid": "u1", "ipv4_addrs": ["192.168.0.1"]})
}

#[test]
fn the_envelope() {
    let text = |value: Value| parsed(&value).unwrap_err().to_string();
    assert_eq!(text(json!({"args": {}})), "Missing command");
    assert_eq!(text(json!({})), "Missing command");
    assert_eq!(text(json!({"command": "isolate"})), "Missing args");
    assert_eq!(text(json!({"command": "nonsense"})), "Missing args");
    assert_eq!(text(json!({"command": "nonsense", "args": {}})), "Unknown command: nonsense");
    assert_eq!(text(json!({"command": 7, "args": {}})), "Unknown command: 7");
    assert_eq!(text(json!({"command": "prepare", "args": {}})), "Unknown command: prepare");
    assert_eq!(text(json!([])), "The request must be a JSON object");
}

#[test]
fn json_that_is_none_gives_the_parsers_text() {
    assert!(parse(b"").unwrap_err().to_string().contains("EOF"));
    assert!(parse(b"{\"command\"").unwrap_err().to_string().contains("EOF"));
    assert!(parse(b"{} {}").unwrap_err().to_string().contains("trailing"));
    let deep = "[".repeat(100_000);
    assert!(parse(deep.as_bytes()).unwrap_err().to_string().contains("recursion limit"));
    assert!(parse(b"\xff\xfe").is_err());
    assert!(parse("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn isolate_checks_in_the_originals_order() {
    // Each step removes one more of the faults that the first request has.
    let mut args = json!({"ipv4_addrs": "x", "ipv6_addrs": "x", "netgroups": "x"});
    assert_eq!(message("isolate", args.clone()), "Missing container_id");
    args["container_id"] = json!("c1");
    assert_eq!(message("isolate", args.clone()), "Missing hostname");
    args["hostname"] = json!("agent-1");
    assert_eq!(message("isolate", args.clone()), "Missing pid");
    args["pid"] = json!(1);
    let not_a_list = "IP addresses must be provided as JSON list, not: <type 'unicode'>";
    assert_eq!(message("isolate", args.clone()), not_a_list);
    args["ipv4_addrs"] = json!([]);
    assert_eq!(message("isolate", args.clone()), not_a_list);
    args["ipv6_addrs"] = json!([]);
    let none = "Must provide at least one IPv4 or IPv6 address.";
    assert_eq!(message("isolate", args.clone()), none);
    args["ipv6_addrs"] = json!(["fd80::1"]);
    assert_eq!(message("isolate", args.clone()), "Must provide list of netgroups.");
    args["netgroups"] = json!([]);
    assert!(parsed(&json!({"command": "isolate", "args": args})).is_ok());
}

#[test]
fn allocate_checks_in_the_originals_order() {
    let mut args = json!({});
    assert_eq!(message("allocate", args.clone()), "Missing uid");
    args["uid"] = json!("u1");
    assert_eq!(message("allocate", args.clone()), "Missing hostname");
    args["hostname"] = json!("");
    assert_eq!(message("allocate", args.clone()), "Missing num_ipv4");
    args["num_ipv4"] = json!([]);
    assert_eq!(message("allocate", args.clone()), "Missing num_ipv6");
    args["num_ipv6"] = json!({});
    assert_eq!(message("allocate", args.clone()), "num_ipv4 must be an integer");
    args["num_ipv4"] = json!("3");
    assert_eq!(message("allocate", args.clone()), "num_ipv6 must be an integer");
    args["num_ipv6"] = json!("x");
    assert_eq!(message("allocate", args.clone()), "num_ipv6 must be an integer");
    args["num_ipv6"] = json!(2.9);
    let wanted = Allocate { uid: "u1".into(), num_ipv4: 3, num_ipv6: 2 };
    let got = parsed(&json!({"command": "allocate", "args": args})).unwrap();
    assert_eq!(got, Request::Allocate(wanted));
}

#[test]
fn counts_have_bounds() {
    for bad in [json!(-1), json!(513), json!(1e300), json!("-5")] {
        let text = message("allocate", with(allocate_args(), "num_ipv4", bad));
        assert_eq!(text, "num_ipv4 must be from 0 to 512");
    }
}

#[test]
fn reserve_checks() {
    assert_eq!(message("reserve", json!({})), "Missing uid");
    assert_eq!(message("reserve", without(reserve_args(), "hostname")), "Missing hostname");
    assert_eq!(
        message("reserve", without(reserve_args(), "ipv4_addrs")),
        "Must provide at least one IPv4 or IPv6 address."
    );
    assert_eq!(
        message("reserve", with(reserve_args(), "ipv4_addrs", json!(["192.168.0.256"]))),
        "IP address could not be parsed: 192.168.0.256"
    );
    assert_eq!(
        message("reserve", with(reserve_args(), "ipv4_addrs", json!(["fd80::1"]))),
        "IPv6 address must not be placed in IPv4 address field."
    );
    assert_eq!(
        message("reserve", with(reserve_args(), "ipv6_addrs", json!(["10.0.0.1"]))),
        "IPv4 address must not be placed in IPv6 address field."
    );
    // One after the other: what is wrong with the first one is told.
    for ips in [json!(["::1"]), json!(["fd80::1", "x"])] {
        let text = message("reserve", with(reserve_args(), "ipv4_addrs", ips));
        assert_eq!(text, "IPv6 address must not be placed in IPv4 address field.");
    }
    let text = message("reserve", with(reserve_args(), "ipv4_addrs", json!(["x", "fd80::1"])));
    assert_eq!(text, "IP address could not be parsed: x");
}

#[test]
fn release_checks() {
    assert_eq!(message("release", json!({})), "Must supply either uid or ips.");
    assert_eq!(message("release", json!({"uid": null})), "Must supply either uid or ips.");
    let both = json!({"uid": "u1", "ips": []});
    assert_eq!(message("release", both), "Supply either uid or ips, not both.");
    assert_eq!(message("release", json!({"uid": 5})), "uid must be a string");
    assert_eq!(message("release", json!({"ips": ["x"]})), "IP address could not be parsed: x");
    let mixed = json!({"command": "release", "args": {"ips": ["10.0.0.1", "fd80::1"]}});
    let Request::Release(Release::Ips(ips)) = parsed(&mixed).unwrap() else { panic!() };
    assert_eq!(ips.len(), 2);
}

#[test]
fn addresses_that_no_container_can_have() {
    let cannot = |ip| format!("IP address {ip} cannot be a container's.");
    for ip in ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"] {
        let text = message("isolate", with(isolate_args(), "ipv4_addrs", json!([ip])));
        assert_eq!(text, cannot(ip));
    }
    for ip in ["::", "::1", "ff02::1"] {
        let text = message("isolate", with(isolate_args(), "ipv6_addrs", json!([ip])));
        assert_eq!(text, cannot(ip));
    }
}

#[test]
fn cleanup_checks() {
    assert_eq!(message("cleanup", json!({"hostname": "h"})), "Missing container_id");
    assert_eq!(message("cleanup", json!({"container_id": "c1"})), "Missing hostname");
}

#[test]
fn a_value_that_is_no_list_names_its_python_type() {
    for (value, name) in [
        (json!(null), "NoneType"),
        (json!(true), "bool"),
        (json!(1), "int"),
        (json!(u64::MAX), "long"),
        (json!(1.5), "float"),
        (json!({}), "dict"),
    ] {
        let text = message("isolate", with(isolate_args(), "ipv4_addrs", value));
        let wanted = format!("IP addresses must be provided as JSON list, not: <type '{name}'>");
        assert_eq!(text, wanted);
    }
}

#[test]
fn both_spellings() {
    let plain = parsed(&json!({"command": "isolate", "args": isolate_args()})).unwrap();
    let labels_list = with(isolate_args(), "labels", json!([{"key": "rack", "value": "3A"}]));
    let labels_object = with(isolate_args(), "labels", json!({"rack": "3A"}));
    let pid_text = with(isolate_args(), "pid", json!("42"));
    let hyphen = with(without(isolate_args(), "container_id"), "container-id", json!("c1"));
    for args in [labels_list, labels_object, pid_text, hyphen] {
        assert_eq!(parsed(&json!({"command": "isolate", "args": args})).unwrap(), plain);
    }
}

#[test]
fn names_that_would_reach_another_key_are_refused() {
    for bad in ["../x", "a/b", "..", "a b", "a\nb", "é", "_hidden"] {
        let text = message("allocate", with(allocate_args(), "uid", json!(bad)));
        assert_eq!(text, format!("Invalid UID: {bad}"));
        let text = message("cleanup", json!({"container_id": bad, "hostname": "h"}));
        assert_eq!(text, format!("Invalid container_id: {bad}"));
    }
    let text = message("isolate", with(isolate_args(), "hostname", json!("a/b")));
    assert_eq!(text, "Invalid hostname: a/b");
    let text = message("isolate", with(isolate_args(), "netgroups", json!(["a b"])));
    assert!(text.starts_with("Netgroup a b has other characters"), "{text}");
    for bad in [json!("1/../2"), json!(-1), json!("x"), json!([1])] {
        let text = message("isolate", with(isolate_args(), "pid", bad));
        assert_eq!(text, "pid must be an integer");
    }
}

#[test]
fn messages_stay_short() {
    let long = "x".repeat(1 << 20);
    let text = message(&long, json!({}));
    assert!(text.len() < 300, "{}", text.len());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("192.168.0.1")),
        Just(json!("fd80::1")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_request() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 11] = [
        "hostname",
        "container_id",
        "pid",
        "ipv4_addrs",
        "ipv6_addrs",
        "netgroups",
        "labels",
        "uid",
        "ips",
        "num_ipv4",
        "num_ipv6",
    ];
    let command = prop_oneof![
        Just("allocate"),
        Just("reserve"),
        Just("release"),
        Just("isolate"),
        Just("cleanup"),
    ];
    let arg = (prop::sample::select(&NAMES[..]), any_json());
    (command, prop::collection::vec(arg, 0..11)).prop_map(|(command, args)| {
        let args =
            args.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<serde_json::Map<_, _>>();
        json!({"command": command, "args": args})
    })
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn near_requests_never_panic_and_refusals_are_short(value in any_request()) {
        if let Err(error) = parsed(&value) {
            prop_assert!(error.to_string().len() < 4096);
        }
    }

    #[test]
    fn what_is_accepted_can_be_a_key(value in any_request()) {
        let safe = |name: &str| !name.contains('/') && name != ".." && name.is_ascii();
        match parsed(&value) {
            Ok(Request::Isolate(r)) => {
                prop_assert!(safe(&r.container_id) && safe(&r.hostname));
                prop_assert!(r.netgroups.iter().all(|name| safe(name)));
                prop_assert!(r.addresses.iter().count() > 0 && r.pid > 0);
            }
            Ok(Request::Cleanup(r)) => prop_assert!(safe(&r.container_id)),
            Ok(Request::Allocate(r)) => prop_assert!(safe(&r.uid) && r.num_ipv4 + r.num_ipv6 <= 1024),
            Ok(Request::Reserve(r)) => prop_assert!(safe(&r.uid)),
            Ok(Request::Release(Release::Uid(uid))) => prop_assert!(safe(&uid)),
            Ok(Request::Release(Release::Ips(_))) | Err(_) => {}
        }
    }

    #[test]
    fn good_requests_survive_the_way(
        uid in "[A-Za-z0-9.-][A-Za-z0-9_.:-]{0,40}", v4 in 0usize..=512, v6 in 0usize..=512,
    ) {
        prop_assume!(uid != "." && uid != "..");
        let args = json!({"hostname": "h", "uid": uid, "num_ipv4": v4.to_string(), "num_ipv6": v6});
        let wanted = Allocate { uid, num_ipv4: v4, num_ipv6: v6 };
        let got = parsed(&json!({"command": "allocate", "args": args})).unwrap();
        prop_assert_eq!(got, Request::Allocate(wanted));
    }
}
