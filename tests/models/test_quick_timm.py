"""timm is imported without what most networks never use, and everything of it works as if it were imported."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import torch
from nmebench.models.quick_timm import timm
from nmebench.models.timm_heatmap import hrnet_small
hrnet_small()
unused = {"torch._dynamo", "torchvision", "huggingface_hub", "timm.data", "timm.models._hub"}
assert not unused & set(sys.modules), unused & set(sys.modules)
assert torch.compiler.disable.__module__ == "torch.compiler"

from timm.layers.norm_act import FrozenBatchNorm2d, freeze_batch_norm_2d, unfreeze_batch_norm_2d
norm = torch.nn.BatchNorm2d(3)
assert not isinstance(norm, FrozenBatchNorm2d)
assert "torchvision" not in sys.modules
frozen = freeze_batch_norm_2d(norm)
import torchvision
assert torchvision.ops.FrozenBatchNorm2d is torchvision.ops.misc.FrozenBatchNorm2d
assert type(frozen) is torchvision.ops.FrozenBatchNorm2d
assert isinstance(frozen, FrozenBatchNorm2d) and issubclass(type(frozen), FrozenBatchNorm2d)
assert type(unfreeze_batch_norm_2d(frozen)) is torch.nn.BatchNorm2d
assert type(timm.layers.create_norm_layer("frozenbatchnorm2d", 3)) is type(frozen)

network = timm.create_model("resnet10t", features_only=True, out_indices=(1, 2), feature_cls="fx")
assert type(network).__name__ == "FeatureGraphNet"
assert [list(map.shape) for map in network(torch.ones(1, 3, 32, 32))] == [[1, 64, 8, 8], [1, 128, 4, 4]]

assert "timm.models._hub" not in sys.modules
try:
    timm.create_model("local-dir:/no/such/folder")
except Exception as error:
    assert type(error).__module__ == "builtins" and "no/such/folder" in str(error), error
else:
    raise AssertionError("the folder does not exist")
import timm.models._hub
assert timm.models._builder.has_hf_hub() is timm.models._hub.has_hf_hub() is True

assert timm.data.resolve_model_data_config(network)["mean"] == (0.485, 0.456, 0.406)
import timm.data
assert timm.data.IMAGENET_DEFAULT_MEAN == timm.models.resnet.IMAGENET_DEFAULT_MEAN == (0.485, 0.456, 0.406)
assert not hasattr(timm, "no_such_name")

boxes = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
found = torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), boxes, 2)
assert found.tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]
from torch._dynamo.utils import is_compile_supported
import torch._dynamo
assert torch._dynamo.utils.is_compile_supported is is_compile_supported
"""


def test_a_module_is_imported_when_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_function_is_excluded_from_compilation_when_it_is_called_first() -> None:
    from nmebench.models.quick_timm import _disable_later

    calls = []

    @_disable_later
    def add(a: int, b: int = 2) -> int:
        """Add."""
        calls.append((a, b))
        return a + b

    assert (add.__name__, add.__doc__, calls) == ("add", "Add.", [])
    assert (add(1), add(1, b=5), calls) == (3, 6, [(1, 2), (1, 5)])
