//! The only opener of files and starter of children.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// A secret is a line; what is longer is some other file.
const SECRET_MAX_BYTES: usize = 4096;

/// The content of a file of at most `max_bytes`.
///
/// # Errors
/// A sentence that names the path.
pub fn read_limited(path: &Path, max_bytes: usize) -> Result<Vec<u8>, String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
    let file = std::fs::File::open(path).map_err(wrong)?;
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    let mut content = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(wrong)?;
    if content.len() > max_bytes {
        return Err(format!("{}: over {max_bytes} bytes", path.display()));
    }
    Ok(content)
}

/// A secret that a file holds, without its last newline.
///
/// # Errors
/// A sentence that names the path, never the content.
pub fn secret_file(path: &Path) -> Result<String, String> {
    let content = read_limited(path, SECRET_MAX_BYTES)?;
    line(content).ok_or_else(|| format!("{}: not a line of text", path.display()))
}

/// A secret that a program prints.
///
/// # Errors
/// A sentence that names the program, never what it printed.
pub fn secret_command(argv: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("the command is empty".into());
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status));
    }
    line(output.stdout).ok_or_else(|| format!("{program}: did not print a line of text"))
}

fn line(content: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(content).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_string())
}
