#include "plot_script.h"

#include <inttypes.h>

enum { MOST_NUMBERED = 30 }; /* rows of a matrix whose cells still have room for their numbers */

/* Text in gnuplot's single quotes, where a quote is doubled and nothing else is special. */
static void quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fputc('\'', out);
}

/* ---- curves ---- */

static void write_series_data(FILE *out, const plot *p, size_t index) {
    for (size_t s = 0; s < p->n_series; s++) {
        fprintf(out, "$data%zu_%zu << EOD\n", index, s);
        for (size_t i = 0; i < p->series[s].count; i++)
            fprintf(out, "%.17g %.17g\n", p->series[s].x[i], p->series[s].y[i]);
        fputs("EOD\n", out);
    }
}

/* Few whole numbers (epochs) are marked one by one. */
static bool counts_few(const plot *p) {
    enum { FEW = 12 };
    for (size_t s = 0; s < p->n_series; s++)
        for (size_t i = 0; i < p->series[s].count; i++)
            if (!p->series[s].line || p->series[s].x[i] != (double)i || i > FEW) return false;
    return true;
}

static void write_series(FILE *out, const plot *p, size_t index, bool colors) {
    if (counts_few(p)) fputs("set xtics 1\n", out);
    for (size_t s = 0; s < p->n_series; s++) {
        const plot_series *series = &p->series[s];
        fprintf(out, "%s$data%zu_%zu using 1:2 with %s", s ? ", " : "plot ", index, s,
                series->line ? (series->count > 1 ? "lines" : "points") : "points");
        if (colors) {
            fprintf(out, "%s linecolor rgb ",
                    series->line ? " linewidth 2" : " pointtype 7 pointsize 0.8");
            quoted(out, series->color);
        }
        fputs(" title ", out);
        quoted(out, series->title);
    }
    fputc('\n', out);
}

/* ---- matrices ---- */

static void write_matrix_data(FILE *out, const plot_matrix *m, size_t index) {
    fprintf(out, "$data%zu_0 << EOD\n", index);
    for (int64_t r = 0; r < m->rows; r++)
        for (int64_t c = 0; c < m->columns; c++)
            fprintf(out, "%.9g%c", m->cells[r * m->columns + c], c + 1 < m->columns ? ' ' : '\n');
    fputs("EOD\n", out);
}

static void write_names(FILE *out, const char *axis, const plot_matrix *m) {
    if (!m->names || m->rows > MOST_NUMBERED) return;
    fprintf(out, "set %stics (", axis);
    for (int64_t i = 0; i < m->rows; i++) {
        if (i) fputs(", ", out);
        quoted(out, m->names[i]);
        fprintf(out, " %" PRId64, i);
    }
    fputs(")\n", out);
}

static void write_matrix(FILE *out, const plot_matrix *m, size_t index) {
    double most = 0;
    for (int64_t i = 0; i < m->rows * m->columns; i++)
        if (m->cells[i] > most) most = m->cells[i];
    fprintf(out, "unset grid\nunset key\nset xrange [-0.5:%" PRId64 ".5]\n", m->columns - 1);
    fprintf(out, "set yrange [%" PRId64 ".5:-0.5]\n", m->rows - 1);
    if (m->is_picture) {
        fputs("unset tics\nunset colorbox\nset size ratio -1\nset palette gray\n", out);
    } else {
        fputs("set palette defined (0 'white', 1 '#2166ac')\nset xtics rotate by -40\n"
              "set size square\n",
              out);
        write_names(out, "x", m);
        write_names(out, "y", m);
    }
    fprintf(out, "plot $data%zu_0 matrix with image", index);
    /* Dark cells carry white numbers. */
    if (!m->is_picture && m->rows <= MOST_NUMBERED)
        fprintf(
            out,
            ", $data%zu_0 matrix using 1:2:(sprintf('%%d', $3)):($3 > %.9g ? 0xffffff : 0) with "
            "labels textcolor rgb variable",
            index, most / 2);
    fputc('\n', out);
}

/* ---- figures ---- */

static void write_plot(FILE *out, const plot *p, size_t index, bool colors) {
    fputs("set title ", out);
    quoted(out, p->title);
    fputs("\nset xlabel ", out);
    quoted(out, p->x_label);
    fputs("\nset ylabel ", out);
    quoted(out, p->y_label);
    fputc('\n', out);
    if (p->matrix)
        write_matrix(out, p->matrix, index);
    else
        write_series(out, p, index, colors);
}

void plot_script_write(FILE *out, const figure *f, const char *terminal, bool colors) {
    fprintf(out, "set encoding utf8\nset terminal %s\nset grid\nset key below\n", terminal);
    for (size_t i = 0; i < f->n_plots; i++) {
        if (f->plots[i].matrix)
            write_matrix_data(out, f->plots[i].matrix, i);
        else
            write_series_data(out, &f->plots[i], i);
    }
    size_t columns = f->columns ? f->columns : 1, rows = (f->n_plots + columns - 1) / columns;
    if (f->n_plots > 1) fprintf(out, "set multiplot layout %zu,%zu\n", rows, columns);
    for (size_t i = 0; i < f->n_plots; i++) write_plot(out, &f->plots[i], i, colors);
    if (f->n_plots > 1) fputs("unset multiplot\n", out);
}
