/*
 * Coefficients of elementary_*.c. Written by elementary_tables.py; do not edit.
 *
 * A file defines TERN_TABLE_x for the tables it wants, then includes this.
 */

#ifdef TERN_TABLE_EXP_LOG

/* ln 2 = the sum of three doubles. */
static const double LN2[3] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56, 0x1.7b57a079a1934p-111};

/* 1 / ln 2. */
static const tern_dd INV_LN2[] = {
    {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56},
};

/* 1 / ln 10. */
static const tern_dd INV_LN10[] = {
    {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57},
};

/* log10 2. */
static const tern_dd LOG10_2[] = {
    {0x1.34413509f79ffp-2, -0x1.9dc1da994fd21p-59},
};

/* 2 / (2k + 1): log((1 + s) / (1 - s)) / s as a series in s^2. */
static const tern_dd LOG_head[] = {
    {0x1.0000000000000p+1, 0x0.0p+0},
    {0x1.5555555555555p-1, 0x1.5555555555555p-55},
    {0x1.999999999999ap-2, -0x1.999999999999ap-56},
};

/* and on, in double. */
static const double LOG_tail[] = {
    0x1.2492492492492p-2, 0x1.c71c71c71c71cp-3, 0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3,
    0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4, 0x1.af286bca1af28p-4, 0x1.8618618618618p-4,
    0x1.642c8590b2164p-4, 0x1.47ae147ae147bp-4, 0x1.2f684bda12f68p-4, 0x1.1a7b9611a7b96p-4,
};

/* 1 / (k + 1)!: (e^r - 1) / r as a series in r. */
static const tern_dd EXPM1_head[] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {0x1.0000000000000p-1, 0x0.0p+0},
    {0x1.5555555555555p-3, 0x1.5555555555555p-57},
    {0x1.5555555555555p-5, 0x1.5555555555555p-59},
};

/* and on, in double. */
static const double EXPM1_tail[] = {
    0x1.1111111111111p-7,  0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16,
    0x1.71de3a556c734p-19, 0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29,
    0x1.6124613a86d09p-33, 0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-41, 0x1.ae7f3e733b81fp-45,
    0x1.952c77030ad4ap-49, 0x1.6827863b97d97p-53,
};

#endif /* TERN_TABLE_EXP_LOG */

#ifdef TERN_TABLE_TRIG

/* pi / 2 = the sum of three doubles. */
static const double PI_2[3] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54,
                               -0x1.f1976b7ed8fbcp-110};

/* (-1)^k / (2k + 1)!: sin(r) / r as a series in r^2. */
static const tern_dd SIN_head[] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {-0x1.5555555555555p-3, -0x1.5555555555555p-57},
    {0x1.1111111111111p-7, 0x1.1111111111111p-63},
};

/* and on, in double. */
static const double SIN_tail[] = {
    -0x1.a01a01a01a01ap-13, 0x1.71de3a556c734p-19,  -0x1.ae64567f544e4p-26,
    0x1.6124613a86d09p-33,  -0x1.ae7f3e733b81fp-41, 0x1.952c77030ad4ap-49,
    -0x1.2f49b46814157p-57, 0x1.71b8ef6dcf572p-66,  -0x1.761b41316381ap-75,
};

/* (-1)^k / (2k)!: cos(r) as a series in r^2. */
static const tern_dd COS_head[] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {-0x1.0000000000000p-1, 0x0.0p+0},
    {0x1.5555555555555p-5, 0x1.5555555555555p-59},
    {-0x1.6c16c16c16c17p-10, 0x1.f49f49f49f49fp-65},
};

/* and on, in double. */
static const double COS_tail[] = {
    0x1.a01a01a01a01ap-16,  -0x1.27e4fb7789f5cp-22, 0x1.1eed8eff8d898p-29,
    -0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-45,  -0x1.6827863b97d97p-53,
    0x1.e542ba4020225p-62,  -0x1.0ce396db7f853p-70, 0x1.f2cf01972f578p-80,
};

/* 2 / pi: 1216 bits after the binary point, most significant word first. */
static const uint32_t TWO_OVER_PI[38] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab,
};

#endif /* TERN_TABLE_TRIG */

#ifdef TERN_TABLE_INVERSE_TRIG

/* pi / 2. */
static const tern_dd HALF_PI[] = {
    {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54},
};

/* atan(i / 8), i = 0 .. 8. */
static const tern_dd ATAN_EIGHTHS[] = {
    {0x0.0p+0, 0x0.0p+0},
    {0x1.fd5ba9aac2f6ep-4, -0x1.cd37686760c17p-59},
    {0x1.f5b75f92c80ddp-3, 0x1.8ab6e3cf7afbdp-57},
    {0x1.6f61941e4def1p-2, -0x1.c63aae6f6e918p-56},
    {0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56},
    {0x1.1e00babdefeb4p-1, -0x1.928df287a668fp-58},
    {0x1.4978fa3269ee1p-1, 0x1.2419a87f2a458p-56},
    {0x1.700a7c5784634p-1, -0x1.8c34d25aadef6p-56},
    {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55},
};

/* (-1)^k / (2k + 1): atan(t) / t as a series in t^2. */
static const tern_dd ATAN_head[] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {-0x1.5555555555555p-2, -0x1.5555555555555p-56},
};

/* and on, in double. */
static const double ATAN_tail[] = {
    0x1.999999999999ap-3,  -0x1.2492492492492p-3, 0x1.c71c71c71c71cp-4,
    -0x1.745d1745d1746p-4, 0x1.3b13b13b13b14p-4,  -0x1.1111111111111p-4,
    0x1.e1e1e1e1e1e1ep-5,  -0x1.af286bca1af28p-5, 0x1.8618618618618p-5,
};

#endif /* TERN_TABLE_INVERSE_TRIG */

#ifdef TERN_TABLE_ERROR

/* 2 / sqrt(pi) (-1)^k / (k! (2k + 1)): erf(x) / x as a series in x^2. */
static const tern_dd ERF_head[] = {
    {0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56},  {-0x1.812746b0379e7p-2, 0x1.ee12e49cab700p-57},
    {0x1.ce2f21a042be2p-4, -0x1.2871bc5e00766p-58}, {-0x1.b82ce31288b51p-6, 0x1.1015978e7ac92p-61},
    {0x1.565bcd0e6a53fp-8, -0x1.a73e0832f7e39p-64}, {-0x1.c02db40040b86p-11, 0x1.d9a497a0f8b0ep-65},
};

/* and on, in double. */
static const double ERF_tail[] = {
    0x1.f9a326f9b89b7p-14, -0x1.f4d25c3e0c2ebp-17, 0x1.b9e6c9dc651a3p-20, -0x1.5f742ec43e71ap-23,
    0x1.fcc5720624c1cp-27, -0x1.51d7181c5d36dp-30, 0x1.9e6ad5e55a730p-34, -0x1.d8453cb0c46eap-38,
    0x1.f683ae4a97007p-42, -0x1.f56f071a885cfp-46, 0x1.d70b3537f4765p-50, -0x1.a2007af3447f6p-54,
    0x1.5f7919bc67b8cp-58, -0x1.18cc8a061c479p-62, 0x1.ab5cc31489f29p-67, -0x1.3676fc48c133cp-71,
};

/* 2 / sqrt(pi). */
static const tern_dd TWO_OVER_SQRT_PI[] = {
    {0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56},
};

/* sqrt(pi) / 2. */
static const tern_dd HALF_SQRT_PI[] = {
    {0x1.c5bf891b4ef6bp-1, -0x1.618f13eb7ca89p-55},
};

/* (1 + 2x) e^(x^2) erfc(x) in powers of u = (8t - 1) / 7, t = (x - 3) / (x + 3), x >= 3/7:
 * the Chebyshev interpolant (Shepherd and Laframboise, Math. Comp. 36, 1981). */
static const tern_dd ERFC_head[] = {
    {0x1.3c4c3dbdc8e23p+0, -0x1.d9e0fac2bc31ep-54},
    {-0x1.fdf526ad56555p-4, -0x1.f018d1164ee09p-58},
    {-0x1.bd7b1add31f06p-8, -0x1.f1df041b04bc5p-63},
    {0x1.b5d1a7477b3b2p-5, 0x1.61b8e4fd18e3dp-62},
    {-0x1.89866978e0633p-5, -0x1.544ecc98d68cdp-59},
    {0x1.b0b6bdba07c40p-6, 0x1.aeade614e49d3p-67},
    {-0x1.32ceb5a2b337ep-7, 0x1.d361c7ffe42c6p-61},
    {0x1.9827188b8e468p-10, 0x1.b50ad982f3e1ap-65},
    {0x1.603778b6387f6p-12, -0x1.0f8ede1aab34ep-70},
    {-0x1.fba8458dc9b5ep-13, 0x1.addb0e9781804p-67},
    {0x1.0cabcb1167040p-16, 0x1.3c4cb2e0ec03ep-70},
    {0x1.a3b7e075db9f1p-16, 0x1.d61bd7f7fed39p-70},
    {-0x1.5a7e631d95654p-18, 0x1.84809ab9c4c49p-76},
    {-0x1.72d5f564f39c9p-19, 0x1.da3a867c9e475p-73},
};

/* and on, in double. */
static const double ERFC_tail[] = {
    0x1.cced1262eb23fp-21,  0x1.907db8ff541f9p-22, -0x1.0e1474f9a44adp-23, -0x1.0a34dc8058f09p-24,
    0x1.1b587770d4ef9p-26,  0x1.9183a1f99b2dap-27, -0x1.b1e2e03091fdbp-30, -0x1.35102c5d7e42cp-29,
    -0x1.2365db226c583p-35, 0x1.b229ebc5ead8fp-32, 0x1.1a5166a10d229p-34,  -0x1.dace8f89046aap-35,
    -0x1.19eb398640153p-36, 0x1.21b46e6d3e840p-38, 0x1.dad4fdbb64fbcp-40,
};

#endif /* TERN_TABLE_ERROR */

#ifdef TERN_TABLE_GAMMA

/* (1 - Euler gamma), then (-1)^k (zeta(k) - 1) / k, k = 2 ..:
 * lgamma(2 + e) / e as a series in e (Abramowitz and Stegun 6.1.33). */
static const tern_dd LGAMMA2_head[] = {
    {0x1.b0ee6072093cep-2, 0x1.6cb90701fbfabp-58},  {0x1.4a34cc4a60fa6p-2, 0x1.1873d8912200cp-56},
    {-0x1.13e001a557607p-4, 0x1.fb68be2f8821fp-58}, {0x1.51322ac7d8483p-6, 0x1.afc89088cb729p-60},
    {-0x1.e404fc218f5f2p-8, 0x1.e4a627cf1eb34p-62},
};

/* and on, in double. */
static const double LGAMMA2_tail[] = {
    0x1.7add6eadb6c30p-9,  -0x1.38ac5c2bf8e08p-10, 0x1.0b36af86396e9p-11, -0x1.d3fd4c76d2fc8p-13,
    0x1.a127b0f17d65ap-14, -0x1.78de5bd7c81efp-15, 0x1.580dcee66eb02p-16, -0x1.3cbc963ce2243p-17,
    0x1.2597a39f34aacp-18, -0x1.11b2eb7679541p-19, 0x1.0064cdeb22f0fp-20, -0x1.e2600d93cfd2fp-22,
    0x1.c76bbb3f07a4dp-23, -0x1.af5a6cbbf8a97p-24, 0x1.99b93c2070b0fp-25, -0x1.862c734df3eacp-26,
    0x1.7469daccfadcdp-27, -0x1.6434a8447aeadp-28, 0x1.555a877ffd2c3p-29, -0x1.47b1679258d0ep-30,
    0x1.3b15d2b2fc10cp-31, -0x1.2f69a9fabe3e0p-32, 0x1.24932a337434cp-33, -0x1.1a7c26ec2523cp-34,
    0x1.11116e693ed98p-35, -0x1.08424cbc543d8p-36, 0x1.000026e3f644fp-37, -0x1.f07c514fc9f0ap-39,
};

/* B_2k / (2k (2k - 1)): Stirling's series in 1 / x^2 (A&S 6.1.40). */
static const tern_dd STIRLING_head[] = {
    {0x1.5555555555555p-4, 0x1.5555555555555p-58},
    {-0x1.6c16c16c16c17p-9, 0x1.f49f49f49f49fp-64},
};

/* and on, in double. */
static const double STIRLING_tail[] = {
    0x1.a01a01a01a01ap-11, -0x1.3813813813814p-11, 0x1.b951e2b18ff23p-11, -0x1.f6ab0d9993c7dp-10,
    0x1.a41a41a41a41ap-8,  -0x1.e4286cb0f5398p-6,  0x1.6fe96381e0680p-3,  -0x1.6476701181f3ap+0,
    0x1.ace44322ce006p+3,  -0x1.39b2525cccc1bp+7,  0x1.12234e81b4e82p+11, -0x1.1a198ae1c4ab8p+15,
};

/* B_2k / (2k): the asymptotic series of digamma in 1 / x^2 (A&S 6.3.18). */
static const tern_dd DIGAMMA_head[] = {
    {0x1.5555555555555p-4, 0x1.5555555555555p-58},
    {-0x1.1111111111111p-7, -0x1.1111111111111p-63},
};

/* and on, in double. */
static const double DIGAMMA_tail[] = {
    0x1.0410410410410p-8, -0x1.1111111111111p-8,  0x1.f07c1f07c1f08p-8,  -0x1.5995995995996p-6,
    0x1.5555555555555p-4, -0x1.c5e5e5e5e5e5ep-2,  0x1.86e7f9b9fe6e8p+1,  -0x1.a74ca514ca515p+4,
    0x1.1975cc0ed7304p+8, -0x1.c2f0566566566p+11, 0x1.ac572aaaaaaabp+15, -0x1.dc0b1a5cfbe16p+19,
};

/* ln(2 pi) / 2. */
static const tern_dd HALF_LN_2PI[] = {
    {0x1.d67f1c864beb5p-1, -0x1.65b5a1b7ff5dfp-55},
};

/* ln pi. */
static const tern_dd LN_PI[] = {
    {0x1.250d048e7a1bdp+0, 0x1.7abf2ad8d5088p-57},
};

/* pi. */
static const tern_dd PI[] = {
    {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53},
};

#endif /* TERN_TABLE_GAMMA */
