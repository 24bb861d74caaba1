//! Files over HTTP, which go on where they were cut.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    path::Path,
    time::Duration,
};

use ureq::{
    Agent,
    http::{Response, StatusCode, header},
};

use crate::{Error, Result, run::CancelToken};

/// How often a server is asked before the person is told.
const ATTEMPTS: u32 = 5;
/// Between the first attempt and the second; twice that after each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// A server that says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Who wants to know, and who may stop it.
pub struct Controls<'a> {
    /// Called with the bytes that are here and those there are, after each that arrive.
    pub progress: &'a dyn Fn(u64, u64),
    /// Asked before each.
    pub cancel: &'a CancelToken,
}

/// Why an attempt ended before the file was whole.
enum Cut {
    /// Worth another attempt.
    Passing(String),
    /// Not so.
    Final(Error),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Brings what is at `url` to `path`, whose folder is created where it is not there. What `path` holds already is taken
/// for the file's beginning; what has arrived stays there whatever happens, but for a file that cannot be the one.
/// `size` is the file's length in bytes, and by how many that may be off.
///
/// # Errors
/// [`Error::Download`], [`Error::Io`], [`Error::Cancelled`].
pub fn fetch(url: &str, path: &Path, size: (u64, u64), controls: &Controls<'_>) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(Error::io("write", path))?;
    if file.try_lock().is_err() {
        return Err(Error::Download { url: url.into(), reason: "another program is fetching it just now".into() });
    }
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        // Lengths and ranges are those of the file itself.
        .accept_encoding("identity");
    let mut transfer = Transfer { agent: config.build().into(), url, path, file, size, controls };
    let mut pause = PAUSE;
    for attempt in 1.. {
        match transfer.attempt() {
            Ok(()) => return Ok(()),
            Err(Cut::Final(error)) => return Err(error),
            Err(Cut::Passing(reason)) if attempt == ATTEMPTS => {
                let reason = format!("{reason}; what has arrived is kept, the same command goes on from there");
                return Err(Error::Download { url: url.into(), reason });
            }
            Err(Cut::Passing(_)) => {
                controls.cancel.check()?;
                std::thread::sleep(pause);
                pause *= 2;
            }
        }
    }
    Ok(())
}

struct Transfer<'a> {
    agent: Agent,
    url: &'a str,
    path: &'a Path,
    file: File,
    size: (u64, u64),
    controls: &'a Controls<'a>,
}

impl Transfer<'_> {
    /// Asks once for what is missing.
    fn attempt(&mut self) -> Result<(), Cut> {
        let mut here = self.file.metadata().map_err(Error::io("read", self.path))?.len();
        if here > self.size.0 + self.size.1 {
            here = self.start_over()?;
        }
        if here > 0 && self.size == (here, 0) {
            return Ok(());
        }
        let mut request = self.agent.get(self.url);
        if here > 0 {
            request = request.header(header::RANGE, format!("bytes={here}-"));
        }
        let response = request.call().map_err(|e| Cut::Passing(e.to_string()))?;
        match response.status() {
            StatusCode::OK => here = if here > 0 { self.start_over()? } else { here },
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(here) => {}
            // Nothing is missing, where the length is known only nearly.
            StatusCode::RANGE_NOT_SATISFIABLE if here > 0 && self.fits(here) => return Ok(()),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if here > 0 => {
                self.start_over()?;
                return Err(Cut::Passing("the server answered with another part of the file".into()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Cut::Passing(format!("the server answered {status}")));
            }
            status => return Err(self.failed(format!("the server answered {status}"))),
        }
        let missing = length(&response);
        if let Some(total) = missing.map(|missing| here.saturating_add(missing))
            && !self.fits(total)
        {
            self.start_over()?;
            return Err(self.failed(format!("the file there has {total} bytes ({})", self.expected())));
        }
        self.receive(response, here, missing)
    }

    /// Writes what arrives behind the `here` bytes that are there.
    fn receive(&mut self, response: Response<ureq::Body>, here: u64, missing: Option<u64>) -> Result<(), Cut> {
        let total = missing.map_or(self.size.0, |missing| here + missing);
        let mut here = here;
        let mut body = response.into_body().into_reader();
        let mut chunk = vec![0; 1 << 16];
        loop {
            self.controls.cancel.check()?;
            let count = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Cut::Passing(format!("{here} of {total} bytes arrived ({e})"))),
            };
            self.file.write_all(&chunk[..count]).map_err(Error::io("write", self.path))?;
            here += count as u64;
            if here > self.size.0 + self.size.1 {
                self.start_over()?;
                return Err(self.failed(format!("the file there has more than {here} bytes ({})", self.expected())));
            }
            (self.controls.progress)(here, total);
        }
        if here < total && missing.is_some() {
            return Err(Cut::Passing(format!("{here} of {total} bytes arrived")));
        }
        if !self.fits(here) {
            self.start_over()?;
            return Err(self.failed(format!("the file there has {here} bytes ({})", self.expected())));
        }
        self.file.sync_all().map_err(Error::io("write", self.path))?;
        Ok(())
    }

    fn fits(&self, bytes: u64) -> bool {
        bytes.abs_diff(self.size.0) <= self.size.1
    }

    fn expected(&self) -> String {
        match self.size {
            (bytes, 0) => format!("expected {bytes}"),
            (bytes, off) => format!("expected {bytes} ± {off}"),
        }
    }

    /// Forgets what has arrived; returns how much is here then.
    fn start_over(&mut self) -> Result<u64> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(Error::io("write", self.path))?;
        Ok(0)
    }

    fn failed(&self, reason: String) -> Cut {
        Cut::Final(Error::Download { url: self.url.into(), reason })
    }
}

/// How many bytes the answer has.
fn length(response: &Response<ureq::Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// At which byte of the file the answer begins: `bytes 7-9/10` at 7.
fn range_start(response: &Response<ureq::Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}
