/*
 * tern_gpu_nvrtc CAPABILITY FILE...: compiles each source by NVRTC as the device cuda does. Status 77 where NVRTC is not
 * there, 1 where a source does not compile.
 */
#include "cuda/compiler.h"

#include <stdio.h>
#include <stdlib.h>

#include "cuda/cuda.h"

static void complain(int level, const char *line) {
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static const tern_host host = {.struct_size = sizeof host,
                               .abi = TERN_BACKEND_ABI,
                               .alloc = malloc,
                               .free = free,
                               .log = complain};
const tern_host *cuda_host = &host;

int main(int argc, char **argv) {
    static char source[1 << 20];
    tern_backend_error err = {{0}};
    int failed = 0;
    if (argc < 3) return 2;
    if (cuda_compiler_open(&err) != TERN_BACKEND_OK) {
        printf("%s\n", err.message);
        return 77;
    }
    for (int i = 2; i < argc; i++) {
        unsigned char *code = NULL;
        size_t size = 0, length = 0;
        FILE *file = fopen(argv[i], "r");
        if (file) length = fread(source, 1, sizeof source - 1, file);
        if (file) fclose(file);
        source[length] = 0;
        if (length && cuda_compile(source, atoi(argv[1]), &code, &size, &err) == TERN_BACKEND_OK &&
            size > 0) {
            free(code);
            continue;
        }
        printf("%s: %s\n", argv[i], err.message);
        failed++;
    }
    printf("%d sources compiled for compute capability %s, %d failed\n", argc - 2, argv[1], failed);
    return failed != 0;
}
