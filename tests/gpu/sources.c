/*
 * tern_gpu_sources FOLDER: writes every kernel of backends/gpu as a file that a compiler of CUDA takes, once for
 * each class of numbers that it serves, and all members of the pointwise families as programs. Prints how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/call.h"

#define OWN (-2) /* the dtype of the class */

enum { F32 = 1, F64 = 2, I64 = 4, FLOATING = F32 | F64, ANY = FLOATING | I64 };

typedef struct row {
    const char *name;
    int classes, directions;
    gpu_variant variant;
} row;

/* Options say what makes a kernel large: weights, biases, masks. */
static const row rows[] = {
    {"move", I64, 1, {GPU_SOURCE_COPY, 0, {{"RAW", 4}, {"IN", 0}, {"OUT", 0}}}},
    {"convert", ANY, 1, {GPU_SOURCE_COPY, 0, {{"RAW", 0}, {"IN", OWN}, {"OUT", OWN}}}},
    {"convert_any", ANY, 1, {GPU_SOURCE_COPY, 0, {{"RAW", 0}, {"IN", -1}, {"OUT", -1}}}},
    {"sum", ANY, 1, {GPU_SOURCE_REDUCE, 0, {{"FN", TERN_REDUCE_SUM}, {"IN", OWN}, {"OUT", OWN}}}},
    {"argmax",
     ANY,
     1,
     {GPU_SOURCE_REDUCE, 0, {{"FN", TERN_REDUCE_ARGMAX}, {"IN", OWN}, {"OUT", TERN_BT_INT64}}}},
    {"norm_p",
     FLOATING,
     1,
     {GPU_SOURCE_REDUCE, 0, {{"FN", TERN_REDUCE_NORM}, {"IN", OWN}, {"OUT", OWN}}}},
    {"product",
     ANY,
     1,
     {GPU_SOURCE_PRODUCT, 0, {{"A", OWN}, {"B", OWN}, {"C", OWN}, {"OUT", OWN}, {"WITH_C", 1}}}},
    {"conv",
     ANY,
     3,
     {GPU_SOURCE_CONV,
      0,
      {{"DIRECTION", 0},
       {"X", OWN},
       {"W", OWN},
       {"OUT", OWN},
       {"WITH_BIAS", 1},
       {"DTYPE", OWN},
       {"WIDE", 0}}}},
    {"pool", FLOATING, 4, {GPU_SOURCE_POOL, 0, {{"DIRECTION", 0}, {"DTYPE", OWN}}}},
    {"resize",
     FLOATING,
     2,
     {GPU_SOURCE_RESIZE,
      0,
      {{"DIRECTION", 0},
       {"IN", OWN},
       {"OUT", OWN},
       {"MODE", TERN_RESIZE_NEAREST},
       {"ALIGNED", 0}}}},
    {"scan",
     ANY,
     1,
     {GPU_SOURCE_SCAN,
      0,
      {{"FN", TERN_SCAN_CUMSUM}, {"IN", OWN}, {"OUT", OWN}, {"WITH_PLACES", 0}}}},
    {"sort", ANY, 1, {GPU_SOURCE_SORT, 0, {{"DTYPE", OWN}, {"DESCENDING", 1}}}},
    {"index",
     ANY,
     1,
     {GPU_SOURCE_INDEX,
      0,
      {{"RAW", 4}, {"REDUCE", TERN_SCATTER_ADD}, {"DTYPE", OWN}, {"SCALED", 1}, {"KIND", 1}}}},
    {"pick", ANY, 1, {GPU_SOURCE_PICK, 0, {{"RAW", 4}, {"ADDS", 1}, {"DTYPE", OWN}}}},
    {"nonzero", ANY, 1, {GPU_SOURCE_NONZERO, 0, {{"IN", OWN}}}},
    {"softmax",
     FLOATING,
     2,
     {GPU_SOURCE_SOFTMAX, 0, {{"DIRECTION", 0}, {"LOGARITHM", 0}, {"IN", OWN}, {"OUT", OWN}}}},
    {"embedding", FLOATING, 1, {GPU_SOURCE_EMBEDDING, 0, {{"DTYPE", OWN}, {"DIVIDES", 1}}}},
    {"cross_entropy",
     FLOATING,
     1,
     {GPU_SOURCE_CROSS_ENTROPY,
      0,
      {{"DTYPE", OWN}, {"STATISTICS", OWN}, {"BY_INDEX", 1}, {"WEIGHTED", 1}, {"REDUCTION", 1}}}},
    {"norm",
     FLOATING,
     3,
     {GPU_SOURCE_NORM,
      0,
      {{"DIRECTION", 0},
       {"DTYPE", OWN},
       {"STATISTICS", OWN},
       {"RMS", 0},
       {"WEIGHTED", 1},
       {"BIASED", 1}}}},
    {"attention",
     FLOATING,
     2,
     {GPU_SOURCE_ATTENTION,
      0,
      {{"DIRECTION", 0},
       {"DTYPE", OWN},
       {"STATISTICS", OWN},
       {"MASK", TERN_BT_BOOL},
       {"CAUSAL", 1}}}},
    {"lstm",
     FLOATING,
     2,
     {GPU_SOURCE_RECURRENT, 0, {{"DIRECTION", 0}, {"DTYPE", OWN}, {"FN", TERN_RECURRENT_LSTM}}}},
    {"gru",
     FLOATING,
     2,
     {GPU_SOURCE_RECURRENT, 0, {{"DIRECTION", 0}, {"DTYPE", OWN}, {"FN", TERN_RECURRENT_GRU}}}},
};

/* ---- a driver that writes what it is to build ------------------------------------------------ */

static const char *folder, *name;
static int count;

static int32_t build(gpu_device *device, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    char path[512];
    (void)device, (void)entries;
    snprintf(path, sizeof path, "%s/%03d-%s.cu", folder, count++, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(source, file) < 0 || fclose(file))
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "%s is not written", path);
    *out_program = (gpu_program *)(void *)&count; /* which nobody starts */
    return TERN_BACKEND_OK;
}

static void program_free(gpu_device *device, gpu_program *program) {
    (void)device, (void)program;
}

static int32_t start(gpu_device *device, tern_bqueue *queue, gpu_program *program, int32_t entry,
                     const gpu_argument *arguments, int32_t number, const gpu_extent *extent,
                     tern_backend_error *err) {
    (void)device, (void)queue, (void)program, (void)entry, (void)arguments, (void)number;
    (void)extent, (void)err;
    return TERN_BACKEND_OK;
}

static tern_bbuffer *flag(gpu_device *device, tern_bqueue *queue) {
    (void)device, (void)queue;
    return NULL;
}

static const gpu_driver driver = {
    .build = build, .program_free = program_free, .start = start, .flag = flag};
static const tern_host host = {
    .struct_size = sizeof host, .abi = TERN_BACKEND_ABI, .alloc = malloc, .free = free};
static const tern_bdevice_vtable vtable = {.struct_size = sizeof vtable};

static void check(int32_t status, const tern_backend_error *err) {
    if (status == TERN_BACKEND_OK) return;
    fprintf(stderr, "%s: %s\n", name, err->message);
    exit(1);
}

/* ---- what is written ------------------------------------------------------------------------- */

static const int32_t dtype_of[] = {
    [GPU_F32] = TERN_BT_FLOAT32, [GPU_F64] = TERN_BT_FLOAT64, [GPU_I64] = TERN_BT_INT64};

static void write_row(gpu_call *call, const row *r, int32_t number_class) {
    for (int direction = 0; direction < r->directions; direction++) {
        gpu_variant variant = r->variant;
        gpu_program *program;
        variant.number_class = number_class;
        for (int k = 0; k < GPU_OPTIONS && variant.options[k].name; k++) {
            if (variant.options[k].value == OWN) variant.options[k].value = dtype_of[number_class];
            if (strcmp(variant.options[k].name, "DIRECTION") == 0)
                variant.options[k].value = direction;
        }
        name = r->name;
        bool has_tiles = variant.source == GPU_SOURCE_PRODUCT || variant.source == GPU_SOURCE_CONV;
        gpu_tile tile = gpu_tile_of(call->device, number_class, 4096, 4096, 1);
        check(gpu_find_tiled(call, &variant, has_tiles ? &tile : NULL, NULL, &program), call->err);
    }
}

/* One step of a member, which is a program of its own. */
static void write_member(gpu_call *call, int32_t kernel, int32_t fn, int32_t dtype) {
    static const char *const names[] = {"unary", "binary", "ternary"};
    int64_t shape = 1, stride = 1;
    tern_operand operands[4];
    union {
        tern_unary_attrs unary;
        tern_binary_attrs binary;
        tern_ternary_attrs ternary;
    } attrs;
    static char memory[8]; /* never read: the driver starts nothing */
    int32_t arity = 1 + kernel - TERN_KERNEL_UNARY;
    memset(operands, 0, sizeof operands);
    memset(&attrs, 0, sizeof attrs);
    for (int k = 0; k < 4; k++) {
        operands[k].buffer = (tern_bbuffer *)(void *)memory;
        operands[k].dtype = dtype;
        operands[k].rank = 1;
        operands[k].shape = &shape;
        operands[k].strides = &stride;
    }
    attrs.unary.fn = fn;
    if (arity == 2) attrs.binary.alpha = 2, attrs.binary.alpha_i = 2;
    if (arity == 3) attrs.ternary.value = 2, attrs.ternary.value_i = 2;
    name = names[arity - 1];
    check(gpu_launch(&call->device->base, NULL, kernel, operands, arity, &operands[3], 1, &attrs,
                     sizeof attrs, call->err),
          call->err);
}

/* A product and a convolution whose results go through a program: a sigmoid. */
static void write_epilogues(gpu_call *call, int32_t number_class) {
    gpu_epilogue epilogue;
    memset(&epilogue, 0, sizeof epilogue);
    epilogue.number_class = number_class;
    epilogue.n_inputs = epilogue.n_steps = epilogue.output = 1;
    for (int q = 0; q < GPU_EXTRAS; q++) epilogue.dtypes[q] = -1;
    epilogue.steps[0] = (tern_map_step){TERN_KERNEL_UNARY, TERN_UNARY_SIGMOID, {0, -1, -1, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gpu_variant variant = rows[i].variant;
        gpu_program *program;
        if (variant.source != GPU_SOURCE_PRODUCT && variant.source != GPU_SOURCE_CONV) continue;
        variant.number_class = number_class;
        for (int k = 0; k < GPU_OPTIONS && variant.options[k].name; k++)
            if (variant.options[k].value == OWN) variant.options[k].value = dtype_of[number_class];
        gpu_tile tile = gpu_tile_of(call->device, number_class, 64, 64, 1);
        name = "epilogue";
        check(gpu_find_tiled(call, &variant, &tile, &epilogue, &program), call->err);
    }
}

int main(int argc, char **argv) {
    gpu_device device = {0};
    tern_backend_error err = {0};
    gpu_call call = {.device = &device, .err = &err};
    if (argc != 2 || !gpu_device_init(&device, &vtable, &host, &driver)) return 2;
    folder = argv[1];
    device.has_f64 = true;
    device.compiles_first = INT32_MAX;
    for (int32_t number_class = GPU_F32; number_class <= GPU_I64; number_class++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (rows[i].classes >> number_class & 1) write_row(&call, &rows[i], number_class);
        if (number_class != GPU_I64) write_epilogues(&call, number_class);
        /* a program's source has every function, so one of each family shows whether all compile */
        write_member(&call, TERN_KERNEL_UNARY, TERN_UNARY_NEG, dtype_of[number_class]);
        write_member(&call, TERN_KERNEL_BINARY, TERN_BINARY_ADD, dtype_of[number_class]);
        write_member(&call, TERN_KERNEL_TERNARY, TERN_TERNARY_ADDCMUL, dtype_of[number_class]);
        /* what is odd and not built goes to the interpreter */
        device.compiles_first = 0;
        write_member(&call, TERN_KERNEL_UNARY, TERN_UNARY_ABS,
                     number_class == GPU_F32 ? TERN_BT_FLOAT16 : dtype_of[number_class]);
        device.compiles_first = INT32_MAX;
    }
    gpu_device_fini(&device);
    printf("%d\n", count);
    return 0;
}
