//! Sizes as people, models and Proxmox write them.

/// A size in bytes: digits, perhaps with a fraction, and `K`, `M`, `G`, `T` in powers of 1024, also
/// as `GB` or `GiB`, in small letters, or behind a blank; without a letter, `unit` bytes each.
pub fn bytes(text: &str, unit: u64) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, letters) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let unit = match letters.trim().to_ascii_lowercase().as_str() {
        "" => unit,
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| {
        let digits =
            !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    // Bytes without a letter may have more digits than anything with one.
    let whole = if unit == 1 {
        whole.parse().ok()?
    } else {
        number(whole)?
    };
    let places = u32::try_from(fraction.len()).ok()?;
    let part = number(fraction)?
        .checked_mul(unit)?
        .checked_div(10u64.checked_pow(places)?)?;
    whole.checked_mul(unit)?.checked_add(part)
}

/// Bytes as Proxmox takes them: in the largest unit that fits.
pub fn text(bytes: u64) -> String {
    let units = [
        (1u64 << 40, "T"),
        (1 << 30, "G"),
        (1 << 20, "M"),
        (1 << 10, "K"),
    ];
    let fits = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match fits {
        Some((unit, letter)) => format!("{}{letter}", bytes / unit),
        None => bytes.to_string(),
    }
}
