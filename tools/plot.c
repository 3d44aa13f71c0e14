#define _POSIX_C_SOURCE 200809L
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH_SIZE = 4096, NOT_FOUND = 127, COPY_SIZE = 65536 };

/* ---- the script ---------------------------------------------------------------------------------------- */

/* Text in gnuplot's single quotes, where a quote is doubled and nothing else is special. */
static void quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fputc('\'', out);
}

static void write_data(FILE *out, const plot *p) {
    for (size_t s = 0; s < p->n_series; s++) {
        fprintf(out, "$series%zu << EOD\n", s);
        for (size_t i = 0; i < p->series[s].count; i++)
            fprintf(out, "%.17g %.17g\n", p->series[s].x[i], p->series[s].y[i]);
        fputs("EOD\n", out);
    }
}

static void write_script(FILE *out, const plot *p, const char *terminal, bool colors) {
    fprintf(out, "set encoding utf8\nset terminal %s\nset grid\nset key top left\nset title ",
            terminal);
    quoted(out, p->title);
    fputs("\nset xlabel ", out);
    quoted(out, p->x_label);
    fputs("\nset ylabel ", out);
    quoted(out, p->y_label);
    fputc('\n', out);
    write_data(out, p);
    for (size_t s = 0; s < p->n_series; s++) {
        const plot_series *series = &p->series[s];
        fprintf(out, "%s$series%zu using 1:2 with %s", s ? ", " : "plot ", s,
                series->line ? "lines" : "points");
        if (colors) {
            fprintf(out, "%s linecolor rgb ", series->line ? " linewidth 2" : " pointtype 7");
            quoted(out, series->color);
        }
        fputs(" title ", out);
        quoted(out, series->title);
    }
    fputc('\n', out);
}

/* ---- the program ----------------------------------------------------------------------------------------- */

/* Starts gnuplot with the three descriptors; errno in *out_error where it could not be started. */
static pid_t start(int input, int output, int errors, int *out_error) {
    char program[] = "gnuplot", dash[] = "-";
    char *arguments[] = {program, dash, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    *out_error = posix_spawn_file_actions_init(&actions);
    if (*out_error) return -1;
    if (posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO) ||
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) ||
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO))
        *out_error = ENOMEM;
    else
        *out_error = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return *out_error ? -1 : child;
}

static void close_on_exec(int fd) {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

/* The first line that gnuplot wrote about an error. */
static void read_complaint(FILE *errors, char *out_message, size_t size) {
    char line[256];
    rewind(errors);
    snprintf(out_message, size, "gnuplot failed");
    while (fgets(line, sizeof line, errors)) {
        line[strcspn(line, "\n")] = 0;
        if (strspn(line, " ^\t") == strlen(line)) continue;
        snprintf(out_message, size, "gnuplot: %s", line);
        return;
    }
}

static plot_result wait_for(pid_t child, FILE *errors, char *out_message, size_t size) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            snprintf(out_message, size, "gnuplot: %s", strerror(errno));
            return PLOT_FAILED;
        }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return PLOT_DRAWN;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) return PLOT_NO_GNUPLOT;
    read_complaint(errors, out_message, size);
    return PLOT_FAILED;
}

/* Runs gnuplot over a script; its standard output goes to `output`. */
static plot_result draw(const plot *p, const char *terminal, bool colors, int output,
                        char *out_message, size_t size) {
    int ends[2], error;
    FILE *errors = tmpfile();
    if (!errors || pipe(ends) != 0) {
        snprintf(out_message, size, "gnuplot cannot be started: %s", strerror(errno));
        if (errors) fclose(errors);
        return PLOT_FAILED;
    }
    close_on_exec(ends[1]);
    pid_t child = start(ends[0], output, fileno(errors), &error);
    close(ends[0]);
    FILE *script = fdopen(ends[1], "w");
    if (!script) close(ends[1]);
    if (script && child >= 0) write_script(script, p, terminal, colors);
    if (script) fclose(script); /* a gnuplot that is gone is seen by its status */
    plot_result result = PLOT_FAILED;
    if (child >= 0)
        result = wait_for(child, errors, out_message, size);
    else if (error == ENOENT)
        result = PLOT_NO_GNUPLOT;
    else
        snprintf(out_message, size, "gnuplot cannot be started: %s", strerror(error));
    fclose(errors);
    return result;
}

/* ---- files and the terminal ---------------------------------------------------------------------------------- */

static const char *terminal_for(const char *path) {
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".png") == 0) return "pngcairo size 1000,700 noenhanced";
    if (dot && strcmp(dot, ".svg") == 0) return "svg size 1000,700 noenhanced";
    return NULL;
}

plot_result plot_save(const plot *p, const char *path, char *out_message, size_t size) {
    char temporary[PATH_SIZE];
    const char *terminal = terminal_for(path);
    if (!terminal || snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= PATH_SIZE) {
        snprintf(out_message, size, "%s: a plot's name ends in .png or .svg", path);
        return PLOT_FAILED;
    }
    int file = mkstemp(temporary);
    if (file < 0) {
        snprintf(out_message, size, "%s: %s", path, strerror(errno));
        return PLOT_FAILED;
    }
    plot_result result = draw(p, terminal, true, file, out_message, size);
    if (result == PLOT_DRAWN && (fchmod(file, 0644) != 0 || rename(temporary, path) != 0)) {
        snprintf(out_message, size, "%s: %s", path, strerror(errno));
        result = PLOT_FAILED;
    }
    close(file);
    if (result != PLOT_DRAWN) unlink(temporary);
    return result;
}

plot_result plot_terminal(const plot *p, char *out_message, size_t size) {
    static char buffer[COPY_SIZE];
    FILE *picture = tmpfile();
    if (!picture) {
        snprintf(out_message, size, "a temporary file cannot be made: %s", strerror(errno));
        return PLOT_FAILED;
    }
    plot_result result =
        draw(p, "dumb size 79,24 noenhanced", false, fileno(picture), out_message, size);
    rewind(picture);
    for (size_t count;
         result == PLOT_DRAWN && (count = fread(buffer, 1, sizeof buffer, picture)) > 0;)
        fwrite(buffer, 1, count, stdout);
    fclose(picture);
    return result;
}
