//! Single files and patches as parts of a source: what a build sees, what its key has, and what is refused.

use std::{os::unix::fs::MetadataExt, path::Path, process::Command};

use crate::{
    checkout::{Checkout, built, walk},
    sources::{
        fetch, fetch_fails, fetch_ok, sha256,
        web::{Web, WebAnswer},
        with,
    },
    support,
    tools::{Tools, compiled},
};

/// Keeps what a build sees below /src, by the names of the build and of the source.
const KEEP: &str = r#"
build=
for word in "$@"; do case $word in NAME=*) build=${word#NAME=} ;; esac; done
for word in "$@"; do
    case $word in
    *:/src/*)
        source=${word#*:/src/}
        mkdir -p "$DIR/seen/$build"
        rm -rf "$DIR/seen/$build/${source%%:*}"
        cp -a "${word%%:/src/*}" "$DIR/seen/$build/${source%%:*}"
        ;;
    esac
done
"#;

/// Replaces the line `from` of a text of three lines, `one`, FROM, `three`.
fn change(file: &str, from: &str, to: &str) -> String {
    format!("--- a/{file}\n+++ b/{file}\n@@ -1,3 +1,3 @@\n one\n-{from}\n+{to}\n three\n")
}

fn read(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

/// The description `boxed`, whose source has these keys, and `user`, whose build needs it.
fn boxed(source: &str) -> Checkout {
    let checkout = Checkout::empty();
    compiled(&checkout, "boxed", "");
    compiled(&checkout, "user", "needs = [\"boxed\"]");
    let path = "specs/boxed/package.toml";
    let text = read(&checkout.path(path)).replacen("path = \"src\"\n", source, 1);
    checkout.write(path, text);
    checkout.write("specs/boxed/src/file", "one\ntwo\nthree\n");
    checkout.write("specs/boxed/a.patch", change("file", "two", "zwei"));
    checkout.write("specs/boxed/b.patch", change("file", "zwei", "dos"));
    checkout
}

const BOTH: &str = "patches = [\"a.patch\", \"b.patch\"]\n";

/// Names of the steps that a run carries out.
fn run(tools: &Tools, checkout: &Checkout) -> Vec<String> {
    let text = support::ok(&mut tools.xtask(checkout, &["rpm", "--json"]));
    let events: Vec<_> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    built(&events)
}

#[test]
fn a_build_and_those_that_need_it_see_the_patched_tree() {
    if !support::have("patches", &["git", "sh"]) {
        return;
    }
    let tools = Tools::new();
    tools.write("engine", KEEP);
    let checkout = boxed(&format!("path = \"src\"\n{BOTH}"));
    let plan = checkout.ok(&["plan"]);
    for patch in ["a.patch", "b.patch"] {
        assert!(plan.contains(&format!("reads  specs/boxed/{patch}")), "{plan}");
    }
    run(&tools, &checkout);
    for build in ["boxed", "user"] {
        let file = tools.path(&format!("seen/{build}/boxed/file"));
        assert_eq!(read(&file), "one\ndos\nthree\n", "{build}");
        // make finds it newer than all else.
        let time = |file: &str| fs_err::metadata(tools.path(file)).unwrap().mtime();
        let other = time(&format!("seen/{build}/boxed/main.c"));
        assert!(time(&format!("seen/{build}/boxed/file")) > other);
    }
    // The source itself is as it was, and so is the result, until a patch changes.
    assert_eq!(read(&checkout.path("specs/boxed/src/file")), "one\ntwo\nthree\n");
    assert_eq!(run(&tools, &checkout), [""; 0]);
    checkout.write("specs/boxed/b.patch", change("file", "zwei", "due"));
    let steps = run(&tools, &checkout);
    for step in ["compile boxed", "compile user"] {
        assert!(steps.contains(&step.to_owned()), "{steps:?}");
    }
    assert_eq!(read(&tools.path("seen/user/boxed/file")), "one\ndue\nthree\n");
}

#[test]
fn a_patch_that_does_not_apply_is_named_with_source_and_hunk() {
    if !support::have("a patch that does not apply", &["git", "sh"]) {
        return;
    }
    let tools = Tools::new();
    let checkout = boxed(&format!("path = \"src\"\n{BOTH}"));
    // Two of three lines of context: what `patch` takes with fuzz.
    let more =
        "--- a/main.c\n+++ b/main.c\n@@ -1 +1 @@\n-int main() { return 0; }\n+int main() {}\n";
    let fuzzy = change("file", "zwei", "dos").replace(" three", " trois");
    checkout.write("specs/boxed/b.patch", format!("{more}{fuzzy}"));
    let (code, said) = checkout.code_and_text(&support::run(&mut tools.xtask(&checkout, &["rpm"])));
    assert_eq!(code, 4, "{said}");
    let message = "the patch specs/boxed/b.patch does not apply to the source `boxed`: file, \
                   hunk @@ -1,3 +1,3 @@";
    assert!(said.contains(message), "{said}");
    assert!(said.contains("step: compile boxed"), "{said}");
    // The same lines elsewhere in the file are as good.
    for (patch, from, to) in [("a", "two", "zwei"), ("b", "zwei", "dos")] {
        let second = change("file", from, to).replace("-1,3 +1,3", "-2,3 +2,3");
        checkout.write(&format!("specs/boxed/{patch}.patch"), second);
    }
    checkout.write("specs/boxed/src/file", "zero\nzero\none\ntwo\nthree\n");
    fetch_ok(&checkout, &["boxed", "--unpack", "tree"]);
    assert_eq!(read(&checkout.path("tree/boxed/boxed/file")), "zero\nzero\none\ndos\nthree\n");
}

#[test]
fn sources_of_every_kind_are_patched() {
    if !support::have("patches of all kinds", &["git"]) {
        return;
    }
    let text = b"one\ntwo\nthree\n";
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, "x-1/file", &text[..]).unwrap();
    let archive = tar.into_inner().unwrap();
    let (of_archive, of_file) = (sha256(&archive), sha256(text));
    let web = Web::serve(move |request, _| match request.path.as_str() {
        "/x.tar" => WebAnswer::all(&archive),
        "/file" => WebAnswer::all(text),
        _ => WebAnswer::status(404),
    });
    let repository = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@localhost"]).args(args);
        support::ok(git.current_dir(repository.path())).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    fs_err::write(repository.path().join("file"), text).unwrap();
    git(&["add", "file"]);
    git(&["commit", "--quiet", "--message", "A commit"]);
    let (url, commit) = (repository.path().display(), git(&["rev-parse", "HEAD"]));
    let one = "patches = [\"a.patch\"]\n";
    let checkout = with(&format!(
        "[source.a]\nurl = \"{}\"\nsha256 = \"{of_archive}\"\n{one}\
         [source.f]\nurl = \"{}\"\nsha256 = \"{of_file}\"\nunpack = false\n{one}\
         [source.g]\ngit = \"file://{url}\"\ncommit = \"{commit}\"\n{one}\
         [source.p]\npath = \"src\"\n{one}",
        web.url("/x.tar"),
        web.url("/file"),
    ));
    checkout.write("specs/p/src/file", text);
    checkout.write("specs/p/a.patch", change("file", "two", "zwei"));
    fetch_ok(&checkout, &["--unpack", "tree"]);
    for source in ["a", "f", "g", "p"] {
        let tree = checkout.path("tree/p").join(source);
        assert_eq!(walk(&tree), ["file"], "{source}");
        assert_eq!(read(&tree.join("file")), "one\nzwei\nthree\n", "{source}");
    }
}

/// A new file, or a link, with this content.
fn new(path: &str, mode: &str, content: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n\
         @@ -0,0 +1 @@\n+{content}\n\\ No newline at end of file\n"
    )
}

#[test]
fn patches_that_lead_out_of_the_tree_or_hold_nothing_are_refused() {
    if !support::have("hostile patches", &["git"]) {
        return;
    }
    let checkout = with("[source.p]\npath = \"src\"\npatches = [\"a.patch\", \"b.patch\"]\n");
    checkout.write("specs/p/src/file", "one\ntwo\nthree\n");
    checkout.write("outside/file", "one\ntwo\nthree\n");
    let outside = checkout.path("outside");
    let outside = outside.to_str().unwrap();
    let fine = change("file", "two", "zwei");
    let cases = [
        (new("../x", "100644", "x"), &fine, "invalid path"),
        (format!("--- /dev/null\n+++ b/{outside}/x\n@@ -0,0 +1 @@\n+x\n"), &fine, "invalid path"),
        (new("link", "120000", outside), &new("link/x", "100644", "x"), "leads out of it"),
        (new("link", "120000", "../../outside"), &fine, "leads out of it"),
        (
            new("link", "120000", outside) + &new("link/x", "100644", "x"),
            &fine,
            "beyond a symbolic link",
        ),
        (new(".git/config", "100644", "x"), &fine, "invalid path"),
        (new("sub/.hg/hgrc", "100644", "x"), &fine, "git or hg would run programs by"),
        (
            new("r/HEAD", "100644", "x")
                + &new("r/objects/x", "100644", "x")
                + &new("r/refs/x", "100644", "x")
                + &new("r/config", "100644", "x"),
            &fine,
            "git or hg would run programs by `r/config`",
        ),
        (String::new(), &fine, "No valid patches in input"),
        ("Binary files a/file and b/file differ\n".into(), &fine, "No valid patches in input"),
        (change("other", "two", "zwei"), &fine, "other: No such file"),
        (fine.clone(), &fine, "file, hunk @@ -1,3 +1,3 @@"),
    ];
    for (first, second, why) in cases {
        checkout.write("specs/p/a.patch", &first);
        checkout.write("specs/p/b.patch", second);
        let (code, said) = fetch_fails(&checkout, &["--unpack", "tree"], &[]);
        assert_eq!(code, 4, "{first}\n{said}");
        assert!(said.contains(why) && said.contains("the patch specs/p/"), "{first}\n{said}");
        assert_eq!(walk(&checkout.path("tree")), [""; 0], "{first}");
        assert_eq!(walk(&checkout.path("outside")), ["file"], "{first}");
    }
}

#[test]
fn every_form_of_patch_is_taken_and_nobodys_settings_are_heeded() {
    if !support::have("forms of patches", &["git"]) {
        return;
    }
    let checkout = with("[source.p]\npath = \"src\"\npatches = [\"a.patch\"]\n");
    checkout.write("specs/p/src/file", "one\ntwo  \nthree\n");
    checkout.write("specs/p/src/old", "text\n");
    checkout.write("specs/p/src/.gitattributes", "* text eol=crlf\nfile filter=own ident\n");
    let binary = "diff --git a/bin b/bin\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..bdc955b7b2e610ad5a72302b139a2e6cb325519a\n\
                  GIT binary patch\nliteral 2\nJcmZQz1ONa700IC2\n\nliteral 0\nHcmV?d00001\n\n";
    let patch = format!(
        "From: A <a@localhost>\nSubject: [PATCH] Words before it\n\n---\n{}\
         diff --git a/old b/new\nold mode 100644\nnew mode 100755\nsimilarity index 100%\n\
         rename from old\nrename to new\n{}{}{binary}",
        change("file", "two  ", "zwei  "),
        new("sub/script", "100755", "x"),
        new("sub/link", "120000", "../file"),
    );
    checkout.write("specs/p/a.patch", patch);
    // The tree lies in a repository, and the user has settings.
    support::ok(Command::new("git").args(["init", "--quiet"]).current_dir(checkout.dir.path()));
    let ran = checkout.path("ran");
    let settings = format!(
        "[core]\nautocrlf = true\n[apply]\nwhitespace = fix\nignoreWhitespace = change\n\
         [filter \"own\"]\nclean = touch {0} && cat\nsmudge = touch {0} && cat\n",
        ran.display()
    );
    checkout.write("home/.gitconfig", settings);
    let mut command = crate::sources::command(&checkout, &["--unpack", "tree"]);
    support::ok(command.env("HOME", checkout.path("home")).env("GIT_DIR", "/nowhere"));
    assert!(!ran.exists(), "a program of the user's settings has run");
    let tree = checkout.path("tree/p/p");
    let all = [".gitattributes", "bin", "file", "new", "sub/link", "sub/script"];
    assert_eq!(walk(&tree), all);
    assert_eq!(read(&tree.join("file")), "one\nzwei  \nthree\n");
    assert_eq!(fs_err::read_link(tree.join("sub/link")).unwrap(), Path::new("../file"));
    let mode = |file: &str| fs_err::metadata(tree.join(file)).unwrap().mode() & 0o7777;
    assert_eq!(
        [mode("new"), mode("sub/script"), mode("sub"), mode("file")],
        [0o755, 0o755, 0o755, 0o644]
    );
    let time = |file: &str| fs_err::symlink_metadata(tree.join(file)).unwrap().mtime();
    let changed = ["bin", "file", "new", "sub/link", "sub/script"].map(time);
    assert_eq!(changed, [time(".gitattributes").max(changed[0]); 5]);
}

const FIX: &str = "--- a/x\n+++ b/x\n";

#[test]
fn a_file_that_is_not_unpacked_is_pinned_checked_and_put_under_its_name() {
    let web = Web::serve(|request, _| match request.path.as_str() {
        "/d/fix.patch" => WebAnswer::all(FIX.as_bytes()),
        "/d/sorry.patch" => WebAnswer::all(b"<!DOCTYPE html>\n<p>We moved.</p>"),
        _ => WebAnswer::status(404),
    });
    let of =
        |url: &str, more: &str| with(&format!("[source.p]\nurl = \"{}\"\n{more}", web.url(url)));
    // Without the word it is taken for an archive; the message says which word.
    let checkout = of("/d/fix.patch", &format!("sha256 = \"{}\"\n", sha256(FIX.as_bytes())));
    let (code, said) = fetch_fails(&checkout, &["--unpack", "tree"], &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("help: if it is to be taken as it is, write `unpack = false`"), "{said}");

    let checkout = of("/d/fix.patch", "unpack = false\n");
    let (code, said) = fetch_fails(&checkout, &[], &[]);
    assert!(code == 4 && said.contains("the file of `p` is not pinned"), "{said}");
    fetch_ok(&checkout, &["--pin", "--unpack", "tree"]);
    assert_eq!(read(&checkout.path("tree/p/p/fix.patch")), FIX);
    assert!(read(&checkout.path("specs/p/package.toml")).contains(&sha256(FIX.as_bytes())));

    // A page in place of the file is not pinned; a file that is too large, or has another checksum, is refused.
    let text = of("/d/sorry.patch", "unpack = false\n");
    let (code, said) = fetch_fails(&text, &["--pin"], &[]);
    assert!(code == 4 && said.contains("it is a web page"), "{said}");
    let small = of("/d/fix.patch", "unpack = false\nsize = 3\n");
    assert_eq!(fetch(&small, &["--pin"]).status.code(), Some(4));
    let other = of("/d/fix.patch", &format!("unpack = false\nsha256 = \"{}\"\n", "0".repeat(64)));
    assert_eq!(fetch(&other, &[]).status.code(), Some(4));

    // A name of one's own, and a file that the user has.
    let pin =
        format!("unpack = false\nfile = \"own.diff\"\nsha256 = \"{}\"\n", sha256(FIX.as_bytes()));
    let brought = of("/none?id=1", &pin);
    brought.write("have", FIX);
    fetch_ok(&brought, &["--offline", "--source", "p=have", "--unpack", "tree"]);
    assert_eq!(walk(&brought.path("tree")), ["p/p/own.diff"]);
}

#[test]
fn a_local_folder_is_built_as_it_is() {
    if !support::have("patches of a local folder", &["git", "sh"]) {
        return;
    }
    let tools = Tools::new();
    tools.write("engine", KEEP);
    let checkout = boxed(&format!("path = \"src\"\n{BOTH}"));
    checkout.write("work/file", "one\nmine\nthree\n");
    let args = ["rpm", "--local", "boxed=work"];
    let output = support::run(&mut tools.xtask(&checkout, &args));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("is built as it is, without the patches of `boxed`"), "{said}");
    assert_eq!(read(&tools.path("seen/boxed/boxed/file")), "one\nmine\nthree\n");
}
