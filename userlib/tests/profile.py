#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Catches: a heap profile that pprof cannot read, that blames the wrong function, counts
wrongly, or whose samples do not stand for what was allocated.

	profile.py PROFILE-SITES

profile-sites allocates and says what should be found; here the profile is decoded,
without pprof, and compared; `go tool pprof` is asked at the end, where it is there.
"""
import gzip
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

COUNT = 0
FAILED = False


def result(ok, name, why=''):
    global COUNT, FAILED
    COUNT += 1
    print('%sok %d - %s' % ('' if ok else 'not ', COUNT, name), flush=True)
    if not ok:
        FAILED = True
        for line in str(why).splitlines():
            print('# ' + line, file=sys.stderr)


def varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return n, at


def message(data):
    """Fields of a message: number to list of values."""
    fields = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value = data[at:at + length]
            if len(value) != length:
                raise ValueError('field %d is cut off' % (key >> 3))
            at += length
        else:
            raise ValueError('wire type %d' % (key & 7))
        fields.setdefault(key >> 3, []).append(value)
    return fields


def packed(data):
    numbers, at = [], 0
    while at < len(data):
        n, at = varint(data, at)
        numbers.append(n)
    return numbers


class Profile:
    """A decoded profile; refers only to what it has."""
    def __init__(self, path):
        with open(path, 'rb') as file:
            raw = file.read()
        self.compressed = raw[:2] == b'\x1f\x8b'
        top = message(gzip.decompress(raw) if self.compressed else raw)
        self.strings = [s.decode() for s in top[6]]
        assert self.strings[0] == ''
        self.types = [tuple(self.strings[message(t)[i][0]] for i in (1, 2)) for t in top[1]]
        self.period_type = tuple(self.strings[message(top[11][0])[i][0]] for i in (1, 2))
        self.period = top.get(12, [0])[0]
        self.default = self.strings[top[14][0]]
        self.drop = self.strings[top[7][0]]
        self.maps = {}
        for m in map(message, top.get(3, [])):
            self.maps[m[1][0]] = (m[2][0], m[3][0], self.strings[m[5][0]] if 5 in m else '',
                                  self.strings[m[6][0]] if 6 in m else '')
        functions = {}
        for f in map(message, top.get(5, [])):
            assert f[1][0] not in functions
            functions[f[1][0]] = self.strings[f[2][0]]
        self.location = {}
        for l in map(message, top.get(4, [])):
            if 2 in l:
                start, limit = self.maps[l[2][0]][:2]
                assert start <= l[3][0] < limit
            name = functions[message(l[4][0])[1][0]] if 4 in l else '?'
            assert l[1][0] not in self.location
            self.location[l[1][0]] = (name, self.maps[l[2][0]][2] if 2 in l else '')
        self.samples = []
        for s in map(message, top.get(2, [])):
            stack = [self.location[i][0] for i in packed(s[1][0])]
            values = packed(s[2][0])
            label = message(s[3][0])
            assert self.strings[label[1][0]] == 'bytes'
            assert len(values) == 4 and stack
            self.samples.append((stack, values, label[3][0]))

    def of(self, function):
        """Sums over the samples of a function, and how many it has called others for."""
        total = [0, 0, 0, 0]
        for stack, values, _ in self.samples:
            while re.fullmatch(self.drop, stack[0]) and len(stack) > 1:
                stack = stack[1:]
            if stack[0] == function:
                total = [a + b for a, b in zip(total, values)]
        return total


class Run:
    """profile-sites in one of its modes, and what it wrote."""
    def __init__(self, mode, **env):
        self.file = os.path.join(DIR, mode)
        with open(os.path.join(DIR, 'out'), 'w+') as out:
            self.status = subprocess.call([SITES, mode, self.file], stdout=out, timeout=600,
                                          env=dict(os.environ, **env))
            out.seek(0)
            self.lines = [line.split() for line in out]
        if self.status:
            raise ValueError('%s: exit status %d' % (mode, self.status))

    def profile(self):
        return Profile(self.file)

    def expected(self):
        return {l[0]: [int(n) for n in l[1:]] for l in self.lines if l[0] != 'pids'}


def compare(profile, expected, slack):
    """What differs by more than slack(function, column, value)."""
    wrong = []
    for function, want in expected.items():
        got = profile.of(function)
        for i in range(4):
            if abs(got[i] - want[i]) > slack(function, i, want[i]):
                wrong.append('%s %s: %d, expected %d' %
                             (function, profile.types[i][0], got[i], want[i]))
    return '\n'.join(wrong)


def exact(function, column, want):
    # A conservative collector may hold some garbage.
    if column < 2 or want or function != 'site_garbage':
        return 0
    return 100 if column == 2 else 100 * 64


def nearly(_, column, want):
    return 0 if column < 2 or want else 5 if column == 2 else 5 * 512


def case(name, fn):
    try:
        why = fn()
    except (AssertionError, ValueError, KeyError, IndexError, OSError,
            subprocess.TimeoutExpired) as error:
        why = '%s: %s' % (type(error).__name__, error)
    result(not why, name, why)


def every_object():
    run = Run('every_object')
    profile = run.profile()
    if profile.types != [('alloc_objects', 'count'), ('alloc_space', 'bytes'),
                         ('inuse_objects', 'count'), ('inuse_space', 'bytes')]:
        return 'sample types %s' % profile.types
    if profile.period_type != ('space', 'bytes') or profile.period != 1 or \
            profile.default != 'inuse_space':
        return 'period %s %s, default %s' % (profile.period_type, profile.period, profile.default)
    return compare(profile, run.expected(), exact)


def stacks():
    profile = Run('every_object').profile()
    for stack, _, size in profile.samples:
        if stack[0] == 'site_kept':
            if stack[1:5] != ['in_levels'] * 4 or 'main' not in stack or size != 112:
                return '%s of %d bytes' % (stack, size)
        if 'site_tiny' in stack and stack[0] != 'site_tiny' and \
                not re.fullmatch(profile.drop, stack[0]):
            return stack
    inside = [s[0] for s, _, _ in profile.samples
              if s[0] in ('profile_record', 'alloc_object', 'large_alloc', 'take_or_refill')]
    return 'frames of the library: %s' % inside if inside else ''


def mappings():
    profile = Run('every_object').profile()
    binary = [m for m in profile.maps.values() if m[2] == os.path.realpath(SITES)]
    if not binary:
        return 'no mapping of %s in %s' % (SITES, profile.maps)
    notes = subprocess.run(['readelf', '-n', SITES], stdout=subprocess.PIPE,
                           universal_newlines=True, check=False).stdout
    if 'Build ID: ' + binary[0][3] not in notes:
        return 'build ID %s, readelf: %s' % (binary[0][3], notes)
    return ''


def statistics(mode, rate, **env):
    """Six standard deviations, on as many samples as there should be."""
    def check():
        run = Run(mode, **env)
        profile = run.profile()
        if profile.period != rate:
            return 'period %d' % profile.period

        def slack(function, column, want):
            if column >= 2:
                return float('inf')
            objects, size = run.expected()[function][0], 0
            size = run.expected()[function][1] / objects
            chance = 1 - math.exp(-size / rate)
            relative = math.sqrt((1 - chance) / (objects * chance))
            return want * 6 * relative + size
        return compare(profile, run.expected(), slack)
    return check


def simple(mode, slack=exact):
    def check():
        run = Run(mode)
        return compare(run.profile(), run.expected(), slack)
    return check


def at_once():
    profile = Run('at_once').profile()
    garbage = profile.of('churn_and_free')
    kept = profile.of('site_kept')
    if garbage[1] < 1 << 20:
        return 'allocated: %s' % garbage
    if garbage[3] > garbage[1] / 10 + 400000 or min(garbage) < 0 or kept[2] == 0:
        return 'garbage %s, kept %s' % (garbage, kept)
    return ''


def off():
    run = Run('by_default', GOHEAP_MEMPROFILERATE='0')
    profile = run.profile()
    return '%d samples, period %d' % (len(profile.samples), profile.period) \
        if profile.samples or profile.period else ''


def at_exit():
    path = os.path.join(DIR, 'exit profile')
    run = Run('at_exit', GOHEAP_PROFILE=path, GOHEAP_MEMPROFILERATE='1')
    wrong = compare(Profile(path), run.expected(), exact)
    if wrong:
        return wrong
    run = Run('at_exit', GOHEAP_PROFILE=path + '.%p', GOHEAP_MEMPROFILERATE='1')
    parent, child = [l for l in run.lines if l[0] == 'pids'][0][1:]
    wrong = compare(Profile('%s.%s' % (path, parent)), run.expected(), exact)
    if wrong:
        return wrong
    got = Profile('%s.%s' % (path, child)).of('site_kept')
    return '' if got[0] == 100 else 'the child: %s' % got


def errors():
    run = Run('errors')
    return '' if not run.lines else run.lines


def uncompressed():
    """Where zlib is not found: a library of its name that is none."""
    trap = os.path.join(DIR, 'no zlib')
    os.mkdir(trap)
    with open(os.path.join(trap, 'libz.so.1'), 'w'):
        pass
    run = Run('every_object', LD_LIBRARY_PATH=trap)
    profile = run.profile()
    if profile.compressed:
        return 'it is compressed'
    return compare(profile, run.expected(), exact)


def find_go():
    path = os.environ.get('PATH', '') + ':/usr/lib/go-1.23/bin:/usr/local/go/bin'
    return shutil.which('go', path=path)


def pprof(go):
    def check():
        run = Run('every_object')
        env = dict(os.environ, HOME=DIR, PPROF_TMPDIR=DIR)
        out = subprocess.run([go, 'tool', 'pprof', '-symbolize=local', '-top', '-unit=B',
                              '-sample_index=alloc_space', SITES, run.file],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                             universal_newlines=True, check=False)
        flat = {}
        for line in out.stdout.splitlines():
            words = line.split()
            if len(words) == 6 and words[0].endswith('B'):
                flat[words[5]] = int(words[0][:-1])
        for function, want in run.expected().items():
            # Lines of under half a per cent are left out.
            if want[1] > 50000 and flat.get(function) != want[1]:
                return '%s: %s, expected %d\n%s' % (function, flat.get(function), want[1],
                                                    out.stdout)
        return ''
    return check


def main():
    global SITES, DIR
    if len(sys.argv) != 2:
        print('usage: profile.py PROFILE-SITES', file=sys.stderr)
        sys.exit(2)
    SITES = os.path.abspath(sys.argv[1])
    print('TAP version 13')
    with tempfile.TemporaryDirectory() as DIR:
        case('every object sampled: exact figures, by function', every_object)
        case('call stacks begin at the caller of the library and go on to main()', stacks)
        case('mappings name the program and its build ID', mappings)
        case('before the first collection all is in use', simple('never_collected'))
        case('what is freed later leaves, what was young counts', simple('later', nearly))
        case('sampled every 64 KiB: within six standard deviations',
             statistics('some_objects', 65536))
        case('the same with the default rate', statistics('by_default', 524288))
        case('the same for threads that end early', statistics('short_lives', 8192))
        case('profiles written while threads allocate, free and collect', at_once)
        case('GOHEAP_MEMPROFILERATE=0: no samples', off)
        case('a forked child has the samples of its parent', simple('forked'))
        case('GOHEAP_PROFILE: written at the end, by children where it has %p', at_exit)
        case('errors are told', errors)
        case('without zlib it is not compressed', uncompressed)
        # A test machine in software is no place for it.
        go = None if 'GOHEAP_TEST_SECONDS' in os.environ else find_go()
        if go:
            case('go tool pprof -top shows the same', pprof(go))
        else:
            result(True, 'go tool pprof -top shows the same # SKIP no Go')
    print('1..%d' % COUNT)
    sys.exit(FAILED)


main()
