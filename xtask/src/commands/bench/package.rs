//! Measures writing and verifying a large package, and the same work by rpmbuild, cargo-generate-rpm, the bare
//! compressor, and `rpm -K`.
//!
//! The content is some 17,000 files and 1 GB of this machine's /usr, the shape of Mesos with debug
//! symbols. Each program runs as a separate process, so that its time and memory can be measured.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt},
    path::{Path, PathBuf},
};

use el7rpm::{
    openpgp::{SecretKey, Signer as _},
    package::{Prepared, UnsignedRpm, WriteOptions},
    payload::{Compression, Format},
    signature,
    spec::Spec,
    stage::{Roots, StagedRoot},
};

use super::{
    BenchFolder, Row,
    clock::{fastest, time, time_and_memory},
};
use crate::cli::BenchWriteArgs;
use base::{
    events::Reporter,
    failure::{Class, Classify, Result},
    process::{Program, on_path},
    workspace::Workspace,
};
use pipeline::keys;

const BYTES: u64 = 1_000_000_000;
const FILES: usize = 17_000;
const NAME: &str = "bench";

/// Writes one package: the hidden command that the benchmark measures.
pub(super) fn write(args: &BenchWriteArgs) -> Result<()> {
    let spec = Spec::load(&args.dir.join("package.toml"), &args.dir)?;
    let package = &spec.packages[0];
    let roots = Roots::of_folder(args.dir.clone());
    let root = StagedRoot::collect(package, &roots)?;
    let format = if args.gzip { Format::Gzip } else { Format::Xz };
    let compression = Compression { format, level: args.level, threads: args.threads };
    let options = WriteOptions { compression, ..WriteOptions::default() };
    Prepared::new(package, &root, &options)?.write(&args.out)?;
    Ok(())
}

pub(super) fn measure(
    workspace: &Workspace,
    reporter: &dyn Reporter,
    runs: u16,
) -> Result<Vec<Row>> {
    let key = keys::development(workspace, reporter)?;
    let bench = PackageBench::new(workspace)?;
    let mut rows = bench.xz(runs)?;
    rows.extend(bench.gzip(runs)?);
    bench.verify(&key, runs, &mut rows)?;
    Ok(rows)
}

/// One of the programs that write the same package.
struct Contender<'a> {
    /// What is compared, with the goal.
    what: &'static str,
    name: String,
    out: PathBuf,
    /// The command, or which program is not installed.
    command: std::result::Result<Box<dyn Fn() -> Result<Program> + 'a>, &'static str>,
}

/// The package that one of the programs wrote.
struct Made {
    seconds: f64,
    size: u64,
    /// Peak memory in bytes.
    memory: u64,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} MB file, {:.0} MB of memory",
            self.size as f64 / 1e6,
            self.memory as f64 / 1e6
        )
    }
}

struct PackageBench {
    scratch: BenchFolder,
    threads: usize,
}

impl PackageBench {
    fn new(workspace: &Workspace) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let own = Self { scratch: BenchFolder::new(workspace)?, threads };
        own.copy_files()?;
        let toml = format!(
            "[package.{NAME}]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"Benchmark\"\nlicense = \"none\"\nauto-req = \"no\"\n\
             assets = [{{ source = \"tree/**\", dest = \"/opt/bench/\" }}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n"
        );
        fs_err::write(own.path("package.toml"), toml).class(Class::Output)?;
        Ok(own)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.dir.join(name)
    }

    /// Copies some of /usr into `tree`.
    fn copy_files(&self) -> Result<()> {
        let (mut bytes, mut files) = (0_u64, 0);
        for entry in walkdir::WalkDir::new("/usr").sort_by_file_name().same_file_system(true) {
            let Ok(entry) = entry else { continue };
            let (Ok(meta), Some(name)) = (entry.metadata(), entry.path().to_str()) else {
                continue;
            };
            // Not too many large files, to keep the average size. Hard links are left out, since they would be packed
            // once.
            let allowed = BYTES / FILES as u64 * (files as u64 + 500);
            if !meta.is_file() || bytes + meta.len() > allowed || meta.nlink() > 1 {
                continue;
            }
            let to = self.path("tree").join(name.trim_start_matches('/'));
            fs_err::create_dir_all(to.parent().unwrap_or(Path::new("/"))).class(Class::Output)?;
            fs_err::copy(entry.path(), &to).class(Class::Output)?;
            // Packages take no set-id files unasked.
            let mode = PermissionsExt::from_mode(meta.mode() & 0o755);
            fs_err::set_permissions(&to, mode).class(Class::Output)?;
            bytes += meta.len();
            files += 1;
            if bytes >= BYTES || files >= FILES {
                break;
            }
        }
        Ok(())
    }

    /// xz against its peers.
    fn xz(&self, runs: u16) -> Result<Vec<Row>> {
        let own = self.own("xz", false, 2);
        self.write_once(&own)?;
        let threads = format!("w2T{}.xzdio", self.threads);
        let peers = [
            self.compressor(&own.out)?,
            self.rpmbuild("w2.xzdio")?,
            self.rpmbuild(&threads)?,
            self.cargo_generate_rpm()?,
        ];
        self.contest(runs, own, peers.into())
    }

    fn gzip(&self, runs: u16) -> Result<Vec<Row>> {
        let peers = [self.rpmbuild("w6.gzdio")?];
        self.contest(runs, self.own("gzip", true, 6), peers.into())
    }

    /// Runs all programs in turns, `runs` rounds of them, and keeps the fastest run of each: a machine is faster in some
    /// minutes than in others, and programs that were measured one after the other would not be comparable.
    fn contest(&self, runs: u16, own: Contender, peers: Vec<Contender>) -> Result<Vec<Row>> {
        let all: Vec<_> = [own].into_iter().chain(peers).collect();
        let mut made: Vec<Option<Made>> = all.iter().map(|_| None).collect();
        for _ in 0..runs {
            for (contender, best) in all.iter().zip(&mut made) {
                let Some(now) = self.one_run(contender)? else { continue };
                if best.as_ref().is_none_or(|best| now.seconds < best.seconds) {
                    *best = Some(now);
                }
            }
        }
        let mut rows = Vec::new();
        let Some(Some(own)) = made.first() else { return Ok(rows) };
        rows.push(Row::alone(all[0].what, own.seconds, format!("{own}")));
        for (contender, made) in all.iter().zip(&made).skip(1) {
            rows.push(match (made, &contender.command) {
                (Some(made), _) => Row::against(contender, own, made),
                (None, Err(missing)) => Row::missing(contender.what, own.seconds, missing),
                (None, Ok(_)) => continue,
            });
        }
        Ok(rows)
    }

    fn one_run(&self, contender: &Contender) -> Result<Option<Made>> {
        let Ok(command) = &contender.command else { return Ok(None) };
        if contender.out.exists() {
            fs_err::remove_file(&contender.out).class(Class::Output)?;
        }
        let (took, memory) = time_and_memory(&self.path("peak"), command()?)?;
        let size = fs_err::metadata(&contender.out).class(Class::Output)?.len();
        Ok(Some(Made { seconds: took.as_secs_f64(), size, memory }))
    }

    /// Writes a package that others need as their input.
    fn write_once(&self, own: &Contender) -> Result<()> {
        self.one_run(own).map(|_| ())
    }

    fn own(&self, format: &str, gzip: bool, level: u32) -> Contender<'_> {
        let out = self.path(&format!("own-{format}.rpm"));
        let to = out.clone();
        let command = move || {
            let mut command = Program::new(std::env::current_exe().class(Class::Tool)?);
            command.arg("bench-write").arg(&self.scratch.dir).arg(&to);
            command.args(["--level", &level.to_string(), "--threads", &self.threads.to_string()]);
            if gzip {
                command.arg("--gzip");
            }
            Ok(command)
        };
        let what = if gzip { "el7rpm, gzip level 6" } else { "el7rpm, xz level 2" };
        Contender { what, name: "el7rpm".into(), out, command: Ok(Box::new(command)) }
    }

    /// xz on the same archive as in the package.
    fn compressor(&self, package: &Path) -> Result<Contender<'_>> {
        let cpio = self.path("bare.cpio");
        let out = self.path("bare.cpio.xz");
        let (what, name) = ("write, xz (goal: 1.08 at most)", "bare xz".to_owned());
        let (Some(_), Some(_)) = (on_path("rpm2archive"), on_path("xz")) else {
            return Ok(Contender { what, name, out, command: Err("rpm2cpio or xz") });
        };
        shell(&format!("rpm2cpio '{}' > '{}'", package.display(), cpio.display()))?;
        let command = move || {
            let mut command = Program::new("xz");
            command.args(["-2", "--keep", &format!("-T{}", self.threads)]).arg(&cpio);
            Ok(command)
        };
        Ok(Contender { what, name, out, command: Ok(Box::new(command)) })
    }

    fn rpmbuild(&self, payload: &str) -> Result<Contender<'_>> {
        let gzip = payload.contains("gz");
        let what = if gzip { "write, gzip (goal: 0.33)" } else { "write, xz (goal: 0.45)" };
        let name = format!("rpmbuild {payload}");
        let out = self.path("rpmbuild/RPMS/x86_64/bench-1-1.el7.x86_64.rpm");
        if on_path("rpmbuild").is_none() {
            return Ok(Contender { what, name, out, command: Err("rpmbuild") });
        }
        let spec = self.path(&format!("peer-{payload}.spec"));
        fs_err::write(&spec, self.peer_spec(payload)).class(Class::Output)?;
        let command = move || {
            let mut command = Program::new("rpmbuild");
            let topdir = format!("_topdir {}", self.path("rpmbuild").display());
            command
                .args(["-bb", "--noprep", "--target", "x86_64", "--define", &topdir])
                .arg("--buildroot");
            command.arg(self.path("buildroot")).arg(&spec);
            Ok(command)
        };
        Ok(Contender { what, name, out, command: Ok(Box::new(command)) })
    }

    /// The same files, without rpmbuild's search for dependencies: only writing is compared.
    fn peer_spec(&self, payload: &str) -> String {
        format!(
            "%global _binary_payload {payload}\n%global __os_install_post %{{nil}}\n%global debug_package %{{nil}}\n\
             %global _build_id_links none\n%global __spec_install_pre %{{nil}}\n\
             Name: {NAME}\nVersion: 1\nRelease: 1.el7\nSummary: peer\nLicense: none\nAutoReqProv: no\n%description\npeer\n\
             %install\nrm -rf %{{buildroot}}\nmkdir -p %{{buildroot}}/opt\ncp -al '{}' %{{buildroot}}/opt/bench\n\
             %clean\n%files\n/opt/bench\n",
            self.path("tree").display()
        )
    }

    fn cargo_generate_rpm(&self) -> Result<Contender<'_>> {
        let (what, name) = ("write, xz against their gzip", "cargo-generate-rpm".to_owned());
        let out = self.path("cargo.rpm");
        let Some(program) = on_path("cargo-generate-rpm") else {
            return Ok(Contender { what, name, out, command: Err("cargo-generate-rpm") });
        };
        let toml = "[package]\nname = \"bench\"\nversion = \"1.0.0\"\nlicense = \"none\"\ndescription = \"peer\"\n\
                    [package.metadata.generate-rpm]\nauto-req = \"no\"\n\
                    assets = [{ source = \"tree/**/*\", dest = \"/opt/bench/\", mode = \"644\" }]\n";
        fs_err::write(self.path("Cargo.toml"), toml).class(Class::Output)?;
        let to = out.clone();
        let command = move || {
            let mut command = Program::new(&program);
            command
                .args(["generate-rpm", "--payload-compress", "gzip", "-o"])
                .arg(&to)
                .current_dir(&self.scratch.dir);
            Ok(command)
        };
        Ok(Contender { what, name, out, command: Ok(Box::new(command)) })
    }

    /// Checks all digests and signatures of the same signed file.
    fn verify(&self, key: &SecretKey, runs: u16, rows: &mut Vec<Row>) -> Result<()> {
        let what = "verify (goal: 0.67 at most)";
        let signed = self.path("signed.rpm");
        let unsigned = UnsignedRpm::open(&self.path("own-xz.rpm"))?;
        signature::sign(&unsigned, key, &signed)?;
        let public = self.path("key.asc");
        fs_err::write(&public, key.certificate().to_armored()?).class(Class::Output)?;
        let ours = fastest(runs, || {
            let mut command = Program::new(std::env::current_exe().class(Class::Tool)?);
            time(command.args(["verify", "--public-key"]).arg(&public).arg(&signed))
        })?;
        if on_path("rpm").is_none() {
            rows.push(Row::missing(what, ours, "rpm"));
            return Ok(());
        }
        let db = self.path("db");
        time(Program::new("rpm").arg("--dbpath").arg(&db).arg("--import").arg(&public))?;
        let theirs = fastest(runs, || {
            time(Program::new("rpm").arg("--dbpath").arg(&db).arg("-K").arg(&signed))
        })?;
        rows.push(Row {
            what: what.into(),
            seconds: ours,
            peer: Some(("rpm -K".into(), theirs)),
            note: String::new(),
        });
        Ok(())
    }
}

fn shell(script: &str) -> Result<()> {
    time(Program::new("sh").args(["-c", script])).map(|_| ())
}

impl Row {
    fn against(contender: &Contender, own: &Made, made: &Made) -> Self {
        let size = 100.0 * (own.size as f64 / made.size as f64 - 1.0);
        let note = format!(
            "our file {size:+.1} %; theirs took {:.0} MB of memory",
            made.memory as f64 / 1e6
        );
        let peer = Some((contender.name.clone(), made.seconds));
        Self { what: contender.what.into(), seconds: own.seconds, peer, note }
    }
}
