/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

#include <stdio.h>

/* For machines without libFuzzer: run the target on the files named. */
int
main(int argc, char **argv)
{
    static uint8_t data[1 << 17];
    uint8_t *copy;
    size_t len;
    FILE *f;
    int i;

    for (i = 1; i < argc; i++) {
        f = fopen(argv[i], "rb");
        if (f == NULL) {
            perror(argv[i]);
            return 1;
        }
        len = fread(data, 1, sizeof data, f);
        fclose(f);
        copy = malloc(len + (len == 0));
        CHECK(copy != NULL);
        memcpy(copy, data, len);
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
