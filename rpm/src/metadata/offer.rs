//! A package as the metadata of a repository describes it.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::xml::{invalid, value};

/// Epoch, version and release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Evr {
    /// The epoch; 0 if none is stated, as in rpm.
    pub epoch: u32,
    /// The version.
    pub version: Arc<str>,
    /// The release; empty if a dependency states none.
    pub release: Arc<str>,
}

impl Evr {
    /// From the attributes `epoch`, `ver` and `rel` of an element.
    pub(super) fn of(attributes: &[(String, String)]) -> std::io::Result<Self> {
        let epoch = match value(attributes, "epoch") {
            "" => 0,
            epoch => epoch.parse().map_err(|_| invalid("an epoch is not a number"))?,
        };
        let [version, release] = ["ver", "rel"].map(|name| value(attributes, name).into());
        Ok(Self { epoch, version, release })
    }

    /// rpm's order. Two dependencies are compared without the release if one of them states none.
    fn order(&self, other: &Self, with_release: bool) -> Ordering {
        let by = |a: &str, b: &str| {
            rpm_version::Evr::new("", a, "").cmp(&rpm_version::Evr::new("", b, ""))
        };
        let order = self.epoch.cmp(&other.epoch).then_with(|| by(&self.version, &other.version));
        match with_release {
            true => order.then_with(|| by(&self.release, &other.release)),
            false => order,
        }
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Evr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other, true)
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch > 0 {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(&self.version)?;
        match &*self.release {
            "" => Ok(()),
            release => write!(f, "-{release}"),
        }
    }
}

/// How a dependency compares versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum Sense {
    Any,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Sense {
    pub(super) fn of(flags: &str) -> std::io::Result<Self> {
        Ok(match flags {
            "" => Self::Any,
            "LT" => Self::Less,
            "LE" => Self::LessOrEqual,
            "EQ" => Self::Equal,
            "GE" => Self::GreaterOrEqual,
            "GT" => Self::Greater,
            _ => return Err(invalid("a dependency compares versions in an unknown way")),
        })
    }

    fn less(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    fn equal(self) -> bool {
        matches!(self, Self::LessOrEqual | Self::Equal | Self::GreaterOrEqual)
    }

    fn greater(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// A name with a range of versions, as in Requires, Provides, Conflicts and Obsoletes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// The name, or a path.
    pub name: Arc<str>,
    /// How versions are compared with `evr`.
    pub sense: Sense,
    /// The version.
    pub evr: Evr,
}

impl Dependency {
    /// Whether some version is in both ranges, as in rpm's `rpmdsCompare`. Names are not compared.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.sense == Sense::Any || other.sense == Sense::Any {
            return true;
        }
        let with_release = !self.evr.release.is_empty() && !other.evr.release.is_empty();
        match self.evr.order(&other.evr, with_release) {
            Ordering::Less => self.sense.greater() || other.sense.less(),
            Ordering::Greater => self.sense.less() || other.sense.greater(),
            Ordering::Equal => {
                let (a, b) = (self.sense, other.sense);
                a.equal() && b.equal() || a.less() && b.less() || a.greater() && b.greater()
            }
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::spec::printable(&self.name))?;
        match self.sense {
            Sense::Any => Ok(()),
            sense => write!(f, " {} {}", sense.as_str(), self.evr),
        }
    }
}

/// A package of a repository.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name.
    pub name: Arc<str>,
    /// Epoch, version and release.
    pub evr: Evr,
    /// Architecture.
    pub arch: Arc<str>,
    /// The number of its repository. Of equal packages, the one with the lower number is taken.
    pub repository: usize,
    /// Its path in the repository.
    pub path: String,
    /// Size of the RPM in bytes.
    pub size: u64,
    /// SHA-256 of the RPM in hex.
    pub sha256: String,
    /// Provides, with its own name.
    pub provides: Vec<Dependency>,
    /// Requires, without features of rpm itself.
    pub requires: Vec<Dependency>,
    /// Conflicts.
    pub conflicts: Vec<Dependency>,
    /// Obsoletes.
    pub obsoletes: Vec<Dependency>,
    /// The paths that primary.xml lists.
    pub files: Vec<Arc<str>>,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr, self.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(text: &str) -> Dependency {
        let (sense, evr) = text.split_once(' ').unwrap_or(("", ""));
        let (epoch, rest) = evr.split_once(':').unwrap_or(("0", evr));
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        let epoch = epoch.parse().unwrap();
        let evr = Evr { epoch, version: version.into(), release: release.into() };
        Dependency { name: "x".into(), sense: Sense::of(sense).unwrap(), evr }
    }

    /// The cases of rpm's own tests (tests/rpmds.at) and of its manual on dependencies.
    #[test]
    fn ranges_overlap_as_in_rpm() {
        for (a, b, expected) in [
            ("", "EQ 1-1", true),
            ("EQ 1-1", "EQ 1-1", true),
            ("EQ 1-1", "EQ 1-2", false),
            ("EQ 1-1", "EQ 1", true),
            ("GE 1", "EQ 1-5", true),
            ("GT 1", "EQ 1-5", false),
            ("LT 1", "EQ 1-5", false),
            ("LT 2", "EQ 1-5", true),
            ("EQ 1:1", "EQ 1", false),
            ("EQ 0:1", "EQ 1", true),
            ("GT 1:0", "EQ 9", false),
            ("LT 2", "GT 1", true),
            ("LT 1", "GT 2", false),
            ("LT 1", "LT 1", true),
            ("LE 1", "GE 1", true),
            ("LT 1", "GE 1", false),
            ("GE 1.0~rc1", "EQ 1.0~rc1-1", true),
            ("GE 1.0", "EQ 1.0~rc1-1", false),
            ("GE 1.9", "EQ 1.10-1", true),
        ] {
            let (a, b) = (dependency(a), dependency(b));
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expected, expected), "{a} and {b}");
        }
    }
}
