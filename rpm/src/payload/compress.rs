//! Compression of the payload: xz or gzip, in blocks of fixed size on several threads.
//!
//! The size of a block does not depend on the number of threads, and so the bytes do not, either. All
//! blocks are in one xz stream, because rpm 4.11 reads the first stream only.

use std::io::{self, Write};

use liblzma::{
    stream::{Check, MtStreamBuilder},
    write::XzEncoder,
};

use super::gzip::GzipEncoder;

/// How the payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The format.
    pub format: Format,
    /// 0 to 9, as of xz or gzip; larger numbers count as 9.
    pub level: u32,
    /// Number of threads. It changes the time that it takes, and not the result.
    pub threads: u32,
}

/// The formats that are written. rpm 4.11 reads bzip2 and lzma as well, which are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PAYLOADCOMPRESSOR `xz`.
    Xz,
    /// PAYLOADCOMPRESSOR `gzip`.
    Gzip,
}

impl Format {
    /// The name in PAYLOADCOMPRESSOR.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Gzip => "gzip",
        }
    }
}

impl Default for Compression {
    /// xz at level 2, as CentOS 7's own packages are.
    fn default() -> Self {
        Self { format: Format::Xz, level: 2, threads: 1 }
    }
}

/// Dictionary sizes of xz's presets in MiB (xz(1), table of presets), by level.
const DICTIONARY_MIB: [u64; 10] = [1, 1, 2, 4, 4, 8, 8, 16, 32, 64];

impl Compression {
    /// Starts compressing to `out`.
    pub(super) fn encoder<W: Write>(self, out: W) -> io::Result<Encoder<W>> {
        let level = self.level.min(9);
        Ok(match self.format {
            Format::Xz => {
                // xz's own choice is three dictionaries, 6 MiB at level 2, which costs 1.1 % of size
                // against a single block; 8 MiB cost 0.5 %. Larger ones fall out of the processor's
                // cache between the copy and the compressor, and leave threads idle at the end: one
                // block of 24 MiB takes a thread 3 s.
                let block = (3 * DICTIONARY_MIB[level as usize]).max(8) << 20;
                let stream = MtStreamBuilder::new()
                    .preset(level)
                    .block_size(block)
                    .check(Check::Crc32)
                    .threads(self.threads.max(1))
                    .encoder()?;
                Encoder::Xz(XzEncoder::new_stream(out, stream))
            }
            Format::Gzip => Encoder::Gzip(GzipEncoder::new(out, level, self.threads)?),
        })
    }
}

/// A compressor that writes to `W`.
pub(super) enum Encoder<W: Write> {
    Xz(XzEncoder<W>),
    Gzip(GzipEncoder<W>),
}

impl<W: Write> Encoder<W> {
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Xz(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Xz(encoder) => encoder.write(data),
            Self::Gzip(encoder) => encoder.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Xz(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}
