//! What is read into, and out of: the body of an answer, and the buffers of a connection, as ureq fills and empties them: there while a request runs, and no
//! longer, as there may be many connections. Each thread keeps those of its last request for the next.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Deref;

use ureq::unversioned::transport::Buffers;

/// The header of an answer has to fit into it.
const INPUT_BYTES: usize = 64 * 1024;
const OUTPUT_BYTES: usize = 16 * 1024;

/// A longer body is not kept for the next one to be read into.
const BODY_KEPT_MAX_BYTES: usize = 64 * 1024;

thread_local! {
    /// Output and input. To have them from the system for each request takes as long as to read it.
    static SPARE: Cell<Option<(Vec<u8>, Vec<u8>)>> = const { Cell::new(None) };
    static SPARE_BODY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The body of an answer.
#[derive(Debug, Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// Reads it to its end; `length`: how long it says to be.
    pub(super) fn read(mut reader: impl Read, length: Option<u64>) -> io::Result<Body> {
        let mut body = Body(SPARE_BODY.take());
        let length = length.and_then(|length| usize::try_from(length).ok());
        // No more room is made before more has come.
        body.0
            .reserve(length.unwrap_or_default().min(BODY_KEPT_MAX_BYTES));
        reader.read_to_end(&mut body.0)?;
        Ok(body)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(bytes)
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if (1..=BODY_KEPT_MAX_BYTES).contains(&self.0.capacity()) {
            self.0.clear();
            SPARE_BODY.set(std::mem::take(&mut self.0));
        }
    }
}

/// What goes out, and what came in and was not taken yet. ureq's own are written zero by zero at each
/// request, which takes longer than the rest of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    output: Vec<u8>,
    input: Vec<u8>,
    /// What lies between them in the input is not taken yet.
    taken: usize,
    filled: usize,
    progress: bool,
}

impl Kept {
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
            let new = || (vec![0; OUTPUT_BYTES], vec![0; INPUT_BYTES]);
            (self.output, self.input) = SPARE.take().unwrap_or_else(new);
        }
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        } else if self.taken > 0 && self.filled > INPUT_BYTES / 2 {
            self.input.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
        }
    }
}

impl Buffers for Kept {
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
