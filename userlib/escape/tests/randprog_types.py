# SPDX-License-Identifier: MIT
"""The types that random programs have, and how their objects are looked at."""
import random


class Types:
    """The types of a few programs with seeds that follow one another, and how to look at them."""

    def __init__(self, number):
        self.rng = random.Random('goheap types %d' % number)
        self.P = 't%d_' % number
        self.A, self.B, self.X = ('struct %s%s' % (self.P, t) for t in 'abx')
        self.sum_inline = '' if self.rng.random() < 0.1 else ', noinline'
        self.make_types()

    def make_types(self):
        r = self.rng
        fields = [('p', '{A} *p'), ('q', '{A} *q')]
        self.pointers = ['p', 'q']
        words = ['p', 'q']
        if r.random() < 0.4:
            self.arr = r.randrange(2, 5)
            fields.append(('arr', '{A} *arr[%d]' % self.arr))
            self.pointers += ['arr[%d]' % i for i in range(self.arr)]
        else:
            self.arr = 0
        if r.random() < 0.3:
            fields.append(('u', 'union {{ {A} *up; uintptr_t uw; }} u'))
            self.pointers.append('u.up')
            words.append('u')
        if r.random() < 0.3:
            fields.append(('s', 'struct {{ unsigned k; {A} *in; }} s'))
            self.pointers.append('s.in')
            words.append('s.in')
        self.has_tag = r.random() < 0.3
        if self.has_tag:
            fields.append(('t', 'uintptr_t t'))
            words.append('t')
        self.has_leaf = r.random() < 0.5
        if self.has_leaf:
            fields.append(('b', '{B} *b'))
            words.append('b')
        fields.append(('v', 'unsigned v'))
        self.values = ['v']
        if r.random() < 0.5:
            fields.append(('w', 'unsigned w'))
            self.values.append('w')
        if r.random() < 0.2:
            fields.append(('c', 'unsigned char c[%d]' % r.randrange(1, 20)))
            self.values.append('c[0]')
        if r.random() < 0.15:
            fields.append(('o', 'unsigned __int128 o'))
            self.values.append('o')
        if r.random() < 0.1:
            fields.append(('h', 'unsigned h : 5'))
            self.values.append('h')
        if r.random() < 0.05:
            fields.append(('pad', 'unsigned char pad[%d]' % r.choice((100, 500, 3000))))
        r.shuffle(fields)
        self.flex = r.random() < 0.15
        if self.flex:
            fields.append(('fx', '{A} *fx[]'))
            self.pointers += ['fx[0]', 'fx[1]']
        self.a_fields = [f[1].format(A=self.A, B=self.B) for f in fields]
        # A word of the first 512 bytes, or of no type.
        self.typed = not self.flex and not any(f[0] == 'pad' for f in fields)
        self.a_words = ['GOHEAP_POINTER(%s, %s)' % (self.A, w) for w in words]
        if self.arr:
            self.a_words.append('GOHEAP_POINTERS(%s, arr)' % self.A)
        leaf = ['unsigned v', 'char s[%d]' % r.choice((4, 8, 12, 24, 40))]
        if r.random() < 0.3:
            leaf.insert(1, 'unsigned short h')
        self.b_fields = leaf
        self.a_size = 'sizeof(%s)' % self.A
        if self.flex:
            self.a_size += ' + 2 * sizeof(%s *)' % self.A

    def text(self):
        out = ['%s;' % self.A]
        out.append('%s { %s; };' % (self.B, '; '.join(self.b_fields)))
        out.append('%s { %s; };' % (self.A, '; '.join(self.a_fields)))
        out.append('%s { %s *a; %s *l[3]; unsigned n; %s *b; };' % (self.X, self.A, self.A, self.B))
        if self.typed:
            out.append('GOHEAP_DEFINE_TYPE(%stype, %s,\n\t%s);' %
                       (self.P, self.A, ' |\n\t'.join(self.a_words)))
        return out + self.sums_text()

    def sums_text(self):
        """How an object, and what can be reached from it, is looked at."""
        P, A, B, X = self.P, self.A, self.B, self.X
        out = ['static __attribute__((unused, noinline)) unsigned %ssumb(const %s *b)' % (P, B), '{',
               '\treturn b ? b->v * 5 + (unsigned char)b->s[0] + (unsigned char)b->s[3] * 3 : 3;', '}',
               'static __attribute__((unused%s)) unsigned %ssum(const %s *a, unsigned depth)' %
               (self.sum_inline, P, A), '{',
               '\tunsigned r = 7;', '', '\tif (!a)', '\t\treturn 1;']
        for v in self.values:
            out.append('\tr = r * 31 + (unsigned)a->%s;' % v)
        if self.has_leaf:
            out.append('\tr = r * 31 + %ssumb(a->b);' % P)
        out += ['\tif (!depth--)', '\t\treturn r;']
        for p in self.pointers:
            if not p.startswith('arr'):
                out.append('\tr = r * 31 + %ssum(a->%s, depth);' % (P, p))
        if self.arr:
            out += ['\tfor (unsigned i = 0; i < %d; i++)' % self.arr,
                    '\t\tr = r * 31 + %ssum(a->arr[i], depth);' % P]
        if self.has_tag:
            out.append('\tr = r * 31 + %ssum((%s *)(a->t & ~(uintptr_t)3), depth);' % (P, A))
        out += ['\treturn r;', '}',
                'static __attribute__((unused, noinline)) unsigned %ssumx(const %s *x)' % (P, X), '{',
                '\tunsigned r = %ssum(x->a, 1) + x->n * 3 + %ssumb(x->b);' % (P, P), '',
                '\tfor (unsigned i = 0; i < 3; i++)',
                '\t\tr = r * 31 + %ssum(x->l[i], 1);' % P, '\treturn r;', '}']
        return out
