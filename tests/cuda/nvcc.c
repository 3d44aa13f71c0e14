/* tern_standin_nvcc OPTIONS... -o OUT IN: nvcc of the driver that stands in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

int main(int argc, char **argv) {
    const char *out = NULL;
    size_t size = 0, length = 0;
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-o") == 0) out = argv[i + 1];
    FILE *file = argc > 1 && out ? fopen(argv[argc - 1], "r") : NULL;
    char *source = file ? calloc(1, 1 << 20) : NULL;
    if (source) length = fread(source, 1, (1 << 20) - 1, file);
    char *image = length ? standin_image_make(source, &size) : NULL;
    FILE *to = image ? fopen(out, "wb") : NULL;
    bool written = to && fwrite(image, 1, size, to) == size;
    if (file) fclose(file);
    if (to) written = fclose(to) == 0 && written;
    free(source);
    free(image);
    return !written;
}
