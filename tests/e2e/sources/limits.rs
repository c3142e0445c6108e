//! Hostile sources: a few bytes that ask for much memory, time or disk. Each is fetched by the command
//! line with a limit on memory and processor time, which git and whatever else it runs has as well.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{PACKAGE, git::GitRepository, sha256};
use crate::{checkout::Checkout, support};

/// In kB, of each process: what is mapped, not what is used.
const MEMORY: u32 = 1 << 20;
/// In seconds, of each process; a debug build on a slow machine has to do.
const SECONDS: u32 = 20;

/// Runs `fetch` within the limits, which must not be what ends it; its exit code and what it says.
fn fetch(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    run(checkout, &super::command(checkout, args))
}

fn run(checkout: &Checkout, fetch: &Command) -> (i32, String) {
    let script = format!("ulimit -v {MEMORY}; ulimit -t {SECONDS}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(fetch.get_program()).args(fetch.get_args());
    for (name, value) in fetch.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    checkout.code_and_text(&support::run(command.current_dir(checkout.dir.path())))
}

/// The expected result of fetching a source.
enum ExpectedEnd {
    Unpacked,
    /// With these words.
    Refused(&'static str),
}
use ExpectedEnd::{Refused, Unpacked};

fn check(name: &str, end: &ExpectedEnd, (code, said): (i32, String)) {
    match end {
        Unpacked => assert_eq!(code, 0, "{name}: {said}"),
        Refused(words) => assert!(code == 4 && said.contains(words), "{name}: {code} {said}"),
    }
}

/// A tar file that is packed while it is written, so that it is never whole in memory.
struct PackedTar(flate2::write::GzEncoder<Vec<u8>>);

impl PackedTar {
    fn new() -> Self {
        Self(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6)))
    }

    /// An entry of so many bytes that are zero.
    fn zeros(mut self, kind: u8, name: &str, size: u64) -> Self {
        self.head(kind, name, "", size);
        std::io::copy(&mut std::io::repeat(0).take(size.next_multiple_of(512)), &mut self.0)
            .unwrap();
        self
    }

    fn head(&mut self, kind: u8, name: &str, target: &str, size: u64) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(0o644);
        header.set_mtime(1);
        header.set_size(size);
        header.set_cksum();
        self.0.write_all(header.as_bytes()).unwrap();
    }

    /// An entry without content, whose name and target may be long.
    fn add(&mut self, kind: u8, name: &str, target: &str) {
        for (kind, text) in [(b'L', name), (b'K', target)] {
            if text.len() > 100 {
                let size = text.len() + 1;
                self.head(kind, "././@LongLink", "", size as u64);
                let mut padded = text.as_bytes().to_vec();
                padded.resize(size.next_multiple_of(512), 0);
                self.0.write_all(&padded).unwrap();
            }
        }
        self.head(kind, &name[..name.len().min(100)], &target[..target.len().min(100)], 0);
    }

    fn all(entries: impl IntoIterator<Item = (u8, String, String)>) -> Self {
        let mut own = Self::new();
        entries.into_iter().for_each(|(kind, name, target)| own.add(kind, &name, &target));
        own
    }

    fn end(mut self) -> Vec<u8> {
        self.0.write_all(&[0; 1024]).unwrap();
        self.0.finish().unwrap()
    }
}

/// Links of which each leads through the one before it, as often as a target can hold.
fn chain(links: usize) -> Vec<u8> {
    let target = |n: usize| match n {
        0 => ".".to_owned(),
        n => vec![format!("l{:03}", n - 1); 500].join("/"),
    };
    PackedTar::all((0..links).map(|n| (b'2', format!("l{n:03}"), target(n)))).end()
}

/// Many times what a packer makes of nothing, and one archive after it.
fn members(empty: &[u8], times: usize, last: &[u8]) -> Vec<u8> {
    [&empty.repeat(times), last].concat()
}

/// An archive packed by xz that says that unpacking takes 4 GB.
fn xz_for_giants(tar: &[u8]) -> Vec<u8> {
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(tar).unwrap();
    let mut xz = xz.finish().unwrap();
    // After the stream's header of 12 bytes: the block's, which ends with its checksum.
    let length = (usize::from(xz[12]) + 1) * 4 - 4;
    let header = &mut xz[12..12 + length + 4];
    let at = header.windows(2).position(|w| w == [0x21, 1]).unwrap();
    header[at + 2] = 40;
    let mut crc = flate2::Crc::new();
    crc.update(&header[..length]);
    header[length..].copy_from_slice(&crc.sum().to_le_bytes());
    xz
}

fn archives() -> Vec<(&'static str, Vec<u8>, ExpectedEnd)> {
    let none = String::new;
    let file = |n: usize| (b'0', format!("f{n}"), none());
    let plain = PackedTar::all([file(0)]).end();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(plain.as_slice()).read_to_end(&mut tar).unwrap();
    let gz = PackedTar::new().0.finish().unwrap();
    let bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    let bz2 = bz2.finish().unwrap();
    let xz = liblzma::write::XzEncoder::new(Vec::new(), 1).finish().unwrap();
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    packed.write_all(&tar).unwrap();
    let tar_bz2 = packed.finish().unwrap();
    let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packed.write_all(&tar).unwrap();
    let tar_xz = packed.finish().unwrap();
    let deep = |n: usize, part: &str, depth| (b'0', format!("{n}/{}f", part.repeat(depth)), none());
    let loops = "a/".repeat(1400);
    let hard = |n: usize| {
        (b'1', format!("h{n}"), if n == 0 { "f0".into() } else { format!("h{}", n - 1) })
    };
    let much = "far too much in it for its size";
    let many = "far too many for its size";
    vec![
        ("300 links through one another", chain(300), Unpacked),
        ("900 links through one another", chain(900), Unpacked),
        (
            "links through a loop",
            PackedTar::all((0..2000).map(|n| match n {
                0 => (b'2', "a".into(), "b/x".into()),
                1 => (b'2', "b".into(), "a/../x".into()),
                n => (b'2', format!("l{n}"), loops.clone()),
            }))
            .end(),
            Unpacked,
        ),
        (
            "long targets to nowhere",
            PackedTar::all((0..40_000).map(|n| (b'2', format!("l{n}"), "x/".repeat(1400)))).end(),
            Refused("its names take more than"),
        ),
        (
            "names of 1400 folders",
            PackedTar::all((0..700).map(|n| deep(n, "d/", 1400))).end(),
            Refused("lies in more than 128 folders"),
        ),
        (
            "names of 120 folders",
            PackedTar::all((0..8000).map(|n| deep(n, "d/", 120))).end(),
            Refused(many),
        ),
        ("empty files", PackedTar::all((0..15_000).map(file)).end(), Unpacked),
        (
            "one file again and again",
            PackedTar::all((0..1_000_000).map(|_| (b'5', "d".into(), none()))).end(),
            Refused(many),
        ),
        (
            "hard links to hard links",
            PackedTar::all([file(0)].into_iter().chain((0..5000).map(hard))).end(),
            Unpacked,
        ),
        ("a large file", PackedTar::new().zeros(b'0', "f", 1 << 30).end(), Refused(much)),
        ("a large folder", PackedTar::new().zeros(b'5', "f", 1 << 30).end(), Refused(much)),
        (
            "a large pax header",
            PackedTar::new().zeros(b'x', "f", 1 << 30).end(),
            Refused("far too long"),
        ),
        ("a large global header", PackedTar::new().zeros(b'g', "f", 1 << 30).end(), Refused(much)),
        ("a large name", PackedTar::new().zeros(b'L', "f", 1 << 30).end(), Refused("far too long")),
        (
            "global headers",
            PackedTar::all((0..400_000).map(|_| (b'g', "g".into(), none()))).end(),
            Refused(many),
        ),
        ("empty members of gzip", members(&gz, 300_000, &plain), Unpacked),
        ("empty members of bzip2", members(&bz2, 100_000, &tar_bz2), Refused("too many streams")),
        ("empty members of xz", members(&xz, 100_000, &tar_xz), Unpacked),
        ("a dictionary of 4 GB", xz_for_giants(&tar), Refused("memory")),
    ]
}

#[test]
fn hostile_archives_take_little_memory_and_time() {
    for (name, bytes, end) in archives() {
        let checkout = Checkout::empty();
        checkout.write("archive", &bytes);
        let url = format!("url = \"file://{}\"\n", checkout.path("archive").display());
        for (args, pin) in [
            (&["--unpack", "one"][..], format!("sha256 = \"{}\"\n", sha256(&bytes))),
            (&["--pin", "--unpack", "two"], String::new()),
        ] {
            let description = format!("[source.s]\n{url}{pin}{PACKAGE}");
            checkout.write("specs/p/package.toml", description);
            check(name, &end, fetch(&checkout, args));
        }
    }
}

/// `git mktree`, which is handed one tree after the other.
struct Trees {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Trees {
    fn of(repository: &GitRepository) -> Self {
        let mut command = Command::new("git");
        command.args(["mktree", "--batch", "--missing"]).current_dir(repository.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Makes a tree of these entries; its id.
    fn add(&mut self, entries: impl Iterator<Item = String>) -> String {
        let text: String = entries.map(|entry| entry + "\n").collect();
        self.input.write_all(format!("{text}\n").as_bytes()).unwrap();
        self.input.flush().unwrap();
        let mut id = String::new();
        self.output.read_line(&mut id).unwrap();
        id.trim_end().to_owned()
    }

    /// Trees of `width` entries each, which are all one tree of the next level.
    fn nested(mut self, blob: &str, width: usize, levels: usize) -> String {
        let mut entry = format!("100644 blob {blob}");
        for _ in 0..levels {
            let tree = self.add((0..width).map(|n| format!("{entry}\t{n:06}")));
            entry = format!("040000 tree {tree}");
        }
        drop(self.input);
        self.child.wait().unwrap();
        entry.rsplit(' ').next().unwrap().to_owned()
    }
}

#[test]
fn hostile_commits_take_little_memory_and_time() {
    let nested = |width, levels| {
        move |repository: &GitRepository, blob: &str| {
            Trees::of(repository).nested(blob, width, levels)
        }
    };
    // Of a file that is kept as differences from another, so that little says much.
    let large = |mode: &'static str, of: usize, times: usize| {
        move |repository: &GitRepository, _: &str| {
            let noise: Vec<u8> =
                (0..of as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            repository.write("base", &noise).write("large", &noise.repeat(times));
            let blob = repository.run(&["hash-object", "-w", "large"]);
            let base = repository.run(&["hash-object", "-w", "base"]);
            let entries =
                [format!("100644 blob {base}\tbase"), format!("{mode} blob {blob}\tlarge")];
            Trees::of(repository).add(entries.into_iter())
        }
    };
    type Make<'a> = Box<dyn Fn(&GitRepository, &str) -> String + 'a>;
    let many = "far too many for its size";
    let much = "far too much in it for its size";
    let cases: [(&str, Make<'_>, ExpectedEnd); 9] = [
        ("10^7 files of 9 objects", Box::new(nested(10, 7)), Refused(many)),
        ("10^8 files of 10 objects", Box::new(nested(10, 8)), Refused(many)),
        ("2^60 files of 60 objects", Box::new(nested(2, 60)), Refused(many)),
        ("15,000 files in one folder", Box::new(nested(15_000, 1)), Unpacked),
        (
            "1000 folders in one another",
            Box::new(nested(1, 1000)),
            Refused("in more than 128 folders"),
        ),
        ("20,000 folders in one another", Box::new(nested(1, 20_000)), Refused("error: ")),
        ("a large file of zeros", Box::new(large("100644", 1, 200 << 20)), Refused(much)),
        (
            "a large file of repetitions",
            Box::new(large("100644", 1 << 20, 300)),
            Refused("cannot be"),
        ),
        (
            "a link to a large file",
            Box::new(large("120000", 1, 20 << 20)),
            Refused("too long a path"),
        ),
    ];
    for (name, make, end) in cases {
        let repository = GitRepository::new();
        repository.write("file", b"x");
        let blob = repository.run(&["hash-object", "-w", "file"]);
        let tree = make(&repository, &blob);
        let commit = repository.run(&["commit-tree", "-m", "hostile", &tree]);
        repository.run(&["update-ref", "refs/heads/main", &commit]);
        let checkout = Checkout::empty();
        let description =
            format!("[source.s]\ngit = \"{}\"\ncommit = \"{commit}\"\n{PACKAGE}", repository.url());
        checkout.write("specs/p/package.toml", description);
        check(name, &end, fetch(&checkout, &["--unpack", "tree"]));
        let kept = fs_err::read_dir(checkout.path("cache/sources/scratch")).unwrap().count();
        assert_eq!(kept, 0, "{name} left something behind");
    }
}

/// The head of an entry of a pack: its kind and the size of its content.
fn pack_head(kind: u8, mut size: usize) -> Vec<u8> {
    let mut head = vec![kind << 4 | (size & 15) as u8];
    size >>= 4;
    while size > 0 {
        *head.last_mut().unwrap() |= 0x80;
        head.push((size & 0x7f) as u8);
        size >>= 7;
    }
    head
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A pack with more in it: a file of 16 MB, and so many that are said to be four times that file and a number. Each
/// takes some 60 bytes, and a fifth of a second.
fn with_bombs(pack: &[u8], bombs: u32) -> Vec<u8> {
    const BASE: usize = (16 << 20) - 1;
    let objects = u32::from_be_bytes(pack[8..12].try_into().unwrap());
    let mut bytes = pack[..pack.len() - 20].to_vec();
    bytes[8..12].copy_from_slice(&(objects + 1 + bombs).to_be_bytes());
    let base = bytes.len();
    bytes.extend(pack_head(3, BASE));
    bytes.extend(zlib(&vec![0; BASE]));
    for bomb in 0..bombs {
        let mut delta = [varint(BASE), varint(4 * BASE + 4)].concat();
        for _ in 0..4 {
            // Copy from the beginning, with a length of three bytes.
            delta.extend([0x80 | 0x70, 0xff, 0xff, 0xff]);
        }
        delta.push(4);
        delta.extend(bomb.to_be_bytes());
        let at = bytes.len();
        bytes.extend(pack_head(6, delta.len()));
        // How far back the base is: seven bits a byte, each but the last one less than it says.
        let mut back = at - base;
        let mut offset = vec![(back & 0x7f) as u8];
        while back > 0x7f {
            back = (back >> 7) - 1;
            offset.insert(0, 0x80 | (back & 0x7f) as u8);
        }
        bytes.extend(offset);
        bytes.extend(zlib(&delta));
    }
    bytes
}

/// What is in a pack beside the commit makes work as well.
#[test]
fn a_pack_that_takes_hours_to_unpack_is_refused() {
    let repository = GitRepository::new();
    repository.write("file", b"x");
    let blob = repository.run(&["hash-object", "-w", "file"]);
    let tree = Trees::of(&repository).add([format!("100644 blob {blob}\tfile")].into_iter());
    let commit = repository.run(&["commit-tree", "-m", "hostile", &tree]);
    repository.run(&["update-ref", "refs/heads/main", &commit]);
    let checkout = Checkout::empty();
    let ids = format!("{commit}\n{tree}\n{blob}\n");
    checkout.write("ids", ids);
    let script = "git pack-objects --stdout <\"$1/ids\" >\"$1/pack\"";
    let mut pack = Command::new("sh");
    pack.args(["-c", script, "sh"]).arg(checkout.dir.path()).current_dir(repository.path());
    support::ok(&mut pack);
    let bytes = with_bombs(&fs_err::read(checkout.path("pack")).unwrap(), 20_000);
    assert!(bytes.len() < 2 << 20);
    checkout.write("pack", bytes);
    // Its end is its SHA-1.
    let script = "set -e; sum=$(sha1sum <\"$1/pack\"); printf \"$(printf %s \"${sum%% *}\" | sed 's/../\\\\x&/g')\" >>\"$1/pack\"";
    support::ok(Command::new("bash").args(["-c", script, "bash"]).arg(checkout.dir.path()));
    // The server gives this pack, whatever it is asked for.
    let hook = format!("#!/bin/sh\ncat >/dev/null\ncat '{}'\n", checkout.path("pack").display());
    checkout.write("home/hook", hook);
    support::ok(Command::new("chmod").arg("755").arg(checkout.path("home/hook")));
    let hook = checkout.path("home/hook");
    checkout
        .write("home/.gitconfig", format!("[uploadpack]\npackObjectsHook = {}\n", hook.display()));
    let description =
        format!("[source.s]\ngit = \"{}\"\ncommit = \"{commit}\"\n{PACKAGE}", repository.url());
    checkout.write("specs/p/package.toml", description);
    let mut command = super::command(&checkout, &["--unpack", "tree"]);
    command.env("HOME", checkout.path("home"));
    let ended = run(&checkout, &command);
    check(
        "a pack of bombs",
        &Refused("takes far more processor time than its size is worth"),
        ended,
    );
}
