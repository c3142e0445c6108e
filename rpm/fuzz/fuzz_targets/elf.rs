#![no_main]
//! A file that calls itself ELF, a script or a .pc file, packaged by somebody else's wish.

use std::{io::Write, sync::LazyLock};

use el7rpm::{
    deps,
    spec::{Package, Spec},
    stage::{Entry, EntryKind, StagedRoot},
};
use libfuzzer_sys::fuzz_target;

static PACKAGE: LazyLock<Package> = LazyLock::new(|| {
    let text = include_str!("../seeds/spec/firewalld.toml");
    let spec = Spec::parse(text, "/none/package.toml".as_ref(), "/none".as_ref());
    spec.expect("a description").packages.remove(0)
});

fuzz_target!(|data: &[u8]| {
    let Ok(mut file) = tempfile::NamedTempFile::new_in("/dev/shm") else { return };
    if file.write_all(data).is_err() {
        return;
    }
    let entry = |path: &str| {
        let kind =
            EntryKind::File { source: file.path().into(), size: data.len() as u64, inode: None };
        Entry::new(path, kind, 0o755)
    };
    let entries = vec![entry("/usr/lib64/libx.so.1"), entry("/usr/lib64/pkgconfig/x.pc")];
    let root = StagedRoot::of(&PACKAGE, entries).expect("a root");
    let _ = deps::discover(&PACKAGE, &root);
});
