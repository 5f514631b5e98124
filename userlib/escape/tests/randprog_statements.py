# SPDX-License-Identifier: MIT
"""Random functions, of random statements; a part of randprog.Program."""
import randprog_shapes


class Var:
    """A variable in scope.

    kind: 'A' struct a *, 'B' struct b *, 'AA' struct a **, 'X' struct x *, 'U' unsigned;
    AA and X are never NULL.  flow: 'local' is meant to stay in this function, 'borrow' is the
    caller's, 'free' may go anywhere.  sure: never NULL, and never assigned to.
    """

    def __init__(self, name, kind, flow='free', sure=False):
        self.name, self.kind, self.flow, self.sure = name, kind, flow, sure


class Statements:
    def make_functions(self):
        r = self.rng
        names = list(randprog_shapes.SHAPES)
        for shape in r.sample(names, r.choice((1, 1, 1, 2, 2))):
            f = randprog_shapes.SHAPES[shape](self, self.chance(0.4))
            self.pool.append(f)
        wanted = max(1, r.choice((3, 3, 3, 3, 3, 4, 4, 5, 5, 8)) - len(self.functions))
        self.mine = r.sample(['g0', 'g1', 'ga', 'gx', 'tl'], 2)
        for _ in range(wanted):
            self.pool.append(self.make_function())

    def make_function(self):
        r = self.rng
        ret = r.choice(('A', 'A', 'A', 'U', 'U', 'V', 'XV', 'B'))
        kinds = ['A'] + [k for k in ('A', 'A', 'AA', 'X', 'XV', 'B') if self.chance(0.25)]
        params = ', '.join('%s p%d' % (k, i) for i, k in enumerate(kinds)) + ', U k'
        f = self.begin(ret, params)
        self.depth = 0
        self.scopes = [[]]
        for kind, name in f.params:
            flow = 'borrow' if self.chance(0.7) else 'free'
            if kind == 'XV':
                self.scopes[0].append(Var('(&%s)' % name, 'X', 'local'))
            elif kind != 'U':
                self.scopes[0].append(Var(name, kind, flow))
        self.st_new()
        for _ in range(r.randrange(2, 7)):
            self.statement()
        self.finish(ret)
        return f

    def vars(self, kind, flows=None):
        return [v for scope in self.scopes for v in scope
                if v.kind == kind and (flows is None or v.flow in flows)]

    def pick(self, kind, flows=None):
        found = self.vars(kind, flows)
        # Later ones are nearer to what happens now.
        return found[max(self.rng.randrange(len(found)), self.rng.randrange(len(found)))] if found else None

    def two(self, kind):
        """Two variables, different ones where there are two."""
        x, y = self.pick(kind), self.pick(kind)
        return x, y if y is not x else self.pick(kind)

    def value(self, to):
        """A pointer that may be stored where things flow as in @to; sometimes one that may not."""
        if to == 'local' or self.chance(self.leaky):
            return self.pick('A')
        return self.pick('A', ('free',))

    def declare(self, kind, letter, flow, sure=False):
        v = Var(self.name(letter), kind, flow, sure)
        return v

    def add(self, v):
        self.scopes[-1].append(v)
        return v

    def member(self, v, text, otherwise='NULL'):
        """v->text where v may be NULL."""
        if v.sure or v.kind in ('X', 'AA'):
            return '%s->%s' % (v.name, text)
        return '(%s ? %s->%s : %s)' % (v.name, v.name, text, otherwise)

    def a_field(self):
        if self.arr and self.chance(0.2):
            return 'arr[k %% %d]' % self.arr
        return self.field()

    def condition(self):
        r = self.rng
        kind = r.randrange(4)
        if kind == 0:
            return '(k + %d) %% %d == %d' % (r.randrange(4), r.randrange(2, 4), r.randrange(2))
        if kind == 1:
            return 'rp_n % 3 == 1'
        v = self.pick('A')
        if kind == 2 or not v:
            return 'rp_acc & %d' % r.choice((1, 4, 6))
        return '%s%s->v & %d' % ('' if v.sure else v.name + ' && ', v.name, r.choice((1, 2, 8)))

    STATEMENTS = (
        ('st_new', 10), ('st_leaf', 3), ('st_store', 14), ('st_load', 12), ('st_global', 5),
        ('st_slot', 5), ('st_box', 5), ('st_call', 14), ('st_if', 6), ('st_loop', 7), ('st_mix', 10),
        ('st_copy', 3), ('st_bytes', 2), ('st_tag', 2), ('st_choose', 4), ('st_swap', 2),
        ('st_compare', 2), ('st_unknown', 1), ('st_walk', 2), ('st_early', 1), ('st_clobber', 1),
        ('st_volatile', 1),
    )

    def statement(self):
        names, weights = zip(*self.STATEMENTS)
        getattr(self, self.rng.choices(names, weights)[0])()

    def block(self, n):
        self.scopes.append([])
        self.depth += 1
        for _ in range(n):
            self.statement()
        self.depth -= 1
        self.scopes.pop()

    def st_new(self):
        v = self.declare('A', 'n', 'local' if self.chance(0.75) else 'free', True)
        self.new(v.name)
        self.add(v)

    def st_leaf(self):
        v = self.declare('B', 'b', 'local', True)
        self.new(v.name, 'B')
        self.add(v)
        x = self.pick('A', ('local',))
        if self.has_leaf and x and self.chance(0.7):
            self.e('%s%s->b = %s;' % ('' if x.sure else 'if (%s) ' % x.name, x.name, v.name))
        elif self.chance(0.5):
            self.e('snprintf(%s->s, sizeof(%s->s), "%%u", k %% 1000);' % (v.name, v.name),
                   'rp_mix((unsigned)strlen(%s->s) + %ssumb(%s));' % (v.name, self.T, v.name))

    def st_store(self):
        x = self.pick('A')
        y = x and self.value(x.flow)
        if y:
            self.e('%s%s->%s = %s;' % ('' if x.sure else 'if (%s) ' % x.name, x.name, self.a_field(), y.name))

    def st_load(self):
        x = self.pick('A')
        text = self.member(x, self.a_field())
        v = self.declare('A', 'y', x.flow)
        self.e('%s%s = %s;' % (self.ctype('A'), v.name, text))
        if self.chance(0.3):
            self.e('if (%s) %s = %s->%s;' % (v.name, v.name, v.name, self.a_field()))
        self.add(v)

    def place(self):
        """Something global that holds a pointer."""
        name = self.glob(self.rng.choice(self.mine))
        if name.endswith('ga'):
            return name + '[k % 3]'
        if name.endswith('gx'):
            return name + self.rng.choice(('.a', '.l[1]', '.l[k % 3]'))
        return name

    def st_global(self):
        if self.chance(0.5):
            v = self.declare('A', 'y', 'free')
            self.e('%s%s = %s;' % (self.ctype('A'), v.name, self.place()))
            self.add(v)
        else:
            y = self.value('free')
            if y:
                self.e('%s = %s;' % (self.place(), y.name))

    def st_slot(self):
        slot = self.pick('AA')
        if not slot or self.chance(0.4):
            x = self.pick('A')
            slot = self.declare('AA', 'r', x.flow if x else 'local')
            if x and x.sure:
                self.e('%s%s = &%s->%s;' % (self.ctype('AA'), slot.name, x.name, self.a_field()))
            else:
                room = self.name('z')
                slot.flow = 'local'
                self.e('%s%s = %s, *%s = &%s;' % (
                    self.ctype('A'), room, x.name if x else 'NULL', '*' + slot.name, room))
            self.add(slot)
        if self.chance(0.5):
            y = self.value(slot.flow)
            if y:
                self.e('*%s = %s;' % (slot.name, y.name))
        else:
            v = self.declare('A', 'y', slot.flow)
            self.e('%s%s = *%s;' % (self.ctype('A'), v.name, slot.name))
            self.add(v)

    def st_box(self):
        r = self.rng
        box = self.pick('X')
        if not box or self.chance(0.3):
            box = self.declare('X', 'x', 'local')
            if self.chance(0.4):
                self.new(box.name, 'X')
            else:
                room = self.name('z')
                self.e('%s %s = { 0 }, *%s = &%s;' % (self.X, room, box.name, room))
            self.add(box)
        where = r.choice(('a', 'l[0]', 'l[2]', 'l[k % 3]'))
        kind = r.randrange(4)
        if kind <= 1:
            y = self.value(box.flow)
            if y:
                self.e('%s->%s = %s;' % (box.name, where, y.name))
        elif kind == 2:
            v = self.declare('A', 'y', box.flow)
            self.e('%s%s = %s->%s;' % (self.ctype('A'), v.name, box.name, where))
            self.add(v)
        else:
            other = self.pick('X')
            if self.chance(0.5):
                self.e('*%s = *%s;' % (box.name, other.name))
            elif other is not box:
                self.e('if (%s != %s)' % (box.name, other.name),
                       '\tmemcpy(%s, %s, sizeof(*%s));' % (box.name, other.name, box.name))

    def argument(self, kind, keep):
        """An argument, and how it flows; None if there is nothing of that kind."""
        if kind == 'U':
            return 'k', None
        if kind == 'AA':
            v = self.pick('AA')
            if v and self.chance(0.5):
                return v.name, v.flow
            x = self.pick('A')
            if x and x.sure:
                return '&%s->%s' % (x.name, self.field()), x.flow
            return (v.name, v.flow) if v else None
        v = self.pick('X' if kind == 'XV' else kind)
        if v is None:
            return None if kind in ('X', 'XV') else ('NULL', 'free')
        return ('*' if kind == 'XV' else '') + v.name, v.flow

    def st_call(self):
        candidates = self.pool + [self.f]
        callee = self.rng.choice(candidates)
        arguments = []
        flow = 'free'
        for kind, _ in callee.params:
            a = self.argument(kind, None)
            if a is None:
                return
            arguments.append(a[0])
            if a[1] == 'local' or a[1] == 'borrow' and flow != 'local':
                flow = a[1]
        recursive = callee is self.f
        if recursive:
            arguments[-1] = '(k - 1) % 4'
        callee.called += 1
        what = callee.name
        if not recursive and self.chance(0.15):
            alike = [f for f in self.pool if f.ret == callee.ret and
                     [p[0] for p in f.params] == [p[0] for p in callee.params]]
            what = '(%s ? %s : %s)' % (self.condition(), self.rng.choice(alike).name, callee.name)
        call = '%s(%s)' % (what, ', '.join(arguments))
        guard = 'k & 3' if recursive else None
        if callee.ret == 'U':
            v = self.name('m')
            self.e('unsigned %s = %s;' % (v, '%s ? %s : 0' % (guard, call) if guard else call),
                   'rp_mix(%s);' % v)
        elif callee.ret == 'V':
            if guard:
                self.e('if (%s)' % guard, '\t%s;' % call)
            else:
                self.e('%s;' % call)
        elif callee.ret == 'XV':
            v = self.declare('X', 'x', 'local')
            room = self.name('z')
            self.e('%s %s = { 0 }, *%s = &%s;' % (self.X, room, v.name, room))
            if guard:
                self.e('if (%s)' % guard, '\t%s = %s;' % (room, call))
            else:
                self.e('%s = %s;' % (room, call))
            self.add(v)
        else:
            v = self.declare(callee.ret, 'y', flow)
            self.e('%s%s = %s;' % (self.ctype(callee.ret), v.name,
                                   '%s ? %s : NULL' % (guard, call) if guard else call))
            self.add(v)
        if self.chance(0.3):
            self.e('rp_clobber();')
        if callee.ret in ('A', 'B') and self.chance(0.6):
            self.e('rp_mix(%s);' % (self.sum(v.name) if callee.ret == 'A' else '%ssumb(%s)' % (self.T, v.name)))

    def st_if(self):
        if self.depth > 1:
            return
        self.e('if (%s) {' % self.condition())
        self.block(self.rng.randrange(1, 3))
        if self.chance(0.4):
            self.e('} else {')
            self.block(self.rng.randrange(1, 3))
        self.e('}')

    def st_loop(self):
        """With something carried from one iteration to the next."""
        if self.depth > 1:
            return
        r = self.rng
        i = self.name('i')
        n = r.randrange(2, 6 - self.depth)
        carried = self.declare('A', 'c', 'local')
        start = self.pick('A') if self.chance(0.4) else None
        self.e('%s%s = %s;' % (self.ctype('A'), carried.name, start.name if start else 'NULL'))
        self.add(carried)
        form = r.randrange(3)
        if form == 0:
            self.e('for (unsigned %s = 0; %s < %d; %s++) {' % (i, i, n, i))
        elif form == 1:
            self.e('unsigned %s = 0;' % i, 'while (%s++ < %d) {' % (i, n))
        else:
            self.e('unsigned %s = 0;' % i, 'do {')
        self.scopes.append([])
        self.depth += 1
        # Before or after what is new in this iteration.
        if self.chance(0.5):
            self.e('rp_mix(%s);' % self.member(carried, 'v', '5'))
        if self.chance(0.7):
            self.st_new()
        for _ in range(r.randrange(1, 4)):
            self.statement()
        if self.chance(0.2):
            self.e('if (%s)' % self.condition(),
                   '\t%s;' % (r.choice(('break', 'continue')) if form < 2 else 'break'))
        kind = r.randrange(6)
        mine = [v for v in self.scopes[-1] if v.kind == 'A']
        if kind <= 1 and mine:
            self.e('%s%s = %s;' % ('if (%s %% 2) ' % i if kind else '', carried.name, r.choice(mine).name))
        elif kind == 2 and mine and mine[-1].sure:
            # A list over the iterations.
            self.e('%s->%s = %s;' % (mine[-1].name, self.field(), carried.name),
                   '%s = %s;' % (carried.name, mine[-1].name))
        elif kind == 3 and mine:
            outer = [v for v in self.vars('A') if v.sure and v not in mine]
            if outer:
                self.e('%s->%s = %s;' % (r.choice(outer).name, self.field(), mine[-1].name))
        self.depth -= 1
        self.scopes.pop()
        self.e('}' if form < 2 else '} while (++%s < %d);' % (i, n))
        if self.chance(0.7):
            self.e('rp_mix(%s);' % self.sum(carried.name))

    def st_mix(self):
        x = self.pick('A')
        kind = self.rng.randrange(4)
        if kind == 0:
            self.e('rp_mix(%s);' % self.sum(x.name, 2))
        elif kind == 1:
            box = self.pick('X')
            if box:
                self.e('rp_mix(%ssumx(%s));' % (self.T, box.name))
        elif kind == 2:
            self.e('rp_mix(%s);' % self.member(x, 'v', '2'))
        else:
            self.e('%s%s->v += rp_acc %% 64 + k;' % ('' if x.sure else 'if (%s) ' % x.name, x.name))

    def st_copy(self):
        x, y = self.two('A')
        if x is y or x.flow != 'local' and y.flow != 'free' and not self.chance(self.leaky):
            return
        guards = [v.name for v in (x, y) if not v.sure]
        if self.chance(0.5):
            # Overlap is allowed where it is exact.
            copy = '*%s = *%s;' % (x.name, y.name)
        else:
            copy = 'memmove(%s, %s, sizeof(*%s));' % (x.name, y.name, x.name)
        self.e('%s%s' % ('if (%s) ' % ' && '.join(guards) if guards else '', copy))

    def st_bytes(self):
        """A pointer, byte by byte."""
        x = self.pick('A')
        v = self.declare('A', 'y', x.flow)
        t = self.name('t')
        self.e('%s%s = NULL, *%s = %s;' % (self.ctype('A'), v.name, t, x.name))
        if self.chance(0.5):
            self.e('for (unsigned i = 0; i < sizeof(%s); i++)' % t,
                   '\t((unsigned char *)&%s)[i] = ((unsigned char *)&%s)[i];' % (v.name, t))
        else:
            self.e('memcpy(&%s, &%s, sizeof(%s));' % (v.name, t, t))
        self.add(v)

    def st_tag(self):
        x = self.pick('A')
        v = self.declare('A', 'y', x.flow)
        t = self.name('t')
        kind = self.rng.randrange(3)
        if kind == 0 and self.has_tag:
            y = self.value(x.flow)
            if y:
                self.e('%s%s->t = (uintptr_t)%s | (%s ? %d : 0);' % (
                    '' if x.sure else 'if (%s) ' % x.name, x.name, y.name, y.name, self.rng.randrange(4)))
            return
        if kind <= 1:
            self.e('uintptr_t %s = (uintptr_t)%s | 2;' % (t, x.name),
                   'if ((%s & 3) != 2)' % t, '\trp_mix(13);',
                   '%s%s = (void *)(%s & ~(uintptr_t)3);' % (self.ctype('A'), v.name, t))
        else:
            key = '0x%xu' % self.rng.getrandbits(31)
            self.e('uintptr_t %s = (uintptr_t)%s ^ %s;' % (t, x.name, key),
                   '%s%s = (void *)(%s ^ %s);' % (self.ctype('A'), v.name, t, key))
        self.add(v)

    def st_choose(self):
        x, y = self.two('A')
        flow = 'local' if 'local' in (x.flow, y.flow) else 'borrow' if 'borrow' in (x.flow, y.flow) else 'free'
        v = self.declare('A', 'y', flow)
        if self.chance(0.3):
            self.e('%s%s = NULL;' % (self.ctype('A'), v.name),
                   'switch (k & 3) {', 'case 0:', '\t%s = %s;' % (v.name, x.name), '\tbreak;',
                   'case 1:', '\t%s = %s;' % (v.name, y.name),
                   *([] if self.chance(0.5) else ['\t/* fall through */', 'case 2:', '\trp_mix(7);']), '}')
        else:
            self.e('%s%s = %s ? %s : %s;' % (self.ctype('A'), v.name, self.condition(), x.name, y.name))
        self.add(v)

    def st_swap(self):
        x = self.pick('A')
        if len(self.pointers) < 2:
            return
        a, b = self.rng.sample(self.pointers, 2)
        t = self.name('t')
        self.e('if (%s) {' % x.name, '%s%s = %s->%s;' % (self.ctype('A'), t, x.name, a),
               '%s->%s = %s->%s;' % (x.name, a, x.name, b), '%s->%s = %s;' % (x.name, b, t), '}')

    def st_compare(self):
        x, y = self.two('A')
        if self.chance(0.8):
            self.e('if (%s == %s)' % (x.name, y.name), '\trp_mix(11);')
        else:
            self.e('rp_mix(%s != %s);' % (x.name, self.member(y, self.field())))

    def st_unknown(self):
        y = self.value('free')
        if not y:
            return
        kind = self.rng.randrange(3)
        if kind == 0:
            self.e('rp_keep(%s);' % y.name)
            self.used['kept'] = True
        elif kind == 1:
            v = self.declare('A', 'y', 'free')
            self.e('%s%s = rp_same(%s);' % (self.ctype('A'), v.name, y.name))
            self.add(v)
        else:
            self.e('__asm__ volatile("" : : "r"(%s) : "memory");' % y.name)

    def st_walk(self):
        x = self.pick('A')
        v = self.declare('A', 'y', x.flow)
        n = self.name('i')
        self.e('%s%s = %s;' % (self.ctype('A'), v.name, x.name),
               'for (unsigned %s = 0; %s < 3 && %s; %s++) {' % (n, n, v.name, n),
               'rp_mix(%s->v);' % v.name, '%s = %s->%s;' % (v.name, v.name, self.field()), '}')
        self.add(v)

    def st_early(self):
        self.e('if (%s && k & 1)' % self.condition(), '\treturn%s;' % self.result(self.f.ret))

    def st_clobber(self):
        self.e('rp_clobber();')

    def st_volatile(self):
        x = self.pick('A')
        if self.chance(0.5):
            self.e('%srp_mix(*(volatile unsigned *)&%s->v);' % ('' if x.sure else 'if (%s) ' % x.name, x.name))
        else:
            y = self.value('free')
            if y:
                v = self.declare('A', 'y', 'free')
                t = self.name('t')
                self.e('%s*volatile %s = %s;' % (self.A + ' ', t, y.name),
                       '%s%s = %s;' % (self.ctype('A'), v.name, t))
                self.add(v)

    def result(self, ret):
        if ret == 'A':
            y = self.value('free') or (self.pick('A', ('borrow',)) if self.chance(0.6) else None)
            return ' ' + y.name if y else ' NULL'
        if ret == 'U':
            return ' ' + self.sum(self.pick('A').name)
        if ret == 'XV':
            box = self.pick('X', ('free',)) or self.chance(self.leaky) and self.pick('X')
            y = self.value('free')
            if box:
                return ' *' + box.name
            return ' (%s){ .a = %s, .n = k }' % (self.X, y.name if y else 'NULL')
        if ret == 'B':
            b = self.pick('B', ('borrow', 'free')) or self.chance(0.2) and self.pick('B')
            return ' ' + b.name if b else ' NULL'
        return ''

    def finish(self, ret):
        r = self.rng
        # What became of the objects of this frame.
        for v in self.scopes[0]:
            if v.kind == 'A' and v.flow == 'local' and self.chance(0.6):
                self.e('rp_mix(%s);' % self.sum(v.name, r.choice((1, 1, 2))))
        if self.chance(0.15):
            alike = [f for f in self.pool if f.ret == ret]
            if alike:
                callee = r.choice(alike)
                arguments = [self.argument(kind, None) for kind, _ in callee.params]
                if None not in arguments:
                    callee.called += 1
                    # A tail call, where the compiler likes.
                    self.e('%s%s(%s);' % ('' if ret == 'V' else 'return ', callee.name,
                                          ', '.join(a[0] for a in arguments)))
                    return
        if ret != 'V':
            self.e('return%s;' % self.result(ret))
