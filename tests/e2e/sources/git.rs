//! `fetch` of commits: from real repositories, over files and HTTP, by git's own programs.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    PACKAGE, command, fetch, fetch_fails, fetch_ok,
    web::{Web, WebAnswer, git_backend},
};
use crate::{checkout::Checkout, support};

/// A repository, outside of any checkout.
pub struct GitRepository(tempfile::TempDir);

impl GitRepository {
    pub fn new() -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        own.git(&["init", "-q", "--initial-branch=main", "work"], own.0.path());
        own
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("work")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    fn git(&self, args: &[&str], dir: &Path) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=A", "-c", "user.email=a@localhost"]).args(args);
        command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_COMMITTER_DATE", "1000000000 +0100");
        support::ok(command.env("GIT_AUTHOR_DATE", "900000000 +0000")).trim_end().to_owned()
    }

    pub fn run(&self, args: &[&str]) -> String {
        self.git(args, &self.path())
    }

    pub fn write(&self, name: &str, content: &[u8]) -> &Self {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
        self
    }

    /// Commits everything; the new commit's id.
    pub fn commit(&self) -> String {
        self.run(&["add", "--all"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", "A commit"]);
        self.run(&["rev-parse", "HEAD"])
    }

    /// Commits a tree that git would never make of files.
    pub fn commit_tree(&self, entries: &[u8]) -> String {
        let file = self.0.path().join("tree");
        fs_err::write(&file, entries).unwrap();
        let file = file.to_str().unwrap();
        let tree = self.run(&["hash-object", "-t", "tree", "--literally", "-w", file]);
        let commit = self.run(&["commit-tree", "-m", "odd", &tree]);
        self.run(&["update-ref", "refs/heads/odd", &commit]);
        commit
    }
}

fn pinned(urls: &[String], commit: &str) -> Checkout {
    let checkout = Checkout::empty();
    let source = format!("[source.mesos]\ngit = {urls:?}\ncommit = \"{commit}\"\n");
    checkout.write("specs/p/package.toml", source + PACKAGE);
    checkout
}

/// Type, permissions, time and content of everything in a folder.
fn tree(dir: &Path) -> String {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        let meta = fs_err::symlink_metadata(&next).unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", fs_err::read_link(&next).unwrap().display())
        } else if meta.is_dir() {
            todo.extend(fs_err::read_dir(&next).unwrap().map(|e| e.unwrap().path()));
            String::new()
        } else {
            format!("{:?}", String::from_utf8_lossy(&fs_err::read(&next).unwrap()))
        };
        let name = next.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
        let (mode, time) = (meta.permissions().mode(), meta.mtime());
        out.push(format!("{name:?} {mode:o} {time}.{} {what}", meta.mtime_nsec()));
    }
    out.sort();
    out.join("\n")
}

#[test]
fn a_fetched_commit_has_exactly_its_tree() {
    let inner = GitRepository::new();
    inner.write("inner", b"inner").commit();
    let repository = GitRepository::new();
    repository
        .write(
            ".gitattributes",
            b"* text eol=crlf\nhidden export-ignore\nid export-subst\nbig filter=evil\n",
        )
        .write("hidden", b"hidden\n")
        .write("id", b"$Format:%H$\n")
        .write("big", b"big\n")
        .write("deep/er/file", b"line\nline\r\n")
        .write("odd\nname \u{e9}\\\"", b"\0\xff");
    repository.write(&format!("long/{}", "n".repeat(150)), b"long name");
    let tool = repository.path().join("tool");
    fs_err::write(&tool, "#!/bin/sh\n").unwrap();
    fs_err::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let link = |to: &str, at: &str| {
        fs_err::os::unix::fs::symlink(to, repository.path().join(at)).unwrap();
    };
    link("./deep//er/../er/file", "link");
    link(&"deep/../".repeat(20), "long-link");
    let from = inner.path();
    let from = from.to_str().unwrap();
    repository.run(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", from, "sub"]);
    // The user's own git would filter, convert, and run things.
    repository.run(&["-c", "core.autocrlf=false", "add", "--all"]);
    let commit = repository.commit();
    let home = tempfile::tempdir().unwrap();
    let ran = home.path().join("ran");
    let config = format!(
        "[core]\n\tautocrlf = true\n\thooksPath = {home}\n[filter \"evil\"]\n\tsmudge = sed s/big/evil/\n\
         \trequired = true\n[submodule]\n\trecurse = true\n[fetch]\n\trecurseSubmodules = true\n\
         \tfsckObjects = true\n[init]\n\ttemplateDir = {home}\n",
        home = home.path().display(),
    );
    fs_err::write(home.path().join(".gitconfig"), config).unwrap();
    let hook = home.path().join("reference-transaction");
    fs_err::write(&hook, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    fs_err::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();

    let checkout = pinned(&[repository.url()], &commit);
    let unpack = |into: &str| {
        let mut command = command(&checkout, &["--unpack", into]);
        command.env("HOME", home.path()).env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/x");
        support::ok(&mut command);
        tree(&checkout.path(into).join("p/mesos"))
    };
    let first = unpack("one");
    let shown = first.replace(&"n".repeat(150), "n*150").replace(from, "[INNER]");
    insta::assert_snapshot!("commit_tree", shown);
    assert_eq!(unpack("two"), first);
    assert!(!ran.exists(), "a hook was run");
    // The same by way of another route, in another store.
    let web = {
        let root = repository.0.path().to_owned();
        Web::serve(move |request, _| git_backend(&root, request, false))
    };
    let other = pinned(&[web.url("/work/.git")], &commit);
    fetch_ok(&other, &["--unpack", "one"]);
    assert_eq!(tree(&other.path("one/p/mesos")), first);
    let stored = |checkout: &Checkout| {
        let dir = fs_err::read_dir(checkout.path("cache/sources/commits")).unwrap();
        dir.map(|e| e.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert_eq!(stored(&other), stored(&checkout));
}

#[test]
fn one_commit_is_fetched_and_not_the_history() {
    let repository = GitRepository::new();
    let old = repository.write("file", &[b'x'; 1000]).commit();
    repository.write("file", b"new").commit();
    // Known by its id alone: no branch leads to it any more.
    repository.run(&["checkout", "-q", "--orphan", "other"]);
    repository.run(&["branch", "-D", "main"]);
    repository.write("file", b"other").commit();
    let root = repository.0.path().to_owned();
    let web = Web::serve(move |request, _| git_backend(&root, request, false));
    let checkout = pinned(&[web.url("/work/.git")], &old);
    fetch_ok(&checkout, &["--unpack", "tree"]);
    let text = fs_err::read_to_string(checkout.path("tree/p/mesos/file")).unwrap();
    assert_eq!(text.len(), 1000);
    fetch_ok(&checkout, &["--offline"]);
    let asked = web.requests().len();
    fetch_ok(&checkout, &[]);
    assert_eq!(web.requests().len(), asked);
}

#[test]
fn commits_come_from_servers_that_refuse_single_commits() {
    let repository = GitRepository::new();
    let old = repository.write("file", b"old").commit();
    repository.write("file", b"new").commit();
    let root = repository.0.path().to_owned();
    let web = Web::serve(move |request, _| git_backend(&root, request, true));
    let checkout = pinned(&[web.url("/work/.git")], &old);
    fetch_ok(&checkout, &["--unpack", "tree"]);
    assert_eq!(fs_err::read(checkout.path("tree/p/mesos/file")).unwrap(), b"old");
    let (code, message) =
        fetch_fails(&pinned(&[web.url("/work/.git")], &"1".repeat(40)), &[], &[&web.host]);
    insta::assert_snapshot!("no_such_commit_old", format!("exit code {code}\n{message}"));
}

#[test]
fn a_missing_commit_is_an_error() {
    let repository = GitRepository::new();
    let commit = repository.write("file", b"x").commit();
    repository.run(&["tag", "-a", "-m", "tag", "v1"]);
    let tag = repository.run(&["rev-parse", "v1"]);
    let blob = repository.run(&["rev-parse", "HEAD:file"]);
    let said = |urls: &[String], id: &str| {
        let checkout = pinned(urls, id);
        let (code, message) = fetch_fails(&checkout, &[], &[]);
        let message = message.replace(repository.0.path().to_str().unwrap(), "[DIR]");
        format!("exit code {code}\n{message}\n")
    };
    let none = format!("file://{}/none", repository.0.path().display());
    let all = [
        ("no such commit", said(&[none.clone(), repository.url()], &"1".repeat(40))),
        ("a tag", said(&[repository.url()], &tag)),
        ("a file", said(&[repository.url()], &blob)),
        ("no such repository", said(&[none], &commit)),
    ];
    let all: Vec<_> = all.iter().map(|(what, said)| format!("# {what}\n{said}")).collect();
    let all = all.join("\n").replace(&tag, "[TAG]").replace(&blob, "[BLOB]");
    insta::assert_snapshot!("no_such_commit", all);
}

#[test]
fn commits_with_paths_outside_of_the_tree_are_refused() {
    let repository = GitRepository::new();
    repository.write("file", b"x").commit();
    let blob = repository.run(&["rev-parse", "HEAD:file"]);
    let id: Vec<u8> =
        (0..20).map(|i| u8::from_str_radix(&blob[2 * i..2 * i + 2], 16).unwrap()).collect();
    let entry = |head: &str| [head.as_bytes(), b"\0", &id].concat();
    fs_err::os::unix::fs::symlink("/etc", repository.path().join("link")).unwrap();
    let linked = repository.commit();
    let cases = [
        repository.commit_tree(&entry("100644 ../file")),
        repository.commit_tree(&entry("100644 ..")),
        repository.commit_tree(&entry("100644 /file")),
        linked,
    ];
    let mut all = String::new();
    for commit in cases {
        let checkout = pinned(&[repository.url()], &commit);
        let (code, message) = fetch_fails(&checkout, &["--unpack", "tree"], &[]);
        all += &format!(
            "exit code {code}\n{}\n\n",
            message.replace(checkout.dir.path().to_str().unwrap(), "[ROOT]")
        );
        assert!(!checkout.path("tree").exists());
        assert!(!checkout.path("cache/sources/file").exists());
    }
    insta::assert_snapshot!("odd_trees", all);
}

/// git obeys the settings in a `.git`, also for those who only look: no tree may bring one along.
#[test]
fn no_git_folder_comes_out_of_a_commit() {
    let repository = GitRepository::new();
    repository.write("file", b"x").commit();
    let ran = repository.0.path().join("ran");
    let settings =
        format!("[core]\n\tfsmonitor = touch {}; false\n\tbare = false\n", ran.display());
    repository.write("config", settings.as_bytes()).write("HEAD", b"ref: refs/heads/main\n");
    let id = |name: &str| repository.run(&["hash-object", "-w", name]);
    let (config, head, file) = (id("config"), id("HEAD"), id("file"));
    let make = |text: String| {
        let script = format!("printf '{text}' | git mktree");
        support::ok(Command::new("sh").args(["-c", &script]).current_dir(repository.path()))
            .trim()
            .to_owned()
    };
    let refs = make(format!("100644 blob {file}\\tx\\n"));
    let settings = make(format!(
        "100644 blob {head}\\tHEAD\\n100644 blob {config}\\tconfig\\n040000 tree {refs}\\tobjects\\n040000 tree {refs}\\trefs\\n"
    ));
    for (name, kept) in [(".git", false), (".GIT", false), ("git~1", false), ("bare", true)] {
        let tree = make(format!("100644 blob {file}\\tfile\\n040000 tree {settings}\\t{name}\\n"));
        let commit = repository.run(&["commit-tree", "-m", "odd", &tree]);
        repository.run(&["update-ref", "refs/heads/odd", &commit]);
        let checkout = pinned(&[repository.url()], &commit);
        let output = fetch(&checkout, &["--unpack", "tree"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("it is left out"), "{name}: {said}");
        let tree = checkout.path("tree/p/mesos");
        assert_eq!(tree.join(name).exists(), kept, "{name}");
        assert!(tree.join("file").exists() && !tree.join(name).join("config").exists(), "{name}");
        for dir in [tree.clone(), tree.join(name)].iter().filter(|dir| dir.exists()) {
            support::run(Command::new("git").arg("status").current_dir(dir));
        }
        assert!(!ran.exists(), "{name}: a command was run");
    }
}

#[test]
fn git_replace_objects_are_ignored() {
    let repository = GitRepository::new();
    let commit = repository.write("file", b"true").commit();
    let other = repository.write("file", b"false").commit();
    repository.run(&["replace", &commit, &other]);
    let checkout = pinned(&[repository.url()], &commit);
    fetch_ok(&checkout, &["--unpack", "tree"]);
    assert_eq!(fs_err::read(checkout.path("tree/p/mesos/file")).unwrap(), b"true");
}

#[test]
fn a_supplied_repository_is_used_if_it_has_the_commit() {
    let repository = GitRepository::new();
    let old = repository.write("file", b"old").commit();
    repository.write("file", b"new").commit();
    let stranger = GitRepository::new();
    stranger.write("file", b"stranger").commit();
    let bundle = repository.0.path().join("mesos.bundle");
    let bundle = bundle.to_str().unwrap();
    repository.run(&["bundle", "create", "-q", bundle, "--all"]);
    let nowhere = ["https://nowhere.invalid/mesos.git".to_owned()];
    for path in [repository.path().to_str().unwrap(), bundle] {
        let checkout = pinned(&nowhere, &old);
        fetch_ok(
            &checkout,
            &["--offline", "--source", &format!("mesos={path}"), "--unpack", "tree"],
        );
        assert_eq!(fs_err::read(checkout.path("tree/p/mesos/file")).unwrap(), b"old");
    }
    let checkout = pinned(&nowhere, &old);
    checkout.write("folder/file", "old");
    let stranger = stranger.path();
    for (path, says) in [
        (stranger.to_str().unwrap(), "it has no commit"),
        ("folder", "does not appear to be a git repository"),
        ("none", "there is no such file"),
    ] {
        let argument = format!("mesos={path}");
        let (_, message) = fetch_fails(&checkout, &["--source", &argument], &[]);
        assert!(message.contains("error: --source mesos=") && message.contains(says), "{message}");
    }
}

#[test]
fn git_asks_nobody_for_a_password() {
    let repository = GitRepository::new();
    let commit = repository.write("file", b"x").commit();
    let root = repository.0.path().to_owned();
    let web = Web::serve(move |request, _| match request.header("authorization") {
        Some("Basic bWU6czNjcmV0") => git_backend(&root, request, false),
        _ => WebAnswer::status(401).header("WWW-Authenticate", "Basic realm=\"r\""),
    });
    let url = |user: &str| format!("http://{user}{}/work/.git", web.host);
    fetch_ok(&pinned(&[url("me:s3cret@")], &commit), &[]);
    for user in ["", "me:s3cretive@"] {
        let checkout = pinned(&[url(user)], &commit);
        let output = fetch(&checkout, &["--json"]);
        assert_eq!(output.status.code(), Some(4));
        let log = fs_err::read(checkout.path("target/xtask/logs/fetch-mesos.log")).unwrap();
        let said = [output.stdout, output.stderr, log].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("s3cret"), "{said}");
        assert!(said.contains("cannot be fetched"), "{said}");
    }
}

#[test]
fn git_hosts_that_are_down_are_unavailable() {
    let repository = GitRepository::new();
    let commit = repository.write("file", b"x").commit();
    let root = repository.0.path().to_owned();
    let web = Web::serve(move |request, before| match before {
        0 => WebAnswer::status(503),
        _ => git_backend(&root, request, false),
    });
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = [format!("http://{closed}/x.git"), "https://nowhere.invalid/x.git".into()];
    let urls = [down[0].clone(), down[1].clone(), web.url("/work/.git")];
    fetch_ok(&pinned(&urls, &commit), &[]);
    let (code, message) = fetch_fails(&pinned(&down[..1], &commit), &[], &[&closed.to_string()]);
    insta::assert_snapshot!("git_down", format!("exit code {code}\n{message}"));
    let silent = Web::serve(|_, _| WebAnswer::all(b"x").silent(0));
    let urls = ["/x.git", "/y.git"].map(|path| silent.url(path));
    let (_, message) = fetch_fails(&pinned(&urls, &commit), &["--timeout", "1"], &[&silent.host]);
    assert!(message.contains("[HOST0] cannot be reached: "), "{message}");
    assert_eq!(silent.requests().len(), 1, "{message}");
}

#[test]
fn without_git_a_commit_cannot_be_fetched() {
    let checkout = pinned(&["https://nowhere.invalid/x.git".into()], &"1".repeat(40));
    let output = support::run(command(&checkout, &[]).env("PATH", checkout.dir.path()));
    let (code, message) = checkout.code_and_text(&output);
    assert_eq!(code, 5, "{message}");
    assert!(message.contains("help: install git"), "{message}");
}
