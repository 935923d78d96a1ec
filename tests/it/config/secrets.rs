//! Secrets from files and programs: what comes out, and what is refused without being shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use proxmox_mcp::files;
use proxmox_mcp::wait::{self, ListeningCall, Wake};

fn run(words: &[&str]) -> Result<String, String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    files::secret_command(&words)
}

#[test]
fn a_secret_file_gives_its_content_without_the_last_newline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let check = |content: &[u8], expected: Result<&str, &str>| {
        fs::write(&path, content).unwrap();
        match (files::secret_file(&path), expected) {
            (Ok(secret), Ok(expected)) => assert_eq!(secret, expected),
            (Err(problem), Err(part)) => {
                assert!(problem.contains(part), "{problem}");
                assert!(problem.contains(path.to_str().unwrap()), "{problem}");
                assert!(!problem.contains("hush"), "{problem}");
            }
            (found, _) => panic!("{content:?} gives {found:?}"),
        }
    };
    check(b"hush", Ok("hush"));
    check(b"hush\n", Ok("hush"));
    check(b"hush\r\n", Ok("hush"));
    check(b"", Err("no secret in it"));
    check(b"\n", Err("no secret in it"));
    check(b"hush\nhush\n", Err("line ends"));
    check(b"hush hush", Err("blanks"));
    check(b"hush\xff", Err("is not text"));
    check(
        &[b'h'; files::SECRET_MAX_BYTES],
        Ok(&"h".repeat(files::SECRET_MAX_BYTES)),
    );
    check(&[b'h'; files::SECRET_MAX_BYTES + 1], Err("has more than"));
    fs::remove_file(&path).unwrap();
    assert!(
        files::secret_file(&path)
            .unwrap_err()
            .contains("No such file")
    );
    assert!(
        files::secret_file(folder.path())
            .unwrap_err()
            .contains("is not a file")
    );
}

#[test]
fn a_secret_file_that_others_can_read_or_write_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "hush").unwrap();
    for (mode, part) in [
        (0o600, None),
        (0o400, None),
        (0o640, Some("can read")),
        (0o604, Some("can read")),
        (0o620, Some("may write")),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let warning = files::secret_file_warning(&path);
        match (&warning, part) {
            (None, None) => {}
            (Some(line), Some(part)) if line.contains(part) && line.contains("chmod 600") => {}
            _ => panic!("{mode:o}: {warning:?}"),
        }
    }
}

#[test]
fn a_program_gives_what_it_prints() {
    assert_eq!(run(&["printf", "hush\\n"]).unwrap(), "hush");
    assert_eq!(
        run(&[
            "/bin/sh",
            "-c",
            "sleep 0.1; echo hu$(cat)sh; exec >&-; sleep 0.1"
        ])
        .unwrap(),
        "hush"
    );
    assert_eq!(run(&["pwd"]).unwrap(), "/");
    // No shell.
    assert_eq!(run(&["echo", "$HOME;x"]).unwrap(), "$HOME;x");
    // What it leaves behind is not waited for.
    let begun = Instant::now();
    assert_eq!(
        run(&["/bin/sh", "-c", "sleep 30 2>/dev/null & echo hush"]).unwrap(),
        "hush"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_program_that_fails_is_named_without_its_arguments() {
    let check = |words: &[&str], part: &str| {
        let problem = run(words).unwrap_err();
        assert!(problem.contains(part), "{problem}");
        assert!(!problem.contains("hush"), "{problem}");
    };
    check(&["/nowhere/x", "hush"], "`/nowhere/x` could not be started");
    check(
        &["/bin/sh", "-c", "echo hush; exit 3"],
        "`/bin/sh` failed: exit status: 3",
    );
    check(
        &["/bin/sh", "-c", "kill -9 $$ # hush"],
        "`/bin/sh` failed: signal: 9",
    );
    check(&["true", "hush"], "no secret in it");
    check(&["echo", "hush hush"], "blanks");
    check(&["yes", "hush"], "printed more than 4096 bytes");
    check(&[], "is empty");
}

#[test]
fn a_program_ends_with_the_call_that_wants_its_secret() {
    let begun = Instant::now();
    let problem = wait::during(
        ListeningCall::new(None, |time| {
            std::thread::sleep(time);
            Wake::Cancelled
        }),
        || run(&["sleep", "60"]).unwrap_err(),
    );
    assert!(problem.contains("given up"), "{problem}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}
