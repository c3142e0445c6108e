//! Who a package says it is, what it needs and what it offers.

use crate::rpmbuild::case::Case;

pub fn cases() -> Vec<Case> {
    let mut all = identities();
    all.extend(dependencies());
    all
}

fn identities() -> Vec<Case> {
    let mut epoch = Case::new("epoch").text("/opt/e", "x\n");
    epoch.epoch = Some(3);
    let mut epoch_zero = Case::new("epoch-zero").noarch();
    epoch_zero.epoch = Some(0);
    let mut tilde = Case::new("tilde").text("/opt/t", "x\n");
    tilde.version = "2.0~rc1".into();
    let mut lines = Case::new("description").noarch();
    lines.description = "First line, 100% <b>.\n\n  Indented & \"quoted\"\nThird: gr\u{fc}n".into();
    let mut url = Case::new("url").noarch();
    url.url = Some("http://localhost/?a=1&b=2");
    let mut gzip = Case::new("gzip").text("/opt/gz/a", "compressed\n").dir("/opt/gz");
    gzip.gzip = true;
    let mut gzip_nothing = Case::new("gzip-nothing").noarch();
    gzip_nothing.gzip = true;
    vec![
        epoch,
        epoch_zero,
        tilde,
        lines,
        url,
        gzip,
        gzip_nothing,
        Case::new("Name.with+odd_letters").noarch(),
        Case::new("words")
            .noarch()
            .toml("vendor = \"Vendor\"\npackager = \"Packager <p@localhost>\"\ngroup = \"System\"")
            .spec("Vendor: Vendor\nPackager: Packager <p@localhost>\nGroup: System"),
    ]
}

fn dependencies() -> Vec<Case> {
    vec![
        Case::new("requires")
            .noarch()
            .depends("requires", "bash", "*")
            .depends("requires", "glibc", ">= 2.17, < 3")
            .depends("requires", "exact", "= 2:1.0-3.el7")
            .depends("requires", "/usr/bin/env", "*")
            .depends("requires", "libc.so.6(GLIBC_2.4)(64bit)", "*"),
        Case::new("provides")
            .noarch()
            .depends("provides", "virtual", "*")
            .depends("provides", "versioned", "= 1:2.3-4")
            .depends("provides", "bundled(jquery)", "= 1.7"),
        Case::new("conflicts").noarch().depends("conflicts", "enemy", "< 4").depends(
            "conflicts",
            "foe",
            "*",
        ),
        Case::new("obsoletes").noarch().depends("obsoletes", "old", "<= 0.9").depends(
            "obsoletes",
            "older",
            "*",
        ),
        Case::new("tilde-dependency").noarch().depends("requires", "x", ">= 1.0~rc1"),
        Case::new("self-provided")
            .depends("requires", "own", "*")
            .depends("provides", "own", "= 1")
            .text("/opt/sp", "x\n"),
        Case::new("repeated")
            .depends("requires", "/bin/sh", "*")
            .script("post", "true")
            .file(crate::rpmbuild::case::text("/usr/bin/repeated", "#!/bin/sh\n").mode(0o755))
            .file(crate::rpmbuild::case::text("/usr/bin/again", "#!/bin/sh\n").mode(0o755)),
    ]
}
