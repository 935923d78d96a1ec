//! Which characters do not show: by Unicode's own properties, all of them.

use proxmox_mcp::text::{is_hidden, printable};
use regex::Regex;

/// Drawn as a blank, though they are none: the empty pattern of Braille, the null notehead, the blanks
/// of hieroglyphs, the filler of Khitan.
const BLANKS: &str = r"\x{2800}\x{1D159}\x{13441}\x{13442}\x{16FE4}";

#[test]
fn what_does_not_show_is_known_by_its_properties() {
    let properties = r"\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Noncharacter_Code_Point}";
    let hidden = Regex::new(&format!("^[{properties}{BLANKS}]$")).expect("properties");
    let mut buffer = [0; 4];
    let differs = ('\0'..=char::MAX)
        .filter(|c| is_hidden(*c) != hidden.is_match(c.encode_utf8(&mut buffer)))
        .map(|c| format!("{:x}", u32::from(c)));
    assert_eq!(differs.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_does_not_show_is_made_visible() {
    for c in [
        '\u{17b4}',
        '\u{17b5}',
        '\u{1d173}',
        '\u{1bca0}',
        '\u{13430}',
        '\u{2800}',
        '\u{ad}',
        '\u{34f}',
        '\u{3164}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{e000}',
        '\u{10fffd}',
        '\u{fdd0}',
        '\u{600}',
        '\u{fff0}',
    ] {
        let shown = printable(&format!("a{c}b"), 40);
        assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
    }
    for plain in [
        "é",
        "日本",
        "Ω\u{301}",
        "100\u{a0}%",
        "全\u{3000}角",
        "😀",
        "क्ष",
    ] {
        assert_eq!(printable(plain, 40), plain);
    }
}
