/* What "compiled code" is where a driver stands in. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standin.h"

char *standin_image_make(const char *source, size_t *out_size) {
    char folder[] = "/tmp/tern-standin-XXXXXX", path[64], *image = NULL;
    if (!mkdtemp(folder)) return NULL;
    snprintf(path, sizeof path, "%s/kernel", folder);
    FILE *file = host_form_compile(source, path) ? fopen(path, "rb") : NULL;
    if (file) {
        fseek(file, 0, SEEK_END);
        size_t size = (size_t)ftell(file);
        rewind(file);
        standin_image head = {.size = size};
        memcpy(head.magic, STANDIN_MAGIC, sizeof head.magic);
        image = malloc(sizeof head + size);
        if (image && fread(image + sizeof head, 1, size, file) == size) {
            memcpy(image, &head, sizeof head);
            *out_size = sizeof head + size;
        } else {
            free(image);
            image = NULL;
        }
        fclose(file);
        unlink(path);
    }
    rmdir(folder);
    return image;
}
