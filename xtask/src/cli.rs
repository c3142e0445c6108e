//! The command line: commands, options, help, and errors.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

use base::failure::{Class, EXIT_CODES, Failure, Result};
use builders::container::{BuilderKind, Farm};
use pipeline::keys::{Named, Passphrase};

/// Signed RPMs and a yum repository of Mesos with Calico networking for CentOS 7.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// One JSON object a line on standard output, for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) checkout: CheckoutArgs,
}

/// Whether to print JSON. This must be known before the arguments are parsed, for their errors.
pub(crate) fn wants_json() -> bool {
    std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json")
}

impl Cli {
    /// Parses the command line. `--help` and errors end the process; with `--json` an error is returned instead.
    pub(crate) fn read(json: bool) -> Result<Self> {
        Self::read_from(std::env::args_os(), json)
    }

    /// Parses these arguments, the first of which is the program.
    pub(crate) fn read_from(words: impl IntoIterator<Item = OsString>, json: bool) -> Result<Self> {
        match Self::try_parse_from(words).and_then(Self::without_conflicts) {
            Ok(cli) => Ok(cli),
            Err(fault) if json && fault.use_stderr() => Err(unknown(&fault)),
            Err(other) => other.exit(),
        }
    }

    /// clap compares options on the same side of the command's name only, and these two may stand on either.
    fn without_conflicts(self) -> std::result::Result<Self, clap::Error> {
        let is_dot = matches!(&self.command, Command::Plan(args) if args.dot);
        let (one, other) = match (&self.checkout.root, &self.checkout.manifest_path) {
            (Some(_), Some(_)) => ("--manifest-path <FILE>", "--root <DIR>"),
            _ if is_dot && self.json => ("--dot", "--json"),
            _ => return Ok(self),
        };
        let message = format!("the argument '{one}' cannot be used with '{other}'");
        Err(Self::command().error(ErrorKind::ArgumentConflict, message))
    }
}

/// The first paragraph of clap's text is the message, the rest is the help.
fn unknown(fault: &clap::Error) -> Failure {
    let text = fault.render().to_string();
    let (message, help) = text.trim().split_once("\n\n").unwrap_or((text.trim(), ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    Failure::new(Class::Usage, message).help(help.trim())
}

#[derive(Debug, Args)]
pub(crate) struct CheckoutArgs {
    /// The checkout to work on [default: the one that the working directory is in].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// The same, named by its Cargo.toml or that of one of its crates, as for cargo.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "root")]
    pub(crate) manifest_path: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every step that `rpm` would take, with its inputs, key and state.
    Plan(PlanArgs),
    /// Fetch sources, and pin those that are not pinned yet.
    Fetch(FetchArgs),
    /// Build, sign, index and verify the RPMs (all of them, or those named).
    Rpm(RpmArgs),
    /// Check digests and signatures of an RPM, or of a whole repository.
    Verify(VerifyArgs),
    /// Choose the packages of an image of containers/, and write them to its root.lock.
    Lock(LockArgs),
    /// Make the root of a build system from its root.lock, without an engine.
    Root(ImageArgs),
    /// Unpack RPMs into a new folder, as an ordinary user, without rpm and without scriptlets.
    Unpack(UnpackArgs),
    /// Write and sign the repodata of a folder of signed RPMs.
    Index(IndexArgs),
    /// Say what is missing on this machine, and how to get it.
    Doctor,
    /// Print the JSON schema of what `--json` prints.
    Schema,
    /// Measure the main job against peers found on this machine.
    Bench(BenchArgs),
    /// Write one package, for `bench`.
    #[command(hide = true)]
    BenchWrite(BenchWriteArgs),
    /// A process of the builder `sandbox`, which this program starts by itself.
    #[command(hide = true)]
    Sandbox(SandboxArgs),
    /// Remove results of former runs that the present plan has no use for.
    Clean(CleanArgs),
}

impl Command {
    /// What it says of the key to sign with.
    pub(crate) fn key(&self) -> Option<&KeyArgs> {
        match self {
            Self::Rpm(args) => Some(&args.key),
            Self::Index(args) => Some(&args.key),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Packages to plan for, with those of the checkout that they require; all if none is named.
    pub(crate) packages: Vec<String>,
    /// The graph for Graphviz.
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Packages, folders of specs/ or sources to fetch for; all if none is named.
    pub(crate) names: Vec<String>,
    /// Write the sha256 of archives that have none into their package.toml, after checking
    /// upstream's signature where one is named.
    #[arg(long)]
    pub(crate) pin: bool,
    /// Fetch nothing from any network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Take a source from here instead of its locations: an archive, a folder or a git repository
    /// that has just what is pinned.
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = pair::<PathBuf>)]
    pub(crate) sources: Vec<(String, PathBuf)>,
    /// Unpack them as well, each into a new folder DIR/DESCRIPTION/SOURCE, to look at them.
    #[arg(long, value_name = "DIR")]
    pub(crate) unpack: Option<PathBuf>,
    /// Give up on a host that says nothing for so long [default: 30].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RpmArgs {
    /// Packages to build, with those of the checkout that they require; all if none is named. The
    /// repository then holds just these.
    pub(crate) packages: Vec<String>,
    /// Where the repository goes.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Address under which hosts will find the repository; stands in its .repo file
    /// [default: file:///srv/mesos-calico/el7].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// How many steps run at once [default: the number of cores].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Fetch nothing from any network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Say so when a program has printed nothing for so long [default: 30].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) silence: Option<u64>,
    /// Hold nothing back: build everything from pinned sources and sign it with a given key, or
    /// fail and publish nothing.
    #[arg(long, conflicts_with_all = ["local", "distcc", "no_check"])]
    pub(crate) release: bool,
    /// Build everything a second time under other circumstances, and compare.
    #[arg(long)]
    pub(crate) check_reproducible: bool,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) builder: BuilderArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct SourceArgs {
    /// Take this source from a file, folder or git repository that has the pinned content.
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = pair::<PathBuf>)]
    pub(crate) supplied: Vec<(String, PathBuf)>,
    /// Build this folder or git checkout instead of the pinned source; RPMs are marked `~local`.
    #[arg(long, value_name = "NAME=PATH", value_parser = pair::<PathBuf>)]
    pub(crate) local: Vec<(String, PathBuf)>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Compiling C and C++")]
pub(crate) struct BuilderArgs {
    /// The sandbox of this program, or a container engine [default: the sandbox, or else the engine that is there].
    #[arg(long, value_name = "BUILDER", value_parser = builder())]
    pub(crate) builder: Option<BuilderKind>,
    /// Try this base address of a repository of the builder image before those of image.toml.
    #[arg(long = "mirror", value_name = "NAME=URL", value_parser = pair::<String>)]
    pub(crate) mirrors: Vec<(String, String)>,
    /// Jobs of one compile [default: as many as cores and memory allow].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) compile_jobs: Option<u16>,
    /// Share compiling with these machines, which run distccd; in distcc's own notation.
    #[arg(long, value_name = "HOSTS")]
    pub(crate) distcc: Option<Farm>,
    /// Leave out the phases called `check`.
    #[arg(long)]
    pub(crate) no_check: bool,
    /// If a compile fails, open a shell where it did.
    #[arg(long)]
    pub(crate) shell_on_failure: bool,
    /// Do not share ccache's objects with other checkouts.
    #[arg(long, hide = true)]
    pub(crate) own_ccache: bool,
}

fn builder() -> impl TypedValueParser<Value = BuilderKind> {
    let names = PossibleValuesParser::new(BuilderKind::ALL.map(BuilderKind::name));
    let named = |name: String| BuilderKind::ALL.into_iter().find(|kind| kind.name() == name);
    names.try_map(move |name| named(name).ok_or("there is no such builder"))
}

fn pair<T: From<String>>(text: &str) -> Result<(String, T), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), T::from(value.to_owned())))
        }
        _ => Err("write it as NAME=VALUE, both of them not empty".into()),
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Signing")]
pub(crate) struct KeyArgs {
    /// Sign with this armored secret key [default: a development key made on first use].
    #[arg(long, value_name = "FILE", conflicts_with = "gpg_key")]
    pub(crate) key: Option<PathBuf>,
    /// Read the key's passphrase from this open file descriptor.
    #[arg(long, value_name = "N", requires = "key", conflicts_with = "passphrase_env")]
    pub(crate) passphrase_fd: Option<u32>,
    /// Read the key's passphrase from this environment variable.
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(crate) passphrase_env: Option<String>,
    /// Sign with this key of gpg, through its agent (for keys on cards).
    #[arg(long, value_name = "ID")]
    pub(crate) gpg_key: Option<String>,
}

impl KeyArgs {
    /// The key that the arguments name, if they name one.
    pub(crate) fn named(&self) -> Option<Named> {
        let gpg = self.gpg_key.clone().map(Named::Gpg);
        gpg.or_else(|| self.key.clone().map(Named::File))
    }

    /// Where its passphrase comes from.
    pub(crate) fn passphrase(&self) -> Passphrase {
        match (&self.passphrase_env, self.passphrase_fd) {
            (Some(name), _) => Passphrase::in_variable(name.clone()),
            (None, Some(number)) => Passphrase::behind(number),
            (None, None) => Passphrase::Terminal,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A repository or an RPM [default: dist/el7].
    pub(crate) path: Option<PathBuf>,
    /// The folder was indexed by `index`, not published by `rpm`: signatures cover its packages
    /// and metadata, and no other files need be there.
    #[arg(long)]
    pub(crate) indexed: bool,
    /// The armored public key to trust [default: the one in the repository].
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) of: ImageArgs,
    /// Write nothing; fail if the lock would change.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The folder of containers/ that has an image.toml.
    #[arg(default_value = "el7")]
    pub(crate) image: String,
    /// Try this base address of a repository before those of image.toml.
    #[arg(long = "mirror", value_name = "NAME=URL", value_parser = pair::<String>)]
    pub(crate) mirrors: Vec<(String, String)>,
    /// Fetch nothing from any network.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Give up on a host that is silent for so long [default: 30].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct UnpackArgs {
    /// The RPMs. They are unpacked in the order of their dependencies.
    #[arg(required = true)]
    pub(crate) rpms: Vec<PathBuf>,
    /// The folder to unpack into; it must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// The armored public key that must have signed all RPMs [default: signatures are not checked].
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct IndexArgs {
    /// The folder of RPMs.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(default_value = "main")]
    pub(crate) what: Benchmark,
    /// How often each thing is measured; the fastest counts [default: 5, or 2 of large ones].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) runs: Option<u16>,
    /// For `builder`: the folder of containers/ with the image.
    #[arg(long, default_value = "el7")]
    pub(crate) image: String,
}

/// The benchmarks.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Benchmark {
    /// The main job: a run with nothing to do, and one with a changed file.
    Main,
    /// Writing and verifying a package of 1 GB; takes some minutes and 6 GB of disk.
    Package,
    /// The network plugin against a bare client of etcd; needs root and etcd.
    Plugin,
    /// Making the root of a builder image, and starting a phase in it; needs its root.lock, and its packages in the store.
    Builder,
}

/// The hidden command that `bench package` times.
#[derive(Debug, Args)]
pub(crate) struct BenchWriteArgs {
    /// Folder with a package.toml.
    pub(crate) dir: PathBuf,
    /// The RPM to write.
    pub(crate) out: PathBuf,
    /// Compress with gzip instead of xz.
    #[arg(long)]
    pub(crate) gzip: bool,
    /// Compression level.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=9))]
    pub(crate) level: u32,
    /// Threads to compress with.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: u32,
}

/// The hidden command that the sandbox consists of.
#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// The file that says what to run.
    pub(crate) request: PathBuf,
    /// The number of the process that has started this one.
    #[arg(long, value_name = "PID")]
    pub(crate) parent: u32,
    /// Whether this is the first process of the new pid namespace.
    #[arg(long)]
    pub(crate) first: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Remove all results, logs and tools; keys and the repository stay.
    #[arg(long)]
    pub(crate) all: bool,
}

#[cfg(test)]
mod tests {
    use super::Cli;

    #[test]
    fn options_that_exclude_each_other_are_refused_on_either_side_of_the_command() {
        for words in [
            "--json plan --dot",
            "plan --json --dot",
            "--json --root a plan --manifest-path b",
            "--json --manifest-path b plan --root a",
            "--json plan --root a --manifest-path b",
        ] {
            let words = ["xtask"].into_iter().chain(words.split(' ')).map(Into::into);
            let failure = Cli::read_from(words, true).unwrap_err();
            assert!(failure.message.contains("cannot be used with"), "{}", failure.message);
        }
        let words = ["xtask", "--json", "--root", "a", "plan"].map(Into::into);
        assert!(Cli::read_from(words, true).is_ok());
    }
}
