//! What mends each thing that `check` finds, for a person at a shell.

use crate::config::variables::{
    API_URL, CA_FILE, PROXY, TOKEN_SECRET, TOKEN_SECRET_COMMAND, TOKEN_SECRET_FILE,
};
use crate::proxmox::advice;
use crate::proxmox::secret::SecretSource;
use crate::proxmox::settings::{Endpoint, Settings, Trust};

const API_PORT: u16 = 8006;

pub(super) fn name(settings: &Settings, endpoint: &Endpoint) -> String {
    let (field, host) = match &settings.proxy {
        Some(proxy) => (PROXY, &proxy.host),
        None => (API_URL, &endpoint.host),
    };
    format!(
        "correct the name in `{}`, or write the address in its place; `getent hosts {host}` shows \
         what this machine finds",
        advice::variable(settings, field)
    )
}

pub(super) fn connection(settings: &Settings, endpoint: &Endpoint) -> String {
    let url = advice::variable(settings, API_URL);
    let port = if endpoint.port == API_PORT {
        "the address".to_string()
    } else {
        format!(
            "the address and the port {}, as Proxmox listens on {API_PORT},",
            endpoint.port
        )
    };
    let way = match &settings.proxy {
        Some(_) => format!(" and in `{}`", advice::variable(settings, PROXY)),
        None => String::new(),
    };
    format!(
        "check {port} in `{url}`{way}; is the node up, does `systemctl status pveproxy` on it say \
         `active`, does a firewall in between let port {} through?",
        endpoint.port
    )
}

pub(super) fn untrusted(settings: &Settings, fingerprint: &str) -> String {
    let ca_file = match settings.trust {
        Trust::System { .. } => format!(
            "; or copy `/etc/pve/pve-root-ca.pem` from the node and name the copy as `{}`",
            advice::variable(settings, CA_FILE)
        ),
        _ => String::new(),
    };
    format!("{}{ca_file}", advice::trust(settings, fingerprint))
}

pub(super) fn copied() -> String {
    "something on the way shows a certificate that is not its own: look at what stands between this \
     machine and the node"
        .into()
}

pub(super) fn expired() -> String {
    "renew it on the node, as root: `pvecm updatecerts --force`, then `systemctl restart pveproxy`; \
     one of ACME by `pvenode acme cert renew`; a fingerprint that is pinned changes with it. If it \
     has not expired at all, the clock of this machine is wrong"
        .into()
}

pub(super) fn unreadable(settings: &Settings) -> String {
    match &settings.trust {
        Trust::CaFile(_) => format!(
            "put a copy of the cluster's `/etc/pve/pve-root-ca.pem` there, readable for whoever runs \
             this, or correct `{}`",
            advice::variable(settings, CA_FILE)
        ),
        _ => "correct `SSL_CERT_FILE`, or make the file readable".into(),
    }
}

pub(super) fn no_tls(settings: &Settings) -> String {
    format!(
        "something else than Proxmox may listen there: correct the port in `{}` (Proxmox has \
         {API_PORT}); or `pveproxy` hangs: `systemctl restart pveproxy` on the node",
        advice::variable(settings, API_URL)
    )
}

pub(super) fn clock() -> String {
    "hold both against a clock that you trust: `timedatectl` here and on the node, `chronyc \
     tracking` on the node; the validity of certificates and tokens and the times in lists depend \
     on it"
        .into()
}

pub(super) fn secret(settings: &Settings) -> String {
    match &settings.secret {
        SecretSource::File(_) => format!(
            "correct `{}`, or make that file readable for whoever runs this and for nobody else",
            advice::variable(settings, TOKEN_SECRET_FILE)
        ),
        SecretSource::Command(_) => format!(
            "run the program of `{}` by itself: it must print the secret within 10 s, without a \
             question",
            advice::variable(settings, TOKEN_SECRET_COMMAND)
        ),
        SecretSource::Value(_) => {
            format!("correct `{}`", advice::variable(settings, TOKEN_SECRET))
        }
    }
}

pub(super) fn no_answer() -> String {
    "look at the node: `systemctl status pveproxy pvedaemon pve-cluster`, `journalctl -u pveproxy`; \
     is it Proxmox VE that answers there?"
        .into()
}

pub(super) fn quorum() -> String {
    "bring the nodes back that are offline; `pvecm status` and `journalctl -u corosync` on this node \
     say what it sees of the others"
        .into()
}

pub(super) fn node(name: &str) -> String {
    format!(
        "look at `{name}`: has it power and network, and what does `systemctl status corosync \
         pve-cluster` say there? One that is gone for good is taken out by `pvecm delnode`"
    )
}
