//! Fetches one commit of a git repository, with as little history as the server allows, and stores its tree as a tar
//! file.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use el7rpm::spec::Source;

use super::{
    Fetcher, address,
    export::{export, unusable},
    git::Git,
    hosts::{LocationProblem, TRIES},
    limits::{Limits, processor_time, size_of},
    reach,
    store::{StoreEntry, sha256_of},
    supplied,
    survey::{LEADS_OUT, LINKS_OUT_HELP, Layout},
    tried::Tried,
};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
    process::{Allowance, Process},
};

/// Returns the path of the commit's tree in the store. Fetches it if it is not there.
pub(super) fn fetch(
    fetcher: &Fetcher<'_>,
    source: &Source,
    urls: &[String],
    id: &str,
    step: &str,
) -> Result<PathBuf, Trouble> {
    let entry = fetcher.store.lock(id, fetcher.reporter)?;
    if let Some((path, sha256)) = fetcher.store.find_commit(id) {
        if sha256_of(&path)?.is_some_and(|found| found == sha256) {
            return Ok(path);
        }
        let message = format!("{} was damaged; it is fetched again", path.display());
        fetcher.reporter.event(&Event::Note { message: &message });
        fs_err::remove_file(&path).class(Class::Output)?;
    }
    let git = Git::find().map_err(Trouble::Unavailable)?;
    let fetch = CommitFetch { fetcher, source, git: &git, id, entry: &entry, step };
    match fetcher.supplied.get(&source.name) {
        Some(path) => fetch.take_supplied(path)?,
        None => fetch.any(urls)?,
    }
    let tar = entry.scratch()?.join("tree.tar");
    export(&git, source, &fetch.repository(), id, &tar)?;
    check(source, &tar)?;
    let sha256 = sha256_of(&tar)?.unwrap_or_default();
    let path = fetcher.store.commit(id, &sha256);
    fetcher.store.keep(&tar, &path)?;
    Ok(path)
}

struct CommitFetch<'a> {
    fetcher: &'a Fetcher<'a>,
    source: &'a Source,
    git: &'a Git,
    id: &'a str,
    entry: &'a StoreEntry,
    step: &'a str,
}

impl CommitFetch<'_> {
    fn repository(&self) -> PathBuf {
        self.entry.scratch.join("repository")
    }

    /// Fetches from a repository that the user brings.
    fn take_supplied(&self, path: &Path) -> Result<()> {
        if !path.exists() {
            return Err(supplied::missing(self.source, path));
        }
        let path = fs_err::canonicalize(path).class(Class::Source)?;
        self.start(&path.to_string_lossy())?;
        let fetched = self.fetch_from("file")?;
        fetched.map_err(|problem| supplied::refused(self.source, &path, &problem.text()))
    }

    /// Fetches from the locations, one after the other.
    fn any(&self, urls: &[String]) -> Result<(), Trouble> {
        let mut tried = Tried::new(self.source);
        tried.log = Some(self.log());
        for url in urls {
            match self.location(url)? {
                Ok(()) => return Ok(()),
                Err(problem) => tried.add(url, problem),
            }
        }
        Err(tried.trouble())
    }

    fn location(&self, url: &str) -> Result<Result<(), LocationProblem>> {
        if let Some(problem) = self.fetcher.may_not_ask(url) {
            return Ok(Err(problem));
        }
        if let Err(problem) = reach::probe(self.fetcher, self.git, url) {
            return Ok(Err(problem));
        }
        for tries in 1..=TRIES {
            self.start(url)?;
            let why = match self.fetch_from(url)? {
                Err(LocationProblem::Broken { why, .. }) => why,
                Err(LocationProblem::Unreachable { host, why }) => {
                    self.fetcher.hosts.add_unreachable(&host, &why);
                    return Ok(Err(LocationProblem::Unreachable { host, why }));
                }
                ended => return Ok(ended),
            };
            if tries == TRIES {
                return Ok(Err(LocationProblem::Refused(why)));
            }
            self.report_line(&format!("{}: {why}; trying again", address::shown(url)));
            self.fetcher.patience.pause(tries);
        }
        Ok(Err(LocationProblem::Refused("it gave nothing".into())))
    }

    /// Makes an empty repository with a remote. Addresses are in its settings,
    /// and not in arguments, which every user of the machine can see.
    fn start(&self, url: &str) -> Result<()> {
        let repository = self.repository();
        if repository.exists() {
            fs_err::remove_dir_all(&repository).class(Class::Output)?;
        }
        let dir = self.entry.scratch()?;
        self.git.read(dir, ["init", "--quiet", "--bare", "--template=", "repository"])?;
        let (plain, user) = address::without_password(url);
        let mut text = format!("[remote \"origin\"]\n\turl = {}\n", quoted(&plain));
        if let (Some(user), true) = (&user, url.starts_with("http")) {
            let file = dir.join("credentials");
            let scheme = url.split("://").next().unwrap_or_default();
            let host = address::host(url).unwrap_or_default();
            private(&file, &format!("{scheme}://{user}@{host}\n"))?;
            let helper = quoted(&format!("store --file='{}'", file.display()));
            // The empty value removes those of the user's settings.
            text += &format!("[credential]\n\thelper =\n\thelper = {helper}\n");
        }
        if url.starts_with("http://") {
            text += "[protocol \"http\"]\n\tallow = always\n";
        }
        let silence = self.fetcher.patience.silence.as_secs().max(1);
        text += &format!("[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = {silence}\n");
        let mut options = fs_err::OpenOptions::new();
        let config = options.append(true).open(repository.join("config"));
        config.and_then(|mut c| c.write_all(text.as_bytes())).class(Class::Output)
    }

    /// Fetches the commit alone; or all branches and tags, if the server does not allow fetching single
    /// commits.
    fn fetch_from(&self, url: &str) -> Result<Result<(), LocationProblem>> {
        let shallow = self.run(&["--depth=1", "origin", self.id]);
        let refused = match shallow {
            Ok(()) => return self.has_commit(),
            Err(failure) => failure,
        };
        let problem = problem_of(&refused, url);
        if !wants_all(&refused) {
            return Ok(Err(problem));
        }
        self.report_line("the server gives no single commit; fetching all branches and tags");
        let all = ["origin", "+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"];
        match self.run(&all) {
            Ok(()) => self.has_commit(),
            Err(failure) => Ok(Err(problem_of(&failure, url))),
        }
    }

    fn run(&self, what: &[&str]) -> Result<()> {
        let fetch = ["fetch", "--progress", "--no-tags", "--no-recurse-submodules"];
        let mut program = self.git.command(&self.repository(), fetch.iter().chain(what));
        program.envs(reach::ssh(self.git, &self.repository(), self.fetcher.patience));
        let process = Process {
            program,
            workspace: self.fetcher.workspace,
            log: self.log_name(),
            class: Class::Source,
            step: self.step,
            reporter: self.fetcher.reporter,
            probe: None,
        };
        let objects = self.repository().join("objects");
        // Not what a repository on this machine takes to hand it over.
        let counts = |line: &str| {
            ["index-pack", "unpack-objects", "rev-list"].iter().any(|word| line.contains(word))
        };
        let allowance = Allowance { time: &|| processor_time(size_of(&objects)), counts };
        process.run_within(&allowance)
    }

    /// The log with git's output.
    fn log(&self) -> PathBuf {
        self.fetcher.workspace.logs().join(self.log_name())
    }

    fn log_name(&self) -> String {
        format!("fetch-{}.log", self.source.name)
    }

    /// Whether the object exists now, and is a commit.
    fn has_commit(&self) -> Result<Result<(), LocationProblem>> {
        let object = format!("{}^{{commit}}", self.id);
        let found =
            self.git.read(&self.repository(), ["rev-parse", "--quiet", "--verify", &object]);
        Ok(match found {
            Ok(found) if found.trim_ascii() == self.id.as_bytes() => Ok(()),
            Ok(_) => Err(LocationProblem::Wrong(format!("{} is a tag, not a commit", self.id))),
            Err(_) => Err(LocationProblem::Wrong(format!("it has no commit {}", self.id))),
        })
    }

    fn report_line(&self, line: &str) {
        self.fetcher.reporter.event(&Event::StepOutput { step: self.step, line });
    }
}

/// Quotes a value for git's settings.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: &str) -> Result<()> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    let mut options = fs_err::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut f| f.write_all(text.as_bytes())).class(Class::Output)
}

fn mentions(failure: &Failure, words: &[&str]) -> bool {
    failure.last_lines.iter().any(|line| words.iter().any(|w| line.contains(w)))
}

/// Whether the server does not allow fetching a single commit, and may have it in a branch.
fn wants_all(failure: &Failure) -> bool {
    let words =
        ["not our ref", "unadvertised object", "shallow", "not valid", "find remote ref", "bundle"];
    mentions(failure, &words)
}

/// The problem behind a failed fetch. git reports it as text only.
fn problem_of(failure: &Failure, url: &str) -> LocationProblem {
    let unreachable = [
        "Could not resolve",
        "Couldn't resolve",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Failed to connect",
        "Couldn't connect",
        "Connection refused",
        "onnection timed out",
        "Operation timed out",
        "Operation too slow",
        "No route to host",
        "Network is unreachable",
    ];
    let passing = [
        "early EOF",
        "RPC failed",
        "returned error: 5",
        "returned error: 429",
        "unexpected disconnect",
        "Connection reset",
        "Empty reply",
    ];
    // The first error is the cause; the others are its consequences.
    let fatal = failure.last_lines.iter().find(|l| l.contains("fatal:"));
    let why = fatal.or(failure.last_lines.last()).cloned().unwrap_or_default();
    let why = why.trim_start_matches("fatal: ").to_owned();
    match address::host(url) {
        Some(host) if mentions(failure, &unreachable) => LocationProblem::Unreachable { host, why },
        _ if mentions(failure, &passing) => LocationProblem::broken(why),
        _ => LocationProblem::Refused(why),
    }
}

/// Checks that the tree can be unpacked, before it goes into the store.
fn check(source: &Source, tar: &Path) -> Result<()> {
    let file = fs_err::File::open(tar).class(Class::Output)?;
    let size = file.metadata().class(Class::Output)?.len();
    let reader = std::io::BufReader::new(file);
    let layout = Layout::of(reader, Limits::for_size(size), false, &source.links_out);
    layout.map(|_| ()).map_err(|refusal| match refusal.0.contains(LEADS_OUT) {
        true => unusable(source, &refusal.0).help(LINKS_OUT_HELP),
        false => unusable(source, &refusal.0),
    })
}
