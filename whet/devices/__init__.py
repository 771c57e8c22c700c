"""Devices: what known machines can do, as data, and what this machine does, as measured.

Known devices are TOML files in `known`, one each; a new device is one file. `measure` runs small C
loops here: clock, multiply-add peaks, and the bandwidth of each level of memory.
"""

from whet.devices.device import Device, device, devices
from whet.devices.roofline import Level, Roofline, measure, roofline

__all__ = ["Device", "Level", "Roofline", "device", "devices", "measure", "roofline"]
