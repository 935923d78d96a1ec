//! What a binary says of itself: for which machine it is, and whether it needs libraries.

/// A machine that packages are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    /// As Rust and the kernel call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Aarch64 => "aarch64",
        }
    }

    /// As Debian calls it.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Machine::X86_64 => "amd64",
            Machine::Aarch64 => "arm64",
        }
    }
}

/// The kind of a program header that names the loader of libraries.
const PT_INTERP: u64 = 3;

/// For which machine it is; a problem where it is no program for Linux on one that is known.
pub(crate) fn machine(binary: &[u8]) -> Result<Machine, String> {
    // 64 bits, the least significant byte first.
    if !binary.starts_with(b"\x7fELF\x02\x01") {
        return Err("is no 64-bit program for Linux".into());
    }
    match number(binary, 18, 2) {
        Some(62) => Ok(Machine::X86_64),
        Some(183) => Ok(Machine::Aarch64),
        other => Err(format!(
            "is for a machine that is not known here: {other:?}"
        )),
    }
}

/// Whether it names a loader, which looks for libraries.
pub(crate) fn is_dynamic(binary: &[u8]) -> bool {
    let header = |at, bytes| number(binary, at, bytes).and_then(|one| usize::try_from(one).ok());
    let (Some(table), Some(size), Some(count)) = (header(32, 8), header(54, 2), header(56, 2))
    else {
        return false;
    };
    (0..count).any(|one| {
        let place = table.checked_add(one * size);
        place.and_then(|at| number(binary, at, 4)) == Some(PT_INTERP)
    })
}

fn number(binary: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let slice = binary.get(at..at.checked_add(bytes)?)?;
    let number = slice.iter().rev();
    Some(number.fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}
