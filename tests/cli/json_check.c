/*
 * json_check: reads JSON from standard input and fails where it is not valid, or not as asked.
 *
 *     json_check [--lines] [PATH | PATH=TEXT]...
 *
 * PATH walks keys and indices joined by slashes ("subjects/ops%add" has % for a slash inside a key); it
 * must be there, and with =TEXT print as that text (a string without its quotes). --lines: every line is
 * a value of its own, and each is checked.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512, INPUT_SIZE = 64 << 20 };

static const json_t *step(const json_t *value, const char *key) {
    if (json_is_array(value)) return json_array_get(value, strtoul(key, NULL, 10));
    return json_object_get(value, key);
}

static const json_t *walk(const json_t *value, const char *path) {
    char copy[PATH_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok(copy, "/"); key && value; key = strtok(NULL, "/")) {
        for (char *c = key; *c; c++)
            if (*c == '%') *c = '/';
        value = step(value, key);
    }
    return value;
}

static bool check(const json_t *value, const char *wanted) {
    char path[PATH_SIZE];
    const char *equals = strchr(wanted, '=');
    snprintf(path, sizeof path, "%.*s", equals ? (int)(equals - wanted) : PATH_SIZE - 1, wanted);
    const json_t *found = walk(value, path);
    if (!found) {
        fprintf(stderr, "json_check: nothing at '%s'\n", path);
        return false;
    }
    char *text = json_is_string(found) ? strdup(json_string_value(found))
                                       : json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    bool good = text && (!equals || strcmp(text, equals + 1) == 0);
    if (!good) fprintf(stderr, "json_check: '%s' is '%s', not '%s'\n", path, text, equals + 1);
    free(text);
    return good;
}

static bool check_text(const char *text, size_t length, char **wanted, int count) {
    json_error_t error;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    bool good = value != NULL;
    if (!value) fprintf(stderr, "json_check: line %d: %s\n", error.line, error.text);
    for (int i = 0; i < count && good; i++) good = check(value, wanted[i]);
    json_decref(value);
    return good;
}

int main(int argc, char **argv) {
    bool lines = argc > 1 && strcmp(argv[1], "--lines") == 0;
    char **wanted = argv + 1 + lines;
    int count = argc - 1 - lines;
    char *input = malloc(INPUT_SIZE);
    size_t length = input ? fread(input, 1, INPUT_SIZE, stdin) : 0;
    bool good = length > 0;
    if (!good) fprintf(stderr, "json_check: no input\n");
    if (good && !lines) good = check_text(input, length, wanted, count);
    for (char *line = input; good && lines && line < input + length;) {
        char *end = memchr(line, '\n', (size_t)(input + length - line));
        if (!end) {
            fprintf(stderr, "json_check: the last line has no end\n");
            good = false;
            break;
        }
        good = check_text(line, (size_t)(end - line), wanted, count);
        line = end + 1;
    }
    free(input);
    return good ? 0 : 1;
}
