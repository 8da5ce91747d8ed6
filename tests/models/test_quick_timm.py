"""timm is imported without torch's compiler, and everything of it and of torchvision works as if it weren't."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import torch
from nmebench.models.timm_heatmap import hrnet_small
assert "torch._dynamo" not in sys.modules, "the compiler was imported"
assert torch.compiler.disable.__module__ == "torch.compiler"
import torchvision
boxes = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
found = torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), boxes, 2)
assert found.tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]
from torch._dynamo.utils import is_compile_supported
import torch._dynamo
assert torch._dynamo.utils.is_compile_supported is is_compile_supported
"""


def test_the_compiler_is_imported_when_it_is_called() -> None:
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
