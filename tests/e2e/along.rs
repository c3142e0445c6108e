//! Runs for some packages of a checkout: those that these require are made as well, or they are held back.

use std::process::Command;

use serde_json::Value;

use crate::{
    checkout::{Checkout, walk},
    support,
    tools::{Tools, compiled_packages},
};

/// A data package with one file, /usr/share/NAME.
fn data(checkout: &Checkout, name: &str, more: &str) {
    let toml = format!(
        "[package.{name}]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"S\"\nlicense = \"MIT\"\n\
         assets = [{{ source = \"file\", dest = \"/usr/share/{name}\" }}]\n{more}\n\
         [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n"
    );
    checkout.write(&format!("specs/{name}/package.toml"), toml);
    checkout.write(&format!("specs/{name}/file"), "text\n");
}

/// Names of the packages that are published, whose repository is whole.
fn published(checkout: &Checkout) -> Vec<String> {
    if !checkout.path("dist/el7").exists() {
        return Vec::new();
    }
    checkout.ok(&["verify"]);
    let mut files = walk(&checkout.path("dist/el7"));
    files.retain(|file| file.ends_with(".rpm"));
    files.iter().map(|file| file.split("-1-1").next().unwrap().to_owned()).collect()
}

#[test]
fn packages_that_descriptions_require_are_made_too() {
    let checkout = Checkout::empty();
    data(&checkout, "top", "requires = { virtual = \"*\", elsewhere = \"*\" }");
    data(
        &checkout,
        "middle",
        "provides = { virtual = \"*\" }\nrequires = { \"low(x86-64)\" = \"*\" }",
    );
    data(&checkout, "low", "requires = { \"/usr/share/lowest\" = \"*\" }");
    data(&checkout, "lowest", "");
    data(&checkout, "other", "requires = { top = \"*\" }");
    let notes = [
        "middle is made, too: top requires virtual, which it provides",
        "low is made, too: middle requires low(x86-64), which it provides",
        "lowest is made, too: low requires /usr/share/lowest, which it provides",
    ];
    let plan = checkout.ok(&["plan", "top"]);
    let output = support::run(&mut checkout.xtask(&["rpm", "top"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for note in notes {
        assert!(plan.contains(note), "{plan}");
        assert!(said.contains(&format!("note: {note}")), "{said}");
    }
    assert!(!plan.contains("sign other"), "{plan}");
    assert_eq!(published(&checkout), ["low", "lowest", "middle", "top"]);
    let json: Value = serde_json::from_str(&checkout.ok(&["plan", "--json", "top"])).unwrap();
    let along = json["along"].as_array().unwrap();
    assert_eq!(
        (along.len(), &along[0]["package"], &along[0]["by"]),
        (3, &"middle".into(), &"top".into())
    );
    // Without names everything is made, and nothing comes along.
    assert!(!checkout.ok(&["plan"]).contains("is made, too"));
}

/// A checkout whose description `tools` stages two libraries: that of tools needs that of tools-libs. The
/// programs that build it, and what is staged.
fn libraries(more: &str) -> (Tools, Checkout) {
    let (tools, checkout) = (Tools::new(), Checkout::empty());
    tools.write("engine", "cp -a \"$DIR/out/.\" \"$stage/\"\nexit 0\n");
    let lib = tools.path("out/usr/lib64");
    fs_err::create_dir_all(&lib).unwrap();
    checkout.write("own.c", "int own(void) { return 1; }\n");
    checkout.write("user.c", "int own(void);\nint user(void) { return own(); }\n");
    let gcc = |name: &str, args: &[&str]| {
        let mut gcc = Command::new("gcc");
        gcc.args([
            "-shared",
            "-fPIC",
            "-nostdlib",
            &format!("-Wl,-soname,lib{name}.so.1,--build-id"),
        ]);
        gcc.arg("-o").arg(lib.join(format!("lib{name}.so.1"))).arg(format!("{name}.c")).args(args);
        support::ok(gcc.current_dir(checkout.dir.path()));
    };
    gcc("own", &[]);
    gcc("user", &[lib.join("libown.so.1").to_str().unwrap()]);
    let packages = format!(
        "[common]\nversion = \"1\"\nsummary = \"S\"\nlicense = \"MIT\"\n\
         [package.tools]\nassets = [{{ staged = \"/usr/lib64/libuser.so.1\" }}]\n\
         [package.tools-libs]\nassets = [{{ staged = \"/usr/lib64/libown.so.1\" }}{more}]\n\
         [package.tools-more]\nassets = [{{ dest = \"/usr/share/more\", dir = true }}]\n"
    );
    compiled_packages(&checkout, "tools", "", &packages);
    data(&checkout, "other", "");
    (tools, checkout)
}

/// Exit code and events of a run.
fn run(tools: &Tools, checkout: &Checkout, args: &[&str]) -> (i32, Vec<Value>) {
    let output = support::run(&mut tools.xtask(checkout, &[&["rpm", "--json"], args].concat()));
    let text = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap(),
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect(),
    )
}

const NOTE: &str =
    "tools-libs is made, too: tools requires libown.so.1()(64bit), which it provides";

#[test]
fn packages_that_compiled_files_require_are_made_too() {
    if !support::have("libraries of others", &["gcc", "git", "sh"]) {
        return;
    }
    for release in [false, true] {
        let (tools, checkout) = libraries("");
        let key = support::key_file("b");
        let args: &[&str] = match release {
            true => &["--release", "--key", key.to_str().unwrap(), "tools"],
            false => &["tools"],
        };
        let (code, events) = run(&tools, &checkout, args);
        assert_eq!(code, 0, "{events:?}");
        assert_eq!(published(&checkout), ["tools", "tools-libs"]);
        let notes = events.iter().filter(|e| e["message"] == NOTE).count();
        let compiled = |e: &&Value| e["step"] == "compile tools" && e["outcome"] == "built";
        assert_eq!((notes, events.iter().filter(compiled).count()), (1, 1), "{events:?}");
        // The report has the work of both rounds.
        let report = events.iter().find(|e| e["event"] == "finished").unwrap();
        let row = report["packages"].as_array().unwrap().iter().find(|r| r["package"] == "tools");
        assert!(row.unwrap()["steps"].to_string().contains("compile"), "{report}");
        // Now it is known before anything is done.
        let plan = support::ok(&mut tools.xtask(&checkout, &["plan", "tools"]));
        assert!(plan.contains(NOTE) && plan.contains("sign tools-libs"), "{plan}");
        assert!(!plan.contains("tools-more"), "{plan}");
    }
}

#[test]
fn a_package_whose_library_cannot_be_published_is_held_back() {
    if !support::have("libraries that are missing", &["gcc", "git", "sh"]) {
        return;
    }
    // The gate refuses a program that is newer than CentOS 7.
    let (tools, checkout) = libraries(", { source = \"new\", dest = \"/usr/bin/new\" }");
    checkout.write("specs/tools/new", fs_err::read("/bin/true").unwrap());
    for args in [&["tools", "other"][..], &[]] {
        let (code, events) = run(&tools, &checkout, args);
        assert_eq!(code, 7, "{events:?}");
        let all = published(&checkout);
        assert!(all.contains(&"other".into()) && !all.contains(&"tools".into()), "{all:?}");
        let report = events.iter().find(|e| e["event"] == "finished").unwrap();
        let rows = report["packages"].as_array().unwrap();
        let why = rows.iter().find(|row| row["package"] == "tools").unwrap()["failed"].as_str();
        assert!(why.unwrap().starts_with("it requires tools-libs: ABI gate: "), "{report}");
    }
}

#[test]
fn a_requirement_on_another_version_than_the_checkout_makes_is_told() {
    let checkout = Checkout::empty();
    data(
        &checkout,
        "app",
        "requires = { foo = \">= 2\", virtual = \">= 2\", \"libbar\" = \"< 1.10\" }",
    );
    data(&checkout, "foo", "provides = { virtual = \"= 1\" }");
    data(&checkout, "two", "provides = { virtual = \"= 2\" }");
    data(&checkout, "bar", "provides = { libbar = \"= 1.9\" }");
    let told = "app requires foo >= 2, and this checkout has foo = 1-1.el7: unless the hosts get it from \
                elsewhere, app cannot be installed";
    for args in [&["rpm", "app"][..], &["rpm"]] {
        let output = support::run(&mut checkout.xtask(args));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches(told).count(), 1, "{said}");
        assert_eq!(said.matches("and this checkout has").count(), 1, "{said}");
        let all = published(&checkout);
        match args.len() {
            // Half of what it needs is of no use to it: foo stays where it is.
            2 => assert_eq!(all, ["app", "bar", "two"]),
            _ => assert_eq!(all, ["app", "bar", "foo", "two"]),
        }
    }
    assert!(checkout.ok(&["plan"]).contains(told));
    let json: Value = serde_json::from_str(&checkout.ok(&["plan", "--json"])).unwrap();
    assert_eq!(json["unmet"][0]["requirement"], "foo >= 2", "{json}");
    assert_eq!(json["unmet"][0]["offered"][0], "foo = 1-1.el7", "{json}");
    // The version that is required is made: nothing is told, and it is taken along.
    data(&checkout, "foo", "epoch = 1");
    let output = support::run(&mut checkout.xtask(&["rpm", "app"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("foo is made, too: app requires it") && !said.contains(told), "{said}");
}
