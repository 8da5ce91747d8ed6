"""Names, options, specs, messages and third-party plug-ins."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch

from nmebench import decoders
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded
from nmebench.protocol import CHAIN_MAPS

BUILT_IN = [
    "argmax", "quarter-offset", "dark", "dark-udp", "parabola", "local-soft-argmax", "soft-argmax",
    "barycentre", "top-k", "top-k-logits", "heatmap-offset", "simcc", "simcc-dark", "mmpose-udp", "mmpose-megvii",
    "face-alignment", "official-hrnet",
]  # fmt: skip


def test_built_in_decoders_are_listed_in_order() -> None:
    assert decoders.names()[: len(BUILT_IN)] == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_describe_has_every_field_of_a_list(name) -> None:
    info = decoders.describe(name)
    assert info.name == name
    assert info.summary.endswith(".")
    assert len(info.summary) < 120
    assert len(info.source) > 20
    assert info.chain is None or info.chain.map in CHAIN_MAPS
    assert info.origin == "built-in"
    assert 0 < info.bound < 2
    assert all(option.doc and option.allowed for option in info.options.values())


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("udp", "argmax"),
        ("udp", "mmpose-udp"),
        ("megvii", "mmpose-megvii"),
        ("fan", "face-alignment"),
        ("hrnet", "official-hrnet"),
    ],
)
def test_former_names_are_refused_with_their_replacement(name: str, replacement: str) -> None:
    for spec in (name, f"{name}:kernel=5"):
        with pytest.raises(
            decoders.DecoderError, match=rf"^decoder '{name}' no longer exists; use .*{replacement}"
        ) as error:
            decoders.from_spec(spec)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", BUILT_IN)
def test_default_spec_is_the_name(name) -> None:
    assert decoders.create(name).spec == name
    assert decoders.from_spec(name).options == decoders.create(name).options


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("dark:kernel=11", "dark", id="default-drops-out"),
        pytest.param("dark:path=whole,kernel=17", "dark:kernel=17,path=whole", id="sorted"),
        pytest.param("dark:sigma=2.0", "dark:sigma=2", id="short-number"),
        pytest.param("dark:max_step=0.1", "dark:max_step=0.1", id="exact-number"),
        pytest.param("dark:sigma=none", "dark", id="none"),
        pytest.param(" top-k : k = 5 ", "top-k:k=5", id="spaces"),
        pytest.param(
            "soft-argmax:temperature=0.30000000000000004", "soft-argmax:temperature=0.30000000000000004", id="17"
        ),
    ],
)
def test_spec_is_canonical_and_reads_back(text, canonical) -> None:
    head, colon, tail = text.partition(":")
    decoder = decoders.from_spec(f"{head.strip()}{colon}{tail}")
    assert decoder.spec == canonical
    again = decoders.from_spec(decoder.spec)
    assert (again.spec, again.options) == (decoder.spec, decoder.options)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("drak", "unknown decoder 'drak'; did you mean 'dark'?", id="near-name"),
        pytest.param("xyzzy", "unknown decoder 'xyzzy' (known: argmax, quarter-offset", id="far-name"),
        pytest.param("dark:kernal=11", "dark has no option 'kernal'; did you mean 'kernel'?", id="near-option"),
        pytest.param("argmax:kernel=11", "argmax has no option 'kernel' (options: it has none)", id="no-options"),
        pytest.param(
            "dark:kernel=10", "dark: kernel=10 isn't allowed; kernel is an odd integer from 3 to 99", id="even"
        ),
        pytest.param("dark:kernel=eleven", "kernel=eleven isn't allowed", id="not-a-number"),
        pytest.param("dark:kernel=11.0", "kernel=11.0 isn't allowed", id="not-an-integer"),
        pytest.param("dark:sigma=-1", "sigma is a number from 0.1 to 30, or none", id="range"),
        pytest.param("dark:sigma=nan", "sigma=nan isn't allowed", id="nan"),
        pytest.param("dark:kernel=17,sigma=2", "dark: give kernel=17 or sigma=2.0, not both", id="both"),
        pytest.param("quarter-offset:rule=mmpose", "did you mean 'mmpose", id="near-choice"),
        pytest.param("dark:", "isn't key=value", id="no-value"),
        pytest.param("dark:kernel", "'kernel' isn't key=value", id="no-equals"),
        pytest.param("dark:kernel=7,kernel=9", "gives 'kernel' twice", id="twice"),
    ],
)
def test_messages_are_one_line_with_the_way_out(spec, message) -> None:
    with pytest.raises(DecoderError) as caught:
        decoders.from_spec(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [True, "11 ", 11.5, None, [11]])
def test_create_refuses_values_of_another_type(value) -> None:
    if value == "11 ":
        assert decoders.create("dark", kernel=value).options["kernel"] == 11
        return
    with pytest.raises(DecoderError):
        decoders.create("dark", kernel=value)


def test_one_tensor_is_refused_where_two_outputs_are_needed() -> None:
    with pytest.raises(DecoderError, match="simcc needs the outputs simcc_x, simcc_y by name; it got one tensor"):
        decoders.create("simcc")(torch.rand(1, 2, 8, 8))


def test_missing_output_names_the_given_ones_and_the_nearest() -> None:
    outputs = {"heatmap": torch.rand(1, 2, 8, 8), "landmarks": torch.rand(1, 2, 2)}
    with pytest.raises(DecoderError, match="the network gave heatmap, landmarks; did you mean 'heatmap'"):
        decoders.create("argmax")(outputs)


def test_unused_outputs_are_ignored() -> None:
    maps = torch.rand(1, 2, 8, 8)
    found = decoders.create("argmax")({"heatmaps": maps, "landmarks": torch.rand(1)})
    assert torch.equal(found.landmarks, decoders.create("argmax")(maps).landmarks)


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 2, 0, 8), (1, 2, 8, 0)])
def test_wrong_shape_is_refused(shape) -> None:
    with pytest.raises(DecoderError, match="shape"):
        decoders.create("dark")(torch.zeros(shape))


def test_no_points_give_no_landmarks() -> None:
    assert decoders.create("dark")(torch.zeros(3, 0, 8, 8)).landmarks.shape == (3, 0, 2)


def test_decoded_unpacks_and_is_frozen() -> None:
    decoded = decoders.create("argmax")(torch.rand(2, 3, 8, 8))
    landmarks, scores = decoded
    assert isinstance(decoded, Decoded)
    assert landmarks is decoded.landmarks
    assert scores is decoded.scores
    with pytest.raises(AttributeError):
        decoded.landmarks = landmarks


def test_landmarks_have_no_gradient() -> None:
    maps = torch.rand(1, 2, 16, 16, requires_grad=True)
    for name in ("argmax", "dark", "soft-argmax"):
        assert not decoders.create(name)(maps).landmarks.requires_grad


PLUGIN = '''
"""A third-party decoder."""
from nmebench.decoders.interface import HeatmapDecoder

class Corner(HeatmapDecoder):
    """The corner of the maximum's pixel instead of its centre."""
    name = "corner"
    source = "section 3 of the paper that defines it"
    bound = 1.5
    exempt = {"flip": "a corner has no mirror image"}

    def refine(self, maps, maxima):
        return maxima.xy - 0.5

class Nameless(HeatmapDecoder):
    """Has no name, source or bound."""
    def refine(self, maps, maxima):
        return maxima.xy

class Idle(HeatmapDecoder):
    """Has no refine method."""
    name = "idle"
    source = "none"
    bound = 1.0
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a distribution on the path: the module ``third_party`` and the given entry points."""
    (tmp_path / "third_party.py").write_text(PLUGIN)
    (tmp_path / "shaky.py").write_text("raise OSError('libfoo.so: cannot open\\nmore')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "third_party", raising=False)

    def add(distribution: str, **entries: str) -> None:
        folder = tmp_path / f"{distribution}-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = "\n".join(f"{name.replace('_', '-')} = {value}" for name, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[nmebench.decoders]\n{lines}\n")

    return add


def test_plugin_is_listed_described_and_passes_the_contract(install) -> None:
    from nmebench.decoders.contract import run_checks

    install("corner-decoder", corner="third_party:Corner")
    assert decoders.names() == [*BUILT_IN, "corner"]
    info = decoders.describe("corner")
    assert (info.summary, info.origin) == (
        "The corner of the maximum's pixel instead of its centre.",
        "corner-decoder 1.2",
    )
    assert {result.outcome for result in run_checks("corner")} <= {"passed", "skipped", "exempt"}
    assert decoders.broken() == {}
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 3, 5] = 1
    assert decoders.create("corner")(maps).landmarks.tolist() == [[[4.5, 2.5]]]


@pytest.mark.parametrize(
    ("entries", "name", "message"),
    [
        pytest.param(
            {"shaky": "shaky:Decoder"}, "shaky", "shaky 1.2 can't be loaded from shaky:Decoder: OSError", id="crash"
        ),
        pytest.param({"gone": "third_party:Gone"}, "gone", "AttributeError", id="no-such-class"),
        pytest.param({"odd": "third_party:HeatmapDecoder"}, "odd", "doesn't define name, source, bound", id="the-base"),
        pytest.param(
            {"nameless": "third_party:Nameless"}, "nameless", "doesn't define name, source, bound", id="nameless"
        ),
        pytest.param({"idle": "third_party:Idle"}, "idle", "doesn't define refine", id="abstract"),
        pytest.param({"other": "third_party:Corner"}, "other", "has the name 'corner'", id="two-names"),
        pytest.param({"text": "os:sep"}, "text", "isn't a subclass", id="not-a-class"),
        pytest.param(
            {"argmax": "third_party:Corner"}, "argmax", "built in, and shaky 1.2 registers the same", id="shadow"
        ),
    ],
)
def test_broken_plugin_is_named_when_used_and_leaves_others_usable(install, entries, name, message) -> None:
    install("shaky", **entries)
    assert name in decoders.names()
    assert list(decoders.broken()) == [name]
    with pytest.raises(DecoderError) as caught:
        decoders.create(name)
    assert message in str(caught.value)
    assert "shaky 1.2" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert decoders.create("dark").spec == "dark"


def test_name_of_two_distributions_is_refused_and_both_are_named(install) -> None:
    install("one", corner="third_party:Corner")
    install("two", corner="third_party:Corner")
    with pytest.raises(DecoderError, match=r"registered by (one 1.2 and two 1.2|two 1.2 and one 1.2)"):
        decoders.create("corner")


def test_plugin_fits_in_fifteen_lines() -> None:
    lines = textwrap.dedent(PLUGIN).partition("class Nameless")[0].strip().splitlines()
    assert len([line for line in lines if line.strip()]) <= 15
