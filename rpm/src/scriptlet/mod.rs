//! Generates scriptlets from the keys `units`, `users`, `ldconfig` and `firewalld` of package.toml, and the requirements
//! that they need. They do the same as CentOS 7's own macros.
//!
//! Sources: systemd 219's `macros.systemd` for units, Fedora's packaging guidelines of the time
//! for accounts. Tests make sure of the result: an upgrade restarts units that were running, and never stops or
//! disables one; a removal stops and
//! disables units; a first install follows the host's presets, which on CentOS 7 enable nothing.
//!
//! The author's text comes after the generated text. It may end the shell (`exit 0`, `exec`, `set -e`), change it (a
//! function named like a program, a trap), or be no shell script at all. A shell runs a script command by
//! command, so the generated commands are done by then, and rpm gets the exit status of the author's text.

mod firewalld;

use rpm::{DependencyFlags, IndexTag};

use crate::{
    Error, Result,
    spec::{Account, Dependency, Package, Script, Scripts},
    stage::StagedRoot,
};
use firewalld::Reload;

/// The tags of one kind of scriptlet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScriptletTags {
    /// Its text.
    pub(crate) body: IndexTag,
    /// Its interpreter.
    pub(crate) program: IndexTag,
    /// Its flags.
    pub(crate) flags: IndexTag,
    /// Marks requirements that must hold when it runs.
    pub(crate) origin: DependencyFlags,
}

/// The scriptlets of a package, with the requirements that they need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scriptlets {
    /// The author's text and the generated text, joined.
    pub(crate) scripts: Scripts,
    /// The packages and programs that the scriptlets need.
    pub(crate) requires: Vec<Dependency>,
}

impl Scriptlets {
    /// Generates the scriptlets, and joins them with those that the author wrote.
    ///
    /// # Errors
    /// [`Error::Stage`] if text must be added to an author's scriptlet that is not for `/bin/sh`, or if
    /// definitions for firewalld are missing or cannot be read.
    pub(crate) fn of(package: &Package, root: &StagedRoot) -> Result<Self> {
        let own = &package.scripts;
        let parts = Generated::of(package, root)?;
        let join = |name, own: &Option<Script>, generated: Vec<String>| {
            join(package, name, own.as_ref(), generated)
        };
        let mut scripts = Scripts {
            pre: join("pre", &own.pre, parts.pre)?,
            post: join("post", &own.post, parts.post)?,
            preun: join("preun", &own.preun, parts.preun)?,
            postun: join("postun", &own.postun, parts.postun)?,
            pretrans: own.pretrans.clone(),
            posttrans: join("posttrans", &own.posttrans, parts.posttrans)?,
        };
        for script in [&mut scripts.post, &mut scripts.postun] {
            run_directly(script);
        }
        let mut out = Self { scripts, requires: Vec::new() };
        out.requires = out.requirements(package);
        Ok(out)
    }

    /// The scriptlets that exist, each with its tags.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ScriptletTags, &Script)> {
        use IndexTag as T;
        let s = &self.scripts;
        let all = [
            (
                &s.pre,
                T::RPMTAG_PREIN,
                T::RPMTAG_PREINPROG,
                T::RPMTAG_PREINFLAGS,
                DependencyFlags::SCRIPT_PRE,
            ),
            (
                &s.post,
                T::RPMTAG_POSTIN,
                T::RPMTAG_POSTINPROG,
                T::RPMTAG_POSTINFLAGS,
                DependencyFlags::SCRIPT_POST,
            ),
            (
                &s.preun,
                T::RPMTAG_PREUN,
                T::RPMTAG_PREUNPROG,
                T::RPMTAG_PREUNFLAGS,
                DependencyFlags::SCRIPT_PREUN,
            ),
            (
                &s.postun,
                T::RPMTAG_POSTUN,
                T::RPMTAG_POSTUNPROG,
                T::RPMTAG_POSTUNFLAGS,
                DependencyFlags::SCRIPT_POSTUN,
            ),
            (
                &s.pretrans,
                T::RPMTAG_PRETRANS,
                T::RPMTAG_PRETRANSPROG,
                T::RPMTAG_PRETRANSFLAGS,
                DependencyFlags::PRETRANS,
            ),
            (
                &s.posttrans,
                T::RPMTAG_POSTTRANS,
                T::RPMTAG_POSTTRANSPROG,
                T::RPMTAG_POSTTRANSFLAGS,
                DependencyFlags::POSTTRANS,
            ),
        ];
        all.into_iter().filter_map(|(script, body, program, flags, origin)| {
            Some((ScriptletTags { body, program, flags, origin }, script.as_ref()?))
        })
    }

    fn requirements(&self, package: &Package) -> Vec<Dependency> {
        let mut out = Vec::new();
        for (tags, script) in self.iter() {
            let program = &script.program[0];
            // Lua runs inside rpm itself.
            if program != "<lua>" {
                out.push(Dependency::any(program, DependencyFlags::INTERP | tags.origin));
            }
        }
        if !package.users.is_empty() {
            out.push(Dependency::any("shadow-utils", DependencyFlags::SCRIPT_PRE));
            out.push(Dependency::any("/usr/bin/getent", DependencyFlags::SCRIPT_PRE));
        }
        if !package.units.is_empty() {
            let times = [
                DependencyFlags::SCRIPT_POST,
                DependencyFlags::SCRIPT_PREUN,
                DependencyFlags::SCRIPT_POSTUN,
            ];
            out.extend(times.map(|time| Dependency::any("systemd", time)));
        }
        out
    }
}

/// Generated text, by the scriptlet that it belongs to.
#[derive(Default)]
struct Generated {
    pre: Vec<String>,
    post: Vec<String>,
    preun: Vec<String>,
    postun: Vec<String>,
    posttrans: Vec<String>,
}

impl Generated {
    fn of(package: &Package, root: &StagedRoot) -> Result<Self> {
        let mut parts =
            Self { pre: package.users.iter().map(account).collect(), ..Self::default() };
        if package.ldconfig {
            parts.post.push(LDCONFIG.into());
            parts.postun.push(LDCONFIG.into());
        }
        if !package.units.is_empty() {
            let units = package.units.join(" ");
            parts.post.push(systemd_post(&units));
            parts.preun.push(systemd_preun(&units));
            parts.postun.push(systemd_postun_with_restart(&units));
        }
        if package.firewalld {
            let reload = Reload::of(package, root)?;
            parts.post.push(reload.post);
            parts.postun.push(reload.postun);
            parts.posttrans.push(reload.posttrans);
        }
        Ok(parts)
    }
}

// These are exactly the expansions of systemd 219's `macros.systemd` on CentOS 7, with their empty first lines
// and spaces at line ends. So the scriptlets are the same as those of CentOS 7's own packages.

fn systemd_post(units: &str) -> String {
    format!(
        "\nif [ $1 -eq 1 ] ; then \n        # Initial installation \n        \
         systemctl preset {units} >/dev/null 2>&1 || : \nfi "
    )
}

fn systemd_preun(units: &str) -> String {
    format!(
        "\nif [ $1 -eq 0 ] ; then \n        # Package removal, not upgrade \n        \
         systemctl --no-reload disable {units} > /dev/null 2>&1 || : \n        \
         systemctl stop {units} > /dev/null 2>&1 || : \nfi "
    )
}

fn systemd_postun_with_restart(units: &str) -> String {
    format!(
        "\nsystemctl daemon-reload >/dev/null 2>&1 || : \nif [ $1 -ge 1 ] ; then \n        \
         # Package upgrade, not uninstall \n        \
         systemctl try-restart {units} >/dev/null 2>&1 || : \nfi "
    )
}

const LDCONFIG: &str = "/sbin/ldconfig";

/// Creates a system account. If this fails, the installation must stop, because rpm would install its files as root's.
fn account(user: &Account) -> String {
    let Account { name, group, home, comment, shell } = user;
    format!(
        "getent group {group} >/dev/null || groupadd -r {group} || exit 1\n\
         getent passwd {name} >/dev/null || \
         useradd -r -g {group} -d {home} -s {shell} -c '{comment}' {name} || exit 1"
    )
}

/// Joins the generated text with the author's text, which comes last.
fn join(
    package: &Package,
    name: &str,
    own: Option<&Script>,
    mut parts: Vec<String>,
) -> Result<Option<Script>> {
    if parts.is_empty() {
        return Ok(own.cloned());
    }
    if let Some(own) = own {
        check_is_plain_shell(package, name, own)?;
        parts.push(own.body.clone());
    }
    // rpmbuild removes blanks at the end of a scriptlet.
    let body = parts.join("\n").trim_end().to_owned();
    Ok(Some(Script { body, program: vec!["/bin/sh".into()], flags: 0 }))
}

/// Refuses an author's scriptlet with another program or with flags: they would apply to the generated text as well.
fn check_is_plain_shell(package: &Package, name: &str, own: &Script) -> Result<()> {
    let problem = if own.program != ["/bin/sh"] {
        format!("runs under {}", own.program.join(" "))
    } else if own.flags != 0 {
        format!("has the flags {}", own.flags)
    } else {
        return Ok(());
    };
    Err(Error::stage_help(
        &package.name,
        format!(
            "the %{name} scriptlet {problem}, but users, units, ldconfig or firewalld add shell to it"
        ),
        "write that scriptlet for /bin/sh and without flags, or all of it by hand",
    ))
}

/// A scriptlet that does nothing but call ldconfig needs no shell: `%post -p /sbin/ldconfig`.
fn run_directly(script: &mut Option<Script>) {
    if let Some(script) = script
        && script.body == LDCONFIG
    {
        *script = Script { body: String::new(), program: vec![LDCONFIG.into()], flags: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{spec::Spec, stage::Roots};

    fn scriptlets(lines: &str) -> Result<Scriptlets> {
        with_files(lines, &[])
    }

    /// Of a package with these lines, in a folder with these files.
    fn with_files(lines: &str, files: &[(&str, &str)]) -> Result<Scriptlets> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs_err::write(dir.path().join(name), content).unwrap();
        }
        let path = dir.path().join("package.toml");
        let text = format!(
            "[package.p]\nversion = \"1\"\nsummary = \"s\"\nlicense = \"l\"\narch = \"noarch\"\n{lines}\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        fs_err::write(&path, text).unwrap();
        let spec = Spec::load(&path, dir.path())?;
        let roots = Roots::of_folder(dir.path());
        let root = StagedRoot::collect(&spec.packages[0], &roots)?;
        Scriptlets::of(&spec.packages[0], &root)
    }

    #[test]
    fn generated_shell_comes_before_the_authors_text() {
        let found = scriptlets("ldconfig = true\npost_install_script = \"exit 0\"").unwrap();
        assert_eq!(found.scripts.post.unwrap().body, "/sbin/ldconfig\nexit 0");
    }

    #[test]
    fn generated_shell_is_not_added_to_other_interpreters() {
        for lines in ["post_install_script_prog = [\"<lua>\"]", "post_install_script_flags = 1"] {
            let own = format!("post_install_script = \"x = 1\"\n{lines}");
            assert!(scriptlets(&own).is_ok(), "{lines}");
            let error = scriptlets(&format!("{own}\nldconfig = true")).unwrap_err().to_string();
            assert!(error.contains("%post scriptlet"), "{error}");
        }
    }

    #[test]
    fn firewalld_without_definitions_is_refused() {
        let error = scriptlets("firewalld = true").unwrap_err().to_string();
        assert!(error.contains("/usr/lib/firewalld"), "{error}");
    }

    #[test]
    fn generated_scriptlets_for_units_users_and_ldconfig() {
        let unit = "[Service]\nExecStart=/bin/true\n";
        let found = with_files(
            "units = [\"x.service\"]\nldconfig = true\n\
             users = [{ name = \"x\", home = \"/var/lib/x\", comment = \"The X\" }]\n\
             assets = [{ source = \"x.service\", dest = \"/usr/lib/systemd/system/\" }]",
            &[("x.service", unit)],
        )
        .unwrap();
        let scripts = found.scripts.named().map(|(name, script)| {
            format!("{name} -p {}\n{}", script.program.join(" "), script.body)
        });
        let requires = found.requires.iter().map(|d| format!("{} {:?}", d.name, d.flags));
        let text: Vec<_> = scripts.chain(requires).collect();
        // Spaces at line ends are systemd's own.
        insta::assert_snapshot!(text.join("\n\n").replace(" \n", "~\n"));
    }

    #[test]
    fn ldconfig_alone_needs_no_shell() {
        let found = scriptlets("ldconfig = true").unwrap();
        let post = found.scripts.post.unwrap();
        assert_eq!((post.program, post.body.as_str()), (vec!["/sbin/ldconfig".to_owned()], ""));
        let names: Vec<_> = found.requires.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["/sbin/ldconfig", "/sbin/ldconfig"]);
    }

    #[test]
    fn firewalld_reloads_only_if_definitions_differ() {
        let post = |content: &str| {
            let asset = "{ source = \"x.xml\", dest = \"/usr/lib/firewalld/services/\" }";
            let found =
                with_files(&format!("firewalld = true\nassets = [{asset}]"), &[("x.xml", content)]);
            found.unwrap().scripts.post.unwrap().body
        };
        assert_eq!(post("<service/>"), post("<service/>"));
        assert_ne!(post("<service/>"), post("<zone/>"), "the digest is in the scriptlet");
    }
}
