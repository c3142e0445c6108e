//! Decompresses a payload while it is read, in all formats of rpm: gzip, bzip2, lzma, xz, zstd, and not compressed.
//!
//! Like rpm, it reads all members of gzip and all frames of zstd; of the other formats it reads the first stream.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::{bufread::XzDecoder, stream::Stream};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limits;

/// Reads as the archive in a payload.
pub(crate) enum Decoder<R: BufRead> {
    /// Not compressed. PAYLOADCOMPRESSOR says `gzip` then as well, and rpm looks at the first bytes.
    Plain(R),
    /// `gzip`, or no PAYLOADCOMPRESSOR.
    Gzip(MultiGzDecoder<R>),
    /// `bzip2`.
    Bzip2(BzDecoder<R>),
    /// `xz` and `lzma`.
    Xz(XzDecoder<R>),
    /// `zstd`, which CentOS 7 does not know.
    Zstd(Box<Frames<R>>),
}

impl<R: BufRead> Decoder<R> {
    /// Decompresses `payload` as PAYLOADCOMPRESSOR says.
    ///
    /// # Errors
    /// `InvalidData` for another one, or an I/O error.
    pub(crate) fn new(compressor: &str, mut payload: R) -> io::Result<Self> {
        Ok(match compressor {
            "gzip" if !payload.fill_buf()?.starts_with(&[0x1f]) => Self::Plain(payload),
            "gzip" => Self::Gzip(MultiGzDecoder::new(payload)),
            "bzip2" => Self::Bzip2(BzDecoder::new(payload)),
            "xz" | "lzma" => {
                let stream = Stream::new_auto_decoder(limits::XZ_MEMORY, 0)?;
                Self::Xz(XzDecoder::new_stream(payload, stream))
            }
            "zstd" => Self::Zstd(Box::new(Frames::new(payload))),
            other => {
                let other = crate::spec::printable(other);
                let message = format!("it is compressed with {other}, which is not supported");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        })
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.read(buffer),
            Self::Gzip(inner) => inner.read(buffer),
            Self::Bzip2(inner) => inner.read(buffer),
            Self::Xz(inner) => inner.read(buffer),
            Self::Zstd(inner) => inner.read(buffer),
        }
    }
}

/// Consecutive frames of zstd. The decoder limits the window of each to 128 MiB.
pub(crate) struct Frames<R> {
    payload: R,
    decoder: FrameDecoder,
    is_open: bool,
    /// Whether the current frame has had content. Many frames without content are an attack.
    has_content: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(payload: R) -> Self {
        Self { payload, decoder: FrameDecoder::new(), is_open: false, has_content: true }
    }

    /// Starts the next frame; `false` at the end of the payload.
    fn next(&mut self) -> io::Result<bool> {
        if self.payload.fill_buf()?.is_empty() {
            return Ok(false);
        }
        if !self.has_content {
            return Err(invalid("it has frames of zstd without content"));
        }
        self.decoder.reset(&mut self.payload).map_err(|e| invalid(&e.to_string()))?;
        (self.is_open, self.has_content) = (true, false);
        Ok(true)
    }

    /// Ends a frame, and checks its checksum if it has one.
    fn end(&mut self) -> io::Result<()> {
        self.is_open = false;
        let stated = self.decoder.get_checksum_from_data();
        match stated.is_some() && stated != self.decoder.get_calculated_checksum() {
            true => Err(invalid("a checksum of zstd is wrong")),
            false => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_open && !self.next()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.payload, strategy);
                decoded.map_err(|e| invalid(&e.to_string()))?;
            }
            match self.decoder.read(buffer)? {
                0 => self.end()?,
                n => {
                    self.has_content = true;
                    return Ok(n);
                }
            }
        }
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpacked(compressor: &str, payload: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(compressor, payload)?.read_to_end(&mut out).map(|_| out)
    }

    fn packed(compressor: &str, content: &[u8]) -> Vec<u8> {
        match compressor {
            "gzip" => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), Default::default());
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            "bzip2" => {
                let level = bzip2::Compression::fast();
                let mut out = bzip2::write::BzEncoder::new(Vec::new(), level);
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            "lzma" => {
                let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
                let stream = Stream::new_lzma_encoder(&options).unwrap();
                let mut out = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            "xz" => {
                let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            _ => {
                use ruzstd::encoding::{CompressionLevel, compress_to_vec};
                compress_to_vec(content, CompressionLevel::Fastest)
            }
        }
    }

    #[test]
    fn all_formats_are_decompressed_and_damage_is_an_error() {
        let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
        for compressor in ["gzip", "bzip2", "lzma", "xz", "zstd"] {
            let whole = packed(compressor, &content);
            assert!(unpacked(compressor, &whole).unwrap() == content, "{compressor}");
            assert!(unpacked(compressor, &whole[..whole.len() / 2]).is_err(), "{compressor}");
            let mut damaged = whole;
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x55;
            assert!(unpacked(compressor, &damaged).ok().as_ref() != Some(&content), "{compressor}");
        }
        assert_eq!(unpacked("gzip", b"070701").unwrap(), b"070701");
        assert!(unpacked("rar", b"").is_err());
    }

    #[test]
    fn all_frames_of_zstd_are_read_and_empty_ones_refused() {
        let two = [packed("zstd", b"one"), packed("zstd", b"two")].concat();
        assert_eq!(unpacked("zstd", &two).unwrap(), b"onetwo");
        assert!(unpacked("zstd", &packed("zstd", b"").repeat(3)).is_err());
    }
}
