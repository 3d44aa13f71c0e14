#define _POSIX_C_SOURCE 200809L
#include "run_data.h"

#include "folders.h"
#include "table_data.h"
#include "table_inputs.h"
#include "task.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const fashion_classes[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};

/* What is being loaded, and how. */
typedef struct source {
    tern_ctx *ctx;
    const recipe *recipe;
    const char *path;
    bool needs_train, needs_targets;
    bool whole; /* of what comes in one part, all is the test */
    tern_value facts;
    int64_t classes; /* one more than the greatest class index so far */
} source;

static bool good(const source *s) {
    return tern_check(s->ctx) == TERN_OK;
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* FOLDER/NAME in out_path where that is there. */
static bool find(const source *s, const char *name, char out_path[PATH_SIZE]) {
    return path_join(s->ctx, s->path, name, out_path) && access(out_path, R_OK) == 0;
}

static long long rows_in(tern_tensor *t) {
    return tern_rank(t) ? (long long)tern_size(t, 0) : 1;
}

static void note_classes(source *s, tern_tensor *targets) {
    if (task_kind_of(s->recipe) != TASK_CLASSES || tern_dtype_of(targets) != TERN_INT64 ||
        tern_numel(targets) == 0)
        return;
    int64_t count = tern_item_i64(tern_max(targets)) + 1;
    if (count > s->classes) s->classes = count;
}

/* Inputs and targets of as many rows; without targets the inputs alone. */
static tern_dataset *pair(source *s, tern_tensor *inputs, tern_tensor *targets) {
    tern_tensor *both[] = {inputs, targets};
    if (!good(s)) return NULL;
    if (targets && (tern_rank(inputs) < 1 || tern_rank(targets) < 1 ||
                    tern_size(inputs, 0) != tern_size(targets, 0))) {
        tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: %lld inputs but %lld targets", s->path,
                  rows_in(inputs), rows_in(targets));
        return NULL;
    }
    if (targets) note_classes(s, targets);
    return tern_tensor_dataset_new(s->ctx, both, targets ? 2 : 1);
}

/* ---- IDX and .npy ---------------------------------------------------------------------------- */

static bool find_idx(const source *s, bool train, const char *what, char out_path[PATH_SIZE]) {
    char name[64];
    int rank = strcmp(what, "images") == 0 ? 3 : 1;
    snprintf(name, sizeof name, "%s-%s-idx%d-ubyte", train ? "train" : "t10k", what, rank);
    if (find(s, name, out_path)) return true;
    snprintf(name, sizeof name, "%s-%s-idx%d-ubyte.gz", train ? "train" : "t10k", what, rank);
    return find(s, name, out_path);
}

static tern_dataset *load_idx(source *s, bool train) {
    char images[PATH_SIZE], labels[PATH_SIZE];
    if (!find_idx(s, train, "images", images) || !find_idx(s, train, "labels", labels)) {
        tern_fail(s->ctx, TERN_ERR_NOT_FOUND, "%s: the %s images or labels are missing", s->path,
                  train ? "training" : "test");
        return NULL;
    }
    tern_tensor *classes = tern_idx_load(s->ctx, labels);
    return pair(s, tern_idx_load(s->ctx, images), tern_to_dtype(classes, TERN_INT64));
}

static tern_dataset *load_npy(source *s, bool train) {
    char inputs[PATH_SIZE], targets[PATH_SIZE];
    if (!path_join(s->ctx, s->path, train ? "train_inputs.npy" : "test_inputs.npy", inputs) ||
        !path_join(s->ctx, s->path, train ? "train_targets.npy" : "test_targets.npy", targets))
        return NULL;
    return pair(s, tern_npy_load(s->ctx, inputs), tern_npy_load(s->ctx, targets));
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The same parts for the same seed, whatever else is drawn. */
static bool split(const source *s, tern_dataset *whole, tern_dataset *out_parts[2]) {
    double test = s->recipe->test_share, shares[] = {1 - test, test};
    tern_generator *generator = tern_generator_new(s->ctx);
    if (!generator || !whole) return false;
    tern_generator_seed(generator, s->recipe->seed);
    if (tern_random_split(whole, shares, 2, generator, out_parts) != TERN_OK) return false;
    if (tern_dataset_length(out_parts[0]) > 0 && tern_dataset_length(out_parts[1]) > 0) return true;
    tern_fail(s->ctx, TERN_ERR_FORMAT,
              "%s: %lld samples are too few to set a share of %g aside for the test", s->path,
              (long long)tern_dataset_length(whole), test);
    return false;
}

/* The classes' names, which must be those that the run knows. */
static void tell_classes(source *s, tern_value classes) {
    tern_value known = tern_dict_get(s->facts, "classes");
    bool same = tern_value_count(known) == tern_value_count(classes);
    for (size_t i = 0; same && i < tern_value_count(known); i++)
        same = strcmp(tern_value_at(known, i).as.s, tern_value_at(classes, i).as.s) == 0;
    if (known.kind != TERN_VALUE_LIST)
        tern_dict_set(s->facts, "classes", classes);
    else if (!same)
        tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: its folders are not the classes of the run",
                  s->path);
}

/* A folder of classes, all of it or in parts. */
static void load_classes(source *s, run_data *out, tern_value *out_classes) {
    tern_dataset *parts[2] = {NULL, NULL};
    tern_dataset *whole = tern_npy_folder_new(s->ctx, s->path, out_classes);
    if (s->whole) {
        out->test = whole;
    } else if (split(s, whole, parts)) {
        out->train = parts[0];
        out->test = parts[1];
    }
}

static bool has_folder(const char *path) {
    DIR *folder = opendir(path);
    bool has = false;
    for (struct dirent *entry; folder && !has && (entry = readdir(folder));) {
        struct stat status;
        has = entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 &&
              S_ISDIR(status.st_mode);
    }
    if (folder) closedir(folder);
    return has;
}

static bool load_class_folders(source *s, run_data *out) {
    char path[PATH_SIZE];
    if (!has_folder(s->path)) {
        tern_fail(s->ctx, TERN_ERR_NOT_FOUND,
                  "%s: holds neither train-images-idx3-ubyte nor train_inputs.npy, train.csv or "
                  "folders of .npy files",
                  s->path);
        return false;
    }
    tern_value classes = tern_none(), trained = tern_none();
    if (!find(s, "train", path)) {
        load_classes(s, out, &classes);
    } else {
        if (s->needs_train) out->train = tern_npy_folder_new(s->ctx, path, &trained);
        if (good(s) && s->needs_train) tell_classes(s, trained);
        if (good(s) && path_join(s->ctx, s->path, "test", path))
            out->test = tern_npy_folder_new(s->ctx, path, &classes);
    }
    if (good(s) && tern_dataset_field_count(out->test) != 2)
        tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: the .npy files must be in one folder per class",
                  s->path);
    if (good(s)) tell_classes(s, classes);
    return good(s);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static tern_dataset *table_dataset(source *s, const table_data *table) {
    table_data rows = *table;
    if (good(s) && s->recipe->standardize) rows = table_standardized(table, s->facts);
    return good(s) ? pair(s, rows.inputs, rows.targets) : NULL;
}

/* The rows of a part. */
static table_data rows_of(const source *s, const table_data *table, const tern_dataset *part) {
    int64_t count = tern_dataset_length(part);
    tern_tensor *rows =
        tern_from_data(s->ctx, tern_subset_indices(part), TERN_SHAPE(count), TERN_INT64);
    return (table_data){tern_index_select(table->inputs, 0, rows),
                        tern_index_select(table->targets, 0, rows)};
}

/* Measured on the training rows when a run begins, which keeps the numbers. */
static void measure(const source *s, const table_data *train) {
    if (s->recipe->standardize && s->needs_train) table_measure(s->recipe, train, s->facts);
}

static bool load_one_table(source *s, run_data *out) {
    table_data table;
    tern_dataset *parts[2];
    if (!table_read(s->ctx, s->recipe, s->path, s->needs_targets, s->facts, &table)) return false;
    if (s->whole) {
        out->test = table_dataset(s, &table);
        return good(s);
    }
    if (!split(s, pair(s, table.inputs, table.targets), parts)) return false;
    table_data train = rows_of(s, &table, parts[0]), test = rows_of(s, &table, parts[1]);
    measure(s, &train);
    out->train = table_dataset(s, &train);
    out->test = table_dataset(s, &test);
    return good(s);
}

static bool load_two_tables(source *s, run_data *out) {
    char path[PATH_SIZE];
    table_data table;
    if (s->needs_train) {
        if (!path_join(s->ctx, s->path, "train.csv", path) ||
            !table_read(s->ctx, s->recipe, path, true, s->facts, &table))
            return false;
        measure(s, &table);
        out->train = table_dataset(s, &table);
    }
    if (!path_join(s->ctx, s->path, "test.csv", path) ||
        !table_read(s->ctx, s->recipe, path, s->needs_targets, s->facts, &table))
        return false;
    out->test = table_dataset(s, &table);
    return good(s);
}

/* ---- what a path is -------------------------------------------------------------------------- */

static bool load_folder(source *s, run_data *out) {
    char path[PATH_SIZE];
    if (find_idx(s, true, "images", path) || find_idx(s, false, "images", path)) {
        if (s->needs_train) out->train = load_idx(s, true);
        out->test = load_idx(s, false);
    } else if (find(s, "train_inputs.npy", path) || find(s, "test_inputs.npy", path)) {
        if (s->needs_train) out->train = load_npy(s, true);
        out->test = load_npy(s, false);
    } else if (find(s, "train.csv", path) || find(s, "test.csv", path)) {
        return load_two_tables(s, out);
    } else {
        return load_class_folders(s, out);
    }
    return good(s);
}

/* Inputs without targets, of .npy or IDX. */
static bool load_inputs(source *s, run_data *out) {
    tern_value value = tern_value_load(s->ctx, s->path);
    if (!good(s)) return false;
    if (value.kind == TERN_VALUE_TENSOR && !s->needs_targets)
        out->test = pair(s, value.as.tensor, NULL);
    else
        tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: data must be a table (.csv) or a folder here",
                  s->path);
    return good(s);
}

static bool load(source *s, run_data *out) {
    bool fashion = strcmp(s->path, "fashion-mnist") == 0;
    if (fashion) s->path = FASHION_MNIST_FOLDER;
    if (fashion && !is_folder(s->path)) {
        tern_fail(s->ctx, TERN_ERR_NOT_FOUND,
                  "%s: the images are missing; install Debian's package dataset-fashion-mnist",
                  s->path);
        return false;
    }
    if (fashion) {
        tern_value classes = tern_list_new(s->ctx);
        for (size_t i = 0; i < sizeof fashion_classes / sizeof *fashion_classes; i++)
            tern_list_append(classes, tern_text(fashion_classes[i]));
        tern_dict_set(s->facts, "classes", classes);
    }
    if (is_folder(s->path)) return load_folder(s, out);
    return is_table(s->path) ? load_one_table(s, out) : load_inputs(s, out);
}

/* ---- transforms ------------------------------------------------------------------------------ */

/* Pictures of bytes become floats where the recipe says nothing; the test is transformed as the
 * training is, where that is not random. */
static bool resolve_transforms(tern_ctx *ctx, recipe *r, const run_data *data) {
    tern_sample_field field;
    bool has = tern_dataset_field(data->train, 0, &field);
    if (has && !*r->transforms && field.dtype == TERN_UINT8) r->transforms = "ToTensor()";
    if (*r->test_transforms) return true;
    if (strstr(r->transforms, "Random")) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "transforms is random: add test_transforms to the recipe, for the test data");
        return false;
    }
    r->test_transforms = r->transforms;
    return true;
}

static tern_dataset *transformed(tern_dataset *data, const char *transforms) {
    return data && *transforms ? tern_transformed_new(data, 0, transforms) : data;
}

/* ---- the two ways in ------------------------------------------------------------------------- */

bool run_data_load(tern_ctx *ctx, recipe *r, run_data *out_data) {
    source s = {
        .ctx = ctx, .recipe = r, .path = r->data, .needs_train = true, .needs_targets = true};
    *out_data = (run_data){.facts = s.facts = tern_dict_new(ctx, false)};
    if (!load(&s, out_data) || !resolve_transforms(ctx, r, out_data)) return false;
    size_t named = tern_value_count(tern_dict_get(s.facts, "classes"));
    out_data->classes = s.classes > (int64_t)named ? s.classes : (int64_t)named;
    out_data->train = transformed(out_data->train, r->transforms);
    out_data->test = transformed(out_data->test, r->test_transforms);
    return tern_check(ctx) == TERN_OK;
}

tern_dataset *run_data_test(tern_ctx *ctx, const recipe *r, tern_value facts, const char *path,
                            bool needs_targets) {
    source s = {.ctx = ctx,
                .recipe = r,
                .path = path ? path : r->data,
                .whole = path != NULL,
                .needs_targets = needs_targets,
                .facts = facts};
    run_data data = {.facts = facts};
    if (!load(&s, &data)) return NULL;
    return transformed(data.test, r->test_transforms);
}

const char *run_data_class(tern_value facts, int64_t index) {
    tern_value names = tern_dict_get(facts, "classes");
    if (names.kind != TERN_VALUE_LIST || index < 0 || (size_t)index >= tern_value_count(names))
        return NULL;
    return tern_value_at(names, (size_t)index).as.s;
}

/* An absent list is fine. */
static bool is_list_of(tern_value list, bool texts) {
    bool all = list.kind == TERN_VALUE_NONE || list.kind == TERN_VALUE_LIST;
    for (size_t i = 0; all && list.kind == TERN_VALUE_LIST && i < tern_value_count(list); i++) {
        tern_value item = tern_value_at(list, i);
        all = texts ? item.kind == TERN_VALUE_STRING : tern_value_is_number(item);
    }
    return all;
}

/* Both, or neither. */
static bool is_scale(tern_value mean, tern_value deviation) {
    if (mean.kind == TERN_VALUE_NONE && deviation.kind == TERN_VALUE_NONE) return true;
    return tern_value_is_number(mean) && tern_value_is_number(deviation) &&
           tern_value_as_double(deviation) > 0;
}

bool run_data_facts_valid(tern_value facts) {
    tern_value target = tern_dict_get(facts, "target");
    bool table = tern_dict_has(facts, "inputs");
    return facts.kind == TERN_VALUE_DICT && is_list_of(tern_dict_get(facts, "classes"), true) &&
           is_list_of(tern_dict_get(facts, "inputs"), true) &&
           is_list_of(tern_dict_get(facts, "mean"), false) &&
           is_list_of(tern_dict_get(facts, "deviation"), false) &&
           is_scale(tern_dict_get(facts, "target_mean"),
                    tern_dict_get(facts, "target_deviation")) &&
           table_inputs_facts_valid(facts) && (!table || target.kind == TERN_VALUE_STRING);
}
