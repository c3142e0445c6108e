//! Files that dependencies are read from.

use crate::rpmbuild::{
    case::{Case, CaseFile, CaseKind, text},
    elf,
};

pub fn cases() -> Vec<Case> {
    let mut all = scripts();
    all.extend(programs());
    all.extend(libraries());
    all.extend(pkgconfig());
    all
}

fn script(name: &str, path: &str, content: &str, mode: u16) -> Case {
    Case::new(name).noarch().file(text(path, content).mode(mode))
}

fn scripts() -> Vec<Case> {
    vec![
        script("sh-script", "/usr/bin/shs", "#!/bin/sh\ntrue\n", 0o755),
        script("script-not-executable", "/usr/share/s.sh", "#!/bin/sh\ntrue\n", 0o644),
        script("python-script", "/usr/bin/pys", "#! /usr/bin/python2 -E\nprint(1)\n", 0o755),
        script("env-script", "/usr/bin/envs", "#!/usr/bin/env python\nprint(1)\n", 0o755),
        script("env-abs-script", "/usr/bin/ea", "#!/usr/bin/env /opt/x/py\nx\n", 0o755),
        script("doc-script", "/usr/share/doc/ds/run.sh", "#!/bin/bash\ntrue\n", 0o755),
        script("no-auto-req", "/usr/bin/nar", "#!/bin/sh\n", 0o755)
            .toml("auto-req = \"no\"")
            .spec("AutoReqProv: no"),
        Case::new("script-odd-names")
            .noarch()
            .file(text("/opt/so/a b.sh", "#!/bin/sh\n").mode(0o755))
            .file(text("/opt/so/gr\u{fc}n.sh", "#!/bin/bash\n").mode(0o755)),
        Case::new("scripts-several")
            .noarch()
            .file(text("/usr/bin/s1", "#!/bin/sh\ntrue\n").mode(0o755))
            .file(text("/usr/bin/s2", "#!/usr/bin/perl -w\n1;\n").mode(0o755))
            .file(text("/usr/bin/s3", "#!/bin/sh\nfalse\n").mode(0o755))
            .file(text("/usr/bin/s4", "#!/usr/bin/env bash\nfalse\n").mode(0o700)),
    ]
}

fn programs() -> Vec<Case> {
    let mut all = vec![
        Case::new("elf-program").program("/usr/bin/program", &elf::path("program")),
        Case::new("elf-fixed").program("/usr/bin/fixed", &elf::path("fixed")),
        Case::new("elf-static")
            .program("/usr/bin/static", &elf::path("static"))
            .program("/usr/bin/static-pie", &elf::path("static-pie")),
        Case::new("elf-hashes")
            .program("/usr/bin/gnu", &elf::path("gnu-hash"))
            .program("/usr/bin/both", &elf::path("both-hashes")),
        Case::new("elf-not-executable").file(CaseFile::new(
            "/usr/lib/program",
            CaseKind::Copy(elf::path("program")),
            0o644,
        )),
        Case::new("elf-setuid").file(CaseFile::new(
            "/usr/bin/setuid",
            CaseKind::Copy(elf::path("program")),
            0o4755,
        )),
        Case::new("elf-object").file(CaseFile::new(
            "/usr/lib64/object.o",
            CaseKind::Copy(elf::path("object.o")),
            0o644,
        )),
        Case::new("elf-damaged").file(CaseFile::new(
            "/usr/lib64/damaged.so",
            CaseKind::Bytes(b"\x7fELF\x02\x01\x01 and no more".to_vec()),
            0o755,
        )),
    ];
    if elf::has_32_bit() {
        all.push(Case::new("elf-32").program("/usr/bin/program32", &elf::path("program32")));
    }
    all
}

fn libraries() -> Vec<Case> {
    let library =
        |path: &str, name: &str, mode| CaseFile::new(path, CaseKind::Copy(elf::path(name)), mode);
    vec![
        Case::new("library")
            .file(library("/usr/lib64/libplain.so.1.2.3", "libplain.so.1.2.3", 0o755))
            .link("/usr/lib64/libplain.so.1", "libplain.so.1.2.3")
            .link("/usr/lib64/libplain.so", "libplain.so.1"),
        Case::new("library-not-executable").file(library(
            "/usr/lib64/libplain.so.1",
            "libplain.so.1.2.3",
            0o644,
        )),
        Case::new("library-versions").file(library("/usr/lib64/libfix.so.1", "libfix.so.1.0", 0o755)),
        Case::new("plugin").file(library("/usr/lib64/plugins/plugin.so", "plugin.so", 0o755)),
        Case::new("no-soname").file(library("/usr/lib64/libnosoname.so", "libnosoname.so", 0o755)),
        Case::new("odd-soname").file(library("/usr/lib64/odd.so", "odd.so", 0o755)),
        Case::new("private-library")
            .file(library("/usr/lib64/private/libfix.so.1", "libfix.so.1.0", 0o755))
            .program("/usr/bin/user", &elf::path("user"))
            .toml(
                "exclude-requires = [\"^libfix\\\\.so\"]\nexclude-provides = [\"^libfix\\\\.so\"]",
            )
            .spec(
                "%global __provides_exclude ^libfix\\\\.so\n%global __requires_exclude ^libfix\\\\.so",
            ),
        Case::new("private-folder")
            .file(library("/usr/lib64/private/libfix.so.1", "libfix.so.1.0", 0o755))
            .file(library("/usr/lib64/libplain.so.1", "libplain.so.1.2.3", 0o755))
            .toml("exclude-provides-from = [\"^/usr/lib64/private/\"]")
            .spec("%global __provides_exclude_from ^/usr/lib64/private/"),
        Case::new("libraries-several")
            .file(library("/usr/lib64/libfix.so.1", "libfix.so.1.0", 0o755))
            .file(library("/usr/lib64/libplain.so.1", "libplain.so.1.2.3", 0o755)),
        Case::new("program-and-library")
            .program("/usr/bin/user", &elf::path("user"))
            .file(library("/usr/lib64/libfix.so.1.0", "libfix.so.1.0", 0o755))
            .link("/usr/lib64/libfix.so.1", "libfix.so.1.0")
            .file(text("/usr/bin/start", "#!/bin/sh\nexec user\n").mode(0o755))
            .implied_by("post", &["/sbin/ldconfig"], "")
            .implied_by("postun", &["/sbin/ldconfig"], "")
            .toml("ldconfig = true"),
    ]
}

fn pkgconfig() -> Vec<Case> {
    let one = "prefix=/usr\nversion=1.2\n\nName: one\nDescription: One\nVersion: ${version}\n\
               Requires: two >= 2.0, three\nRequires.private: four = 4\nLibs: -lone\n";
    vec![
        Case::new("pkgconfig").text("/usr/lib64/pkgconfig/one.pc", one),
        Case::new("pkgconfig-noarch").noarch().text(
            "/usr/share/pkgconfig/plain.pc",
            "Name: plain\nDescription: No requirements\nVersion: 3\n",
        ),
        Case::new("pkgconfig-elsewhere").noarch().text("/opt/pkgconfig/one.pc", one),
    ]
}
