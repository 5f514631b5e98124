// SPDX-License-Identifier: GPL-2.0
/*
 * A picture of spheres by ray tracing, in the style of a language where every
 * vector is an object: each operation returns a new one.
 *
 * The operations are small enough to be inlined where they are used, and then what they
 * return is that function's own.  What goes through reflect() and trace(), which are
 * not, and the spheres, live on the heap in any case.
 */
#include "program.h"

#include <math.h>

#define SPHERES		12
#define DEPTH		4

struct vec {
	double x, y, z;
};

struct ray {
	const struct vec *from;
	const struct vec *to;		/* a direction */
};

struct sphere {
	const struct vec *middle;
	double radius;
	double grey;
	double mirror;
};

struct hit {
	const struct sphere *sphere;
	double distance;
};

static struct sphere *spheres[SPHERES];
static const struct vec *light;

static inline struct vec *vec(double x, double y, double z)
{
	struct vec *v = object(sizeof(*v));

	v->x = x;
	v->y = y;
	v->z = z;
	return v;
}

static inline struct vec *add(const struct vec *a, const struct vec *b)
{
	return vec(a->x + b->x, a->y + b->y, a->z + b->z);
}

static inline struct vec *sub(const struct vec *a, const struct vec *b)
{
	return vec(a->x - b->x, a->y - b->y, a->z - b->z);
}

static inline struct vec *scale(const struct vec *a, double f)
{
	return vec(a->x * f, a->y * f, a->z * f);
}

static inline double dot(const struct vec *a, const struct vec *b)
{
	return a->x * b->x + a->y * b->y + a->z * b->z;
}

static inline struct vec *unit(const struct vec *a)
{
	return scale(a, 1 / sqrt(dot(a, a)));
}

static inline struct ray *ray(const struct vec *from, const struct vec *to)
{
	struct ray *r = object(sizeof(*r));

	r->from = from;
	r->to = to;
	return r;
}

/* How far along @r, or infinitely. */
static double distance(const struct sphere *s, const struct ray *r)
{
	struct vec *way = sub(s->middle, r->from);
	double along = dot(way, r->to);
	double under = along * along - dot(way, way) + s->radius * s->radius;
	double root;

	if (under < 0)
		return INFINITY;
	root = sqrt(under);
	if (along - root > 1e-6)
		return along - root;
	return along + root > 1e-6 ? along + root : INFINITY;
}

static bool nearest(const struct ray *r, struct hit *hit)
{
	hit->sphere = NULL;
	hit->distance = INFINITY;
	for (int i = 0; i < SPHERES; i++) {
		double d = distance(spheres[i], r);

		if (d < hit->distance) {
			hit->distance = d;
			hit->sphere = spheres[i];
		}
	}
	return hit->sphere;
}

static __attribute__((noinline))
struct vec *reflect(const struct vec *way, const struct vec *normal)
{
	return sub(way, scale(normal, 2 * dot(way, normal)));
}

/* How light it is where @r comes from. */
static double trace(const struct ray *r, int depth)
{
	struct hit *hit = object(sizeof(*hit)), *shadow = object(sizeof(*shadow));
	struct vec *at, *normal, *away;
	double grey;

	if (!nearest(r, hit))
		return 0.2 + 0.2 * r->to->y;
	at = add(r->from, scale(r->to, hit->distance));
	normal = unit(sub(at, hit->sphere->middle));
	away = unit(sub(light, at));
	grey = 0.1;
	if (!nearest(ray(at, away), shadow))
		grey += fmax(0, dot(normal, away)) * hit->sphere->grey;
	if (depth > 1 && hit->sphere->mirror > 0)
		grey += hit->sphere->mirror *
			trace(ray(at, unit(reflect(r->to, normal))), depth - 1);
	return grey;
}

int main(int argc, char **argv)
{
	long width = times(argc, argv, "vec WIDTH"), sum = 0;
	uint64_t seed = 88172645463325252ull;
	const struct vec *eye = vec(0, 0, -6);

	light = vec(5, 8, -9);
	for (int i = 0; i < SPHERES; i++) {
		struct sphere *s = object(sizeof(*s));

		s->middle = vec(random_next(&seed) % 5 - 2.0, random_next(&seed) % 5 - 2.0,
				random_next(&seed) % 4);
		s->radius = 0.5 + random_next(&seed) % 8 / 10.0;
		s->grey = 0.4 + random_next(&seed) % 5 / 10.0;
		s->mirror = random_next(&seed) % 3 / 4.0;
		spheres[i] = s;
	}
	for (long y = 0; y < width; y++)
		for (long x = 0; x < width; x++) {
			struct vec *pixel = vec(4.0 * (double)x / (double)width - 2,
						2 - 4.0 * (double)y / (double)width, -2);

			sum += (long)(255 * trace(ray(eye, unit(sub(pixel, eye))), DEPTH));
		}
	printf("%ld x %ld pixels, sum %ld\n", width, width, sum);
	return 0;
}
