//! What can be at a path, and what can be said about it.

use crate::rpmbuild::case::{Case, CaseFile, CaseKind, text};

pub fn cases() -> Vec<Case> {
    let mut all = kinds();
    all.extend(links());
    all.extend(flags());
    all.extend(names());
    all
}

fn kinds() -> Vec<Case> {
    let modes = [0o644, 0o600, 0o444, 0o400, 0o755, 0o700, 0o711, 0o664, 0o666, 0o4755, 0o2755];
    let modes = modes.iter().fold(Case::new("modes"), |case, mode| {
        case.file(text(&format!("/opt/modes/{mode:o}"), "x\n").mode(*mode))
    });
    let many = (0..3000).fold(Case::new("many").noarch(), |case, i| {
        case.text(&format!("/opt/many/{}/{i:05}.txt", i % 37), &format!("{i}\n"))
    });
    vec![
        Case::new("plain").text("/opt/plain/file", "content\n"),
        Case::new("nothing").noarch(),
        Case::new("nothing-arch"),
        Case::new("empty-file").text("/opt/empty", ""),
        modes,
        Case::new("owners")
            .file(text("/opt/owners/a", "a\n").owner("daemon", "bin"))
            .file(text("/opt/owners/b", "b\n").owner("root", "mail").mode(0o640))
            .file(CaseFile::new("/opt/owners/d", CaseKind::Dir, 0o1777).owner("nobody", "daemon")),
        Case::new("empty-dir").dir("/opt/empty-dir").dir("/opt/empty-dir/below"),
        Case::new("shared-dir")
            .noarch()
            .dir("/usr/lib/firewalld")
            .text("/usr/lib/firewalld/x", "x"),
        Case::new("dir-modes")
            .file(CaseFile::new("/opt/dm/private", CaseKind::Dir, 0o700))
            .file(CaseFile::new("/opt/dm/sticky", CaseKind::Dir, 0o1777))
            .file(CaseFile::new("/opt/dm/group", CaseKind::Dir, 0o2775)),
        many,
        Case::new("binary-data")
            .file(CaseFile::new("/opt/bin/zeros", CaseKind::Bytes(vec![0; 100_000]), 0o644))
            .file(CaseFile::new("/opt/bin/odd", CaseKind::Bytes((0..=255).collect()), 0o644)),
    ]
}

fn links() -> Vec<Case> {
    vec![
        Case::new("symlinks")
            .text("/opt/sl/file", "x\n")
            .link("/opt/sl/relative", "file")
            .link("/opt/sl/absolute", "/opt/sl/file")
            .link("/opt/sl/dangling", "../nowhere")
            .link("/opt/sl/dir-link", "/usr/share"),
        Case::new("link-owner").file(
            CaseFile::new("/opt/link-owner", CaseKind::Link("target".into()), 0o777)
                .owner("daemon", "bin"),
        ),
        Case::new("hard-two").text("/opt/h/a", "linked\n").hard("/opt/h/b", "/opt/h/a"),
        Case::new("hard-three")
            .text("/opt/h3/a", "three names\n")
            .hard("/opt/h3/b", "/opt/h3/a")
            .text("/opt/h3/between", "alone\n")
            .hard("/opt/h3/c", "/opt/h3/a"),
        Case::new("hard-across")
            .text("/opt/ha/z/file", "across\n")
            .hard("/opt/ha/a/file", "/opt/ha/z/file")
            .text("/opt/ha/m/file", "other\n"),
        Case::new("hard-sets")
            .text("/opt/hs/1", "first\n")
            .text("/opt/hs/2", "second\n")
            .hard("/opt/hs/3", "/opt/hs/1")
            .hard("/opt/hs/4", "/opt/hs/2")
            .text("/opt/hs/5", "alone\n")
            .text("/opt/hs/6", "")
            .hard("/opt/hs/7", "/opt/hs/6"),
    ]
}

fn flags() -> Vec<Case> {
    let ghost_dir = CaseFile::new("/var/lib/ghosts", CaseKind::Dir, 0o750).ghost();
    let ghost_link =
        CaseFile::new("/etc/ghost-link", CaseKind::Link("ghost".into()), 0o777).ghost();
    vec![
        Case::new("config").file(text("/etc/c.conf", "a\n").config(&[])),
        Case::new("config-noreplace").file(text("/etc/n.conf", "a\n").config(&["noreplace"])),
        Case::new("config-missingok").file(text("/etc/m.conf", "a\n").config(&["missingok"])),
        Case::new("config-both")
            .noarch()
            .file(text("/etc/b.conf", "a\n").config(&["missingok", "noreplace"])),
        Case::new("config-link").text("/etc/cl.real", "a\n").file(
            CaseFile::new("/etc/cl.conf", CaseKind::Link("cl.real".into()), 0o777)
                .config(&["noreplace"]),
        ),
        Case::new("doc").noarch().file(text("/opt/d/README", "read me\n").doc()),
        Case::new("docdirs")
            .noarch()
            .dir("/usr/share/doc/docdirs-1.0")
            .text("/usr/share/doc/docdirs-1.0/README", "by its place\n")
            .text("/usr/share/man/man1/docdirs.1", ".TH X 1\n")
            .text("/usr/share/info/docdirs.info", "info\n")
            .link("/usr/share/man/man1/other.1", "docdirs.1")
            .text("/usr/share/docs/not", "no\n"),
        Case::new("license").noarch().file(text("/usr/share/licenses/l/COPYING", "c\n").license()),
        Case::new("ghost-file").file(text("/var/log/g.log", "").ghost()),
        Case::new("ghost-config").file(text("/etc/g.conf", "").ghost().config(&["noreplace"])),
        Case::new("ghost-dir").file(ghost_dir),
        Case::new("ghost-link").file(ghost_link).text("/etc/ghost", "x\n"),
        Case::new("ghosts-between")
            .text("/opt/gb/a", "a\n")
            .file(text("/opt/gb/b", "").ghost())
            .text("/opt/gb/c", "c\n"),
        Case::new("caps")
            .file(text("/opt/caps/ping", "x\n").mode(0o755).caps("cap_net_raw=ep"))
            .text("/opt/caps/none", "x\n"),
        Case::new("unverified")
            .file(text("/etc/uv", "x\n").unverified(&["md5", "size", "mtime"]))
            .file(text("/etc/uv2", "x\n").unverified(&["user", "group", "mode"])),
    ]
}

fn names() -> Vec<Case> {
    // The longest that rpm can lay down; longer ones are refused, see `stage`.
    let component = "n".repeat(246);
    let deep: String = (0..15).map(|i| format!("/{i:0>250}")).collect();
    vec![
        Case::new("utf8-names")
            .text("/opt/gr\u{fc}n/\u{65e5}\u{672c}\u{8a9e}", "x\n")
            .text("/opt/gr\u{fc}n/e\u{301}", "combining\n")
            .link("/opt/gr\u{fc}n/\u{1f980}", "\u{65e5}\u{672c}\u{8a9e}"),
        Case::new("spaces")
            .text("/opt/with space/a file", "x\n")
            .text("/opt/with space/and  two", "x\n")
            .dir("/opt/with space/dir d"),
        Case::new("odd-names")
            .text("/opt/odd/%percent", "x\n")
            .text("/opt/odd/a,b;c&d", "x\n")
            .text("/opt/odd/-dash", "x\n")
            .text("/opt/odd/a'b", "x\n"),
        Case::new("long-component").text(&format!("/opt/{component}"), "x\n"),
        Case::new("long-path").text(&format!("/opt{deep}/file"), "x\n"),
        // Orders that differ between a comparison of bytes and one of path components.
        Case::new("order")
            .text("/opt/order/a/file", "x\n")
            .text("/opt/order/a-b", "x\n")
            .text("/opt/order/a.b/file", "x\n")
            .text("/opt/order/A/file", "x\n")
            .text("/opt/order/\u{e4}/file", "x\n")
            .dir("/opt/order/a"),
    ]
}
