/* SPDX-License-Identifier: Apache-2.0 */
/* Two primes for tests of Paillier, big-endian: 1536 bits, top bits 11, 3 mod 4. Made by `openssl prime`;
 * never a key. */
#ifndef TESTS_PAILLIER_PRIMES_H
#define TESTS_PAILLIER_PRIMES_H

static const char paillier_prime_p[] =
    "ed92299ba9bb238f84a1bf232a40827e0edf7822a6aa62e776673890fac86e4ad3ad7bf2bbf92e578a202523fe59dc12"
    "7e04e1c050c2cb4595f6ae1cfe513935d01e5ed9c21cf42dd5b2bf3bb5326906c8d95c82d415e8649c6b1813ca7a523c"
    "0466a06c0152d0c57cb2080e204cff1082d47279e9939939f2ed2a0b04b88cb972457a9d252640db90df9136c029f895"
    "7a6f1bb20bcdfa9e2ef94583bdf0e3b10dd40723cd96c8c02f52671a46bf4ced5df1d2e027f6483fa607ff43e40c7eaf";
static const char paillier_prime_q[] =
    "ebdd2036870de380ce6e360fbe99d34d235658cfaee505551130f6e97636b929b9c29a0f39389001b001fdd4e4c2dd9e"
    "0b7e83f6d57cb11d097ad343830ac12b702967c217adbd92ba10a1c2d87db81a3a2278e55f2d0f8c93685d82d755a59c"
    "d40f3ccb79f00fb9bfc4635d7e77cbd0b0bbbd5ec813c0c4fb239efc4f0054beff6d908c679fffc209900a6b6690b0ca"
    "2b39f8be7baf776b4dd31d7230917381fb1ae093a126befe1c65f1865c4993045240e7431ba92bdda60f9825a061d083";

#endif
