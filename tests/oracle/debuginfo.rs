//! Debug information taken out: what is left runs as before, and debuggers find what was taken.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use el7rpm::{
    debug,
    package::{Prepared, WriteOptions},
    spec::Package,
    stage::{EntryKind, Roots, StagedRoot},
};

use crate::{
    fixtures::PackageFolder,
    rpmbuild::{elf, scratch},
    support,
};

const PROGRAMS: &[&str] = &["program", "fixed", "static", "static-pie", "gnu-hash", "user"];
const LIBRARIES: &[&str] = &["libplain.so.1.2.3", "libfix.so.1.0", "plugin.so"];
const TOOLS: &[&str] = &["gcc", "readelf", "objcopy", "nm", "addr2line"];

/// A package with all of them, and what becomes of it and of its companion.
struct Split {
    bench: PackageFolder,
    packages: Vec<Package>,
    roots: Vec<StagedRoot>,
}

fn split(keys: &str) -> el7rpm::Result<Split> {
    let bench = PackageFolder::new(&format!(
        "[package.p]\nversion = \"1.0\"\narch = \"x86_64\"\nlicense = \"l\"\nsummary = \"s\"\n{keys}\n\
         assets = [\n\
           {{ source = \"bin/*\", dest = \"/usr/bin/\", mode = \"755\" }},\n\
           {{ source = \"lib/*\", dest = \"/usr/lib64/\", mode = \"755\" }},\n\
           {{ source = \"bin/program\", dest = \"/opt/p/again\", mode = \"755\" }},\n\
         ]"
    ));
    for (folder, names) in [("bin", PROGRAMS), ("lib", LIBRARIES)] {
        for name in names {
            bench.write(&format!("{folder}/{name}"), fs_err::read(elf::path(name)).unwrap());
        }
    }
    bench.write("bin/script", "#!/bin/sh\n");
    let packages = bench.packages();
    let mut roots = Vec::new();
    for package in &packages {
        let folders = Roots::of_folder(bench.path(""));
        let root = StagedRoot::collect(package, &folders)?;
        let work = bench.path(&format!("work-{}", package.name));
        fs_err::create_dir_all(&work)?;
        roots.push(debug::refine(package, root, &work)?);
    }
    Ok(Split { bench, packages, roots })
}

/// Where the content of each path is.
fn sources(root: &StagedRoot) -> BTreeMap<String, PathBuf> {
    let source = |e: &el7rpm::stage::Entry| match &e.kind {
        EntryKind::File { source, .. } => Some((e.path.clone(), source.clone())),
        _ => None,
    };
    root.entries().iter().filter_map(source).collect()
}

/// What a program does, given a folder to look for libraries in.
fn behaviour(program: &Path, libraries: &Path) -> (String, Option<i32>) {
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("x");
    fs_err::copy(program, &path).unwrap();
    let mut perms = fs_err::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut perms, 0o755);
    fs_err::set_permissions(&path, perms).unwrap();
    let output = support::run(Command::new(path).env("LD_LIBRARY_PATH", libraries));
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn stripped_programs_still_run() {
    if !support::have("stripped programs", TOOLS) {
        return;
    }
    let split = split("debuginfo = true").unwrap();
    let stripped = sources(&split.roots[0]);
    let libraries = split.bench.path("stripped-libraries");
    fs_err::create_dir_all(&libraries).unwrap();
    fs_err::copy(&stripped["/usr/lib64/libfix.so.1.0"], libraries.join("libfix.so.1")).unwrap();
    for name in PROGRAMS {
        let (old, new) = (elf::path(name), &stripped[&format!("/usr/bin/{name}")]);
        let original = split.bench.path("original-libraries");
        fs_err::create_dir_all(&original).unwrap();
        fs_err::copy(elf::path("libfix.so.1.0"), original.join("libfix.so.1")).unwrap();
        assert!(behaviour(&old, &original).1.is_some(), "{name}");
        if *name != "user" {
            assert_eq!(behaviour(&old, &original), behaviour(new, &libraries), "{name}");
        } else {
            // It adds a random number; that it runs to its end says that its libraries serve.
            assert!(behaviour(new, &libraries).1.is_some(), "{name}");
        }
        assert!(fs_err::metadata(new).unwrap().len() < fs_err::metadata(&old).unwrap().len());
    }
    for name in LIBRARIES {
        let exported = |path: &Path| support::ok(Command::new("nm").arg("-D").arg(path));
        let new = &stripped[&format!("/usr/lib64/{name}")];
        assert_eq!(exported(&elf::path(name)), exported(new));
    }
    for path in stripped.values().filter(|p| !p.ends_with("script")) {
        let output = support::run(Command::new("readelf").arg("-aW").arg(path));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.is_empty(), "{}: {errors}", path.display());
    }
    assert!(stripped["/usr/bin/script"].ends_with("bin/script"), "a script is no business of ours");
}

/// Name, type, address, size and flags of every section.
fn sections(path: &Path) -> Vec<String> {
    let text = support::ok(Command::new("readelf").arg("-SW").arg(path));
    let lines = text.lines().filter_map(|l| l.trim().strip_prefix('[')?.split_once(']'));
    let known = lines.filter_map(|(number, rest)| {
        let number: u32 = number.trim().parse().ok().filter(|n| *n > 0)?;
        let words: Vec<_> = rest.split_whitespace().collect();
        // The offset is each writer's own choice, and so is the size of the names' table.
        let size = if words[0] == ".shstrtab" { "" } else { words[4] };
        // SHF_INFO_LINK, `I`: objcopy drops it where the section's content goes.
        let rest = words[6..].join(" ").replace('I', "");
        Some(format!("{number} {} {} {} {size} {rest}", words[0], words[1], words[2]))
    });
    known.collect()
}

#[test]
fn the_debug_file_has_the_sections_that_objcopy_keeps() {
    if !support::have("debug files", TOOLS) {
        return;
    }
    let split = split("debuginfo = true").unwrap();
    let debug = sources(&split.roots[1]);
    let theirs = split.bench.path("theirs.debug");
    for (name, folder) in
        PROGRAMS.iter().map(|n| (n, "usr/bin")).chain(LIBRARIES.iter().map(|n| (n, "usr/lib64")))
    {
        let mut objcopy = Command::new("objcopy");
        objcopy.arg("--only-keep-debug").arg(elf::path(name)).arg(&theirs);
        support::ok(&mut objcopy);
        let ours = &debug[&format!("/usr/lib/debug/{folder}/{name}.debug")];
        assert_eq!(sections(ours), sections(&theirs), "{name}");
    }
}

#[test]
fn debuggers_find_lines_by_build_id() {
    if !support::have_as_root("debuginfo package in a root", scratch::TOOLS)
        || !support::have("debuginfo package in a root", TOOLS)
    {
        return;
    }
    let split = split("debuginfo = true").unwrap();
    let root = scratch::Scratch::new();
    assert_eq!(split.packages[1].name, "p-debuginfo");
    for (package, staged) in split.packages.iter().zip(&split.roots) {
        let path = split.bench.path(&package.file_name());
        let options = WriteOptions::default();
        Prepared::new(package, staged, &options).unwrap().write(&path).unwrap();
        root.change(&["-i", "--nodeps"], Some(&path));
        assert!(root.ask(&["-V", "--nodeps", &package.name], None).starts_with("exit status: 0"));
        if package.name == "p-debuginfo" {
            let provides = root.ask(&["-qp", "--provides"], Some(&path));
            assert!(
                provides
                    .starts_with("p-debuginfo = 1.0-1.el7\np-debuginfo(x86-64) = 1.0-1.el7\nexit")
            );
            let requires = root.ask(&["-qp", "--requires"], Some(&path));
            assert!(requires.lines().all(|l| l.starts_with("rpmlib(") || l.starts_with("exit")));
        }
    }
    // Every link leads somewhere, whether the program's or its debug information's.
    for item in walkdir::WalkDir::new(root.path("usr/lib/debug")) {
        let item = item.unwrap();
        assert!(item.path().exists(), "{} leads nowhere", item.path().display());
    }
    let debug = root.path("usr/lib/debug/usr/bin/program.debug");
    let symbols = support::ok(Command::new("nm").arg(&debug));
    let main = symbols.lines().find(|l| l.ends_with(" T main")).unwrap();
    let address = main.split(' ').next().unwrap();
    let line = support::ok(Command::new("addr2line").arg("-e").arg(&debug).arg(address));
    assert!(line.contains("main.c:2"), "{line}");
    if support::have("gdb with debug files", &["gdb"]) {
        let folder = format!("set debug-file-directory {}", root.path("usr/lib/debug").display());
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch", "-ex", &folder, "-ex", "info line main"]);
        // By its own name first: gdb must have asked for the file to be read after the folder.
        gdb.arg("-ex").arg(format!("file {}", root.path("usr/bin/program").display()));
        gdb.args(["-ex", "info line main"]);
        let text = support::ok(&mut gdb);
        assert!(text.contains("\"main.c\""), "{text}");
    }
}

#[test]
fn a_large_program_still_runs_when_stripped() {
    let dir = tempfile::tempdir().unwrap();
    let bench = PackageFolder::new(
        "[package.p]\nversion = \"1.0\"\narch = \"x86_64\"\nlicense = \"l\"\nsummary = \"s\"\n\
         assets = [{ source = \"large\", dest = \"/usr/bin/large\", mode = \"755\" }]",
    );
    fs_err::copy(std::env::current_exe().unwrap(), bench.path("large")).unwrap();
    let package = bench.packages().remove(0);
    let folders = Roots::of_folder(bench.path(""));
    let root = StagedRoot::collect(&package, &folders).unwrap();
    let root = debug::refine(&package, root, dir.path()).unwrap();
    let stripped = &sources(&root)["/usr/bin/large"];
    let (size, before) = (
        fs_err::metadata(stripped).unwrap().len(),
        fs_err::metadata(bench.path("large")).unwrap().len(),
    );
    assert!(size < before / 2, "{size} of {before} bytes are left");
    let listed = |path: &Path| {
        let copy = dir.path().join("copy");
        fs_err::copy(path, &copy).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&copy, mode).unwrap();
        support::ok(Command::new(copy).arg("--list"))
    };
    assert_eq!(listed(stripped), listed(&bench.path("large")));
}

#[test]
fn debuginfo_without_debug_information_is_refused() {
    if !support::have("debug files", TOOLS) {
        return;
    }
    let kept = split("strip = false").unwrap();
    assert!(sources(&kept.roots[0])["/usr/bin/program"].ends_with("bin/program"));
    assert_eq!(kept.packages.len(), 1);
    let bench = PackageFolder::new(
        "[package.p]\nversion = \"1.0\"\narch = \"x86_64\"\nlicense = \"l\"\nsummary = \"s\"\n\
         debuginfo = true\nassets = [{ source = \"x\", dest = \"/usr/bin/x\" }]",
    );
    bench.write("x", "#!/bin/sh\n");
    let package = bench.packages().pop().unwrap();
    let folders = Roots::of_folder(bench.path(""));
    let root = StagedRoot::collect(&package, &folders).unwrap();
    let error = debug::refine(&package, root, bench.dir.path()).unwrap_err();
    assert!(error.to_string().contains("no file of the package has debug information"), "{error}");
}

/// `.debug` is added to the names of files, which may not be installable then.
#[test]
fn a_debug_file_with_too_long_a_name_is_refused() {
    if !support::have("debug files", TOOLS) {
        return;
    }
    let name = "n".repeat(244);
    let bench = PackageFolder::new(&format!(
        "[package.p]\nversion = \"1.0\"\narch = \"x86_64\"\nlicense = \"l\"\nsummary = \"s\"\n\
         debuginfo = true\nassets = [{{ source = \"x\", dest = \"/usr/bin/{name}\", mode = \"755\" }}]"
    ));
    bench.write("x", fs_err::read(elf::path("program")).unwrap());
    let refined = bench.packages().into_iter().map(|package| {
        let folders = Roots::of_folder(bench.path(""));
        let root = StagedRoot::collect(&package, &folders).unwrap();
        let work = bench.path(&format!("work-{}", package.name));
        fs_err::create_dir_all(&work).unwrap();
        debug::refine(&package, root, &work)
    });
    let errors: Vec<_> = refined.filter_map(Result::err).map(|e| e.to_string()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("is too long a name to be installed"), "{errors:?}");
}
