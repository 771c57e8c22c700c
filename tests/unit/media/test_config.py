"""The TOML: every mistake is one line that names the key and the near match."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from whet.errors import InputError
from whet.media.config import STEPS, VIEWS, parse_config, read_config, render_config

GOOD = """
[input.image]
source = "image"
steps = [
  { step = "resize", height = 224, width = 224, method = "bicubic", antialias = false },
  { step = "center_crop", height = 200, width = 200 },
  { step = "normalise", mean = [123.7, 116.3, 103.5], std = 58 },
  { step = "layout", order = "NCHW" },
]

[input."weird \\"name"]
source = "audio"
[[input."weird \\"name".steps]]
step = "log_mel"
frame_ms = 30
stride_ms = 20.5
[[input."weird \\"name".steps]]
step = "reshape"
shape = [1, -1]

[[view]]
kind = "classes"
output = "scores"
labels = ["a", "b\\u00e9"]
softmax = true

[[view]]
kind = "mask"
output = "mask"
"""


def test_render_and_parse_are_inverse() -> None:
    config = parse_config(GOOD, "a.toml")
    assert len(config.inputs) == 2
    assert len(config.views) == 2
    assert parse_config(render_config(config), "b.toml") == config


STEP = '[input.x]\nsource="image"\nsteps=[{{ {} }}]'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[inputs.x]", "unknown key 'inputs': a.toml; try: 'input'"),
        ('[input.x]\nsource="image"\nstep=[]', "unknown key 'step'.*try: 'steps'"),
        ('[input.x]\nsource="picture"', "bad source.*image, audio, array"),
        (
            STEP.format('step="resise"'),
            r"unknown step 'resise': a.toml \[input.x\] step 1.*'resize'",
        ),
        (STEP.format('step="resize",heigth=3'), "unknown key 'heigth'.*try: 'height'"),
        (STEP.format('step="resize",height="3"'), "height: '3' is no whole number"),
        (STEP.format('step="resize",height=true'), "True is no whole number"),
        (STEP.format('step="resize",height=3'), "give height and width, or shorter"),
        (STEP.format('step="resize",shorter=9,method="cubic"'), "method is one of"),
        (STEP.format('step="layout"'), "missing key 'order'"),
        (STEP.format('step="normalise",std=0'), "std is not zero"),
        (STEP.format('step="normalise",mean=nan'), "no finite number"),
        (STEP.format("resize=3"), "unknown step None"),
        ('[[view]]\nkind="class"\noutput="y"', "unknown view 'class'.*'classes'"),
        ('[[view]]\nkind="classes"\noutput="y"\ntop=0', "top is 1 to"),
        ('[[view]]\nkind="classes"\noutput="y"\nlabels="../x"', "refusing the label file"),
        ('[[view]]\nkind="classes"\noutput="y"\nlabels="/etc/passwd"', "refusing the label file"),
        ("view = 3", "expected an array"),
        ("input = 3", "expected a table"),
        ("[input", "cannot read the TOML"),
        ("a = " + "[" * 5000, "cannot read the TOML"),
    ],
)
def test_mistakes(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_config(text, "a.toml", tmp_path)
    assert "\n" not in str(caught.value)


def test_label_files_lie_beside_the_toml(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text('[[view]]\nkind="classes"\noutput="y"\nlabels="names.txt"\n')
    with pytest.raises(InputError, match=r"names\.txt"):
        read_config(path)
    (tmp_path / "names.txt").write_text("cat\n dog \n\n")
    config = read_config(path)
    assert config.views[0].labels == ("cat", "dog")
    assert parse_config(render_config(config), "inline") == config


@pytest.mark.parametrize("kind", [*STEPS.values(), *VIEWS.values()])
def test_every_step_and_view_explains_itself(kind: type) -> None:
    assert kind.__doc__
    assert not kind.__doc__.startswith(kind.__name__ + "(")


DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "pipelines.md"


def test_the_documented_examples_are_valid() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 3
    for text in examples:
        assert parse_config(text, "docs").inputs


@pytest.mark.parametrize("name", [*STEPS, *VIEWS])
def test_every_step_and_key_is_documented(name: str) -> None:
    kind = {**STEPS, **VIEWS}[name]
    text = DOCUMENT.read_text(encoding="utf-8")
    (entry,) = re.findall(rf"^\* \*\*{name}\*\*(.*)$", text, re.MULTILINE)
    assert [re.split("[ `]", key)[1] for key in re.findall("`[^`]+`", entry)] == [
        field.name for field in dataclasses.fields(kind)
    ]
