//! RPATH and paths of the builder: what rpm's own check-rpaths refuses is told, and both are waived by name alone.

use std::process::Command;

use el7rpm::{
    abi::{AbiTable, Offered, sonames},
    deps,
    lint::{self, Finding, Places},
    package::{Prepared, WriteOptions},
    stage::{Roots, StagedRoot},
};

use crate::{fixtures::PackageFolder, rpmbuild::elf, support};

const WORKER: &str = "/usr/lib/rpm/check-rpaths-worker";

/// What is found in the package of a bench.
fn findings(bench: &PackageFolder) -> Vec<Finding> {
    let package = bench.packages().remove(0);
    let roots = Roots::of_folder(bench.dir.path());
    let root = StagedRoot::collect(&package, &roots).unwrap();
    let options = WriteOptions::default();
    let prepared = Prepared::new(&package, &root, &options).unwrap();
    let list = |folder: &str| vec![folder.to_owned()];
    let places =
        Places { foreign: list("/build"), in_text: list("/build/x"), in_any: list("/stage") };
    lint::check(&package, &root, prepared.facts(), &places).unwrap()
}

fn bench(waive: &str) -> PackageFolder {
    PackageFolder::new(&format!(
        "[package.x]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"s\"\nlicense = \"l\"\nstrip = false\n\
         waive = [{waive}]\nassets = [{{ source = \"x.so\", dest = \"/usr/lib64/x.so\", mode = \"755\" }}]\n"
    ))
}

/// Links `x.so` with this list of paths.
fn link(bench: &PackageFolder, list: &str, tags: &str) {
    bench.write("x.c", "int x;");
    let mut gcc = Command::new("gcc");
    gcc.current_dir(bench.dir.path()).args(["-shared", "-o", "x.so", "x.c"]);
    gcc.args(["-Xlinker", "-rpath", "-Xlinker", list, "-Xlinker", tags]);
    support::ok(&mut gcc);
}

/// What is said of an RPATH that check-rpaths takes.
fn is_general(finding: &Finding) -> bool {
    finding.to_string().starts_with("rpath: /usr/lib64/x.so has the RPATH `")
}

fn is_taken_by_rpm(bench: &PackageFolder) -> bool {
    let mut worker = Command::new(WORKER);
    worker.env("RPM_BUILD_ROOT", bench.dir.path()).arg(bench.path("x.so"));
    support::run(&mut worker).status.success()
}

#[test]
fn rpaths_are_refused_as_by_check_rpaths() {
    let has_worker = std::path::Path::new(WORKER).exists();
    if !has_worker || !support::have("check-rpaths", &["gcc", "readelf"]) {
        return;
    }
    let bench = bench("");
    let lists = [
        "/usr/lib64/mesos",
        "/usr/lib/x",
        "/lib64/x",
        "/usr/local/lib64/x",
        "/usr/libexec/x",
        "$ORIGIN",
        "$ORIGIN/x",
        "$ORIGIN/../lib64",
        "$ORIGIN/../../x",
        "$ORIGIN:/usr/lib64/x",
        "$ORIGIN:$ORIGIN/x",
        "/usr/lib64",
        "/usr/lib",
        "/lib",
        "/lib64",
        "/usr/local/lib",
        "/usr/X11R6/lib64",
        "lib",
        "./lib",
        ".",
        "../lib",
        "/tmp/evil",
        "/tmp/evil:.",
        "/opt/x/lib",
        "/home/x",
        "/build/libevent/sdk/usr/lib64",
        "/usr/lib64/x:",
        ":/usr/lib64/x",
        "/usr/lib64/x::/usr/lib64/y",
        "/usr/lib64/x/../y",
        "/usr/lib64/../../tmp",
        "$ORIGIN/x/../../y",
        "/usr/lib64/x:$ORIGIN",
        "$ORIGINAL/x",
        "/usr/libexec",
        "/..",
        "/usr/lib64x",
        "/",
        "$ORIGIN/x:/usr/lib64/x:$ORIGIN/y",
    ];
    for list in lists {
        for tags in ["--enable-new-dtags", "--disable-new-dtags"] {
            link(&bench, list, tags);
            let found = findings(&bench);
            let mut faults = found.iter().filter(|f| f.to_string().starts_with("rpath: "));
            assert!(faults.clone().next().is_some(), "{list}");
            assert_eq!(faults.all(is_general), is_taken_by_rpm(&bench), "{list} {found:?}");
        }
    }
    // What the script takes for words of the dynamic linker's, whatever stands around them.
    for list in ["/tmp/$LIB", "/usr/$LIB", "/tmp/${PLATFORM}/x"] {
        link(&bench, list, "--enable-new-dtags");
        assert!(!findings(&bench).iter().any(is_general) && is_taken_by_rpm(&bench), "{list}");
    }
    // What the script misspells.
    link(&bench, "${ORIGIN}/../lib64", "--enable-new-dtags");
    assert!(findings(&bench).iter().all(is_general) && !is_taken_by_rpm(&bench));
}

#[test]
fn a_waiver_names_check_and_file_and_must_be_needed() {
    if !support::have("waivers", &["gcc"]) {
        return;
    }
    let said = |waive: &str, list: &str| {
        let bench = bench(waive);
        link(&bench, list, "--enable-new-dtags");
        findings(&bench).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let waiver = |check: &str, file: &str| {
        format!("{{ check = {check:?}, file = {file:?}, reason = \"looked at\" }}, ")
    };
    let fault = "rpath: /usr/lib64/x.so has `/opt/x`, which is no folder for libraries of packages, in its RPATH `/opt/x`";
    assert_eq!(said("", "/opt/x"), [fault]);
    assert!(said(&waiver("rpath", "/usr/lib64/x.so"), "/opt/x").is_empty());
    assert!(said(&waiver("rpath", "/usr/lib64/*.so*"), "/opt/x").is_empty());
    let unused = |file: &str, check: &str| {
        format!("waive: no file that `{file}` matches has a fault of the kind {check}")
    };
    assert_eq!(
        said(&waiver("build-path", "/usr/lib64/x.so"), "/opt/x"),
        [fault.to_owned(), unused("/usr/lib64/x.so", "build-path")]
    );
    assert_eq!(
        said(&waiver("rpath", "/usr/*"), "/opt/x"),
        [fault.to_owned(), unused("/usr/*", "rpath")]
    );
    // An RPATH that check-rpaths takes is waived in the same way.
    let private = "rpath: /usr/lib64/x.so has the RPATH `/usr/lib64/x`, which only packages with private libraries need";
    assert_eq!(said("", "/usr/lib64/x"), [private]);
    assert!(said(&waiver("rpath", "/usr/lib64/x.so"), "/usr/lib64/x").is_empty());
    // A path into the build tree breaks both rules, and each is waived by itself.
    let into_build = said(&waiver("rpath", "/usr/lib64/x.so"), "/build/x");
    assert_eq!(
        into_build,
        ["build-path: /usr/lib64/x.so has /build/x of the builder in its RPATH `/build/x`"]
    );
}

#[test]
fn builder_paths_in_scripts_links_and_texts_are_found() {
    let bench = PackageFolder::new(
        "[package.x]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\nassets = [\n\
         { source = \"script\", dest = \"/usr/bin/script\", mode = \"755\" },\n\
         { source = \"x.pc\", dest = \"/usr/lib64/pkgconfig/x.pc\" },\n\
         { source = \"good\", dest = \"/usr/share/good\" },\n\
         { dest = \"/usr/lib64/a.so\", link = \"/build/x/a.so\" },\n\
         { dest = \"/usr/lib64/b.so\", link = \"../../build/x/b.so\" },\n]\n",
    );
    bench.write("script", "#!/build/python/bin/python\n");
    bench.write("x.pc", "prefix=/stage/usr\nName: x\nVersion: 1\nDescription: x\n");
    bench.write("good", "../build/x and /opt/stage\n");
    let said: Vec<_> = findings(&bench).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "build-path: /usr/bin/script is a script for /build/python/bin/python, which only the builder has",
            "build-path: /usr/lib64/a.so is a link to /build/x/a.so, which only the builder has",
            "build-path: /usr/lib64/b.so is a link to ../../build/x/b.so, which only the builder has",
            "build-path: /usr/lib64/pkgconfig/x.pc names /stage/usr, which only the builder has",
        ]
    );
}

#[test]
fn builder_paths_in_scriptlets_are_found() {
    let said = |keys: &str| {
        let bench = PackageFolder::new(&format!(
            "[package.x]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n{keys}"
        ));
        findings(&bench).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let post = "post_install_script = \"cp -r /build/x/conf /etc/x\"\n";
    assert_eq!(said(post), ["build-path: %post names /build/x/conf, which only the builder has"]);
    let program = "post_trans_script_prog = [\"/build/python/bin/python\", \"-E\"]\n";
    assert_eq!(
        said(program),
        [
            "build-path: %posttrans is a script for /build/python/bin/python, which only the builder has"
        ]
    );
    let waive = "waive = [{ check = \"build-path\", file = \"%post\", reason = \"looked at\" }]\n";
    assert!(said(&format!("{post}{waive}")).is_empty());
    assert!(said("post_install_script = \"cp -r /opt/build/x /etc/x\"\n").is_empty());
    assert_eq!(said(waive).len(), 1);
}

/// A library without a SONAME is found by the name of its file, as rpm says in what the package provides.
#[test]
fn the_abi_gate_knows_libraries_without_a_soname() {
    if !support::have("libraries without a SONAME", &["gcc"]) {
        return;
    }
    let violations = |library: &str| {
        let bench = PackageFolder::new(&format!(
            "[package.x]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"s\"\nlicense = \"l\"\nassets = [\n\
             {{ source = \"user\", dest = \"/usr/bin/user\", mode = \"755\" }},\n\
             {{ source = \"lib\", dest = \"/usr/lib64/private/{library}\", mode = \"755\" }},\n]\n"
        ));
        fs_err::copy(elf::path("nosoname-user"), bench.path("user")).unwrap();
        fs_err::copy(elf::path("libnosoname.so"), bench.path("lib")).unwrap();
        let package = bench.packages().remove(0);
        let roots = Roots::of_folder(bench.dir.path());
        let root = StagedRoot::collect(&package, &roots).unwrap();
        let facts = deps::discover(&package, &root).unwrap();
        let table = AbiTable::el7().unwrap();
        let found = table.check(&package, &root, &facts, &Offered::default()).unwrap();
        let lines = found.iter().map(ToString::to_string);
        lines.filter(|line| line.contains("libnosoname.so")).collect::<Vec<_>>()
    };
    assert_eq!(violations("libnosoname.so"), [""; 0]);
    assert_eq!(violations("libother.so").len(), 1);
    let names = sonames([elf::path("libnosoname.so"), elf::path("libplain.so.1.2.3")]).unwrap();
    assert!(names.contains("libnosoname.so") && names.contains("libplain.so.1"), "{names:?}");
}
