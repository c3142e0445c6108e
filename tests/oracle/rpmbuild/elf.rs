//! Small ELF files of every kind that the dependency rules tell apart, made with gcc.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use sha2::{Digest, Sha256};

use crate::support;

/// Where they lie, by name.
pub fn path(name: &str) -> PathBuf {
    dir().join(name)
}

/// Whether the machine's gcc makes 32 bit programs as well.
pub fn has_32_bit() -> bool {
    path("program32").exists()
}

fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        // Made again when this file changes.
        let version = Sha256::digest(include_bytes!("elf.rs"));
        let dir = support::scratch_root().join(format!("elf-{:02x}{:02x}", version[0], version[1]));
        if !dir.exists() {
            let new = tempfile::tempdir_in(support::scratch_root()).unwrap();
            compile(new.path());
            // Another run may have been faster: its files are as good.
            drop(fs_err::rename(new.keep(), &dir));
        }
        dir
    })
}

fn compile(dir: &Path) {
    let source = |name: &str, text: &str| fs_err::write(dir.join(name), text).unwrap();
    source(
        "lib.c",
        "#include <stdlib.h>\nint one(void){return rand();}\nint two(void){return 2;}\n",
    );
    source("main.c", "#include <stdio.h>\nint main(void){puts(\"x\");return 0;}\n");
    source("user.c", "int one(void);\nint two(void);\nint main(void){return one()+two();}\n");
    source("map", "FIX_1.0 { global: one; local: *; };\nFIX_1.1 { global: two; } FIX_1.0;\n");
    let gcc = |arguments: &str| {
        let mut gcc = Command::new("gcc");
        gcc.current_dir(dir).arg("-O1").args(arguments.split_whitespace());
        support::run(&mut gcc).status.success()
    };
    for arguments in [
        "-g -o program main.c",
        "-no-pie -o fixed main.c",
        "-static -o static main.c",
        "-static-pie -o static-pie main.c",
        "-Wl,--hash-style=gnu -o gnu-hash main.c",
        "-Wl,--hash-style=both -o both-hashes main.c",
        "-c -o object.o main.c",
        "-g -shared -fPIC -Wl,-soname,libplain.so.1 -o libplain.so.1.2.3 lib.c",
        "-shared -fPIC -Wl,-soname,libfix.so.1 -Wl,--version-script,map -o libfix.so.1.0 lib.c",
        "-shared -fPIC -o plugin.so lib.c",
        "-shared -fPIC -o libnosoname.so lib.c",
        "-o nosoname-user user.c libnosoname.so -Wl,-rpath,/usr/lib64/private",
        "-shared -fPIC -Wl,-soname,odd-name.so.1 -o odd.so lib.c",
        "-o user user.c libfix.so.1.0 -Wl,-rpath,/usr/lib64/private",
    ] {
        assert!(gcc(arguments), "gcc {arguments}");
    }
    gcc("-m32 -o program32 main.c");
}
