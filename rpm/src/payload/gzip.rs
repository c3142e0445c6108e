//! gzip on several threads: one member, deflated in blocks of fixed size.
//!
//! Each block is compressed separately, with the end of the previous block as its dictionary, and ends
//! on a byte boundary (an empty stored block, RFC 1951 3.2.4), so that the parts can be joined. The
//! result depends on the content and the level only.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Size of a block in bytes. It is so large that the joints between blocks hardly add to the result's size.
const BLOCK: usize = 512 * 1024;
/// Bytes of earlier content that deflate can refer to (RFC 1951).
const WINDOW: usize = 32 * 1024;

/// A [`Write`] that compresses into `inner`.
pub(super) struct GzipEncoder<W: Write> {
    inner: W,
    level: u32,
    block: Vec<u8>,
    /// The end of the previous block, shared with the thread that still reads it.
    dictionary: Arc<Vec<u8>>,
    crc: Crc,
    workers: Workers,
    /// Results in the order of their blocks.
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
}

/// A block for a worker to compress.
struct Job {
    data: Arc<Vec<u8>>,
    dictionary: Arc<Vec<u8>>,
    level: u32,
    last: bool,
    result: SyncSender<io::Result<Vec<u8>>>,
}

/// Threads that live as long as the encoder.
struct Workers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Write> GzipEncoder<W> {
    pub(super) fn new(mut inner: W, level: u32, threads: u32) -> io::Result<Self> {
        // Deflate, no name, no time, best or fastest according to the level, Unix.
        let effort = match level {
            9 => 2,
            1 => 4,
            _ => 0,
        };
        inner.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 3])?;
        Ok(Self {
            inner,
            level,
            block: Vec::with_capacity(BLOCK),
            dictionary: Arc::default(),
            crc: Crc::new(),
            workers: Workers::start(threads.max(1)),
            pending: VecDeque::new(),
        })
    }

    /// Writes the last block and the trailer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.hand_out(true)?;
        while !self.pending.is_empty() {
            self.take_in()?;
        }
        // Length modulo 2^32, as gzip counts.
        self.inner.write_all(&self.crc.sum().to_le_bytes())?;
        self.inner.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.inner)
    }

    fn hand_out(&mut self, last: bool) -> io::Result<()> {
        // Two blocks for each thread keep all threads busy, and limit the memory.
        while self.pending.len() >= 2 * self.workers.threads.len() {
            self.take_in()?;
        }
        let data = Arc::new(std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK)));
        self.crc.update(&data);
        let end = data.len().saturating_sub(WINDOW);
        let next = Arc::new(data[end..].to_vec());
        let dictionary = std::mem::replace(&mut self.dictionary, next);
        let (result, receiver) = sync_channel(1);
        self.pending.push_back(receiver);
        self.workers.send(Job { data, dictionary, level: self.level, last, result })
    }

    fn take_in(&mut self) -> io::Result<()> {
        let Some(next) = self.pending.pop_front() else { return Ok(()) };
        let compressed =
            next.recv().map_err(|_| io::Error::other("a compressing thread ended early"))??;
        self.inner.write_all(&compressed)
    }
}

impl<W: Write> Write for GzipEncoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK {
            self.hand_out(false)?;
        }
        let n = data.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&data[..n]);
        Ok(n)
    }

    /// Does nothing: blocks have a fixed size, so none can be written early.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Workers {
    fn start(threads: u32) -> Self {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let work = |queue: Arc<Mutex<Receiver<Job>>>| {
            move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = next else { return };
                    // The encoder may have been dropped after an error of its output.
                    let _ = job.result.send(compress(&job));
                }
            }
        };
        let threads = (0..threads).map(|_| std::thread::spawn(work(queue.clone()))).collect();
        Self { jobs: Some(jobs), threads }
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let gone = || io::Error::other("the compressing threads have ended");
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn compress(job: &Job) -> io::Result<Vec<u8>> {
    let mut deflate = Compress::new(Compression::new(job.level), false);
    if !job.dictionary.is_empty() {
        deflate.set_dictionary(&job.dictionary).map_err(io::Error::other)?;
    }
    let flush = if job.last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut out = Vec::with_capacity(job.data.len() / 2 + 1024);
    loop {
        let done = deflate.total_in() as usize;
        let status =
            deflate.compress_vec(&job.data[done..], &mut out, flush).map_err(io::Error::other)?;
        let all_in = deflate.total_in() as usize == job.data.len();
        let room = out.capacity() > out.len();
        match status {
            Status::StreamEnd => return Ok(out),
            _ if all_in && room && !job.last => return Ok(out),
            _ => out.reserve(BLOCK / 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn pack(data: &[u8], level: u32, threads: u32) -> Vec<u8> {
        let mut encoder = GzipEncoder::new(Vec::new(), level, threads).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_output_does_not_depend_on_threads() {
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17] {
            // Partly repetitive, partly not compressible at all.
            let data: Vec<u8> =
                (0..size).map(|i| if i % 5 < 2 { noise() } else { (i / 700) as u8 }).collect();
            for level in [1, 6, 9] {
                let packed = pack(&data, level, 1);
                assert_eq!(packed, pack(&data, level, 3));
                let mut back = Vec::new();
                // Not the multi-member decoder: all must be in one member.
                flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
                assert!(back == data, "{size} bytes at level {level}");
            }
        }
    }

    #[test]
    fn an_error_of_the_output_is_returned() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                if data.len() < 100 {
                    Ok(data.len())
                } else {
                    Err(io::ErrorKind::StorageFull.into())
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let data: Vec<u8> =
            (0..9 * BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut encoder = GzipEncoder::new(Full, 6, 2).unwrap();
        let written = encoder.write_all(&data).and_then(|()| encoder.finish().map(|_| ()));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
