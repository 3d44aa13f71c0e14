/* saved_run.h: a run's folder as `tern train` leaves it, for what looks at it afterwards. */
#ifndef TERN_TOOLS_SAVED_RUN_H
#define TERN_TOOLS_SAVED_RUN_H

#include "task.h"

#include "tern/data.h"
#include "tern/nn.h"

typedef struct saved_run {
    tern_ctx *ctx, *reader; /* the recipe's text lives in `reader`, often the same */
    const char *folder;
    recipe recipe;
    tern_value facts; /* run_data.h */
    task task;
    tern_module *model, *loss;
} saved_run;

/* Opens FOLDER: recipe.txt, data.json, model.pth, on the device that is asked for, else the recipe's.
 * Always to be closed. False where that fails; saved_run_error says why. */
bool saved_run_open(saved_run *run, const char *folder, const char *device);
const char *saved_run_error(const saved_run *run);
void saved_run_close(saved_run *run);

/* What each epoch came to: a list of dicts, from metrics.jsonl. */
tern_value saved_run_history(saved_run *run);

/* Keeps facts as FOLDER/data.json. */
bool saved_run_write_facts(tern_ctx *ctx, const char *folder, tern_value facts);

#endif
