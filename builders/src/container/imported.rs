//! A builder image as a container engine has it: imported from the root that the sandbox would enter. A container runs setup.sh
//! in it and is kept as the image.

use std::{
    ffi::OsString,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use super::{
    engine::{BuiltImage, Engine, EngineKind, failed},
    image::{INSIDE, Image, Locked, SETUP},
    invocation::{SETUP_ENV, limits},
    lease::Lease,
};
use crate::{
    archive,
    root::{self, Turn},
    site::Site,
};
use base::{
    events::Event,
    failure::{Class, Classify, Result, Trouble},
    process::{Decision, Process, report_silence},
};
use sources::Fetcher;

/// Runs setup.sh with the given variables alone, and removes what was there for it only.
const ENTRY: &str = "umask 022; mkdir -p /tmp/home; env -i \"$@\" && rm -rf /src/image";

impl Image {
    /// The image's name in an engine.
    fn reference(&self, locked: &Locked) -> String {
        // Engines take small letters only; the key tells images apart.
        let name = self.name.to_ascii_lowercase();
        format!("localhost/mesos-calico-builder-{name}:{}", self.key_with(&locked.packages).short())
    }

    /// Imports the image, unless the engine has it.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if its packages cannot be reached.
    pub fn import(
        &self,
        engine: &Engine,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<BuiltImage, Trouble> {
        let locked = self.locked(fetcher, site, step)?;
        let reference = self.reference(&locked);
        let (description, lock) = (&locked.description, &locked.lock);
        let roots = site.workspace.shared().join("roots");
        // Also where the engine has the image: the ABI gate asks the root.
        let root = root::make(description, lock, fetcher, &roots, step, None)?;
        // Two runs at once import it once.
        let turn = roots.join(format!("import-{}.lock", self.key_with(&locked.packages).short()));
        let _turn = Turn::take(turn, site.reporter)?;
        if !engine.has_image(&reference) {
            let import = Import { image: self, engine, site, step, tree: &root.tree };
            import.run(&reference)?;
        }
        Ok(BuiltImage { reference, key: self.key_with(&locked.packages), root })
    }
}

/// One import.
struct Import<'a> {
    image: &'a Image,
    engine: &'a Engine,
    site: &'a Site<'a>,
    step: &'a str,
    /// The packages, unpacked.
    tree: &'a Path,
}

impl Import<'_> {
    fn run(&self, reference: &str) -> Result<()> {
        let what = format!("image-{}", self.image.name);
        let mut lease = Lease::take(self.engine, self.site.workspace, &what)?;
        let scratch = tempfile::tempdir_in(self.site.workspace.tmp()).class(Class::Output)?;
        let files = scratch.path().join("image");
        let has_setup = self.image.copy_set_up(&files)?;
        let name = self.engine.kind.name();
        let line = format!("{name} imports the root of {} packages", self.image.name);
        self.site.reporter.event(&Event::StepOutput { step: self.step, line: &line });
        let more = [(files, INSIDE.to_owned())];
        let base = self.import(if has_setup { &more } else { &[] }, &mut lease)?;
        match has_setup {
            true => self.set_up(&base, &lease, reference)?,
            false => drop(self.engine.output_of(["tag", &base, reference])?),
        }
        lease.keep_images();
        Ok(())
    }

    /// Streams the root into the engine; returns the id of the image.
    fn import(&self, files: &[(PathBuf, String)], lease: &mut Lease) -> Result<String> {
        let mut program = self.engine.command(["import"]);
        if self.engine.kind == EngineKind::Podman {
            program.arg("--quiet");
        }
        program.arg("-");
        let (reader, writer) = io::pipe().class(Class::Tool)?;
        let name = self.engine.kind.name();
        let late = |time| {
            let probe = self.engine.probe();
            report_silence(self.site.reporter, self.step, name, time, Some(&probe));
        };
        let (output, written) = std::thread::scope(|scope| {
            let write = move || archive::write(self.tree, files, BufWriter::new(writer));
            let written = scope.spawn(write);
            (program.output_reading(reader, &late), written.join())
        });
        let output = output.class(Class::Tool)?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            let id = text.lines().last().unwrap_or_default().trim().to_owned();
            lease.add_image(&id)?;
            match written {
                Ok(written) => written.class(Class::Output)?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
            return Ok(id);
        }
        let message = format!("{name} cannot import the builder image {}", self.image.name);
        let failure = failed(&program, &output, message);
        Err(failure.help(format!("`{name} info` shows where it keeps images; is there space?")))
    }

    /// Runs setup.sh in a container of the image `base`, and makes the container the image `reference`.
    fn set_up(&self, base: &str, lease: &Lease, reference: &str) -> Result<()> {
        let script = format!("{INSIDE}/{SETUP}");
        let program = self.engine.command(self.set_up_args(&lease.container, base, &script));
        let probe = || self.engine.probe();
        let log = format!("image-{}.log", self.image.name);
        let process = Process {
            probe: Some(&probe),
            ..self.site.process(program, log, Class::Tool, self.step)
        };
        let _ = fs_err::remove_file(process.log_file());
        let ended = process.watch(|_| Decision::Continue)?;
        if !ended.status.success() {
            let failure = process.failure(&ended.status.to_string(), ended.lines);
            return Err(self.image.of_set_up(failure));
        }
        self.image.check_unchanged(self.site.workspace)?;
        self.engine.output_inside(
            ["commit", &lease.container, reference].map(OsString::from).to_vec(),
            self.step,
            self.site.reporter,
        )?;
        Ok(())
    }

    fn set_up_args(&self, container: &str, base: &str, script: &str) -> Vec<OsString> {
        let mut args: Vec<OsString> = [
            "run",
            "--network=none",
            "--pull=never",
            "--user=0:0",
            "--workdir=/",
            "--hostname=builder",
            "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
            // What the last step of a root for the sandbox may do.
            "--cap-drop=all",
            "--cap-add=DAC_OVERRIDE",
            "--cap-add=FOWNER",
            "--security-opt=no-new-privileges",
            "--log-driver=none",
            "--stop-timeout=0",
        ]
        .map(OsString::from)
        .to_vec();
        if self.engine.kind == EngineKind::Podman {
            args.push("--http-proxy=false".into());
        }
        args.extend(limits(self.engine));
        args.extend(["--name", container, base, "/bin/sh", "-c", ENTRY, "setup"].map(Into::into));
        args.extend(SETUP_ENV.map(|(name, value)| format!("{name}={value}").into()));
        args.extend(["/bin/sh", "-eu", script].map(OsString::from));
        args
    }
}
