//! From a [`Case`] to the files on disk, to a package.toml and to a spec file.

use std::{
    fmt::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::case::{Case, CaseFile, CaseKind, Scriptlet, TIME};

/// Lays the package's files down below `root`, each with its mode.
pub fn lay_out(case: &Case, root: &Path) {
    fs_err::create_dir_all(root).unwrap();
    for file in &case.files {
        let at = root.join(&file.path[1..]);
        fs_err::create_dir_all(at.parent().unwrap()).unwrap();
        match &file.kind {
            CaseKind::Bytes(bytes) => fs_err::write(&at, bytes).unwrap(),
            CaseKind::Copy(source) => drop(fs_err::copy(source, &at).unwrap()),
            CaseKind::Hard(other) => fs_err::hard_link(root.join(&other[1..]), &at).unwrap(),
            CaseKind::Link(target) => symlink(target, &at).unwrap(),
            CaseKind::Dir => fs_err::create_dir_all(&at).unwrap(),
        }
    }
    for file in &case.files {
        if !matches!(file.kind, CaseKind::Link(_)) {
            let mode = std::fs::Permissions::from_mode(file.mode.into());
            fs_err::set_permissions(root.join(&file.path[1..]), mode).unwrap();
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

fn list<'a>(words: impl IntoIterator<Item = &'a &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|w| quoted(w)).collect();
    format!("[{}]", words.join(", "))
}

/// The package.toml, for files below `root/` beside it.
pub fn package_toml(case: &Case) -> String {
    let mut out = format!("[package.{}]\n", quoted(&case.name));
    let mut set = |key: &str, value: String| writeln!(out, "{key} = {value}").unwrap();
    set("version", quoted(&case.version));
    set("release", quoted(&case.release));
    set("arch", quoted(case.arch()));
    set("summary", quoted("A summary"));
    set("license", quoted("ASL 2.0"));
    set("description", quoted(&case.description));
    if let Some(epoch) = case.epoch {
        set("epoch", epoch.to_string());
    }
    if let Some(url) = case.url {
        set("url", quoted(url));
    }
    for section in ["requires", "provides", "conflicts", "obsoletes"] {
        let own = case.dependencies.iter().filter(|(s, ..)| *s == section);
        let own: Vec<_> = own.map(|(_, n, c)| format!("{} = {}", quoted(n), quoted(c))).collect();
        if !own.is_empty() {
            set(section, format!("{{ {} }}", own.join(", ")));
        }
    }
    for script in case.scripts.iter().filter(|s| !s.implied) {
        let key = script_key(script.section);
        set(key, quoted(&script.body));
        set(&format!("{key}_prog"), list(&script.program));
    }
    out.push_str(&case.toml);
    out.push('\n');
    let assets: Vec<_> = case.files.iter().map(asset).collect();
    writeln!(out, "assets = [\n{}]", assets.concat()).unwrap();
    out.push_str(
        "\n[[changelog]]\ndate = 2015-10-21\nauthor = \"A Packager <a@localhost> - 1.0-1\"\n\
         text = [\"Second\"]\n\n[[changelog]]\ndate = 2014-02-28\n\
         author = \"A Packager <a@localhost> - 0.9-1\"\ntext = [\"First\", \"and more\"]\n",
    );
    out
}

fn script_key(section: &str) -> &'static str {
    match section {
        "pre" => "pre_install_script",
        "post" => "post_install_script",
        "preun" => "pre_uninstall_script",
        "postun" => "post_uninstall_script",
        "pretrans" => "pre_trans_script",
        "posttrans" => "post_trans_script",
        other => panic!("no scriptlet %{other}"),
    }
}

fn asset(file: &CaseFile) -> String {
    let mut keys = vec![format!("dest = {}", quoted(&file.path))];
    let mut with_mode = true;
    match &file.kind {
        CaseKind::Dir => keys.push("dir = true".into()),
        CaseKind::Link(target) => {
            keys.push(format!("link = {}", quoted(target)));
            with_mode = false;
        }
        _ if file.ghost => {}
        _ => keys.push(format!("source = {}", quoted(&format!("root{}", file.path)))),
    }
    if with_mode {
        keys.push(format!("mode = \"{:o}\"", file.mode));
    }
    if file.user != "root" {
        keys.push(format!("user = {}", quoted(file.user)));
    }
    if file.group != "root" {
        keys.push(format!("group = {}", quoted(file.group)));
    }
    match file.config.as_deref() {
        None => {}
        Some([]) => keys.push("config = true".into()),
        Some(refinements) => keys.push(format!("config = {}", list(refinements))),
    }
    for (flag, name) in [(file.doc, "doc"), (file.license, "license"), (file.ghost, "ghost")] {
        if flag {
            keys.push(format!("{name} = true"));
        }
    }
    if let Some(caps) = file.caps {
        keys.push(format!("caps = {}", quoted(caps)));
    }
    if !file.unverified.is_empty() {
        keys.push(format!("unverified = {}", list(&file.unverified)));
    }
    format!("  {{ {} }},\n", keys.join(", "))
}

/// The spec file, for files below `root`.
pub fn spec_file(case: &Case, root: &Path) -> String {
    let mut out = String::from(PROLOGUE);
    let mut line = |text: String| writeln!(out, "{text}").unwrap();
    line(format!("Name: {}", case.name));
    line(format!("Version: {}\nRelease: {}", case.version, case.release));
    line("Summary: A summary\nLicense: ASL 2.0".into());
    if case.noarch {
        line("BuildArch: noarch".into());
    }
    if let Some(epoch) = case.epoch {
        line(format!("Epoch: {epoch}"));
    }
    if let Some(url) = case.url {
        line(format!("URL: {url}"));
    }
    for (section, name, comparisons) in &case.dependencies {
        for comparison in comparisons.split(',').map(|c| c.trim().trim_start_matches('*')) {
            line(format!("{section}: {name} {comparison}"));
        }
    }
    line(case.spec.clone());
    line(format!("%description\n{}\n", case.description.replace('%', "%%")));
    line("%install\nmkdir -p %{buildroot}".into());
    line(format!("cp -a '{}/.' %{{buildroot}}/", root.display()));
    line(format!("find %{{buildroot}} -exec touch -h -d @{TIME} {{}} +\n"));
    for script in &case.scripts {
        line(scriptlet(script).replace(DEFINITIONS, &definitions(case)));
    }
    line("%files".into());
    for file in &case.files {
        line(files_line(file));
    }
    line(CHANGELOG.into());
    out
}

/// Stands in an implied scriptlet for the digest of the case's definitions for firewalld.
pub const DEFINITIONS: &str = "@DEFINITIONS@";

fn definitions(case: &Case) -> String {
    let mut all = Sha256::new();
    for file in case.files.iter().filter(|f| f.path.starts_with("/usr/lib/firewalld/")) {
        let CaseKind::Bytes(bytes) = &file.kind else { continue };
        all.update(Sha256::digest(bytes));
        all.update(format!("{}\0", file.path));
    }
    all.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

const PROLOGUE: &str = "%global debug_package %{nil}\n%global __os_install_post %{nil}\n";

const CHANGELOG: &str = "
%changelog
* Wed Oct 21 2015 A Packager <a@localhost> - 1.0-1
- Second

* Fri Feb 28 2014 A Packager <a@localhost> - 0.9-1
- First
- and more
";

fn scriptlet(script: &Scriptlet) -> String {
    let Scriptlet { section, program, body, .. } = script;
    let program = match program.as_slice() {
        ["/bin/sh"] => String::new(),
        program => format!(" -p {}", quote_program(program)),
    };
    format!("%{section}{program}\n{}\n", body.replace('%', "%%"))
}

fn quote_program(program: &[&str]) -> String {
    match program {
        [one] => (*one).into(),
        several => format!("\"{}\"", several.join(" ")),
    }
}

fn files_line(file: &CaseFile) -> String {
    let mut words = Vec::new();
    if file.ghost {
        words.push("%ghost".to_owned());
    }
    match file.config.as_deref() {
        None => {}
        Some([]) => words.push("%config".into()),
        Some(refinements) => words.push(format!("%config({})", refinements.join(" "))),
    }
    for (flag, name) in [(file.doc, "%doc"), (file.license, "%license")] {
        if flag {
            words.push(name.into());
        }
    }
    if let Some(caps) = file.caps {
        words.push(format!("%caps({caps})"));
    }
    if !file.unverified.is_empty() {
        words.push(format!("%verify(not {})", file.unverified.join(" ")));
    }
    if matches!(file.kind, CaseKind::Dir) {
        words.push("%dir".into());
    }
    let mode = match file.kind {
        CaseKind::Link(_) => "-".into(),
        _ => format!("{:04o}", file.mode),
    };
    words.push(format!("%attr({mode},{},{})", file.user, file.group));
    words.push(format!("\"{}\"", file.path.replace('%', "%%")));
    words.join(" ")
}
