//! Checkouts that compile in the sandbox, in the root of the distribution.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use super::{Distribution, add_image, read};
use crate::{
    checkout::{Checkout, repository, walk},
    sandbox::Who,
    support,
};

/// A checkout with this distribution as its image `el7`.
pub struct Site {
    pub checkout: Checkout,
    who: Who,
}

impl Site {
    /// With copies of these folders as its specs/.
    pub fn new(distribution: &Distribution, who: Who, specs: &[&Path]) -> Self {
        let own = Self { checkout: Checkout::empty(), who };
        let url = match who {
            Who::Same => format!("file://{}", distribution.folder.display()),
            // The user may not be allowed to enter the folder.
            Who::User => distribution.serve().url(""),
        };
        add_image(&own.checkout, "el7", &url);
        for dir in specs {
            let name = dir.file_name().unwrap().to_str().unwrap();
            own.checkout.copy(dir, &format!("specs/{name}"));
        }
        own
    }

    pub fn xtask(&self, args: &[&str]) -> Command {
        match self.who {
            Who::Same => {
                let mut command = self.checkout.xtask(args);
                command.env("MESOS_CALICO_CACHE", cache());
                command
            }
            Who::User => {
                self.checkout.for_everybody();
                self.checkout.as_user(args)
            }
        }
    }

    pub fn ok(&self, args: &[&str]) -> String {
        support::ok(&mut self.xtask(args))
    }

    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        self.checkout.code_and_text(&support::run(&mut self.xtask(args)))
    }

    /// Compiles and packages everything.
    pub fn rpm(&self, args: &[&str]) -> String {
        self.ok(&[&["rpm", "--builder", "sandbox"], args].concat())
    }

    /// The root in which this site has compiled.
    pub fn root(&self) -> PathBuf {
        let cache = match self.who {
            Who::Same => cache().to_owned(),
            Who::User => self.checkout.path("cache"),
        };
        let roots = fs_err::read_dir(cache.join("roots")).unwrap();
        let trees = roots.map(|entry| entry.unwrap().path().join("tree"));
        let mut ready = trees.filter(|tree| tree.join("usr/libexec/builder").is_dir());
        ready.next().unwrap()
    }

    /// What its compiles have found that the root offers.
    pub fn abi_table(&self) -> PathBuf {
        let results = fs_err::read_dir(self.checkout.path("target/xtask/cache/compile")).unwrap();
        let tables = results.map(|entry| entry.unwrap().path().join("abi.toml"));
        tables.into_iter().find(|path| path.is_file()).unwrap()
    }

    /// The digest of its packages' files.
    pub fn root_digest(&self) -> Value {
        let summary = read(&self.root().parent().unwrap().join("summary.json"));
        serde_json::from_str::<Value>(&summary).unwrap()["digest"].clone()
    }
}

/// The cache of all sites of the user who runs the tests. It is kept as long as the program and the image are the same.
pub fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let place = support::scratch_root().join("distribution-cache");
        fs_err::create_dir_all(&place).unwrap();
        let lock = fs_err::File::create(place.join("lock")).unwrap();
        lock.file().lock().unwrap();
        let program = fs_err::metadata(env!("CARGO_BIN_EXE_xtask")).unwrap();
        let mut inputs = format!("{:?} {}", program.modified().unwrap(), program.len());
        let image = repository().join("tests/distribution");
        inputs.extend(walk(&image).iter().map(|file| read(&image.join(file))));
        let empty = |folder: &Path| fs_err::create_dir(folder).map_err(|e| e.to_string());
        super::kept_under(&place, &inputs, empty).unwrap()
    })
}
