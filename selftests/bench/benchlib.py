# SPDX-License-Identifier: GPL-2.0
"""What run, compare and test-targets share: guests, rows, targets, tables."""

import atexit
import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(BENCH))
OUT = os.path.join(BENCH, 'out')
VM = os.path.join(TOP, 'selftests', 'vm', 'run')
KERNELS = ('6.1', '6.12')

Row = collections.namedtuple('Row', 'name unit value median max repeats faults')

_start = time.monotonic()


class Failure(Exception):
    """A step failed; the message says which and shows the end of its output."""


def preloadable(name):
    """The path of a library in OUT for LD_PRELOAD, which ends at a space or a colon."""
    path = os.path.join(OUT, name)
    if re.search('[ :]', path):
        copies = tempfile.mkdtemp(prefix='goheap-bench.')
        atexit.register(shutil.rmtree, copies, ignore_errors=True)
        path = shutil.copy(path, copies)
    return path


def progress(text):
    """One line on stderr, with the seconds since the start."""
    print('[%4d s] %s' % (time.monotonic() - _start, text), file=sys.stderr, flush=True)


def elapsed():
    return time.monotonic() - _start


def usage_error(text):
    print('%s: %s' % (os.path.basename(sys.argv[0]), text), file=sys.stderr)
    sys.exit(2)


def parse_args(parser):
    """argparse, but a wrong flag is one line."""
    parser.error = lambda message: usage_error('%s (see --help)' % message)
    return parser.parse_args()


def tail(text, lines=15):
    return '\n'.join(text.rstrip().splitlines()[-lines:])


def command(argv, what, timeout, cwd=TOP):
    """Run argv; its standard output, or Failure."""
    try:
        done = subprocess.run(argv, cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, errors='replace')
    except subprocess.TimeoutExpired:
        raise Failure('%s: not done after %d s' % (what, timeout)) from None
    except OSError as error:
        raise Failure('%s: %s' % (what, error)) from None
    if done.returncode:
        raise Failure('%s: exit status %d\n%s' %
                      (what, done.returncode, tail(done.stdout + done.stderr)))
    return done.stdout


def build():
    """The programs and, through its own Makefile, the library."""
    command(['make', '-C', BENCH, 'all'], 'building the benchmarks', 600)


def program(name):
    """The path of a program of ours, quoted for a shell."""
    return shlex.quote(os.path.join(OUT, name))


def guest(kernel, script, what, insns=True, mem='1G', timeout=600):
    """Run a shell script in a guest with the module; its standard output."""
    argv = [VM, '--kernel', kernel, '--mem', mem, '--timeout', str(timeout)]
    if insns:
        argv.append('--insns')
    return command(argv + ['--', '/bin/sh', '-c', script], '%s on %s' % (what, kernel),
                   timeout + 60)


def parse_rows(text):
    """The rows in a program's output, by name."""
    rows = collections.OrderedDict()
    for line in text.splitlines():
        field = line.split('\t')
        if field[0] == 'row' and len(field) == 8:
            rows[field[1]] = Row(field[1], field[2], float(field[3]), float(field[4]),
                                 float(field[5]), int(field[6]), int(field[7]))
    return rows


def targets():
    with open(os.path.join(BENCH, 'targets.json')) as f:
        return json.load(f)


def number(value):
    """As people write it: 12.3 below a hundred, 1,234 above; a target as it is."""
    if value is None:
        return '-'
    if isinstance(value, int):
        return '{:,}'.format(value)
    return '%.1f' % value if abs(value) < 100 else '{:,.0f}'.format(value)


def table(head, lines, left=1, out=sys.stdout):
    """Print lines of cells under a head; the first `left` columns stand left."""
    rows = [head] + [line for line in lines if line]
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]

    def one(row):
        cells = [cell.ljust(w) if i < left else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(row, width))]
        return '  '.join(cells).rstrip()

    print(one(head), file=out)
    print('  '.join('-' * w for w in width), file=out)
    for line in lines:
        print(one(line) if line else '', file=out)


def release_of(text):
    """The guest's `uname -r`, which scripts print first as `kernel RELEASE`."""
    match = re.search(r'^kernel (\S+)$', text, re.M)
    return match.group(1) if match else None


def save(path, data):
    with open(path + '.new', 'w') as f:
        json.dump(data, f, indent=1, sort_keys=True)
        f.write('\n')
    os.replace(path + '.new', path)
