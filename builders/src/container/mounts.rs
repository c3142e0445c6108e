//! The folders that a container sees: shared with this machine, or, where the engine cannot see
//! this machine's folders, volumes of its own that are filled before and emptied after.

use std::{ffi::OsString, path::Path};

use super::{
    ccache::Trust,
    engine::{BuiltImage, Engine, failed},
    invocation::limits,
    lease::Lease,
    user::User,
};
use crate::mount::Mount;
use base::failure::{Class, Classify, Failure, Result};

/// All folders of a build.
#[derive(Debug)]
pub(super) enum Mounts {
    /// The container sees the folders themselves.
    Shared(Vec<Mount>),
    /// The engine is remote: each folder is copied into a volume, whose name is given.
    Copied(Vec<(Mount, String)>),
}

impl Mounts {
    /// Prepares the folders. `cache` is the folder of ccache; as a volume it is kept for the next build, unless no
    /// other build may share it.
    pub(super) fn prepare(
        engine: &Engine,
        image: &BuiltImage,
        lease: &mut Lease,
        mounts: Vec<Mount>,
        (cache, trust): (Mount, Trust),
        user: User,
    ) -> Result<Self> {
        if engine.shares_folders {
            return Ok(Self::Shared(mounts.into_iter().chain([cache]).collect()));
        }
        // A single file cannot be a volume; the image has a file of its own at that path.
        let folders = mounts.into_iter().filter(|p| p.outside.is_dir());
        let mut copied = Vec::new();
        for (index, mount) in folders.enumerate() {
            let volume = lease.add_volume(index)?;
            copied.push((mount, volume));
        }
        let volume = match trust {
            Trust::Own => lease.add_volume(copied.len())?,
            shared => format!("mesos-calico-ccache-{}", shared.name(&image.key)),
        };
        copied.push((cache, volume));
        let own = Self::Copied(copied);
        own.fill(engine, image, lease, user)?;
        Ok(own)
    }

    /// The engine's options for the folders.
    pub(super) fn options(&self) -> Result<Vec<OsString>> {
        let mut options = Vec::new();
        match self {
            Self::Shared(mounts) => {
                for mount in mounts {
                    options.extend(["--volume".into(), shared(mount)?]);
                }
            }
            Self::Copied(mounts) => {
                for (mount, volume) in mounts {
                    // Without this, docker would give an empty volume the owner of the image's folder at that path.
                    let access = if mount.writable { "rw,nocopy" } else { "ro,nocopy" };
                    let volume = format!("{volume}:{}:{access}", mount.inside);
                    options.extend(["--volume".into(), volume.into()]);
                }
            }
        }
        Ok(options)
    }

    /// Copies into volumes through a container that is never started. Changing their owner needs a running container,
    /// with root inside.
    fn fill(&self, engine: &Engine, image: &BuiltImage, lease: &Lease, user: User) -> Result<()> {
        let Self::Copied(mounts) = self else { return Ok(()) };
        self.with_holder(engine, image, lease, |holder| {
            for (mount, _) in mounts.iter().filter(|(p, _)| p.outside != Path::new("")) {
                let mut from = mount.outside.clone().into_os_string();
                from.push("/.");
                let to = format!("{holder}:{}", mount.inside).into();
                transfer(engine, vec!["cp".into(), from, to])?;
            }
            Ok(())
        })?;
        let mut args: Vec<OsString> =
            ["run", "--rm", "--network=none", "--pull=never"].map(OsString::from).to_vec();
        args.extend(limits(engine));
        args.extend(["--user=0:0".into(), "--name".into(), lease.container.clone().into()]);
        for (mount, volume) in mounts {
            args.extend(["--volume".into(), format!("{volume}:{}:nocopy", mount.inside).into()]);
        }
        args.extend([image.reference.clone().into(), "chown".into()]);
        args.extend(["-R".into(), "-h".into(), format!("{}:{}", user.uid, user.gid).into()]);
        args.extend(mounts.iter().map(|(mount, _)| mount.inside.clone().into()));
        transfer(engine, args)
    }

    /// Copies the results of the build out of the volumes.
    pub(super) fn collect(&self, engine: &Engine, image: &BuiltImage, lease: &Lease) -> Result<()> {
        let Self::Copied(mounts) = self else { return Ok(()) };
        self.with_holder(engine, image, lease, |holder| {
            let results = mounts.iter().filter(|(p, _)| p.writable && p.outside != Path::new(""));
            for (mount, _) in results {
                let from = format!("{holder}:{}/.", mount.inside).into();
                transfer(engine, vec!["cp".into(), from, mount.outside.clone().into()])?;
            }
            Ok(())
        })
    }

    fn with_holder(
        &self,
        engine: &Engine,
        image: &BuiltImage,
        lease: &Lease,
        work: impl FnOnce(&str) -> Result<()>,
    ) -> Result<()> {
        let name = &lease.container;
        let mut args: Vec<OsString> = vec!["create".into(), "--name".into(), name.into()];
        args.extend(["--network=none".into(), "--pull=never".into()]);
        args.extend(self.options()?.into_iter().map(|option| writable(&option)));
        args.extend([image.reference.clone().into(), "true".into()]);
        transfer(engine, args)?;
        let done = work(name);
        lease.remove_container();
        done
    }
}

/// A volume that is copied into must not be read-only.
fn writable(option: &OsString) -> OsString {
    let text = option.to_string_lossy();
    text.strip_suffix(":ro,nocopy")
        .map_or_else(|| option.clone(), |text| format!("{text}:nocopy").into())
}

/// `z` labels the folder for SELinux; without SELinux it has no effect.
fn shared(mount: &Mount) -> Result<OsString> {
    let outside = fs_err::canonicalize(&mount.outside).class(Class::Output)?;
    if outside.to_string_lossy().contains(':') {
        let message = format!("{} has a colon in its name", outside.display());
        return Err(Failure::new(Class::Output, message)
            .help("container engines cannot share such a folder; move the checkout"));
    }
    let access = if mount.writable { "rw,z" } else { "ro,z" };
    let mut option = outside.into_os_string();
    option.push(format!(":{}:{access}", mount.inside));
    Ok(option)
}

fn transfer(engine: &Engine, args: Vec<OsString>) -> Result<()> {
    let command = engine.command(args);
    let output = command.output().class(Class::Tool)?;
    if output.status.success() {
        return Ok(());
    }
    let message = "files cannot be brought to the engine's machine, or back";
    Err(failed(&command, &output, message.into()))
}
