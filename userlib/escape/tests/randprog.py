#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Random C programs that allocate: a seed gives the same program every time.

	randprog.py [OPTION...] SEED...		one unit of all these programs, on stdout

	--part 1|2	the first or second half, of a unit that is split over two files
	--shape NAME	the program is this shape alone, see randprog_shapes.py
	--leak		with --shape: the one that must stay on the heap
	--wrong SITE:HOW	what a wrong compiler would make of this site: stack (an
			object of the frame), once (the same, zeroed when the
			function is entered), dirty (not zeroed), skew (not aligned)
	--sites		names the sites instead, as JSON: of each what it is, and whether
			its object must stay on the heap
	--shapes	names the shapes instead

What every program is like:

- Its behaviour is defined, with the collector's help: a pointer is NULL, or to an object of
  the heap, which lives as long as that pointer.  Pointers to locals go down to callees only, as
  types that are never stored (slots: struct a **; boxes: struct x *).  Where a pointer is hidden
  from the collector nothing is allocated until it is found again.
- No checksum depends on an address, or on the order in which operands are evaluated.
- Every object holds a number of its own, and is looked at after its function has returned
  and the stack has been overwritten: an object that lay on the stack reads otherwise.
- It ends: loops are bounded, and calls cost fuel.
- A share of its objects is meant to stay in its frame, and flows only there; another leaks in
  one place.  Nothing here says which is which: that would be the analysis once more.
"""
import sys
sys.dont_write_bytecode = True

import argparse     # noqa: E402
import json         # noqa: E402
import random       # noqa: E402
import re           # noqa: E402

import randprog_shapes                          # noqa: E402
from randprog_statements import Statements      # noqa: E402
from randprog_types import Types                # noqa: E402

# Seeds that follow one another and have their types in common: these take time to compile.
SAME_TYPES = 5
WRONG = ('stack', 'once', 'dirty', 'skew')


class Function:
    def __init__(self, name, ret, params, static, attribute, half):
        self.name, self.ret, self.params = name, ret, params
        self.static, self.attribute, self.half = static, attribute, half
        self.lines, self.locals = [], []
        self.called = 0


class Program(Statements):
    """One random program; its text is asked for with text()."""

    GLOBALS = {
        'g0': 'struct {T}a *{P}g0', 'g1': 'struct {T}a *{P}g1', 'g2': 'struct {T}a *{P}g2',
        'ga': 'struct {T}a *{P}ga[3]', 'gx': 'struct {T}x {P}gx', 'gb': 'struct {T}b *{P}gb',
        'gt': 'uintptr_t {P}gt', 'gh': 'uintptr_t {P}gh', 'gv': 'void *{P}gv',
        'gp': 'unsigned *{P}gp', 'gc': 'char *{P}gc', 'tl': '__thread struct {T}a *{P}tl',
    }

    def __init__(self, seed, shape=None, leak=None, wrong=None, split=False):
        self.seed, self.wrong, self.split = seed, wrong, split
        self.rng = random.Random('goheap %d' % seed)
        self.P = 's%d_' % seed
        self.types = types = Types(seed // SAME_TYPES)
        self.T, self.A, self.B, self.X = types.P, types.A, types.B, types.X
        self.arr, self.flex, self.typed, self.a_size = types.arr, types.flex, types.typed, types.a_size
        self.pointers, self.values, self.has_tag, self.has_leaf = \
            types.pointers, types.values, types.has_tag, types.has_leaf
        self.functions, self.pool, self.sites = [], [], []
        self.used = {}
        self.extra_globals = []
        self.f = None
        self.indent = 1
        self.fresh = 0
        if shape is not None:
            self.pool.append(randprog_shapes.SHAPES[shape](self, leak))
        else:
            self.leaky = self.rng.choice((0.0, 0.02, 0.05, 0.15))
            self.make_functions()
        self.make_run()

    # Building functions: what the shapes use

    def ctype(self, kind):
        return {'A': self.A + ' *', 'B': self.B + ' *', 'AA': self.A + ' **', 'X': self.X + ' *',
                'XV': self.X + ' ', 'U': 'unsigned ', 'V': 'void ', 'P': 'void *', 'I': 'int ', '...': '...'}[kind]

    def nothing(self, ret):
        return {'V': '', 'U': ' 0', 'I': ' 0', 'XV': ' (%s){ 0 }' % self.X}.get(ret, ' NULL')

    def chance(self, p):
        return self.rng.random() < p

    def glob(self, name):
        """A global that is looked at after every call."""
        self.used[name] = True
        return self.P + name

    def own_global(self, declaration, initial=None):
        self.extra_globals.append((declaration, initial))

    def begin(self, ret, params='A a, U k', attribute=None, fuel=True):
        """Open a function; params are kinds and names."""
        parsed = [tuple(p.split()) for p in params.split(', ')] if params else []
        if attribute is None:
            attribute = self.rng.choice(['noinline'] * 5 + [''] * 6 + ['noipa'])
        f = Function('%sf%d' % (self.P, len(self.functions)), ret, parsed, self.chance(0.9),
                     attribute, 1 + len(self.functions) % 2)
        self.functions.append(f)
        self.f, self.indent, self.fresh = f, 1, 0
        if fuel:
            self.e('if (rp_fuel-- <= 0)')
            self.e('\treturn%s;' % self.nothing(ret))
        return f

    def e(self, *lines):
        for line in lines:
            if line.startswith('}'):
                self.indent -= 1
            self.f.lines.append('\t' * self.indent + line)
            if line.endswith('{'):
                self.indent += 1

    def name(self, letter):
        self.fresh += 1
        return '%s%d' % (letter, self.fresh)

    def signature(self, f):
        attributes = [f.attribute] if f.attribute else []
        if not self.split and f.static:
            attributes.append('unused')
        return '%s%s%s%s(%s)' % (
            'static ' if f.static and not self.split else '',
            '__attribute__((%s)) ' % ', '.join(attributes) if attributes else '',
            self.ctype(f.ret), f.name,
            ', '.join(self.ctype(k) + n for k, n in f.params) or 'void')

    def allocate(self, kind='A', what='?', must=False, size=None, how=None):
        """The expression of an allocation; a site."""
        site = len(self.sites)
        self.sites.append({'site': site, 'function': self.f.name, 'what': what, 'must': must})
        if size is None:
            size = self.a_size if kind == 'A' else 'sizeof(%s)' % (self.B if kind == 'B' else self.X)
        if how is None:
            if kind == 'B':
                how = 'goheap_alloc_noscan'
            elif kind == 'A' and self.typed and size == self.a_size and self.chance(0.3):
                how = 'typed'
            else:
                how = 'goheap_alloc'
        if self.wrong and self.wrong[0] == site:
            return self.wrong_object('wrong%d' % site, size, self.wrong[1])
        if how == 'typed':
            return '(rp_tick(), goheap_alloc_typed(&%stype, 1))' % self.T
        return '(rp_tick(), %s(%s))' % (how, size)

    def wrong_object(self, name, size, how):
        if size == 'n':
            size = self.a_size
        self.f.locals.append('_Alignas(16) unsigned char %s[(%s) + 8]%s;' %
                             (name, size, ' = { 0 }' if how == 'once' else ''))
        if how in ('once', 'dirty'):
            return '(rp_tick(), (void *)%s)' % name
        return '(rp_tick(), memset(%s, 0, sizeof(%s)), (void *)(%s%s))' % (
            name, name, name, ' + 8' if how == 'skew' else '')

    def fill(self, name, kind='A'):
        """Look at a fresh object, and give it its number."""
        size = self.a_size if kind == 'A' else 'sizeof(*%s)' % name
        if self.chance(0.3):
            # Only branched on, as below, or its bytes would go into the checksum.
            self.e('if (rp_nonzero(%s, %s))' % (name, size), '\trp_mix(9);')
        elif kind == 'A' and self.chance(0.35):
            # Sometimes more than branched on.
            fields = [('(unsigned)%s->%s' % (name, v)) for v in self.values] + \
                ['%s->%s' % (name, p) for p in self.pointers[:3]]
            if self.chance(0.9):
                self.e('if (%s)' % ' || '.join(fields), '\trp_mix(9);')
            else:
                self.e('rp_mix(%s);' % ' + '.join('!!' + f for f in fields))
        if self.chance(0.25):
            self.e('RP_ALIGNED(%s, RP_%sALIGN(%s));' % (name, 'TINY_' if kind == 'B' else '', size))
        site = len(self.sites) - 1
        # Plainly other than zero, as is what a stack is overwritten with.
        self.e('%s->v = %uu + ++rp_n;' % (name, 0x1000193 * (site + 1) % 0xffff0000))
        if kind == 'A':
            for v in self.values[1:]:
                if self.chance(0.5):
                    self.e('%s->%s = (%s->v ^ 0x%xu);' % (name, v, name, self.rng.randrange(256)))
        else:
            self.e("%s->s[0] = 'a' + rp_n %% 20;" % name)

    def new(self, name, kind='A', declare=True, **more):
        expression = self.allocate(kind, **more)
        self.e('%s%s = %s;' % (self.ctype(kind) if declare else '', name, expression))
        if kind != 'X':
            self.fill(name, kind)

    def field(self):
        """A pointer in an object."""
        return self.rng.choice(self.pointers)

    def sum(self, name, depth=1):
        return '%ssum(%s, %d)' % (self.T, name, depth)

    # The program as a whole

    def make_run(self):
        P, r = self.P, self.rng
        run = self.begin('V', '', 'noinline', fuel=False)
        run.name, run.static, run.half = P + 'run', False, 2
        self.scopes = [[]]
        self.depth = 0
        calls = [f for f in self.pool if not f.called or self.chance(0.25)]
        self.e('for (unsigned k = 1; k <= %d; k++) {' % r.choice((2, 3, 3)), 'rp_fuel = rp_fuel_each;')
        for f in calls:
            self.e('{')
            self.run_call(f)
            self.e('}')
        self.e('rp_clobber();', '%sglobals();' % P, '}')
        self.run = run
        cleanup = []
        for name in self.used:
            if name == 'kept':
                continue
            if name in ('ga', 'gx'):
                cleanup.append('memset(&%s%s, 0, sizeof(%s%s));' % (P, name, P, name))
            else:
                cleanup.append('%s%s = 0;' % (P, name))
        self.e(*cleanup)

    def run_call(self, f):
        r = self.rng
        arguments = []
        room = self.name('z')
        objects = []
        for kind, _ in f.params:
            if kind == 'U':
                arguments.append(r.choice(('k', 'k + %d', 'k * 3 + %d')).replace('%d', str(r.randrange(8))))
                continue
            if kind in ('A', 'AA'):
                if self.chance(0.7) or kind == 'AA':
                    n = self.name('n')
                    self.new(n, what='argument')
                    if objects and self.chance(0.5):
                        self.e('%s->%s = %s;' % (n, self.field(), objects[-1]))
                    objects.append(n)
                    arguments.append(n if kind == 'A' else '&%s->%s' % (n, self.field()))
                else:
                    place = [P for P in ('g0', 'g1', 'g2', 'tl') if P in self.used]
                    arguments.append(self.P + r.choice(place) if place else 'NULL')
            elif kind == 'B':
                n = self.name('b')
                self.new(n, 'B', what='argument')
                arguments.append(n)
            else:
                self.e('%s %s = { 0 };' % (self.X, self.name('x')))
                x = 'x%d' % self.fresh
                if objects:
                    self.e('%s.%s = %s;' % (x, r.choice(('a', 'l[1]')), objects[-1]))
                arguments.append(x if kind == 'XV' else '&' + x)
        call = '%s(%s);' % (f.name, ', '.join(arguments))
        # Not zero below, whatever the functions before have left there.
        self.e('rp_clobber();')
        if f.ret == 'V':
            self.e(call, 'rp_clobber();')
        elif f.ret == 'XV':
            self.e('%s %s = %s' % (self.X, room, call), 'rp_clobber();', 'rp_mix(%ssumx(&%s));' % (self.T, room))
        else:
            self.e('%s%s = %s' % (self.ctype(f.ret), room, call), 'rp_clobber();')
            self.e('rp_mix(%s);' % {'A': self.sum(room, 2), 'U': room, 'B': '%ssumb(%s)' % (self.T, room)}[f.ret])
        for n in objects:
            self.e('rp_mix(%s);' % self.sum(n, 1))
        if self.chance(0.5):
            self.e('%sglobals();' % self.P)

    def globals_text(self):
        """Looks at all that the globals lead to."""
        P, T, A = self.P, self.T, self.A
        out = ['%s__attribute__((noinline)) void %sglobals(void)' % ('' if self.split else 'static ', P), '{']
        look = {
            'g0': ['rp_mix(%ssum({g}, 2));' % T], 'g1': ['rp_mix(%ssum({g}, 1));' % T],
            'g2': ['rp_mix(%ssum({g}, 1));' % T], 'tl': ['rp_mix(%ssum({g}, 1));' % T],
            'ga': ['for (unsigned i = 0; i < 3; i++)', '\trp_mix(%ssum({g}[i], 1));' % T],
            'gx': ['rp_mix(%ssumx(&{g}));' % T], 'gb': ['rp_mix(%ssumb({g}));' % T],
            'gt': ['rp_mix(%ssum((%s *)({g} & ~(uintptr_t)3), 1));' % (T, A)],
            'gh': [], 'gv': ['rp_mix(%ssum({g}, 1));' % T], 'gp': ['if ({g})', '\trp_mix(*{g});'],
            'gc': ['if ({g})', '\trp_mix((unsigned char)*{g});'],
            'kept': ['rp_mix(%ssum(rp_kept(), 1));' % T],
        }
        for name in self.used:
            out += ['\t' + line.format(g=P + name) for line in look[name]]
        return out + ['}']

    def text(self, part=None):
        P = self.P
        out = []
        declarations = [(self.GLOBALS[n].format(P=P, T=self.T), None) for n in self.used if n != 'kept']
        for declaration, initial in declarations + self.extra_globals:
            if part is None:
                out.append('static %s%s;' % (declaration, ' = ' + initial if initial else ''))
            elif part == 1:
                out.append('%s%s;' % (declaration, ' = ' + initial if initial else ''))
            else:
                out.append('extern %s;' % declaration)
        prototypes = ['%s;' % self.signature(f) for f in self.functions]
        prototypes.append(self.globals_text()[0] + ';')
        # The globals may be tables of functions.
        out = ['/* %d */' % self.seed] + prototypes + out
        for f in self.functions:
            if part in (None, f.half):
                out += ['', self.signature(f), '{'] + ['\t' + d for d in f.locals] + f.lines + ['}']
        if part in (None, 1):
            out += [''] + self.globals_text()
        return '\n'.join(out) + '\n'


def unit(programs, part=None):
    """The text of a translation unit; part 1 or 2 of one that is split over two files."""
    out = ['#include "randprog.h"\n']
    known = set()
    for p in programs:
        if p.T not in known:
            known.add(p.T)
            out.append('\n'.join(p.types.text()) + '\n')
        out.append(p.text(part))
    if part in (None, 2):
        out.append('const struct rp_program rp_programs[] = {\n%s};\nconst unsigned rp_count = %d;\n' % (
            ''.join('\t{ %d, %srun },\n' % (p.seed, p.P) for p in programs), len(programs)))
    return '\n'.join(out)


def main():
    parser = argparse.ArgumentParser(add_help=False, usage=argparse.SUPPRESS)
    parser.error = lambda why: (print('randprog.py: %s' % why, file=sys.stderr), sys.exit(2))
    parser.add_argument('--part', type=int, choices=(1, 2))
    parser.add_argument('--shape', choices=list(randprog_shapes.SHAPES))
    parser.add_argument('--leak', action='store_true')
    parser.add_argument('--wrong')
    parser.add_argument('--sites', action='store_true')
    parser.add_argument('--shapes', action='store_true')
    parser.add_argument('seeds', nargs='*', type=int)
    args = parser.parse_args()
    if args.shapes:
        print('\n'.join(randprog_shapes.SHAPES))
        return
    if not args.seeds:
        parser.error('which seed?')
    wrong = None
    if args.wrong:
        m = re.fullmatch(r'(\d+):(%s)' % '|'.join(WRONG), args.wrong)
        if not m:
            parser.error('--wrong SITE:%s' % '|'.join(WRONG))
        wrong = int(m.group(1)), m.group(2)
    programs = [Program(s, args.shape, args.leak, wrong, args.part is not None) for s in args.seeds]
    if args.sites:
        print(json.dumps([dict(s, seed=p.seed) for p in programs for s in p.sites], indent=1))
        return
    sys.stdout.write(unit(programs, args.part))


if __name__ == '__main__':
    main()
