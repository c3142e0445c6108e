//! A builder image: the folder containers/NAME, and the image that an engine builds from it.
//!
//! Its key is the content of the folder. The versions of the packages in the image are written to image.lock beside
//! it, to be committed: if the same folder gives other packages later, the run stops instead of building with them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use el7rpm::input;

use super::{
    engine::{BuiltImage, Engine},
    invocation::basic,
    lease::Lease,
};
use crate::site::Site;
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Identity, Key, KeyBuilder},
    process::{Decision, Process},
    workspace::Workspace,
};

/// The script in each image that lists its packages.
const PACKAGES: &str = "/usr/libexec/builder/packages";
/// How many of the last lines of a failed build are searched for the reason.
const END: usize = 30;
/// The committed list of packages.
const LOCK: &str = "image.lock";
/// The ABI table of the image, beside its Containerfile.
const ABI: &str = "abi.toml";
/// Files that a Containerfile does not use. The last three describe the root that is made without an engine.
const NOT_COPIED: [&str; 5] = [LOCK, ABI, "image.toml", "root.lock", "setup.sh"];

/// A description of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The name of its folder.
    pub name: String,
    pub(super) dir: PathBuf,
    pub(super) identity: Identity,
    pub(super) lock: Option<String>,
    /// The name of the file that the lock is from.
    pub(super) lock_file: &'static str,
    pub(super) args: Vec<String>,
}

impl Image {
    /// Reads the folder containers/NAME. `args` are the build arguments, `NAME=VALUE`: they name mirrors, do not
    /// change the result, and are not part of the key.
    pub fn load(workspace: &Workspace, name: &str, args: &[String]) -> Result<Self> {
        let dir = workspace.root.join("containers").join(name);
        if !dir.join("Containerfile").is_file() {
            let message = format!("there is no containers/{name}/Containerfile");
            return Err(Failure::new(Class::Spec, message)
                .help("`image` in [build] names a folder of containers/"));
        }
        // The ABI table is an input of package steps only: a new line in it does not repeat a compile.
        let is_copied = |path: &Path| NOT_COPIED.iter().all(|other| path != dir.join(other));
        let key = add_folder(KeyBuilder::new("image", 1), &dir, &dir, is_copied)?;
        let lock = read_lock(&dir)?;
        let (name, identity, args) = (name.to_owned(), key.identify(), args.to_vec());
        Ok(Self { name, identity, lock, lock_file: LOCK, args, dir })
    }

    /// Its key, which does not depend on image.lock.
    pub fn key(&self) -> &Key {
        &self.identity.key
    }

    /// The key with its inputs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Adds the image and image.lock to the key of a compile.
    pub fn add_to(&self, key: KeyBuilder) -> KeyBuilder {
        let lock = self.lock().unwrap_or_default();
        key.identity("image", &self.identity).text_of(
            self.lock_file,
            lock,
            &self.dir.join(self.lock_file),
        )
    }

    /// The content of image.lock, or the key of root.lock, if there is one.
    pub fn lock(&self) -> Option<&str> {
        self.lock.as_deref()
    }

    /// The path of its ABI table, if it has one: libraries beside, or instead of, those of CentOS 7.
    pub fn abi(&self) -> Option<PathBuf> {
        // If it cannot be read, loading it fails later.
        Some(self.dir.join(ABI)).filter(|path| !matches!(input::is_there(path), Ok(false)))
    }

    /// The image's name in an engine.
    pub fn reference(&self) -> String {
        format!("localhost/mesos-calico-builder-{}:{}", self.name, self.key().short())
    }

    /// Whether the engine has it.
    pub fn is_there(&self, engine: &Engine) -> bool {
        engine.output_of(["image", "inspect", "--format", "{{.Id}}", &self.reference()]).is_ok()
    }

    /// Builds the image unless the engine has it, and compares its packages with image.lock, which is written if it
    /// is missing.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if a registry or mirror cannot be reached.
    pub fn ensure(
        &self,
        engine: &Engine,
        site: &Site<'_>,
        step: &str,
    ) -> Result<BuiltImage, Trouble> {
        if !self.is_there(engine) {
            if site.offline && !self.is_local() {
                return Err(Trouble::Unavailable(self.forbidden()));
            }
            self.build(engine, site, step)?;
        }
        self.check(engine, site, step)?;
        Ok(BuiltImage { reference: self.reference(), key: self.key().clone() })
    }

    fn build(&self, engine: &Engine, site: &Site<'_>, step: &str) -> Result<(), Trouble> {
        let mut program = engine.command(["build", "--tag", &self.reference(), "--file"]);
        program.arg(self.dir.join("Containerfile")).current_dir(&site.workspace.root);
        program.args(self.args.iter().flat_map(|arg| ["--build-arg", arg]));
        program.arg(&self.dir);
        let probe = || engine.probe();
        let log = format!("image-{}.log", self.name);
        let process =
            Process { probe: Some(&probe), ..site.process(program, log, Class::Tool, step) };
        let _ = fs_err::remove_file(process.log_file());
        let (mut out_of_reach, mut lines) = (None, 0);
        let ended = process.watch(|line| {
            lines += 1;
            if is_out_of_reach(line) {
                out_of_reach = Some((lines, line.to_owned()));
            }
            // podman tries four times, which takes minutes if packets are dropped.
            match out_of_reach.is_some() && line.contains("retrying in") {
                true => Decision::End,
                false => Decision::Continue,
            }
        })?;
        match ended.status.success() {
            true => Ok(()),
            false => {
                let failure = process.failure(&ended.status.to_string(), ended.lines);
                // A network error long before the end was not fatal: another mirror answered.
                let at_the_end = |(at, line): (usize, String)| (lines - at < END).then_some(line);
                Err(self.trouble_of(failure, out_of_reach.and_then(at_the_end)))
            }
        }
    }

    fn trouble_of(&self, mut failure: Failure, out_of_reach: Option<String>) -> Trouble {
        let name = &self.name;
        if let Some(line) = out_of_reach {
            failure.message = format!(
                "the builder image {name} cannot be made: something that it needs cannot be reached: {}",
                line.trim()
            );
            return Trouble::Unavailable(failure.help(
                "connect to a network, or name mirrors: --image-arg BASE=... --image-arg VAULT=... \
                 --image-arg EPEL=... (docs/operating.md, The builder)",
            ));
        }
        failure.message = format!("the builder image {name} cannot be built");
        let help =
            format!("mend containers/{name}/Containerfile; the log has all that was printed");
        Trouble::Failed(failure.help(help))
    }

    /// Compares the packages in the image with image.lock.
    fn check(&self, engine: &Engine, site: &Site<'_>, step: &str) -> Result<(), Trouble> {
        let found = self.packages(engine, site, step)?;
        let path = self.dir.join(LOCK);
        // Another step may have written it since the plan was made.
        match read_lock(&self.dir)? {
            Some(lock) if lock == found => Ok(()),
            Some(lock) => Err(Trouble::Failed(self.differs(&lock, &found))),
            None => {
                write_whole(&path, &found)?;
                let path = site.workspace.relative(&path).display();
                let message = format!("{path} now lists the image's packages: commit it");
                site.reporter.event(&Event::Note { message: &message });
                Ok(())
            }
        }
    }

    /// The packages of a built image never change, so they are listed once.
    fn packages(&self, engine: &Engine, site: &Site<'_>, step: &str) -> Result<String> {
        let format = "{{.Id}}";
        let id = engine.output_of(["image", "inspect", "--format", format, &self.reference()])?;
        let id = id.trim().trim_start_matches("sha256:").to_owned();
        let known = site.workspace.state.join("images").join(id);
        if let Ok(text) = fs_err::read_to_string(&known) {
            return Ok(text);
        }
        let lease = Lease::take(engine, site.workspace, &format!("packages-{}", self.name))?;
        let mut args = basic(engine, false);
        args.extend(["--name".into(), lease.container.clone().into()]);
        args.extend([self.reference().into(), PACKAGES.into()]);
        let text = engine.output_inside(args, step, site.reporter).map_err(|failure| {
            failure.help(format!(
                "{PACKAGES} in the image must list its packages, one a line and sorted"
            ))
        })?;
        fs_err::create_dir_all(known.parent().unwrap_or(&known)).class(Class::Output)?;
        write_whole(&known, &text)?;
        Ok(text)
    }

    fn differs(&self, lock: &str, found: &str) -> Failure {
        let name = &self.name;
        let message = format!(
            "the builder image {name} has other packages than containers/{name}/{LOCK} says"
        );
        let mut failure = Failure::new(Class::Tool, message).help(format!(
            "name the mirrors that it was made with (--image-arg), or, to go on with what is there \
             now, remove containers/{name}/{LOCK}, run again and commit the new one"
        ));
        failure.last_lines = difference(lock, found);
        failure
    }

    fn forbidden(&self) -> Failure {
        let message = format!(
            "the builder image {} is not here, and --offline forbids to make it",
            self.name
        );
        Failure::new(Class::Tool, message).help(format!(
            "run once without --offline, or load it from where it is: `podman save` there, `podman \
             load` here ({})",
            self.reference()
        ))
    }

    /// Whether its base image is a local one, so that building it needs no network.
    fn is_local(&self) -> bool {
        let text = fs_err::read_to_string(self.dir.join("Containerfile")).unwrap_or_default();
        let mut bases = text.lines().filter_map(|l| l.strip_prefix("FROM ")).map(str::trim);
        bases.all(|base| base == "scratch" || base.starts_with("localhost/"))
    }
}

/// Adds the files and links below `folder`, by their paths from `top`.
pub(super) fn add_folder(
    mut key: KeyBuilder,
    folder: &Path,
    top: &Path,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<KeyBuilder> {
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
        let path = entry.path();
        let name = path.strip_prefix(top).unwrap_or(path).to_string_lossy().into_owned();
        if entry.file_type().is_file() && is_wanted(path) {
            key = key.file(&name, path)?;
        } else if entry.path_is_symlink() {
            let target = fs_err::read_link(path).class(Class::Source)?;
            key = key.text_of(&name, &target.to_string_lossy(), path);
        }
    }
    Ok(key)
}

/// The content of image.lock; `None` if there is no such file. An unreadable file is an error: otherwise it would be
/// overwritten.
fn read_lock(dir: &Path) -> Result<Option<String>> {
    match fs_err::read_to_string(dir.join(LOCK)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).class(Class::Source),
    }
}

/// Written to a temporary file and renamed: half a list would be taken for a whole one.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let new = path.with_added_extension("new");
    fs_err::write(&new, text).class(Class::Output)?;
    fs_err::rename(new, path).class(Class::Output)
}

/// Whether a line of an engine or a package manager says that the network, a registry or a mirror cannot be reached.
fn is_out_of_reach(line: &str) -> bool {
    let parts = [
        "no such host",
        "connection refused",
        "i/o timeout",
        "network is unreachable",
        "no route to host",
        "TLS handshake timeout",
        "failure in name resolution",
        "Could not resolve host",
        "Couldn't resolve host",
        "Temporary failure resolving",
        "Could not connect to",
        "Failed to connect to",
        "Connection timed out",
        "No more mirrors to try",
        "Cannot find a valid baseurl",
        "Cannot retrieve repository metadata",
        "manifest unknown",
        "toomanyrequests",
        "pinging container registry",
        "initializing source docker://",
        "failed to resolve source metadata",
        "pull access denied",
    ];
    !repeats_an_instruction(line) && parts.iter().any(|part| line.contains(part))
}

/// Whether a line repeats an instruction of the Containerfile, and is not output of its command.
fn repeats_an_instruction(line: &str) -> bool {
    let begins = ["STEP ", "Step ", "The command '"];
    begins.iter().any(|b| line.starts_with(b))
        || ["] RUN ", "building at STEP ", "failed to solve: process "]
            .iter()
            .any(|part| line.contains(part))
}

/// Packages that only one of the two lists has; if there are many, the first few.
fn difference(old: &str, new: &str) -> Vec<String> {
    const SHOWN: usize = 12;
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (old, new) = (lines(old), lines(new));
    let gone = old.difference(&new).map(|p| format!("- {p}"));
    let come = new.difference(&old).map(|p| format!("+ {p}"));
    let mut all: Vec<_> = gone.chain(come).collect();
    // The two versions of one package beside each other, the old one first.
    let name = |line: &String| line[2..].split(' ').next().unwrap_or_default().to_owned();
    all.sort_by_key(|line| (name(line), line.starts_with('+')));
    if all.len() > SHOWN {
        let more = all.len() - SHOWN;
        all.truncate(SHOWN);
        all.push(format!("and {more} more"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_short_and_in_order() {
        let lines = difference("a 1\nb 2\nc 1\n", "a 1\nb 1\nd 1\n");
        assert_eq!(lines, ["- b 2", "+ b 1", "- c 1", "+ d 1"]);
        let many: String = (0..40).map(|i| format!("p{i} 1\n")).collect();
        assert_eq!(difference("", &many).last().unwrap(), "and 28 more");
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_lock(dir.path()).unwrap(), None);
        fs_err::write(dir.path().join(LOCK), b"not \xff text").unwrap();
        assert!(read_lock(dir.path()).unwrap_err().message.contains(LOCK));
    }

    #[test]
    fn network_errors_are_unavailable() {
        assert!(is_out_of_reach("Error: dial tcp: lookup registry: no such host"));
        assert!(is_out_of_reach("Could not resolve host: vault.centos.org; Unknown error"));
        assert!(!is_out_of_reach("No package gcc-c+++ available."));
        assert!(!is_out_of_reach("STEP 3/4: RUN yum || echo 'Could not resolve host'"));
    }
}
