//! Tests of unpacking, with usual archives and with hostile ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use tar::{EntryType, Header};

use super::{limits::Limits, unpack::TarFile};
use base::failure::Class;

/// A tar file that is built byte by byte.
#[derive(Clone, Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn add(self, kind: u8, name: &[u8], link: &[u8], data: &[u8]) -> Self {
        self.with(kind, name, link, data, |_| {})
    }

    fn with(
        mut self,
        kind: u8,
        name: &[u8],
        link: &[u8],
        data: &[u8],
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(EntryType::new(kind));
        header.set_size(data.len() as u64);
        header.set_mode(0o6777);
        header.set_uid(1234);
        header.set_mtime(1_000_000_000);
        change(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str) -> Self {
        self.add(b'0', name.as_bytes(), b"", b"content\n")
    }

    fn dir(self, name: &str) -> Self {
        self.add(b'5', name.as_bytes(), b"", b"")
    }

    fn link(self, name: &str, to: &str) -> Self {
        self.add(b'2', name.as_bytes(), to.as_bytes(), b"")
    }

    fn hard(self, name: &str, to: &str) -> Self {
        self.add(b'1', name.as_bytes(), to.as_bytes(), b"")
    }

    fn pax(self, key: &str, value: &[u8]) -> Self {
        // The length includes its own digits.
        let rest = key.len() + value.len() + 3;
        let length = (1..9).map(|d| rest + d).find(|l| l.to_string().len() + rest == *l).unwrap();
        let mut record = format!("{length} {key}=").into_bytes();
        record.extend_from_slice(value);
        record.push(b'\n');
        self.add(b'x', b"pax", b"", &record)
    }

    fn pax_records(self, records: &[&str]) -> Self {
        self.add(b'x', b"pax", b"", (records.join("\n") + "\n").as_bytes())
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A folder of its own for a test, with an archive and the place to unpack it to in it.
struct TestFolder(tempfile::TempDir);

impl TestFolder {
    fn new(archive: &[u8]) -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        fs_err::write(own.0.path().join("archive"), archive).unwrap();
        own
    }

    fn tar(&self) -> TarFile {
        let path = self.0.path().join("archive");
        TarFile { path, what: "it".into(), strip: true, links_out: BTreeSet::new() }
    }

    fn inside(&self) -> PathBuf {
        self.0.path().join("into")
    }

    fn unpack(&self, limits: Limits) -> Result<(), String> {
        self.tar().unpack_within(&self.inside(), limits).map(|_| ()).map_err(|failure| {
            assert_eq!(failure.class, Class::Source, "{failure}");
            failure.message.clone()
        })
    }

    /// The tree that was written. Panics if files were written outside of it.
    fn written(&self) -> BTreeMap<String, String> {
        let names = |dir: &Path| -> Vec<_> {
            let names = fs_err::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
            let mut names: Vec<_> = names.map(|n| n.into_string().unwrap()).collect();
            names.sort();
            names
        };
        let there = names(self.0.path());
        assert!(there == ["archive"] || there == ["archive", "into"], "{there:?}");
        tree(&self.inside())
    }
}

/// All files below a folder, with type, permissions, time and content.
fn tree(dir: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir).into_iter().flatten() {
        let meta = entry.metadata().unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", fs_err::read_link(entry.path()).unwrap().display())
        } else if meta.is_file() {
            let content =
                String::from_utf8_lossy(&fs_err::read(entry.path()).unwrap()).into_owned();
            format!("{:o} {content:?}", meta.mode())
        } else {
            format!("{:o}", meta.mode())
        };
        let path = entry.path().strip_prefix(dir).unwrap().to_string_lossy().into_owned();
        let time = (meta.mtime(), meta.mtime_nsec());
        out.insert(path, format!("{what} {time:?}"));
    }
    out
}

const LIMITS: Limits = Limits { entries: 50, bytes: 1 << 20 };

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(bytes).unwrap();
    xz.finish().unwrap()
}

fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
    let mut lzma = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    lzma.write_all(bytes).unwrap();
    lzma.finish().unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(bytes).unwrap();
    bz.finish().unwrap()
}

fn t() -> Tar {
    Tar::default().file("top/ok")
}

#[test]
fn hostile_archives_are_refused() {
    let cut = |mut bytes: Vec<u8>, by: usize| {
        bytes.truncate(bytes.len() - by);
        bytes
    };
    let device = |kind| t().with(kind, b"d", b"", b"", |h| h.set_device_major(1).unwrap()).end();
    let mut broken = t().file("a").end();
    broken[1024 + 3] ^= 1;
    let damaged = |at: usize| {
        let mut bytes = t().file("a").end();
        bytes[1024 + at..1024 + at + 8].copy_from_slice(b"\xff\x1b[2J9\xfe\xfd");
        if at < 148 {
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[1024..1536]);
            header.set_cksum();
            bytes[1024..1536].copy_from_slice(header.as_bytes());
        }
        bytes
    };
    let crowd = (0..60).fold(t(), |tar, n| tar.file(&format!("f{n}")));
    let sparse = t().with(b'S', b"s", b"", &[0; 512], |h| {
        let gnu = h.as_gnu_mut().unwrap();
        gnu.realsize.copy_from_slice(b"77777777777\0");
        gnu.sparse[0].offset.copy_from_slice(b"77777776777\0");
        gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
    });
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("absolute", t().file("/etc/passwd").end()),
        ("up", t().file("../x").end()),
        ("up in the middle", t().file("a/../../x").end()),
        ("a folder up", t().dir("..").end()),
        ("deep", t().pax("path", &b"n/".repeat(200)).file("x").end()),
        ("hard link into what is left out", t().file(".git/x").hard("h", ".git/x").end()),
        ("a name that steers terminals", t().file("top/\x1b]0;x\x07/../x").end()),
        ("links through each other", t().link("a", "b/..").link("b", "c/..").link("c", "..").end()),
        ("up by a pax name", t().pax("path", b"../x").file("x").end()),
        ("up by a long name", t().add(b'L', b"././@LongLink", b"", b"../x\0").file("x").end()),
        ("zero byte", t().pax("path", b"a\0b").file("x").end()),
        ("name too long", t().pax("path", &[b'n'; 300]).file("x").end()),
        ("path too long", t().pax("path", &b"n/".repeat(2000)).file("x").end()),
        ("no name", t().file("").end()),
        ("character device", device(b'3')),
        ("block device", device(b'4')),
        ("FIFO", device(b'6')),
        ("volume label", t().add(b'V', b"label", b"", b"").end()),
        ("link to /", t().link("l", "/etc").end()),
        ("link up", t().link("l", "..").end()),
        ("link up to itself", t().link("top/l", "../../into").end()),
        ("link out of the stripped folder", Tar::default().link("top/l", "../x").end()),
        ("link by way of a link", t().link("a/b", "..").link("c", "a/b/../x").end()),
        ("long link", t().add(b'K', b"././@LongLink", b"", b"../x\0").link("l", "x").end()),
        ("empty link", t().link("l", "").end()),
        ("hard link up", t().hard("h", "../../etc/passwd").end()),
        ("hard link to /", t().hard("h", "/etc/passwd").end()),
        ("hard link to nothing", t().hard("h", "none").end()),
        ("hard link to a link", t().link("l", "top/ok").hard("h", "l").end()),
        ("hard link to a folder", t().dir("d").hard("h", "d").end()),
        ("through a link", t().dir("d").link("l", "d").file("l/x").end()),
        ("a folder through a link", t().dir("d").link("l", "d").dir("l/x").end()),
        ("below a file", t().file("f").file("f/x").end()),
        ("twice", t().file("f").file("f").end()),
        ("twice in other words", t().file("f").file("./f").end()),
        ("link in place of a folder", t().dir("d").link("d", "top").end()),
        ("folder in place of a link", t().link("d", "top").dir("d").end()),
        ("sparse", sparse.end()),
        ("sparse by pax", t().pax("GNU.sparse.major", b"1").file("s").end()),
        ("endless name", t().add(b'L', b"././@LongLink", b"", &vec![b'n'; 1 << 19]).end()),
        ("too many", crowd.end()),
        ("too many folders", t().pax("path", &b"n/".repeat(60)).file("x").end()),
        ("too much", t().add(b'0', b"big", b"", &vec![0; 2 << 20]).end()),
        ("a bomb of gzip", gz(&t().add(b'0', b"big", b"", &vec![0; 2 << 20]).end())),
        ("a bomb of xz", xz(&t().add(b'0', b"big", b"", &vec![0; 2 << 20]).end())),
        ("a bomb of lzma", lzma(&t().add(b'0', b"big", b"", &vec![0; 2 << 20]).end())),
        ("lzma that wants 3 GB", [&[0x5d, 0, 0, 0, 0xc0][..], &lzma(&t().end())[5..]].concat()),
        ("a bomb after the end", xz(&[t().end(), vec![1; 2 << 20]].concat())),
        ("huge size", t().with(b'0', b"f", b"", b"", |h| h.set_size(u64::MAX / 2)).end()),
        ("pax size", t().pax("size", b"18446744073709551615").file("f").end()),
        ("cut in a file", cut(t().file("a").end(), 1024 + 300)),
        ("cut in a header", cut(t().file("a").end(), 1024 + 800)),
        ("cut gzip", cut(gz(&t().end()), 20)),
        ("cut xz", cut(xz(&t().end()), 100)),
        ("cut lzma", cut(lzma(&t().end()), 20)),
        ("cut bzip2", cut(bz2(&t().end()), 20)),
        ("wrong checksum", broken),
        ("raw bytes in a number", damaged(124)),
        ("raw bytes in the checksum", damaged(148)),
        ("names for nothing", t().add(b'L', b"././@LongLink", b"", b"x\0").end()),
        ("no entry", Tar::default().end()),
        ("an empty folder", Tar::default().dir("top").end()),
        ("an empty file", Vec::new()),
        ("a text", b"<html>404</html>".repeat(100)),
        ("a patch", b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".to_vec()),
        ("random bytes", (0..2048_u32).map(|n| ((n * n) >> 3) as u8).collect()),
        ("lzma of a text", lzma(b"text")),
        ("lzip", b"LZIP\x01....".to_vec()),
        ("zip", b"PK\x03\x04....".to_vec()),
        ("zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]),
    ];
    let mut said = String::new();
    for (what, bytes) in cases {
        let place = TestFolder::new(&bytes);
        let ended = place.unpack(LIMITS);
        let text = ended.as_ref().err().map_or("unpacked", |message| message);
        said += &format!("{what}: {text}\n");
        if ended.is_err() {
            assert_eq!(place.written(), BTreeMap::new(), "{what}");
        }
    }
    insta::assert_snapshot!(said.replace('\0', "(zero)"));
}

/// Other tar programs read records that the library passes over.
#[test]
fn pax_headers_with_two_meanings_are_refused() {
    let cases = [
        ("negative pax size", t().pax("size", b"-1").file("f").end()),
        ("pax size in words", t().pax("size", b"8 ").file("f").end()),
        ("pax size twice", t().pax_records(&["10 size=8", "10 size=0"]).file("f").end()),
        ("pax path twice", t().pax_records(&["9 path=a", "9 path=b"]).file("f").end()),
        ("empty pax path", t().pax("path", b"").file("f").end()),
        ("empty pax target", t().pax("linkpath", b"").link("l", "ok").end()),
        ("pax path of two lines", t().pax("path", b"a\nb").file("f").end()),
        ("pax path with a zero", t().pax("path", b"a\0b").file("f").end()),
        ("pax record of a wrong length", t().pax_records(&["99 path=a"]).file("f").end()),
        ("path for all", t().add(b'g', b"g", b"", b"10 path=ab\n").file("f").end()),
        ("size for all", t().add(b'g', b"g", b"", b"10 size=8\n").file("f").end()),
    ];
    for (what, bytes) in cases {
        let place = TestFolder::new(&bytes);
        assert!(place.unpack(LIMITS).is_err(), "{what}");
        assert_eq!(place.written(), BTreeMap::new(), "{what}");
    }
}

#[test]
fn usual_archives_are_unpacked() {
    let long = "n".repeat(120);
    let bytes = Tar::default()
        .add(b'g', b"pax_global_header", b"", b"11 x=abcde\n")
        .dir("./top/")
        .with(b'0', b"top/plain", b"", b"plain\n", |h| h.set_mode(0o600))
        .file("top/tool")
        .add(b'0', b"top/old/", b"", b"")
        .file("top/new/deep/file")
        .link("top/link", "new/deep/../deep")
        .link("top/dangling", "nowhere/at/all")
        .hard("top/other", "./top/plain")
        .pax("path", format!("top/{long}").as_bytes())
        .file("x")
        .add(b'L', b"././@LongLink", b"", format!("top/L{long}\0").as_bytes())
        .file("x")
        .dir("top/new")
        .end();
    let plain = TestFolder::new(&bytes);
    plain.unpack(LIMITS).unwrap();
    let text: String = plain.written().iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
    insta::assert_snapshot!(text.replace(&"n".repeat(100), "n*100"));
    let names = |place: &TestFolder| {
        let meta = |name: &str| fs_err::metadata(place.inside().join(name)).unwrap();
        (meta("plain").ino() == meta("other").ino(), meta("plain").uid())
    };
    assert_eq!(names(&plain), (true, fs_err::metadata("/proc/self").unwrap().uid()));
    for packed in [gz(&bytes), xz(&bytes), bz2(&bytes), lzma(&bytes)] {
        // Two halves that were packed separately are one file as well.
        let place = TestFolder::new(&packed);
        place.unpack(LIMITS).unwrap();
        assert_eq!(place.written(), plain.written());
    }
}

#[test]
fn files_of_version_control_are_left_out() {
    let unpacked = |tar: Tar| {
        let place = TestFolder::new(&tar.end());
        let left_out = place.tar().unpack(&place.inside()).unwrap();
        let names = place.written().into_keys().filter(|name| !name.is_empty());
        (names.collect::<Vec<_>>().join(" "), left_out.map(|path| path.display().to_string()))
    };
    for name in [".git", ".GIT", "git~1", ".git ", ".g\u{200c}it", ".hg"] {
        let path = |rest: &str| format!("top/{name}{rest}");
        let folder = t().dir(&path("")).file(&path("/config")).file(&path("/hooks/x"));
        assert_eq!(unpacked(folder), ("ok".into(), Some(path(""))));
        let deep = unpacked(t().file(&format!("top/a/{name}/config")).file("top/a/b"));
        assert_eq!(deep.0, "a a/b ok");
        assert_eq!(unpacked(t().link(&path(""), "ok")), ("ok".into(), Some(path(""))));
        assert_eq!(unpacked(t().file(&path(""))), ("ok".into(), Some(path(""))));
    }
    // A file beside the only folder prevents that its name is removed.
    assert_eq!(unpacked(t().file(".git/config")).0, "top top/ok");
    let bare = ["HEAD", "config", "objects/x", "refs/x", "hooks/x"];
    let bare = |folder: &str| bare.iter().fold(t(), |tar, f| tar.file(&format!("top/{folder}{f}")));
    let left = "HEAD objects objects/x ok refs refs/x";
    assert_eq!(unpacked(bare("")), (left.into(), Some("config".into())));
    assert_eq!(unpacked(bare("x/")).1.as_deref(), Some("x/config"));
    assert_eq!(unpacked(t().file("top/.gitignore")), (".gitignore ok".into(), None));
    let linked = TestFolder::new(&bare("").hard("top/other", "top/config").end());
    assert!(
        linked.unpack(LIMITS).unwrap_err().contains("hard link to `config`, which is left out")
    );
}

#[test]
fn archives_of_several_compressed_parts_are_unpacked() {
    let bytes = t().end();
    let (head, tail) = bytes.split_at(700);
    for packed in [[gz(head), gz(tail)], [xz(head), xz(tail)], [bz2(head), bz2(tail)]] {
        let place = TestFolder::new(&packed.concat());
        place.unpack(LIMITS).unwrap();
        assert!(place.written().contains_key("ok"));
    }
}

#[test]
fn only_one_top_folder_is_removed() {
    let names = |bytes: Vec<u8>, strip: bool| {
        let place = TestFolder::new(&bytes);
        TarFile { strip, ..place.tar() }.unpack(&place.inside()).unwrap();
        place.written().into_keys().filter(|n| !n.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(names(Tar::default().file("a/a/b").end(), true), ["a", "a/b"]);
    assert_eq!(names(Tar::default().file("./a/b").end(), false), ["a", "a/b"]);
    assert_eq!(names(Tar::default().file("a/b").file("c").end(), true), ["a", "a/b", "c"]);
    assert_eq!(names(Tar::default().file("a").end(), true), ["a"]);
}

#[test]
fn future_times_are_set_back_in_order() {
    let at = |tar: Tar, name: &str, time: u64| {
        tar.with(b'0', name.as_bytes(), b"", b"", |h| h.set_mtime(time))
    };
    let far = 100_000_000_000;
    let bytes = at(at(at(Tar::default(), "old", 5), "newest", 7), "future", far).end();
    let place = TestFolder::new(&bytes);
    place.unpack(LIMITS).unwrap();
    let time = |name: &str| fs_err::metadata(place.inside().join(name)).unwrap().mtime();
    assert_eq!(["old", "newest", "future", ""].map(time), [5, 7, 7, 7]);
}

#[test]
fn archives_are_unpacked_into_empty_folders_only() {
    let place = TestFolder::new(&t().end());
    place.unpack(LIMITS).unwrap();
    let before = place.written();
    let failure = place.tar().unpack(&place.inside()).unwrap_err();
    assert!(failure.message.contains("is not empty"), "{failure}");
    assert_eq!(place.written(), before);
}

/// Damages headers at random, with and without a correct checksum. No file may be written outside of the
/// folder, and nothing may panic.
#[test]
fn damaged_archives_write_nothing_outside_of_the_folder() {
    let base = t()
        .dir("top/d")
        .link("top/l", "d/../ok")
        .hard("top/h", "top/ok")
        .pax("path", b"top/pax/name")
        .file("x")
        .add(b'L', b"././@LongLink", b"", b"top/long/name\0")
        .file("x")
        .file("top/d/last")
        .end();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut unpacked = 0;
    for _ in 0..1500 {
        let mut bytes = base.clone();
        for _ in 0..=random(3) {
            let block = random(bytes.len() / 512) * 512;
            // Half of the time, damage the fields for names, sizes, types and targets.
            let at = block + [random(512), [0, 3, 124, 135, 156, 157, 345][random(7)]][random(2)];
            bytes[at] = [random(256) as u8, b"./\x00012567LKxS"[random(13)]][random(2)];
            if random(4) > 0 {
                let header = &mut bytes[block..block + 512];
                header[148..156].copy_from_slice(b"        ");
                let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
                header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let place = TestFolder::new(&bytes);
        unpacked += usize::from(place.unpack(LIMITS).is_ok());
        place.written();
        let into = place.inside();
        for entry in walkdir::WalkDir::new(&into).into_iter().flatten() {
            if let Ok(real) = fs_err::canonicalize(entry.path()) {
                assert!(real.starts_with(fs_err::canonicalize(&into).unwrap()), "{real:?}");
            }
        }
    }
    assert!((100..1400).contains(&unpacked), "{unpacked} of 1500 were unpacked");
}
