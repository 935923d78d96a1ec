//! The MCP bundle: a zip of the manifest and the program.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Documents;

pub(super) fn pack(
    manifest: &str,
    program: &[u8],
    documents: &Documents,
) -> Result<Vec<u8>, String> {
    let write = || -> zip::result::ZipResult<Vec<u8>> {
        let mut bundle = ZipWriter::new(Cursor::new(Vec::new()));
        // The manifest first, so that a host finds it at once. The time is the least that a zip can say.
        for (path, mode, content) in [
            ("manifest.json", 0o644, manifest.as_bytes()),
            ("LICENSE", 0o644, &documents.license),
            ("server/proxmox-mcp", 0o755, program),
        ] {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .compression_level(Some(9))
                .last_modified_time(DateTime::default())
                .unix_permissions(mode);
            bundle.start_file(path, options)?;
            bundle.write_all(content)?;
        }
        Ok(bundle.finish()?.into_inner())
    };
    write().map_err(|error| format!("zip: {error}"))
}
