//! From a request to a handler: who calls, which method, which node, may they, are the parameters right.

use serde_json::{Value, json};

use super::answer::{Answer, Params, Refusal, scalar};
use super::api;
use super::check;
use super::digest::sha1;
use super::http::{Request, Response, decode};
use super::rights::Who;
use super::schema::{self, Method};
use super::state::State;

/// What a handler works with.
pub struct Call<'a> {
    pub state: &'a mut State,
    pub who: Who,
    pub params: Params,
    pub method: &'static Method,
    /// The node that the request was sent to.
    pub entry: String,
    /// The node that executes it.
    pub node: String,
    /// Goes beside `data`.
    pub beside: Params,
}

/// A call up to the point where its handler runs; can be tried again while a lock is waited for.
pub struct Asked {
    who: Who,
    method: &'static Method,
    params: Params,
    node: String,
    extjs: bool,
    passed_on: Option<&'static str>,
}

/// Everything before the handler.
pub fn ask(
    state: &mut State,
    entry: &str,
    request: &Request,
    lacks: &[String],
) -> Result<Asked, Response> {
    let path = decode(&request.path, false);
    let Some(rest) = path.strip_prefix("/api2/") else {
        return Err(Response::text(501, &format!("no handler for '{path}'")));
    };
    let (formatter, path) = rest
        .split_once('/')
        .map_or((rest, "/".into()), |(formatter, path)| {
            (formatter, format!("/{path}"))
        });
    if !matches!(formatter, "json" | "extjs") {
        return Err(Response::text(
            501,
            &format!("no formatter for uri {path}, {formatter}"),
        ));
    }
    let extjs = formatter == "extjs";
    let refuse = |refusal: Refusal| response(Err(refusal), Params::new(), false, extjs);
    let found = schema::find(&request.verb, &path);
    let mut who = match authenticate(state, request) {
        Ok(who) => who,
        Err(refusal) if found.as_ref().is_some_and(|(method, _)| open(method)) => {
            let _ = refusal;
            Who::default()
        }
        Err(refusal) => return Err(refuse(refusal)),
    };
    who.lacks = if who.token.is_some() {
        lacks.to_vec()
    } else {
        Vec::new()
    };
    let unknown = || {
        let path = path.trim_end_matches('/').replace("//", "/");
        refuse(Refusal::http(
            501,
            format!("Method '{} {path}' not implemented", request.verb),
        ))
    };
    let body = body(request)?;
    let Some((method, slots)) = found else {
        return Err(unknown());
    };
    let (params, node) = merge(slots, body, &request.query).map_err(&refuse)?;
    let node = if node.is_empty() || node == "localhost" {
        entry.to_string()
    } else {
        node
    };
    let away = method.proxyto.is_some() && node != entry;
    let node = if method.proxyto.is_some() {
        node
    } else {
        entry.to_string()
    };
    if away {
        reach(state, &node).map_err(&refuse)?;
    }
    if let Some((status, reason)) = state.daemon.as_ref().filter(|_| method.protected && !away) {
        return Err(refuse(Refusal::bare(*status, reason.clone())));
    }
    if who.token.is_some() && !method.allowtoken {
        let text = format!("URI '{path}' not available with API token, need proper ticket.\n");
        return Err(refuse(Refusal::forbidden(&text)));
    }
    state
        .permitted(&who, &method.perms, &params)
        .map_err(&refuse)?;
    let params = check::parameters(method, params).map_err(&refuse)?;
    let passed_on = match (method.protected, away) {
        (true, true) => Some("close,Keep-Alive"),
        (true, false) => Some("close"),
        (false, true) => Some("Keep-Alive"),
        _ => None,
    };
    Ok(Asked {
        who,
        method,
        params,
        node,
        extjs,
        passed_on,
    })
}

/// Runs the handler. With a waiting time the caller should try again until it has passed.
pub fn run(state: &mut State, entry: &str, asked: &Asked) -> (Response, f64) {
    let mut call = Call {
        state,
        who: asked.who.clone(),
        params: asked.params.clone(),
        method: asked.method,
        entry: entry.into(),
        node: asked.node.clone(),
        beside: Params::new(),
    };
    let answer = api::handle(&mut call);
    let wait_s = answer.as_ref().err().map_or(0.0, |refusal| refusal.wait_s);
    let beside = call.beside;
    let mut response = response(answer, beside, false, asked.extjs);
    response.passed_on = asked.passed_on;
    (response, wait_s)
}

/// An answer as it goes over the wire. `old`: without `message`, as up to 8.3.
pub fn response(answer: Answer, beside: Params, old: bool, extjs: bool) -> Response {
    let (status, reason, body) = match answer {
        Ok(data) => {
            let mut body = beside;
            if let Some(text) = body.remove("download") {
                let body = Some(scalar(&text).into_bytes());
                return Response {
                    status: 200,
                    reason: "OK".into(),
                    content_type: Some("text/plain".into()),
                    body,
                    ..Response::default()
                };
            }
            body.insert("data".into(), data);
            if extjs {
                body.insert("success".into(), 1.into());
            }
            (200, "OK".to_string(), Value::Object(body))
        }
        Err(refusal) if refusal.bare => return Response::bare(refusal.status, refusal.reason()),
        Err(refusal) => {
            let mut body = Params::new();
            body.insert("data".into(), Value::Null);
            if !refusal.errors.is_empty() {
                body.insert("errors".into(), refusal.errors.clone().into());
            }
            if !old {
                body.insert("message".into(), refusal.message.clone().into());
            }
            if extjs {
                body.insert("success".into(), 0.into());
                body.insert("status".into(), refusal.status.into());
                (200, "OK".to_string(), body.into())
            } else {
                (refusal.status, refusal.reason().to_string(), body.into())
            }
        }
    };
    Response {
        status,
        reason,
        content_type: Some("application/json;charset=UTF-8".into()),
        body: Some(body.to_string().into_bytes()),
        ..Response::default()
    }
}

/// Methods that nobody has to log in for.
fn open(method: &Method) -> bool {
    method.perms["user"] == "world" && (method.path != "/access/openid")
}

fn authenticate(state: &State, request: &Request) -> Result<Who, Refusal> {
    let failed = || Refusal::bare(401, "Authentication failed!");
    let cookie = request
        .header("cookie")
        .and_then(|cookie| cookie.split("PVEAuthCookie=").nth(1))
        .map(|rest| rest.split(';').next().unwrap_or(""));
    if let Some(ticket) = cookie {
        let user = state
            .ticket_user(&decode(ticket, false))
            .ok_or_else(failed)?;
        let csrf = request.header("csrfpreventiontoken").unwrap_or("");
        if request.verb != "GET" && csrf != state.csrf(&user) {
            return Err(Refusal::bare(401, "Permission denied - invalid csrf token"));
        }
        return Ok(Who {
            user,
            ..Who::default()
        });
    }
    let header = request.header("authorization").unwrap_or("");
    let Some(token) = header
        .strip_prefix("PVEAPIToken")
        .and_then(|rest| rest.strip_prefix(['=', ' ']))
    else {
        return Err(Refusal::bare(401, "No ticket"));
    };
    let token = decode(token, false);
    let (id, secret) = token.split_once('=').ok_or_else(failed)?;
    state.token(id, secret).ok_or_else(failed)
}

impl State {
    /// A login ticket.
    pub fn ticket(&self, user: &str) -> String {
        let time = format!("{:08X}", self.now());
        format!("PVE:{user}:{time}::{}", self.signature(user, &time))
    }

    fn signature(&self, user: &str, time: &str) -> String {
        sha1(format!("{}/{user}/{time}", self.name).as_bytes())
    }

    pub fn ticket_user(&self, ticket: &str) -> Option<String> {
        let parts: Vec<&str> = ticket.split(':').collect();
        let [_, user, time, _, signature] = parts[..] else {
            return None;
        };
        (signature == self.signature(user, time) && self.access.users.contains_key(user))
            .then(|| user.to_string())
    }

    pub fn csrf(&self, user: &str) -> String {
        format!("{:08X}:{}", 0x6AC27000, self.signature(user, "csrf"))
    }
}

fn reach(state: &mut State, node: &str) -> Result<(), Refusal> {
    if state.severed.remove(node) {
        return Err(Refusal::bare(596, "Connection reset by peer"));
    }
    match state.nodes.get(node) {
        Some(known) if known.online => Ok(()),
        Some(_) => Err(Refusal::bare(595, "No route to host")),
        None if state
            .nodes
            .keys()
            .any(|known| known.eq_ignore_ascii_case(node)) =>
        {
            Err(Refusal::bare(
                596,
                "error:0A000086:SSL routines::certificate verify failed",
            ))
        }
        None => {
            let why = if node.starts_with('.') {
                "Name or service not known"
            } else {
                "Temporary failure in name resolution"
            };
            Err(Refusal::die(format!(
                "hostname lookup '{node}' failed - failed to get address info for: {node}: {why}"
            )))
        }
    }
}

fn body(request: &Request) -> Result<Params, Response> {
    if request.body.is_empty() {
        return Ok(Params::new());
    }
    let kind = request
        .header("content-type")
        .unwrap_or("application/x-www-form-urlencoded");
    match kind.split(';').next().unwrap_or("").trim() {
        "application/x-www-form-urlencoded" => Ok(form(&String::from_utf8_lossy(&request.body))),
        "application/json" => match serde_json::from_slice(&request.body) {
            Ok(Value::Object(params)) => Ok(params),
            Ok(_) => Err(Response::text(
                500,
                "Not a HASH reference at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 978.",
            )),
            Err(error) => {
                let what = "malformed JSON string, neither tag, array, object, number, string or atom, at character offset";
                let near = "(before \"(end of string)\") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934.";
                Err(Response::text(
                    500,
                    &format!("{what} {} {near}", error.column()),
                ))
            }
        },
        "multipart/form-data" => super::upload::parse(request),
        other => Err(Response::text(
            506,
            &format!("upload 'Content-Type '{other}' not implemented"),
        )),
    }
}

/// The parameters of query and body, whatever becomes of the request.
pub fn sent(request: &Request) -> Params {
    let mut params = body(request).unwrap_or_default();
    params.extend(form(&request.query));
    params
}

fn form(text: &str) -> Params {
    let mut params = Params::new();
    for pair in text.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name, true), Value::String(decode(value, true)));
        match params.get_mut(&name) {
            None => {
                params.insert(name, value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(first) => *first = json!([first.clone(), value]),
        }
    }
    params
}

/// One set of parameters from path, query and body, and the node among them.
fn merge(slots: Params, body: Params, query: &str) -> Result<(Params, String), Refusal> {
    let mut params = body;
    params.extend(form(query));
    params.remove("_dc");
    for (name, value) in slots {
        if params
            .get(&name)
            .is_some_and(|given| scalar(given) != scalar(&value))
        {
            return Err(Refusal::param(
                &name,
                "duplicate parameter (already defined in URI) with conflicting values!",
            ));
        }
        params.insert(name, value);
    }
    let node = params.get("node").map(scalar).unwrap_or_default();
    Ok((params, node))
}
