//! For every byte of a small package's lead, signature header and header: does el7rpm refuse what rpm refuses? And
//! where it is stricter, why?

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

use el7rpm::{
    openpgp::Signer,
    read::Rpm,
    verify::{self, Required},
};

use crate::{
    fixtures::PackageFolder,
    support::{self, el7},
};

/// What each byte is combined with: its lowest bit, its highest, the one of small and capital letters, and all.
const FLIPS: [u8; 4] = [0x01, 0x20, 0x80, 0xff];

/// Where rpm accepts a flipped byte, with every check that it made of the whole package, and el7rpm does not:
/// the place, the version of rpm, the reason. Each must occur. There is no such list for the other direction:
/// el7rpm accepts nothing that one of them refuses.
const STRICTER: &[(&str, &str, &str)] = &[
    ("tag of SIZE", "4.18", NO_SIZE),
    ("tag of SIZE", "4.11.3", NO_SIZE),
    ("data of SIZE", "4.18", NO_SIZE),
    ("data of SIZE", "4.11.3", NO_SIZE),
    ("data of SHA1", "4.18", CAPITALS),
    ("data of SHA256", "4.18", CAPITALS),
    ("tag of PAYLOADSIZE", "4.18", PGP5),
    ("data of RSA", "4.18", CRITICAL),
    ("data of PGP", "4.18", CRITICAL),
    ("data of SHA256", "4.11.3", NO_SHA256),
    ("tag of SHA256", "4.11.3", NO_SHA256),
    ("tag of the region", "4.11.3", OLD_REGION),
    ("tag of PAYLOADSIZE", "4.11.3", NEGATIVE),
    ("offset of SIZE", "4.11.3", OVERLAP),
];

const NO_SIZE: &str = "rpm shows the size, and checks it never";
const CAPITALS: &str = "4.18 takes digests in capitals, 4.11.3 does not";
const PGP5: &str = "the tag becomes that of a PGP 5 signature, which 4.11.3 checks";
const CRITICAL: &str = "the issuer becomes a critical one, which 4.11.3 does not know";
const NO_SHA256: &str = "4.11.3 knows no SHA-256 of the header";
const OLD_REGION: &str = "4.11.3 reads signature headers without a region, 4.18 does not";
const NEGATIVE: &str = "4.18 takes tags below 100 and past 2^31 for damage, 4.11.3 does not";
const OVERLAP: &str = "4.18 wants the data of tags in order and apart, 4.11.3 does not";

/// rpm's answer for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// All that it says of the whole package, it says of this one.
    Accepted,
    /// It makes fewer checks, which pass: a check was taken away.
    Weaker,
    Refused,
}

/// A version of rpm that has the test key.
struct Oracle<'a> {
    version: &'static str,
    rpm: &'a (dyn Fn() -> Command + Sync),
    /// The folder that the files lie in, as that rpm sees it.
    folder: PathBuf,
}

impl Oracle<'_> {
    /// What `rpm -Kv` says of each file, by name.
    fn ask(&self, names: &[String]) -> BTreeMap<String, Vec<String>> {
        let said = support::threads::on_all(&names.chunks(400).collect::<Vec<_>>(), |some| {
            let files = some.iter().map(|name| self.folder.join(name));
            let output = support::run((self.rpm)().arg("-Kv").args(files));
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        let mut answers = BTreeMap::new();
        let mut current = None;
        for line in said.iter().flat_map(|said| said.lines()) {
            match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
                Some(file) => current = file.rsplit('/').next().map(str::to_owned),
                None => {
                    // What follows the verdict is the digest's value.
                    let check = line.trim().split(" (").next().unwrap_or_default();
                    let of = answers.entry(current.clone().unwrap_or_default());
                    of.or_insert_with(Vec::new).push(check.to_owned());
                }
            }
        }
        answers
    }

    fn verdicts(&self, whole: &str, names: &[String]) -> Vec<Verdict> {
        let good = self.ask(&[whole.to_owned()]).remove(whole).unwrap();
        assert!(good.iter().all(|line| line.ends_with(": OK")), "{good:?}");
        let answers = self.ask(names);
        let verdict = |name| match answers.get(name) {
            Some(lines) if *lines == good => Verdict::Accepted,
            Some(lines) if lines.iter().all(|l| l.ends_with(": OK")) => Verdict::Weaker,
            _ => Verdict::Refused,
        };
        names.iter().map(verdict).collect()
    }
}

#[test]
fn changed_header_bytes_are_refused_as_by_rpm() {
    let root = el7::Root::new("rpm 4.11.3's verdict on every byte");
    let has_rpm = support::have("rpm's verdict on every byte", &["rpm"]);
    let own = tempfile::tempdir().unwrap();
    let folder = match &root {
        Some(root) => root.path("packages"),
        None => own.path().to_owned(),
    };
    fs_err::create_dir_all(&folder).unwrap();
    let package = small(&folder);
    let copies = flipped(&package, &folder);
    let names: Vec<_> = copies.iter().map(|c| c.name.clone()).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let db = own.path().join("db");
    let rpm = || {
        let mut command = Command::new("rpm");
        command.env("LC_ALL", "C").arg("--dbpath").arg(&db);
        command
    };
    if has_rpm {
        support::ok(rpm().arg("--import").arg(support::public_key_file("a")));
        let oracle = Oracle { version: "4.18", rpm: &rpm, folder: folder.clone() };
        wrong.extend(compare(&copies, &oracle, &oracle.verdicts(&package.name, &names), &mut seen));
    }
    if let Some(root) = &root {
        assert!(root.import(&support::public_key_file("a")));
        let rpm = || root.rpm();
        let oracle = Oracle { version: "4.11.3", rpm: &rpm, folder: "/packages".into() };
        wrong.extend(compare(&copies, &oracle, &oracle.verdicts(&package.name, &names), &mut seen));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (place, version, _) in STRICTER {
        let asked = match *version {
            "4.18" => has_rpm,
            _ => root.is_some(),
        };
        assert!(!asked || seen.contains(&(*place, *version)), "{place}, {version}: never seen");
    }
}

fn compare(
    copies: &[Copy],
    oracle: &Oracle<'_>,
    verdicts: &[Verdict],
    seen: &mut BTreeSet<(&'static str, &'static str)>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (copy, verdict) in copies.iter().zip(verdicts) {
        let known = STRICTER
            .iter()
            .find(|(place, version, _)| copy.place == *place && oracle.version == *version);
        match (verdict, copy.fault.as_deref(), known) {
            (Verdict::Accepted, None, _) | (Verdict::Weaker | Verdict::Refused, Some(_), _) => {}
            (Verdict::Accepted, Some(_), Some((place, version, _))) => {
                seen.insert((place, version));
            }
            (verdict, fault, _) => wrong.push(format!(
                "{} ({}): rpm {}: {verdict:?}; el7rpm: {}",
                copy.name,
                copy.place,
                oracle.version,
                fault.unwrap_or("accepted")
            )),
        }
    }
    wrong
}

/// A package, and what lies where in it.
struct Whole {
    name: String,
    bytes: Vec<u8>,
    places: Vec<(Range<usize>, String)>,
}

fn small(folder: &Path) -> Whole {
    let bench = PackageFolder::new(
        r#"
[package.small]
version = "1"
arch = "noarch"
summary = "Small"
license = "none"
assets = [{ source = "a", dest = "/opt/a" }]
"#,
    );
    bench.write("a", "a\n");
    let path = bench.signed(folder).remove(0).path().to_owned();
    let rpm = Rpm::open(&path).unwrap();
    let bytes = fs_err::read(&path).unwrap();
    let places = places(&bytes, rpm.header_range());
    assert_eq!(places.last().unwrap().0.end as u64, rpm.payload_offset());
    Whole { name: path.file_name().unwrap().to_str().unwrap().to_owned(), bytes, places }
}

const TAGS: [(u32, &str); 8] = [
    (62, "the region"),
    (268, "RSA"),
    (269, "SHA1"),
    (273, "SHA256"),
    (1000, "SIZE"),
    (1002, "PGP"),
    (1004, "MD5"),
    (1007, "PAYLOADSIZE"),
];

/// Names of the parts of a file's front.
fn places(bytes: &[u8], header: Range<usize>) -> Vec<(Range<usize>, String)> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (entries, data) = (number(96 + 8), number(96 + 12));
    let index = 96 + 16;
    let store = index + 16 * entries;
    let mut places = vec![(0..96, "lead".to_owned()), (96..index, "intro".to_owned())];
    for at in (index..store).step_by(16) {
        let tag = TAGS.iter().find(|(tag, _)| *tag as usize == number(at)).unwrap().1;
        for (field, name) in ["tag", "type", "offset", "count"].iter().enumerate() {
            places.push((at + 4 * field..at + 4 * field + 4, format!("{name} of {tag}")));
        }
    }
    let mut starts: Vec<_> = (index..store)
        .step_by(16)
        .map(|at| {
            (store + number(at + 8), TAGS.iter().find(|t| t.0 as usize == number(at)).unwrap().1)
        })
        .collect();
    starts.sort_unstable();
    starts.push((store + data, "padding"));
    for pair in starts.windows(2) {
        places.push((pair[0].0..pair[1].0, format!("data of {}", pair[0].1)));
    }
    places.push((store + data..header.start, "padding".to_owned()));
    places.push((header, "header".to_owned()));
    places
}

/// A copy with one byte changed, and what el7rpm says of it.
struct Copy {
    name: String,
    place: String,
    fault: Option<String>,
}

fn flipped(whole: &Whole, folder: &Path) -> Vec<Copy> {
    let key = support::key("a");
    let flips = |(range, place): &(Range<usize>, String)| {
        let all = range.clone().flat_map(|at| FLIPS.map(|flip| (at, flip)));
        all.map(|(at, flip)| (at, flip, place.clone())).collect::<Vec<_>>()
    };
    let flips: Vec<_> = whole.places.iter().flat_map(flips).collect();
    support::threads::on_all(&flips, |(at, flip, place)| {
        let mut bytes = whole.bytes.clone();
        bytes[*at] ^= flip;
        let name = format!("{at}-{flip:02x}.rpm");
        let path = folder.join(&name);
        fs_err::write(&path, bytes).unwrap();
        let fault = match verify::verify(&path, key.certificate(), Required::AsWritten) {
            Err(e) => Some(e.to_string()),
            Ok(report) => {
                report.failures().next().map(|(check, outcome)| format!("{check} {outcome}"))
            }
        };
        Copy { name, place: place.clone(), fault }
    })
}
