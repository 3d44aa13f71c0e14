/* plot_script.h: a figure in gnuplot's language. */
#ifndef TERN_TOOLS_PLOT_SCRIPT_H
#define TERN_TOOLS_PLOT_SCRIPT_H

#include "plot.h"

#include <stdio.h>

/* `terminal` is gnuplot's, with its options; `colors` false draws with characters. */
void plot_script_write(FILE *out, const figure *f, const char *terminal, bool colors);

#endif
