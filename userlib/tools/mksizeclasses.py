#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate userlib/src/sizeclasses.h: the size classes and their look-up tables.

The rule is TCMalloc's, as Go uses it (runtime/mksizeclasses.go): walk the sizes
in steps that grow with the size, give each class the smallest span whose tail
wastes at most an eighth, merge neighbours that fit equally often into the same
span, then stretch every class to what its span can hold anyway.  Checked below:
67 classes; the average request that a class over 128 bytes serves wastes under
12.5 %; multiplying by the stored reciprocal divides exactly for every offset
in a span.
"""
import sys

PAGE = 8192
SMALL_MAX = 32768
STEP_SMALL, LIMIT_SMALL, STEP_LARGE = 8, 1024, 128
RUN_STRIDE = 72


def classes():
    out, align, size = [(0, 0)], 8, 8
    while size <= SMALL_MAX:
        if size & (size - 1) == 0:
            if size >= 2048:
                align = 256
            elif size >= 128:
                align = size // 8
            elif size >= 32:
                align = 16
        span = PAGE
        while span % size > span // 8:
            span += PAGE
        same_fit = len(out) > 1 and out[-1][1] == span and span // out[-1][0] == span // size
        if same_fit:
            out[-1] = (size, span)
        else:
            out.append((size, span))
        size += align
    stretched = out[:1]
    for size, span in out[1:]:
        best = span // (span // size)
        stretched.append((max(size, best - best % STEP_LARGE), span))
    return stretched


def reciprocal(size):
    return (2**32 + size - 1) // size


def check(table):
    assert [s for s, _ in table] == sorted({s for s, _ in table})
    assert table[-1][0] == SMALL_MAX and len(table) == 68
    for size, span in table[1:]:
        m = reciprocal(size)
        assert m < 2**32
        for off in range(span):
            assert (off * m) >> 32 == off // size, (size, off)
        assert span % size <= span // 8
    for (low, _), (high, _) in zip(table, table[1:]):
        assert high <= 128 or (high - low - 1) / 2 < high / 8, (low, high)


def lookup(table, low, high, step):
    row, c = [], 1
    for size in range(low, high + 1, step):
        while table[c][0] < size:
            c += 1
        row.append(c)
    return row


def emit(name, ctype, values, out):
    out.append(f"static const {ctype} {name}[{len(values)}] = {{")
    line = "\t"
    for v in values:
        if len(line.expandtabs(8)) + len(f"{v}, ") > 79:
            out.append(line.rstrip())
            line = "\t"
        line += f"{v}, "
    out += [line.rstrip(), "};", ""]


def main():
    if len(sys.argv) != 1:
        sys.exit("usage: mksizeclasses.py > sizeclasses.h")
    table = classes()
    check(table)
    n = len(table)
    out = [
        "/* SPDX-License-Identifier: MIT */",
        "/* Made by tools/mksizeclasses.py, which tells the rule; do not edit. */",
        "#ifndef GOHEAP_SIZECLASSES_H",
        "#define GOHEAP_SIZECLASSES_H",
        "",
        "#include <stdint.h>",
        "",
        "/*",
        " * class  bytes  span bytes  objects  tail waste",
    ]
    for c, (size, span) in enumerate(table[1:], 1):
        out.append(f" * {c:5d}  {size:5d}  {span:10d}  {span // size:7d}  {span % size:10d}")
    out += [
        " */",
        f"#define NUM_SIZE_CLASSES\t{n}\t/* class 0 stands for large objects */",
        f"#define SMALL_OBJECT_MAX\t{SMALL_MAX}",
        f"#define LOOKUP_SMALL_MAX\t{LIMIT_SMALL}",
        "/* Bytes from the runs of one size class to those of the next in struct mcache. */",
        f"#define RUN_STRIDE\t\t{RUN_STRIDE}",
        "",
    ]
    emit("class_to_size", "uint16_t", [s for s, _ in table], out)
    emit("class_to_pages", "uint8_t", [p // PAGE for _, p in table], out)
    emit("class_to_reciprocal", "uint32_t", [0] + [reciprocal(s) for s, _ in table[1:]], out)
    emit("size_to_class_small", "uint8_t", lookup(table, 0, LIMIT_SMALL, STEP_SMALL), out)
    emit("size_to_runs_small", "uint16_t",
         [c * RUN_STRIDE for c in lookup(table, 0, LIMIT_SMALL, STEP_SMALL)], out)
    emit("size_to_class_large", "uint8_t", lookup(table, LIMIT_SMALL, SMALL_MAX, STEP_LARGE), out)
    out.append("#endif /* GOHEAP_SIZECLASSES_H */")
    print("\n".join(out))


main()
