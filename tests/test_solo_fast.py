"""The parts of the fast form, each equal to the plain way round."""

import pytest
import torch

from lessons.solo import decode, fast
from lessons.solo.heads import enlarge


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6, 5)])
def test_predicting_before_enlarging_is_the_same(size: tuple[int, int]):
    torch.manual_seed(0)
    predictor = torch.nn.Conv2d(4, 7, 3, padding=1).double()
    features, channels = torch.randn(1, 4, *size, dtype=torch.float64), torch.tensor([5, 0, 6])
    with torch.no_grad():
        expected = predictor(enlarge(features))[0, channels]
        assert torch.allclose(fast.predict_enlarged(predictor, features, channels), expected)


@pytest.mark.parametrize("size", [(2, 2), (2, 6), (8, 10)])
def test_convolving_and_halving_in_one_is_the_same(size: tuple[int, int]):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1).double()
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected = torch.nn.functional.avg_pool2d(convolution(features), 2)
        assert torch.allclose(fast.convolve_and_halve(convolution, features), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3)])
@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_by_a_whole_factor_is_the_same(size: tuple[int, int], factor: int):
    maps = torch.rand(3, *size)
    larger = (factor * size[0], factor * size[1])
    with torch.no_grad():
        assert torch.allclose(fast.enlarge_by(maps, factor), decode.enlarge_to(maps, larger), atol=1e-6)
        assert torch.equal(fast.fill(maps, (size[0] + 1, 7)), decode.enlarge_to(maps, (size[0] + 1, 7)))
