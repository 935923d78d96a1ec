//! What a reverse proxy, a firewall for web applications or a page to log in answers in a node's place.

use super::fault::{Fault, FrontBody};
use super::http::Response;

/// What is said, and whether before that the node executed the request.
pub fn said(faults: &[Fault]) -> Option<(Response, bool)> {
    faults.iter().find_map(|fault| match fault {
        Fault::Front {
            status,
            with,
            executed,
        } => Some((response(*status, *with), *executed)),
        _ => None,
    })
}

fn response(status: u16, with: FrontBody) -> Response {
    let reason = reason(status);
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} \
         {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let (kind, body) = match with {
        FrontBody::Nothing => (None, String::new()),
        FrontBody::Text => (Some("text/plain"), reason.to_lowercase()),
        FrontBody::Page | FrontBody::Login | FrontBody::Redirect => (Some("text/html"), page),
    };
    let header = match with {
        FrontBody::Login => Some(("WWW-Authenticate", "Basic realm=\"Restricted\"")),
        FrontBody::Redirect => Some(("Location", "https://sso.example.com/login?state=hush")),
        _ => None,
    };
    Response {
        status,
        reason: reason.into(),
        content_type: kind.map(String::from),
        headers: header
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .collect(),
        body: Some(body.into_bytes()),
        plain: true,
        front: true,
        ..Response::default()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        520 => "Web Server Returned an Unknown Error",
        524 => "A Timeout Occurred",
        530 => "Origin DNS Error",
        _ => "",
    }
}
