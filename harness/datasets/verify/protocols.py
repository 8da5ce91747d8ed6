"""The published protocols that a folder can serve."""

from __future__ import annotations

from collections.abc import Collection

from nmebench.datasets.benchmark import names
from nmebench.datasets.verify.report import ServedProtocol, VerifyFinding

__all__ = ["served_protocols"]

_PHOTOGRAPHS = frozenset({"image-missing", "image-unreadable", "image-size", "outside", "no-photographs"})


def served_protocols(
    *,
    name: str,
    faces: int,
    total: int,
    missing_subsets: Collection[str],
    rect: bool,
    scale: bool,
    train: int,
    all_train: int,
    findings: Collection[VerifyFinding],
) -> tuple[ServedProtocol, ...]:
    """Return each published protocol, whether these files can serve it, and the reason if they can't.

    Args:
        name: name of the data set; the published protocols of WFLW differ in their boxes, and a data set of the user's
            has none.
        faces: the number of faces in the test list.
        total: the number of faces in the complete test set; 0 if it is not known.
        missing_subsets: subsets that no file defines.
        rect: whether a list with rectangles is present.
        scale: whether a file with centres and scales is present.
        train: the number of faces in the training list; 0 without one.
        all_train: the number of faces in the complete training set; 0 if it is not known.
        findings: everything that the checks found.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    bad_photographs = [finding for finding in findings if finding.code in _PHOTOGRAPHS]
    annotation_errors = [finding for finding in errors if finding.code not in _PHOTOGRAPHS]
    partial = f"{faces} of {total} faces" if total and faces != total else ""
    photographs = f"photographs with faults: {len(bad_photographs)}" if bad_photographs else ""
    faults = f"errors in the annotations: {len(annotation_errors)}" if annotation_errors else ""

    def row(protocol: str, *reasons: str) -> ServedProtocol:
        against = [reason for reason in reasons if reason]
        return ServedProtocol(protocol, served=not against, reason="; ".join(against) or "yes")

    absent = f"no subset {', '.join(missing_subsets)}" if missing_subsets else ""
    no_rect = "" if rect else "needs list_98pt_rect_attr_test.txt"
    no_scale = "" if scale else "needs the HRNet csv or the mmpose json"
    no_train = "" if train else "needs a training list"
    floors = row("decoders' floors on the landmarks (needs no photographs)", faults)
    network = row("a network on these faces (not comparable with published values when partial)", faults, photographs)
    training = row(
        "training",
        no_train,
        f"{train} of {all_train} faces" if train and all_train and train != all_train else "",
    )
    if name != "wflw":
        known = "" if total else "the size of the complete set is not known"
        known = known if name in names() else "no published values are known"
        return (
            floors,
            network,
            row("published values on all faces", known, partial, faults, photographs),
            row("published values by subset", known, partial, absent, faults, photographs),
            training,
        )
    return (
        floors,
        network,
        row("published NME/FR/AUC on test, box `landmarks` (HRNet, mmpose)", partial, faults, photographs),
        row("published values by attribute", partial, absent, faults, photographs),
        row("box `rect` (H3R's P2, AdaptiveWingLoss, PIPNet)", partial, no_rect, faults, photographs),
        row("box `annotation` (csv or json as read by HRNet and mmpose)", partial, no_scale, faults, photographs),
        training,
    )
