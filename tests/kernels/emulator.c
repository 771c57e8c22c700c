// Calls kernels of TABLE for a process that emulates this machine: until standard input ends, reads
//     int function, begin, end, arguments; then for each argument
//     int kind (0 null, 1 array, 2 table of the arrays that follow), int bytes or entries, the bytes
// calls TABLE[function](begin, end, argument, ...) and writes all arrays back in order.
#define MAX 8
static _Alignas(64) unsigned char heap[1 << 26];

static long call(long number, long a, const void *b, long c) {
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x2 __asm__("x2") = c;
    register const void *x1 __asm__("x1") = b;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
static void receive(void *to, long bytes) {
    for (long got = 0, n; got < bytes; got += n)
        if ((n = call(63, 0, (char *)to + got, bytes - got)) <= 0) call(94, n != 0, 0, 0);
}
static void send(const void *from, long bytes) {
    for (long sent = 0; sent < bytes;) sent += call(64, 1, (const char *)from + sent, bytes - sent);
}

typedef void (*kernel)(int, int, void *, void *, void *, void *, void *, void *);
static void answer(void) {
    int head[4], size[MAX] = {0};
    void *argument[MAX] = {0}, *array[MAX];
    int arrays = 0;
    unsigned char *free = heap;
    receive(head, sizeof head);
    for (int i = 0; i < head[3]; i++) {
        int kind[2], entries = 1;
        receive(kind, sizeof kind);
        if (kind[0] == 0) continue;
        if (kind[0] == 2) {
            argument[i] = &array[arrays];
            entries = kind[1];
        }
        for (int e = 0; e < entries; e++) {
            if (kind[0] == 2) receive(kind + 1, sizeof(int));
            else argument[i] = free;
            receive(free, kind[1]);
            array[arrays] = free, size[arrays++] = kind[1];
            free += (kind[1] + 127) / 64 * 64;
        }
    }
    const kernel run = (kernel)TABLE[head[0]];
    run(head[1], head[2], argument[0], argument[1], argument[2], argument[3], argument[4],
        argument[5]);
    for (int i = 0; i < arrays; i++) send(array[i], size[i]);
}
void _start(void) {
    for (;;) answer();
}
