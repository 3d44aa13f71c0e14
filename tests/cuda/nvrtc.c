/* libnvrtc.so.13 of the driver that stands in: "code" is a shared object of the host form. */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

typedef struct program {
    char *source, *code;
    size_t size;
} program;

#define ERROR_INVALID_PROGRAM 4
#define ERROR_INVALID_OPTION  5
#define ERROR_COMPILATION     6

int nvrtcCreateProgram(program **out, const char *source, const char *name, int n_headers,
                       const char *const *headers, const char *const *names);
int nvrtcDestroyProgram(program **own);
int nvrtcCompileProgram(program *own, int n_options, const char *const *options);
const char *nvrtcGetErrorString(int code);
int nvrtcGetNumSupportedArchs(int *count);
int nvrtcGetSupportedArchs(int *out);
int nvrtcGetProgramLogSize(const program *own, size_t *size);
int nvrtcGetProgramLog(const program *own, char *out);
int nvrtcGetCUBINSize(const program *own, size_t *size);
int nvrtcGetCUBIN(const program *own, char *out);
int nvrtcGetPTXSize(const program *own, size_t *size);
int nvrtcGetPTX(const program *own, char *out);

int nvrtcCreateProgram(program **out, const char *source, const char *name, int n_headers,
                       const char *const *headers, const char *const *names) {
    (void)name, (void)headers, (void)names;
    program *own = calloc(1, sizeof *own);
    if (!own || n_headers) return ERROR_INVALID_PROGRAM;
    own->source = strdup(source);
    *out = own;
    return 0;
}

int nvrtcDestroyProgram(program **own) {
    free((*own)->source);
    free((*own)->code);
    free(*own);
    *own = NULL;
    return 0;
}

/* Appends how the source names itself to the file that TERN_CUDA_STANDIN_RECORD names: the list of programs to compile
 * ahead is made of such lines. */
static void record(const char *source) {
    const char *path = getenv("TERN_CUDA_STANDIN_RECORD"), *at;
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    if ((at = strstr(source, "/* variant ")) && at < strstr(source, "dialect.h")) {
        const char *end = strstr(at, " */");
        fprintf(file, "%.*s", (int)(end - at - 3), at + 3);
        for (at = end + 4; strncmp(at, "#define ", 8) == 0; at = strchr(at, '\n') + 1) {
            char name[64], value[32];
            if (sscanf(at, "#define %63s %31s", name, value) == 2)
                fprintf(file, " %s=%s", name, value);
        }
        fputc('\n', file);
    } else if ((at = strstr(source, "/* map ")) || (at = strstr(source, "/* interpret "))) {
        fprintf(file, "%.*s\n", (int)(strstr(at, " */") - at - 3), at + 3);
    }
    fclose(file);
}

int nvrtcCompileProgram(program *own, int n_options, const char *const *options) {
    bool has_arch = false, is_exact = false;
    for (int i = 0; i < n_options; i++) {
        has_arch = has_arch || strncmp(options[i], "--gpu-architecture=", 19) == 0;
        is_exact = is_exact || strcmp(options[i], "-fmad=false") == 0;
    }
    if (!has_arch || !is_exact) return ERROR_INVALID_OPTION;
    record(own->source);
    if (standin_has("idle")) host_form_optimization = "-O0";
    own->code = standin_image_make(own->source, &own->size);
    return own->code ? 0 : ERROR_COMPILATION;
}

const char *nvrtcGetErrorString(int code) {
    return code == ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}

int nvrtcGetNumSupportedArchs(int *count) {
    *count = 3;
    return 0;
}

int nvrtcGetSupportedArchs(int *out) {
    static const int archs[] = {75, 80, 90};
    memcpy(out, archs, sizeof archs);
    return 0;
}

int nvrtcGetProgramLogSize(const program *own, size_t *size) {
    (void)own;
    *size = 1;
    return 0;
}

int nvrtcGetProgramLog(const program *own, char *out) {
    (void)own;
    *out = 0;
    return 0;
}

int nvrtcGetCUBINSize(const program *own, size_t *size) {
    *size = own->size;
    return own->code ? 0 : ERROR_INVALID_PROGRAM;
}

int nvrtcGetCUBIN(const program *own, char *out) {
    memcpy(out, own->code, own->size);
    return 0;
}

int nvrtcGetPTXSize(const program *own, size_t *size) {
    return nvrtcGetCUBINSize(own, size);
}

int nvrtcGetPTX(const program *own, char *out) {
    return nvrtcGetCUBIN(own, out);
}
