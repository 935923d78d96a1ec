//! Exchanges of the later recordings that are excepted, each with its reason.

const BULK: &str = "lists tasks of bulk actions, which are not modelled";
const LIVE: &str = "follows a live migration to another cluster, which no tool starts and the simulator does not have";
const LXC: &str =
    "what stood in for LXC refused the mount point, and what it refused stayed pending";
const VMSTATE: &str =
    "`vmstate` is no option in the schema, so it is refused before the guest is missed";
const UNSEEN: &str =
    "files that the lab put there while requests were sent, which cannot be told from theirs";
const MANAGER: &str = "the simulated manager of high availability acts at once and forgets nothing";
const SCHEDULED: &str = "a run that the scheduler began, which is not modelled";
const ARCHIVES: &str =
    "names archives by the second in which the lab made them, beside those of requests";
const LOST: &str =
    "the simulator forgets the numbers of a lost node and of its guests at once, not after minutes";
const LEFT: &str = "tasks that the recordings never looked at again are still running here";
const POOLS: &str = "pools that the lab had filled are known only from lists that were trimmed";
const BACK: &str =
    "the lock that a stopped backup left is the lab's, and guests are made anew in between";

const OTHERS: &str = "lists guests that the lab made outside of its requests, with what its stand-in for QEMU counted";

const RAN: &str = "when its guests ran and when not is the lab's, and nothing in its requests";
const ROUND: &str =
    "of a guest that was just made, of which the simulator knows no time when its numbers begin";

const AGENT: &str = "the lab told its stand-in for the agent which commands to refuse";

/// Id and reason.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "t3-nd-net-apply",
        "the lab's nodes were containers, which could not apply it",
    ),
    (
        "t3-nq-get-log",
        "its entries are numbered from the day on which the lab was made",
    ),
    ("t3-ag-disabled-guest-file-open", AGENT),
    ("t3-ag-missing-guest-file-open", AGENT),
    ("t3-rrd-stopped", RAN),
    ("t3-rrd-gap-vm", RAN),
    ("t3-rrd-new", ROUND),
    ("t3-rrd-new2", ROUND),
    ("t3-rrd-gone", ROUND),
    ("reuse-node-list", OTHERS),
    ("fresh-node-list", OTHERS),
    ("fresh-renamed-node-list", OTHERS),
    ("t3-hp-memory-nodelist", OTHERS),
    ("t3-nq-get-qemu", OTHERS),
    ("t3-res2-nodelist", OTHERS),
    ("t3-res2-start-nodelist", OTHERS),
    ("t3-nq-get-pools", POOLS),
    ("bulk-tasks", BULK),
    ("t3-rmlive-late.status", LIVE),
    ("t3-rmlive-late-tgt-current", LIVE),
    ("t3-rmlive-late-tgt-config", LIVE),
    ("t3-rmlive-late-tgt-disk", LIVE),
    ("t3-rmlive-during-src", LIVE),
    ("t3-rmlive-during-tgt", LIVE),
    ("t3-rmlive-during-tgt-config", LIVE),
    ("t3-rmlive-during-res", LIVE),
    ("t3-rmlive-delete.status", LIVE),
    ("t3-rmlive-delete-src-current", LIVE),
    ("t3-rmlive-delete-src-config", LIVE),
    ("t3-rmlive-delete-src-disk", LIVE),
    ("t3-rmlive-delete-tgt-current", LIVE),
    ("t3-rmlive-delete-tgt-config", LIVE),
    ("t3-rmlive-keep-tgt-current", LIVE),
    ("t3-rmlive-maps-tgt-current", LIVE),
    ("t3-rmlive-maps-tgt-config", LIVE),
    ("t3-rmlive-nostore.status", LIVE),
    ("t3-rmlive-nostore.log", LIVE),
    ("t3-rmlive-nostore-src", LIVE),
    ("t3-rmlive-taken.status", LIVE),
    ("t3-rmlive-taken.log", LIVE),
    ("t3-rmlive-nobridge.status", LIVE),
    ("t3-rmlive-nobridge.log", LIVE),
    ("t3-rmlive-nobridge-tgt", LIVE),
    ("t3-rmlive-noright.status", LIVE),
    ("t3-rmlive-noright.log", LIVE),
    ("t3-rmlive-noright-tgt", LIVE),
    ("t3-rmlive-noright-src", LIVE),
    ("t3-rmlive-cancel-stop", LIVE),
    ("t3-rmlive-cancel.status", LIVE),
    ("t3-rmlive-cancel.log", LIVE),
    ("t3-rmlive-cancel-src-current", LIVE),
    ("t3-rmlive-cancel-src-config", LIVE),
    ("t3-rmlive-cancel-tgt-current", LIVE),
    ("t3-rmlive-cancel-tgt-config", LIVE),
    ("t3-rmlive-cancel-tgt-tasks", LIVE),
    ("t3-rmlive-cancel-src-disk2.status", LIVE),
    ("t3-rmlive-cancel-tgt-destroy", LIVE),
    ("t3-rmlive-cancel-tgt-stop.status", LIVE),
    ("t3-rmlive-cancel-tgt-destroy2", LIVE),
    ("t3-rmlive-cancelmem.status", LIVE),
    ("t3-rmlive-cancelmem-tgt-current", LIVE),
    ("t3-rmlive-cancelmem-tgt-config", LIVE),
    ("t3-rmlive-tstop.status", LIVE),
    ("t3-rmlive-tstop-tgt-current", LIVE),
    ("t3-rmlive-tstop-tgt-config", LIVE),
    ("t3-hp-ct-mp", LXC),
    ("t3-hp-ct-pending", LXC),
    ("t3-hp-ct-pending2", LXC),
    ("t3-rmlive-tkill-during", LIVE),
    ("t3-rmlive-tkill.status", LIVE),
    ("t3-rmlive-tkill-src-current", LIVE),
    ("t3-rmlive-tkill-src-config", LIVE),
    ("t3-rmlive-tkill-tgt-current", LIVE),
    ("t3-rmlive-tkill-tgt-config", LIVE),
    ("t3-rmlive-tkill-tgt-tunnel.status", LIVE),
    ("t3-rmlive-tkill-tgt-start.status", LIVE),
    ("t3-rmlive-tkill-tgt-destroy", LIVE),
    ("t3-rmlive-tkill-tgt-destroy.status", LIVE),
    ("t3-rmlive-tkill-tgt-destroy.log", LIVE),
    ("t3-rmlive-tkill-tgt-config2", LIVE),
    ("t3-lk-hib-delvmstate", VMSTATE),
    ("t3-imp-content", UNSEEN),
    ("t3-up-content", UNSEEN),
    ("t3-rmct-keep-tgt-current", LIVE),
    ("t3-up-cut-content", UNSEEN),
    ("t3-ha-stop-managed-status", MANAGER),
    ("t3-bj-sched.status", SCHEDULED),
    ("t3-bj-content", ARCHIVES),
    ("t3-bk-dry", ARCHIVES),
    ("t3-bk-dry-all", ARCHIVES),
    ("t3-bk-dry-ro", ARCHIVES),
    ("t3-bk-list", ARCHIVES),
    ("t3-bk-list2", ARCHIVES),
    ("t3-bk-del-prot.status", ARCHIVES),
    ("t3-bk-vzdump-prot.status", ARCHIVES),
    ("t3-nq-get-res", LOST),
    ("t3-nq-get-nodes", LOST),
    ("t3-nq-get-cont", ARCHIVES),
    ("t3-nq-get-ctasks", LEFT),
    ("t3-nq-get-perm", POOLS),
    ("t3-nq-back-lock", BACK),
    ("t3-nq-back-start.status", BACK),
    ("t3-rmleft-shutdown.status", LIVE),
    ("t3-rmleft-stop-root.status", LIVE),
    ("t3-rmleft-again", LIVE),
    ("t3-rmleft-retry2-tgt", LIVE),
    ("t3-ha2-removed", MANAGER),
    ("t3-nq2-resources", LOST),
    ("t3-nq2-backup-del", ARCHIVES),
];
