/* Damaged library files never get past the ELF check, and never harm it. */
#define _GNU_SOURCE /* ftruncate */
#include <elf.h>
#include <link.h>

#include "core/plugin/elf_file.h"
#include "plugin_folder.h"

static tern_status check(const char *path, tern_fault *fault) {
    memset(fault, 0, sizeof *fault);
    int fd = open(path, O_RDONLY);
    cr_assert(fd >= 0);
    tern_status status = tern_elf_check(fd, path, fault);
    close(fd);
    return status;
}

Test(library_file, a_whole_library_passes) {
    plugin_folder f = folder_open();
    tern_fault fault;
    folder_copy_part(&f, "legal", "l.so", (size_t)-1);
    cr_assert_eq(check(folder_file(&f, "l.so"), &fault), TERN_OK, "%s", fault.message);
    folder_close(&f);
}

/* The end of the last part that the dynamic linker maps. */
static off_t mapped_end(const char *path) {
    ElfW(Ehdr) header;
    FILE *file = fopen(path, "rb");
    cr_assert_eq(fread(&header, sizeof header, 1, file), 1);
    off_t end = 0;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        fseek(file, (long)(header.e_phoff + i * sizeof segment), SEEK_SET);
        cr_assert_eq(fread(&segment, sizeof segment, 1, file), 1);
        off_t last = (off_t)(segment.p_offset + segment.p_filesz);
        if (segment.p_type == PT_LOAD && last > end) end = last;
    }
    fclose(file);
    return end;
}

Test(library_file, every_truncation_of_what_is_mapped_is_refused) {
    plugin_folder f = folder_open();
    folder_copy_part(&f, "legal", "l.so", (size_t)-1);
    const char *path = folder_file(&f, "l.so");
    off_t end = mapped_end(path);
    int refused = 0;
    for (off_t size = end - 1; size >= 0; size -= size > 600 ? 61 : 1) {
        tern_fault fault;
        cr_assert_eq(truncate(path, size), 0);
        cr_assert_eq(check(path, &fault), TERN_ERR_FORMAT, "%ld bytes: %s", (long)size,
                     fault.message);
        refused++;
    }
    cr_assert(refused > 600);
    folder_close(&f);
}

Test(library_file, flipped_bytes_in_the_headers_do_no_harm) {
    plugin_folder f = folder_open();
    folder_copy_part(&f, "legal", "l.so", (size_t)-1);
    const char *path = folder_file(&f, "l.so");
    int fd = open(path, O_RDWR);
    for (off_t at = 0; at < 1024; at++) {
        unsigned char byte, flipped;
        tern_fault fault;
        cr_assert_eq(pread(fd, &byte, 1, at), 1);
        for (unsigned bit = 0; bit < 8; bit++) {
            flipped = (unsigned char)(byte ^ 1u << bit);
            cr_assert_eq(pwrite(fd, &flipped, 1, at), 1);
            tern_status status = check(path, &fault);
            cr_assert(status == TERN_OK || status == TERN_ERR_FORMAT);
        }
        cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    folder_close(&f);
}
