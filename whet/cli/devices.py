"""`whet devices`: what known devices can do, and what this machine does."""

from __future__ import annotations

from dataclasses import asdict

import click

from whet.cli.show import Cell, json_option, print_json, print_table, progress
from whet.devices import Device, Roofline, devices, measure
from whet.errors import InputError
from whet.plan.draw import size_text


@click.command("devices")
@click.option("--measure", "measured", is_flag=True, help="Measure this machine's roofline.")
@click.option("--threads", default=1, show_default=True, help="Cores to measure together.")
@json_option
def command(measured: bool, threads: int, as_json: bool) -> None:
    """List known devices; --measure adds this machine: clock, peaks, memory bandwidth.

    Known figures are from data sheets: peak speeds of all cores, bandwidth of the memory that
    holds activations.
    """
    if not 1 <= threads <= 1024:
        raise InputError("bad number of threads", why=str(threads), hint="1 to 1024")
    here = None
    if measured:
        with progress(as_json) as step:
            here = measure(threads, step)
    known = list(devices().values())
    if as_json:
        machine = asdict(here) if here else None
        print_json({"devices": [asdict(d) for d in known], "this_machine": machine})
        return
    columns = ("name", "device", "cores", "MHz", "RAM", "flash", "vector", "f32 GFLOP/s")
    rows = [_row(d) for d in known]
    print_table("Known devices", (*columns, "int8 GOP/s", "GB/s", "target"), rows)
    if here:
        print_machine(here)


def _row(d: Device) -> tuple[Cell, ...]:
    flash = size_text(d.flash_kib << 10) if d.flash_kib else "-"
    memory = (size_text(d.ram_kib << 10), flash, d.vector)
    speed = (d.f32_gflop_s, d.int8_gop_s, d.bandwidth_gb_s)
    return (d.name, d.title, d.cores, d.clock_mhz, *memory, *speed, d.target)


def print_machine(machine: Roofline) -> None:
    """The measured roofline: peaks, then each level of memory with its ridge points.

    A ridge point is the number of operations a byte above which arithmetic is the limit.
    """
    clock = machine.clock_ghz * machine.threads
    peaks = [
        ("float, multiply-add", machine.f32_gflop_s, machine.f32_gflop_s / clock),
        ("8-bit integer dot product", machine.int8_gop_s, machine.int8_gop_s / clock),
    ]
    name = f"This machine: {machine.cpu}, {machine.threads} thread"
    name += ("s" if machine.threads > 1 else "") + f", {machine.clock_ghz:.2f} GHz"
    print_table(name, ("peak", "Gop/s", "op/cycle"), peaks)
    rows = [
        (
            level.name,
            size_text(level.bytes),
            level.read_gb_s,
            level.copy_gb_s,
            machine.f32_gflop_s / level.read_gb_s,
            machine.int8_gop_s / level.read_gb_s,
        )
        for level in machine.levels
    ]
    columns = ("memory", "working set", "read GB/s", "copy GB/s", "f32 ridge", "int8 ridge")
    print_table("Bandwidth", columns, rows)
