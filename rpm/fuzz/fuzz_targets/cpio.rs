#![no_main]
//! A cpio archive from anywhere.

use std::io::Read;

use el7rpm::payload::CpioReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut reader = CpioReader::new(data);
    while let Ok(Some(_)) = reader.next_member() {
        let mut content = Vec::new();
        let _ = reader.read_to_end(&mut content);
    }
});
