//! Measures writing and verifying a large package, and the same work by rpmbuild, cargo-generate-rpm, the bare
//! compressor, and `rpm -K`.
//!
//! The content is some 17,000 files and 1 GB of this machine's /usr, the shape of Mesos with debug
//! symbols. Each program runs as a separate process, so that its time and memory can be measured.

use std::{
    ffi::OsStr,
    os::unix::fs::{MetadataExt as _, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
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
    clock::{fastest, time},
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
    let mut rows = Vec::new();
    let own = bench.own("xz", false, 2, runs)?;
    rows.push(Row::alone("el7rpm, xz level 2", own.seconds, format!("{own}")));
    bench.compressor(&own, runs, &mut rows)?;
    bench.rpmbuild("w2.xzdio", &own, runs, &mut rows)?;
    bench.rpmbuild(&format!("w2T{}.xzdio", bench.threads), &own, runs, &mut rows)?;
    bench.cargo_generate_rpm(&own, runs, &mut rows)?;
    let gzip = bench.own("gz", true, 6, runs)?;
    rows.push(Row::alone("el7rpm, gzip level 6", gzip.seconds, format!("{gzip}")));
    bench.rpmbuild("w6.gzdio", &gzip, runs, &mut rows)?;
    bench.verify(&key, &own, runs, &mut rows)?;
    Ok(rows)
}

/// The package that one of the programs wrote.
struct Made {
    path: PathBuf,
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

    /// Runs a program `runs` times and keeps the fastest run.
    fn contend(
        &self,
        runs: u16,
        out: &Path,
        mut command: impl FnMut() -> Result<Program>,
    ) -> Result<Made> {
        let mut memory = 0;
        let seconds = fastest(runs, || {
            if out.exists() {
                fs_err::remove_file(out).class(Class::Output)?;
            }
            let (took, peak) = time_and_memory(&self.path("peak"), command()?)?;
            memory = peak;
            Ok(took)
        })?;
        let size = fs_err::metadata(out).class(Class::Output)?.len();
        Ok(Made { path: out.to_owned(), seconds, size, memory })
    }

    fn own(&self, name: &str, gzip: bool, level: u32, runs: u16) -> Result<Made> {
        let out = self.path(&format!("own-{name}.rpm"));
        self.contend(runs, &out, || {
            let mut command = Program::new(std::env::current_exe().class(Class::Tool)?);
            command.arg("bench-write").arg(&self.scratch.dir).arg(&out);
            command.args(["--level", &level.to_string(), "--threads", &self.threads.to_string()]);
            if gzip {
                command.arg("--gzip");
            }
            Ok(command)
        })
    }

    /// xz on the same archive as in the package.
    fn compressor(&self, own: &Made, runs: u16, rows: &mut Vec<Row>) -> Result<()> {
        let (Some(_), Some(_)) = (on_path("rpm2archive"), on_path("xz")) else {
            rows.push(Row::missing("the bare compressor", own.seconds, "rpm2cpio or xz"));
            return Ok(());
        };
        let (cpio, out) = (self.path("bare.cpio"), self.path("bare.cpio.xz"));
        shell(&format!("rpm2cpio '{}' > '{}'", own.path.display(), cpio.display()))?;
        let made = self.contend(runs, &out, || {
            let mut command = Program::new("xz");
            command.args(["-2", "--keep", &format!("-T{}", self.threads)]).arg(&cpio);
            Ok(command)
        })?;
        rows.push(Row::against(
            "write, xz (goal: 1.08 at most)",
            own.seconds,
            "bare xz",
            &made,
            own.size,
        ));
        fs_err::remove_file(cpio).class(Class::Output)
    }

    fn rpmbuild(&self, payload: &str, own: &Made, runs: u16, rows: &mut Vec<Row>) -> Result<()> {
        let what = if payload.contains("gz") {
            "write, gzip (goal: 0.33)"
        } else {
            "write, xz (goal: 0.45)"
        };
        if on_path("rpmbuild").is_none() {
            rows.push(Row::missing(what, own.seconds, "rpmbuild"));
            return Ok(());
        }
        let spec = self.path("peer.spec");
        fs_err::write(&spec, self.peer_spec(payload)).class(Class::Output)?;
        let out = self.path("rpmbuild/RPMS/x86_64/bench-1-1.el7.x86_64.rpm");
        let made = self.contend(runs, &out, || {
            let mut command = Program::new("rpmbuild");
            let topdir = format!("_topdir {}", self.path("rpmbuild").display());
            command
                .args(["-bb", "--noprep", "--target", "x86_64", "--define", &topdir])
                .arg("--buildroot");
            command.arg(self.path("buildroot")).arg(&spec);
            Ok(command)
        })?;
        let name = format!("rpmbuild {payload}");
        rows.push(Row::against(what, own.seconds, &name, &made, own.size));
        Ok(())
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

    fn cargo_generate_rpm(&self, own: &Made, runs: u16, rows: &mut Vec<Row>) -> Result<()> {
        let what = "write, xz against their gzip";
        let Some(program) = on_path("cargo-generate-rpm") else {
            rows.push(Row::missing(what, own.seconds, "cargo-generate-rpm"));
            return Ok(());
        };
        let toml = "[package]\nname = \"bench\"\nversion = \"1.0.0\"\nlicense = \"none\"\ndescription = \"peer\"\n\
                    [package.metadata.generate-rpm]\nauto-req = \"no\"\n\
                    assets = [{ source = \"tree/**/*\", dest = \"/opt/bench/\", mode = \"644\" }]\n";
        fs_err::write(self.path("Cargo.toml"), toml).class(Class::Output)?;
        let out = self.path("cargo.rpm");
        let made = self.contend(runs, &out, || {
            let mut command = Program::new(&program);
            command
                .args(["generate-rpm", "--payload-compress", "gzip", "-o"])
                .arg(&out)
                .current_dir(&self.scratch.dir);
            Ok(command)
        })?;
        rows.push(Row::against(what, own.seconds, "cargo-generate-rpm", &made, own.size));
        Ok(())
    }

    /// Checks all digests and signatures of the same signed file.
    fn verify(&self, key: &SecretKey, own: &Made, runs: u16, rows: &mut Vec<Row>) -> Result<()> {
        let what = "verify (goal: 0.67 at most)";
        let signed = self.path("signed.rpm");
        let unsigned = UnsignedRpm::open(&own.path)?;
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

/// Runs a command under GNU time, if it is installed, for its peak memory.
fn time_and_memory(report: &Path, command: Program) -> Result<(Duration, u64)> {
    let Some(gnu_time) = on_path("time") else {
        let mut command = command;
        return Ok((time(&mut command)?, 0));
    };
    let words = ["-f", "%M", "-o"].map(OsStr::new);
    let words: Vec<_> = words.into_iter().chain([report.as_os_str()]).collect();
    let took = time(&mut command.wrapped_by(gnu_time, &words))?;
    let text = fs_err::read_to_string(report).class(Class::Tool)?;
    let kilobytes: u64 = text.trim().parse().unwrap_or(0);
    Ok((took, kilobytes * 1024))
}

fn shell(script: &str) -> Result<()> {
    time(Program::new("sh").args(["-c", script])).map(|_| ())
}

impl Row {
    fn against(what: &str, seconds: f64, name: &str, made: &Made, own_size: u64) -> Self {
        let size = 100.0 * (own_size as f64 / made.size as f64 - 1.0);
        let note = format!(
            "our file {size:+.1} %; theirs took {:.0} MB of memory",
            made.memory as f64 / 1e6
        );
        Self { what: what.into(), seconds, peer: Some((name.into(), made.seconds)), note }
    }
}
