/*
 * device_string.h: "cpu", "cuda:1", "auto".
 */
#ifndef TERN_CORE_PLUGIN_DEVICE_STRING_H
#define TERN_CORE_PLUGIN_DEVICE_STRING_H

#include "core/ground/fault.h"

typedef struct tern_device_string {
    char text[48]; /* as given */
    char name[32]; /* "cuda" */
    int32_t index; /* -1 where none was given */
    bool is_auto;
} tern_device_string;

/* TERN_ERR_ARGUMENT where the text is not of the form NAME or NAME:INDEX. */
tern_status tern_device_string_parse(const char *text, tern_device_string *out_string,
                                     tern_fault *fault);

#endif
