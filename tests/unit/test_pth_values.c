/* What the constructors that a .pth file may name become, and how they are refused. */
#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/inspect.h"
#include "io/pth.h"
#include "io/zip_writer.h"
#include "tern/grad.h"
#include "tern/memory.h"

static tern_value load_constructors(tern_ctx *ctx) {
    tern_value v = tern_value_load(ctx, SAMPLE("constructors.pth"));
    cr_assert_eq(v.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    return v;
}

Test(pth_values, read_every_constructor_that_pytorch_writes) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = load_constructors(ctx), item;
    item = tern_dict_get(v, "counter");
    cr_assert(item.kind == TERN_VALUE_DICT && tern_dict_get(item, "a").as.i == 2);
    item = tern_dict_get(v, "set");
    cr_assert(item.kind == TERN_VALUE_LIST && tern_value_at(item, 0).as.i == 3);
    cr_assert_eq(tern_value_count(tern_dict_get(v, "frozen")), 0);
    item = tern_dict_get(v, "bytes");
    cr_assert(item.kind == TERN_VALUE_STRING && item.length == 3);
    cr_assert_eq(memcmp(item.as.s,
                        "\0\xff"
                        "A",
                        3),
                 0);
    item = tern_dict_get(v, "no_bytes");
    cr_assert(item.kind == TERN_VALUE_STRING && item.length == 0);
    cr_assert_str_eq(tern_dict_get(v, "bytearray").as.s, "x\xe9");
    item = tern_dict_get(v, "no_bytearray");
    cr_assert(item.kind == TERN_VALUE_STRING && item.length == 0);
    item = tern_dict_get(v, "size");
    cr_assert(item.kind == TERN_VALUE_TUPLE && tern_value_at(item, 1).as.i == 3);
    cr_assert_str_eq(tern_dict_get(v, "device").as.s, "cuda:1");
    item = tern_dict_get(v, "parameter");
    cr_assert(item.kind == TERN_VALUE_TENSOR && tern_has_grad_required(item.as.tensor));
    item = tern_dict_get(v, "tensor");
    cr_assert(item.kind == TERN_VALUE_TENSOR && tern_numel(item.as.tensor) == 2);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(pth_values, tell_every_constructor_that_pytorch_writes) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value report = tern_file_inspect(ctx, SAMPLE("constructors.pth"));
    cr_assert_eq(report.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    tern_value values = tern_dict_get(report, "values");
    cr_assert_eq(tern_value_count(tern_dict_get(report, "tensors")), 2);
    cr_assert_str_eq(tern_dict_get(values, "bytes").as.s, "00ff41");
    cr_assert_str_eq(tern_dict_get(values, "bytearray").as.s, "78e9");
    cr_assert_str_eq(tern_dict_get(values, "no_bytes").as.s, "");
    cr_assert_str_eq(tern_dict_get(values, "device").as.s, "cuda:1");
    cr_assert_eq(tern_dict_get(values, "counter.b").as.i, 1);
    cr_assert_eq(tern_dict_get(values, "set.0").as.i, 3);
    cr_assert_eq(tern_dict_get(values, "size.1").as.i, 3);
    tern_close(ctx);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static tern_sink archive(tern_ctx *ctx, const char *pickle, size_t size) {
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, "r");
    tern_zip_add(&zip, "data.pkl", pickle, size);
    tern_zip_add(&zip, "data/0", "\0\0\x80\x3f\0\0\0\x40", 8);
    tern_zip_add(&zip, "version", "3\n", 2);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    return sink;
}

#define V2      "ctorch._utils\n_rebuild_tensor_v2\n"
#define ORDERED "ccollections\nOrderedDict\n"
/* A persistent id of storage 0, of `count` elements of a class. */
#define STORED(class, count)                                                                       \
    "(X\7\0\0\0storage" class "X\1\0\0\0"                                                          \
                              "0X\3\0\0\0cpuK" count "tQ"
/* With a sixth part, as in the old streams. */
#define SIX    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\2NtQ"
#define FLOATS STORED("ctorch\nFloatStorage\n", "\2")
#define LONGS  STORED("ctorch\nLongStorage\n", "\1")
#define BYTES  STORED("ctorch.storage\nUntypedStorage\n", "\x08")
#define TENSOR V2 "(" FLOATS "K\0K\2\x85K\1\x85\x89" ORDERED ")RtR"
#define V3(dtype)                                                                                  \
    "ctorch._utils\n_rebuild_tensor_v3\n(" BYTES "K\0K\1\x85K\1\x85\x89" ORDERED ")R" dtype "tR"

Test(pth_values, read_the_older_and_the_newer_form_of_tensors) {
    static const char old[] = "\x80\x02"
                              "ctorch._utils\n_rebuild_tensor\n(" FLOATS "K\1K\1\x85K\1\x85tR.";
    static const char untyped[] = "\x80\x02" V3("ctorch\nint64\n") ".";
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = archive(ctx, old, sizeof old - 1);
    tern_value v = tern_pth_read(ctx, "x", sink.bytes, sink.used);
    cr_assert_eq(v.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_item(v.as.tensor), 2.0);
    tern_free(sink.bytes);
    sink = archive(ctx, untyped, sizeof untyped - 1);
    v = tern_pth_read(ctx, "x", sink.bytes, sink.used);
    cr_assert_eq(v.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_item_i64(v.as.tensor), 0x400000003f800000);
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(pth_values, refuse_constructors_with_wrong_arguments) {
#define CASE(text, why)                                                                            \
    { "\x80\x02" text ".", sizeof("\x80\x02" text ".") - 1, why }
#define OTHER "wrong arguments"
    static const struct {
        const char *pickle;
        size_t size;
        const char *why;
    } bad[] = {
        CASE("c_codecs\nencode\n)R", "not written as text"),
        CASE("c_codecs\nencode\nK\1K\2\x86R", "not written as text"),
        CASE("c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R", "as latin1"),
        CASE("c__builtin__\nbytearray\nK\1\x85R", OTHER),
        CASE("c__builtin__\nset\nK\1\x85R", OTHER),
        CASE("ctorch\nSize\n)R", OTHER),
        CASE("ctorch\ndevice\n)R", "no valid name"),
        CASE("ctorch\ndevice\nK\1\x85R", "no valid name"),
        CASE("ctorch\ndevice\nX\1\0\0\0\xff\x85R", "no valid name"),
        CASE(ORDERED "K\1\x85R", "something other than pairs"),
        CASE(ORDERED "](K\1K\2\x86K\1\x85"
                     "e\x85R",
             "something other than pairs"),
        CASE(ORDERED "]]\x86R", OTHER),
        CASE("ccollections\nCounter\n]\x85R", OTHER),
        CASE("c__builtin__\nset\n]]\x86R", OTHER),
        CASE("c__builtin__\nset\n]]a\x85R", "a set holds"),
        CASE("c__builtin__\nset\n]" TENSOR "a\x85R", "a set holds"),
        CASE("\x8f(" TENSOR "\x90", "a set holds"),
        CASE("}" TENSOR "K\1s", "a dict's key"),
        CASE("}]K\1s", "a dict's key"),
        CASE(TENSOR "K\1K\2s", "other than a dict"),
        CASE("ctorch\nSize\n]]\x86R", OTHER),
        CASE("ctorch\nSize\n]Na\x85R", OTHER),
        CASE("c_codecs\nencode\nX\0\0\0\0X\6\0\0\0utf-99\x86R", "an encoding"),
        CASE("ctorch.serialization\n_get_layout\nX\x0b\0\0\0torch.dense\x85R", "a layout has no"),
        CASE("c__builtin__\ncomplex\nN\x85R", OTHER),
        CASE("ctorch._utils\n_rebuild_parameter\n(" TENSOR "\x88" ORDERED ")RNtR",
             "wrong arguments"),
        CASE("ctorch._utils\n_rebuild_tensor\n(" FLOATS "K\0K\2\x85K\1\x85NtR", "wrong arguments"),
        CASE(V2 "(" FLOATS "K\0K\2\x85K\1\x85\x89" ORDERED ")RNNtR", "wrong arguments"),
        CASE(V2 "(" SIX "K\0K\2\x85K\1\x85\x89" ORDERED ")RtR", "other than tensors"),
        CASE(ORDERED ")RK\1a", "other than a list, dict or set"),
        CASE(ORDERED ")RK\1b", "attributes are not a dict"),
        CASE("ctorch\nSize\n)\x85R}b", "other than a dict"),
        CASE("ctorch\nFloatStorage\n)R", "an unknown class is called"),
        CASE("ctorch._utils\n_rebuild_parameter\n)R", OTHER),
        CASE("ctorch._utils\n_rebuild_parameter\nK\1\x88K\1\x87R", "not made from a tensor"),
        CASE("ctorch._utils\n_rebuild_parameter\n" V2 "(" LONGS "K\0K\1\x85K\1\x85\x89" ORDERED
             ")RtR\x88" ORDERED ")R\x87R",
             "a tensor of integers requires a gradient"),
        CASE("ctorch._tensor\n_rebuild_from_type_v2\n)R", "made in an unknown way"),
        CASE("ctorch\ncomplex32\n", "it is complex32"),
        CASE("c__builtin__\ncomplex\nG\0\0\0\0\0\0\0\0G\0\0\0\0\0\0\0\0\x86R", "complex number"),
        CASE("ctorch._utils\n_rebuild_sparse_tensor\n)R", "it is sparse"),
        CASE(V3("K\1"), "no valid dtype"),
        CASE(V3("ctorch\nFloatStorage\n"), "no valid dtype"),
        CASE(V3("ctorch\ncomplex32\n"), "it is complex32"),
        CASE(V3("ctorch\nint64\n") V3("ctorch\nfloat64\n") "\x86", "different dtypes share"),
        CASE(V2 "(" BYTES "K\0K\1\x85K\1\x85\x89" ORDERED ")RtR", "different dtypes share"),
        CASE(V2 "(" STORED("ctorch\nQInt8Storage\n", "\x08") "K\0K\1\x85K\1\x85\x89" ORDERED ")RtR",
             "is quantized"),
        CASE(V2 "(" STORED("ctorch\nint64\n", "\1") "K\0K\1\x85K\1\x85\x89" ORDERED ")RtR",
             "no valid class"),
        CASE("\x8c\1a", NULL),
    };
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tern_sink sink = archive(ctx, bad[i].pickle, bad[i].size);
        tern_value v = tern_pth_read(ctx, "x.pth", sink.bytes, sink.used);
        tern_free(sink.bytes);
        if (!bad[i].why) {
            cr_assert_eq(v.kind, TERN_VALUE_STRING, "%s", tern_error(ctx));
            continue;
        }
        cr_assert_eq(v.kind, TERN_VALUE_NONE, "case %zu is read", i);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i].why), "case %zu: %s", i, tern_error(ctx));
        check_message(ctx);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

Test(pth_values, read_what_python_2_and_older_pickles_hold) {
    static const struct {
        const char *pickle;
        size_t size;
        const char *text;
    } good[] = {
#define READS(text, shown) {"\x80\x02" text ".", sizeof("\x80\x02" text ".") - 1, shown}
        READS(ORDERED "](]K\1aK\2aK\3K\4\x86"
                      "e\x85R}X\1\0\0\0aNsb",
              "OrderedDict({1: 2, 3: 4})"),
        READS(ORDERED "}K\1K\2s\x85RK\1K\3s", "OrderedDict({1: 3})"),
        READS("}(K\1K\2K\1K\3u", "{1: 3}"),
        READS("ccollections\nCounter\n)RK\1K\3s", "{1: 3}"),
        READS("c__builtin__\nset\n)R", "[]"),
        READS("c__builtin__\nset\n](K\1)e\x85R", "[1, ()]"),
        READS("c_codecs\nencode\nX\2\0\0\0\xc3\xa9X\5\0\0\0utf-8\x86R", "'\xc3\xa9'"),
        READS("ctorch.serialization\n_get_layout\nX\x0d\0\0\0torch.strided\x85R",
              "'torch.strided'"),
        READS(V2 "(" FLOATS "K\0ctorch\nSize\nK\2\x85\x85RK\1\x85\x89" ORDERED ")RtR",
              "tensor([1., 2.])"),
    };
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[200] = "";
        tern_sink sink = archive(ctx, good[i].pickle, good[i].size);
        tern_value_repr(tern_pth_read(ctx, "x.pth", sink.bytes, sink.used), text, sizeof text);
        cr_assert_eq(tern_check(ctx), TERN_OK, "case %zu: %s", i, tern_error(ctx));
        cr_assert_str_eq(text, good[i].text);
        tern_value report = tern_inspect_over(ctx, "x.pth", sink.bytes, sink.used, NULL);
        cr_assert_eq(report.kind, TERN_VALUE_DICT, "case %zu: %s", i, tern_error(ctx));
        tern_free(sink.bytes);
    }
    tern_close(ctx);
}

Test(pth_values, tell_a_key_that_stands_twice) {
    static const char pickle[] = "\x80\x02}(X\1\0\0\0aK\2X\1\0\0\0aK\3u.";
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = archive(ctx, pickle, sizeof pickle - 1);
    tern_value report = tern_inspect_over(ctx, "x.pth", sink.bytes, sink.used, NULL);
    cr_assert_eq(tern_dict_get(tern_dict_get(report, "values"), "a").as.i, 3, "%s",
                 tern_error(ctx));
    cr_assert_str_eq(tern_value_at(tern_dict_get(report, "warnings"), 0).as.s,
                     "'a': it is there twice; the last one counts");
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(pth_values, keep_bytes_that_are_no_text) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = archive(ctx, "C\2\x9c\x51.", 5), again;
    tern_value v = tern_pth_read(ctx, "x.pth", sink.bytes, sink.used);
    tern_sink_memory(&again, ctx);
    cr_assert_eq(tern_pth_write(ctx, v, "x", &again), TERN_OK, "%s", tern_error(ctx));
    v = tern_pth_read(ctx, "x.pth", again.bytes, again.used);
    cr_assert(v.kind == TERN_VALUE_STRING && v.length == 2 && !memcmp(v.as.s, "\x9c\x51", 2));
    tern_free(sink.bytes);
    tern_free(again.bytes);
    tern_close(ctx);
}

/* ---- archives -------------------------------------------------------------------------------- */

Test(pth_values, refuse_archives_that_are_not_torchs) {
    static const struct {
        const char *version, *byteorder, *why;
    } cases[] = {{"3\n", "little", NULL},       {"10", "little", NULL},
                 {"0\n", "little", "version"},  {"11\n", "little", "version"},
                 {"3x", "little", "version"},   {"", "little", "version"},
                 {"3\n", "big", "byte order"},  {"3\n", "middle", "byte order"},
                 {NULL, "little", "no version"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_sink sink;
        tern_zip_writer zip;
        tern_sink_memory(&sink, ctx);
        tern_zip_writer_init(&zip, ctx, &sink, "r");
        tern_zip_add(&zip, "data.pkl", "\x80\x02K\7.", 5);
        tern_zip_add(&zip, "byteorder", cases[i].byteorder, strlen(cases[i].byteorder));
        if (cases[i].version)
            tern_zip_add(&zip, i == 0 ? ".data/version" : "version", cases[i].version,
                         strlen(cases[i].version));
        tern_zip_writer_end(&zip);
        tern_value v = tern_pth_read(ctx, "x.pth", sink.bytes, sink.used);
        tern_free(sink.bytes);
        cr_assert_eq(v.kind == TERN_VALUE_INT, cases[i].why == NULL, "case %zu", i);
        if (cases[i].why)
            cr_assert_not_null(strstr(tern_error(ctx), cases[i].why), "%s", tern_error(ctx));
        tern_error_clear(ctx);
    }
    tern_sink sink = archive(ctx, "\x80\x02K\7.more", 9);
    tern_pth_read(ctx, "x.pth", sink.bytes, sink.used);
    cr_assert_str_eq(tern_error(ctx), "x.pth: there are bytes after its pickle");
    tern_free(sink.bytes);
    tern_close(ctx);
}

/* A file of version 1.5 and before: five pickles. */
#define MAGIC        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define FACTS(order) "\x80\x02}X\x0d\0\0\0little_endian" order "s."

Test(pth_values, refuse_old_streams_that_are_damaged) {
#define STREAM(text, why)                                                                          \
    { MAGIC text, sizeof(MAGIC text) - 1, why }
#define K1001 "\x80\x02M\xe9\x03."
#define OLD   "\x80\x02" V2 "(" SIX "K\0K\2\x85K\1\x85\x89" ORDERED ")RtR."
    static const struct {
        const char *bytes;
        size_t size;
        const char *why;
    } cases[] = {
        STREAM(K1001 FACTS("\x88") OLD "\x80\x02]X\1\0\0\0000a.\2\0\0\0\0\0\0\0\0\0\x80?\0\0\0@",
               NULL),
        STREAM("\x80\x02K\1." FACTS("\x88") "\x80\x02K\7.\x80\x02].", "protocol is not 1001"),
        STREAM(K1001 FACTS("\x89") "\x80\x02K\7.\x80\x02].", "byte order"),
        STREAM(K1001 FACTS("\x88") "\x80\x02K\7.\x80\x02].x", "bytes after its last storage"),
        STREAM(K1001 FACTS("\x88") "\x80\x02K\7.\x80\x02K\1.", "list of storages is missing"),
        STREAM(K1001 FACTS("\x88") "\x80\x02K\7.\x80\x02]K\1a.", "that no tensor uses"),
        STREAM(K1001 FACTS("\x88") OLD "\x80\x02].", "refers to a storage that is missing"),
        STREAM(K1001 FACTS("\x88") OLD "\x80\x02]X\1\0\0\0000a.\3\0\0\0\0\0\0\0\0\0\x80?\0\0\0@",
               "another size"),
        STREAM(K1001 FACTS("\x88") OLD "\x80\x02]X\1\0\0\0000a.\2\0\0", "truncated"),
        STREAM(K1001 FACTS("\x88") OLD "\x80\x02]X\1\0\0\0000a.\2\0\0\0\0\0\0\0\0\0\x80?",
               "truncated"),
    };
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_value v =
            tern_pth_read(ctx, "x.pth", (const unsigned char *)cases[i].bytes, cases[i].size);
        if (!cases[i].why) {
            cr_assert_eq(v.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
            continue;
        }
        cr_assert_eq(v.kind, TERN_VALUE_NONE, "case %zu is read", i);
        cr_assert_not_null(strstr(tern_error(ctx), cases[i].why), "case %zu: %s", i,
                           tern_error(ctx));
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}
