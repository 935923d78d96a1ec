//! The gate's whole table: every tool and action at every access level, on protected guests and on
//! others, confirmed in every way. What is expected is reckoned here from the plan of tools, and the
//! simulator's record shows what was sent.

use std::collections::BTreeSet;
use std::thread;

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::api::methods::weigh;
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::error::{Code, Error};
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::confirm::{QuestionReply, UserAnswer};
use proxmox_mcp::gate::{CallOrigin, Caller};
use proxmox_mcp::tool::Tool;
use proxmox_mcp::tool::args;
use proxmox_mcp::tool::call::{self, AppState, CallOutcome};
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Map, Value, json};

use crate::session::{agreement, configuration};
use crate::sim::{Fault, World, spec};

const R: Mark = Mark::READ;
const O: Mark = Mark::OPERATE;
const C: Mark = Mark::CHANGE;
const F: Mark = Mark::FULL;
const CUTS: Mark = O.interrupts();
const STOPS: Mark = O.interrupts().asks();
const UNPLUGS: Mark = C.interrupts();
const TAKES: Mark = F.destroys();
const OVER: Mark = F.interrupts().destroys();

/// One call on `staging`.
struct Row {
    mark: Mark,
    /// Whether it harms the existing guest that it addresses, so that protection forbids it.
    harms: bool,
    tool: &'static str,
    arguments: &'static str,
    /// Whether its plan is about nothing that changes.
    lasts: bool,
    /// What was done before: `%` orders to the simulator, `>` calls. `$task`, `$archive` and `$digest` are
    /// filled in.
    before: &'static [&'static str],
}

const fn row(mark: Mark, tool: &'static str, arguments: &'static str) -> Row {
    Row {
        mark,
        harms: false,
        lasts: false,
        tool,
        arguments,
        before: &[],
    }
}

impl Row {
    const fn harms(self) -> Row {
        Row {
            harms: true,
            ..self
        }
    }

    const fn lasts(self) -> Row {
        Row {
            lasts: true,
            ..self
        }
    }

    const fn after(self, before: &'static [&'static str]) -> Row {
        Row { before, ..self }
    }
}

const RUNS: &[&str] = &[r#"> guest_power {"guest":100,"action":"start"}"#];
const PAUSED: &[&str] = &[
    r#"> guest_power {"guest":100,"action":"start"}"#,
    r#"> guest_power {"guest":100,"action":"suspend"}"#,
];
const SNAPSHOT: &[&str] = &[r#"> snapshot_create {"guest":100,"snapname":"s1"}"#];
const DETACHED: &[&str] = &[r#"> guest_disk {"guest":100,"action":"detach","disk":"scsi0"}"#];
const ELSEWHERE: &[&str] = &["% config staging 100 scsi0=local:100/vm-100-disk-0.raw,size=16G"];
const JOB: &[&str] = &["% job staging nightly schedule=2:30 storage=nas all=1"];
const KEEPING_JOB: &[&str] =
    &["% job staging nightly schedule=2:30 storage=nas vmid=101 prune-backups=keep-last=1"];
const NOTED: &[&str] = &["% config staging 100 description=theirs"];
const POOL: &[&str] = &["% pool staging core"];
const STAGED: &[&str] =
    &[r#"> network_change {"node":"stg-pve1","action":"set","iface":"vmbr5","type":"bridge"}"#];
/// Two rules of a guest, and their digest.
const RULES: &[&str] = &[
    r#"> firewall_rule {"guest":100,"action":"add","verdict":"ACCEPT","macro":"SSH"}"#,
    r#"> firewall_rule {"guest":100,"action":"add","verdict":"ACCEPT","macro":"HTTPS"}"#,
];
const ALIAS: &[&str] = &[
    r#"> firewall_object {"cluster":"staging","action":"add","object":"alias","name":"office","cidr":"198.51.100.0/24"}"#,
];
const AGENT: &[&str] = &["% config staging 103 agent=1"];
const PRUNED: &[&str] = &["% backup staging nas 101 30 20 10"];
const BUSY: &[&str] = &[
    "% hold staging",
    r#"> guest_power {"guest":100,"action":"start","wait":0}"#,
];
const DOWN: &[&str] = &[r#"> guest_power {"guest":101,"action":"shutdown"}"#];

static ROWS: &[Row] = &[
    row(R, "cluster_list", "{}"),
    row(R, "fleet_search", r#"{"query":"type:guest"}"#),
    row(R, "fleet_summary", "{}"),
    row(R, "guest_list", "{}"),
    row(R, "guest_get", r#"{"guest":103}"#),
    row(R, "snapshot_list", r#"{"guest":103}"#),
    row(R, "backup_list", "{}"),
    row(R, "task_list", "{}"),
    row(R, "task_get", r#"{"task":"$task"}"#).after(RUNS),
    row(R, "node_list", "{}"),
    row(R, "node_get", r#"{"node":"stg-pve1"}"#),
    row(R, "storage_list", "{}"),
    row(R, "tool_find", r#"{"query":"dns"}"#),
    row(R, "toolset_enable", r#"{"toolset":"pool"}"#),
    row(R, "api_describe", r#"{"path":"/version"}"#),
    row(R, "api_read", r#"{"path":"/nodes/stg-pve1/dns"}"#),
    row(O, "api_read", r#"{"path":"/nodes/stg-pve1/scan/lvm"}"#),
    row(
        O.asks(),
        "api_read",
        r#"{"path":"/nodes/stg-pve2/qemu/103/agent/file-read","params":{"file":"/etc/hostname"}}"#,
    )
    .lasts(),
    row(R, "guest_metrics", r#"{"guest":103}"#),
    row(R, "guest_console", r#"{"guest":103}"#),
    row(R, "guest_notes", r#"{"guest":103,"action":"get"}"#),
    row(R, "node_metrics", r#"{"node":"stg-pve1"}"#),
    row(R, "pool_list", "{}"),
    row(R, "cluster_log", "{}"),
    row(R, "cluster_options", r#"{"action":"get"}"#),
    row(R, "template_list", "{}"),
    row(R, "network_list", r#"{"node":"stg-pve1"}"#),
    row(R, "access_list", r#"{"what":"users"}"#),
    row(R, "access_check", r#"{"privilege":"VM.PowerMgmt"}"#),
    row(R, "agent_get", r#"{"guest":103}"#).after(AGENT),
    row(O, "agent_command", r#"{"guest":103,"action":"ping"}"#).after(AGENT),
    row(O, "agent_command", r#"{"guest":103,"action":"fstrim"}"#).after(AGENT),
    row(CUTS, "agent_command", r#"{"guest":103,"action":"fsfreeze"}"#)
        .harms()
        .after(AGENT),
    row(O, "agent_command", r#"{"guest":103,"action":"fsthaw"}"#)
        .harms()
        .after(AGENT),
    row(R, "backup_job_list", "{}"),
    row(R, "storage_content", r#"{"storage":"local"}"#),
    row(O, "guest_power", r#"{"guest":100,"action":"start"}"#),
    row(O, "guest_power", r#"{"guest":100,"action":"resume"}"#).after(PAUSED),
    row(CUTS, "guest_power", r#"{"guest":103,"action":"shutdown"}"#).harms(),
    row(CUTS, "guest_power", r#"{"guest":103,"action":"reboot"}"#).harms(),
    row(CUTS, "guest_power", r#"{"guest":103,"action":"suspend"}"#).harms(),
    row(CUTS, "guest_power", r#"{"guest":103,"action":"hibernate"}"#).harms(),
    row(STOPS, "guest_power", r#"{"guest":103,"action":"stop"}"#).harms(),
    row(STOPS, "guest_power", r#"{"guest":103,"action":"reset"}"#).harms(),
    row(
        O,
        "guest_migrate",
        r#"{"guest":100,"target":"stg-pve2","with_local_disks":true}"#,
    ),
    row(
        CUTS,
        "guest_migrate",
        r#"{"guest":101,"target":"stg-pve1","restart":true,"with_local_disks":true}"#,
    )
    .harms(),
    row(O, "snapshot_create", r#"{"guest":100,"snapname":"s1"}"#),
    row(F, "snapshot_delete", r#"{"guest":100,"snapname":"s1"}"#)
        .harms()
        .after(SNAPSHOT),
    row(
        OVER,
        "snapshot_rollback",
        r#"{"guest":100,"snapname":"s1"}"#,
    )
    .harms()
    .after(SNAPSHOT),
    row(O, "backup_create", r#"{"guest":100,"storage":"nas"}"#),
    row(
        CUTS,
        "backup_create",
        r#"{"guest":100,"storage":"nas","mode":"stop"}"#,
    )
    .harms(),
    row(
        C,
        "backup_restore",
        r#"{"archive":"$archive","vmid":600,"storage":"local-lvm"}"#,
    ),
    row(
        OVER,
        "backup_restore",
        r#"{"archive":"$archive","guest":101,"storage":"local-lvm"}"#,
    )
    .harms()
    .after(DOWN),
    row(CUTS, "task_stop", r#"{"task":"$task","wait":0}"#)
        .harms()
        .after(BUSY),
    row(C, "guest_create_vm", r#"{"name":"stg-new","disk_gib":4}"#),
    row(
        C,
        "guest_create_container",
        r#"{"name":"stg-new","ostemplate":"local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst","disk_gib":4}"#,
    ),
    row(C, "guest_clone", r#"{"guest":100,"name":"stg-copy"}"#),
    row(C, "guest_configure", r#"{"guest":100,"cores":4}"#),
    row(
        C,
        "guest_disk",
        r#"{"guest":100,"action":"add","size":"1G"}"#,
    ),
    row(
        C,
        "guest_disk",
        r#"{"guest":100,"action":"resize","disk":"scsi0","size":"+1G"}"#,
    ),
    row(
        C,
        "guest_disk",
        r#"{"guest":100,"action":"move","disk":"scsi0","storage":"local-lvm"}"#,
    )
    .after(ELSEWHERE),
    row(
        C,
        "guest_disk",
        r#"{"guest":100,"action":"detach","disk":"scsi0"}"#,
    )
    .harms(),
    row(
        TAKES,
        "guest_disk",
        r#"{"guest":100,"action":"remove","disk":"unused0"}"#,
    )
    .harms()
    .after(DETACHED),
    row(
        C,
        "guest_network",
        r#"{"guest":100,"action":"set","net":"net0","tag":40}"#,
    )
    .harms(),
    row(
        UNPLUGS,
        "guest_network",
        r#"{"guest":100,"action":"remove","net":"net0"}"#,
    )
    .harms(),
    row(F, "backup_delete", r#"{"archive":"$archive"}"#).harms(),
    row(
        C,
        "backup_job_set",
        r#"{"job":"nightly","schedule":"3:30"}"#,
    )
    .after(JOB),
    row(
        C.interrupts(),
        "backup_job_set",
        r#"{"job":"new","schedule":"3:30","storage":"nas","guests":[103],"mode":"stop"}"#,
    )
    .harms(),
    row(F, "backup_job_set", r#"{"job":"nightly","keeps":"last 3"}"#)
        .after(JOB)
        .harms(),
    row(
        F.interrupts(),
        "backup_job_set",
        r#"{"job":"nightly","keeps":"last 3","mode":"suspend"}"#,
    )
    .after(JOB)
    .harms(),
    row(
        F,
        "backup_prune",
        r#"{"storage":"nas","keeps":"last 1","guest":101}"#,
    )
    .harms()
    .after(PRUNED),
    row(F, "backup_job_delete", r#"{"job":"nightly"}"#).after(JOB),
    row(
        C,
        "cluster_options",
        r#"{"action":"set","settings":{"max_workers":3}}"#,
    ),
    row(
        C,
        "network_change",
        r#"{"node":"stg-pve1","action":"set","iface":"vmbr5","type":"bridge"}"#,
    ),
    row(
        C,
        "network_change",
        r#"{"node":"stg-pve1","action":"remove","iface":"vmbr0"}"#,
    ),
    row(
        C,
        "network_change",
        r#"{"node":"stg-pve1","action":"revert"}"#,
    )
    .after(STAGED),
    row(
        C.interrupts().asks(),
        "network_change",
        r#"{"node":"stg-pve1","action":"apply"}"#,
    )
    .after(STAGED)
    .lasts(),
    row(R, "firewall_get", r#"{"guest":100}"#),
    row(
        C.interrupts().asks(),
        "firewall_options",
        r#"{"guest":100,"settings":{"enable":true}}"#,
    )
    .lasts()
    .harms(),
    row(
        C.interrupts().asks(),
        "firewall_options",
        r#"{"cluster":"staging","settings":{"enable":1}}"#,
    )
    .lasts(),
    row(
        UNPLUGS,
        "firewall_rule",
        r#"{"guest":100,"action":"add","verdict":"DROP"}"#,
    )
    .harms(),
    row(
        UNPLUGS,
        "firewall_rule",
        r#"{"guest":100,"action":"change","pos":0,"digest":"$digest","verdict":"DROP"}"#,
    )
    .after(RULES)
    .harms(),
    row(
        UNPLUGS,
        "firewall_rule",
        r#"{"guest":100,"action":"move","pos":0,"to":1,"digest":"$digest"}"#,
    )
    .after(RULES)
    .harms(),
    row(
        UNPLUGS,
        "firewall_rule",
        r#"{"guest":100,"action":"remove","pos":0,"digest":"$digest"}"#,
    )
    .after(RULES)
    .harms(),
    row(
        C,
        "firewall_object",
        r#"{"guest":100,"action":"add","object":"set","name":"ipfilter-net0","entries":["10.0.0.1"]}"#,
    )
    .harms(),
    row(
        UNPLUGS,
        "firewall_object",
        r#"{"cluster":"staging","action":"change","object":"alias","name":"office","cidr":"203.0.113.0/24"}"#,
    )
    .after(ALIAS),
    row(
        UNPLUGS,
        "firewall_object",
        r#"{"cluster":"staging","action":"remove","object":"alias","name":"office"}"#,
    )
    .after(ALIAS),
    row(
        C,
        "storage_download",
        r#"{"storage":"nas","url":"https://cdn.example/a.iso"}"#,
    ),
    row(
        C,
        "template_download",
        r#"{"storage":"local","node":"stg-pve1","template":"alpine"}"#,
    ),
    row(
        TAKES,
        "volume_delete",
        r#"{"volume":"nas:iso/virtio-win-0.1.266.iso"}"#,
    )
    .lasts(),
    row(C, "pool_set", r#"{"pool":"core","comment":"ours"}"#).after(POOL),
    row(C, "pool_set", r#"{"pool":"core","add":[101]}"#)
        .after(POOL)
        .harms(),
    row(F, "pool_delete", r#"{"pool":"core"}"#).after(POOL),
    row(O, "backup_job_run", r#"{"job":"nightly"}"#).after(KEEPING_JOB),
    row(CUTS, "backup_job_run", r#"{"job":"nightly","mode":"stop"}"#)
        .after(KEEPING_JOB)
        .harms(),
    row(F, "backup_job_run", r#"{"job":"nightly","prune":true}"#)
        .after(KEEPING_JOB)
        .harms(),
    row(
        F.interrupts(),
        "backup_job_run",
        r#"{"job":"nightly","prune":true,"mode":"suspend"}"#,
    )
    .after(KEEPING_JOB)
    .harms(),
    row(
        C,
        "guest_notes",
        r#"{"guest":100,"action":"set","text":"ours"}"#,
    ),
    row(
        C,
        "guest_notes",
        r#"{"guest":100,"action":"append","text":"ours"}"#,
    ),
    row(C, "guest_notes", r#"{"guest":100,"action":"clear"}"#).after(NOTED),
    row(F.interrupts(), "guest_template", r#"{"guest":100}"#).harms(),
    row(C, "guest_cloudinit", r#"{"guest":100,"user":"ops"}"#).harms(),
    row(
        O,
        "api_write",
        r#"{"method":"POST","path":"/nodes/stg-pve1/qemu/100/status/start"}"#,
    ),
    row(
        CUTS,
        "api_write",
        r#"{"method":"POST","path":"/nodes/stg-pve2/qemu/103/status/shutdown"}"#,
    )
    .harms(),
    row(
        STOPS,
        "api_write",
        r#"{"method":"POST","path":"/nodes/stg-pve2/qemu/103/status/stop"}"#,
    )
    .harms(),
    row(
        C,
        "api_write",
        r#"{"method":"PUT","path":"/nodes/stg-pve1/config","params":{"description":"ours"}}"#,
    ),
    row(
        UNPLUGS,
        "api_write",
        r#"{"method":"PUT","path":"/nodes/stg-pve1/qemu/100/config","params":{"delete":"net0"}}"#,
    )
    .harms(),
    row(
        UNPLUGS.asks(),
        "api_write",
        r#"{"method":"PUT","path":"/nodes/stg-pve1/qemu/100/firewall/options","params":{"enable":true}}"#,
    )
    .harms(),
    row(
        F.interrupts(),
        "api_write",
        r#"{"method":"POST","path":"/nodes/stg-pve1/qemu/100/template"}"#,
    )
    .harms(),
    row(
        TAKES,
        "api_write",
        r#"{"method":"DELETE","path":"/nodes/stg-pve1/qemu/100"}"#,
    )
    .harms(),
    row(
        OVER,
        "api_write",
        r#"{"method":"POST","path":"/nodes/stg-pve1/qemu/100/snapshot/s1/rollback"}"#,
    )
    .harms()
    .after(SNAPSHOT),
    row(
        F,
        "api_write",
        r#"{"method":"DELETE","path":"/pools/core"}"#,
    )
    .after(POOL)
    .lasts(),
    row(TAKES, "guest_delete", r#"{"guest":100}"#).harms(),
];

fn is_more_than_a_look(path: &str) -> bool {
    let request = Request {
        verb: Verb::Get,
        path: path.split('/').skip(1).map(str::to_string).collect(),
        params: Map::new(),
    };
    weigh(&request).mark != R
}

/// How the call comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    NoCode,
    Wrong,
    Stale,
    Right,
    Declined,
    Accepted,
}

const WAYS: [Way; 6] = [
    Way::NoCode,
    Way::Wrong,
    Way::Stale,
    Way::Right,
    Way::Declined,
    Way::Accepted,
];

/// What is to come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// It is done.
    Go,
    /// A plan and its code.
    Plan,
    /// Refused by the level.
    Level,
    Protected,
    /// The code or the answer is not enough.
    Unconfirmed,
}

fn expected(row: &Row, level: Effect, protected: bool, way: Way) -> Verdict {
    if row.mark.effect > level {
        return Verdict::Level;
    }
    if protected && row.harms {
        return Verdict::Protected;
    }
    match way {
        _ if !row.mark.asks => Verdict::Go,
        Way::Stale if row.lasts => Verdict::Go,
        Way::NoCode | Way::Stale => Verdict::Plan,
        Way::Wrong | Way::Declined => Verdict::Unconfirmed,
        Way::Right | Way::Accepted => Verdict::Go,
    }
}

#[test]
fn every_tool_and_action_has_a_row() {
    let mut missing = Vec::new();
    for tool in tools::all() {
        let rows = || ROWS.iter().filter(|row| row.tool == tool.name);
        match tool.by_word() {
            Some(actions) => {
                for (action, mark) in actions.iter().map(|one| (one.word, one.mark)) {
                    let said = format!(r#""action":"{action}""#);
                    let has = rows().any(|row| row.arguments.contains(&said) && row.mark == mark);
                    if !has {
                        missing.push(format!("{} {action} {mark}", tool.name));
                    }
                }
            }
            None => missing.extend(
                tool.possible()
                    .filter(|mark| rows().all(|row| row.mark != *mark))
                    .map(|mark| format!("{} {mark}", tool.name)),
            ),
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_call_gets_its_verdict() {
    const LANES: usize = 6;
    let lanes: Vec<Vec<&Row>> = (0..LANES)
        .map(|lane| ROWS.iter().skip(lane).step_by(LANES).collect())
        .collect();
    let found: Vec<(usize, Vec<String>)> = thread::scope(|scope| {
        let lanes: Vec<_> = lanes
            .iter()
            .map(|rows| scope.spawn(|| judge(rows)))
            .collect();
        let judged = lanes.into_iter().map(|lane| lane.join().expect("no panic"));
        judged.collect()
    });
    let cells: usize = found.iter().map(|(cells, _)| cells).sum();
    let problems: Vec<String> = found.into_iter().flat_map(|(_, some)| some).collect();
    println!("{cells} verdicts");
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(cells, ROWS.len() * Effect::ALL.len() * 2 * WAYS.len());
}

fn judge(rows: &[&Row]) -> (usize, Vec<String>) {
    let mut cells = 0;
    let mut problems = Vec::new();
    for row in rows {
        let mut scene = None;
        for level in Effect::ALL {
            for protected in [false, true] {
                for way in WAYS {
                    let expected = expected(row, level, protected, way);
                    let at = scene.take().unwrap_or_else(|| Scene::set(row));
                    let got = at.play(row, level, protected, way);
                    cells += 1;
                    if got != Ok(expected) {
                        problems.push(format!(
                            "{} {} {} at {}, protected {protected}, {way:?}: expected {expected:?}, \
                             got {got:?}",
                            row.mark,
                            row.tool,
                            row.arguments,
                            level.name()
                        ));
                    }
                    // What was done, or changed for the test, needs a fresh scene.
                    let is_as_it_was =
                        row.mark == R || (expected != Verdict::Go && way != Way::Stale);
                    scene = is_as_it_was.then_some(at);
                }
            }
        }
    }
    (cells, problems)
}

/// One cluster, prepared for a row.
struct Scene {
    world: World,
    tool: &'static Tool,
    arguments: Map<String, Value>,
}

impl Scene {
    fn set(row: &Row) -> Scene {
        let staging = spec::three()
            .into_iter()
            .filter(|one| one.name == "staging");
        let world = World::start(staging.collect());
        // Most calls read it anew.
        world.cluster("staging").fault(Fault::BriefApiDoc);
        let mut app = AppState::new(
            Fleet::new(configuration(&world, "PROXMOX_BULK_LIMIT=100\n")),
            TOOLSETS,
            CallOrigin::Mcp,
        );
        let mut task = String::new();
        for step in row.before {
            if let Some(order) = step.strip_prefix("% ") {
                world.direct(order).expect("an order");
                continue;
            }
            let call = step.strip_prefix("> ").expect("an order or a call");
            let (tool, arguments) = call.split_once(' ').expect("arguments");
            let answer = plainly(&mut app, tool, &read(arguments)).expect("it is prepared");
            if let Some(Value::String(started)) = answer.get("task") {
                task.clone_from(started);
            }
        }
        let mut text = row.arguments.replace("$task", &task);
        if text.contains("$archive") {
            let listed = plainly(&mut app, "backup_list", &read(r#"{"guest":101}"#));
            let listed = listed.expect("backups");
            let row = &listed["items"][0];
            let volume = row.get("volume").or_else(|| row.get(0));
            let volume = volume.and_then(Value::as_str).expect("a volume");
            text = text.replace("$archive", volume);
        }
        if text.contains("$digest") {
            let rules = plainly(&mut app, "firewall_get", &read(r#"{"guest":100}"#));
            let rules = rules.expect("rules");
            let digest = rules.get("digest").and_then(Value::as_str);
            text = text.replace("$digest", digest.expect("a digest"));
        }
        world.seen();
        Scene {
            world,
            tool: tools::find(row.tool).expect("the tool"),
            arguments: read(&text),
        }
    }

    /// Makes the call and says which verdict it got; that something was sent where nothing should have
    /// been, or the other way round, is an error.
    fn play(&self, row: &Row, level: Effect, protected: bool, way: Way) -> Result<Verdict, String> {
        let meant = args::check(self.tool, &self.arguments).map_err(|error| error.to_string())?;
        if self.tool.mark(&meant.0) != row.mark {
            return Err(format!("the tool says {}", self.tool.mark(&meant.0)));
        }
        let asks_user = matches!(way, Way::Declined | Way::Accepted);
        let more = format!(
            "PROXMOX_ACCESS={}\n{}PROXMOX_CONFIRM={}\n",
            level.name(),
            if protected {
                "PROXMOX_PROTECT=100-599\n"
            } else {
                ""
            },
            if asks_user { "auto" } else { "code" }
        );
        let fleet = Fleet::new(configuration(&self.world, &more));
        let mut app = AppState::new(fleet, TOOLSETS, CallOrigin::Mcp);
        self.world.seen();
        let result = self.made(&mut app, way, asks_user);
        let seen = self.world.seen();
        let writes: BTreeSet<&str> = seen
            .iter()
            .filter(|one| one.method != "GET" || is_more_than_a_look(&one.path))
            .map(|one| one.path.as_str())
            .collect();
        let verdict = match &result {
            Ok(CallOutcome::Planned(_)) => Verdict::Plan,
            Ok(CallOutcome::Answer(_)) => Verdict::Go,
            Ok(CallOutcome::Question(_)) => return Err("asked once more".into()),
            Err(error) => match (error.code, error.sentence.as_str()) {
                (Code::Protected, _) => Verdict::Protected,
                (Code::NotAllowed, said) if said.contains("access level") => Verdict::Level,
                (Code::NotAllowed, said) if said.contains("code") || said.contains("declined") => {
                    Verdict::Unconfirmed
                }
                (code, _) => return Err(format!("{}: {error}", code.as_str())),
            },
        };
        let should_write = verdict == Verdict::Go && row.mark != R;
        if should_write == writes.is_empty() {
            return Err(format!("{verdict:?}, and sent: {writes:?}"));
        }
        Ok(verdict)
    }

    fn made(&self, app: &mut AppState, way: Way, asks_user: bool) -> Result<CallOutcome, Error> {
        let mut caller = Caller {
            client: ("it", "0"),
            can_be_asked: asks_user,
            reply: None,
            asking: &Vec::new,
        };
        let first = call::call(app, self.tool, &self.arguments, caller)?;
        match (way, first) {
            (Way::Declined | Way::Accepted, CallOutcome::Question(question)) => {
                let mut reply: QuestionReply = agreement(&question);
                if way == Way::Declined {
                    reply.said = UserAnswer::No;
                }
                caller.reply = Some(&reply);
                call::call(app, self.tool, &self.arguments, caller)
            }
            (Way::Wrong | Way::Stale | Way::Right, CallOutcome::Planned(answer)) => {
                if way == Way::Stale {
                    self.change();
                }
                let code = match way {
                    Way::Wrong => json!("0000000000000000"),
                    _ => answer["confirm"].clone(),
                };
                let mut arguments = self.arguments.clone();
                arguments.insert("confirm".into(), code);
                call::call(app, self.tool, &arguments, caller)
            }
            (_, first) => Ok(first),
        }
    }

    /// Somebody else changes every guest.
    fn change(&self) {
        self.world.cluster("staging").edit(|state| {
            for guest in state.guests.values_mut() {
                guest
                    .config
                    .insert("description".into(), "changed meanwhile".into());
            }
            for job in state.backup_jobs.values_mut() {
                job.insert("comment".into(), "changed meanwhile".into());
            }
            for pool in state.pools.values_mut() {
                pool.comment = Some("changed meanwhile".into());
            }
            for storage in &mut state.storages {
                let backups = storage.volumes.iter_mut();
                let backups = backups.filter(|volume| volume.content == "backup");
                let older = backups.map(|backup| {
                    backup.notes = Some("changed meanwhile".into());
                    let mut older = backup.clone();
                    (older.ctime, older.volid) = (1, backup.volid.replace("-20", "-19"));
                    older
                });
                let older: Vec<_> = older.collect();
                storage.volumes.extend(older);
            }
        });
    }
}

fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|cause| panic!("{text}: {cause}"))
}

/// A call whose user cannot be asked, and who repeats it with the code.
fn plainly(
    app: &mut AppState,
    tool: &str,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let tool = tools::find(tool).unwrap_or_else(|| panic!("no tool {tool}"));
    crate::session::call(app, tool, arguments)
}
