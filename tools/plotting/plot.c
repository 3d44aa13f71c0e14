#define _POSIX_C_SOURCE 200809L
#include "plot.h"

#include "plot_script.h"

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

enum { PATH_SIZE = 4096, NOT_FOUND = 127, COPY_SIZE = 65536, TERMINAL_SIZE = 128 };

/* ---- the program ----------------------------------------------------------------------------- */

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
static plot_result draw(const figure *f, const char *terminal, bool colors, int output,
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
    if (script && child >= 0) plot_script_write(script, f, terminal, colors);
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

/* ---- files and the terminal ------------------------------------------------------------------ */

/* gnuplot's terminal for a name; false where it ends in neither. Two plots side by side are wider. */
static bool terminal_for(const figure *f, const char *path, char *out_terminal, size_t size) {
    const char *dot = strrchr(path, '.');
    bool png = dot && strcmp(dot, ".png") == 0, svg = dot && strcmp(dot, ".svg") == 0;
    snprintf(out_terminal, size, "%s size %d,%d noenhanced background rgb 'white'",
             png ? "pngcairo" : "svg", f->columns == 2 ? 1400 : 1000, f->columns == 2 ? 600 : 700);
    return png || svg;
}

plot_result plot_save(const figure *f, const char *path, char *out_message, size_t size) {
    char temporary[PATH_SIZE], terminal[TERMINAL_SIZE];
    if (!terminal_for(f, path, terminal, sizeof terminal) ||
        snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= PATH_SIZE) {
        snprintf(out_message, size, "%s: the file name of a plot must end in .png or .svg", path);
        return PLOT_FAILED;
    }
    int file = mkstemp(temporary);
    if (file < 0) {
        snprintf(out_message, size, "%s: %s", path, strerror(errno));
        return PLOT_FAILED;
    }
    plot_result result = draw(f, terminal, true, file, out_message, size);
    if (result == PLOT_DRAWN && (fchmod(file, 0644) != 0 || rename(temporary, path) != 0)) {
        snprintf(out_message, size, "%s: %s", path, strerror(errno));
        result = PLOT_FAILED;
    }
    close(file);
    if (result != PLOT_DRAWN) unlink(temporary);
    return result;
}

plot_result plot_terminal(const figure *f, char *out_message, size_t size) {
    static char buffer[COPY_SIZE];
    FILE *picture = tmpfile();
    if (!picture) {
        snprintf(out_message, size, "a temporary file cannot be made: %s", strerror(errno));
        return PLOT_FAILED;
    }
    plot_result result =
        draw(f, "dumb size 79,24 noenhanced", false, fileno(picture), out_message, size);
    rewind(picture);
    for (size_t count;
         result == PLOT_DRAWN && (count = fread(buffer, 1, sizeof buffer, picture)) > 0;)
        fwrite(buffer, 1, count, stdout);
    fclose(picture);
    return result;
}
