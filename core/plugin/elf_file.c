#define _GNU_SOURCE /* pread with 64-bit offsets */
#include "elf_file.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tern/backend.h"

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#elif defined(__i386__)
#define HOST_MACHINE EM_386
#elif defined(__riscv)
#define HOST_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define HOST_MACHINE EM_PPC64
#else
#define HOST_MACHINE EM_NONE /* any */
#endif

#define MAX_SEGMENTS 64
#define MAX_DYNAMIC  4096 /* entries of the dynamic section */

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Dyn) elf_dynamic;

typedef struct library {
    int fd;
    const char *path;
    uint64_t size;
    elf_header header;
    elf_segment segments[MAX_SEGMENTS];
    tern_fault *fault;
} library;

static bool read_at(const library *l, void *out, uint64_t bytes, uint64_t offset) {
    if (offset > l->size || bytes > l->size - offset) return false;
    return pread(l->fd, out, (size_t)bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool wrong(const library *l, const char *what) {
    tern_fault_set(l->fault, TERN_ERR_FORMAT, "%s %s", l->path, what);
    return false;
}

static const char *machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "aarch64";
    case EM_386: return "i386";
    case EM_ARM: return "arm";
    case EM_RISCV: return "riscv";
    case EM_PPC64: return "ppc64";
    default: return "another machine";
    }
}

static bool check_header(library *l) {
    const unsigned short one = 1;
    unsigned char order = *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    unsigned char width = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const elf_header *h = &l->header;
    if (!read_at(l, &l->header, SELFMAG, 0) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return wrong(l, "is not a shared library (it has no ELF header)");
    if (!read_at(l, &l->header, sizeof l->header, 0))
        return wrong(l, "is truncated: copy it again");
    if (h->e_ident[EI_CLASS] == width && h->e_ident[EI_DATA] == order && h->e_type != ET_DYN)
        return wrong(l, "is an ELF file, but not a shared library");
    if (h->e_ident[EI_CLASS] == width && h->e_ident[EI_DATA] == order &&
        (h->e_machine == HOST_MACHINE || HOST_MACHINE == EM_NONE))
        return true;
    tern_fault_set(l->fault, TERN_ERR_FORMAT,
                   "%s was built for %s (%s bits), but this process is %s (%d bits): install the "
                   "plugin for this machine",
                   l->path, machine_name(h->e_machine),
                   h->e_ident[EI_CLASS] == ELFCLASS64 ? "64" : "32", machine_name(HOST_MACHINE),
                   (int)sizeof(void *) * 8);
    return false;
}

static bool check_segments(library *l) {
    const elf_header *h = &l->header;
    if (h->e_phnum == 0 || h->e_phnum > MAX_SEGMENTS || h->e_phentsize != sizeof(elf_segment))
        return wrong(l, "is damaged: its program headers are invalid");
    if (!read_at(l, l->segments, (uint64_t)h->e_phnum * sizeof(elf_segment), h->e_phoff))
        return wrong(l, "is truncated: copy it again");
    for (unsigned i = 0; i < h->e_phnum; i++) {
        const elf_segment *s = &l->segments[i];
        if (s->p_type != PT_LOAD && s->p_type != PT_DYNAMIC) continue;
        if (s->p_offset > l->size || s->p_filesz > l->size - s->p_offset)
            return wrong(l, "is truncated: copy it again");
        if (s->p_type == PT_LOAD && s->p_memsz < s->p_filesz)
            return wrong(l, "is damaged: a segment is larger in the file than in memory");
    }
    return true;
}

/* A virtual address' place in the file; false where no segment holds it. */
static bool file_offset(const library *l, uint64_t address, uint64_t *out_offset) {
    for (unsigned i = 0; i < l->header.e_phnum; i++) {
        const elf_segment *s = &l->segments[i];
        if (s->p_type != PT_LOAD || address < s->p_vaddr || address - s->p_vaddr >= s->p_filesz)
            continue;
        *out_offset = s->p_offset + (address - s->p_vaddr);
        return true;
    }
    return false;
}

/* Refuses a sanitizer's runtime that this process does not have. */
static bool check_needed(library *l, uint64_t name_offset) {
    static const struct {
        const char *prefix, *sanitizer;
    } runtimes[] = {{"libasan.so", "address"},
                    {"libtsan.so", "thread"},
                    {"libclang_rt.asan", "address"},
                    {"libclang_rt.tsan", "thread"}};
    char name[24] = {0};
    uint64_t left = name_offset < l->size ? l->size - name_offset : 0;
    if (!read_at(l, name, left < sizeof name - 1 ? left : sizeof name - 1, name_offset))
        return true;
    for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
        if (strncmp(name, runtimes[i].prefix, strlen(runtimes[i].prefix)) != 0 ||
            strcmp(runtimes[i].sanitizer, TERN_BACKEND_SANITIZERS) == 0)
            continue;
        tern_fault_set(l->fault, TERN_ERR_FORMAT,
                       "%s was built with -fsanitize=%s and this process was not: build both alike",
                       l->path, runtimes[i].sanitizer);
        return false;
    }
    return true;
}

/* Calls check_needed for every library that this one names. */
static bool check_dynamic(library *l, const elf_segment *dynamic) {
    uint64_t count = dynamic->p_filesz / sizeof(elf_dynamic);
    if (count > MAX_DYNAMIC) return wrong(l, "is damaged: its dynamic section is too long");
    uint64_t names = 0;
    elf_dynamic entry;
    for (int pass = 0; pass < 2; pass++) { /* first the string table's place, then its users */
        for (uint64_t i = 0; i < count; i++) {
            if (!read_at(l, &entry, sizeof entry, dynamic->p_offset + i * sizeof entry))
                return wrong(l, "is truncated: copy it again");
            if (entry.d_tag == DT_NULL) break;
            if (pass == 0 && entry.d_tag == DT_STRTAB && !file_offset(l, entry.d_un.d_ptr, &names))
                return wrong(l, "is damaged: its string table is not in the file");
            if (pass == 1 && entry.d_tag == DT_NEEDED && names &&
                !check_needed(l, names + entry.d_un.d_val))
                return false;
        }
    }
    return true;
}

tern_status tern_elf_check(int fd, const char *path, tern_fault *fault) {
    library l = {.fd = fd, .path = path, .fault = fault};
    struct stat stat;
    if (fstat(fd, &stat) != 0 || stat.st_size < 0)
        return tern_fault_set(fault, TERN_ERR_IO, "cannot read %s", path);
    l.size = (uint64_t)stat.st_size;
    if (!check_header(&l) || !check_segments(&l)) return fault->status;
    for (unsigned i = 0; i < l.header.e_phnum; i++) {
        if (l.segments[i].p_type != PT_DYNAMIC) continue;
        return check_dynamic(&l, &l.segments[i]) ? TERN_OK : fault->status;
    }
    wrong(&l, "is damaged: it has no dynamic section");
    return fault->status;
}
