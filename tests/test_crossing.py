"""A batch crosses from a worker process as one tensor, and arrives as it was."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons.data.batches import collate
from lessons.data.crossing import Samples, pack, unpack

DTYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool)


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    return type(a) is type(b) and a == b


def assert_equal(first: Samples, second: Samples) -> None:
    assert len(first[0]) == len(second[0]) and len(first[1]) == len(second[1])
    assert all(same(a, b) for a, b in zip(first[0], second[0], strict=True))
    for a, b in zip(first[1], second[1], strict=True):
        assert list(a) == list(b) and all(same(a[key], b[key]) for key in a)


tensors = st.builds(
    lambda shape, dtype, seed: (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 9).to(
        dtype
    ),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
    st.sampled_from(DTYPES),
    st.integers(0, 99),
)
targets = st.dictionaries(st.sampled_from("abcdef"), tensors | st.integers() | st.text() | st.none())


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(tensors, targets), max_size=4))
def test_everything_arrives_as_it_was(samples):
    batch = collate(samples)
    block, image_places, target_places = pack(*batch)
    assert block.dtype == torch.uint8 and block.ndim == 1
    assert_equal(unpack(block, image_places, target_places), batch)
    assert_equal(pickle.loads(pickle.dumps(batch)), batch)


def test_a_strided_tensor_and_one_with_a_gradient_arrive_contiguous_and_plain():
    image = torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2)
    weights = torch.ones(3, requires_grad=True)
    arrived = pickle.loads(pickle.dumps(Samples([image], [{"weights": weights}])))
    assert torch.equal(arrived[0][0], image) and torch.equal(arrived[1][0]["weights"], weights)
    assert not arrived[1][0]["weights"].requires_grad


class Pictures(torch.utils.data.Dataset):
    """Pictures of different sizes, some without objects."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int):
        if index > 5:
            raise IndexError(index)
        image = torch.full((3, 4 + index, 5), index / 6)
        masks = torch.ones(index % 3, 4 + index, 5, dtype=torch.bool)
        return image, {"masks": masks, "image_id": index, "labels": torch.arange(index % 3)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_give_what_one_process_gives(method):
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot start a process by {method}")
    alone = torch.utils.data.DataLoader(Pictures(), batch_size=4, collate_fn=collate)
    helped = torch.utils.data.DataLoader(
        Pictures(), batch_size=4, collate_fn=collate, num_workers=1, multiprocessing_context=method
    )
    batches = list(zip(alone, helped, strict=True))
    assert len(batches) == 2
    for first, second in batches:
        assert isinstance(second, Samples)
        assert_equal(first, second)
        own = [second[0][0].untyped_storage().data_ptr(), second[1][-1]["masks"].untyped_storage().data_ptr()]
        assert own[0] == own[1], "one block of memory holds the whole batch"
