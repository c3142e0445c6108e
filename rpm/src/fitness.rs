//! Finds out whether CentOS 7's rpm can install a package that is intact. Packages that were built for newer systems may
//! use features that it lacks.

use std::io::{self, BufReader, Read};

use liblzma::{read::XzDecoder, stream::Stream};
use rpm::IndexTag as T;

use crate::{Result, limits, read::Rpm, spec::printable};

/// The reasons why rpm 4.11.3 cannot install the package; empty if it can.
///
/// # Errors
/// An I/O error.
pub(crate) fn faults(rpm: &Rpm) -> Result<Vec<String>> {
    let mut faults: Vec<_> = unknown_features(rpm)
        .map(|name| format!("requires rpmlib({}), which rpm 4.11.3 does not have", printable(name)))
        .collect();
    // Without this tag, rpm assumes gzip.
    let compressor = rpm.string(T::RPMTAG_PAYLOADCOMPRESSOR).unwrap_or("gzip");
    if !limits::COMPRESSORS.contains(&compressor) {
        faults.push(format!(
            "has a payload packed with {}, which rpm 4.11.3 cannot unpack",
            printable(compressor)
        ));
    } else if matches!(compressor, "xz" | "lzma") && takes_too_much_memory(rpm)? {
        faults.push(format!(
            "has a payload that takes more than the {} MiB of memory that rpm 4.11.3 grants xz",
            limits::XZ_MEMORY >> 20
        ));
    }
    Ok(faults)
}

fn unknown_features(rpm: &Rpm) -> impl Iterator<Item = &str> {
    let requires = rpm.strings(T::RPMTAG_REQUIRENAME).into_iter();
    requires.filter_map(feature).filter(|name| !limits::FEATURES.contains(name))
}

/// The name inside `rpmlib(NAME)`.
fn feature(requirement: &str) -> Option<&str> {
    let name = requirement.strip_prefix("rpmlib(")?;
    Some(name.strip_suffix(')').unwrap_or(name))
}

/// Unpacks one byte with rpm's memory limit: the first block states the size of its dictionary.
fn takes_too_much_memory(rpm: &Rpm) -> Result<bool> {
    let stream = Stream::new_auto_decoder(limits::XZ_MEMORY, 0).map_err(io::Error::from)?;
    let mut unpacked = XzDecoder::new_stream(BufReader::new(rpm.payload()?), stream);
    match unpacked.read_exact(&mut [0; 1]) {
        Ok(()) => Ok(false),
        Err(e) => {
            let error = e.get_ref().and_then(|e| e.downcast_ref::<liblzma::stream::Error>());
            // Other errors mean that the payload is damaged, which the digests show.
            Ok(error == Some(&liblzma::stream::Error::MemLimit))
        }
    }
}
