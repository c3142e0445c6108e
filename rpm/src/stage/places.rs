//! What is known of CentOS 7's file tree and of the names in it.

/// Limits of Linux on one part of a path and on the whole, without the NUL.
pub(super) const NAME_MAX: usize = 255;
pub(super) const PATH_MAX: usize = 4095;
/// What rpm adds to a file's name while it unpacks: `;` and eight digits (the transaction's id,
/// in rpm's `fsm.c`).
pub(super) const SUFFIX: usize = 9;

/// Directories that the package `filesystem` of CentOS 7 owns: a package that owns one of them as
/// well can change or remove what the whole system stands on.
const FILESYSTEM_DIRS: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/X11",
    "/etc/opt",
    "/etc/pki",
    "/etc/pm",
    "/etc/sysconfig",
    "/etc/xdg",
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
    "/usr/lib/games",
    "/usr/lib/sse2",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/include",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/local/share/man",
    "/usr/local/src",
    "/usr/sbin",
    "/usr/share",
    "/usr/share/applications",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/licenses",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/man/man1",
    "/usr/share/man/man2",
    "/usr/share/man/man3",
    "/usr/share/man/man4",
    "/usr/share/man/man5",
    "/usr/share/man/man6",
    "/usr/share/man/man7",
    "/usr/share/man/man8",
    "/usr/share/misc",
    "/usr/src",
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
    FILESYSTEM_DIRS.contains(&path)
}

/// Folders whose files are documentation whether they say so or not: the part of rpm's
/// `%__docdir_path` that is there on CentOS 7.
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

/// Whether rpmbuild takes what lies at `path` for documentation.
pub(super) fn is_documentation(path: &str) -> bool {
    DOCUMENTATION.iter().any(|d| path.starts_with(d))
}
