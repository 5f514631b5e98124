# SPDX-License-Identifier: GPL-2.0
"""Where the kernels of selftests/vm/run are, and what goes into a guest.

The cache, filled by selftests/setup, holds one directory a kernel:

	kernels/RELEASE/vmlinux		uncompressed: it starts seconds earlier
	kernels/RELEASE/drivers/	modules the guest needs to see the host
	kernels/RELEASE/drivers.list	their names in the order to load them
	kernels/debug-HASH/		the debug kernel (bzImage) and its build tree;
	kernels/kcsan-HASH/		likewise
"""
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile

VM = os.path.dirname(os.path.realpath(__file__))
SELFTESTS = os.path.dirname(VM)
TOP = os.path.dirname(SELFTESTS)
SETUP = os.path.join(SELFTESTS, 'setup')

# The kernels that setup/kernel-debug builds, and all there are.
BUILT = ('debug', 'kcsan')
NAMES = ('6.1', '6.12') + BUILT


class Unusable(Exception):
    """Something is missing: the message says what, and what to do."""


def cache_dir():
    """The directory that setup/lib.sh's cache_dir chooses."""
    done = subprocess.run(['bash', '-c', '. "$0" && printf %s "$cache"',
                           os.path.join(SETUP, 'lib.sh')],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise Unusable(done.stderr.decode().strip().split(': ', 1)[-1])
    return os.fsdecode(done.stdout)


def version_key(release):
    return [int(n) if n.isdigit() else -1 for n in re.split(r'[^0-9]+', release)]


class Kernel:
    """One kernel: .image, .drivers (paths, in order), .build (for modules)."""

    def __init__(self, name, cache):
        self.name = name
        self.drivers = []
        if name in BUILT:
            done = subprocess.run([os.path.join(SETUP, 'kernel-debug'), '--dir', name],
                                  stdout=subprocess.PIPE)
            if done.returncode:
                raise Unusable(f'the {name} kernel has not been built; '
                               f'run selftests/setup/kernel-debug {name}')
            self.build = os.fsdecode(done.stdout.rstrip(b'\n'))
            self.release = os.path.basename(self.build)
            self.image = os.path.join(self.build, 'bzImage')
            return
        kernels = os.path.join(cache, 'kernels')
        found = [r for r in (os.listdir(kernels) if os.path.isdir(kernels) else [])
                 if r.startswith(name + '.') and
                 os.path.isdir('/usr/src/linux-headers-' + r)]
        if not found:
            raise Unusable(f'no {name} kernel in {kernels} that has its headers '
                           'installed; run selftests/setup/install')
        self.release = max(found, key=version_key)
        self.build = '/usr/src/linux-headers-' + self.release
        top = os.path.join(kernels, self.release)
        self.image = os.path.join(top, 'vmlinux')
        with open(os.path.join(top, 'drivers.list')) as f:
            self.drivers = [os.path.join(top, 'drivers', n) for n in f.read().split()]


def _sources(top):
    """What goheap.ko is made of: {path below top: contents}."""
    files = {}
    for sub in ('Kbuild', 'module', 'uapi'):
        start = os.path.join(top, sub)
        if not os.path.exists(start):
            raise Unusable(f'{start} is missing: there is no module to build')
        if os.path.isfile(start):
            names = [sub]
        else:
            names = [os.path.relpath(os.path.join(d, f), top)
                     for d, _, fs in os.walk(start) for f in fs
                     if f.endswith(('.c', '.h', '.S')) or f in ('Kbuild', 'Makefile')]
        for name in names:
            if not name.endswith('.mod.c'):
                with open(os.path.join(top, name), 'rb') as f:
                    files[name] = f.read()
    return files


def _prune(directory, keep):
    """Old builds go, the newest stay."""
    builds = [os.path.join(directory, n) for n in os.listdir(directory)
              if not n.startswith('.')]
    builds.sort(key=lambda p: os.stat(p).st_mtime, reverse=True)
    for old in builds[keep:]:
        subprocess.run(['rm', '-rf', old])


def _make(kernel, build, files, *args):
    """Builds copies of the sources in a directory: (worked, what was said).

    Copies, so that a build never sees a file change under it, leaves nothing
    in the checkout, and does not mind a space in the checkout's path.
    """
    subprocess.run(['rm', '-rf', build])
    for name, contents in files.items():
        path = os.path.join(build, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(contents)
    env = {k: v for k, v in os.environ.items()
           if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'O', 'KBUILD_OUTPUT') + SWITCHES}
    made = subprocess.run(['make', '-s', '-C', kernel.build, 'M=' + build,
                           f'-j{os.cpu_count()}', *args, 'modules'],
                          env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = made.stdout.decode(errors='replace').replace(build, TOP)
    # BTF needs a file that the package of headers does not have, which is no
    # one's fault.
    text = ''.join(line for line in text.splitlines(True)
                   if 'Skipping BTF generation' not in line)
    return made.returncode == 0 and os.path.exists(os.path.join(build, 'goheap.ko')), text


# Switches of Kbuild that are taken from the environment.
SWITCHES = ('GOHEAP_KUNIT', 'GOHEAP_NO_DIRTY_HELPERS')


def module(kernel, cache):
    """Path of goheap.ko for a kernel, built unless the same sources were."""
    files = _sources(TOP)
    switches = [f'{name}=y' for name in SWITCHES if os.environ.get(name) == 'y']
    key = hashlib.sha256(' '.join([kernel.release] + switches).encode())
    for name in sorted(files):
        key.update(f'\0{name}\0{len(files[name])}\0'.encode())
        key.update(files[name])
    modules = os.path.join(cache, 'modules')
    os.makedirs(modules, exist_ok=True)
    done = os.path.join(modules, f'{kernel.release}-{key.hexdigest()[:16]}')
    ko = os.path.join(done, 'goheap.ko')
    with open(os.path.join(cache, 'lock-module-' + kernel.release), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(ko):
            os.utime(done)
            return ko
        build = os.path.join(modules, '.' + kernel.release)
        worked, text = _make(kernel, build, files, *switches)
        sys.stderr.write(text)
        if not worked:
            raise Unusable(f'goheap.ko for {kernel.release} does not build (see above)')
        subprocess.run(['find', build, '-type', 'f', '!', '-name', 'goheap.ko', '-delete'])
        subprocess.run(['rm', '-rf', done])
        os.rename(build, done)
        _prune(modules, 24)
    return ko


def lint(kernel, cache):
    """What the compiler (W=1) and sparse (C=2) say about the module."""
    with tempfile.TemporaryDirectory(dir=cache, prefix='lint-') as build:
        worked, text = _make(kernel, build, _sources(TOP), 'W=1', 'C=2')
    return text if worked or text else 'goheap.ko does not build\n'


def compiled(name, cache):
    """Path of a program made of one C file of this directory, compiled unless it was."""
    source = os.path.join(VM, name + '.c')
    with open(source, 'rb') as f:
        key = hashlib.sha256(f.read()).hexdigest()[:16]
    path = os.path.join(cache, f'{name}-{key}')
    if not os.path.exists(path):
        tmp = f'{path}.{os.getpid()}'
        made = subprocess.run(['gcc', '-static', '-s', '-O2', '-Wall', '-o', tmp, source],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            sys.stderr.write(made.stdout.decode(errors='replace'))
            raise Unusable(f'{name}.c does not compile; run selftests/setup/install')
        os.rename(tmp, path)
    return path


def cpio(files):
    """An initramfs, newc format: [(name, mode, contents)] to bytes."""
    out = bytearray()

    def entry(name, mode, data):
        raw = name.encode() + b'\0'
        out.extend(b'070701' + b''.join(b'%08X' % n for n in (
            entry.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)))
        entry.ino += 1
        out.extend(raw)
        out.extend(bytes(-len(out) % 4))
        out.extend(data)
        out.extend(bytes(-len(out) % 4))

    entry.ino = 1
    for d in ('dev', 'proc', 'sys', 'vm'):
        entry(d, 0o040755, b'')
    for name, mode, data in files:
        entry(name, 0o100000 | mode, data)
    entry('TRAILER!!!', 0, b'')
    return bytes(out)
