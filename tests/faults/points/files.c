/* files.c: files of each format are loaded, mapped, inspected and saved; a table and JSON are read. */
#include "points.h"

#include <string.h>

static void load(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    point_begin();
    add_value(digest, tern_value_load(ctx, path));
}

static void map(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    point_begin();
    add_value(digest, tern_value_map(ctx, path));
}

static void inspect(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    point_begin();
    const char *text = tern_json_text(ctx, tern_file_inspect(ctx, path), 0);
    if (text) add(digest, text, strlen(text));
}

static void save(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    add(digest, "", 1);
    tern_manual_seed(ctx, 1);
    point_begin();
    tern_module_save(tern_nn(ctx, "Sequential(Linear(3, 4), ReLU(), BatchNorm1d(4), Linear(4, 2))"),
                     path);
}

/* Loaded, and saved in another format. */
static void convert(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    static const tern_shape shape = {2, {3, 4}};
    tern_value tensors = tern_dict_new(ctx, false);
    for (int k = 0; k < 12; k++) {
        char name[16] = {'t', (char)('a' + k)};
        tern_dict_set(
            tensors, name,
            tern_tensor_value(tern_full(ctx, shape, k,
                                        k == TERN_BFLOAT16 ? TERN_FLOAT64 : (tern_dtype)(k % 10))));
    }
    (void)s;
    point_begin();
    tern_value_save(ctx, tensors, path);
    add_value(digest, tern_value_load(ctx, path));
}

static void load_model(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    tern_module_save(tern_nn(ctx, "Linear(1, 1)"), path);
    point_begin();
    tern_module *m = tern_nn(ctx, "Linear(1, 1)");
    tern_module_load(m, path);
    add_value(digest, tern_module_state_dict(m));
}

static void table(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    static const char text[] = "area,town\n1,Ulm\n2.5,Bonn\n-0,Ulm\n";
    tern_value names;
    (void)s;
    tern_file_write(ctx, path, text, sizeof text - 1);
    point_begin();
    tern_csv *csv = tern_csv_open(ctx, path, NULL);
    add_tensor(digest, tern_csv_numbers(csv, (const char *const[]){"area"}, 1));
    add_tensor(digest, tern_csv_classes(csv, "town", &names));
    add_value(digest, names);
    add_value(digest, tern_file_inspect(ctx, path));
}

static void json(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    (void)s;
    point_begin();
    tern_value value = tern_json_load(ctx, path);
    add_value(digest, value);
    const char *text = tern_json_text(ctx, value, 2);
    if (text) add(digest, text, strlen(text));
}

static const scenario files[] = {
    {.name = "load .pth", .text = "pth/m1.pth", .run = load, .file = READS},
    {.name = "load an old .pth", .text = "pth/m1_legacy.pth", .run = load, .file = READS},
    {.name = "load a packed .pth", .text = "pth/m1_deflated.pth", .run = load, .file = READS},
    {.name = "load a checkpoint", .text = "pth/ckpt_adam.pth", .run = load, .file = READS},
    {.name = "load TorchScript", .text = "pth/script.pt", .run = load, .file = READS},
    {.name = "load shared storages", .text = "pth/tied.pth", .run = load, .file = READS},
    {.name = "load of Python 2", .text = "pth/python2.pth", .run = load, .file = READS},
    {.name = "load rare dtypes", .text = "pth/dtypes_rare.pth", .run = load, .file = READS},
    {.name = "load many kinds", .text = "pth/misc.pth", .run = load, .file = READS},
    {.name = "map .pth", .text = "pth/m1.pth", .run = map, .file = READS},
    {.name = "map safetensors", .text = "wide.safetensors", .run = map, .file = READS},
    {.name = "load safetensors", .text = "wide.safetensors", .run = load, .file = READS},
    {.name = "load GGUF", .text = "gguf/sample.gguf", .run = load, .file = READS},
    {.name = "load .npy", .text = "npy/big.npy", .run = load, .file = READS},
    {.name = "load .npz", .text = "npy/packed.npz", .run = load, .file = READS},
    {.name = "inspect .pth", .text = "pth/misc.pth", .run = inspect, .file = READS},
    {.name = "inspect an old .pth", .text = "pth/m1_legacy.pth", .run = inspect, .file = READS},
    {.name = "inspect safetensors", .text = "wide.safetensors", .run = inspect, .file = READS},
    {.name = "inspect GGUF", .text = "gguf/sample.gguf", .run = inspect, .file = READS},
    {.name = "inspect .npy", .text = "npy/fortran.npy", .run = inspect, .file = READS},
    {.name = "inspect .npz", .text = "npy/packed.npz", .run = inspect, .file = READS},
    {.name = "load into a model", .text = "linear.pth", .run = load_model, .file = WRITES},
    {.name = "save .pth", .text = "saved.pth", .run = save, .file = SAVES},
    {.name = "save safetensors", .text = "saved.safetensors", .run = save, .file = SAVES},
    {.name = "save .npz", .text = "saved.npz", .run = save, .file = SAVES},
    {.name = "save tensors as .pth", .text = "tensors.pth", .run = convert, .file = SAVES},
    {.name = "save tensors as .npz", .text = "tensors.npz", .run = convert, .file = SAVES},
    {.name = "save tensors as safetensors",
     .text = "tensors.safetensors",
     .run = convert,
     .file = SAVES},
    {.name = "read a table", .text = "table.csv", .run = table, .file = WRITES},
    {.name = "read JSON", .text = "pth/contents.json", .run = json, .file = READS},
};

bool file_scenario(size_t index, scenario *out) {
    if (index >= sizeof files / sizeof files[0]) return false;
    *out = files[index];
    return true;
}
