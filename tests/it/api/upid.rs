//! Task ids, and following a task to its end.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use proxmox_mcp::api::request::{Reply, Request};
use proxmox_mcp::api::upid::{Upid, parse_qualified};
use proxmox_mcp::charged::Charged;
use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::task::{self, TaskSource, TaskStage, TaskWatch};
use proxmox_mcp::room::Charge;
use serde_json::{Value, json};

const START: &str = "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:";

#[test]
fn parses_upids() {
    for (text, node, kind, id, user) in [
        (START, "pve1", "qmstart", "100", "mcp@pve!full"),
        (
            "UPID:b-2.x:000005C1:100061858:6AC2728D:imgdel:101@fast:root@pam:",
            "b-2.x",
            "imgdel",
            "101@fast",
            "root@pam",
        ),
        (
            "UPID:pve1:000005AF:0006180C:6AC2728D:imgdel:nas:DOM\\user+x=1&o'neil@my.ad!t-1:",
            "pve1",
            "imgdel",
            "nas",
            "DOM\\user+x=1&o'neil@my.ad!t-1",
        ),
        (
            "UPID:pve1:000005AF:0006180C:6AC2728D:aptupdate::root@pam:",
            "pve1",
            "aptupdate",
            "",
            "root@pam",
        ),
    ] {
        let upid = Upid::parse(text).unwrap();
        assert_eq!(upid.node, node);
        assert_eq!(upid.kind, kind);
        assert_eq!(upid.id, id);
        assert_eq!(upid.user, user);
        assert_eq!(upid.to_string(), text);
        let qualified = upid.of("prod");
        let parsed = parse_qualified(&qualified).unwrap();
        assert_eq!(parsed, (Some("prod".into()), upid.clone()));
        assert_eq!(parse_qualified(text).unwrap(), (None, upid));
    }
    assert_eq!(Upid::parse(START).unwrap().started, 0x6AC2_728D);
}

#[test]
fn refuses_what_is_none() {
    for text in [
        "",
        "UPID",
        "100",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full",
        "upid:pve1:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:x",
        "UPID:pve1:5AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728G:qmstart:100:mcp@pve!full:",
        "UPID::000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:..:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:../etc:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728D::100:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:100::",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:1/0:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:1 0:mcp@pve!full:",
        "UPID:pve1:000005AF:0006180C:6AC2728D:qmstart:100:mcp@pve!full:\n",
    ] {
        assert!(Upid::parse(text).is_err(), "{text}");
        assert!(parse_qualified(text).is_err(), "{text}");
        assert!(parse_qualified(&format!("prod!{text}")).is_err(), "{text}");
    }
    assert!(parse_qualified(&format!("!{START}")).is_err());
    assert!(Upid::parse(&format!("UPID:{}:", "x".repeat(600))).is_err());
}

/// Answers one after another; the last one again and again.
fn script(
    answers: Vec<Result<Value, Error>>,
) -> (
    impl Fn(&Request) -> Result<Reply, Error>,
    &'static RefCell<Vec<String>>,
) {
    let asked: &'static RefCell<Vec<String>> = Box::leak(Box::default());
    let answers = RefCell::new(answers);
    let send = move |request: &Request| {
        asked
            .borrow_mut()
            .push(format!("{}?{}", request.line(), json!(request.params)));
        let mut answers = answers.borrow_mut();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        answer.map(|body| Reply {
            data: Charged::new(body["data"].clone(), Charge::default()),
            total: body["total"].as_u64(),
            changes: None,
        })
    };
    (send, asked)
}

/// Watches a task as whoever has nothing else to do.
fn followed(
    send: &dyn Fn(&Request) -> Result<Reply, Error>,
    cluster: &str,
    upid: &Upid,
    source: TaskSource,
    time: Duration,
) -> Result<task::TaskState, Error> {
    let mut watch = TaskWatch::new(upid.clone(), source, time);
    loop {
        thread::sleep(watch.due().saturating_duration_since(Instant::now()));
        let limit = Duration::from_secs(task::LOOK_MAX_S);
        if let Some(state) = watch.look(send, cluster, limit) {
            return state;
        }
    }
}

fn running() -> Result<Value, Error> {
    Ok(json!({"data": {"status": "running"}}))
}

fn stopped(exit: &str) -> Result<Value, Error> {
    Ok(json!({"data": {"status": "stopped", "exitstatus": exit}}))
}

fn lost() -> Result<Value, Error> {
    Err(Error::unreachable("prod", "gone"))
}

fn follow(answers: Vec<Result<Value, Error>>, ms: u64) -> Result<task::TaskState, Error> {
    let (send, _) = script(answers);
    let upid = Upid::parse(START).unwrap();
    followed(
        &send,
        "prod",
        &upid,
        TaskSource::Cluster,
        Duration::from_millis(ms),
    )
}

#[test]
fn follows_a_task_to_its_end() {
    let (send, asked) = script(vec![running(), lost(), stopped("OK")]);
    let upid = Upid::parse(START).unwrap();
    let state = followed(
        &send,
        "prod",
        &upid,
        TaskSource::Cluster,
        Duration::from_secs(5),
    )
    .unwrap();
    assert_eq!(state.state, TaskStage::Ok);
    assert_eq!(state.task, format!("prod!{START}"));
    assert_eq!(asked.borrow().len(), 3);
    assert_eq!(
        asked.borrow()[0],
        format!("GET /nodes/pve1/tasks/{START}/status?{{}}")
    );
    assert!(state.succeeded().is_ok());
}

#[test]
fn a_task_that_outlasts_the_wait_still_runs() {
    let state = follow(vec![running()], 50).unwrap();
    assert_eq!((state.state, state.unseen), (TaskStage::Running, None));
    let state = follow(vec![lost()], 50).unwrap();
    assert_eq!(state.state, TaskStage::Running);
    assert!(state.unseen.unwrap().contains("gone"));
    let times: Vec<Duration> = (0..5)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(
                follow(vec![running()], 0).unwrap().state,
                TaskStage::Running
            );
            started.elapsed()
        })
        .collect();
    assert!(times.iter().min() < Some(&Duration::from_millis(100)));
}

/// What only the caller says to be a task does not run because nobody answers.
#[test]
fn a_task_that_was_never_seen_does_not_run() {
    let named = |answers: Vec<Result<Value, Error>>| {
        let (send, asked) = script(answers);
        let upid = Upid::parse(START).unwrap();
        let time = Duration::from_millis(400);
        let state = followed(&send, "prod", &upid, TaskSource::Caller, time);
        let asked = asked.borrow().len();
        (state, asked)
    };
    assert_eq!(
        named(vec![lost()]).0.unwrap_err().code.as_str(),
        "ClusterConnectionError"
    );
    // Once it was seen, it is known.
    let (state, _) = named(vec![running(), lost()]);
    assert!(state.unwrap().unseen.is_some());
    let (state, _) = named(vec![lost(), stopped("OK")]);
    assert_eq!(state.unwrap().state, TaskStage::Ok);
    // There is no such node: nothing is waited for.
    let message = "hostname lookup 'pve1' failed - failed to get address info for: pve1: x";
    let no_node = Error::refused("prod", 500, message);
    let (state, asked) = named(vec![Err(no_node)]);
    assert_eq!(
        (state.unwrap_err().code.as_str(), asked),
        ("ProxmoxError", 1)
    );
}

#[test]
fn a_log_that_is_no_list_is_not_an_empty_one() {
    let upid = Upid::parse(START).unwrap();
    for other in [json!({"n": 1}), json!("TASK OK"), Value::Null] {
        let (send, _) = script(vec![Ok(json!({"total": 2, "data": other}))]);
        let error = task::log_tail(&send, "prod", &upid, 5).unwrap_err();
        assert_eq!(error.code.as_str(), "ReplyError", "{error}");
        assert!(error.to_string().starts_with("prod: "), "{error}");
    }
    let (send, _) = script(vec![Ok(json!({"total": 0, "data": []}))]);
    assert_eq!(task::log_tail(&send, "prod", &upid, 5).unwrap(), [""; 0]);
}

#[test]
fn a_task_that_ends_badly_brings_its_log() {
    let log = json!({"total": 12, "data": [
        {"n": 11, "t": "volume \u{1b}[31mlost"}, {"n": 12, "t": "TASK ERROR: no"}]});
    let (send, asked) = script(vec![
        stopped("no"),
        Ok(json!({"total": 12, "data": []})),
        Ok(log),
    ]);
    let upid = Upid::parse(START).unwrap();
    let state = followed(
        &send,
        "prod",
        &upid,
        TaskSource::Cluster,
        Duration::from_secs(5),
    )
    .unwrap();
    assert_eq!(state.log_tail, ["volume \\u{1b}[31mlost", "TASK ERROR: no"]);
    assert!(
        asked.borrow()[2].ends_with(r#"/log?{"start":2,"limit":10}"#),
        "{asked:?}"
    );
    let error = state.succeeded().unwrap_err();
    assert_eq!(error.code.as_str(), "TaskError");

    let quiet = Ok(json!({"total": 1, "data": [{"n": 1, "t": "no content"}]}));
    let state = follow(vec![stopped("unexpected status"), quiet], 100).unwrap();
    assert_eq!(state.state, TaskStage::Failed);
    assert!(state.log_tail.is_empty());
    assert!(
        state
            .succeeded()
            .unwrap_err()
            .hint
            .clone()
            .unwrap()
            .contains("killed")
    );

    let state = follow(vec![stopped("received interrupt"), lost()], 100).unwrap();
    assert_eq!(state.state, TaskStage::Failed);
    let state = follow(vec![stopped("WARNINGS: 2"), lost()], 100).unwrap();
    assert_eq!(state.state, TaskStage::Warnings);
    assert!(state.succeeded().is_ok());
}

#[test]
fn what_repeating_will_not_change_ends_the_wait() {
    let denied = Error::denied("prod", "no");
    assert_eq!(follow(vec![Err(denied.clone())], 5000).unwrap_err(), denied);
    assert_eq!(
        follow(vec![Err(Error::cancelled())], 5000).unwrap_err(),
        Error::cancelled()
    );
}
