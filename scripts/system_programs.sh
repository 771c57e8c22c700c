#!/bin/sh
# Emulators and Node that the cross-target tests run on. Installs what is missing where that can be
# done (root and apt); otherwise says in one line what to install and what is skipped without it.

wanted() {
    command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null || echo qemu-user
    command -v qemu-system-arm >/dev/null || echo qemu-system-arm
    command -v node >/dev/null || echo nodejs
}

missing=$(wanted | tr '\n' ' ')
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1
    missing=$(wanted | tr '\n' ' ')
fi
[ -z "$missing" ] || echo "note: install ${missing% } to run the aarch64, Cortex-M and wasm tests; \
those without their emulator are skipped"
exit 0
