"""A note on heatmaps that look like logits."""

from __future__ import annotations

from torch import Tensor

from nmebench.models.card_output import Output

__all__ = ["logit_note"]


def logit_note(heatmaps: Tensor, output: Output) -> tuple[str, ...]:
    """Return a note if most heatmaps have no positive value, as logits have none.

    Args:
        heatmaps: ``[N, K, h, w]`` of some faces.
        output: the card's ``[output]`` table.

    Returns:
        One line, or nothing.

    Example:
        >>> import torch
        >>> print(*logit_note(torch.full((1, 2, 4, 4), -3.0), Output(empty="never")))  # doctest: +ELLIPSIS
        2 of 2 heatmaps have no value above 0, as logits: DARK and the parabola can't take their logarithms; set ...
    """
    maps = heatmaps.shape[0] * heatmaps.shape[1]
    negative = int((heatmaps.amax(dim=(-2, -1)) <= 0).sum()) if heatmaps.numel() else 0
    if 2 * negative <= maps:
        return ()
    empty = f"they count as empty (output.empty = {output.empty!r})"
    effect = empty if output.largest_empty >= 0 else "DARK and the parabola can't take their logarithms"
    return (
        f"{negative} of {maps} heatmaps have no value above 0, as logits: {effect}; set output.activation in the card,"
        ' such as "sigmoid", or output.empty = "never" for decoders that can read logits',
    )
