//! The names of what the Python package did with clusters, nodes, storages, tasks, pools and rights.

use super::how::How::{As, Guest, List, Same, Set, Task, Yes};
use super::how::{How, Old, old};

const POOL_MEMBER: &[How] = &[Same("poolid"), Guest];

pub(super) static TABLE: &[Old] = &[
    // Clusters.
    old(
        &[
            "list-all-clusters",
            "get-cluster-info",
            "list-all-clusters-info",
        ],
        "cluster_list",
        &[],
    ),
    old(&["validate-all-clusters"], "cluster_list", &[Yes("check")]),
    old(&["get-all-cluster-status"], "fleet_summary", &[]),
    // Nodes.
    old(&["list-nodes"], "node_list", &[]),
    old(
        &["list-all-nodes-from-all-clusters"],
        "node_list",
        &[Set("cluster", "all")],
    ),
    old(
        &["node-status", "get-node-status"],
        "node_get",
        &[Same("node")],
    ),
    old(
        &["node-metrics"],
        "node_metrics",
        &[Same("node"), Same("timeframe"), Same("cf")],
    ),
    old(
        &["list-bridges"],
        "network_list",
        &[Same("node"), Set("type", "any_bridge")],
    ),
    old(
        &["list-bridges"],
        "node_get",
        &[Same("node"), List("include", "bridges")],
    ),
    // Storages.
    old(&["list-storage", "storage-status"], "storage_list", &[]),
    old(
        &["storage-content"],
        "storage_content",
        &[Same("storage"), Same("node")],
    ),
    old(
        &["upload-iso"],
        "storage_upload",
        &[
            Same("storage"),
            Same("node"),
            As("file_path", "file"),
            Set("content", "iso"),
        ],
    ),
    old(
        &["upload-template"],
        "storage_upload",
        &[
            Same("storage"),
            Same("node"),
            As("file_path", "file"),
            Set("content", "vztmpl"),
        ],
    ),
    old(&["list-os-templates"], "template_list", &[Same("node")]),
    old(
        &["list-os-templates"],
        "storage_content",
        &[Same("storage"), Same("node"), Set("content", "vztmpl")],
    )
    .note("it lists the templates that are on the storage"),
    old(
        &["download-os-template"],
        "template_download",
        &[
            Same("storage"),
            Same("node"),
            As("template_name", "template"),
        ],
    ),
    // Tasks.
    old(
        &["list-tasks"],
        "task_list",
        &[Same("node"), Same("user"), Same("limit")],
    ),
    old(&["task-status", "wait-task"], "task_get", &[Task]),
    // Pools and rights.
    old(&["list-pools"], "pool_list", &[]),
    old(
        &["create-pool"],
        "pool_set",
        &[Same("poolid"), Same("comment")],
    ),
    old(&["delete-pool"], "pool_delete", &[Same("poolid")]),
    old(&["pool-add", "pool-remove"], "pool_set", POOL_MEMBER),
    old(&["list-users", "list-roles"], "access_list", &[]),
    old(
        &["assign-permission"],
        "access_acl",
        &[
            Same("path"),
            Same("roles"),
            Same("users"),
            Same("groups"),
            Same("propagate"),
        ],
    ),
];
