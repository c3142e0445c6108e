//! The keys of `package.toml` with their types. Values are not checked here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A whole `package.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSpec {
    /// Defaults for every package of the file.
    #[serde(default)]
    pub(crate) common: RawPackage,
    /// Newest first.
    #[serde(default)]
    pub(crate) changelog: Vec<RawChange>,
    /// The sources, by name.
    #[serde(default)]
    pub(crate) source: BTreeMap<String, RawSource>,
    /// How files are built that are not in the folder.
    pub(crate) build: Option<RawBuild>,
    /// The RPMs, by name.
    pub(crate) package: BTreeMap<String, RawPackage>,
}

/// `[[changelog]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawChange {
    pub(crate) date: toml::value::Datetime,
    pub(crate) author: String,
    pub(crate) text: Vec<String>,
}

/// `[source.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSource {
    pub(crate) git: Option<RawLocations>,
    pub(crate) commit: Option<String>,
    pub(crate) url: Option<RawLocations>,
    pub(crate) sha256: Option<String>,
    /// In bytes.
    pub(crate) size: Option<u64>,
    pub(crate) signature: Option<String>,
    #[serde(rename = "signature-key")]
    pub(crate) signature_key: Option<String>,
    /// `false`: the file of `url` is not unpacked.
    pub(crate) unpack: Option<bool>,
    /// The name of that file, if it is not the last part of the address.
    pub(crate) file: Option<String>,
    pub(crate) path: Option<String>,
    /// Patches for the source, in order: files in the description's folder.
    #[serde(default)]
    pub(crate) patches: Vec<String>,
    /// Paths of links in the source that may lead out of it.
    #[serde(default, rename = "links-out")]
    pub(crate) links_out: Vec<String>,
}

/// One address, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawLocations {
    One(String),
    Several(Vec<String>),
}

/// `[build]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBuild {
    /// A crate of this workspace. It is compiled for CentOS 7's ABI on this machine.
    #[serde(rename = "crate")]
    pub(crate) crate_dir: Option<String>,
    /// The builder image. Sources are compiled in a container of it.
    pub(crate) image: Option<String>,
    /// Other descriptions whose sources and build trees the build can use.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// `false`: CFLAGS, CXXFLAGS and LDFLAGS are those of `env` alone, without CentOS 7's own.
    pub(crate) hardening: Option<bool>,
    #[serde(default)]
    pub(crate) switches: BTreeMap<String, bool>,
    /// Staged files that are deliberately in no package.
    #[serde(default)]
    pub(crate) discard: Vec<String>,
    #[serde(default)]
    pub(crate) phase: Vec<RawPhase>,
}

/// `[[build.phase]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPhase {
    pub(crate) name: String,
    /// A script, or the name of its file in the description's folder.
    pub(crate) run: String,
}

/// A scriptlet, or the name of its file in the description's folder, as in cargo-generate-rpm.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ScriptSource(pub(crate) String);

impl RawPackage {
    /// The tables of weak dependencies, by key.
    pub(crate) fn weak(&self) -> [(&'static str, &Option<toml::Value>); 4] {
        [
            ("recommends", &self.recommends),
            ("suggests", &self.suggests),
            ("supplements", &self.supplements),
            ("enhances", &self.enhances),
        ]
    }

    /// The same, mutable.
    pub(crate) fn weak_mut(&mut self) -> [(&'static str, &mut Option<toml::Value>); 4] {
        [
            ("recommends", &mut self.recommends),
            ("suggests", &mut self.suggests),
            ("supplements", &mut self.supplements),
            ("enhances", &mut self.enhances),
        ]
    }

    /// The scriptlets that are set.
    pub(crate) fn scripts_mut(&mut self) -> impl Iterator<Item = &mut ScriptSource> {
        [
            &mut self.pre_install_script,
            &mut self.post_install_script,
            &mut self.pre_uninstall_script,
            &mut self.post_uninstall_script,
            &mut self.pre_trans_script,
            &mut self.post_trans_script,
        ]
        .into_iter()
        .flatten()
    }
}

/// Declares the table of one package, and how it is merged with the table of a lower layer.
macro_rules! package_table {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// `[package.NAME]`, `[common]`, and `[package.metadata.generate-rpm]` of a crate.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct RawPackage {
            $($(#[$meta])* pub(crate) $field: Option<$type>,)*
        }

        impl RawPackage {
            /// Takes missing keys from `below`. A list or table replaces the one of `below` as a whole.
            pub(crate) fn over(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* }
            }
        }
    };
}

package_table! {
    // The keys of cargo-generate-rpm.
    name: String,
    version: String,
    release: String,
    epoch: u32,
    license: String,
    summary: String,
    url: String,
    vendor: String,
    assets: Vec<RawAsset>,
    requires: BTreeMap<String, String>,
    provides: BTreeMap<String, String>,
    conflicts: BTreeMap<String, String>,
    obsoletes: BTreeMap<String, String>,
    recommends: toml::Value,
    suggests: toml::Value,
    supplements: toml::Value,
    enhances: toml::Value,
    #[serde(rename = "auto-req")]
    auto_req: String,
    #[serde(rename = "require-sh")]
    require_sh: bool,
    /// In a crate's table: other versions of it, by name. Their keys replace those of the table.
    variants: BTreeMap<String, RawPackage>,
    pre_install_script: ScriptSource,
    pre_install_script_flags: u32,
    pre_install_script_prog: Vec<String>,
    post_install_script: ScriptSource,
    post_install_script_flags: u32,
    post_install_script_prog: Vec<String>,
    pre_uninstall_script: ScriptSource,
    pre_uninstall_script_flags: u32,
    pre_uninstall_script_prog: Vec<String>,
    post_uninstall_script: ScriptSource,
    post_uninstall_script_flags: u32,
    post_uninstall_script_prog: Vec<String>,
    pre_trans_script: ScriptSource,
    pre_trans_script_flags: u32,
    pre_trans_script_prog: Vec<String>,
    post_trans_script: ScriptSource,
    post_trans_script_flags: u32,
    post_trans_script_prog: Vec<String>,

    // Keys that cargo-generate-rpm does not have.
    /// Takes missing keys from the crate's `[package.metadata.generate-rpm]`.
    cargo: bool,
    /// Name of one of the crate's `variants`.
    variant: String,
    /// Assets in addition to those of the crate.
    #[serde(rename = "extra-assets")]
    extra_assets: Vec<RawAsset>,
    /// Dependencies found in files are removed if their name matches one of these regular
    /// expressions (rpm's `__requires_exclude`, `__provides_exclude`), ...
    #[serde(rename = "exclude-requires")]
    exclude_requires: Vec<String>,
    #[serde(rename = "exclude-provides")]
    exclude_provides: Vec<String>,
    /// ... or if the path of the file matches (`__requires_exclude_from`, ...).
    #[serde(rename = "exclude-requires-from")]
    exclude_requires_from: Vec<String>,
    #[serde(rename = "exclude-provides-from")]
    exclude_provides_from: Vec<String>,
    description: String,
    arch: String,
    group: String,
    packager: String,
    units: Vec<String>,
    users: Vec<RawUser>,
    ldconfig: bool,
    /// Puts debug information into a package `NAME-debuginfo`; otherwise it is dropped.
    debuginfo: bool,
    /// `false`: leaves programs and libraries as they are.
    strip: bool,
    firewalld: bool,
    /// Faults that the lints accept.
    waive: Vec<RawWaiver>,
    redistributable: bool,
}

/// One of `assets`: cargo-generate-rpm's keys, and in addition `staged`, `exclude`, `dir`, `link`, `ghost` and
/// `license`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAsset {
    pub(crate) source: Option<String>,
    /// Missing only with `staged`, whose files keep their paths.
    pub(crate) dest: Option<String>,
    /// Files of the staged root, which keep their paths.
    pub(crate) staged: Option<String>,
    /// Patterns of files of `source` or `staged` that are left out.
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    pub(crate) mode: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) caps: Option<String>,
    #[serde(default)]
    pub(crate) config: RawConfig,
    #[serde(default)]
    pub(crate) doc: bool,
    /// A licence text.
    #[serde(default)]
    pub(crate) license: bool,
    /// A directory to own.
    #[serde(default)]
    pub(crate) dir: bool,
    /// Target of a symbolic link.
    pub(crate) link: Option<String>,
    /// The package owns the path but does not contain it. It is a file, or with `dir` or `link` one of these.
    #[serde(default)]
    pub(crate) ghost: bool,
    /// Attributes that `rpm -V` does not verify: rpm's words of `%verify(not ...)`.
    #[serde(default)]
    pub(crate) unverified: Vec<String>,
}

/// cargo-generate-rpm's `config`: `true`, or one or several words such as `noreplace`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawConfig {
    Flag(bool),
    One(String),
    Several(Vec<String>),
}

impl Default for RawConfig {
    fn default() -> Self {
        Self::Flag(false)
    }
}

/// One of `users`: a system account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawUser {
    pub(crate) name: String,
    pub(crate) group: Option<String>,
    pub(crate) home: String,
    pub(crate) comment: String,
    pub(crate) shell: Option<String>,
}

/// One of `waive`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWaiver {
    pub(crate) check: String,
    pub(crate) file: String,
    pub(crate) reason: String,
}
