#!/usr/bin/env python3
"""Sends every tool of `tools/list` its arguments in the odd forms that clients and models use, and
compares each answer with that of the plain call: the same, but for what differs from call to call.
usage: odd_forms.py CMD [ARGS...]
The arguments come out of the schemas: a value for each parameter, by its type. Where one is refused, it
is refused in the plain form as well, in the same words; most calls end at a guest that is nowhere, so
that nothing is changed."""
import asyncio, json, re, sys
from mcp import Client, StdioServerParameters
from _check import check_tools

# Values of parameters that a type alone does not give; the guest is nowhere.
KNOWN = {"guest": "nobody-here", "cluster": "production", "node": "prod-pve1", "storage": "nas", "task": "production!UPID:prod-pve1:0000C0DE:00001234:67000000:qmstart:100:root@pam:",
         "name": "nobody-new", "archive": "nas:backup/vzdump-qemu-7-2026_01_01-00_00_00.vma.zst", "ostemplate": "nas:vztmpl/none.tar.zst", "snapname": "none", "disk": "scsi7",
         "net": "net7", "target": "prod-pve9", "query": "name:nobody-here", "size": "9G", "since": "2d", "confirm": "none", "cursor": None, "wait": 0, "vmid": 100, "memory": 512}
# A size in its parameter's unit, as people write it.
SIZES = {"memory": ["512M", "512 MiB"], "disk_gib": ["7G", "7GiB"]}
# Of these an empty text may mean "clear it": it is an error that says how to.
WRITTEN = ("name", "startup", "notes", "description", "tags_add")
# What hosts add to the arguments of every call.
OF_HOSTS = {"toolCallId": "call_1", "sessionId": "chat", "chatInput": "please", "_meta": {"progressToken": 1}}
CHANGING = re.compile(r"UPID:[^\s\"\\]*|\d{4}-\d\d-\d\dT[\d:]+Z?|\d+(\.\d+)? (ms|s|min|h|d)\b|\b\d+\.\d+\b|\"(uptime|cpu|mem\w*|used\w*|free\w*|disk\w*|latency\w*|age\w*)\":[^,}]*")


def plain(name, schema):
    if name in KNOWN: return KNOWN[name]
    if "enum" in schema: return schema["enum"][0]
    return {"string": "zz", "integer": 7, "boolean": True, "object": {"description": "odd"},
            "array": [schema.get("items", {}).get("enum", ["zz"])[0]]}[schema["type"]]


def odd(name, value, schema):
    """Other forms that mean this value."""
    if schema["type"] == "boolean": return ["true", "True", "yes", 1]
    if schema["type"] == "integer": return [float(value), str(value), *SIZES.get(name, [])]
    if schema["type"] == "array": return [json.dumps(value), value[0]]
    if schema["type"] == "object": return [json.dumps(value)]
    return [f" {value} "] if value and "enum" in schema else []


async def main(cmd):
    bad, calls = [], 0
    async with Client(StdioServerParameters(command=cmd[0], args=cmd[1:])) as client:
        tools = [t.model_dump(by_alias=True, exclude_none=True, mode="json") for t in (await client.list_tools()).tools]
        bad += check_tools(tools)

        async def answer(tool, arguments):
            nonlocal calls
            calls += 1
            result = await client.call_tool(tool, arguments)
            return CHANGING.sub("*", f"{bool(result.is_error)} {result.content[0].text}")

        for tool in tools:
            name, properties = tool["name"], tool["inputSchema"]["properties"]
            required = tool["inputSchema"].get("required", [])
            base = {p: plain(p, properties[p]) for p in required}
            if "cluster" in properties: base["cluster"] = KNOWN["cluster"]
            if "wait" in properties: base["wait"] = 0
            # Nothing is made: that number is taken.
            if "vmid" in properties: base["vmid"] = KNOWN["vmid"]
            expected = await answer(name, base)

            async def same(arguments, what, expected=expected):
                got = await answer(name, arguments)
                if got != expected: bad.append(f"{name}: {what}\n  plain: {expected[:400]}\n  odd:   {got[:400]}")

            await same({**base, **OF_HOSTS}, "with what hosts add")
            await same({p.replace("_", "-"): v for p, v in base.items()}, "names with hyphens")
            optional = [p for p in properties if p not in base]
            for nothing in (None, "", [], {}):
                free = [p for p in optional if nothing != "" or p not in WRITTEN]
                await same({**base, **{p: nothing for p in free}}, f"{json.dumps(nothing)} for {', '.join(free)}")
            for p in [p for p in ("cluster", "wait") if p in properties]:
                rest = {name: value for name, value in base.items() if name != p}
                whole = await answer(name, rest)
                for nothing in (None, "", [], {}): await same({**rest, p: nothing}, f"{json.dumps(nothing)} for {p}", whole)
            if "guest" in properties:
                whole = await answer(name, {**base, "guest": 999999})
                for form in (999999.0, "999999", " 999999 "): await same({**base, "guest": form}, f"guest as {json.dumps(form)}", whole)
            for p, schema in properties.items():
                value = plain(p, schema)
                if value is None: continue
                forms = odd(p, value, schema)
                if not forms: continue
                whole = await answer(name, {**base, p: value})
                for form in forms: await same({**base, p: form}, f"{p} as {json.dumps(form)}", whole)
        print(f"{len(tools)} tools, {calls} calls")
    for b in bad: print("PROBLEM", b)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
