/* Start-up and output for a Cortex-M without an operating system, printing by semihosting. */
#include <stdint.h>

extern uint32_t stack_top, bss_start, bss_end, data_start, data_end, data_load;
int main(void);

static long semihosting(long operation, const void *argument)
{
    register long r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text) { semihosting(0x04, text); }

__attribute__((noreturn)) static void leave(uint32_t code)
{
    const uint32_t reason[2] = {0x20026u, code};
    for (;;)
        semihosting(0x20, reason);
}

static void fault(void)
{
    board_print("fault\n");
    leave(1);
}

__attribute__((used, noreturn)) void start(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;)
        *to++ = 0;
    leave((uint32_t)main());
}

/* The FPU is switched on before any C: the compiler may use its registers even to clear memory. */
__attribute__((naked, noreturn)) void Reset_Handler(void)
{
    __asm__ volatile("ldr r0, =stack_top\n msr msp, r0\n"
                     "ldr r0, =0xE000ED88\n ldr r1, [r0]\n orr r1, r1, #0xF00000\n str r1, [r0]\n"
                     "dsb\n isb\n b start");
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, Reset_Handler, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0,
    fault, fault,
};
