//! Any bytes on stdin: the parser neither panics nor accepts what could reach another etcd key, and the answer
//! to a refusal is one JSON object that fits a pipe.
#![no_main]

use calico_plugin::protocol::{Release, Request, request, response};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let safe = |name: &str| {
        assert!(!name.is_empty() && !name.contains('/') && name != "." && name != "..");
        assert!(name.bytes().all(|b| b.is_ascii_graphic()));
    };
    match request::parse(input) {
        Ok(Request::Allocate(r)) => safe(&r.uid),
        Ok(Request::Reserve(r)) => safe(&r.uid),
        Ok(Request::Release(Release::Uid(uid))) => safe(&uid),
        Ok(Request::Release(Release::Ips(_))) => {}
        Ok(Request::Cleanup(r)) => safe(&r.container_id),
        Ok(Request::Isolate(r)) => {
            safe(&r.container_id);
            safe(&r.hostname);
            r.netgroups.iter().for_each(|name| safe(name));
        }
        Err(error) => {
            let answer = response::failure(&error.to_string());
            assert!(answer.len() < response::MAX);
            let value: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
            assert!(value["error"].is_string());
        }
    }
});
