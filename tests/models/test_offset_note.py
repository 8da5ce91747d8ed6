"""The note on offset maps that can't be right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nmebench import decoders, models
from nmebench.models.card_output import Output
from nmebench.models.offset_note import offset_note
from nmebench.models.output_adapter import output_notes
from nmebench.protocol import SUSPECT

START = f"{SUSPECT}heatmap-offset: "


def drawn(height: int = 24, width: int = 32) -> dict[str, Tensor]:
    """Exact outputs for 400 landmarks, some of which are on the border."""
    places = torch.rand(40, 10, 2, generator=torch.Generator().manual_seed(0))
    centres = places * torch.tensor([width - 1.0, height - 1.0])
    centres[0, :2] = torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0]])
    return decoders.create("heatmap-offset").draw(centres, height, width)


def test_exact_offsets_have_no_note() -> None:
    outputs = drawn()
    noise = 0.1 * torch.randn(outputs["offsets"].shape, generator=torch.Generator().manual_seed(1))
    assert offset_note(outputs["heatmaps"], outputs["offsets"]) == ()
    assert offset_note(outputs["heatmaps"], outputs["offsets"] + noise) == ()
    assert output_notes(Output(), outputs) == ()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(lambda o: o * 0, "the median offset at the maxima is 0 heatmap px: was the network", id="zero"),
        pytest.param(lambda o: o / 3.5, "change by 0.29 (x) and 0.29 (y) px per px, not by 1: times 3.5", id="unit"),
        pytest.param(lambda o: o * 4, "times 0.25 they fit; set radius in [output]", id="larger unit"),
        pytest.param(lambda o: o.flip(2), "x and y are exchanged", id="exchanged"),
        pytest.param(lambda o: -o, "lead from the landmark to the pixel; change their sign", id="sign"),
        pytest.param(
            lambda o: 5 * torch.randn(o.shape, generator=torch.Generator().manual_seed(2)),
            "heatmap px: was the network trained with offsets",
            id="noise",
        ),
    ],
)
def test_cause(change: object, cause: str) -> None:
    outputs = drawn()
    notes = offset_note(outputs["heatmaps"], change(outputs["offsets"]))  # type: ignore[operator]
    assert len(notes) == 1
    assert notes[0].startswith(START)
    assert cause in notes[0]


def test_offsets_that_are_trained_at_the_maximum_only() -> None:
    """PIPNet's loss reads the offset at one pixel, so the other pixels have any value."""
    outputs = drawn()
    peak = outputs["heatmaps"] == outputs["heatmaps"].amax(dim=(-2, -1), keepdim=True)
    assert offset_note(outputs["heatmaps"], outputs["offsets"] * peak[:, :, None]) == ()


def test_network_before_its_training() -> None:
    torch.manual_seed(0)
    module = models.create("offset-mobilenetv3", points=98).eval()
    with torch.inference_mode():
        outputs = module(torch.randn(2, 3, 64, 64))
    (note,) = [note for note in output_notes(Output(), outputs) if note.startswith(SUSPECT)]
    assert "was the network trained with offsets" in note


@pytest.mark.parametrize("shape", [(0, 4, 8, 8), (1, 4, 2, 8), (1, 4, 8, 1)])
def test_maps_without_neighbours_have_no_note(shape: tuple[int, ...]) -> None:
    assert offset_note(torch.zeros(shape), torch.zeros(*shape[:2], 2, *shape[2:])) == ()
