#!/usr/bin/env python3
"""Drives a server through mcpo, which makes each tool a path of an HTTP server and takes an output
schema for all that an answer has: a plan and its code must come through whole, and act.
usage: through_mcpo.py CMD [ARGS...]"""
import json, pathlib, socket, subprocess, sys, time, urllib.error, urllib.request

PATIENCE_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply: return reply.status, json.load(reply)
    except urllib.error.HTTPError as error: return error.code, json.loads(error.read() or b"null")


def main(cmd):
    bad = []
    # Another process may take the port before mcpo does: then the next one is tried.
    for _ in range(5):
        port = free_port()
        command = [pathlib.Path(sys.executable).with_name("mcpo"), "--host", "127.0.0.1", "--port", str(port), "--", *cmd]
        mcpo = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE_S
        while mcpo.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5) as reply: paths = json.load(reply)["paths"]
                break
            except OSError: time.sleep(0.1)
        else: paths = None
        if paths is not None: break
        mcpo.kill()
        print(mcpo.communicate()[0].decode(errors="replace"))
    else: return "mcpo does not start"
    at = f"http://127.0.0.1:{port}"
    try:
        print(f"{len(paths)} paths, {', '.join(sorted(paths))}")
        if len(paths) < 28: bad.append(f"{len(paths)} paths are fewer than the tools")
        status, plan = post(f"{at}/guest_power", {"guest": "prod-web-01", "action": "stop"})
        print(status, json.dumps(plan))
        missing = {"cluster", "chosen_by", "plan", "confirm", "expires_s"} - set(plan or {})
        if status != 200 or missing: bad.append(f"{status}: the plan lacks {', '.join(missing)}")
        else:
            lost = {"name", "vmid", "status", "disks", "snapshots", "last_backup", "cut_off", "undo"} - set(plan["plan"])
            if lost: bad.append(f"the plan lacks {', '.join(lost)}")
            status, done = post(f"{at}/guest_power", {"guest": "prod-web-01", "action": "stop", "confirm": plan["confirm"]})
            print(status, json.dumps(done))
            if status != 200 or "production!UPID:" not in json.dumps(done): bad.append(f"{status}: the code was not taken: {done}")
        status, error = post(f"{at}/guest_get", {"guest": "300", "cluster": "nowhere"})
        print(status, json.dumps(error))
        if status == 200 or "ClusterNotFoundError" not in json.dumps(error): bad.append(f"{status}: an error comes through as {error}")
    finally:
        mcpo.terminate()
        try: mcpo.wait(PATIENCE_S)
        except subprocess.TimeoutExpired: mcpo.kill()
    for b in bad: print("PROBLEM", b)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
