"""Which anchor, or proposal, stands for which object; and which of them a step learns from.

N   objects of the image (ground truth)
A   anchors, or proposals
"""

import torch
from torch import Tensor

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


def match(iou: Tensor, positive: float, negative: float, low_quality: bool = False) -> tuple[Tensor, Tensor]:
    """Give every anchor the object that it overlaps most, and say how well.

    Args:
        iou: (N, A). N may be 0: then every anchor is negative.
        positive: an anchor with at least this IoU is positive.
        negative: one with less than this is negative; between the two it is ignored.
        low_quality: also the best anchors of each object are positive, however bad, so that no object is
            without one; all that tie for best. This changes the verdict, not the object: an anchor that is
            the best for one object and overlaps another more is positive for the other.

    Returns:
        index (A,) int64 of the object, 0 where there is none; verdict (A,) int64, 1 positive, 0 negative,
        -1 ignored.

    Source: Ren et al. 2015, section 3.1.2.
    """
    if iou.shape[0] == 0:
        nothing = torch.zeros(iou.shape[1], dtype=torch.int64, device=iou.device)
        return nothing, nothing.clone()
    best, index = iou.max(dim=0)  # (A,) both
    verdict = torch.full_like(index, IGNORED)
    verdict[best < negative] = NEGATIVE
    verdict[best >= positive] = POSITIVE
    if low_quality:
        best_of_object = iou.max(dim=1, keepdim=True).values  # (N, 1)
        verdict[(iou == best_of_object).any(dim=0)] = POSITIVE
    return index, verdict


def sample(positive: Tensor, negative: Tensor, count: int, positive_fraction: float) -> tuple[Tensor, Tensor]:
    """Choose at random: at most `count · positive_fraction` positives, and negatives for the rest.

    Most anchors are background; without this the few others would not be heard. Chance comes from torch's
    global generator: one permutation of the positives, then one of the negatives, also where nothing is
    left out.

    Args:
        positive, negative: (A,) bool.
        count: how many in all; fewer if there are not enough.

    Returns:
        indices of the chosen positives (P,) and negatives (Q,), int64, in the order of the draw.
    """
    positives = positive.nonzero()[:, 0]
    negatives = negative.nonzero()[:, 0]
    most = min(len(positives), int(count * positive_fraction))
    rest = min(len(negatives), count - most)
    first = torch.randperm(len(positives), device=positives.device)[:most]
    second = torch.randperm(len(negatives), device=negatives.device)[:rest]
    return positives[first], negatives[second]
