//! Measures a run for data packages, and the same work by rpmbuild and createrepo_c.

use std::path::{Path, PathBuf};

use super::{
    BenchFolder, Row,
    clock::{fastest, time},
    copies::{copy_development_key, copy_folder},
};
use base::{
    failure::{Class, Classify, Result},
    process::{Program, on_path},
    workspace::Workspace,
};

/// A copy of the checkout's data packages, so that the checkout is not changed.
struct DataCheckout {
    scratch: BenchFolder,
}

const PACKAGE: &str = "mesos-calico-firewalld";
const CHANGED: &str = "services/mesos-calico-bgp.xml";

pub(super) fn measure(workspace: &Workspace, runs: u16) -> Result<Vec<Row>> {
    let scratch = DataCheckout::new(workspace)?;
    time(&mut scratch.xtask()?)?;
    let createrepo = on_path("createrepo_c");
    let rpmbuild = on_path("rpmbuild").filter(|_| createrepo.is_some());
    let has_rpmbuild = rpmbuild.is_some();
    let absent = |is_absent: bool, what: &str| match is_absent {
        true => format!("no peer: {what} is not installed"),
        false => String::new(),
    };

    let nothing = fastest(runs, || time(&mut scratch.xtask()?))?;
    let update = createrepo
        .as_ref()
        .map(|_| fastest(runs, || time(&mut scratch.createrepo(true))))
        .transpose()?;
    let mut edition = 0;
    let changed = fastest(runs, || {
        edition += 1;
        scratch.change(edition)?;
        time(&mut scratch.xtask()?)
    })?;
    let pipeline = rpmbuild.map(|_| {
        fastest(
            runs,
            || Ok(time(&mut scratch.rpmbuild()?)? + time(&mut scratch.createrepo(false))?),
        )
    });
    Ok(vec![
        Row {
            what: "nothing to do (goal: under 0.5 s)".into(),
            seconds: nothing,
            peer: update.map(|s| ("createrepo_c --update alone".into(), s)),
            note: absent(createrepo.is_none(), "createrepo_c"),
        },
        Row {
            what: "one changed file to repository (under 2 s)".into(),
            seconds: changed,
            peer: pipeline.transpose()?.map(|s| ("rpmbuild and createrepo_c, unsigned".into(), s)),
            note: absent(!has_rpmbuild, "rpmbuild"),
        },
    ])
}

impl DataCheckout {
    fn new(workspace: &Workspace) -> Result<Self> {
        let own = Self { scratch: BenchFolder::new(workspace)? };
        copy_folder(&workspace.root.join("specs").join(PACKAGE), &own.spec())?;
        copy_development_key(workspace, &own.scratch.dir)?;
        Ok(own)
    }

    fn spec(&self) -> PathBuf {
        self.scratch.dir.join("specs").join(PACKAGE)
    }

    fn xtask(&self) -> Result<Program> {
        let mut command = Program::new(std::env::current_exe().class(Class::Tool)?);
        command
            .arg("--root")
            .arg(&self.scratch.dir)
            .arg("rpm")
            .without(|name| name == "CARGO_TARGET_DIR");
        Ok(command)
    }

    fn change(&self, edition: u32) -> Result<()> {
        let path = self.spec().join(CHANGED);
        let text = fs_err::read_to_string(&path).class(Class::Source)?;
        let body = text.split("<!--").next().unwrap_or(&text);
        fs_err::write(path, format!("{body}<!-- {edition} -->\n")).class(Class::Output)
    }

    fn createrepo(&self, update: bool) -> Program {
        let mut command = Program::new("createrepo_c");
        command.arg("--quiet");
        if update {
            command.arg("--update");
        }
        command
            .arg("--outputdir")
            .arg(self.scratch.dir.join("peer"))
            .arg(self.scratch.dir.join("dist/el7"));
        let _ = fs_err::create_dir_all(self.scratch.dir.join("peer"));
        command
    }

    /// The same package from a .spec file.
    fn rpmbuild(&self) -> Result<Program> {
        let path = self.scratch.dir.join("peer.spec");
        fs_err::write(&path, peer_spec(&self.spec())).class(Class::Output)?;
        let mut command = Program::new("rpmbuild");
        command
            .arg("-bb")
            .arg("--define")
            .arg(format!("_topdir {}", self.scratch.dir.join("rpmbuild").display()))
            .arg(path);
        Ok(command)
    }
}

fn peer_spec(files: &Path) -> String {
    format!(
        "%global _binary_payload w2.xzdio\nName: {PACKAGE}\nVersion: 0.1.0\nRelease: 1.el7\nSummary: peer\n\
         License: ASL 2.0\nBuildArch: noarch\n%description\npeer\n%install\n\
         mkdir -p %{{buildroot}}/usr/lib/firewalld/services\n\
         cp {}/services/*.xml %{{buildroot}}/usr/lib/firewalld/services\n\
         %files\n/usr/lib/firewalld\n",
        files.display()
    )
}
