//! Facts about CentOS 7's file tree.

/// Directories that CentOS 7's package `filesystem` owns. Another package that owns one of them
/// could change or remove it, and break the whole system. From its spec file, version 3.2;
/// sorted, for binary search.
const FILESYSTEM_DIRS: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/X11",
    "/etc/X11/applnk",
    "/etc/X11/fontpath.d",
    "/etc/bash_completion.d",
    "/etc/opt",
    "/etc/pki",
    "/etc/pm",
    "/etc/pm/config.d",
    "/etc/pm/power.d",
    "/etc/pm/sleep.d",
    "/etc/skel",
    "/etc/sysconfig",
    "/etc/xdg",
    "/etc/xdg/autostart",
    "/etc/xinetd.d",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/etc",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib/debug",
    "/usr/lib/debug/bin",
    "/usr/lib/debug/lib",
    "/usr/lib/debug/lib64",
    "/usr/lib/debug/sbin",
    "/usr/lib/debug/usr",
    "/usr/lib/debug/usr/.dwz",
    "/usr/lib/debug/usr/bin",
    "/usr/lib/debug/usr/lib",
    "/usr/lib/debug/usr/lib64",
    "/usr/lib/debug/usr/sbin",
    "/usr/lib/games",
    "/usr/lib/locale",
    "/usr/lib/modules",
    "/usr/lib/sse2",
    "/usr/lib64",
    "/usr/lib64/X11",
    "/usr/lib64/games",
    "/usr/lib64/pm-utils",
    "/usr/lib64/pm-utils/module.d",
    "/usr/lib64/pm-utils/power.d",
    "/usr/lib64/pm-utils/sleep.d",
    "/usr/lib64/sse2",
    "/usr/lib64/tls",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/games",
    "/usr/local/include",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/local/share/applications",
    "/usr/local/share/info",
    "/usr/local/share/man",
    "/usr/local/src",
    "/usr/sbin",
    "/usr/share",
    "/usr/share/X11",
    "/usr/share/aclocal",
    "/usr/share/applications",
    "/usr/share/augeas",
    "/usr/share/augeas/lenses",
    "/usr/share/backgrounds",
    "/usr/share/desktop-directories",
    "/usr/share/dict",
    "/usr/share/doc",
    "/usr/share/empty",
    "/usr/share/games",
    "/usr/share/ghostscript",
    "/usr/share/ghostscript/conf.d",
    "/usr/share/gnome",
    "/usr/share/icons",
    "/usr/share/idl",
    "/usr/share/info",
    "/usr/share/licenses",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/mime-info",
    "/usr/share/misc",
    "/usr/share/omf",
    "/usr/share/pixmaps",
    "/usr/share/sounds",
    "/usr/share/themes",
    "/usr/share/xsessions",
    "/usr/src",
    "/usr/src/debug",
    "/usr/src/kernels",
    "/usr/tmp",
    "/var",
    "/var/adm",
    "/var/cache",
    "/var/db",
    "/var/empty",
    "/var/games",
    "/var/gopher",
    "/var/lib",
    "/var/lib/games",
    "/var/lib/misc",
    "/var/lib/rpm-state",
    "/var/local",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/nis",
    "/var/opt",
    "/var/preserve",
    "/var/run",
    "/var/spool",
    "/var/spool/lpd",
    "/var/spool/mail",
    "/var/tmp",
    "/var/yp",
];

/// Whether CentOS 7's package `filesystem` owns this directory.
pub fn is_of_filesystem(path: &str) -> bool {
    FILESYSTEM_DIRS.binary_search(&path).is_ok() || is_of_a_language(path)
}

/// Whether CentOS 7 has a folder of this very name in its package filesystem.
pub(super) fn is_folder(path: &str) -> bool {
    FILESYSTEM_DIRS.binary_search(&path).is_ok()
}

/// Whether the path is `/usr/share/locale/LL[/LC_MESSAGES]`, a section of manual pages, or a section in another language.
fn is_of_a_language(path: &str) -> bool {
    let in_man =
        path.strip_prefix("/usr/share/man/").or_else(|| path.strip_prefix("/usr/local/share/man/"));
    if let Some(rest) = in_man {
        return match rest.split_once('/') {
            None => true,
            Some((_, section)) => section.starts_with("man") && !section.contains('/'),
        };
    }
    let in_locale = path.strip_prefix("/usr/share/locale/");
    in_locale.is_some_and(|rest| match rest.split_once('/') {
        None => true,
        Some((_, below)) => below == "LC_MESSAGES",
    })
}

/// Folders that are in memory, or are emptied, at each start of CentOS 7. /var/run and /var/lock are links to /run.
const VOLATILE: &[&str] =
    &["/dev", "/proc", "/run", "/sys", "/tmp", "/usr/tmp", "/var/lock", "/var/run", "/var/tmp"];

/// The folder of [`VOLATILE`] that contains `path`.
pub(super) fn volatile(path: &str) -> Option<&'static str> {
    VOLATILE.iter().find(|v| path.strip_prefix(**v).is_some_and(|r| r.starts_with('/'))).copied()
}

/// The path in its form below /run, if it is /run/x, /var/run/x or /var/lock/x.
pub(super) fn run(path: &str) -> Option<String> {
    let lock = path.strip_prefix("/var/lock/").map(|rest| format!("/run/lock/{rest}"));
    let own = path.starts_with("/run/").then(|| path.to_owned());
    own.or_else(|| path.strip_prefix("/var/run/").map(|rest| format!("/run/{rest}"))).or(lock)
}

/// The file name of a unit: that of `getty@tty1.service` is `getty@.service`.
pub(super) fn template_of(unit: &str) -> String {
    match (unit.split_once('@'), unit.rfind('.')) {
        (Some((name, _)), Some(dot)) => format!("{name}@{}", &unit[dot..]),
        _ => unit.to_owned(),
    }
}

/// Folders whose files are always documentation: the folders of rpm's
/// `%__docdir_path` that exist on CentOS 7.
const DOCUMENTATION: &[&str] = &[
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/info/",
    "/usr/share/gtk-doc/html/",
    "/usr/share/gnome/help/",
    "/usr/share/javadoc/",
    "/usr/doc/",
    "/usr/man/",
    "/usr/info/",
    "/usr/X11R6/man/",
];

/// Whether rpmbuild marks the file `path` as documentation.
pub(super) fn is_documentation(path: &str) -> bool {
    DOCUMENTATION.iter().any(|d| path.starts_with(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_package_filesystem_are_known() {
        assert!(FILESYSTEM_DIRS.is_sorted());
        for path in ["/", "/usr/bin", "/usr/share/man/man8", "/usr/share/man/de/man1", "/var/lib"] {
            assert!(is_of_filesystem(path), "{path}");
        }
        for path in ["/usr/share/locale/de", "/usr/share/locale/de/LC_MESSAGES", "/usr/lib/debug"] {
            assert!(is_of_filesystem(path), "{path}");
        }
        for path in ["/usr/lib/systemd", "/etc/mesos", "/usr/share/man/man8/x", "/opt/x"] {
            assert!(!is_of_filesystem(path), "{path}");
        }
    }
    /// Compares with the package itself, if it is in the folder that EL7_RPMS names.
    #[test]
    fn folders_of_the_package_filesystem_are_those_of_centos_7() {
        let Some(dir) = std::env::var_os("EL7_RPMS") else { return };
        let path = std::path::Path::new(&dir).join("filesystem-3.2-25.el7.x86_64.rpm");
        if !crate::input::is_there(&path).unwrap() {
            return;
        }
        let mut owned = crate::read::Rpm::open(&path).unwrap().paths();
        for path in &owned {
            assert!(is_of_filesystem(path), "{path}");
        }
        owned.retain(|path| !is_of_a_language(path));
        owned.sort();
        assert_eq!(owned, FILESYSTEM_DIRS);
    }
}
