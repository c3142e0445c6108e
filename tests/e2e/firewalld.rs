//! firewalld's own tool reads each service file and shows the ports of the deployment guide.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::{checkout::repository, support};

/// The two port tables of the guide.
const PORTS: [(&str, &str); 6] = [
    ("mesos-calico-zookeeper", "2181/tcp"),
    ("mesos-calico-master", "5050/tcp"),
    ("mesos-calico-etcd", "2379/tcp 4001/tcp"),
    ("mesos-calico-marathon", "8080/tcp"),
    ("mesos-calico-bgp", "179/tcp"),
    ("mesos-calico-agent", "5051/tcp"),
];

fn copy(from: &Path, to: &Path) {
    for file in crate::checkout::walk(from) {
        let target = to.join(&file);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(from.join(&file), target).unwrap();
    }
}

#[test]
fn every_service_loads_and_opens_exactly_its_ports() {
    if !support::have_as_root("firewalld's services", &["firewall-offline-cmd"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (default, system) = (scratch.path().join("default"), scratch.path().join("system"));
    copy(Path::new("/usr/lib/firewalld"), &default);
    fs_err::create_dir_all(&system).unwrap();
    fs_err::copy("/etc/firewalld/firewalld.conf", system.join("firewalld.conf")).unwrap();
    let own = repository().join("specs/mesos-calico-firewalld/services");
    for file in crate::checkout::walk(&own) {
        assert!(!default.join("services").join(&file).exists(), "{file} is firewalld's own");
        fs_err::copy(own.join(&file), default.join("services").join(&file)).unwrap();
    }
    let mut seen = BTreeMap::new();
    for (service, ports) in PORTS {
        let mut command = Command::new("firewall-offline-cmd");
        command.arg("--default-config").arg(&default).arg("--system-config").arg(&system);
        let text = support::ok(command.arg("--info-service").arg(service));
        let line = text.lines().find_map(|l| l.trim().strip_prefix("ports: ")).unwrap();
        assert_eq!(line.trim(), ports, "{service}");
        for other in ["protocols", "source-ports", "modules", "includes", "helpers"] {
            let value = text.lines().find_map(|l| l.trim().strip_prefix(&format!("{other}:")));
            assert_eq!(value.map(str::trim), Some(""), "{service} {other}");
        }
        seen.insert(service, ());
    }
    assert_eq!(seen.len(), crate::checkout::walk(&own).len(), "a service file is in no table");
}
