/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/curve_constants.h"

const uint64_t psi_curve_numbers[CURVE_NUMBERS][4] = {
    [CURVE_ONE] = {1},
    [CURVE_TWO] = {2},
    [CURVE_D] = {0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898, 0x52036cee2b6ffe73},
    [CURVE_2D] = {0xebd69b9426b2f159, 0x00e0149a8283b156, 0x198e80f2eef3d130, 0x2406d9dc56dffce7},
    [CURVE_SQRT_M1] = {0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478, 0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b},
    [CURVE_SQRT_AD_MINUS_ONE] = {0x7e97f6a0497b2e1b, 0xaf9d8e0c1b7854bd, 0x0f3cfcc931f5d1fd,
                                 0x376931bf2b8348ac},
    [CURVE_INVSQRT_A_MINUS_D] = {0x99c8fdaa805d40ea, 0x9d2f16175a4172be, 0x16c27b91fe01d840,
                                 0x786c8905cfaffca2},
    [CURVE_ONE_MINUS_D_SQ] = {0xe27c09c1945fc176, 0x2c81a138cd5e350f, 0x9994abddbe70dfe4, 0x029072a8b2b3e0d7},
    [CURVE_D_MINUS_ONE_SQ] = {0x31ad5aaa44ed4d20, 0xd29e4a2cb01e1999, 0x4cdcd32f529b4eeb, 0x5968b37af66c2241},
};

const uint64_t psi_curve_generator[4] = {0x714ebc6a0aaef2e2, 0x5f5100c561a984a8, 0x8ddd82a56a0be358,
                                         0x762d8de04559a6b6};
