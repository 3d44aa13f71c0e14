/*
 * ahead PROGRAMS FOLDER: writes the source of each program that PROGRAMS names, as FOLDER/HASH.cu. HASH is what the
 * plugin finds its compiled form by (ready.h). Prints the hashes, in order.
 *
 * A line of PROGRAMS is how a source begins (backends/gpu): `variant NAME OPTION=VALUE...`, `map NUMBERS`,
 * `interpret CLASS`; `maps NUMBERS` is a program of float32 in each floating dtype.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gpu/call.h"
#include "../../gpu/map.h"
#include "../ready.h"

#define MOST 4096

typedef struct name {
    char text[33];
} name;

static const char *folder;
static name names[MOST];
static size_t n_names;

/* ---- a driver that writes what it is to build ------------------------------------------------ */

static int32_t build(gpu_device *device, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    char path[1024];
    uint64_t hash[2];
    (void)device, (void)entries;
    *out_program = NULL;
    if (n_names == MOST) return tern_kit_fail(err, TERN_BACKEND_FAILED, "too many programs");
    cuda_ready_hash(source, hash);
    name *own = &names[n_names++];
    snprintf(own->text, sizeof own->text, "%016" PRIx64 "%016" PRIx64, hash[0], hash[1]);
    snprintf(path, sizeof path, "%s/%s.cu", folder, own->text);
    FILE *file = fopen(path, "w");
    if (!file || fputs(source, file) < 0 || fclose(file))
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "%s is not written", path);
    return TERN_BACKEND_DECLINED; /* there is nothing to start */
}

static void program_free(gpu_device *device, gpu_program *program) {
    (void)device, (void)program;
}

static const gpu_driver driver = {.build = build, .program_free = program_free};
static const tern_host host = {
    .struct_size = sizeof host, .abi = TERN_BACKEND_ABI, .alloc = malloc, .free = free};
static const tern_bdevice_vtable vtable = {.struct_size = sizeof vtable};

/* ---- lines ----------------------------------------------------------------------------------- */

static const char *const tile_names[] = {"TILE_M", "TILE_N", "SLICE",
                                         "EACH_M", "EACH_N", "TILE_LANES"};

/* Where a tile has the number of this name; NULL where none has. */
static int32_t *tile_number(gpu_tile *tile, const char *option) {
    int32_t *const numbers[] = {&tile->m,      &tile->n,      &tile->slice,
                                &tile->each_m, &tile->each_n, &tile->lanes};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(option, tile_names[i]) == 0) return numbers[i];
    return NULL;
}

static int32_t source_of(const char *text) {
    for (int32_t i = 0; i < GPU_SOURCE_COUNT; i++)
        if (strcmp(gpu_source_name((gpu_source)i), text) == 0) return i;
    return -1;
}

/* `NAME OPTION=VALUE...`; the words are cut in place, and stay. */
static int32_t write_variant(const gpu_call *call, char *line) {
    gpu_variant variant = {0};
    gpu_tile tile = {0};
    gpu_program *program;
    int n = 0;
    char *word = strtok(line, " \n");
    int32_t source = word ? source_of(word) : -1;
    if (source < 0) return tern_kit_fail(call->err, TERN_BACKEND_FAILED, "no such source");
    variant.source = (gpu_source)source;
    while ((word = strtok(NULL, " \n"))) {
        char *value = strchr(word, '=');
        if (!value) return tern_kit_fail(call->err, TERN_BACKEND_FAILED, "no value: %s", word);
        *value++ = 0;
        long long number = strtoll(value, NULL, 10);
        int32_t *of_tile = tile_number(&tile, word);
        if (strcmp(word, "CLASS") == 0) {
            variant.number_class = (int32_t)number;
        } else if (of_tile) {
            *of_tile = (int32_t)number;
        } else if (n < GPU_OPTIONS) {
            variant.options[n].name = word;
            variant.options[n++].value = number;
        }
    }
    return gpu_find_tiled(call, &variant, tile.m ? &tile : NULL, NULL, &program);
}

static int32_t next(char **at) {
    return (int32_t)strtoll(*at, at, 10);
}

static int32_t read_map(const gpu_call *call, char *at, gpu_map_program *out) {
    gpu_map_program p;
    memset(&p, 0, sizeof p);
    *out = p;
    p.number_class = next(&at);
    p.n_inputs = next(&at);
    p.n_outputs = next(&at);
    p.n_constants = next(&at);
    p.n_steps = next(&at);
    p.skips = next(&at);
    p.element = next(&at);
    p.rank = next(&at);
    p.tuples = next(&at);
    p.immediates = (uint32_t)next(&at);
    if (p.n_inputs < 0 || p.n_outputs < 1 || p.n_inputs + p.n_outputs > GPU_OPERANDS ||
        p.n_steps < 0 || p.n_steps > GPU_STEPS)
        return tern_kit_fail(call->err, TERN_BACKEND_FAILED, "no program");
    for (int32_t k = 0; k < p.n_inputs + p.n_outputs; k++) p.dtypes[k] = (int8_t)next(&at);
    for (int32_t k = 0; k < p.n_outputs; k++) p.outputs[k] = (int16_t)next(&at);
    for (int32_t k = 0; k < p.n_steps; k++) {
        tern_map_step *step = &p.steps[k];
        step->family = (int16_t)next(&at);
        step->fn = (int16_t)next(&at);
        for (int s = 0; s < 4; s++) step->source[s] = (int16_t)next(&at);
    }
    *out = p;
    return TERN_BACKEND_OK;
}

static int32_t write_map(const gpu_call *call, char *at) {
    gpu_map_program p;
    gpu_program *program;
    int32_t status = read_map(call, at, &p);
    return status == TERN_BACKEND_OK ? gpu_map_find(call, &p, &program) : status;
}

/* The program in a dtype, which what is float32 has then; of another dtype nothing changes. */
static gpu_map_program in_dtype(const gpu_map_program *p, int8_t dtype, bool with_immediates) {
    gpu_map_program own = *p;
    own.number_class = dtype == TERN_BT_FLOAT64 ? GPU_F64 : GPU_F32;
    for (int32_t k = 0; k < p->n_inputs + p->n_outputs; k++) {
        bool is_immediate = k < p->n_inputs && p->immediates >> k & 1u;
        if (p->dtypes[k] == TERN_BT_FLOAT32 && (with_immediates || !is_immediate))
            own.dtypes[k] = dtype;
    }
    return own;
}

/* Immediates of a program in 16 bits are float32 where they are its arguments, as an optimizer's all are, and of its
 * dtype where they are tensors of one value. */
static int32_t write_maps(const gpu_call *call, char *at) {
    static const struct {
        int8_t dtype;
        bool with_immediates;
    } forms[] = {{TERN_BT_FLOAT32, true},   {TERN_BT_FLOAT64, true}, {TERN_BT_FLOAT16, false},
                 {TERN_BT_BFLOAT16, false}, {TERN_BT_FLOAT16, true}, {TERN_BT_BFLOAT16, true}};
    gpu_map_program p;
    gpu_program *program;
    int32_t status = read_map(call, at, &p), count = p.immediates && !p.skips ? 6 : 4;
    for (int32_t i = 0; i < count && status != TERN_BACKEND_FAILED; i++) {
        gpu_map_program own = in_dtype(&p, forms[i].dtype, forms[i].with_immediates);
        status = gpu_map_find(call, &own, &program);
    }
    return status;
}

static int32_t write_line(const gpu_call *call, char *line) {
    gpu_program *program;
    if (strncmp(line, "variant ", 8) == 0) return write_variant(call, line + 8);
    if (strncmp(line, "map ", 4) == 0) return write_map(call, line + 4);
    if (strncmp(line, "maps ", 5) == 0) return write_maps(call, line + 5);
    if (strncmp(line, "interpret ", 10) == 0)
        return gpu_interpreter_find(call, (int32_t)strtol(line + 10, NULL, 10), &program);
    return tern_kit_fail(call->err, TERN_BACKEND_FAILED, "no program");
}

static int compare(const void *a, const void *b) {
    return strcmp(((const name *)a)->text, ((const name *)b)->text);
}

int main(int argc, char **argv) {
    static char line[8192];
    gpu_device device = {.has_f64 = true, .compiles_first = INT32_MAX};
    tern_backend_error err = {{0}};
    gpu_call call = {.device = &device, .err = &err};
    FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (!file || !gpu_device_init(&device, &vtable, &host, &driver)) return 2;
    folder = argv[2];
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        if (line[0] == '#' || line[0] == '\n') continue;
        if (write_line(&call, line) == TERN_BACKEND_DECLINED) continue;
        fprintf(stderr, "%s:%d: %s\n", argv[1], number, err.message);
        return 1;
    }
    fclose(file);
    gpu_device_fini(&device);
    qsort(names, n_names, sizeof *names, compare);
    for (size_t i = 0; i < n_names; i++)
        if (i == 0 || compare(&names[i - 1], &names[i]) != 0) puts(names[i].text);
    return 0;
}
