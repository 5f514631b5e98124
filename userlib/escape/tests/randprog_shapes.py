# SPDX-License-Identifier: MIT
"""
Shapes: functions, each around one way in which an object may outlive its frame or its
iteration, or comes near to it.  SHAPES names them; each is called with the program and whether
the object shall leak, adds its functions, and returns the one that may be called from anywhere,
with the parameters `a` (an object or NULL) and `k` unless it says otherwise.

A site that is marked must=leak is read, after it would have been overwritten, in a way that
changes the checksum: test-random puts these objects on the stack and wants to see it.
"""
SHAPES = {}


def shape(f):
    SHAPES[f.__name__] = f
    return f


# Loops: what an iteration leaves to the next

@shape
def loop_previous(g, leak):
    f = g.begin('U')
    g.e(g.ctype('A') + 'last = NULL;', 'for (unsigned i = 0; i < 2 + k % 4; i++) {')
    g.new('n', must=leak, what='read in the next iteration')
    if leak:
        g.e('if (last)', '\trp_mix(last->v);')
        if g.chance(0.5):
            g.e('n->%s = last;' % g.field())
        g.e('last = n;')
    else:
        g.e('last = n;', 'rp_mix(last->v);', 'last = NULL;')
    g.e('}', 'return %s;' % g.sum('last', 2))
    return f


@shape
def loop_compare(g, leak):
    """Two iterations' objects have two addresses, though the first is not read any more."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'last = NULL;', 'unsigned same = 0;', 'for (unsigned i = 0; i < 3; i++) {')
    g.new('n', must=leak, what='compared with the last iteration\'s')
    if leak:
        g.e('if (last == n)', '\tsame++;', 'last = n;')
    else:
        g.e('if (a == n)', '\trp_mix(15);')
    g.e('}', 'return same;')
    return f


@shape
def loop_array(g, leak):
    f = g.begin('U')
    n = g.rng.randrange(2, 4)
    g.e('%s*keep[%d] = { 0 };' % (g.A + ' ', n), 'for (unsigned i = 0; i < %d; i++) {' % (n + 2))
    g.new('n', must=leak, what='kept in an array over iterations')
    g.e('keep[i %% %d] = n;' % (n if leak else 1), 'rp_mix(keep[i %% %d]->v);' % (n if leak else 1), '}')
    g.e('unsigned r = 0;', 'for (unsigned i = 0; i < %d; i++)' % n,
        '\tr = r * 31 + %s;' % g.sum('keep[i]'), 'return r;')
    return f


@shape
def loop_list(g, leak):
    f = g.begin('U')
    link = g.field()
    g.e('%s box = { 0 };' % g.X, 'for (unsigned i = 0; i < 3 + k % 2; i++) {')
    g.new('n', must=leak, what='in a list over iterations')
    g.e('n->%s = box.a;' % link, 'box.a = n;')
    if not leak:
        g.e('rp_mix(%s);' % g.sum('box.a'), 'box.a = NULL;')
    g.e('}', '%s *w = box.a;' % g.A, 'for (unsigned i = 0; w && i < 9; i++, w = w->%s)' % link,
        '\trp_mix(w->v);', 'return box.n;')
    return f


@shape
def loop_field(g, leak):
    """In an object from before the loop, which stays in the frame itself."""
    f = g.begin('U')
    where = g.field()
    g.new('outer', what='holds the loop\'s')
    form = g.rng.randrange(2)
    g.e('unsigned i = 0;')
    g.e('do {' if form else 'while (i < 3) {')
    if leak:
        g.e('if (outer->%s)' % where, '\trp_mix(outer->%s->v);' % where)
    g.new('n', must=leak, what='in an object of the frame over iterations')
    g.e('if (outer->%s)' % where, '\trp_mix(outer->%s->v + 1);' % where, 'outer->%s = n;' % where)
    if not leak:
        g.e('rp_mix(%s);' % g.sum('outer', 2), 'outer->%s = NULL;' % where)
    g.e('i++;', '} while (i < 3);' if form else '}', 'return %s;' % g.sum('outer', 2))
    return f


@shape
def loop_kth(g, leak):
    f = g.begin('U')
    at = g.rng.randrange(2)
    g.e(g.ctype('A') + 'kept = NULL;', 'for (unsigned i = 0; i < 4; i++) {')
    g.new('n', must=leak, what='kept in one iteration')
    g.e('if (i == %d)' % (at if leak else 3), '\tkept = n;', 'rp_mix(n->v);', '}', 'return %s;' % g.sum('kept'))
    return f


@shape
def loop_conditional(g, leak):
    """Allocated in every second iteration, used in each."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'n = NULL, *before = NULL;', 'for (unsigned i = 0; i < 4; i++) {')
    if leak:
        g.e('before = n;')
    g.e('if (i % 2 == 0) {')
    g.new('n', declare=False, must=leak, what='allocated in every second iteration')
    g.e('}', 'rp_mix(n->v);', 'if (before)', '\trp_mix(before->v);', '}', 'return %s;' % g.sum('before'))
    return f


@shape
def loop_callee(g, leak):
    """A callee puts it into the frame's box."""
    push = g.begin('V', 'X x, A n', 'noinline' if g.chance(0.7) else '')
    link = g.field()
    g.e('n->%s = x->a;' % link, 'x->a = n;', 'x->n++;')
    f = g.begin('U')
    g.e('%s box = { 0 };' % g.X, 'for (unsigned i = 0; i < 3; i++) {')
    g.new('n', must=leak, what='pushed by a callee over iterations')
    if not leak:
        g.e('box.a = NULL;')
    g.e('%s(&box, n);' % push.name, 'rp_mix(%s);' % g.sum('box.a', 1), '}')
    if leak:
        g.e('return %s;' % g.sum('box.a', 3))
    else:
        g.e('return box.n;')
    return f


@shape
def loop_goto(g, leak):
    """A loop with two entries."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'n = NULL, *last = NULL;', 'unsigned i = 0;', 'if (k % 2)', '\tgoto middle;')
    g.f.lines.append('top:')
    g.new('n', declare=False, must=leak, what='in a loop with two entries')
    g.f.lines.append('middle:')
    if leak:
        g.e('if (last && last != n)', '\trp_mix(last->v);', 'last = n;')
    g.e('if (n)', '\trp_mix(n->v);', 'if (++i < 5)', '\tgoto top;', 'return %s;' % g.sum('last'))
    return f


@shape
def loop_nested(g, leak):
    """From the inner loop, carried by the outer one."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'far = NULL;', 'for (unsigned j = 0; j < 3; j++) {', g.ctype('A') + 'near = NULL;',
        'for (unsigned i = 0; i < 2; i++) {')
    g.new('n', must=leak, what='carried by the outer loop')
    g.e('near = n;', 'rp_mix(near->v);', '}')
    if leak:
        g.e('if (far)', '\trp_mix(far->v);', 'far = near;')
    else:
        g.e('far = near;', 'rp_mix(far->v);')
    g.e('}', 'return %s;' % g.sum('far'))
    return f


@shape
def loop_state(g, leak):
    """A state machine: made in one state, used in another."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'x = NULL, *y = NULL;', 'for (unsigned i = 0; i < 7; i++) {', 'switch (i % 3) {', 'case 0:')
    if leak:
        g.e('y = x;')
    g.new('x', declare=False, must=leak, what='made in one state')
    g.e('break;', 'case 1:', '\tif (x)', '\t\trp_mix(x->v);', '\tbreak;', 'default:', '\tif (y)', '\t\trp_mix(y->v);',
        '}', '}', 'return %s;' % g.sum('y'))
    return f


@shape
def loop_slot(g, leak):
    """The tail of a list, by the address of its last link."""
    f = g.begin('U')
    link = g.field()
    g.e(g.ctype('A') + 'head = NULL, **tail = &head;', 'for (unsigned i = 0; i < 3; i++) {')
    g.new('n', must=leak, what='appended by the address of the last link')
    g.e('*tail = n;')
    if leak:
        g.e('tail = &n->%s;' % link)
    g.e('rp_mix(n->v);', '}', 'return %s;' % g.sum('head', 3))
    return f


@shape
def loop_break(g, leak):
    """The last iteration's object, used after the loop; or the last but one."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'found = NULL, *before = NULL;', 'for (unsigned i = 0;; i++) {')
    g.new('n', must=leak, what='used after the loop')
    if leak:
        g.e('before = found;')
    g.e('found = n;', 'if (i == 2)', '\tbreak;', 'rp_mix(n->v);', '}', 'return %s + %s;' % (g.sum('found'), g.sum('before')))
    return f


@shape
def tail_recursion(g, leak):
    """The compiler may make a loop of it."""
    f = g.begin('U', 'A last, U n, U k', 'noinline')
    g.new('o', must=leak, what='passed on in tail recursion')
    g.e('if (last)', '\trp_mix(last->v);', 'if (!n)')
    g.e('\treturn o->v;')
    g.e('return %s(%s, n - 1, k);' % (f.name, 'o' if leak else 'last'))
    top = g.begin('U')
    if leak:
        # What the frames above still have: with the wrong one this reads the last one only.
        g.e('unsigned r = %s(a, 3, k);' % f.name, 'return r;')
        g.sites[-1]['must'] = False
    else:
        g.e('return %s(a, k %% 4, k);' % f.name)
    return top


@shape
def recursion_chain(g, leak):
    """Every frame links its object to that of the frame above; leaks in the deepest alone."""
    link = g.field()
    f = g.begin('A', 'A up, U n', 'noinline')
    g.new('o', must=leak, what='linked to the frame above')
    g.e('o->%s = up;' % link, 'if (n) {', '%s *r = %s(o, n - 1);' % (g.A, f.name), 'rp_mix(o->v);', 'return r;', '}')
    g.e('rp_mix(%s);' % g.sum('o', 2), 'return %s;' % ('o' if leak else 'NULL'))
    top = g.begin('U')
    g.e('%s *r = %s(a, 3);' % (g.A, f.name), 'rp_clobber();', 'return %s;' % g.sum('r', 3))
    return top


@shape
def recursion_global(g, leak):
    """Kept in the second frame from below only."""
    place = g.glob('g1')
    f = g.begin('U', 'A up, U n', 'noinline')
    g.new('o', must=leak, what='kept in deep recursion')
    g.e('o->%s = up;' % g.field(), 'unsigned r = n ? %s(%s, n - 1) : 0;' % (f.name, 'o' if g.chance(0.5) else 'NULL'))
    if leak:
        g.e('if (n == 1)', '\t%s = o;' % place)
    g.e('return r + %s;' % g.sum('o'))
    top = g.begin('U')
    g.e('return %s(a, 3);' % f.name)
    return top


@shape
def recursion_mutual(g, leak):
    even = g.begin('A', 'A up, U n', 'noinline')
    other = '%sf%d' % (g.P, len(g.functions))
    g.new('o', must=leak, what='through mutual recursion')
    g.e('rp_mix(%s);' % g.sum('up'), 'return n ? %s(o, n - 1) : %s;' % (other, 'up'))
    g.begin('A', 'A up, U n', 'noinline')
    if leak:
        g.e('return n ? %s(up, n - 1) : up;' % even.name)
    else:
        g.e('if (n)', '\t%s(up, n - 1);' % even.name, 'return NULL;')
    f = g.begin('U')
    g.e('%s *r = %s(a, 3);' % (g.A, even.name), 'rp_clobber();', 'return %s;' % g.sum('r'))
    return f


@shape
def goto_back(g, leak):
    """Not a loop in its source: one jump back."""
    f = g.begin('U')
    g.e(g.ctype('A') + 'first = NULL;')
    g.f.lines.append('again:;')
    g.new('n', must=leak, what='made again after a jump back')
    g.e('if (!first) {')
    if leak:
        g.e('first = n;')
    else:
        g.e('rp_mix(n->v);', 'first = a;', 'if (!a)', '\treturn n->v;')
    g.e('goto again;', '}', 'return %s + n->v;' % g.sum('first'))
    return f


# Calls

@shape
def tail_call(g, leak):
    """The frame is gone before the callee runs, if this becomes a jump."""
    place = g.glob('g0')
    callee = g.begin('U', 'A n, U k', 'noinline', fuel=False)
    g.e('rp_clobber();', 'rp_mix(%s);' % g.sum('n'))
    if leak:
        g.e('%s = n;' % place)
    g.e('return n ? n->v : 0;')
    f = g.begin('U', attribute='noinline')
    g.new('n', must=leak, what='passed in a tail call')
    g.e('n->%s = a;' % g.field(), 'return %s(n, k + 1);' % callee.name)
    return f


@shape
def out_parameter(g, leak):
    make = g.begin('V', 'AA to, U k', 'noinline')
    g.new('n', must=leak, what='given out by a parameter')
    g.e('rp_mix(n->v);')
    if leak:
        g.e('*to = n;')
    else:
        g.e('*to = k > 90 ? *to : NULL;')
    f = g.begin('U')
    g.e(g.ctype('A') + 'mine = a;', '%s(&mine, k);' % make.name, 'rp_clobber();', 'return %s;' % g.sum('mine', 2))
    return f


@shape
def identity_chain(g, leak):
    """Returned through functions that return one of their arguments."""
    one = g.begin('A', 'A x, A y, U k', 'noinline', fuel=False)
    g.e('return k % 2 ? x : y;')
    two = g.begin('A', 'A x, A y, U k', g.rng.choice(('noinline', '')), fuel=False)
    g.e('return %s(y, %s(x, x, k), k + 1);' % (one.name, one.name))
    f = g.begin('A')
    g.new('n', must=leak, what='returned through identities')
    g.e('%s *r = %s(%s);' % (g.A, two.name, 'n, n, k' if leak else 'a, a, k'), 'rp_mix(n->v);', 'return r;')
    return f


@shape
def argument_field(g, leak):
    """Returned by a callee that finds it behind its argument."""
    one, other = g.field(), g.pointers[0]
    take = g.begin('A', 'A x', 'noinline', fuel=False)
    g.e('return x->%s;' % one)
    f = g.begin('A')
    g.new('holder', what='holds another')
    g.new('n', must=leak, what='found behind an argument')
    g.e('holder->%s = %s;' % (one, 'n' if leak else 'a'))
    if one != other:
        g.e('holder->%s = n;' % other)
    g.e('rp_mix(%s);' % g.sum('holder'), 'return %s(holder);' % take.name)
    return f


@shape
def two_steps(g, leak):
    """Put into a container by one callee; the container's content leaks in another."""
    where, place = g.field(), g.glob('g2')
    put = g.begin('V', 'A x, A n', 'noinline' if g.chance(0.7) else '', fuel=False)
    g.e('x->%s = n;' % where)
    give = g.begin('U', 'A x', 'noinline' if g.chance(0.7) else '', fuel=False)
    if leak:
        g.e('%s = x->%s;' % (place, where))
    g.e('return x->v;')
    f = g.begin('U')
    g.new('holder', what='holds what leaks later')
    g.new('n', must=leak, what='leaks by its container')
    g.e('%s(holder, n);' % put.name, 'unsigned r = %s;' % g.sum('holder'), 'return r + %s(holder);' % give.name)
    return f


@shape
def container_leaks(g, leak):
    """The container itself leaks, after its content was put in, or before."""
    where, place = g.field(), g.glob('g0')
    early = g.chance(0.5)
    f = g.begin('U')
    g.new('holder', what='leaks with its content' if leak else 'stays')
    if leak and early:
        g.e('%s = holder;' % place)
    g.new('n', must=leak, what='content of a container that leaks')
    g.e('holder->%s = n;' % where)
    if leak and not early:
        g.e('if (k != 77)', '\t%s = holder;' % place)
    g.e('return %s;' % g.sum('holder', 2))
    return f


@shape
def swap_arguments(g, leak):
    one, two = g.rng.sample(g.pointers, 2)
    swap = g.begin('V', 'A x, A y', 'noinline', fuel=False)
    g.e('%s *t = x->%s;' % (g.A, one), 'x->%s = y->%s;' % (one, two), 'y->%s = t;' % two)
    f = g.begin('A')
    g.new('n', must=leak, what='swapped into another object')
    g.new('x', what='swaps away')
    g.new('y', what='swapped into')
    g.e('x->%s = n;' % one, 'y->%s = a;' % two, '%s(x, y);' % swap.name, 'rp_mix(%s);' % g.sum('x'))
    g.e('return %s->%s;' % (('y', two) if leak else ('x', one)))
    return f


@shape
def function_pointer(g, leak):
    place = g.glob('g1')
    reads = g.begin('U', 'A n', 'noinline', fuel=False)
    g.e('return %s;' % g.sum('n'))
    keeps = g.begin('U', 'A n', 'noinline', fuel=False)
    g.e('%s = n;' % place, 'return n ? n->v : 0;')
    table = g.P + 'table%d' % len(g.functions)
    g.own_global('unsigned (*%s[2])(%s *)' % (table, g.A), '{ %s, %s }' % (reads.name, keeps.name if leak else reads.name))
    f = g.begin('U')
    g.new('n', must=leak, what='passed to a function by pointer')
    if g.chance(0.5):
        g.e('return %s[%s](n);' % (table, 1 if leak else 'k % 2'))
    else:
        g.e('unsigned (*call)(%s *) = %s[1];' % (g.A, table), 'return call(n);')
    return f


@shape
def variadic(g, leak):
    place = g.glob('g2')
    f = g.begin('U', 'U n', 'noinline', fuel=False)
    g.e('va_list ap;', 'unsigned r = 0;', 'va_start(ap, n);', 'while (n--) {', '%s *x = va_arg(ap, %s *);' % (g.A, g.A),
        'if (x)', '\tr = r * 31 + x->v;')
    if leak:
        g.e('%s = x;' % place)
    g.e('}', 'va_end(ap);', 'return r;')
    f.params.append(('...', ''))
    top = g.begin('U')
    g.new('n', must=leak, what='a variadic argument')
    g.e('return %s(2, (void *)a, (void *)n);' % f.name)
    return top


@shape
def struct_by_value(g, leak):
    pack = g.begin('XV', 'A n, XV x', g.rng.choice(('noinline', '')), fuel=False)
    g.e('x.l[%d] = x.a;' % g.rng.randrange(3), 'x.a = n;', 'return x;')
    make = g.begin('XV', 'A a, U k', 'noinline')
    g.new('n', must=leak, what='in a struct that is returned')
    g.e('%s x = { .l = { a }, .n = k };' % g.X, 'x = %s(n, x);' % pack.name, 'rp_mix(%ssumx(&x));' % g.T)
    if not leak:
        g.e('x.a = a;')
    g.e('return x;')
    f = g.begin('U')
    g.e('%s x = %s(a, k);' % (g.X, make.name), 'rp_clobber();', 'return %ssumx(&x);' % g.T)
    return f


@shape
def pair_in_registers(g, leak):
    """A struct of two pointers, returned in registers."""
    pair = 'struct %spair' % g.P
    g.own_global('%s { %s *x, *y; } %spair0' % (pair, g.A, g.P))
    make = g.begin('A', 'A a, AA second, U k', 'noinline')
    g.new('n', must=leak, what='half of a pair')
    g.new('m', must=False, what='half of a pair')
    g.e('%s p = { a, a }, q;' % pair, 'p.%s = n;' % ('y' if leak else 'x'), 'q = k > 50 ? (%s){ m, m } : p;' % pair)
    g.e('*second = q.y;', 'rp_mix(%s);' % g.sum('q.x'), 'return NULL;')
    f = g.begin('U')
    g.e(g.ctype('A') + 'second = NULL;', '%s(a, &second, k %% 40);' % make.name, 'rp_clobber();',
        'return %s;' % g.sum('second'))
    return f


@shape
def constructor(g, leak):
    """Returned from a small function: no leak where this is inlined and its caller keeps it."""
    make = g.begin('A', 'U k', g.rng.choice(('', 'always_inline', 'noinline')) if leak else 'always_inline', fuel=False)
    g.new('n', must=leak and make.attribute == 'noinline', what='made by a constructor')
    g.e('n->%s ^= k;' % g.values[0], 'return n;')
    f = g.begin('U')
    g.e('%s *one = %s(k), *two = %s(k + 1);' % (g.A, make.name, make.name), 'rp_clobber();', 'one->%s = two;' % g.field(),
        'return %s;' % g.sum('one', 1))
    return f


@shape
def size_parameter(g, leak):
    """A size that is a constant once the callee is inlined."""
    make = g.begin('A', 'U n', 'noinline' if leak else 'always_inline', fuel=False)
    g.new('x', what='of a size that is a parameter', must=leak, size='n', how='goheap_alloc')
    g.e('return x;')
    f = g.begin('U')
    g.e('%s *x = %s(%s);' % (g.A, make.name, g.a_size), 'rp_clobber();', 'return %s;' % g.sum('x'))
    return f


@shape
def pure_function(g, leak):
    """Declared to have no effects; may return what it was given."""
    find = g.begin('A', 'A x, U n', 'noinline, pure', fuel=False)
    g.e('while (x && n--)', '\tx = x->%s;' % g.pointers[0], 'return x;')
    f = g.begin('A')
    g.new('n', must=leak, what='returned by a pure function')
    g.new('head', what='before another')
    g.e('head->%s = n;' % g.pointers[0], 'rp_mix(%s);' % g.sum('head'), '%s *r = %s(head, %d);' % (g.A, find.name, 1 if leak else 2))
    g.e('return %s;' % ('r' if leak else 'r ? a : NULL'))
    return f


@shape
def unknown_callee(g, leak):
    f = g.begin('U')
    g.new('n', must=leak, what='passed to an unknown function')
    if leak:
        g.e('rp_keep(n);')
        g.used['kept'] = True
    g.e('return rp_look(&n->v, sizeof(n->v));')
    return f


@shape
def unknown_identity(g, leak):
    f = g.begin('A')
    g.new('n', must=leak, what='returned by an unknown function')
    g.e('rp_mix(n->v);', 'return rp_same(%s);' % ('n' if leak else 'a'))
    return f


@shape
def weak_function(g, leak):
    """It has a body, which need not be the one that is called."""
    place = g.glob('g0')
    f = g.begin('U', 'A n', 'weak, noinline', fuel=False)
    f.static = False
    if leak:
        g.e('%s = n;' % place)
    g.e('return %s;' % g.sum('n'))
    top = g.begin('U')
    g.new('n', must=leak, what='passed to a weak function')
    g.e('return %s(n);' % f.name)
    return top


@shape
def cleanup_attribute(g, leak):
    place = g.glob('g1')
    at_end = g.begin('V', 'AA x', 'noinline' if g.chance(0.5) else '', fuel=False)
    g.e('if (*x)', '\trp_mix((*x)->v);')
    if leak:
        g.e('%s = *x;' % place)
    f = g.begin('U')
    g.e('__attribute__((cleanup(%s))) %s *n = NULL;' % (at_end.name, g.A))
    g.new('n', declare=False, must=leak, what='handed to a cleanup')
    g.e('return n->v;')
    return f


@shape
def sort_callback(g, leak):
    """qsort() hands pointers to a callback that it knows by address alone."""
    place = g.glob('g2')
    compare = g.begin('I', 'P x, P y', 'noinline', fuel=False)
    g.e('const %s *l = *(%s *const *)x, *r = *(%s *const *)y;' % (g.A, g.A, g.A))
    if leak:
        g.e('if (l->v < r->v)', '\t%s = *(%s *const *)x;' % (place, g.A))
    g.e('return l->v < r->v ? -1 : l->v > r->v;')
    f = g.begin('U')
    g.e('%s *t[4];' % g.A)
    letters = 'nmop'
    for i, n in enumerate(letters):
        g.new(n, must=leak and i == 0, what='sorted')
        g.e('%s->v = %uu ^ k;' % (n, (0x9e3779b1 * (i + 3)) % 2**32), 't[%d] = %s;' % (i, n))
    if leak:
        # Only the first is ever less than another.
        g.e('n->v = 1;', *['%s->v = %du;' % (x, 9) for x in letters[1:]])
    g.e('qsort(t, 4, sizeof(t[0]), (int (*)(const void *, const void *))%s);' % compare.name)
    g.e('return t[0]->v * 3 + t[1]->v + (t[3]->v >> 2);')
    return f


# Places

@shape
def static_last(g, leak):
    f = g.begin('U', attribute='noinline')
    g.e('static %s *last;' % g.A)
    g.e('unsigned r = last ? %s : 0;' % g.sum('last'))
    g.new('n', must=leak, what='in a static variable')
    g.e('r += n->v;', 'last = %s;' % ('n' if leak else 'NULL'), 'return r;')
    top = g.begin('U')
    g.e('unsigned r = %s(a, k);' % f.name, 'rp_clobber();', 'return r * 3 + %s(a, k);' % f.name)
    return top


@shape
def aliased_store(g, leak):
    """Stored through a pointer to one of two objects, of which one is global."""
    where, place = g.field(), g.glob('g0')
    f = g.begin('U')
    g.new('mine', what='one of two')
    g.e('%s *at = %s ? mine : %s;' % (g.A, 'k > 200' if leak else '!%s || k < 300' % place, place))
    if leak:
        g.e('if (!at)', '\tat = %s = %s;' % (place, g.allocate(what='global')))
    g.new('n', must=leak, what='stored through one of two pointers')
    g.e('at->%s = n;' % where, 'rp_mix(%s);' % g.sum('at'))
    g.e('return %s;' % g.sum('mine'))
    return f


@shape
def in_parameter(g, leak):
    """Into the caller's object."""
    where = g.field()
    put = g.begin('V', 'A a, U k', 'noinline')
    g.new('n', must=leak, what='stored in the caller\'s object')
    g.e('if (a && a->v != n->v)', '\ta->%s = %s;' % (where, 'n' if leak else 'NULL'), 'rp_mix(%s);' % g.sum('a'))
    f = g.begin('U')
    g.new('mine', what='the caller\'s object')
    g.e('%s(mine, k);' % put.name, 'rp_clobber();', 'return %s;' % g.sum('mine'))
    return f


@shape
def copied_content(g, leak):
    """A struct's content is copied out, and what it points to with it."""
    where, place = g.pointers[0], g.glob('g1')
    f = g.begin('U')
    g.new('holder', what='is copied')
    g.new('n', must=leak, what='behind what is copied')
    g.e('holder->%s = n;' % where)
    if leak:
        g.e('%s = %s;' % (place, g.allocate(what='global')))
        g.e(g.rng.choice(('*%s = *holder;', 'memcpy(%s, holder, sizeof(*holder));',
                          'for (unsigned i = 0; i < sizeof(*holder); i++) ((char *)%s)[i] = ((char *)holder)[i];')) % place)
    else:
        g.e('%s copy = *holder;' % g.A, 'rp_mix(copy.v + %s);' % g.sum('copy.' + where))
    g.e('return %s;' % g.sum('holder'))
    return f


@shape
def pointer_bytes(g, leak):
    """Into a global byte by byte, or by memcpy()."""
    place = g.glob('g2')
    f = g.begin('U')
    g.new('n', must=leak, what='copied byte by byte')
    g.e('%s *local = NULL;' % g.A)
    to = place if leak else 'local'
    kind = g.rng.randrange(4)
    if kind == 0:
        g.e('memcpy(&%s, &n, sizeof(n));' % to)
    elif kind == 1:
        g.e('for (unsigned i = 0; i < sizeof(n); i++)', '\t((unsigned char *)&%s)[i] = ((unsigned char *)&n)[i];' % to)
    elif kind == 2:
        g.e('union { %s *p; unsigned char c[sizeof(void *)]; uintptr_t w; } u = { .p = n };' % g.A,
            'memcpy(&%s, u.c, sizeof(u.c));' % to)
    else:
        g.e('double d;', 'memcpy(&d, &n, sizeof(n));', 'memcpy(&%s, &d, sizeof(d));' % to)
    g.e('rp_mix(%s);' % g.sum('local'), 'return n->v;')
    return f


@shape
def tagged_global(g, leak):
    place = g.glob('gt')
    f = g.begin('U')
    g.new('n', must=leak, what='a tagged integer in a global')
    g.e('uintptr_t t = (uintptr_t)n | %d;' % g.rng.randrange(1, 4))
    if leak:
        g.e('%s = t;' % place)
    g.e('if (!(t & 3))', '\trp_mix(13);', 'return ((%s *)(t & ~(uintptr_t)3))->v;' % g.A)
    return f


@shape
def hidden_global(g, leak):
    """Out of the collector's sight until nothing else is allocated."""
    place = g.glob('gh')
    kind = g.rng.randrange(5)
    key = '0x%xu' % (g.rng.getrandbits(31) | 1)
    base = g.P + 'base'
    if kind == 1:
        g.own_global('unsigned char %s' % base)
    halves = g.P + 'halves'
    if kind == 2:
        g.own_global('unsigned %s[2]' % halves)
    real = g.P + 'real'
    if kind == 4:
        g.own_global('double %s' % real)
    hide = g.begin('U', 'U k', 'noinline')
    g.e('%s = 0;' % place)
    g.new('n', must=leak, what='hidden in integers')
    if kind == 0:
        g.e('uintptr_t w = (uintptr_t)n ^ %s;' % key)
        found = '(void *)(w ^ %s)' % key
    elif kind == 1:
        g.e('uintptr_t w = (uintptr_t)n - (uintptr_t)&%s;' % base)
        found = '(void *)(w + (uintptr_t)&%s)' % base
    elif kind == 2:
        g.e('uintptr_t w = 1;', '%s[0] = (unsigned)%s;' % (halves, '(uintptr_t)n' if leak else 'k'),
            '%s[1] = (unsigned)(%s >> 16 >> 16);' % (halves, '(uintptr_t)n' if leak else '(uintptr_t)k'))
        found = '(void *)((uintptr_t)%s[1] << 16 << 16 | %s[0])' % (halves, halves)
    elif kind == 3:
        g.e('uintptr_t w = ~(uintptr_t)n * 3;')
        found = '(void *)~(w * (uintptr_t)0xaaaaaaaaaaaaaaab)'
    else:
        g.e('uintptr_t w = 1;', 'double d;', 'memcpy(&d, &n, sizeof(d));')
        if leak:
            g.e('%s = d;' % real)
        found = '*(void **)&%s' % real
    if leak:
        g.e('%s = w;' % place, 'return 1;')
    elif kind in (0, 1, 3):
        g.e('%s *back = %s;' % (g.A, found), 'return back->v;')
    else:
        g.e('return n->v;')
    f = g.begin('U')
    g.e('unsigned r = %s(k);' % hide.name, 'rp_clobber();', 'uintptr_t w = %s;' % place, '%s = 0;' % place)
    if kind == 4:
        g.e('void *p = NULL;', 'memcpy(&p, &%s, sizeof(p));' % real)
        found = 'p'
    if leak:
        g.e('if (w) {', '%s *n = %s;' % (g.A, found), 'r += %s;' % g.sum('n'), '}')
    else:
        g.e('r += w != 0;')
    g.e('return r;')
    return f


@shape
def interior_pointer(g, leak):
    """The address of a member leaks."""
    f = g.begin('U')
    kind = g.rng.randrange(2)
    g.new('n', must=leak, what='a pointer into it leaks')
    if kind == 0:
        place = g.glob('gp')
        g.e('unsigned *inside = &n->v;', 'inside += k & 1;', 'inside -= k & 1;')
        if leak:
            g.e('%s = inside;' % place)
        g.e('return *inside;')
    else:
        place = g.glob('gt')
        where = g.field()
        g.e('%s **inside = &n->%s;' % (g.A, where), '*inside = a;')
        if leak:
            g.e('%s = (uintptr_t)((char *)inside - (size_t)((char *)&n->%s - (char *)n));' % (place, where))
        g.e('return %s;' % g.sum('*inside'))
    return f


@shape
def array_object(g, leak):
    """An array of objects, one of which leaks."""
    n = g.rng.randrange(2, 5)
    place = g.glob('gv')
    f = g.begin('U')
    size = g.a_size if g.flex else '%d * sizeof(%s)' % (n, g.A)
    many = 1 if g.flex else n
    g.new('t', must=leak, what='an array', size=size, how='goheap_alloc')
    g.e('%s *one = t + k %% %d;' % (g.A, many), 'one->%s = a;' % g.field(), 'one->v += 5;')
    if leak:
        g.e('%s = one;' % place)
    g.e('unsigned r = 0;', 'for (%s *w = t; w < t + %d; w++)' % (g.A, many), '\tr = r * 31 + w->v;', 'return r;')
    return f


@shape
def pointer_table(g, leak):
    """An object that is nothing but pointers, indexed by a variable."""
    place = g.glob('g0')
    f = g.begin('U')
    table = g.allocate('A', what='a table', size='4 * sizeof(%s *)' % g.A, how='goheap_alloc')
    g.e('%s **table = %s;' % (g.A, table))
    g.new('n', must=leak, what='in a table')
    g.e('table[k % 4] = n;', 'table[(k + 1) % 4] = a;')
    if leak:
        g.e('%s = table[%s];' % (place, 'k % 4'))
    g.e('unsigned r = 0;', 'for (unsigned i = 0; i < 4; i++)', '\tif (table[i])', '\t\tr += table[i]->v;', 'return r;')
    return f


@shape
def atomic_store(g, leak):
    place = g.glob('g1')
    f = g.begin('U')
    g.new('n', must=leak, what='stored atomically')
    g.e('%s *mine = NULL, *old = NULL;' % g.A)
    to = place if leak else 'mine'
    kind = g.rng.randrange(4)
    if kind == 0:
        g.e('__atomic_store_n(&%s, n, __ATOMIC_SEQ_CST);' % to)
    elif kind == 1:
        g.e('old = __atomic_exchange_n(&%s, n, __ATOMIC_ACQ_REL);' % to)
    elif kind == 2:
        g.e('%s = NULL;' % to, 'rp_mix(__sync_bool_compare_and_swap(&%s, NULL, n));' % to)
    else:
        g.e('old = %s;' % to, 'rp_mix(__atomic_compare_exchange_n(&%s, &old, n, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));' % to)
    g.e('rp_mix(%s + %s);' % (g.sum('mine'), g.sum('old')), 'return n->v;')
    return f


@shape
def volatile_place(g, leak):
    place = g.P + 'vol'
    g.own_global('%s *volatile %s' % (g.A, place))
    set_ = g.begin('U', 'U k', 'noinline')
    g.new('n', must=leak, what='in a volatile')
    if leak:
        g.e('%s = n;' % place)
    else:
        g.e('*(volatile unsigned *)&n->v += k;')
    g.e('return n->v;')
    f = g.begin('U')
    g.e('unsigned r = %s(k);' % set_.name, 'rp_clobber();', 'return r + %s;' % g.sum(place))
    return f


@shape
def asm_operand(g, leak):
    place = g.glob('g2')
    f = g.begin('U')
    g.new('n', must=leak, what='through inline asm')
    g.e('%s *m = n;' % g.A, '__asm__ volatile("" : "+r"(m));')
    if leak:
        g.e('%s = m;' % place)
    g.e('return m->v;')
    return f


@shape
def box_global(g, leak):
    """By the copy of a struct into a global one."""
    place = g.glob('gx')
    f = g.begin('U')
    g.e('%s x = { 0 };' % g.X)
    g.new('n', must=leak, what='in a struct that is copied to a global')
    g.e('x.%s = n;' % g.rng.choice(('a', 'l[0]', 'l[2]')))
    if leak:
        g.e(g.rng.choice(('%s = x;', 'memcpy(&%s, &x, sizeof(x));', 'memmove(&%s, &x, sizeof(x));')) % place)
    g.e('return %ssumx(&x);' % g.T)
    return f


@shape
def leaf_global(g, leak):
    place = g.glob('gb')
    f = g.begin('U')
    g.new('b', 'B', must=leak, what='a noscan object')
    g.e('b->v ^= k;')
    if leak:
        g.e('%s = b;' % place)
    g.e('return %ssumb(b);' % g.T)
    return f


@shape
def thread_local(g, leak):
    place = g.glob('tl')
    f = g.begin('U')
    g.new('n', must=leak, what='in thread-local storage')
    if leak:
        g.e('%s = n;' % place)
    g.e('return n->v;')
    return f


# The library's functions

@shape
def string_functions(g, leak):
    """Functions of libc that return a pointer into what they were given."""
    place = g.glob('gc')
    f = g.begin('U')
    g.new('b', 'B', must=leak, what='a string')
    g.e('memcpy(b->s, "a7y", 4);', "b->s[0] = 'a' + k % 20;")
    kind = g.rng.randrange(6)
    g.e('char *c = b->s;')
    if kind == 0:
        g.e("c = strchr(b->s, '7');")
    elif kind == 1:
        g.e("c = memchr(b->s, '7', 4);")
    elif kind == 2:
        g.e('c = strstr(b->s, "7y");')
    elif kind == 3:
        g.e('rp_mix((unsigned)strtol(b->s + 1, &c, 10));')
    elif kind == 4:
        g.e('c = strcpy(b->s + 1, "zz");')
    else:
        g.e('c = strpbrk(b->s, "y7");')
    g.e('if (!c)', '\treturn 1;')
    if leak:
        g.e('%s = c;' % place)
    g.e('return (unsigned char)*c + (unsigned)strlen(b->s) + (strncmp(b->s + 1, "7y", 2) > 0);')
    return f


@shape
def string_tokens(g, leak):
    """strtok() keeps its argument."""
    start = g.begin('U', 'U k', 'noinline')
    g.new('b', 'B', must=leak, what='kept by strtok()')
    g.e('memcpy(b->s, "a x", 4);', "b->s[0] = 'a' + k % 20;")
    if leak:
        g.e('char *c = strtok(b->s, " ");')
    else:
        g.e('char *rest = NULL, *c = strtok_r(b->s, " ", &rest);')
    g.e('return c ? (unsigned char)*c : 0;')
    f = g.begin('U')
    g.e('unsigned r = %s(k);' % start.name, 'rp_clobber();')
    if leak:
        g.e('if (!r)', '\treturn 0;', 'char *c = strtok(NULL, " ");', 'r = r * 31 + (c ? (unsigned char)*c : 7);')
    g.e('return r;')
    return f


@shape
def tree_search(g, leak):
    """tsearch() keeps its key; nothing is allocated until it is taken out again."""
    root = g.P + 'root'
    g.own_global('void *%s' % root)
    compare = g.begin('I', 'P x, P y', 'noinline', fuel=False)
    g.e('return 0 * (x == y);')
    cast = '(int (*)(const void *, const void *))%s' % compare.name
    put = g.begin('U', 'U k', 'noinline')
    g.new('n', must=leak, what='kept by tsearch()')
    if leak:
        g.e('tsearch(n, &%s, %s);' % (root, cast))
    else:
        g.e('rp_mix(tfind(n, &%s, %s) != NULL);' % (root, cast))
    g.e('return n->v;')
    f = g.begin('U')
    g.e('unsigned r = %s(k);' % put.name, 'rp_clobber();')
    g.e('%s **at = %s ? *(void **)&%s : NULL;' % (g.A, root, root))
    g.e('if (at) {', 'r += %s;' % g.sum('*at'), 'tdelete(*at, &%s, %s);' % (root, cast), '}', 'return r;')
    return f


@shape
def thread_specific(g, leak):
    key = g.P + 'key'
    g.own_global('pthread_key_t %s' % key)
    put = g.begin('U', 'U k', 'noinline')
    g.new('n', must=leak, what='a thread\'s specific value')
    g.e('pthread_setspecific(%s, %s);' % (key, 'n' if leak else 'NULL'), 'return n->v;')
    f = g.begin('U', attribute='noinline')
    g.e('if (pthread_key_create(&%s, NULL))' % key, '\treturn 0;', 'unsigned r = %s(k);' % put.name, 'rp_clobber();',
        'r += %s;' % g.sum('(%s *)pthread_getspecific(%s)' % (g.A, key)), 'pthread_key_delete(%s);' % key, 'return r;')
    return f


@shape
def thread_start(g, leak):
    """Another thread looks at it, while its maker has returned."""
    run = g.begin('P', 'P p', 'noinline', fuel=False)
    g.e('return (void *)(uintptr_t)(p ? ((%s *)p)->v %% 1000 : 0);' % g.A)
    start = g.begin('U', 'U k', 'noinline')
    thread = g.P + 'thread'
    g.own_global('pthread_t %s' % thread)
    if leak:
        wait = g.P + 'go'
        g.own_global('unsigned %s' % wait)
        g.f = run
        run.lines.insert(0, '\twhile (!__atomic_load_n(&%s, __ATOMIC_ACQUIRE))\n\t\t;' % wait)
        g.f = start
    g.new('n', must=leak, what='handed to a thread')
    g.e('return n->v + (pthread_create(&%s, NULL, %s, n) ? 77 : 0);' % (thread, run.name))
    f = g.begin('U')
    g.e('void *result = NULL;', 'unsigned r = %s(k);' % start.name)
    g.e('if (!r)', '\treturn 0;')
    if leak:
        g.e('rp_clobber();', '__atomic_store_n(&%s, 1, __ATOMIC_RELEASE);' % wait)
    g.e('pthread_join(%s, &result);' % thread)
    if leak:
        g.e('%s = 0;' % wait)
    g.e('return r + (unsigned)(uintptr_t)result;')
    return f


@shape
def heap_functions(g, leak):
    """What goheap says of an object differs on the stack."""
    f = g.begin('U')
    kind = g.rng.randrange(5)
    g.new('n', must=leak, what='asked about')
    if not leak:
        g.e('return n->v;')
    elif kind == 0:
        g.e('return n->v + (goheap_usable_size(n) != 0);')
    elif kind == 1:
        g.e('return n->v + (goheap_base((char *)n + 3) == n);')
    elif kind == 2:
        g.e('%s *m = goheap_realloc(n, 3 * sizeof(*n) + 500);' % g.A, 'return m ? m->v + 1 : 5;')
    elif kind == 3:
        g.e('struct goheap_weak *w = goheap_weak_new(n);', '%s *m = w ? goheap_weak_get(w) : NULL;' % g.A,
            'return n->v + (m == n);')
    else:
        done = g.P + 'never'
        g.own_global('void (*%s)(void *, void *)' % done)
        g.e('return n->v + (goheap_set_finalizer(n, NULL, NULL) == 0);')
    return f


@shape
def freed(g, leak):
    """goheap_free() of what is certainly dead, also of what lies on the stack."""
    place = g.glob('g1')
    f = g.begin('U')
    g.e('unsigned r = 0;', 'for (unsigned i = 0; i < 3; i++) {')
    g.new('n', must=leak, what='freed, or kept')
    g.e('r = r * 31 + n->v;')
    if leak:
        g.e('if (i == 1)', '\t%s = n;' % place, 'else', '\tgoheap_free(n);')
    else:
        g.e('goheap_free(n);')
    g.e('}', 'return r;')
    return f


# Frames of an unusual kind

@shape
def setjmp_frame(g, leak):
    raise_ = g.begin('V', 'P env, A n, U k', 'noinline', fuel=False)
    g.e('if (n && k % 2)', '\tlongjmp(*(jmp_buf *)env, 1);', 'rp_mix(3);')
    place = g.glob('g0')
    f = g.begin('U', attribute='noinline')
    g.e('jmp_buf env;', 'volatile unsigned count = 0;')
    g.new('n', must=leak, what='in a function with setjmp()')
    g.e('%s *volatile back = n;' % g.A)
    if leak:
        g.e('if (setjmp(env) == 0) {', '%s(&env, n, k);' % raise_.name, '} else {', 'count = count + 1;', '}')
        g.e('%s = back;' % place)
    else:
        g.e('if (setjmp(env) == 0)', '\t%s(&env, n, k);' % raise_.name, 'else', '\tcount = count + 1;')
    g.e('return back->v + count;')
    return f


@shape
def alloca_frame(g, leak):
    place = g.glob('g2')
    f = g.begin('U')
    if g.chance(0.5):
        g.e('%s **t = alloca((k %% 3 + 2) * sizeof(*t));' % g.A)
    else:
        g.e('%s *t[k %% 3 + 2];' % g.A)
    g.e('t[0] = a;', 't[1] = NULL;')
    g.new('n', must=leak, what='in a function with alloca() or a VLA')
    g.e('t[1] = n;')
    if leak:
        g.e('%s = t[1];' % place)
    g.e('return t[1]->v + %s;' % g.sum('t[0]'))
    return f


@shape
def computed_goto(g, leak):
    place = g.glob('g1')
    f = g.begin('U', attribute='noinline')
    g.e('static const void *const to[] = { &&one, &&two, &&out };', 'unsigned i = k % 2;', '%s *x = NULL;' % g.A)
    g.new('n', must=leak, what='in a function with computed goto')
    g.e('goto *to[i];')
    g.f.lines.append('one:')
    g.e('x = n;', 'i = 2;', 'goto *to[i];')
    g.f.lines.append('two:')
    g.e('x = n;', 'rp_mix(x->v);')
    g.f.lines.append('out:')
    if leak:
        g.e('%s = x;' % place)
    g.e('return n->v;')
    return f


@shape
def nested_function(g, leak):
    place = g.glob('g0')
    f = g.begin('U', attribute='noinline')
    g.e('%s *n = NULL;' % g.A, 'auto void keep(unsigned);', 'void keep(unsigned i)', '{')
    g.e('if (i)', '\tn->v += i;')
    if leak:
        g.e('%s = n;' % place)
    g.e('}')
    g.new('n', declare=False, must=leak, what='in a frame that a nested function has')
    g.e('keep(k % 3);', 'return n->v;')
    return f


@shape
def large_object(g, leak):
    """About the limits of what a frame may take."""
    size = g.rng.choice((4096, 30000, 65536, 65537, 100000))
    place = g.glob('gv')
    f = g.begin('U', attribute='noinline')
    if size < 65536 and g.chance(0.5):
        g.e('for (unsigned i = 0; i < 2; i++) {')
        loop = True
    else:
        loop = False
    g.new('n', must=leak, what='large', size='%d' % max(size, 4096), how='goheap_alloc')
    g.e('unsigned char *bytes = (unsigned char *)n;', 'rp_mix(bytes[%d]);' % (size - 1), 'bytes[%d] = 7;' % (size - 1))
    if leak:
        g.e('%s = n;' % place)
    g.e('rp_mix(n->v + bytes[%d]);' % (size - 1))
    if loop:
        g.e('}')
    g.e('return 1;')
    top = g.begin('U')
    g.e('unsigned r = %s(a, k);' % f.name, 'rp_clobber_deep();', 'return r;')
    return top


@shape
def two_sites_one_variable(g, leak):
    """Which of two objects leaks depends on the way."""
    place = g.glob('g2')
    f = g.begin('U')
    g.e('%s *n = NULL;' % g.A, 'if (k %% 2 == %d) {' % g.rng.randrange(2))
    g.new('n', declare=False, must=leak, what='one of two objects')
    g.e('} else {')
    g.new('n', declare=False, what='one of two objects')
    g.e('}')
    if leak:
        g.e('if (k < 90)', '\t%s = n;' % place)
    else:
        g.e('n->%s = a;' % g.field())
    g.e('return %s;' % g.sum('n'))
    return f
