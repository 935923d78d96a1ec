//! Files that come to a storage, templates that a node offers, and backups that are pruned.

use serde_json::json;

use super::super::answer::{Answer, Refusal, given, number};
use super::super::gate::Call;
use super::super::guest::Kind;
use super::super::storage::Volume;
use super::super::task::Plan;
use super::content::usable;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/storage/{storage}/upload", upload),
    (
        "POST",
        "/nodes/{node}/storage/{storage}/download-url",
        download,
    ),
    ("GET", "/nodes/{node}/aplinfo", templates),
    ("POST", "/nodes/{node}/aplinfo", fetch_template),
    (
        "GET",
        "/nodes/{node}/storage/{storage}/prunebackups",
        prunable,
    ),
    (
        "DELETE",
        "/nodes/{node}/storage/{storage}/prunebackups",
        prune,
    ),
];

fn upload(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (node, who, content, name) = (
        call.node.clone(),
        call.who.clone(),
        call.text("content"),
        call.text("filename"),
    );
    let fits = match content.as_str() {
        "iso" => name.ends_with(".iso") || name.ends_with(".img"),
        "vztmpl" => [".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"]
            .iter()
            .any(|end| name.ends_with(end)),
        _ => true,
    };
    if !fits {
        return Err(Refusal::param("filename", "wrong file extension"));
    }
    if !call
        .state
        .storage(&id)
        .is_some_and(|storage| storage.holds(&content))
    {
        return Err(Refusal::die(format!(
            "storage '{id}' does not support '{content}' content"
        )));
    }
    let spool = call.text("tmpfilename");
    let told = spool.rsplit_once('-').map_or("", |(_, told)| told);
    let (hash, size) = told.split_at_checked(64).unwrap_or_default();
    let (hash, size) = (hash.to_string(), u64::from_str_radix(size, 16).unwrap_or(0));
    let sum = given(&call.params, "checksum");
    Ok(call
        .state
        .spawn(&who, Plan::new(&node, "imgcopy", ""), move |state, log| {
            log.push(format!("starting file import from: {spool}"));
            if let Some(sum) = sum {
                if sum != hash {
                    log.push("calculating checksum...".into());
                    return Err(format!("checksum mismatch: got '{hash}' != expect '{sum}'"));
                }
                log.push("calculating checksum...OK, checksum verified".into());
            }
            log.push(format!("target node: {node}"));
            let file = state.put_file(&id, &node, &content, &name, size);
            log.push(format!("target file: {file}"));
            log.push(format!("file size is: {size}"));
            log.push(format!("command: cp -- {spool} {file}"));
            log.push("finished file import successfully".into());
            Ok(())
        }))
}

impl super::super::state::State {
    /// A file on a storage, over one of the same name if there is one. Gives its path.
    fn put_file(&mut self, id: &str, node: &str, content: &str, name: &str, size: u64) -> String {
        let (volid, ctime) = (format!("{id}:{content}/{name}"), self.now());
        self.free(&volid, node);
        let Some(storage) = self.storage_mut(id) else {
            return String::new();
        };
        let path = storage.file(&volid);
        let node = if storage.shared {
            String::new()
        } else {
            node.into()
        };
        let format = if content == "iso" { "iso" } else { "tgz" };
        storage.volumes.push(Volume {
            volid,
            node,
            content: content.into(),
            format: format.into(),
            size,
            used: size,
            ctime,
            ..Volume::default()
        });
        path
    }
}

/// What the server of a URL has: nothing where its name says so; else a file whose checksum is known where it
/// was recorded, or made up of the URL.
fn checksum_at(url: &str) -> Option<String> {
    const GOOD: &str = "1e4413036e1bf006ce12ad40b747461291867403755ee293a7258a455d8e2727";
    let path = url.split('?').next().unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        name if name.starts_with("nosuch") => None,
        "good.iso" => Some(GOOD.into()),
        _ => {
            let whole = super::super::digest::sha1(url.as_bytes());
            Some(whole.chars().cycle().take(GOOD.len()).collect())
        }
    }
}

fn download(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (node, who, content, name, url) = (
        call.node.clone(),
        call.who.clone(),
        call.text("content"),
        call.text("filename"),
        call.text("url"),
    );
    let ends = |endings: &[&str]| endings.iter().any(|end| name.ends_with(end));
    match content.as_str() {
        "iso" if !ends(&[".iso", ".img"]) => {
            return Err(Refusal::param("filename", "wrong file extension"));
        }
        "vztmpl" if !ends(&[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"]) => {
            return Err(Refusal::param("filename", "wrong file extension"));
        }
        "import" if !ends(&[".ova", ".qcow2", ".raw", ".vmdk"]) => {
            let problem = "invalid filename or wrong extension";
            return Err(Refusal::param("filename", problem));
        }
        _ => {}
    }
    let holds = call
        .state
        .storage(&id)
        .is_some_and(|one| one.holds(&content));
    if !holds {
        return Err(Refusal::die(format!(
            "storage '{id}' is not configured for content-type '{content}'"
        )));
    }
    let name = name.rsplit('/').next().unwrap_or_default().to_string();
    let wanted = given(&call.params, "checksum").map(|sum| sum.to_lowercase());
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "download", &name).length(3),
        move |state, log| {
            let volid = format!("{id}:{content}/{name}");
            let path = state
                .storage(&id)
                .map(|storage| storage.file(&volid))
                .unwrap_or_default();
            let is_there = state
                .storage(&id)
                .is_some_and(|storage| storage.seen_from(&node).any(|one| one.volid == volid));
            log.push(format!("downloading {url} to {path}"));
            let found = checksum_at(&url);
            let mismatch = |wanted: &str| {
                let found = found.clone().unwrap_or_default();
                format!("checksum mismatch: got '{found}' != expect '{wanted}'")
            };
            match &wanted {
                None if is_there => {
                    return Err(format!("refusing to override existing file '{path}'"));
                }
                Some(wanted) if is_there && found.as_ref() == Some(wanted) => {
                    log.push(
                        "calculating checksum of existing file...OK, got correct file already, no need to download"
                            .into(),
                    );
                    return Ok(());
                }
                Some(wanted) if is_there => {
                    log.push("calculating checksum of existing file...".into());
                    return Err(format!("{}, aborting", mismatch(wanted)));
                }
                _ => {}
            }
            if url.starts_with("http://127.0.0.1:9/") {
                return Err(
                    "download failed: Connecting to 127.0.0.1:9... failed: Connection refused."
                        .into(),
                );
            }
            if found.is_none() {
                log.push("ERROR 404: File not found.".into());
                return Err("download failed: exit code 8".into());
            }
            if let Some(wanted) = wanted.filter(|wanted| found.as_ref() != Some(wanted)) {
                return Err(mismatch(&wanted));
            }
            state.put_file(&id, &node, &content, &name, 1 << 20);
            log.push("download of finished successfully".into());
            Ok(())
        },
    ))
}

/// What the node's list of templates has; a lab without a way out has none.
fn templates(call: &mut Call) -> Answer {
    let rows = call.state.templates.iter().map(|template| {
        let package = template.split('_').next().unwrap_or_default();
        let os = package.rsplit_once('-').map_or(package, |(os, _)| os);
        let version = template.split('_').nth(1).unwrap_or_default();
        json!({"template": template, "package": package, "os": os, "version": version, "section": "system", "headline": format!("{os} ({version})"), "type": "lxc", "source": "https://download.example/images/system"})
    });
    Ok(rows.collect())
}

fn fetch_template(call: &mut Call) -> Answer {
    let template = call.text("template");
    if !call.state.templates.contains(&template) {
        return Err(Refusal::param("template", "no such template"));
    }
    let id = usable(call)?;
    let holds = call
        .state
        .storage(&id)
        .is_some_and(|one| one.holds("vztmpl"));
    if !holds {
        return Err(Refusal::die(format!(
            "storage '{id}' does not support templates"
        )));
    }
    let (node, who) = (call.node.clone(), call.who.clone());
    let plan = Plan::new(&node, "download", &template).length(3);
    Ok(call.state.spawn(&who, plan, move |state, log| {
        log.push(format!("downloading {template}"));
        state.put_file(&id, &node, "vztmpl", &template, 1 << 20);
        Ok(())
    }))
}

fn rule(call: &Call, id: &str) -> Option<String> {
    let own = || {
        let storage = call.state.storage(id)?;
        storage.options.get("prune-backups").cloned()
    };
    given(&call.params, "prune-backups").or_else(own)
}

fn no_rule(id: &str) -> String {
    format!("no prune-backups options configured for storage '{id}'")
}

fn prunable(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let vmid = number(&call.params, "vmid").map(|vmid| vmid as u32);
    let Some(storage) = call.state.storage(&id) else {
        return NULL;
    };
    if !storage.content.iter().any(|content| content == "backup") {
        let text = format!("storage '{id}' does not support backups");
        return Err(Refusal::die(text));
    }
    let rule = rule(call, &id).ok_or_else(|| Refusal::die(no_rule(&id)))?;
    let gone = call.state.prunable(&id, &call.node, vmid, &rule);
    let backups = storage
        .seen_from(&call.node)
        .filter(|volume| volume.content == "backup" && (vmid.is_none() || volume.vmid == vmid));
    let rows = backups.map(|volume| {
        let mark = if volume.protected { "protected" } else if gone.contains(&volume.volid) { "remove" } else { "keep" };
        let kind = if volume.volid.contains("-lxc-") { Kind::Lxc } else { Kind::Qemu };
        json!({"volid": volume.volid, "ctime": volume.ctime, "mark": mark, "type": kind.word(), "vmid": volume.vmid})
    });
    Ok(rows.collect())
}

fn prune(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (vmid, rule, node, who) = (
        number(&call.params, "vmid").map(|vmid| vmid as u32),
        rule(call, &id),
        call.node.clone(),
        call.who.clone(),
    );
    let name = vmid.map_or(id.clone(), |vmid| format!("{vmid}@{id}"));
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "prunebackups", name),
        move |state, log| {
            let rule = rule.ok_or_else(|| no_rule(&id))?;
            for volid in state.prunable(&id, &node, vmid, &rule) {
                state.free(&volid, &node);
                log.push(format!("removing backup '{volid}'"));
            }
            Ok(())
        },
    ))
}
