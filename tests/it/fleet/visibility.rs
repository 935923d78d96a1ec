//! What a token sees, read off its permissions.

use proxmox_mcp::fleet::permissions::TokenPermissions;
use proxmox_mcp::fleet::resource::ResourceKind;
use proxmox_mcp::fleet::visibility::TokenVisibility;
use serde_json::{Value, json};

fn check(permissions: &Value, expected: [bool; 4]) {
    let TokenVisibility {
        guests,
        storages,
        nodes,
        pools,
    } = TokenVisibility::of(&TokenPermissions::of(permissions));
    assert_eq!([guests, storages, nodes, pools], expected, "{permissions}");
}

#[test]
fn a_list_is_whole_where_the_privilege_reaches_everything() {
    let all = json!({"VM.Audit": 1, "Datastore.Audit": 1, "Sys.Audit": 1, "Pool.Audit": 1});
    let auditor =
        json!({"/vms": all, "/storage": all, "/nodes": all, "/pool": all, "/vms/100": all});
    check(&auditor, [true, true, true, true]);
    check(&json!({}), [false; 4]);
    check(&json!({"/vms/101": {"VM.Audit": 1}}), [false; 4]);
    // 0: on the path, not below it.
    check(
        &json!({"/vms": {"VM.Audit": 0}, "/storage": {"Datastore.Audit": 1}}),
        [false, true, false, false],
    );
    // A path below takes it away.
    check(
        &json!({"/vms": {"VM.Audit": 1}, "/vms/100": {"VM.Console": 1}}),
        [false; 4],
    );
    check(
        &json!({"/storage": {"Datastore.Audit": 1}, "/storage/nas": {}}),
        [false; 4],
    );
    check(
        &json!({"/nodes": {"Sys.Audit": 1}, "/nodes/b1": {"Sys.Audit": 1}}),
        [false, false, true, false],
    );
}

#[test]
fn only_what_was_asked_for_can_be_missing() {
    let nothing = TokenVisibility::of(&TokenPermissions::default());
    assert_eq!(nothing.gaps(|_| false), [""; 0]);
    assert_eq!(nothing.gaps(|_| true).len(), 4);
    let several: [fn(ResourceKind) -> bool; 3] = [
        ResourceKind::is_guest,
        |sort| sort == ResourceKind::Vm,
        |sort| sort == ResourceKind::Container,
    ];
    for guests in several {
        assert_eq!(
            nothing.gaps(guests),
            ["guests: the token lacks `VM.Audit` on all of `/vms`"]
        );
    }
}
