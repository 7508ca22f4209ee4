"""Training makes only the masks that are asked for; losses and gradients are the plain form's."""

import pytest
import torch

from lessons.backbones import slim_pyramid
from lessons.solo import DecoupledSOLOHead, SOLOHead, sparse
from lessons.solo.model import SOLO

SIZES = ((70, 90), (64, 50))


def model_of(head_type) -> SOLO:
    torch.manual_seed(0)
    model = SOLO(
        slim_pyramid(8, 16, levels=3),
        head_type(16, 16, 3, (6, 5, 4), 2),
        scale_ranges=((1, 30), (10, 60), (30, 200)),
    )
    for parameter in model.head.parameters():  # far from the careful start, where all masks are nearly alike
        torch.nn.init.normal_(parameter, std=0.1)
    return model.double().train()


def samples(objects: tuple[int, ...]):
    generator = torch.Generator().manual_seed(1)
    images, targets = [], []
    for (height, width), count in zip(SIZES, objects, strict=True):
        images.append(torch.rand(3, height, width, generator=generator, dtype=torch.float64))
        boxes = torch.tensor([[2, 3, 20, 30], [30, 10, 48, 60], [5, 5, 45, 50]][:count]).reshape(-1, 4)
        masks = torch.zeros(count, height, width, dtype=torch.bool)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.tolist(), strict=True):
            mask[y1:y2, x1:x2] = True
        targets.append({"boxes": boxes.float(), "labels": torch.arange(count) % 3 + 1, "masks": masks})
    return images, targets


def plain_losses(model: SOLO, images, targets):
    batch = model.prepare(images)
    output = model.head(model.pyramid(batch.tensor))
    return model.loss(output, model.assign(targets, batch, output))


@pytest.mark.parametrize("head_type", [SOLOHead, DecoupledSOLOHead])
@pytest.mark.parametrize("objects", [(3, 2), (0, 3), (2, 0), (0, 0)], ids=str)
def test_losses_and_gradients_are_those_of_the_plain_form(head_type, objects):
    model = model_of(head_type)
    images, targets = samples(objects)
    gradients = []
    for losses in (model(images, targets), plain_losses(model, images, targets)):
        model.zero_grad()
        sum(losses.values()).backward()
        assert all(p.grad is not None for p in model.parameters()), "a process would wait for it for ever"
        gradients.append([p.grad.clone() for p in model.parameters()])
        gradients[-1].append(torch.stack(list(losses.values())).detach())
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-10)


def test_only_claimed_cells_are_made(monkeypatch: pytest.MonkeyPatch):
    model = model_of(SOLOHead)
    images, targets = samples((1, 0))
    asked = []
    original = sparse.CellOutput.probabilities

    def counted(self, level, images, cells):
        masks = original(self, level, images, cells)
        asked.append(len(masks))
        return masks

    monkeypatch.setattr(sparse.CellOutput, "probabilities", counted)
    model(images, targets)
    assert 0 < sum(asked) <= 2 * 9, "an object of two levels claims at most nine cells on each"
