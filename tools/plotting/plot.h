/*
 * plot.h: plots drawn by gnuplot: PNG, SVG, or characters for the terminal.
 *
 * gnuplot is a program of its own, run without a shell; script and data go to it through a pipe, the
 * picture comes back on its standard output. A file appears whole or not at all.
 */
#ifndef TERN_TOOLS_PLOT_H
#define TERN_TOOLS_PLOT_H

#include "tern/base.h"

typedef struct plot_series {
    const char *title;
    const char *color; /* as gnuplot names it: "blue", "#2ca02c" */
    bool line;         /* a line through the points; else the points */
    const double *x, *y;
    size_t count;
} plot_series;

/* Numbers in rows and columns, drawn as shades; the first row is at the top. */
typedef struct plot_matrix {
    const double *cells;
    int64_t rows, columns;
    bool is_picture;          /* gray, without axes and numbers; else each cell shows its number */
    const char *const *names; /* of rows and of columns; NULL: their numbers */
} plot_matrix;

/* Curves or points, or a matrix. */
typedef struct plot {
    const char *title, *x_label, *y_label;
    const plot_series *series;
    size_t n_series;
    const plot_matrix *matrix;
} plot;

/* Plots side by side, in rows of `columns`. */
typedef struct figure {
    const plot *plots;
    size_t n_plots, columns;
} figure;

typedef enum plot_result {
    PLOT_DRAWN,
    PLOT_NO_GNUPLOT, /* the program is not installed */
    PLOT_FAILED
} plot_result;

/* Draws into a file whose name ends in .png or .svg. `out_message` says why it failed, one line. */
plot_result plot_save(const figure *f, const char *path, char *out_message, size_t size);

/* Draws with characters on standard output. */
plot_result plot_terminal(const figure *f, char *out_message, size_t size);

#endif
