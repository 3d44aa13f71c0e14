#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/pickle_reader.h"
#include "io/pickle_writer.h"

/* ---- writing: Python's pickle.dumps(..., protocol=2) is the reference ------------------------ */

typedef struct golden {
    int count;
    size_t size;
    const char *sha256;
} golden;

static void check_dump(tern_ctx *ctx, tern_value value, const golden *expected, const char *what) {
    tern_pickle_writer w;
    char sum[65];
    tern_pickle_writer_init(&w, ctx);
    cr_assert_eq(tern_pickle_dump(&w, value), TERN_OK);
    tern_sha256_hex(w.out.bytes, w.out.used, sum);
    cr_assert_eq(w.out.used, expected->size, "%s of %d: %zu bytes", what, expected->count,
                 w.out.used);
    cr_assert_str_eq(sum, expected->sha256, "%s of %d", what, expected->count);
    tern_pickle_writer_fini(&w);
}

Test(pickle, writes_numbers_and_texts_as_python_does) {
    static const unsigned char expected[] =
        "\x80\x02]q\0("
        "K\0K\xffM\0\x01M\xff\xffJ\0\0\x01\0J\xff\xff\xff\xffJ\0\0\0\x80J\xff\xff\xff\x7f"
        "\x8a\x05\0\0\0\x80\0\x8a\x05\xff\xff\xff\x7f\xff\x8a\x06\0\0\0\0\0\x01\x8a\x06\0\0\0\0\0"
        "\xff"
        "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x08\0\0\0\0\0\0\0\x80"
        "G\x3f\xe0\0\0\0\0\0\0G\x80\0\0\0\0\0\0\0\x88\x89NX\x02\0\0\0\xc3\xa9q\x01X\0\0\0\0q\x02"
        "e.";
    static const int64_t ints[] = {0,         255,          256,       65535,     65536,
                                   -1,        INT32_MIN,    INT32_MAX, 1LL << 31, -(1LL << 31) - 1,
                                   1LL << 40, -(1LL << 40), INT64_MAX, INT64_MIN};
    tern_ctx *ctx = tern_open(NULL);
    tern_value list = tern_list_new(ctx);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        tern_list_append(list, tern_int(ints[i]));
    const tern_value others[] = {tern_float(0.5),  tern_float(-0.0), tern_bool(true),
                                 tern_bool(false), tern_none(),      tern_text("\xc3\xa9"),
                                 tern_text("")};
    for (size_t i = 0; i < 7; i++) tern_list_append(list, others[i]);
    tern_pickle_writer w;
    tern_pickle_writer_init(&w, ctx);
    tern_pickle_dump(&w, list);
    cr_assert_eq(w.out.used, sizeof expected - 1);
    for (size_t i = 0; i < w.out.used; i++)
        cr_assert_eq(w.out.bytes[i], expected[i], "byte %zu is %02x", i, w.out.bytes[i]);
    tern_pickle_writer_fini(&w);
    tern_close(ctx);
}

Test(pickle, writes_containers_of_every_size_as_python_does) {
    static const golden dicts[] = {
        {1, 10, "269269eb742c49fe1d65f4492ed2d5207275bec67bcb9be3ed45a78950bdd319"},
        {2, 14, "770e0381cc9cf98f7618dea381588b418987a48cda602e96d9f7c1f5bb243769"},
        {1000, 3754, "c1e26b51445ea1591d7d7c2a87527008361f39e7a919cd627d4331a1ff4a4c1a"},
        {1001, 3758, "d83b111763c6168f00cf6ff8e154c2fba05e5f5b92bddbd74d18b7d3b5070787"},
        {2001, 7760, "0500deb000e73dc9da765b6370058eff2622fef99ea84c3a39d39b93f6efb118"}};
    static const golden ordered[] = {
        {1, 38, "7a425a904abf0bf336ee215bd2af2873f9b1396ea0491caa94c48eead4e87a86"},
        {2, 42, "a34e60b409022267befd579347b640d3751ea1eec3fd14d66827fbef46580c32"},
        {1000, 3780, "7df8e06cac71b27f1deb99381f352abafef324f2a147cbc1057e68bc95b5ac09"},
        {1001, 3785, "d15cf584f52f1a9d0c44002313ddb725e3074851652f9830615f4ffbc6f0b96f"},
        {2001, 7787, "2c5dab5955cf91558006ac5f0694af072652c7c275ab012771041fb8a78168a5"}};
    static const golden lists[] = {
        {1, 8, "15943db9011ff6c7c8f8127fc53b95a92e7b742a1502c9d7002c3348597f6998"},
        {2, 10, "ab768d2685197687caa428ea99167c991115d2a70301e6f3aa90fd96f5ab6d2b"},
        {1000, 1008, "ee82e94f4553e3978b9e5a98486906fcc58ae028dc4e71727830af8553485c39"},
        {1001, 1011, "9109e37a17e57c5ffda10fb40e3bd49c06620390ff5b76f7af889dfd537a07d7"},
        {2001, 2013, "e2ee8840045e4dbe817f8861a4879afad7de003ee394a36c681e1be7a1c44f97"}};
    static const golden tuples[] = {
        {1, 7, "0ec2208554f66dcef22a16273a45464434335df0573a481bdd292fce20114874"},
        {2, 8, "0c0b0d0dbd2c5a54c966b15b9332d5e43a679100fdabe77b10a0603176588953"},
        {1000, 1007, "d10c959a658a2a1f8bf052fe20fe7c5a5fb545501eb1b79e6330eec74a74f9eb"},
        {1001, 1008, "7cb1f10020fccf32f0c224335372512730bbddcbb1c5a86abc852f8865870ca0"},
        {2001, 2008, "d678f2af03aad7a3a35da29696c9f43f6ddabe1502f6776b2dbf1d0ef4d814af"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t k = 0; k < 5; k++) {
        tern_value d = tern_dict_new(ctx, false), o = tern_dict_new(ctx, true);
        tern_value l = tern_list_new(ctx), t = tern_tuple_new(ctx);
        for (int i = 0; i < dicts[k].count; i++) {
            tern_dict_set_value(d, tern_int(i), tern_none());
            tern_dict_set_value(o, tern_int(i), tern_none());
            tern_list_append(l, tern_none());
            tern_list_append(t, tern_none());
        }
        check_dump(ctx, d, &dicts[k], "a dict");
        check_dump(ctx, o, &ordered[k], "an OrderedDict");
        check_dump(ctx, l, &lists[k], "a list");
        check_dump(ctx, t, &tuples[k], "a tuple");
    }
    tern_close(ctx);
}

Test(pickle, refuses_to_write_what_no_reader_could_take) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value list = tern_list_new(ctx), deep = tern_none();
    tern_list_append(list, list);
    const tern_value bad[] = {list, tern_generator_value(tern_default_generator(ctx)), deep};
    static const char *const messages[] = {
        "save: a list or dict contains itself, which cannot be saved",
        "save: a generator cannot be saved: save the state that tern_generator_get_state gives",
        "save: values are nested deeper than 256"};
    for (size_t i = 0; i < 3; i++) {
        tern_value value = bad[i];
        for (int n = 0; i == 2 && n < 300; n++) {
            tern_value outer = tern_tuple_new(ctx);
            tern_list_append(outer, value);
            value = outer;
        }
        tern_pickle_writer w;
        tern_pickle_writer_init(&w, ctx);
        cr_assert_neq(tern_pickle_dump(&w, value), TERN_OK);
        tern_pickle_writer_fini(&w);
        cr_assert_str_eq(tern_error(ctx), messages[i]);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const tern_pglobal known[] = {{"collections", "OrderedDict", 7}};

typedef struct reading {
    tern_ctx *ctx;
    tern_pickle_reader reader;
} reading;

static reading reading_begin(void) {
    reading r = {tern_open(NULL), {0}};
    r.reader =
        (tern_pickle_reader){.ctx = r.ctx, .path = "x.pth", .globals = known, .n_globals = 1};
    return r;
}

static void reading_end(reading *r) {
    tern_pickle_free(&r->reader);
    tern_close(r->ctx);
}

#define READ(r, text)                                                                              \
    tern_pickle_read(&(r)->reader, (const unsigned char *)text, sizeof(text) - 1, NULL)

Test(pickle, reads_what_protocols_2_to_5_write) {
    reading r = reading_begin();
    tern_pnode *n = READ(&r, "\x80\x04\x95\x09\0\0\0\0\0\0\0]\x94(K\x01K\x02"
                             "e.");
    cr_assert_not_null(n, "%s", tern_error(r.ctx));
    cr_assert(n->kind == TERN_P_LIST && n->length == 2 && n->as.items[1]->as.i == 2);
    n = READ(&r, "\x80\x02}q\0(X\x01\0\0\0aq\1J\xff\xff\xff\xffX\x01\0\0\0bh\1u.");
    cr_assert(n->kind == TERN_P_DICT && n->length == 4);
    cr_assert_eq(n->as.items[0], n->as.items[3], "a memo is not the same object");
    cr_assert_eq(n->as.items[1]->as.i, -1);
    n = READ(&r, "\x80\x02\x8a\x05\0\0\0\x80\0.");
    cr_assert_eq(n->as.i, INT64_C(1) << 31);
    n = READ(&r, "\x80\x02\x8a\0.");
    cr_assert(n->kind == TERN_P_INT && n->as.i == 0);
    n = READ(&r, "\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\1.");
    cr_assert_eq(n->kind, TERN_P_BIG_INT);
    n = READ(&r, "\x80\x02G\x3f\xe0\0\0\0\0\0\0.");
    cr_assert_eq(n->as.f, 0.5);
    n = READ(&r, "\x80\x04\x8c\x0b"
                 "collections\x8c\x0bOrderedDict\x93)R.");
    cr_assert(n->kind == TERN_P_CALL && n->as.items[0]->as.known == 7 && n->length == 2);
    n = READ(&r, "\x80\x02"
                 "ccollections\nOrderedDict\n)R(K\1K\2u}X\1\0\0\0aNsb.");
    cr_assert(n->kind == TERN_P_CALL && n->length == 4);
    cr_assert(n->built && n->built->kind == TERN_P_DICT);
    n = READ(&r, "(lp0\nI12\naI01\naI00\naL-3L\naF0.5\naS'a\\n\\x41\\''\nag0\na.");
    cr_assert(n && n->kind == TERN_P_LIST && n->length == 7, "%s", tern_error(r.ctx));
    cr_assert(n->as.items[0]->as.i == 12 && n->as.items[3]->as.i == -3);
    cr_assert(n->as.items[1]->as.b && n->as.items[2]->kind == TERN_P_BOOL);
    cr_assert_eq(n->as.items[4]->as.f, 0.5);
    cr_assert(n->as.items[5]->length == 4 && !memcmp(n->as.items[5]->as.bytes, "a\nA'", 4));
    cr_assert_eq(n->as.items[6], n, "a memo number written out");
    n = READ(&r, "V\xe9\\u20ac\\U0001f600\n.");
    cr_assert(n && n->length == 9 &&
              !memcmp(n->as.bytes, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9));
    n = READ(&r, "L-123456789012345678901234567890L\n.");
    cr_assert(n && n->kind == TERN_P_TEXT && n->length == 31, "%s", tern_error(r.ctx));
    n = READ(&r, "\x80\x02(K\1K\2t\x85Q.");
    cr_assert(n->kind == TERN_P_STORED && r.reader.stored == n);
    reading_end(&r);
}

Test(pickle, names_what_a_pickle_wants_to_call) {
    reading r = reading_begin();
    cr_assert_null(READ(&r, "\x80\x02"
                            "cos\nsystem\nX\x02\0\0\0ls\x85R."));
    cr_assert_str_eq(tern_error(r.ctx), "x.pth: refused: the file wants to call 'os.system', and a "
                                        "reader of data runs no code");
    tern_error_clear(r.ctx);
    cr_assert_null(READ(&r, "\x80\x04\x8c\x05posix\x8c\x06system\x93."));
    cr_assert_not_null(strstr(tern_error(r.ctx), "'posix.system'"));
    reading_end(&r);
}

Test(pickle, refuses_damage_with_the_place) {
#define BAD(text)                                                                                  \
    { text, sizeof(text) - 1 }
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {BAD(""),
               BAD("\x80"),
               BAD("\x80\x06N."),
               BAD("\x80\x02"),
               BAD("\x80\x02."),
               BAD("\x80\x02NN."),
               BAD("\x80\x02(."),
               BAD("\x80\x02("),
               BAD("\x80\x02t."),
               BAD("\x80\x02\x85."),
               BAD("\x80\x02(\x85."),
               BAD("\x80\x02(Nt\x87."),
               BAD("\x80\x02Na."),
               BAD("\x80\x02NNa."),
               BAD("\x80\x02](Ns."),
               BAD("\x80\x02}(NNNu."),
               BAD("\x80\x02}(u"),
               BAD("\x80\x02NNR."),
               BAD("\x80\x02N)R."),
               BAD("\x80\x02"
                   "ccollections\nOrderedDict\nNR."),
               BAD("\x80\x02"
                   "ccollections\nOrderedDict"),
               BAD("\x80\x02]}b."),
               BAD("\x80\x02h\0."),
               BAD("\x80\x02q\0."),
               BAD("\x80\x02Nq\xff."),
               BAD("\x80\x02Nr\xff\xff\xff\xff."),
               BAD("\x80\x02X\xff\xff\xff\xff."),
               BAD("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff."),
               BAD("\x80\x02K"),
               BAD("\x80\x02G\0\0\0"),
               BAD("\x80\x02\x95\xff\xff\xff\xff\xff\xff\xff\xffN."),
               BAD("\x80\x02NN\x93."),
               BAD("\x80\x02I1x\n."),
               BAD("\x80\x02I1"),
               BAD("\x80\x02L\n."),
               BAD("\x80\x02Fx\n."),
               BAD("\x80\x02Sa\n."),
               BAD("\x80\x02S'a\n."),
               BAD("\x80\x02S'\\'\n."),
               BAD("\x80\x02S'\\q'\n."),
               BAD("\x80\x02V\\u12\n."),
               BAD("\x80\x02V\\ud800\n."),
               BAD("\x80\x02Np-1\n."),
               BAD("\x80\x02g7\n."),
               BAD("\x80\x02\x8f(Na."),
               BAD("\x80\x02](N\x90."),
               BAD("\x80\x02(i"),
               BAD("\x80\x02\xff."),
               BAD("\x80\x02Q."),
               BAD("\x80\x02N0."),
               BAD("\x80\x02N1."),
               BAD("\x80\x02(d}(Nd.")};
    reading r = reading_begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t length;
        tern_pnode *n =
            tern_pickle_read(&r.reader, (const unsigned char *)bad[i].bytes, bad[i].size, &length);
        cr_assert_null(n, "case %zu is read", i);
        cr_assert_eq(tern_error_clear(r.ctx), TERN_ERR_FORMAT, "case %zu", i);
    }
    reading_end(&r);
}
