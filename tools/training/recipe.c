#define _POSIX_C_SOURCE 200809L
#include "recipe.h"

#include "options.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum key_type { KEY_TEXT, KEY_WHOLE, KEY_NUMBER } key_type;

/* A text, an int64_t from `least` to `most`, or a double within them. */
typedef struct recipe_key {
    const char *name;
    key_type type;
    size_t offset;
    double least, most;
} recipe_key;

#define AT(field)  offsetof(recipe, field)
#define WHOLE_MOST 9007199254740992.0 /* 2^53 */

static const recipe_key keys[] = {
    {"model", KEY_TEXT, AT(model), 0, 0},
    {"optimizer", KEY_TEXT, AT(optimizer), 0, 0},
    {"scheduler", KEY_TEXT, AT(scheduler), 0, 0},
    {"loss", KEY_TEXT, AT(loss), 0, 0},
    {"data", KEY_TEXT, AT(data), 0, 0},
    {"transforms", KEY_TEXT, AT(transforms), 0, 0},
    {"test_transforms", KEY_TEXT, AT(test_transforms), 0, 0},
    {"target", KEY_TEXT, AT(target), 0, 0},
    {"inputs", KEY_TEXT, AT(inputs), 0, 0},
    {"header", KEY_WHOLE, AT(header), 0, 1},
    {"missing", KEY_TEXT, AT(missing), 0, 0},
    {"text", KEY_TEXT, AT(text), 0, 0},
    {"standardize", KEY_WHOLE, AT(standardize), 0, 1},
    {"test_share", KEY_NUMBER, AT(test_share), 0.0001, 0.9999},
    {"device", KEY_TEXT, AT(device), 0, 0},
    {"out", KEY_TEXT, AT(out), 0, 0},
    {"epochs", KEY_WHOLE, AT(epochs), 1, WHOLE_MOST},
    {"batch_size", KEY_WHOLE, AT(batch_size), 1, WHOLE_MOST},
    {"seed", KEY_WHOLE, AT(seed), -WHOLE_MOST, WHOLE_MOST},
    {"workers", KEY_WHOLE, AT(workers), 0, 64},
    {"limit", KEY_WHOLE, AT(limit), 0, WHOLE_MOST},
    {"clip", KEY_NUMBER, AT(clip), 0, 1e300},
    {"patience", KEY_WHOLE, AT(patience), 0, WHOLE_MOST},
    {"keep", KEY_TEXT, AT(keep), 0, 0},
};

enum { N_KEYS = sizeof keys / sizeof keys[0], TEXT_SIZE = 16384 };

recipe recipe_default(void) {
    return (recipe){.model = "mlp",
                    .optimizer = "SGD(lr=0.1)",
                    .scheduler = "",
                    .loss = "CrossEntropyLoss()",
                    .data = "fashion-mnist",
                    .transforms = "",
                    .test_transforms = "",
                    .target = "",
                    .inputs = "",
                    .device = "",
                    .out = "runs/fashion-mnist",
                    .keep = "last",
                    .header = 1,
                    .missing = "refuse",
                    .text = "refuse",
                    .epochs = 5,
                    .batch_size = 32,
                    .seed = 42,
                    .test_share = 0.2,
                    .standardize = 1};
}

recipe recipe_fashion_mnist(void) {
    recipe r = recipe_default();
    r.optimizer = "SGD(lr=0.03, momentum=0.9)";
    r.scheduler = "ExponentialLR(gamma=0.8)";
    r.epochs = 10;
    return r;
}

const char *recipe_model(const recipe *r) {
    if (strcmp(r->model, "mlp") == 0)
        return "Sequential(Flatten(), Linear(784, 128), ReLU(), Linear(128, 10))";
    if (strcmp(r->model, "tinyvgg") == 0)
        return "Sequential(Conv2d(1, 10, 3, padding=1), ReLU(), Conv2d(10, 10, 3, padding=1), "
               "ReLU(), MaxPool2d(2), Conv2d(10, 10, 3, padding=1), ReLU(), Conv2d(10, 10, 3, "
               "padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(490, 10))";
    return r->model;
}

/* ---- reading --------------------------------------------------------------------------------- */

static char *trimmed(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1])) text[--length] = 0;
    return text;
}

static void unknown_key(tern_ctx *ctx, const char *path, int line, const char *name) {
    const char *names[N_KEYS];
    for (size_t i = 0; i < N_KEYS; i++) names[i] = keys[i].name;
    const char *nearest = nearest_word(name, names, N_KEYS);
    if (nearest)
        tern_fail(ctx, TERN_ERR_FORMAT, "%s:%d: no key '%s'; did you mean '%s'?", path, line, name,
                  nearest);
    else
        tern_fail(ctx, TERN_ERR_FORMAT, "%s:%d: no key '%s'; `tern train --help` lists the keys",
                  path, line, name);
}

/* "from 0 to 64", or "from 1 up" where the end is no bound that a user meets. */
static void range_text(const recipe_key *key, char *out_text, size_t size) {
    if (key->most < WHOLE_MOST)
        snprintf(out_text, size, "from %g to %g", key->least, key->most);
    else if (key->least > -WHOLE_MOST)
        snprintf(out_text, size, "from %g up", key->least);
    else
        snprintf(out_text, size, "within 53 bits");
}

static void store(tern_ctx *ctx, const char *path, int line, const recipe_key *key,
                  const char *text, recipe *out_recipe) {
    void *place = (char *)out_recipe + key->offset;
    char range[64];
    tern_value number = tern_none();
    if (key->type == KEY_TEXT) {
        memcpy(place, &text, sizeof text);
        return;
    }
    bool read = tern_number_parse(text, strlen(text), &number);
    double value = read ? tern_value_as_double(number) : 0;
    if (read && value >= key->least && value <= key->most &&
        (key->type == KEY_NUMBER || number.kind == TERN_VALUE_INT)) {
        if (key->type == KEY_NUMBER)
            memcpy(place, &value, sizeof value);
        else
            memcpy(place, &number.as.i, sizeof number.as.i);
        return;
    }
    range_text(key, range, sizeof range);
    tern_fail(ctx, TERN_ERR_FORMAT, "%s:%d: %s needs a %snumber %s, not '%s'", path, line,
              key->name, key->type == KEY_WHOLE ? "whole " : "", range, text);
}

static void read_line(tern_ctx *ctx, const char *path, int line, char *text, bool *given,
                      recipe *out_recipe) {
    text[strcspn(text, "#")] = 0;
    char *equals = strchr(text, '=');
    if (!*trimmed(text)) return;
    if (!equals) {
        tern_fail(ctx, TERN_ERR_FORMAT, "%s:%d: a line is `key = value`", path, line);
        return;
    }
    *equals = 0;
    const char *name = trimmed(text);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(name, keys[i].name) != 0) continue;
        if (given[i])
            tern_fail(ctx, TERN_ERR_FORMAT, "%s:%d: %s is given twice", path, line, name);
        else
            store(ctx, path, line, &keys[i], trimmed(equals + 1), out_recipe);
        given[i] = true;
        return;
    }
    unknown_key(ctx, path, line, name);
}

/* A key whose value is one of two or three words. */
static void check_word(tern_ctx *ctx, const char *path, const char *name, const char *value,
                       const char *a, const char *b, const char *c) {
    if (strcmp(value, a) == 0 || strcmp(value, b) == 0 || (c && strcmp(value, c) == 0)) return;
    tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s is %s%s%s or %s, not '%s'", path, name, a,
              c ? ", " : "", c ? b : "", c ? c : b, value);
}

bool recipe_parse(tern_ctx *ctx, const char *path, char *text, recipe *out_recipe) {
    bool given[N_KEYS] = {false};
    *out_recipe = recipe_default();
    for (int line = 1; text && !tern_error(ctx)[0]; line++) {
        char *end = strchr(text, '\n');
        if (end) *end = 0;
        read_line(ctx, path, line, text, given, out_recipe);
        text = end ? end + 1 : NULL;
    }
    check_word(ctx, path, "missing", out_recipe->missing, "refuse", "mean", NULL);
    check_word(ctx, path, "text", out_recipe->text, "refuse", "classes", "one_hot");
    check_word(ctx, path, "keep", out_recipe->keep, "last", "best", NULL);
    return !tern_error(ctx)[0];
}

bool recipe_read(tern_ctx *ctx, const char *path, recipe *out_recipe) {
    size_t bytes;
    char *text = tern_file_read(ctx, path, &bytes);
    *out_recipe = recipe_default();
    if (!text) return false;
    if (strlen(text) == bytes) return recipe_parse(ctx, path, text, out_recipe);
    tern_fail(ctx, TERN_ERR_FORMAT, "%s: not a text file: byte %zu is zero", path, strlen(text));
    return false;
}

tern_ctx *recipe_context(tern_ctx *reader, const recipe *r, const char *asked) {
    return *r->device && !asked ? tern_open(r->device) : reader;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The value of a key; `room` for a number. */
static const char *value_text(const recipe *r, const recipe_key *key, char room[32]) {
    const char *place = (const char *)r + key->offset, *text;
    int64_t whole;
    double number;
    memcpy(&whole, place, sizeof whole);
    memcpy(&number, place, sizeof number);
    memcpy(&text, place, sizeof text);
    if (key->type == KEY_TEXT) return text;
    if (key->type == KEY_WHOLE)
        snprintf(room, 32, "%" PRId64, whole);
    else
        tern_format_double(number, room);
    return room;
}

bool recipe_write(tern_ctx *ctx, const recipe *r, const char *path) {
    char *text = tern_scope_alloc(ctx, TEXT_SIZE);
    size_t used = 0;
    for (size_t i = 0; text && i < N_KEYS && used < TEXT_SIZE; i++) {
        char room[32];
        used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s = %s\n", keys[i].name,
                                 value_text(r, &keys[i], room));
    }
    if (used >= TEXT_SIZE) tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the recipe is too long", path);
    return text && used < TEXT_SIZE && tern_file_write(ctx, path, text, used) == TERN_OK;
}
