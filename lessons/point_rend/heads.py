"""The two heads: a coarse mask of the whole box, and an answer for any point of it (PointRend, section 3.2).

R   regions
C   classes
P   points in a region
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CoarseHead(nn.Module):
    """A small mask of each class, from a map of the box: (R, channels, 2s, 2s) -> (R, C, s, s) logits.

    Args:
        side: s, 7 in the paper. hidden: width of the two fully connected layers.
    """

    def __init__(self, channels: int, classes: int, side: int = 7, hidden: int = 1024) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels, 2, stride=2)
        self.fc1 = nn.Linear(channels * side * side, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.masks = nn.Linear(hidden, classes * side * side)
        self.classes, self.side = classes, side
        nn.init.normal_(self.masks.weight, std=0.001)
        nn.init.zeros_(self.masks.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        x = F.relu(self.reduce(pooled)).flatten(1)  # (R, channels · s²)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))  # (R, hidden)
        return self.masks(x).view(len(pooled), self.classes, self.side, self.side)


class PointHead(nn.Module):
    """The same three layers at every point; each reads the coarse answer again.

    Args:
        channels: of the fine features. classes: C, also the channels of the coarse ones.
    """

    def __init__(self, channels: int, classes: int, hidden: int = 256, layers: int = 3) -> None:
        super().__init__()
        widths = [channels] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.Conv1d(width + classes, hidden, 1) for width in widths)
        self.masks = nn.Conv1d(hidden + classes, classes, 1)
        nn.init.normal_(self.masks.weight, std=0.001)
        nn.init.zeros_(self.masks.bias)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(R, channels, P), (R, C, P) -> logits (R, C, P)."""
        x = fine
        for layer in self.layers:
            x = F.relu(layer(torch.cat([x, coarse], dim=1)))  # (R, hidden, P)
        return self.masks(torch.cat([x, coarse], dim=1))
