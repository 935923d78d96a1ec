//! As much of an ELF file as tells whether it needs anything beside itself.

/// What the headers of a 64-bit little-endian program say.
pub(crate) struct Elf {
    pub(crate) interpreter: bool,
    /// How many libraries it wants loaded.
    pub(crate) needed: usize,
    /// It can be loaded anywhere.
    pub(crate) movable: bool,
    /// It still has its table of symbols.
    pub(crate) symbols: bool,
}

const TYPE_DYN: u64 = 3;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const SHT_SYMTAB: u64 = 2;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;

/// Reads the headers.
///
/// # Errors
/// It is no such file, or cut off.
pub(crate) fn read(file: &[u8]) -> Result<Elf, String> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return Err("is no 64-bit little-endian ELF file".into());
    }
    let mut elf = Elf {
        interpreter: false,
        needed: 0,
        movable: number(file, 0x10, 2)? == TYPE_DYN,
        symbols: false,
    };
    let (segments, size) = (number(file, 0x20, 8)?, number(file, 0x36, 2)?);
    for index in 0..number(file, 0x38, 2)? {
        let segment = segments + index * size;
        match number(file, segment, 4)? {
            PT_INTERP => elf.interpreter = true,
            PT_DYNAMIC => elf.needed = needed(file, number(file, segment + 8, 8)?)?,
            _ => {}
        }
    }
    let (sections, size) = (number(file, 0x28, 8)?, number(file, 0x3a, 2)?);
    for index in 0..number(file, 0x3c, 2)? {
        elf.symbols |= number(file, sections + index * size + 4, 4)? == SHT_SYMTAB;
    }
    Ok(elf)
}

fn needed(file: &[u8], mut entry: u64) -> Result<usize, String> {
    let mut count = 0;
    loop {
        match number(file, entry, 8)? {
            DT_NULL => return Ok(count),
            DT_NEEDED => count += 1,
            _ => {}
        }
        entry += 16;
    }
}

fn number(file: &[u8], at: u64, bytes: usize) -> Result<u64, String> {
    let at = usize::try_from(at).map_err(|cause| cause.to_string())?;
    let bytes = file.get(at..at.saturating_add(bytes));
    let bytes = bytes.ok_or("is an ELF file that was cut off")?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
