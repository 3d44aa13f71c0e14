#define _POSIX_C_SOURCE 200809L
#include "recipe.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct recipe_key {
    const char *name;
    bool number;
    size_t offset;
    int64_t least;
} recipe_key;

#define AT(field) offsetof(recipe, field)

static const recipe_key keys[] = {
    {"model", false, AT(model), 0},
    {"optimizer", false, AT(optimizer), 0},
    {"scheduler", false, AT(scheduler), 0},
    {"loss", false, AT(loss), 0},
    {"data", false, AT(data), 0},
    {"device", false, AT(device), 0},
    {"out", false, AT(out), 0},
    {"epochs", true, AT(epochs), 1},
    {"batch_size", true, AT(batch_size), 1},
    {"seed", true, AT(seed), INT64_MIN},
    {"limit", true, AT(limit), 0},
    {"patience", true, AT(patience), 0},
};

enum { N_KEYS = sizeof keys / sizeof keys[0], TEXT_SIZE = 16384 };

recipe recipe_default(void) {
    return (recipe){.model = "mlp",
                    .optimizer = "SGD(lr=0.1)",
                    .scheduler = "",
                    .loss = "CrossEntropyLoss()",
                    .data = "fashion-mnist",
                    .device = "",
                    .out = "runs/fashion-mnist",
                    .epochs = 5,
                    .batch_size = 32,
                    .seed = 42};
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

/* ---- reading ----------------------------------------------------------------------------------- */

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

static void store(tern_ctx *ctx, const char *path, int line, const recipe_key *key,
                  const char *text, recipe *out_recipe) {
    void *place = (char *)out_recipe + key->offset;
    tern_value number;
    if (!key->number) {
        memcpy(place, &text, sizeof text);
    } else if (tern_number_parse(text, strlen(text), &number) && number.kind == TERN_VALUE_INT &&
               number.as.i >= key->least) {
        memcpy(place, &number.as.i, sizeof number.as.i);
    } else {
        tern_fail(ctx, TERN_ERR_FORMAT,
                  "%s:%d: %s needs a whole number from %" PRId64 " up, not '%s'", path, line,
                  key->name, key->least, text);
    }
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

bool recipe_read(tern_ctx *ctx, const char *path, recipe *out_recipe) {
    bool given[N_KEYS] = {false};
    size_t bytes;
    char *text = tern_file_read(ctx, path, &bytes);
    *out_recipe = recipe_default();
    for (int line = 1; text && !tern_error(ctx)[0]; line++) {
        char *end = strchr(text, '\n');
        if (end) *end = 0;
        read_line(ctx, path, line, text, given, out_recipe);
        text = end ? end + 1 : NULL;
    }
    return !tern_error(ctx)[0];
}

bool recipe_write(tern_ctx *ctx, const recipe *r, const char *path) {
    char *text = tern_scope_alloc(ctx, TEXT_SIZE);
    size_t used = 0;
    for (size_t i = 0; text && i < N_KEYS && used < TEXT_SIZE; i++) {
        const char *place = (const char *)r + keys[i].offset, *value;
        int64_t number;
        int length;
        memcpy(&number, place, sizeof number);
        memcpy(&value, place, sizeof value);
        if (keys[i].number)
            length =
                snprintf(text + used, TEXT_SIZE - used, "%s = %" PRId64 "\n", keys[i].name, number);
        else
            length = snprintf(text + used, TEXT_SIZE - used, "%s = %s\n", keys[i].name, value);
        used += (size_t)length;
    }
    if (used >= TEXT_SIZE) tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the recipe is too long", path);
    return text && used < TEXT_SIZE && tern_file_write(ctx, path, text, used) == TERN_OK;
}
