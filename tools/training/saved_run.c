#include "saved_run.h"

#include "folders.h"
#include "run_data.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <stdio.h>
#include <string.h>

static bool load(saved_run *run) {
    char path[PATH_SIZE];
    tern_ctx *ctx = run->ctx;
    if (!path_join(ctx, run->folder, "data.json", path)) return false;
    run->facts = tern_json_load(ctx, path);
    if (tern_check(ctx) != TERN_OK) return false;
    if (!run_data_facts_valid(run->facts)) {
        tern_fail(ctx, TERN_ERR_FORMAT, "%s: is not what tern train writes; train again", path);
        return false;
    }
    run->task = task_of(&run->recipe, run->facts);
    run->model = tern_nn(ctx, recipe_model(&run->recipe));
    run->loss = tern_nn(ctx, run->recipe.loss);
    if (tern_check(ctx) != TERN_OK || !path_join(ctx, run->folder, "model.pth", path)) return false;
    return tern_module_load(run->model, path) == TERN_OK;
}

bool saved_run_open(saved_run *run, const char *folder, const char *device) {
    char path[PATH_SIZE];
    *run = (saved_run){.folder = folder};
    run->reader = run->ctx = tern_open(device);
    if (tern_check(run->reader) != TERN_OK || !path_join(run->reader, folder, "recipe.txt", path) ||
        !recipe_read(run->reader, path, &run->recipe))
        return false;
    run->ctx = recipe_context(run->reader, &run->recipe, device);
    return tern_check(run->ctx) == TERN_OK && load(run);
}

const char *saved_run_error(const saved_run *run) {
    return tern_error(tern_check(run->ctx) != TERN_OK ? run->ctx : run->reader);
}

void saved_run_close(saved_run *run) {
    if (run->ctx != run->reader) tern_close(run->ctx);
    tern_close(run->reader);
}

tern_value saved_run_history(saved_run *run) {
    char path[PATH_SIZE];
    size_t bytes;
    tern_value history = tern_list_new(run->ctx);
    if (!path_join(run->ctx, run->folder, "metrics.jsonl", path)) return history;
    const char *text = tern_file_read(run->ctx, path, &bytes);
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        tern_list_append(history, tern_json_parse(run->ctx, text, length));
        text += length + (text[length] == '\n');
    }
    return history;
}

bool saved_run_write_facts(tern_ctx *ctx, const char *folder, tern_value facts) {
    char path[PATH_SIZE];
    const char *text = tern_json_text(ctx, facts, 2);
    size_t length = text ? strlen(text) : 0;
    char *lines = text ? tern_scope_alloc(ctx, length + 1) : NULL;
    if (!lines) return false;
    memcpy(lines, text, length);
    lines[length] = '\n';
    return path_join(ctx, folder, "data.json", path) &&
           tern_file_write(ctx, path, lines, length + 1) == TERN_OK;
}
