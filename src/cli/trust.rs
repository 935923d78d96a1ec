//! `trust`: shows the certificates of an endpoint, and the lines that make the program trust it. No
//! token and no request is sent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{Command, EXIT_WRONG, EarlyExit, Start};
use crate::config;
use crate::log;
use crate::proxmox::cert;
use crate::proxmox::digest::{fingerprint_text, sha256};
use crate::proxmox::exchange::Remedy;
use crate::proxmox::key;
use crate::proxmox::look::{self, ConnectionProbe, Distrust};
use crate::proxmox::settings::{Endpoint, Trust};
use crate::proxmox::tls::ClusterTls;
use crate::text::repeated;

const LOOK_MAX_S: u64 = 5;

pub(super) const TRUST: Command = Command {
    name: "trust",
    usage: "URL",
    about: "shows the certificate of a server, and the lines that make it trusted",
    flags: &[],
    valued: &[],
    run,
};

fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let [url] = start.options.rest.as_slice() else {
        return Err(EarlyExit::Usage("`trust` needs one URL".into()));
    };
    // A host alone will do: nothing else is spoken there.
    let url = match url.contains("://") {
        true => url.clone(),
        false => format!("https://{url}"),
    };
    let endpoint = config::endpoint(&url)
        .map_err(|why| EarlyExit::Usage(format!("`{}` {why}", repeated(&url))))?;
    start
        .terminal
        .progress(&format!("connecting to {endpoint}"));
    let seen = look_as(&endpoint, &Trust::Nothing);
    start.terminal.progress("");
    let unreached = [
        seen.addresses.as_ref().and_then(|step| step.as_ref().err()),
        seen.connected.as_ref().and_then(|step| step.as_ref().err()),
    ];
    let failure = if let Some(cause) = unreached.into_iter().flatten().next() {
        Some(format!(
            "{cause}; check the address and the port (Proxmox listens on 8006), \
             `systemctl status pveproxy` on the node, and a firewall in between"
        ))
    } else if let Some(Err(cause)) = &seen.trusted {
        Some(match seen.distrust {
            Some(Distrust::Certificate(Remedy::OtherKey)) => {
                format!("no TLS: {cause}; {}", key::OTHER)
            }
            _ => format!("no TLS: {cause}"),
        })
    } else {
        None
    };
    if let Some(failure) = failure {
        log::error(&format!("{endpoint}: {failure}"));
        return Err(EarlyExit::Said(ExitCode::from(EXIT_WRONG)));
    }
    let by_system = look_as(
        &endpoint,
        &Trust::System {
            cert_file: start
                .variable("SSL_CERT_FILE")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        },
    );
    let is_trusted = matches!(by_system.trusted, Some(Ok(())));
    start.print(&text(&endpoint, &seen, is_trusted))
}

fn look_as(endpoint: &Endpoint, trust: &Trust) -> ConnectionProbe {
    let trusted = ClusterTls::new(trust, Path::new(""));
    look::look(endpoint, &trusted, None, Duration::from_secs(LOOK_MAX_S))
}

fn text(endpoint: &Endpoint, seen: &ConnectionProbe, is_trusted: bool) -> String {
    let mut text = format!("{endpoint} shows:\n");
    for (number, der) in seen.chain.iter().enumerate() {
        let certificate = cert::read(der);
        let title = match number {
            0 => "its own certificate".to_string(),
            number => format!("certificate {} of its chain", number + 1),
        };
        text.push_str(&format!("\n{title}\n"));
        let names = match certificate.names.is_empty() {
            true => "none".to_string(),
            false => certificate.names.join(" "),
        };
        let valid = format!(
            "{} to {} UTC",
            certificate.not_before, certificate.not_after
        );
        let rows = [
            ("subject", certificate.subject),
            ("issuer", certificate.issuer),
            ("names", names),
            ("valid", valid),
            ("SHA-256", fingerprint_text(&sha256(der))),
        ];
        for (name, value) in rows {
            text.push_str(&format!("  {name:8} {value}\n"));
        }
    }
    if let Some(why) = seen.chain.first().and_then(|der| key::unusable(der)) {
        text.push_str(&format!(
            "\nThis cannot be used: {why}.\nTo mend it, {}.\n",
            key::OTHER
        ));
        return text;
    }
    let fingerprint = seen.chain.first().map(|der| fingerprint_text(&sha256(der)));
    let fingerprint = fingerprint.unwrap_or_default();
    if is_trusted {
        text.push_str(
            "\nThe roots of this system vouch for it: nothing needs to be set. To trust this very\n\
             certificate only, or where the program runs elsewhere, there are the lines below.\n",
        );
    }
    text.push_str(&format!(
        "\nAnybody on the way may have shown this. Compare the first SHA-256 with what\n\
         `pvenode cert info` prints on the node's own console (for pveproxy-ssl.pem, if\n\
         there is one, else for pve-ssl.pem). Only if they agree, set in `.env`\n\
         \n\
         with PROXMOX_CLUSTERS, where NAME is the cluster's:\n\
         PROXMOX_CLUSTER_NAME_FINGERPRINT={fingerprint}\n\
         without:\n\
         PROXMOX_FINGERPRINT={fingerprint}\n\
         \n\
         This changes when the certificate is renewed. The cluster's own root does not,\n\
         and vouches for all of its nodes, under the names above. In place of the lines\n\
         above copy it, over a way that you trust, and name the copy:\n\
         scp root@{host}:/etc/pve/pve-root-ca.pem /etc/proxmox-mcp/NAME-ca.pem\n\
         PROXMOX_CLUSTER_NAME_CA_FILE=/etc/proxmox-mcp/NAME-ca.pem\n\
         or, without PROXMOX_CLUSTERS:\n\
         PROXMOX_CA_FILE=/etc/proxmox-mcp/NAME-ca.pem\n",
        host = match endpoint.host.contains(':') {
            true => format!("[{}]", endpoint.host),
            false => endpoint.host.clone(),
        }
    ));
    text
}
