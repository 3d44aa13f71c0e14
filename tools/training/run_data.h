/*
 * run_data.h: the data that a recipe names, as datasets of (inputs, targets).
 *
 *   fashion-mnist          the folder of Debian's package dataset-fashion-mnist
 *   a folder               IDX by MNIST's names (train-images-idx3-ubyte[.gz], t10k-labels-..., ...);
 *                          or train_inputs.npy, train_targets.npy, test_inputs.npy, test_targets.npy;
 *                          or train.csv and test.csv; or train/ and test/ whose folders are classes of
 *                          .npy files; or such folders alone, of which test_share is for the test
 *   FILE.csv[.gz], .tsv    a table, of which test_share is for the test
 *
 * Targets of a classifier are int64 [N], others as they are in .npy, or float32 [N, 1] of a table.
 */
#ifndef TERN_TOOLS_RUN_DATA_H
#define TERN_TOOLS_RUN_DATA_H

#include "recipe.h"

#include "tern/data.h"
#include "tern/value.h"

/* Where Debian's package puts it. */
#define FASHION_MNIST_FOLDER "/usr/share/datasets/fashion-mnist"

/*
 * `facts` is what data seen later must be treated by, kept in the run's folder as data.json: a dict of
 * "classes" (a list of names), and of a table's "inputs", "target", "mean" and "deviation" (of the
 * inputs), "target_mean" and "target_deviation" (of a regression); each where there is such a thing.
 */
typedef struct run_data {
    tern_dataset *train, *test;
    tern_value facts;
    int64_t classes; /* of a classifier: one more than the greatest class index */
} run_data;

/* Loads both parts, and fills in the recipe's transforms where it leaves them open. False after
 * latching an error. */
bool run_data_load(tern_ctx *ctx, recipe *r, run_data *out_data);

/*
 * The test part alone, by the facts of a run. `path` (NULL: the recipe's) may be other data of the same
 * kind: of a table or folders of classes then all, and a file of inputs alone (.npy, IDX) where no targets are needed.
 * NULL after latching an error.
 */
tern_dataset *run_data_test(tern_ctx *ctx, const recipe *r, tern_value facts, const char *path,
                            bool needs_targets);

/* Whether facts from a file are such. */
bool run_data_facts_valid(tern_value facts);

/* The name of a class, or NULL where it has none. */
const char *run_data_class(tern_value facts, int64_t index);

#endif
