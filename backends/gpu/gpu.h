/*
 * gpu.h: the host code that every GPU shares, and the seam to its driver.
 *
 * A backend of a GPU fills in a gpu_driver, which builds programs and starts kernels, and its own memory,
 * queues and events. What a launch means is decided here: which program serves it, with which options, over
 * how many work items, and what it is handed (kernels/launch.h).
 */
#ifndef TERN_GPU_H
#define TERN_GPU_H

#include <pthread.h>

#include "../cpu_ref/kit.h"

typedef struct gpu_device gpu_device;

/* A program that was built, and its kernels; the driver's. */
typedef struct gpu_program gpu_program;

/* A buffer, or bytes by value. */
typedef struct gpu_argument {
    tern_bbuffer *buffer;
    const void *bytes;
    size_t size;
} gpu_argument;

/* Where a kernel runs: `lanes` work items a group, 1-dimensional. */
typedef struct gpu_extent {
    int64_t groups[3];
    int32_t lanes;
} gpu_extent;

/* Any thread; `build` may block, nothing else does. */
typedef struct gpu_driver {
    /* Compiles a source, or finds what was compiled before. `entries` are the kernels' names, NULL behind the
     * last. FAILED, with what the compiler said; DECLINED, with the reason, where nothing compiles here and the
     * program is not among those compiled ahead: launches then go step by step. */
    int32_t (*build)(gpu_device *device, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err);
    void (*program_free)(gpu_device *device, gpu_program *program);
    /* Puts a launch of the program's kernel `entry` into the queue. Arguments are read during the call. */
    int32_t (*start)(gpu_device *device, tern_bqueue *queue, gpu_program *program, int32_t entry,
                     const gpu_argument *arguments, int32_t count, const gpu_extent *extent,
                     tern_backend_error *err);
    /* The queue's error flag, a gpu_flag of kernels/launch.h. */
    tern_bbuffer *(*flag)(gpu_device *device, tern_bqueue *queue);
    /* Memory for one launch, in the queue's order, and its end behind that launch. Both or none; without them
     * the device's buffers serve. */
    int32_t (*scratch)(gpu_device *device, tern_bqueue *queue, uint64_t bytes,
                       tern_bbuffer **out_buffer, tern_backend_error *err);
    void (*scratch_end)(gpu_device *device, tern_bqueue *queue, tern_bbuffer *buffer);
} gpu_driver;

/* A program in the device's table, found again by its key. */
typedef struct gpu_entry {
    struct gpu_entry *next;
    uint64_t hash;
    size_t key_size;
    gpu_program *program; /* NULL: interpreted so far, or declined */
    uint64_t interpreted; /* steps of elements: run_interpret.c */
    bool declined;        /* the driver has no program for it, nor a compiler */
    unsigned char key[];
} gpu_entry;

#define GPU_BUCKETS 512

/* What a device is like: its choice of tiles. */
typedef enum gpu_kind {
    GPU_KIND_LANES, /* many lanes a group, which share memory: GPUs and what is not known */
    GPU_KIND_CORES  /* a group runs on one core: processors */
} gpu_kind;

/* How kernels/tile.h divides a product. `lanes` is 1 where one lane walks over a tile, else m n / (each_m each_n). */
typedef struct gpu_tile {
    int32_t m, n, slice, each_m, each_n, lanes;
} gpu_tile;

#define GPU_SIZES 3 /* of products: small, middling, large */

/* Begins every device of a GPU. */
struct gpu_device {
    tern_bdevice base;
    const tern_host *host;
    const gpu_driver *driver;
    bool has_f64;
    /* run_interpret.c: so many programs of a class are compiled that could be interpreted (ten times as many over
     * float32 alone), and one that was interpreted for so many steps of elements (0: however many) is too. */
    int32_t compiles_first;
    uint64_t interprets_most;
    gpu_kind kind;
    int32_t units, most_lanes; /* compute units; lanes a group may have; 0: not known */
    const char
        *signature; /* device, driver: what was found of it belongs to; NULL: nothing is kept */
    bool tunes;     /* TERN_TUNE is set: products are measured, by one thread alone */
    gpu_tile tuned[2][GPU_SIZES]; /* of four and of eight bytes; m is 0: tiles.c decides */
    uint64_t shared_bytes;        /* that a group may share; 0: not known */
    int64_t most_groups;          /* of a start's second and third dimension; 0: any number */
    pthread_mutex_t lock;         /* of the table, and of builds */
    gpu_entry *programs[GPU_BUCKETS];
    int32_t compiled[4]; /* that could be interpreted: of a class, or over float32 alone */
};

/* Takes the host's table and the driver, and what is kept of the device; false where there is no lock. */
bool gpu_device_init(gpu_device *device, const tern_bdevice_vtable *vtable, const tern_host *host,
                     const gpu_driver *driver);
/* Frees the programs. */
void gpu_device_fini(gpu_device *device);

/* The slots of the device's table that are the same for every GPU. */
bool gpu_supports(tern_bdevice *device, const tern_kernel_query *query, const char **out_reason);
int32_t gpu_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                   const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                   int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                   tern_backend_error *err);

/* What a queue's flag says, in PyTorch's words: BAD_INDEX with a message. `flag` is not zero. */
int32_t gpu_flag_status(const void *flag, tern_backend_error *err);
size_t gpu_flag_size(void);

#endif
