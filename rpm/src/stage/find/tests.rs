use fs_err::os::unix::fs::symlink;

use super::*;
use crate::{
    spec::Spec,
    stage::{EntryKind, StagedRoot},
};

/// A checkout with a tree in specs/p/t, a file beside it, and a secret key.
fn checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("specs/p/t/a.txt", "a"),
        ("specs/p/t/sub/b.txt", "b"),
        ("specs/p/t/sub/b.swp", "b"),
        ("LICENSE", "l"),
        ("target/xtask/keys/development.asc", "secret"),
    ] {
        fs_err::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        fs_err::write(dir.path().join(path), text).unwrap();
    }
    let tree = dir.path().join("specs/p/t");
    fs_err::create_dir(tree.join("empty")).unwrap();
    for (target, link) in [("sub", "folder"), ("a.txt", "file"), ("/no/where", "dangling")] {
        symlink(target, tree.join(link)).unwrap();
    }
    symlink("../../../LICENSE", tree.join("out")).unwrap();
    dir
}

fn stage(dir: &Path, keys: &str) -> Result<Vec<String>> {
    let spec = dir.join("specs/p");
    let text = format!(
        "[package.p]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n\
         {keys}\n[[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
    );
    let parsed = Spec::parse(&text, &spec.join("package.toml"), dir)?;
    let roots = Roots { spec, workspace: Some(dir.into()), crate_dir: None, build: None };
    let entries = StagedRoot::collect(&parsed.packages[0], &roots)?.entries;
    let shown = |kind: &EntryKind| match kind {
        EntryKind::Dir => "/".into(),
        EntryKind::Link { target } => format!(" -> {target}"),
        _ => String::new(),
    };
    Ok(entries.iter().map(|e| format!("{}{}", e.path, shown(&e.kind))).collect())
}

fn asset(dir: &Path, asset: &str) -> Result<Vec<String>> {
    stage(dir, &format!("assets = [{{ {asset} }}]"))
}

const TREE: [&str; 9] = [
    "/o/a.txt",
    "/o/dangling -> /no/where",
    "/o/empty/",
    "/o/file -> a.txt",
    "/o/folder -> sub",
    "/o/out -> ../../../LICENSE",
    "/o/sub/",
    "/o/sub/b.swp",
    "/o/sub/b.txt",
];

#[test]
fn a_folder_is_packaged_with_its_links_and_empty_folders() {
    let dir = checkout();
    let all = |a: &str| asset(dir.path(), a).unwrap();
    assert_eq!(all(r#"source = "t/**", dest = "/o/""#), TREE);
    assert_eq!(all(r#"source = "t/", dest = "/o/""#), TREE);
    let named: Vec<_> = std::iter::once("/o/").chain(TREE).collect();
    assert_eq!(all(r#"source = "t", dest = "/o""#), named);
    assert!(all(r#"source = "t", dest = "/o/""#).contains(&"/o/t/sub/b.txt".to_owned()));
    // `*` names what lies in a folder, as in cargo-generate-rpm, and no folder.
    let flat = all(r#"source = "t/*", dest = "/o/""#);
    assert_eq!(
        flat,
        [
            "/o/a.txt",
            "/o/dangling -> /no/where",
            "/o/file -> a.txt",
            "/o/folder -> sub",
            "/o/out -> ../../../LICENSE"
        ]
    );
    // Folders of CentOS 7's own are left to it.
    assert!(!all(r#"source = "t/**", dest = "/usr/""#).contains(&"/usr/bin/".to_owned()));
}

#[test]
fn exclude_patterns_remove_parts_of_a_tree() {
    let dir = checkout();
    let some = |exclude: &str| {
        let text = format!("source = \"t/**\", dest = \"/o/\", exclude = [{exclude}]");
        asset(dir.path(), &text).unwrap().join(" ")
    };
    assert!(!some(r#""t/**/*.swp""#).contains("swp"));
    assert!(!some(r#""t/sub""#).contains("/o/sub"));
    assert!(some(r#""t/sub/**""#).contains("/o/sub/"));
}

#[test]
fn version_control_in_a_tree_is_refused_unless_it_is_excluded() {
    for name in [".git", "sub/.git", "sub/.hg"] {
        let dir = checkout();
        let tree = dir.path().join("specs/p/t");
        fs_err::create_dir(tree.join(name)).unwrap();
        fs_err::write(tree.join(name).join("config"), "password").unwrap();
        for source in ["t", "t/", "t/**", "t/**/config"] {
            let text = format!("source = \"{source}\", dest = \"/o\"");
            let text = if source == "t" { text } else { text.replace("/o", "/o/") };
            let error = asset(dir.path(), &text).unwrap_err();
            let has = format!("source `{source}` has `t/{name}");
            assert!(error.to_string().contains(&has), "{error}");
            assert!(error.help().unwrap().contains(&format!("exclude = [\"t/{name}")), "{error}");
        }
        let left_out = format!("source = \"t/**\", dest = \"/o/\", exclude = [\"t/{name}\"]");
        assert_eq!(asset(dir.path(), &left_out).unwrap(), TREE);
        // A pattern that has nothing to do with it is not troubled by it.
        assert_eq!(asset(dir.path(), r#"source = "t/*.txt", dest = "/o/""#).unwrap(), ["/o/a.txt"]);
    }
    // Neither a link to a file in it nor one to the folder gets around that.
    let dir = checkout();
    let tree = dir.path().join("specs/p/t");
    fs_err::create_dir(dir.path().join("specs/p/.git")).unwrap();
    fs_err::write(dir.path().join("specs/p/.git/config"), "password").unwrap();
    for (link, target, source) in
        [("one", "../.git/config", "t/one"), ("all", "../.git", "t/all/config")]
    {
        std::os::unix::fs::symlink(target, tree.join(link)).unwrap();
        let text = format!("source = \"{source}\", dest = \"/o\"");
        let error = asset(dir.path(), &text).unwrap_err();
        assert!(error.to_string().contains("git or Mercurial keeps"), "{error}");
    }
    // A submodule has a file.
    let dir = checkout();
    fs_err::write(dir.path().join("specs/p/t/sub/.git"), "gitdir: ../../.git/modules/x").unwrap();
    let error = asset(dir.path(), r#"source = "t/**", dest = "/o/""#).unwrap_err();
    assert!(error.to_string().contains("`t/sub/.git`"), "{error}");
    for named in ["t/sub/.git", "t/.hg/x"] {
        let error = asset(dir.path(), &format!("source = \"{named}\", dest = \"/o\"")).unwrap_err();
        assert!(error.to_string().contains(&format!("has `{named}`")), "{error}");
    }
}

#[test]
fn a_named_link_to_a_file_is_followed() {
    let dir = checkout();
    let file = |a: &str| asset(dir.path(), a);
    assert_eq!(file(r#"source = "t/file", dest = "/o""#).unwrap(), ["/o"]);
    assert_eq!(file(r#"source = "../../LICENSE", dest = "/o/""#).unwrap(), ["/o/LICENSE"]);
    let dangling = file(r#"source = "t/dangling", dest = "/o""#).unwrap_err();
    let said = "source `t/dangling` is a link to `/no/where`";
    assert!(dangling.to_string().contains(said), "{dangling}");
    assert!(dangling.help().unwrap().contains("link = "));
}

#[test]
fn files_outside_the_checkout_and_secret_keys_are_refused() {
    let dir = checkout();
    for (source, said) in [
        ("../../../etc/shadow", "outside the checkout"),
        ("../../target/xtask/keys/development.asc", "where keys"),
        ("../../**", "where keys"),
        ("t/../../../target/**", "must be a path"),
    ] {
        let text = format!("source = \"{source}\", dest = \"/o/\"");
        let error = asset(dir.path(), &text).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(source), "{error}");
    }
}

#[test]
fn volatile_folders_and_missing_units_are_refused() {
    let dir = checkout();
    for place in ["/run", "/var/run", "/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/var/lock"] {
        let text = format!("source = \"t/a.txt\", dest = \"{place}/x\"");
        let error = asset(dir.path(), &text).unwrap_err();
        assert!(error.to_string().contains(&format!("lies in {place},")), "{error}");
    }
    let error = asset(dir.path(), "dest = \"/var/run/x\", dir = true").unwrap_err();
    assert!(error.help().unwrap().contains("d /run/x 0755 root root -"), "{error}");
    asset(dir.path(), "dest = \"/run/x\", dir = true, ghost = true").unwrap();
    asset(dir.path(), "source = \"t/a.txt\", dest = \"/runner/x\"").unwrap();

    let unit = |units: &str, file: &str| {
        let dest = format!("/usr/lib/systemd/system/{file}");
        let text = format!(
            "units = [\"{units}\"]\nassets = [{{ source = \"t/a.txt\", dest = \"{dest}\" }}]"
        );
        stage(dir.path(), &text)
    };
    unit("a.service", "a.service").unwrap();
    unit("a@b.service", "a@.service").unwrap();
    let error = unit("a.service", "b.service").unwrap_err();
    assert!(error.to_string().contains("units: a.service is named"), "{error}");
}
