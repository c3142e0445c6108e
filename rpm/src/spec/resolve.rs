//! Makes checked [`Package`]s from the keys of a package.toml.

use std::path::Path;

use regex::Regex;

use super::{
    Spec,
    asset::asset,
    build::{Build, build},
    changelog,
    check::{Checked, account, destination, line, script_text, text},
    defaults::RELEASE,
    dependency,
    layers::{Layered, Layers, is_empty},
    package::{Account, Arch, Asset, Base, ChangelogEntry, Excludes, Package, Symbols},
    parse::{self, printable},
    schema::{RawAsset, RawPackage, RawUser, ScriptSource},
    scripts::{Script, Scripts},
    siblings::Siblings,
    source::source,
    waiver::waiver,
    words::{self, version},
};
use crate::{Result, error::SpecError};

/// Checks everything that can be checked without the packages' files. `known` has the
/// versions that `=` can stand for.
pub(super) fn resolve(layered: Layered, known: &Siblings) -> Result<Spec> {
    let Layered { path, name, raw, packages: layers, siblings: _, notes } = layered;
    let at = |e: String| SpecError::new(&path, e);
    let dir = parse::dir_of(&path);
    let changelog = changelog::resolve(&raw.changelog).map_err(at)?;
    let check_source = |(name, raw): (String, _)| {
        source(&name, raw, dir).map_err(|e| at(format!("source.{name}: {e}")))
    };
    let sources =
        raw.source.into_iter().map(check_source).collect::<std::result::Result<Vec<_>, _>>()?;
    let build = raw.build.map(|b| build(b, &sources, dir, &name)).transpose().map_err(at)?;
    let resolver = Resolver { dir, build: build.as_ref(), siblings: known };
    let mut packages = Vec::new();
    for layers in layers {
        let name = layers.name.clone();
        let asked = layers.asks_for_debuginfo;
        let package =
            resolver.package(layers, &changelog).map_err(|e| at(format!("package.{name}: {e}")))?;
        let debuginfo = matches!(package.symbols, Symbols::Stripped { linked: true })
            .then(|| package.debuginfo(asked));
        packages.push(package);
        packages.extend(debuginfo);
    }
    Ok(Spec { path, name, sources, build, packages, notes })
}

struct Resolver<'a> {
    dir: &'a Path,
    build: Option<&'a Build>,
    siblings: &'a Siblings,
}

impl Resolver<'_> {
    fn package(&self, layers: Layers, changelog: &[ChangelogEntry]) -> Checked<Package> {
        let Layers { name, table: raw, crate_assets, extra_assets, asks_for_debuginfo } = layers;
        refuse_weak_dependencies(&raw)?;
        let summary = summary(required("summary", raw.summary.clone())?)?;
        let relations = |key: &str, t: &Option<_>| match t {
            Some(t) => dependency::from_table(key, t, self.siblings),
            None => Ok(Vec::new()),
        };
        let one_line =
            |key: &str, value: &Option<String>| value.clone().map(|v| line(key, v)).transpose();
        let own_assets = raw.assets.clone().unwrap_or_default();
        let mut assets = self.assets("assets", own_assets, Base::Spec)?;
        assets.extend(self.assets("assets of the crate", crate_assets, Base::Crate)?);
        assets.extend(self.assets("extra-assets", extra_assets, Base::Spec)?);
        Ok(Package {
            name: package_name(&name, raw.name.as_deref())?,
            epoch: raw.epoch,
            version: version("version", required("version", raw.version.clone())?)?,
            release: version("release", raw.release.clone().unwrap_or_else(|| RELEASE.into()))?,
            arch: self.arch(raw.arch.as_deref())?,
            description: text("description", raw.description.clone().unwrap_or(summary.clone()))?,
            summary,
            license: line("license", required("license", raw.license.clone())?)?,
            url: one_line("url", &raw.url)?,
            vendor: one_line("vendor", &raw.vendor)?,
            packager: one_line("packager", &raw.packager)?,
            group: one_line("group", &raw.group)?.unwrap_or_else(|| "Unspecified".into()),
            requires: relations("requires", &raw.requires)?,
            provides: relations("provides", &raw.provides)?,
            conflicts: relations("conflicts", &raw.conflicts)?,
            obsoletes: relations("obsoletes", &raw.obsoletes)?,
            auto_req: auto_req(raw.auto_req.as_deref())?,
            exclude: excludes(&raw)?,
            require_sh: raw.require_sh.unwrap_or(false),
            units: each(&raw.units, unit)?,
            users: each(&raw.users, user)?,
            ldconfig: raw.ldconfig.unwrap_or(false),
            firewalld: raw.firewalld.unwrap_or(false),
            symbols: symbols(&raw, asks_for_debuginfo)?,
            waive: each(&raw.waive, waiver)?,
            redistributable: raw.redistributable.unwrap_or(true),
            scripts: self.scripts(raw)?,
            assets,
            changelog: changelog.to_vec(),
            spec_dir: self.dir.to_owned(),
            crate_dir: match self.build {
                Some(Build::Crate(dir)) => Some(dir.clone()),
                _ => None,
            },
        })
    }

    fn arch(&self, written: Option<&str>) -> Checked<Arch> {
        match written {
            Some("x86_64") => Ok(Arch::X86_64),
            Some("noarch") => Ok(Arch::Noarch),
            None if self.build.is_some() => Ok(Arch::X86_64),
            None => Err("`arch` is missing: x86_64 or noarch".into()),
            Some(other) => Err(format!("arch: `{other}` is neither x86_64 nor noarch")),
        }
    }

    fn scripts(&self, raw: RawPackage) -> Checked<Scripts> {
        let script = |source: Option<ScriptSource>,
                      flags: Option<u32>,
                      program: Option<Vec<String>>|
         -> Checked<Option<Script>> {
            let body = match source {
                // An empty script removes the one of a lower layer.
                Some(source) if source.0.is_empty() && program.iter().all(Vec::is_empty) => {
                    return Ok(None);
                }
                Some(source) => script_text(&source.0, self.dir)?,
                None if program.is_some() => String::new(),
                None => return Ok(None),
            };
            let program = program.unwrap_or_else(|| vec!["/bin/sh".into()]);
            if !program.first().is_some_and(|p| p.starts_with('/') || p == "<lua>") {
                return Err("a scriptlet's program must be an absolute path".into());
            }
            Ok(Some(Script { body, program, flags: flags.unwrap_or(0) }))
        };
        Ok(Scripts {
            pre: script(
                raw.pre_install_script,
                raw.pre_install_script_flags,
                raw.pre_install_script_prog,
            )?,
            post: script(
                raw.post_install_script,
                raw.post_install_script_flags,
                raw.post_install_script_prog,
            )?,
            preun: script(
                raw.pre_uninstall_script,
                raw.pre_uninstall_script_flags,
                raw.pre_uninstall_script_prog,
            )?,
            postun: script(
                raw.post_uninstall_script,
                raw.post_uninstall_script_flags,
                raw.post_uninstall_script_prog,
            )?,
            pretrans: script(
                raw.pre_trans_script,
                raw.pre_trans_script_flags,
                raw.pre_trans_script_prog,
            )?,
            posttrans: script(
                raw.post_trans_script,
                raw.post_trans_script_flags,
                raw.post_trans_script_prog,
            )?,
        })
    }

    fn assets(&self, key: &str, raw: Vec<RawAsset>, base: Base) -> Checked<Vec<Asset>> {
        let is_crate = matches!(self.build, Some(Build::Crate(_)));
        raw.into_iter()
            .enumerate()
            .map(|(i, a)| asset(a, base, is_crate).map_err(|e| format!("{key}[{i}]: {e}")))
            .collect()
    }
}

fn summary(value: String) -> Checked<String> {
    let lines = value.trim().lines().count();
    line("summary", value).map_err(|e| match lines > 1 {
        true => format!(
            "{e}, and this is {lines}; without `summary` it is the `description` of Cargo.toml: write a short \
             `summary` here or in the crate's table"
        ),
        false => e,
    })
}

fn each<R: Clone, T>(list: &Option<Vec<R>>, check: fn(R) -> Checked<T>) -> Checked<Vec<T>> {
    list.iter().flatten().cloned().map(check).collect()
}

fn refuse_weak_dependencies(raw: &RawPackage) -> Checked<()> {
    let says = |value: &Option<_>| value.as_ref().is_some_and(|v| !is_empty(v));
    match raw.weak().into_iter().find(|(_, value)| says(value)) {
        Some((key, _)) => Err(format!(
            "{key}: rpm 4.11 of CentOS 7 has no weak dependencies; use `requires` or say it in the description"
        )),
        None => Ok(()),
    }
}

fn auto_req(value: Option<&str>) -> Checked<bool> {
    match value {
        None | Some("auto" | "builtin") => Ok(true),
        Some("no" | "disabled") => Ok(false),
        Some(other) => Err(format!("auto-req: `{other}` is neither auto nor no")),
    }
}

/// `asked`: whether `debuginfo = true` is in the package's own table, and not in `[common]`.
fn symbols(raw: &RawPackage, asked: bool) -> Checked<Symbols> {
    let can = raw.arch.as_deref() != Some("noarch") && raw.strip != Some(false);
    let debuginfo = raw.debuginfo.unwrap_or(false) && (asked || can);
    match (debuginfo, raw.strip.unwrap_or(true)) {
        (true, false) => Err("debuginfo: what is put into another package cannot stay; \
                              take `strip = false` out"
            .into()),
        (true, true) if raw.arch.as_deref() == Some("noarch") => {
            Err("debuginfo: a noarch package has no machine code".into())
        }
        (linked, true) => Ok(Symbols::Stripped { linked }),
        (false, false) => Ok(Symbols::Kept),
    }
}

fn excludes(raw: &RawPackage) -> Checked<Excludes> {
    let list = |key: &str, patterns: &Option<Vec<String>>| {
        let compile = |p: &String| Regex::new(p).map_err(|e| format!("{key}: {e}"));
        patterns.iter().flatten().map(compile).collect::<Checked<Vec<_>>>()
    };
    Ok(Excludes {
        requires: list("exclude-requires", &raw.exclude_requires)?,
        provides: list("exclude-provides", &raw.exclude_provides)?,
        requires_from: list("exclude-requires-from", &raw.exclude_requires_from)?,
        provides_from: list("exclude-provides-from", &raw.exclude_provides_from)?,
    })
}

fn required(key: &str, value: Option<String>) -> Checked<String> {
    value.ok_or_else(|| format!("`{key}` is missing"))
}

fn package_name(key: &str, written: Option<&str>) -> Checked<String> {
    if let Some(written) = written.filter(|w| *w != key) {
        return Err(format!("the crate calls the package `{written}`; the names must agree"));
    }
    words::package_name(key)?;
    Ok(key.to_owned())
}

fn user(raw: RawUser) -> Checked<Account> {
    let plain = |key: &str, value: String| {
        let value = line(key, value)?;
        match value.contains(['\'', ':']) {
            true => Err(format!("users: {key} must not hold `'` or `:`")),
            false => Ok(value),
        }
    };
    Ok(Account {
        group: account(raw.group.unwrap_or_else(|| raw.name.clone()))?,
        name: account(raw.name)?,
        home: bare_path("home", &raw.home)?,
        comment: plain("comment", raw.comment)?,
        shell: bare_path("shell", raw.shell.as_deref().unwrap_or("/sbin/nologin"))?,
    })
}

fn unit(name: String) -> Checked<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._@-:".contains(c);
    let kinds = [".service", ".socket", ".timer", ".path", ".target", ".mount"];
    if !name.chars().all(legal) || !kinds.iter().any(|k| name.ends_with(k)) {
        return Err(format!("units: `{name}` is not the name of a systemd unit"));
    }
    Ok(name)
}

/// Checks an absolute path without characters that are special in a shell, for scriptlets.
fn bare_path(key: &str, path: &str) -> Checked<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "/._@+-".contains(c);
    match destination(path) {
        Ok(path) if path.chars().all(legal) => Ok(path),
        _ => Err(format!(
            "users: {key}: `{}` may hold letters, digits and `/._@+-` only",
            printable(path)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A description of one noarch package with these lines more.
    fn read(lines: &str) -> Result<Package> {
        let text = format!(
            "[package.p]\nversion = \"1\"\nlicense = \"l\"\n{lines}\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        Ok(Spec::parse(&text, "/none/package.toml".as_ref(), "/none".as_ref())?.packages.remove(0))
    }

    #[test]
    fn keys_that_are_left_out_have_their_defaults() {
        let package = read("arch = \"noarch\"\nsummary = \"A summary\"").unwrap();
        assert_eq!(package.release, "1.el7");
        assert_eq!(package.description, "A summary");
        assert_eq!(package.group, "Unspecified");
        assert!(package.auto_req && package.redistributable && !package.require_sh);
        assert_eq!(package.symbols, Symbols::Stripped { linked: false });
        assert_eq!(package.file_name(), "p-1-1.el7.noarch.rpm");
    }

    #[test]
    fn strip_and_debuginfo_choose_what_happens_to_symbols() {
        let symbols = |lines: &str| {
            let package = read(&format!("summary = \"s\"\n{lines}"));
            package.map(|p| p.symbols).map_err(|e| e.to_string())
        };
        let x86 = |lines: &str| symbols(&format!("arch = \"x86_64\"\n{lines}"));
        assert_eq!(x86("strip = false"), Ok(Symbols::Kept));
        assert_eq!(x86("debuginfo = true"), Ok(Symbols::Stripped { linked: true }));
        assert!(x86("debuginfo = true\nstrip = false").unwrap_err().contains("strip = false"));
        let noarch = symbols("arch = \"noarch\"\ndebuginfo = true");
        assert!(noarch.unwrap_err().contains("has no machine code"));
    }

    #[test]
    fn invalid_values_of_a_package_are_refused() {
        let lines = [
            "",
            "arch = \"i686\"\nsummary = \"s\"",
            "arch = \"noarch\"\nsummary = \"two\\nlines\"",
            "arch = \"noarch\"\nsummary = \"s\"\nrecommends = { a = \"*\" }",
            "arch = \"noarch\"\nsummary = \"s\"\nauto-req = \"find\"",
            "arch = \"noarch\"\nsummary = \"s\"\nunits = [\"x\"]",
            "arch = \"noarch\"\nsummary = \"s\"\nusers = [{ name = \"x\", home = \"/$HOME\", comment = \"c\" }]",
            "arch = \"noarch\"\nsummary = \"s\"\nusers = [{ name = \"x\", home = \"/x\", comment = \"it's\" }]",
            "arch = \"noarch\"\nsummary = \"s\"\npost_install_script = \"x\"\npost_install_script_prog = [\"sh\"]",
            "arch = \"noarch\"\nsummary = \"s\"\nexclude-requires = [\"(\"]",
        ];
        let said = lines.map(|lines| {
            let keys = lines.replace('\n', ", ");
            format!("{keys}\n    {}", read(lines).map(|_| ()).unwrap_err())
        });
        insta::assert_snapshot!(said.join("\n"));
    }
}
