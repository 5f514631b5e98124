// SPDX-License-Identifier: MIT
/*
 * The program that is made of the puzzles: invents some, as the collection does
 * when its user asks for a new game, and prints them.
 *
 *	puzzles GAME PARAMETERS N
 *
 * The code above the games, midend.c, is not needed for that, but for what is below.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "puzzles.h"

extern const game dominosa, galaxies, mines, net, range, solo;

static const struct {
	const char *name;
	const game *game;
} games[] = {
	{ "dominosa", &dominosa }, { "galaxies", &galaxies }, { "mines", &mines },
	{ "net", &net }, { "range", &range }, { "solo", &solo },
};

char *dupstr(const char *s)
{
	return strcpy(smalloc(strlen(s) + 1), s);
}

/* Mines ask for it when they are played. */
void midend_supersede_game_desc(midend *me, const char *desc, const char *privdesc)
{
	(void)me;
	(void)desc;
	(void)privdesc;
}

int main(int argc, char **argv)
{
	const game *game = NULL;
	game_params *params;
	const char *wrong;
	int n = argc == 4 ? atoi(argv[3]) : 0;

	for (size_t i = 0; argc == 4 && i < sizeof(games) / sizeof(games[0]); i++)
		if (!strcmp(argv[1], games[i].name))
			game = games[i].game;
	if (!game || n < 1) {
		fputs("usage: puzzles GAME PARAMETERS N\n", stderr);
		return 2;
	}
	params = game->default_params();
	game->decode_params(params, argv[2]);
	wrong = game->validate_params(params, true);
	if (wrong) {
		fprintf(stderr, "puzzles: %s: %s\n", argv[2], wrong);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		char seed[16], *aux = NULL;
		random_state *rs;

		snprintf(seed, sizeof(seed), "%d", i);
		rs = random_new(seed, (int)strlen(seed));
		puts(game->new_desc(params, rs, &aux, false));
		random_free(rs);
	}
	return 0;
}
