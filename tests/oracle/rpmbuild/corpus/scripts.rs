//! Scriptlets: written out, and by meaning.

use crate::rpmbuild::{
    case::{Case, text},
    describe::DEFINITIONS,
};

pub fn cases() -> Vec<Case> {
    let mut all: Vec<_> = ["pre", "post", "preun", "postun", "pretrans", "posttrans"]
        .into_iter()
        .map(|section| {
            Case::new(&format!("script-{section}"))
                .noarch()
                .script(section, "echo \"$1\" >/dev/null\nif true; then\n  :\nfi")
        })
        .collect();
    all.extend(interpreters());
    all.extend(meanings());
    all
}

fn interpreters() -> Vec<Case> {
    let every = ["pre", "post", "preun", "postun", "pretrans", "posttrans"];
    vec![
        every
            .iter()
            .fold(Case::new("script-all").text("/opt/sa", "x\n"), |case, s| case.script(s, "true")),
        Case::new("script-python").noarch().script_by("post", &["/usr/bin/python"], "print(1)"),
        Case::new("script-arguments").noarch().script_by("pre", &["/bin/sh", "-e", "-u"], "true"),
        Case::new("script-lua").noarch().script_by("pretrans", &["<lua>"], "x = 1"),
        Case::new("script-bare").noarch().script_by("post", &["/sbin/ldconfig"], ""),
        Case::new("script-percent").noarch().script("post", "date +%s %% 100%"),
    ]
}

/// systemd 219's `%systemd_post`, `%systemd_preun` and `%systemd_postun_with_restart`, as
/// rpmbuild expands them on CentOS 7.
fn systemd(case: Case, units: &str) -> Case {
    case.spec("Requires(post): systemd\nRequires(preun): systemd\nRequires(postun): systemd")
        .implied(
            "post",
            &format!(
                "\nif [ $1 -eq 1 ] ; then \n        # Initial installation \n        \
                 systemctl preset {units} >/dev/null 2>&1 || : \nfi \n"
            ),
        )
        .implied(
            "preun",
            &format!(
                "\nif [ $1 -eq 0 ] ; then \n        # Package removal, not upgrade \n        \
                 systemctl --no-reload disable {units} > /dev/null 2>&1 || : \n        \
                 systemctl stop {units} > /dev/null 2>&1 || : \nfi \n"
            ),
        )
        .implied(
            "postun",
            &format!(
                "\nsystemctl daemon-reload >/dev/null 2>&1 || : \nif [ $1 -ge 1 ] ; then \n        \
                 # Package upgrade, not uninstall \n        \
                 systemctl try-restart {units} >/dev/null 2>&1 || : \nfi \n"
            ),
        )
}

const UNIT: &str = "[Service]\nExecStart=/bin/true\n";

const ACCOUNT: &str = "getent group svc >/dev/null || groupadd -r svc || exit 1\n\
    getent passwd svc >/dev/null || \
    useradd -r -g svc -d /var/lib/svc -s /sbin/nologin -c 'A service' svc || exit 1";

/// What `firewalld = true` stands for.
fn firewalld(case: Case) -> Case {
    const RELOAD: &str = "test -f /usr/bin/firewall-cmd && firewall-cmd --reload --quiet || :";
    let states = "/var/lib/rpm-state/firewalld.firewalld /run/firewalld.firewalld";
    case.implied(
        "post",
        &format!(
            "if [ $1 -eq 1 ] ; then\n        {RELOAD}\nelse\n        \
             # Upgrade: after the transaction, if definitions have changed\n        \
             for state in {states} ; do\n                \
             {{ mkdir -p ${{state%/*}} && echo {DEFINITIONS} > $state ; }} 2>/dev/null && break\n        \
             done || {{\n                {RELOAD}\n        }}\nfi"
        ),
    )
    .implied(
        "postun",
        &format!(
            "definitions=\nfor state in {states} ; do\n        \
             [ ! -f $state ] || {{ read -r definitions < $state || : ; break ; }}\ndone\n\
             if [ $1 -ge 1 ] && [ -f $state ] ; then\n        \
             [ \"$definitions\" != {DEFINITIONS} ] || rm -f {states} 2>/dev/null || :\nelse\n        \
             rm -f {states} 2>/dev/null || :\n        {RELOAD}\nfi"
        ),
    )
    .implied(
        "posttrans",
        &format!(
            "for state in {states} ; do\n        if [ -f $state ] ; then\n                \
             rm -f {states} 2>/dev/null || :\n                {RELOAD}\n                break\n        fi\ndone"
        ),
    )
}

fn meanings() -> Vec<Case> {
    let unit = |name: &str| text(&format!("/usr/lib/systemd/system/{name}"), UNIT);
    vec![
        systemd(Case::new("units"), "u.service")
            .file(unit("u.service"))
            .toml("units = [\"u.service\"]"),
        systemd(Case::new("units-two").noarch(), "a.service b.timer")
            .file(unit("a.service"))
            .file(unit("b.timer"))
            .toml("units = [\"a.service\", \"b.timer\"]"),
        Case::new("users")
            .noarch()
            .file(text("/var/lib/svc/x", "x\n").owner("svc", "svc"))
            .toml("users = [{ name = \"svc\", home = \"/var/lib/svc\", comment = \"A service\" }]")
            .spec("Requires(pre): shadow-utils\nRequires(pre): /usr/bin/getent")
            .implied("pre", ACCOUNT),
        firewalld(Case::new("firewalld").noarch())
            .text("/usr/lib/firewalld/services/f.xml", "<service/>\n")
            .toml("firewalld = true"),
        Case::new("ldconfig")
            .toml("ldconfig = true")
            .implied_by("post", &["/sbin/ldconfig"], "")
            .implied_by("postun", &["/sbin/ldconfig"], ""),
    ]
}
