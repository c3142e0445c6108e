//! Unpacks bzip2. A file may consist of many streams, and starting one takes as long as unpacking a block. A hostile file of
//! many streams of 14 bytes each could take hours. Programs that write several streams (pbzip2) put
//! at least 100 kB into each, so the number of streams is limited by the size of the unpacked data.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;

/// Number of streams that every file may have.
const FEW: u64 = 1000;
/// Size in bytes of bzip2's smallest block.
const BLOCK: u64 = 100_000;

pub(super) struct Streams<R: BufRead> {
    /// `None` after the end of the file.
    stream: Option<BzDecoder<R>>,
    begun: u64,
    bytes: u64,
}

impl<R: BufRead> Streams<R> {
    pub(super) fn new(file: R) -> Self {
        Self { stream: Some(BzDecoder::new(file)), begun: 1, bytes: 0 }
    }

    /// Starts the next stream, if there is one.
    fn next(&mut self, mut file: R) -> io::Result<()> {
        if file.fill_buf()?.is_empty() {
            return Ok(());
        }
        self.begun += 1;
        if self.begun > FEW + self.bytes / BLOCK {
            let message = "it is made of far too many streams of bzip2 for what is in them";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.stream = Some(BzDecoder::new(file));
        Ok(())
    }
}

impl<R: BufRead> Read for Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(stream) = &mut self.stream {
            match stream.read(buffer)? {
                0 => {
                    if let Some(ended) = self.stream.take() {
                        self.next(ended.into_inner())?;
                    }
                }
                n => {
                    self.bytes += n as u64;
                    return Ok(n);
                }
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        out.write_all(content).unwrap();
        out.finish().unwrap()
    }

    fn unpacked(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Streams::new(file).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn concatenated_bzip2_streams_are_unpacked() {
        let file = [packed(b"one"), packed(b""), packed(b"two")].concat();
        assert_eq!(unpacked(&file).unwrap(), b"onetwo");
        assert!(unpacked(&file[..file.len() - 1]).is_err());
        assert!(unpacked(&[&file[..], b"rubbish"].concat()).is_err());
    }

    #[test]
    fn many_empty_bzip2_streams_are_refused() {
        assert!(unpacked(&packed(b"").repeat(900)).unwrap().is_empty());
        let error = unpacked(&packed(b"").repeat(300_000)).unwrap_err();
        assert!(error.to_string().contains("far too many streams"), "{error}");
        // As pbzip2 writes them.
        let blocks = packed(&[b'x'; BLOCK as usize]).repeat(1500);
        assert_eq!(unpacked(&blocks).unwrap().len(), 150_000_000);
    }
}
