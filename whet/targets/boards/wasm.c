/* Output for WebAssembly: the host gives `print`, and calls `run`. */
__attribute__((import_module("board"), import_name("print"))) void print(const char *text);

void board_print(const char *text) { print(text); }
