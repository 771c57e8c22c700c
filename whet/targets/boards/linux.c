/* Start-up and output for Linux without a libc. */
#include <stddef.h>

int main(void);

static long system_call(long number, long a, long b, long c)
{
#if defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#elif defined(__riscv)
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
#endif
}

void board_print(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    system_call(64, 1, (long)text, (long)n);
}

__attribute__((used, noreturn)) void start(void)
{
    const int code = main();
    for (;;)
        system_call(94, code, 0, 0);
}

/* The kernel leaves the stack pointer aligned as a function call needs it. */
__attribute__((naked, noreturn)) void _start(void)
{
#if defined(__aarch64__)
    __asm__ volatile("b start");
#elif defined(__riscv)
    __asm__ volatile("j start");
#endif
}
