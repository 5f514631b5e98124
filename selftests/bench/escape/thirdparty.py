# SPDX-License-Identifier: GPL-2.0
"""The program that others wrote: Simon Tatham's puzzles, from Debian's sources.

It was written for malloc() and free(), and is ported by the three macros of
third-party/port.h; third-party/puzzles.c has it invent puzzles without a window.
Nothing of it is kept in this project: the archive is fetched into the user's cache, and used
only if it is the one that is named here.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

from benchlib import Failure, progress

HERE = os.path.dirname(os.path.abspath(__file__))

PACKAGE = 'sgt-puzzles'
VERSION = '20230122.806ae71-2'
ARCHIVE = 'sgt-puzzles_20230122.806ae71.orig.tar.xz'
SHA256 = '6e236301b0ef756b9f421c8cdb50edc5510a6e5f6f7f1d3b8384dfd3d5204a99'
LICENCE = 'MIT'

GAMES = ('dominosa', 'galaxies', 'mines', 'net', 'range', 'solo')
BENEATH = ('combi', 'divvy', 'dsf', 'findloop', 'latin', 'laydomino', 'matching', 'misc', 'nullfe',
           'random', 'sort', 'tree234')
FLAGS = ('-O2', '-g', '-w', '-DCOMBINED')


class Unreachable(Exception):
    """The archive is not in the cache, and cannot be fetched: to be skipped."""


def macros():
    """How many lines the port takes."""
    with open(os.path.join(HERE, 'third-party', 'port.h')) as f:
        return len(re.findall(r'^#define', f.read(), re.M))


def cache():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(base, 'goheap', 'third-party')


def right(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest() == SHA256


def source_lists(folder):
    """This machine's package lists, asked for sources: apt's own settings stay as they are."""
    for path in (glob.glob('/etc/apt/sources.list') + glob.glob('/etc/apt/sources.list.d/*.list') +
                 glob.glob('/etc/apt/sources.list.d/*.sources')):
        with open(path) as f:
            text = f.read()
        text = re.sub(r'^Types:.*', 'Types: deb-src', text, flags=re.M)
        text = re.sub(r'^deb\s', 'deb-src ', text, flags=re.M)
        with open(os.path.join(folder, os.path.basename(path)), 'w') as f:
            f.write(text)


def fetch(to):
    """Have apt bring the archive."""
    with tempfile.TemporaryDirectory(prefix='goheap-apt.') as work:
        folders = {name: os.path.join(work, name) for name in ('parts', 'lists', 'cache', 'here')}
        for folder in folders.values():
            os.makedirs(os.path.join(folder, 'partial'))
        source_lists(folders['parts'])
        options = ['-q', '-o', 'Dir::Etc::sourcelist=/dev/null',
                   '-o', 'Dir::Etc::sourceparts=' + folders['parts'],
                   '-o', 'Dir::State::lists=' + folders['lists'],
                   '-o', 'Dir::Cache=' + folders['cache'], '-o', 'APT::Sandbox::User=']
        complaints = []
        try:
            # The first may fail for one list of many; the second says whether that matters.
            for argv in (['update'],
                         ['source', '--download-only', '--tar-only',
                          '%s=%s' % (PACKAGE, VERSION)]):
                done = subprocess.run(['apt-get'] + options + argv, cwd=folders['here'],
                                      timeout=300, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      universal_newlines=True, errors='replace')
                complaints += re.findall(r'^[EW]: .*', done.stdout, re.M)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(str(error)) from None
        got = os.path.join(folders['here'], ARCHIVE)
        if not os.path.exists(got):
            raise Unreachable(complaints[0] if complaints else 'apt-get brought nothing')
        if not right(got):
            raise Failure('%s: another archive than the one that is known' % ARCHIVE)
        shutil.move(got, to)


def archive():
    """The path of the archive."""
    path = os.path.join(cache(), ARCHIVE)
    if not os.path.exists(path):
        os.makedirs(cache(), exist_ok=True)
        progress('fetching %s' % ARCHIVE)
        fetch(path)
    elif not right(path):
        raise Failure('%s: another archive than the one that is known; remove it' % path)
    return path


def unpack(to):
    """The folder below @to with the sources."""
    with tarfile.open(archive()) as tar:
        tar.extractall(to)
    return os.path.join(to, os.listdir(to)[0])


def command(top):
    """What compiles and links it, but for -o."""
    port = os.path.join(HERE, 'third-party')
    return (['cc', *FLAGS, '-I', '.', '-include', os.path.join(port, 'port.h'),
             '-I', os.path.join(top, 'userlib', 'include'), os.path.join(port, 'puzzles.c')] +
            [name + '.c' for name in GAMES + BENEATH] +
            [os.path.join(top, 'userlib', 'out', 'libgoheap.a'), '-lm', '-pthread'])
