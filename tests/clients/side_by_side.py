#!/usr/bin/env python3
"""Sends four creations and a backup at once, with lists and pings between them: each is answered, none
delays another beyond what a client waits for.
usage: side_by_side.py CMD [ARGS...]"""
import asyncio, json, sys
from mcp import Client, StdioServerParameters

CREATIONS = [("guest_create_vm", {"cluster": "staging", "name": f"side-{vmid}", "vmid": vmid, "wait": 20}) for vmid in range(951, 955)]
BACKUP = ("backup_create", {"guest": "prod-db-01", "storage": "nas", "wait": 20})
LISTS = [("guest_list", {"cluster": cluster}) for cluster in ("production", "staging", "all")]


async def main(cmd):
    bad = []
    async with Client(StdioServerParameters(command=cmd[0], args=cmd[1:])) as client:
        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments)
            if result.is_error: bad.append(f"{tool} {json.dumps(arguments)}: {result.content[0].text}")
            return result.structured_content or {}

        answers = await asyncio.gather(*[call(*one) for one in [*CREATIONS, BACKUP, *LISTS]])
        for (tool, arguments), answer in zip([*CREATIONS, BACKUP], answers):
            if answer.get("state") != "ok": bad.append(f"{tool} {json.dumps(arguments)}: {json.dumps(answer)}")
        made = sorted(answer.get("vmid", 0) for answer in answers[:len(CREATIONS)])
        listed = await call("guest_list", {"cluster": "staging", "fields": ["vmid"]})
        there = [row["vmid"] for row in listed["items"]]
        if not set(made) <= set(there): bad.append(f"made {made}, there are {there}")
    for b in bad: print("PROBLEM", b)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
