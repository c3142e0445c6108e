//! Reading the request. net-modules closes its end, so the end of the input ends the request; a
//! caller that keeps it open is not waited for longer than two seconds after its last byte
//! (facts 1.2), and what has come by then is taken for the whole.

use std::{os::fd::AsFd, time::Duration};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{
    deadline::Deadline,
    error::{Error, Result},
    log,
};

/// The wait for each piece.
const PAUSE: Duration = Duration::from_secs(2);

/// More than this is no request.
const MAX: usize = 1 << 20;

/// Reads `input` to its end, to a pause, or to the deadline.
pub fn read(input: impl AsFd, deadline: Deadline) -> Result<Vec<u8>> {
    let mut request = Vec::with_capacity(1024);
    let mut piece = [0; 4096];
    while wait(&input, deadline)? {
        match nix::unistd::read(&input, &mut piece) {
            Ok(0) => return Ok(request),
            Ok(length) => request.extend_from_slice(&piece[..length]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(Error::Unhandled(format!("reading stdin: {errno}"))),
        }
        if request.len() > MAX {
            return Err(Error::request(format!("The request is longer than {MAX} bytes")));
        }
    }
    log::warn("stdin is still open; taking what has come for the request");
    Ok(request)
}

/// Waits for the next piece; false when none came in time.
fn wait(input: &impl AsFd, deadline: Deadline) -> Result<bool> {
    let left = deadline.left().unwrap_or_default().min(PAUSE);
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    loop {
        let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Unhandled(format!("waiting for stdin: {errno}"))),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_millis(200))
    }

    #[test]
    fn byte_by_byte_to_the_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sender = std::thread::spawn(move || {
            for byte in b"{\"a\": 1}" {
                writer.write_all(&[*byte]).unwrap();
            }
        });
        assert_eq!(read(reader, Deadline::after(PAUSE)).unwrap(), b"{\"a\": 1}");
        sender.join().unwrap();
    }

    #[test]
    fn an_end_that_never_comes_is_not_waited_for() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"{}").unwrap();
        assert_eq!(read(&reader, soon()).unwrap(), b"{}");
        assert_eq!(read(&reader, soon()).unwrap(), b"");
        drop(writer);
    }

    #[test]
    fn a_flood_is_cut_off() {
        let zeros = fs_err::File::open("/dev/zero").unwrap();
        let error = read(zeros.file(), Deadline::after(Duration::from_secs(60))).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}
