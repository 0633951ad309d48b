"""Holds the portable core, as Xtensa code, to its budget of flash, static memory and stack.

Takes object files; beside each lies the call graph that `-fcallgraph-info=su` wrote. Calls through an interface are
not in it: their own chains are counted from where they begin.
"""

import pathlib
import re
import subprocess
import sys

# Of a slot of 1920 KiB. What decides is in the core, so that it can be tested.
FLASH_BYTES = 28 * 1024
STATIC_BYTES = 0
# The tasks' stacks are 8 KiB; half is left to lwIP, the camera's driver and interrupts.
STACK_BYTES = 4 * 1024

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
USED = re.compile(r"(\d+) bytes \((static|dynamic)")


def sizes(objects):
    """Flash and static bytes of all objects together."""
    lines = subprocess.run(["xtensa-lx106-elf-size", "-t", *objects], check=True, capture_output=True, text=True)
    text, data, bss = (int(word) for word in lines.stdout.splitlines()[-1].split()[:3])
    return text + data, data + bss


def graph(objects):
    """Bytes of stack and callees of every function."""
    used, calls, names = {}, {}, {}
    for path in objects:
        for line in pathlib.Path(path).with_suffix(".ci").read_text().splitlines():
            if node := NODE.match(line):
                names.setdefault(node[1], node[2].split("\\n")[0])
                if size := USED.search(node[2]):
                    used[node[1]] = int(size[1])
                    if size[2] == "dynamic":
                        raise SystemExit(f"no bound on the stack of {names[node[1]]}")
            elif edge := EDGE.match(line):
                calls.setdefault(edge[1], set()).add(edge[2])
    return used, calls, names


def deepest(used, calls):
    """The chain of calls that takes the most stack."""
    best = {}

    def of(function, above):
        if function in above:
            raise SystemExit(f"{function} calls itself: no bound on its stack")
        if function not in best:
            chains = [of(callee, above | {function}) for callee in calls.get(function, ())]
            size, chain = max(chains, default=(0, []))
            best[function] = (used.get(function, 0) + size, [function, *chain])
        return best[function]

    return max(of(function, frozenset()) for function in used)


def main():
    objects = sys.argv[1:]
    flash, static = sizes(objects)
    used, calls, names = graph(objects)
    stack, chain = deepest(used, calls)
    print(f"flash {flash} of {FLASH_BYTES} bytes, static {static} of {STATIC_BYTES}, stack {stack} of {STACK_BYTES}")
    print("deepest:", " > ".join(names[function] for function in chain))
    return int(flash > FLASH_BYTES or static > STATIC_BYTES or stack > STACK_BYTES)


sys.exit(main())
