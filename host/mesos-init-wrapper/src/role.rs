//! The two daemons, and where everything about each of them lies.

use std::path::{Path, PathBuf};

/// Which daemon to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `mesos-master`.
    Master,
    /// `mesos-slave`, which the documentation also calls the agent.
    Slave,
}

impl Role {
    /// The word for it on the command line and in file names.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Slave => "slave",
        }
    }

    /// The name of the program and of its systemd unit.
    pub(crate) fn daemon(self) -> String {
        format!("mesos-{}", self.word())
    }

    /// The short variables that stand for flags, and the flag of each.
    pub(crate) fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Role::Master => &[
                ("ZK", "zk"),
                ("IP", "ip"),
                ("PORT", "port"),
                ("CLUSTER", "cluster"),
                ("LOGS", "log_dir"),
            ],
            Role::Slave => &[
                ("MASTER", "master"),
                ("IP", "ip"),
                ("LOGS", "log_dir"),
                ("ISOLATION", "isolation"),
            ],
        }
    }

    /// Whether a variable of this name is a setting of the daemon or of its modules.
    pub(crate) fn is_setting(self, name: &str) -> bool {
        let prefixes = ["MESOS_", "LIBPROCESS_", "ETCD_", "CALICO_"];
        name == "ULIMIT"
            || self.variables().iter().any(|(short, _)| *short == name)
            || prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// The flag that /etc/mesos/zk gives a value to.
    pub(crate) fn zookeeper_flag(self) -> &'static str {
        match self {
            Role::Master => "zk",
            Role::Slave => "master",
        }
    }

    /// The folders in the folder of flags that hold one item per file.
    pub(crate) fn item_folders(self) -> &'static [&'static str] {
        match self {
            Role::Master => &[],
            Role::Slave => &["attributes", "resources"],
        }
    }
}

/// The places that are read, all under one root.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// `root` is `/`, except in tests and when looking at another system.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Defaults for both daemons.
    pub(crate) fn common_defaults(&self) -> PathBuf {
        self.root.join("etc/default/mesos")
    }

    /// Folder of defaults that packages ship for one daemon.
    pub(crate) fn package_defaults(&self, role: Role) -> PathBuf {
        self.defaults_folder().join(format!("mesos-{}.d", role.word()))
    }

    /// Whether packages, and not the administrator alone, set what this file of defaults sets.
    pub(crate) fn is_of_packages(&self, role: Role, file: &Path) -> bool {
        file == self.common_defaults() || file.parent() == Some(&*self.package_defaults(role))
    }

    /// The administrator's defaults for one daemon, which win.
    pub(crate) fn defaults(&self, role: Role) -> PathBuf {
        self.defaults_folder().join(format!("mesos-{}", role.word()))
    }

    /// The file with the ZooKeeper URL.
    pub(crate) fn zookeeper(&self) -> PathBuf {
        self.root.join("etc/mesos/zk")
    }

    /// The folder in which every file is a flag.
    pub(crate) fn flags(&self, role: Role) -> PathBuf {
        self.root.join(format!("etc/mesos-{}", role.word()))
    }

    /// The daemon itself.
    pub(crate) fn program(&self, role: Role) -> PathBuf {
        self.root.join("usr/sbin").join(role.daemon())
    }

    fn defaults_folder(&self) -> PathBuf {
        self.root.join("etc/default")
    }
}
