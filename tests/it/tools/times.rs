//! Times as text, and back.

use proxmox_mcp::time::{iso, iso_ms, parse, parse_http, span};

#[test]
fn seconds_are_written_and_read() {
    for (epoch, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_709_251_200, "2024-03-01T00:00:00Z"),
        (1_767_225_599, "2025-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(iso(epoch), text);
        assert_eq!(parse(text, 0), Some(epoch), "{text}");
    }
    assert_eq!(iso(u64::MAX), "9999-12-31T23:59:59Z");
}

#[test]
fn milliseconds_are_written() {
    assert_eq!(iso_ms(951_868_799_007), "2000-02-29T23:59:59.007Z");
    assert_eq!(iso_ms(951_868_799_999), "2000-02-29T23:59:59.999Z");
}

#[test]
fn a_moment_is_read_as_people_write_it() {
    let now = 1_800_000_000;
    for (text, epoch) in [
        ("2h", Some(now - 7200)),
        ("30m", Some(now - 1800)),
        ("30min", Some(now - 1800)),
        ("7d", Some(now - 604_800)),
        ("1w", Some(now - 604_800)),
        ("90s", Some(now - 90)),
        ("99999999d", Some(0)),
        ("99999999999999999999d", None),
        ("2y", None),
        ("1709251200", Some(1_709_251_200)),
        ("2024-03-01", Some(1_709_251_200)),
        ("2024-03-01T00:00", Some(1_709_251_200)),
        ("2024-03-01 00:00:00", Some(1_709_251_200)),
        ("2024-03-01T01:00:00+01:00", Some(1_709_251_200)),
        ("2024-02-29T23:00:00-0100", Some(1_709_251_200)),
        ("2024-03-01T00:00:00.250Z", Some(1_709_251_200)),
        ("2024-03-01T05:30:00+05:30", Some(1_709_251_200)),
        ("2024-02-29T18:30:00-05:30", Some(1_709_251_200)),
        // A second that was put in.
        ("2024-02-29T23:59:60Z", Some(1_709_251_200)),
        ("2024-02-29T23:59:61Z", None),
        ("2024-02-29T23:60:00Z", None),
        ("2024-03-01T00:00:00+01:60", None),
        ("2024-03-01T00:00:00+15:00", None),
        ("2024-04-31", None),
        ("2100-02-29", None),
        ("2024-03-01T", None),
        ("2024-03-01T24:00:00Z", None),
        ("2023-02-29", None),
        ("2024-13-01", None),
        ("2024-3-1", None),
        ("1969-12-31", None),
        ("2024-03-01T00:00:00+1", None),
        ("2024-03-01T00:00:00Zulu", None),
        ("yesterday", None),
        ("", None),
    ] {
        assert_eq!(parse(text, now), epoch, "{text}");
    }
}

#[test]
fn a_span_is_said_in_its_largest_unit() {
    for (seconds, text) in [
        (0, "0s"),
        (119, "119s"),
        (120, "2min"),
        (7199, "119min"),
        (7200, "2h"),
        (172_799, "47h"),
        (172_800, "2d"),
    ] {
        assert_eq!(span(seconds), text);
    }
}

#[test]
fn the_date_of_a_header_is_read() {
    for (text, epoch) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
        ("Sun, 04 Oct 2026 15:44:19 GMT", Some(1_791_128_659)),
        ("Sun, 04 Okt 2026 15:44:19 GMT", None),
        ("Sun, 04 Oct 2026 15:44:19 CET", None),
        ("Sun, 31 Feb 2026 15:44:19 GMT", None),
        ("2026-10-04T15:44:19Z", None),
        ("", None),
    ] {
        assert_eq!(parse_http(text), epoch, "{text}");
    }
}
