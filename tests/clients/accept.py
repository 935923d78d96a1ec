#!/usr/bin/env python3
"""Real clients: drives the built program through the official Python SDK, in both eras of the protocol,
over pipes and over a socket pair, with arguments in odd forms, and through mcpo, against the simulated
clusters. `make accept` runs it.

usage: accept.py FOLDER_OF_THE_BUILD (target/debug)"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NEEDS = ["mcp==2.3.0", "jsonschema"]
# It asks for an SDK of its own, and says nothing of the versions that it works with.
MCPO_NEEDS = ["mcpo==0.0.20", "mcp==1.30.0", "fastapi==0.115.14"]
MODES = ["auto", "legacy", "2026-07-28"]
PATIENCE_S = 120

# The tool, its arguments, how the call ends, what the answer must hold, and for a client that can ask
# its user, what they are asked and fill in (nothing: they decline). Each in a server of its
# own, in this order: what one call makes is there for the next.
CALLS = [
    ("cluster_list", {}, "ok", ["production", "staging", "disaster-recovery"]),
    ("fleet_search", {"query": "name:vault"}, "ok", ["disaster-recovery", "vault"]),
    ("fleet_summary", {}, "ok", ["production", "staging", "disaster-recovery"]),
    ("guest_list", {"cluster": "all"}, "ok", ["prod-web-01", "stg-web-01", "dr-web-01"]),
    ("guest_get", {"guest": "dr-web-01"}, "ok", ["disaster-recovery", "pattern dr-"]),
    ("guest_create_vm", {"name": "stg-sdk-01", "disk_gib": 4}, "ok", ["staging", "pattern stg-", "UPID:"]),
    ("guest_power", {"guest": "stg-sdk-01", "action": "start"}, "ok", ["staging!UPID:", "qmstart"]),
    ("snapshot_create", {"guest": "stg-sdk-01", "snapname": "sdk"}, "ok", ["qmsnapshot"]),
    ("snapshot_list", {"guest": "stg-sdk-01"}, "ok", ["sdk"]),
    ("guest_power", {"guest": "prod-web-01", "action": "stop"}, "ok", ["production", "plan", "confirm"]),
    ("guest_delete", {"guest": "billing"}, "error", ["NotAllowedError", "PROXMOX_CONFIRM=code"]),
    ("guest_delete", {"guest": "billing"}, "error", ["the user declined"], ["billing", "lost:"]),
    ("guest_delete", {"guest": "billing"}, "error", ["not the object's name"], ["billing"], {"name": "biling"}),
    ("guest_power", {"guest": "prod-web-01", "action": "stop"}, "ok", ["stopped"], ["cut off:"], {"agree": True}),
    ("guest_delete", {"guest": "billing"}, "ok", ["production", "qmdestroy"], ["billing", "lost:"], {"name": "billing"}),
    ("backup_list", {"cluster": "production"}, "ok", ["nas"]),
    ("task_list", {"cluster": "staging"}, "ok", ["staging!UPID:", "qmcreate"]),
    ("node_list", {"cluster": "all"}, "ok", ["prod-pve1", "stg-pve2", "dr-pve1"]),
    ("storage_list", {"cluster": "production"}, "ok", ["ceph-vm"]),
    ("guest_get", {"guest": 100}, "error", ["AmbiguousClusterSelectionError", "staging/100/stg-web-01"]),
    ("guest_get", {"guest": 300, "cluster": "nowhere"}, "error", ["ClusterNotFoundError"]),
    ("guest_get", {"guest": "twin", "cluster": "staging"}, "error", ["AmbiguousGuestError", "130", "131"]),
    ("guest_power", {"guest": "vault", "action": "explode"}, "error", ["BadArgumentsError"]),
]


def environment(folder: pathlib.Path, needs: list) -> pathlib.Path:
    """Makes a throw-away Python with these packages in it; gives its interpreter."""
    made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"{made.stdout}{made.stderr}\nPython cannot make an environment; as by\n  apt install python3-venv")
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True)
    return python


@contextlib.contextmanager
def clusters(build: pathlib.Path, env_file: pathlib.Path):
    """Starts the simulated clusters; they end with their standard input."""
    command = [build / "examples" / "dev", "sim", "--env-file", env_file, "--until-eof"]
    sim = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "are up" not in sim.stderr.readline():
        sys.exit("the simulated clusters do not start")
    try:
        yield
    finally:
        sim.stdin.close()
        sim.wait(PATIENCE_S)


def asked(call: tuple) -> list:
    """A call as `py_client.py` is given it."""
    tool, arguments, expect, contains, *user = call
    given = ["--call", tool, "--args", json.dumps(arguments), "--expect", expect, "--repeat", "1"]
    for text in contains:
        given += ["--contains", text]
    for text in user[0] if user else []:
        given += ["--asked", text]
    if user:
        given += ["--fill", json.dumps(user[1])] if user[1:] else ["--caps"]
    return given


def told(call: tuple) -> str:
    """A call as it is printed."""
    tool, arguments, expect, contains, *user = call
    what = f"{tool} {json.dumps(arguments)}: {expect} with {', '.join(contains)}"
    if user:
        what += f", asked for {', '.join(user[0])}: {json.dumps(user[1]) if user[1:] else 'declined'}"
    return what


def run_well(client: list) -> bool:
    """One server with one client; whether all was well."""
    run = subprocess.run(client, capture_output=True, text=True, timeout=PATIENCE_S)
    if run.returncode != 0:
        print(run.stdout + run.stderr)
    return run.returncode == 0


def main() -> int:
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug").resolve()
    failed = 0

    def report(what: str, well: bool, since: float) -> None:
        nonlocal failed
        failed += not well
        print(f"{'ok    ' if well else 'FAILED'} {time.monotonic() - since:5.1f} s  {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        began = time.monotonic()
        python = environment(folder / "python", NEEDS)
        report(f"an environment with {', '.join(NEEDS)}", True, began)
        began = time.monotonic()
        mcpo_python = environment(folder / "mcpo", MCPO_NEEDS)
        report(f"an environment with {', '.join(MCPO_NEEDS)}", True, began)
        sessions = 0

        def session(what: str, client: list) -> None:
            nonlocal sessions
            sessions += 1
            began = time.monotonic()
            report(what, run_well(client), began)

        # As most hosts start a server, and as those on Node do.
        pair = [sys.executable, HERE / "socket_pair.py"]
        ways = [(mode, mode, []) for mode in MODES] + [("over a socket pair", "auto", pair)]
        for number, (way, mode, before) in enumerate(ways):
            env_file = folder / f"{number}.env"
            server = [*before, build / "proxmox-mcp", "--env-file", env_file]
            client = [python, HERE / "py_client.py", "--mode", mode]
            with clusters(build, env_file):
                session(f"{way}: the list of tools, pings, errors", [*client, "--", *server])
                for call in CALLS:
                    session(f"{way}: {told(call)}", [*client, *asked(call), "--", *server])
        for what, client in [
            ("every tool with arguments in odd forms", [python, HERE / "odd_forms.py"]),
            ("odd forms over a socket pair", [python, HERE / "odd_forms.py", *pair]),
            ("creations, a backup and lists at once", [python, HERE / "side_by_side.py"]),
            ("the same over a socket pair", [python, HERE / "side_by_side.py", *pair]),
            ("a plan and its code through mcpo", [mcpo_python, HERE / "through_mcpo.py"]),
        ]:
            env_file = folder / "others.env"
            with clusters(build, env_file):
                session(what, [*client, build / "proxmox-mcp", "--env-file", env_file])
    print(f"{sessions - failed} sessions with real clients were as expected, {failed} were not")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
