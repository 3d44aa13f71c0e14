/*
 * The plugin: which devices OpenCL's drivers have, and opening one.
 *
 * tern_backend_query starts no driver; device_count does. TERN_OPENCL_DEVICE names a part of a device's or
 * platform's name: only such devices count then, so that opencl:0 is the first of them.
 */
#include "opencl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cpu_ref/kit.h"

const tern_host *opencl_host;

#define MOST_DEVICES 64

/* As many programs as PoCL compiles in the time of an interpreter; and as many steps of elements as its interpreter
 * makes in the time of a program. */
#define COMPILES_FIRST  10
#define INTERPRETS_MOST ((uint64_t)1 << 24)

#define NO_PLATFORM                                                                                \
    (-1001) /* CL_PLATFORM_NOT_FOUND_KHR: what the loader answers without a driver */

static const char *reason_of(cl_int code) {
    switch (code) {
    case NO_PLATFORM: return "no OpenCL driver is installed (install one, such as pocl-opencl-icd)";
    case CL_DEVICE_NOT_FOUND: return "the driver has no device";
    case CL_DEVICE_NOT_AVAILABLE: return "the device is not available";
    case CL_COMPILER_NOT_AVAILABLE: return "the driver has no compiler";
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: return "out of device memory";
    case CL_OUT_OF_RESOURCES: return "out of device resources";
    case CL_OUT_OF_HOST_MEMORY: return "out of host memory";
    case CL_BUILD_PROGRAM_FAILURE: return "a kernel does not compile";
    case CL_INVALID_BUFFER_SIZE: return "larger than the device allows";
    default: return "the driver failed";
    }
}

int32_t opencl_failed(tern_backend_error *err, const char *call, cl_int code) {
    bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY ||
                  code == CL_OUT_OF_RESOURCES || code == CL_INVALID_BUFFER_SIZE;
    bool missing = code == NO_PLATFORM || code == CL_DEVICE_NOT_FOUND;
    int32_t status = code == CL_DEVICE_NOT_AVAILABLE ? TERN_BACKEND_LOST
                     : memory                        ? TERN_BACKEND_OUT_OF_MEMORY
                     : missing                       ? TERN_BACKEND_UNSUPPORTED
                                                     : TERN_BACKEND_FAILED;
    return tern_kit_fail(err, status, "opencl: %s (%s gave %d)", reason_of(code), call, (int)code);
}

/* ---- which devices there are ----------------------------------------------------------------- */

typedef struct found {
    cl_device_id devices[MOST_DEVICES];
    int32_t count;
} found;

static void text_of(cl_device_id device, cl_device_info what, char *out, size_t size) {
    memset(out, 0, size);
    if (clGetDeviceInfo(device, what, size - 1, out, NULL) != CL_SUCCESS) out[0] = 0;
}

static void platform_text(cl_device_id device, cl_platform_info what, char *out, size_t size) {
    cl_platform_id platform;
    memset(out, 0, size);
    if (clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) ||
        clGetPlatformInfo(platform, what, size - 1, out, NULL))
        out[0] = 0;
}

static bool contains(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length) return true;
    }
    return length == 0;
}

/* A device that can compile, and whose name is asked for. */
static bool serves(cl_device_id device) {
    const char *wanted = getenv("TERN_OPENCL_DEVICE");
    cl_bool compiler = CL_FALSE;
    char name[256], platform[256];
    clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
    if (!compiler) return false;
    if (!wanted || !*wanted) return true;
    text_of(device, CL_DEVICE_NAME, name, sizeof name);
    platform_text(device, CL_PLATFORM_NAME, platform, sizeof platform);
    return contains(name, wanted) || contains(platform, wanted);
}

static int32_t look(found *out, tern_backend_error *err) {
    cl_platform_id platforms[16];
    cl_uint n_platforms = 0;
    out->count = 0;
    cl_int code = clGetPlatformIDs(16, platforms, &n_platforms);
    if (code != CL_SUCCESS) return opencl_failed(err, "clGetPlatformIDs", code);
    if (n_platforms > 16) n_platforms = 16;
    for (cl_uint p = 0; p < n_platforms; p++) {
        cl_device_id devices[MOST_DEVICES];
        cl_uint n = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &n)) continue;
        if (n > MOST_DEVICES) n = MOST_DEVICES;
        for (cl_uint d = 0; d < n && out->count < MOST_DEVICES; d++)
            if (serves(devices[d])) out->devices[out->count++] = devices[d];
    }
    if (out->count) return TERN_BACKEND_OK;
    const char *wanted = getenv("TERN_OPENCL_DEVICE");
    if (wanted && *wanted)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "opencl: TERN_OPENCL_DEVICE=%.100s is in no device's name", wanted);
    return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "opencl: %u platforms, but no device",
                         (unsigned)n_platforms);
}

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    found all;
    int32_t status = look(&all, err);
    *out_count = all.count;
    return status;
}

static int32_t find(int32_t index, cl_device_id *out_device, tern_backend_error *err) {
    found all;
    int32_t status = look(&all, err);
    if (status != TERN_BACKEND_OK) return status;
    if (index < 0 || index >= all.count)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "opencl: there are %d devices",
                             (int)all.count);
    *out_device = all.devices[index];
    return TERN_BACKEND_OK;
}

/* cl_khr_device_uuid and cl_khr_pci_bus_info, where the driver has them. */
#define UUID     0x106a
#define PCI_INFO 0x410f

static void identify(cl_device_id device, char *out, size_t size) {
    unsigned char uuid[16];
    cl_uint pci[4]; /* domain, bus, device, function */
    size_t at = 0;
    out[0] = 0;
    if (clGetDeviceInfo(device, UUID, sizeof uuid, uuid, NULL) == CL_SUCCESS) {
        for (int i = 0; i < 16 && at + 3 < size; i++)
            at += (size_t)snprintf(out + at, size - at, "%02x%s", uuid[i],
                                   i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    } else if (clGetDeviceInfo(device, PCI_INFO, sizeof pci, pci, NULL) == CL_SUCCESS) {
        snprintf(out, size, "%04x:%02x:%02x.%x", pci[0], pci[1], pci[2], pci[3]);
    }
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    tern_device_info full = {0};
    cl_device_id device;
    cl_device_type type = 0;
    cl_ulong memory = 0;
    char name[256];
    int32_t status = find(index, &device, err);
    if (status != TERN_BACKEND_OK) return status;
    clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    full.type = type & CL_DEVICE_TYPE_GPU   ? TERN_DEVICE_GPU
                : type & CL_DEVICE_TYPE_CPU ? TERN_DEVICE_CPU
                                            : TERN_DEVICE_ACCELERATOR;
    full.memory_bytes = memory;
    text_of(device, CL_DEVICE_NAME, name, sizeof name);
    snprintf(full.name, sizeof full.name, "%.63s", name);
    identify(device, full.identity, sizeof full.identity);
    tern_kit_device_info_give(&full, out_info);
    return TERN_BACKEND_OK;
}

/* ---- opening one ----------------------------------------------------------------------------- */

static void close_device(tern_bdevice *base) {
    opencl_device *self = (opencl_device *)base;
    char line[160];
    snprintf(line, sizeof line, "opencl: %u programs were compiled, %u came from the cache",
             self->built, self->loaded);
    bool wanted = getenv("TERN_OPENCL_COUNT") != NULL;
    opencl_host->log(wanted ? TERN_BACKEND_LOG_WARNING : TERN_BACKEND_LOG_INFO, line);
    gpu_device_fini(&self->gpu);
    if (self->maps) clReleaseCommandQueue(self->maps);
    clReleaseContext(self->context);
    pthread_mutex_destroy(&self->pinned_lock);
    opencl_host->free(self);
}

static const tern_bdevice_vtable slots = {
    .struct_size = sizeof(tern_bdevice_vtable),
    .speed = TERN_SPEED_FAST,
    .suballocation = 4096,
    .close = close_device,
    .buffer_alloc = opencl_buffer_alloc,
    .buffer_free = opencl_buffer_free,
    .memory_info = opencl_memory_info,
    .host_alloc = opencl_host_alloc,
    .host_free = opencl_host_free,
    .copy_to_device = opencl_copy_to_device,
    .copy_to_host = opencl_copy_to_host,
    .copy_between = opencl_copy_between,
    .queue_create = opencl_queue_create,
    .queue_destroy = opencl_queue_destroy,
    .queue_synchronize = opencl_queue_synchronize,
    .event_create = opencl_event_create,
    .event_destroy = opencl_event_destroy,
    .event_record = opencl_event_record,
    .event_wait = opencl_event_wait,
    .event_synchronize = opencl_event_synchronize,
    .event_query = opencl_event_query,
    .take_error = opencl_take_error,
    .skip_flag = opencl_skip_flag,
    .supports = gpu_supports,
    .launch = gpu_launch,
};

/* PoCL compiles every kernel once more when it is asked for a binary, so that a first start takes nearly twice as
 * long; and it has a cache of its own on disk, from which a second start is some tenths of a second slower than from
 * binaries. So they are kept of it only where a folder for them was named. */
static bool has_own_cache(const char *platform) {
    const char *folder = getenv("TERN_CACHE_DIR");
    return strstr(platform, "PoCL") != NULL && (!folder || !*folder);
}

/* Small programs that are seldom used are interpreted, or all, or none, as TERN_OPENCL_INTERPRET says. */
static void choose_interpreting(gpu_device *gpu) {
    const char *wanted = getenv("TERN_OPENCL_INTERPRET");
    bool always = wanted && strcmp(wanted, "always") == 0;
    bool never = wanted && strcmp(wanted, "never") == 0;
    gpu->compiles_first = always ? 0 : never ? INT32_MAX : COMPILES_FIRST;
    gpu->interprets_most = always ? 0 : INTERPRETS_MOST;
}

/* What the device says of itself. Kernels take offsets as numbers, so that pieces of buffers need no
 * sub-buffers; they are aligned as buffers are all the same. */
static void describe(opencl_device *self) {
    cl_uint align_bits = 0;
    cl_ulong memory = 0, largest = 0;
    cl_device_fp_config doubles = 0;
    cl_device_type type = 0;
    cl_uint units = 0;
    cl_ulong shared = 0;
    size_t lanes = 0;
    char name[160], driver[160], platform[160];
    clGetDeviceInfo(self->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof largest, &largest, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_DOUBLE_FP_CONFIG, sizeof doubles, &doubles, NULL);
    text_of(self->id, CL_DEVICE_NAME, name, sizeof name);
    text_of(self->id, CL_DRIVER_VERSION, driver, sizeof driver);
    platform_text(self->id, CL_PLATFORM_VERSION, platform, sizeof platform);
    snprintf(self->signature, sizeof self->signature, "%s\n%s\n%s\n", name, driver, platform);
    self->keeps = !has_own_cache(platform);
    self->gpu.signature = self->signature;
    self->memory = memory;
    clGetDeviceInfo(self->id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof shared, &shared, NULL);
    clGetDeviceInfo(self->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof lanes, &lanes, NULL);
    self->gpu.has_f64 = doubles != 0;
    choose_interpreting(&self->gpu);
    self->gpu.kind = (type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU)) == CL_DEVICE_TYPE_CPU
                         ? GPU_KIND_CORES
                         : GPU_KIND_LANES;
    self->gpu.units = (int32_t)units;
    self->gpu.most_lanes = lanes < INT32_MAX ? (int32_t)lanes : INT32_MAX;
    self->gpu.shared_bytes = shared;
    self->table = slots;
    self->table.alignment = align_bits / 8 > 64 ? align_bits / 8 : 64;
    self->table.largest_allocation = largest;
}

/* The queue of opencl_copy_between; without one copies go through the host. */
static void make_maps(opencl_device *self) {
    cl_bool is_unified = CL_FALSE;
    cl_int code;
    clGetDeviceInfo(self->id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof is_unified, &is_unified, NULL);
    if (is_unified) self->maps = clCreateCommandQueue(self->context, self->id, 0, &code);
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    cl_device_id id;
    cl_int code;
    int32_t status = find(index, &id, err);
    if (status != TERN_BACKEND_OK) return status;
    opencl_device *self = opencl_host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "opencl: no host memory");
    memset(self, 0, sizeof *self);
    self->id = id;
    self->context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    if (!self->context) {
        opencl_host->free(self);
        return opencl_failed(err, "clCreateContext", code);
    }
    describe(self);
    bool locks = pthread_mutex_init(&self->pinned_lock, NULL) == 0;
    if (!locks || !gpu_device_init(&self->gpu, &self->table, opencl_host, &opencl_driver)) {
        if (locks) pthread_mutex_destroy(&self->pinned_lock);
        clReleaseContext(self->context);
        opencl_host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "opencl: no locks");
    }
    make_maps(self);
    *out_device = &self->gpu.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "opencl",
    .version = "0.1.0",
    .build_id = "OpenCL 1.2",
    .speed = TERN_SPEED_FAST,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    opencl_host = host;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
