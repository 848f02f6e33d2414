/* SPDX-License-Identifier: Apache-2.0 */
/* Hello 2. The first byte chooses an allocation that fails, if any. */
#include "proto/hello.h"
#include "psi/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_hello2 hello, back;
    const char *why = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    if (size < 1)
        return 0;
    psi_mem_fail_at(data[0] & 0x07);
    tally_status status = wire_hello2_parse(&hello, data + 1, size - 1, &why);
    psi_mem_fail_at(0);
    if (status == TALLY_ERR_NO_MEMORY && (data[0] & 0x07))
        return 0;
    if (status == TALLY_ERR_MALFORMED && why && strncmp(why, "hello 2: ", 9) == 0)
        return 0;
    if (status || hello.items > WIRE_ITEMS_MAX || hello.batch_count > WIRE_EDGES_MAX)
        abort();
    uint64_t left = hello.items;
    for (size_t i = 0; i < hello.batch_count; i++) {
        if (hello.batches[i] > left)
            abort();
        left -= hello.batches[i];
    }
    if (hello.batch_count && left)
        abort();
    if (wire_hello2_build(&hello, &out, &len) || wire_hello2_parse(&back, out, len, &why) ||
        back.items != hello.items || memcmp(back.commitment, hello.commitment, 32) != 0 ||
        back.batch_count != hello.batch_count ||
        memcmp(back.batches, hello.batches, hello.batch_count * sizeof *hello.batches) != 0)
        abort();
    psi_free(out);
    return 0;
}
