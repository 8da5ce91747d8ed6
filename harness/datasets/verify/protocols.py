"""Which published protocols a folder can serve."""

from __future__ import annotations

from collections.abc import Collection

from nmebench.datasets.verify.report import ServedProtocol, VerifyFinding

__all__ = ["protocols"]

_PHOTOGRAPHS = frozenset({"image-missing", "image-unreadable", "image-size", "outside", "no-photographs"})


def protocols(
    *,
    faces: int,
    whole: int,
    missing_subsets: Collection[str],
    rect: bool,
    scale: bool,
    train: int,
    findings: Collection[VerifyFinding],
) -> tuple[ServedProtocol, ...]:
    """What these files are good for, with the reason where they are not.

    :param faces: faces of the test list; ``whole`` of the complete set.
    :param missing_subsets: attributes that no file defines.
    :param rect: whether a list with rectangles is there; ``scale`` likewise for centres and scales.
    :param train: faces of the training list.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    bad_photographs = [finding for finding in findings if finding.code in _PHOTOGRAPHS]
    labels = [finding for finding in errors if finding.code not in _PHOTOGRAPHS]
    complete = f"{faces} of {whole} faces" if faces != whole else ""
    photographs = f"{len(bad_photographs)} faults of photographs" if bad_photographs else ""
    faults = f"{len(labels)} errors in the annotations" if labels else ""

    def row(name: str, *reasons: str) -> ServedProtocol:
        against = [reason for reason in reasons if reason]
        return ServedProtocol(name, served=not against, reason="; ".join(against) or "yes")

    absent = f"no subset {', '.join(missing_subsets)}" if missing_subsets else ""
    no_rect = "" if rect else "needs list_98pt_rect_attr_test.txt"
    no_scale = "" if scale else "needs the HRNet csv or the mmpose json"
    no_train = "" if train else "needs a training list"
    return (
        row("decoders' floors on the landmarks (no photographs)", faults),
        row("a network on these faces (not comparable with published values when partial)", faults, photographs),
        row("published NME/FR/AUC on test, box `landmarks` (HRNet, mmpose)", complete, faults, photographs),
        row("published values by attribute", complete, absent, faults, photographs),
        row("box `rect` (H3R's P2, AdaptiveWingLoss, PIPNet)", complete, no_rect, faults, photographs),
        row("box `annotation` (csv or json as read by HRNet and mmpose)", complete, no_scale, faults, photographs),
        row("training", no_train, "" if train in (0, 7500) else f"{train} of 7500 faces"),
    )
