//! `storage_download`: an image, a template or a disk to import, from a URL onto a storage.

use serde_json::{Map, Value};

use super::places::Places;
use crate::api::loose::plain;
use crate::api::methods::permissions::SEES_STORAGES;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::{printable, repeated};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};

const URL_MAX_CHARS: usize = 2_000;
const NAME_MAX_CHARS: usize = 255;
const SUM_MAX_CHARS: usize = 150;
const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const PATH: &str = "/nodes/{node}/storage/{storage}/download-url";
const CONTENT: &str = "/nodes/{node}/storage/{storage}/content";

const SCHEMES: [&str; 2] = ["https://", "http://"];

/// What is read to know where a storage is and what is on it.
pub(super) const READS: &[Sending] = &[
    sending::get("/cluster/resources").seeing(&[SEES_STORAGES]),
    sending::get(CONTENT),
];
pub(super) const STORAGE: Param = Param::new("storage", ParamKind::Word(Word::Storage), "where to");
pub(super) const NODE: Param = Param::new(
    "node",
    ParamKind::Word(Word::Node),
    "where it is local to several",
)
.optional();

/// The kinds of content that are downloaded, and how their files end; where two take the same ending, the first
/// is meant.
const KINDS: &[(&str, &[&str])] = &[
    ("iso", &[".iso"]),
    ("vztmpl", &[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"]),
    ("import", &[".qcow2", ".raw", ".vmdk", ".ova"]),
];
/// The checksums that Proxmox knows, by the count of their digits.
const SUMS: &[(&str, usize)] = &[
    ("md5", 32),
    ("sha1", 40),
    ("sha224", 56),
    ("sha256", 64),
    ("sha384", 96),
    ("sha512", 128),
];

pub(super) const DOWNLOAD: Tool = Tool {
    name: "storage_download",
    title: "Download a file onto a storage",
    about: "Has a node download an ISO image, container template or disk image from a URL onto a storage, and checks \
            its checksum. Cloud images go to content `import` as `.qcow2`.",
    actions: Actions::one(&[READS, &[sending::post(PATH)]]),
    subject: Subject::Storage("storage"),
    params: &[
        STORAGE,
        Param::new(
            "url",
            ParamKind::Text(URL_MAX_CHARS),
            "`https://...` or `http://...`, reached by the node",
        ),
        Param::new(
            "checksum",
            ParamKind::Text(SUM_MAX_CHARS),
            "its digits, or `sha256:...`",
        )
        .optional(),
        Param::new(
            "filename",
            ParamKind::Text(NAME_MAX_CHARS),
            "if not as in the URL",
        )
        .optional(),
        Param::new(
            "content",
            ParamKind::OneOf(&["iso", "vztmpl", "import"]),
            "if not by the file's ending",
        )
        .optional(),
        NODE,
    ],
    answer: &[("volume", "string")],
    task: true,
    plan: None,
    run: RunFn::Write(download),
};

fn download(reach: &Reach, args: &Args) -> WriteResult {
    let (storage, url) = (args.need("storage")?, args.need("url")?);
    let name = match args.text("filename") {
        Some(name) => name,
        None => name_in(url),
    };
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::bad(format!(
            "`url` must begin with {}",
            SCHEMES.join(" or ")
        )));
    }
    let content = content(name, args.text("content"))?;
    let sum = args.text("checksum").map(checksum).transpose()?;
    let places = Places::look(reach, storage)?;
    let node = places.to_change(reach, storage, args.text("node"))?;
    let volume = format!("{storage}:{content}/{name}");
    if sum.is_none() && is_there(reach, &node, storage, content, &volume)? {
        return Err(Error::bad(format!(
            "{}: `{}` is there already, and Proxmox overrides no file: name another one in `filename`, or say \
             `checksum` to have the one that is there checked",
            reach.cluster_name(),
            printable(&volume, VOLUME_MAX_CHARS)
        )));
    }
    let mut request = Request::new(Verb::Post, PATH, &[&node, storage])?
        .with("content", content)
        .with("filename", name)
        .with("url", url);
    if let Some((algorithm, digits)) = sum {
        request = request
            .with("checksum", digits)
            .with("checksum-algorithm", algorithm);
    }
    Ok(Write::new(request, answer(&node, &volume)))
}

/// What the answer says of a file that comes to a storage.
pub(super) fn answer(node: &str, volume: &str) -> Map<String, Value> {
    Map::from_iter([
        ("node".to_string(), node.into()),
        (
            "volume".to_string(),
            printable(volume, VOLUME_MAX_CHARS).into(),
        ),
    ])
}

/// Whether a storage has this file, as far as the token sees.
pub(super) fn is_there(
    reach: &Reach,
    node: &str,
    storage: &str,
    content: &str,
    volume: &str,
) -> Result<bool, Error> {
    let request = Request::new(Verb::Get, CONTENT, &[node, storage])?.with("content", content);
    let rows = reach.rows(&request, "volid")?;
    Ok(rows
        .iter()
        .any(|row| row.get("volid").map(plain).as_deref() == Some(volume)))
}

/// The name of the file in a URL: what stands behind the last slash, before `?` or `#`.
fn name_in(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let behind_host = path.split_once("://").map_or(path, |(_, rest)| rest);
    behind_host.rsplit_once('/').map_or("", |(_, name)| name)
}

/// What kind of content a file is.
fn content(name: &str, wanted: Option<&str>) -> Result<&'static str, Error> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        let problem = match name {
            "" => "the URL names no file".to_string(),
            name => format!("`{}` is no name for a file", repeated(name)),
        };
        return Err(Error::bad(format!("{problem}: say one in `filename`")));
    }
    let lower = name.to_ascii_lowercase();
    let is_of = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
    let mut kinds = KINDS.iter();
    let found = match wanted {
        Some(wanted) => kinds.find(|(kind, endings)| *kind == wanted && is_of(endings)),
        None => kinds.find(|(_, endings)| is_of(endings)),
    };
    if let Some((kind, _)) = found {
        return Ok(kind);
    }
    let endings = KINDS
        .iter()
        .filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == *kind));
    let endings: Vec<String> = endings
        .map(|(kind, endings)| format!("{kind}: {}", endings.join(", ")))
        .collect();
    Err(Error::bad(format!(
        "`{}` ends as none of what a storage takes ({}): say another `filename`",
        repeated(name),
        endings.join("; ")
    )))
}

/// The algorithm and the digits of a checksum.
fn checksum(text: &str) -> Result<(&'static str, String), Error> {
    let (named, digits) = match text.split_once(':') {
        Some((named, digits)) => (Some(named.trim().to_ascii_lowercase()), digits),
        None => (None, text),
    };
    let digits = digits.trim().to_ascii_lowercase();
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut sums = SUMS.iter();
    let found = sums.find(|(algorithm, count)| {
        *count == digits.len()
            && named
                .as_deref()
                .is_none_or(|named| named.replace('-', "") == *algorithm)
    });
    match found {
        Some((algorithm, _)) if is_hex => Ok((algorithm, digits)),
        _ => {
            let known: Vec<String> = SUMS
                .iter()
                .map(|(algorithm, count)| format!("{algorithm} has {count}"))
                .collect();
            Err(Error::bad(format!(
                "`checksum` must be hexadecimal digits, as many as its algorithm has ({}), not `{}`",
                known.join(", "),
                repeated(text)
            )))
        }
    }
}
