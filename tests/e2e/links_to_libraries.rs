//! Programs that need a library by the name of a link: what the dynamic linker opens, and what rpm looks for.

use std::process::Command;

use crate::{
    checkout::Checkout,
    support,
    tools::{Tools, compiled_packages},
};

/// A checkout whose build stages libreal.so.1.2, a link to it with the name `link`, and a library that needs
/// libreal.so.1; and how `rpm` ends.
fn run(soname: &str, link: &str, more: &str) -> (i32, String, Checkout) {
    run_in("/usr/lib64", soname, Some(link), None, more)
}

/// The same with libreal.so.1.2 in this folder, with a link or without, and with a file for ldconfig.
fn run_in(
    folder: &str,
    soname: &str,
    link: Option<&str>,
    ldconfig: Option<&str>,
    more: &str,
) -> (i32, String, Checkout) {
    let (tools, checkout) = (Tools::new(), Checkout::empty());
    tools.write("engine", "cp -a \"$DIR/out/.\" \"$stage/\"\nexit 0\n");
    let lib = tools.path("out/usr/lib64");
    let own = tools.path("out").join(&folder[1..]);
    fs_err::create_dir_all(&lib).unwrap();
    fs_err::create_dir_all(&own).unwrap();
    checkout.write("real.c", "int real(void) { return 1; }\n");
    checkout.write("user.c", "int real(void);\nint user(void) { return real(); }\n");
    let gcc = |args: &[&str]| {
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-nostdlib", "-Wl,--build-id"]).args(args);
        support::ok(gcc.current_dir(checkout.dir.path()));
    };
    let real = own.join("libreal.so.1.2");
    gcc(&["-o", real.to_str().unwrap(), "real.c", &format!("-Wl,-soname,{soname}")]);
    // What the user was linked with called itself as the link does.
    gcc(&["-o", "libreal.so.1", "real.c", "-Wl,-soname,libreal.so.1"]);
    gcc(&["-o", lib.join("libuser.so").to_str().unwrap(), "user.c", "libreal.so.1"]);
    if let Some(link) = link {
        fs_err::os::unix::fs::symlink(link, own.join("libreal.so.1")).unwrap();
    }
    let mut libs = format!("{{ staged = \"{folder}/libreal*\" }}");
    if let Some(text) = ldconfig {
        fs_err::create_dir_all(tools.path("out/etc/ld.so.conf.d")).unwrap();
        fs_err::write(tools.path("out/etc/ld.so.conf.d/real.conf"), text).unwrap();
        libs += ", { staged = \"/etc/ld.so.conf.d/real.conf\" }";
    }
    let packages = format!(
        "[common]\nversion = \"1\"\nsummary = \"S\"\nlicense = \"MIT\"\n\
         [package.tools]\nassets = [{{ staged = \"/usr/lib64/libuser.so\" }}]\n\
         [package.tools-libs]\nassets = [{libs}]\n{more}\n"
    );
    compiled_packages(&checkout, "tools", "", &packages);
    let (code, message) =
        checkout.code_and_text(&support::run(&mut tools.xtask(&checkout, &["rpm"])));
    (code, message, checkout)
}

const ONLY_LINK: &str =
    "/usr/lib64/libuser.so needs libreal.so.1, which only a link of this release is called";

#[test]
fn a_library_by_the_name_of_a_link_is_one_only_if_a_package_provides_it() {
    if !support::have("links to libraries", &["gcc", "git", "sh"]) {
        return;
    }
    let (code, message, _) = run("libreal.so.1.2", "libreal.so.1.2", "");
    assert!(code == 7 && message.contains(ONLY_LINK), "{code} {message}");
    // As the message says.
    let provides = "provides = { \"libreal.so.1()(64bit)\" = \"*\" }";
    assert!(message.contains(provides), "{message}");
    let (code, message, checkout) = run("libreal.so.1.2", "libreal.so.1.2", provides);
    assert_eq!(code, 0, "{message}");
    checkout.ok(&["verify"]);
    // The library's own name needs no word, and a link to nothing is none.
    assert_eq!(run("libreal.so.1", "libreal.so.1.2", "").0, 0);
    let (code, message, _) = run("libreal.so.1.2", "libgone.so", provides);
    let says = "libuser.so needs libreal.so.1, which neither the target nor this release has";
    assert!(code == 7 && message.contains(says), "{code} {message}");
}

#[test]
fn a_library_known_by_its_soname_alone_counts_where_ldconfig_makes_the_link() {
    if !support::have("libraries without a link", &["gcc", "git", "sh"]) {
        return;
    }
    let says = "/usr/lib64/libuser.so needs libreal.so.1, which no file and no link of this release is called: \
                /opt/x/lib/libreal.so.1.2 calls itself so";
    let remedy = "{ dest = \"/opt/x/lib/libreal.so.1\", link = \"libreal.so.1.2\" }";
    for (folder, link, ldconfig, passes) in [
        ("/opt/x/lib", None, None, false),
        ("/opt/x/lib", None, Some("/opt/x\n# /opt/x/lib\n"), false),
        ("/opt/x/lib", None, Some("include other\n/opt/x/lib/ # ours\n"), true),
        ("/opt/x/lib", Some("libreal.so.1.2"), None, true),
        ("/usr/lib64", None, None, true),
        ("/usr/lib64/x", None, None, false),
    ] {
        let (code, message, _) = run_in(folder, "libreal.so.1", link, ldconfig, "");
        assert_eq!(code, if passes { 0 } else { 7 }, "{folder} {link:?} {ldconfig:?}: {message}");
        let said = message.contains(&says.replace("/opt/x/lib", folder))
            && message.contains(&remedy.replace("/opt/x/lib", folder));
        assert_eq!(said, !passes, "{message}");
    }
}
