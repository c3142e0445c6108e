#![no_main]
//! An RPM from anywhere: reading, verifying and indexing it ends, in memory of its own size.

use std::{io::Write, sync::LazyLock};

use el7rpm::{openpgp::Certificate, read::Rpm, repodata::IndexedRpm, verify::{self, Required}};
use libfuzzer_sys::fuzz_target;

static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::from_armored(include_str!("../seeds/key.asc")).expect("a key"));

fuzz_target!(|data: &[u8]| {
    let _ = Rpm::read(data, "fuzz".as_ref());
    let Ok(mut file) = tempfile::NamedTempFile::new_in("/dev/shm") else { return };
    if file.write_all(data).is_ok() {
        let _ = verify::verify(file.path(), &CERTIFICATE, Required::AsWritten);
        let _ = IndexedRpm::read(file.path());
    }
});
