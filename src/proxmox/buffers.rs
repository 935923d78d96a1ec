//! What is read into, and out of: the body of an answer, and the buffers of a connection, as ureq fills
//! and empties them: there while a request runs, and no longer, as there may be many connections. Each
//! thread keeps those of its last request for the next.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Deref;
use std::time::Instant;

use ureq::unversioned::transport::Buffers;

use crate::room::Charge;

/// The header of an answer has to fit into it.
const INPUT_MAX_BYTES: usize = 64 * 1024;
/// So long it is at first, which nearly every header fits into: a hundred clusters that answer at once
/// have one each.
const INPUT_FIRST_BYTES: usize = 4 * 1024;
/// So much goes out at a time, where no line of the request's header is longer.
const OUTPUT_FIRST_BYTES: usize = 2 * 1024;
const OUTPUT_MAX_BYTES: usize = 16 * 1024;
/// What such a line has beside that.
const LINE_MORE_BYTES: usize = 64;

/// A longer body is not kept for the next one to be read into.
const BODY_KEPT_MAX_BYTES: usize = 32 * 1024;
/// So much of a body is read before there is known to be room for more.
const STEP_BYTES: usize = 64 * 1024;

thread_local! {
    /// Output and input. To have them from the system for each request takes as long as to read it.
    static SPARE: Cell<Option<(Vec<u8>, Vec<u8>)>> = const { Cell::new(None) };
    static SPARE_BODY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The longest line of the header that is sent next.
    static LINE_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The next request on this thread has an address, or a token, of so many bytes: what goes out has to hold
/// its line.
pub(super) fn longest_line(bytes: usize) {
    LINE_BYTES.set(bytes.saturating_add(LINE_MORE_BYTES));
}

/// The body of an answer, which is counted as long as it is held.
#[derive(Debug, Default)]
pub struct HttpBody {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl HttpBody {
    /// Reads it to its end; `length`: how long it says to be; `end`: how long room is waited for.
    ///
    /// # Errors
    /// It cannot be read; as [`Charge::grow`], where no room is left for it.
    pub(super) fn read(
        mut reader: impl Read,
        length: Option<u64>,
        end: Option<Instant>,
    ) -> io::Result<HttpBody> {
        let mut bytes = SPARE_BODY.take();
        let mut charge = Charge::default();
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.unwrap_or_default();
        // No more room is made before more has come. Without a length it is made by copying to twice
        // as much each time.
        bytes.reserve(length.min(BODY_KEPT_MAX_BYTES));
        let step_takes = match length {
            0 => 2 * STEP_BYTES,
            length => length.min(STEP_BYTES),
        };
        loop {
            charge.grow(step_takes, end).map_err(io::Error::other)?;
            if bytes.len() >= BODY_KEPT_MAX_BYTES && bytes.len() < length {
                bytes.reserve_exact(length - bytes.len());
            }
            let step = reader.by_ref().take(STEP_BYTES as u64);
            if { step }.read_to_end(&mut bytes)? < STEP_BYTES {
                break;
            }
        }
        charge.shrink_to(bytes.len());
        Ok(HttpBody {
            bytes,
            _charge: charge,
        })
    }
}

impl From<Vec<u8>> for HttpBody {
    fn from(bytes: Vec<u8>) -> HttpBody {
        HttpBody {
            bytes,
            _charge: Charge::default(),
        }
    }
}

impl Deref for HttpBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HttpBody {
    fn drop(&mut self) {
        if (1..=BODY_KEPT_MAX_BYTES).contains(&self.bytes.capacity()) {
            self.bytes.clear();
            SPARE_BODY.set(std::mem::take(&mut self.bytes));
        }
    }
}

/// What goes out, and what came in and was not taken yet. ureq's own are written zero by zero at each
/// request, which takes longer than the rest of it.
#[derive(Debug, Default)]
pub(super) struct ConnectionBuffers {
    output: Vec<u8>,
    input: Vec<u8>,
    /// What lies between them in the input is not taken yet.
    taken: usize,
    filled: usize,
    progress: bool,
}

impl ConnectionBuffers {
    /// Gives the memory back, where nothing lies in it.
    pub(super) fn rest(&mut self) {
        if self.input().is_empty() && !self.output.is_empty() {
            let kept = std::mem::take(self);
            SPARE.set(Some((kept.output, kept.input)));
        }
    }

    fn prepare(&mut self) {
        if self.output.is_empty() {
            // New ones come from the system as zeros.
            let new = || (vec![0; OUTPUT_FIRST_BYTES], vec![0; INPUT_FIRST_BYTES]);
            (self.output, self.input) = SPARE.take().unwrap_or_else(new);
        }
        let line = LINE_BYTES.get().min(OUTPUT_MAX_BYTES);
        if self.output.len() < line {
            self.output.resize(line, 0);
        }
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        } else if self.taken > 0 && self.filled > self.input.len() / 2 {
            self.input.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
        }
        let length = self.input.len();
        if self.filled > length / 2 && length < INPUT_MAX_BYTES {
            self.input.resize(length * 2, 0);
        }
    }
}

impl Buffers for ConnectionBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.prepare();
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.taken..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.prepare();
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = self.filled.saturating_add(amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.taken = self.taken.saturating_add(amount).min(self.filled);
    }

    /// The room for what is read of a request's body is the input's: nothing has come in by then.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.prepare();
        let free = self.input.get_mut(self.filled..).unwrap_or_default();
        (free, &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && !self.input().is_empty()
    }
}
