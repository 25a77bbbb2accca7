import numpy as np
from scipy import ndimage

from autoseg.predict.readouts._instances import blockwise
from autoseg.predict.readouts._instances.blockwise import decode_blocks, number_in_order
from autoseg.spec.instances import Instances
from tests.each import each


def _blobs(seed, shape, sigma=2.0, share=0.45):
    """Foreground with pieces of all sizes, some winding through many blocks."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return (noise > np.quantile(noise, 1 - share)).astype(np.float32)


def _components(outputs):
    """A decoder: connected pieces; class by the area's parity, score by the mean."""
    labels, count = ndimage.label(outputs["mask"][0] > 0)
    ids = np.arange(1, count + 1)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    # Shuffled, so that ids say nothing about the order.
    new = np.random.default_rng(count).permutation(count) + 1
    table = np.concatenate([[0], new]).astype(np.int32)
    return Instances(
        table[labels],
        {int(new[i - 1]): 1 + int(sizes[i - 1] % 2) for i in ids},
        {int(new[i - 1]): 1 / float(sizes[i - 1]) for i in ids},
    )


def _read(image, seen=None):
    def outputs(box):
        if seen is not None:
            seen.append(box)
        return {"mask": image[(slice(None), *box)]}

    return outputs


@each(
    "shape, block, halo",
    [
        ((60, 83), (16, 16), (4, 4)),
        ((60, 83), (60, 20), (2, 2)),
        ((60, 83), (7, 11), (1, 1)),
        ((20, 26, 31), (9, 8, 10), (2, 2, 2)),
    ],
)
@each("seed", range(3))
def test_blocks_give_the_very_map_of_decoding_at_once(seed, shape, block, halo):
    image = _blobs(seed, shape, share=0.45 if len(shape) == 2 else 0.15)[None]
    once = number_in_order(_components({"mask": image}))
    assert 5 < once.labels.max()

    found = decode_blocks(_components, _read(image), shape, block, halo)

    assert np.array_equal(found.labels, once.labels)
    assert found.classes == once.classes
    assert found.scores == once.scores


def test_the_halo_grows_only_where_an_instance_goes_on():
    image = np.zeros((1, 10, 100), dtype=np.float32)
    image[0, 2, 5:60] = 1  # begins in the first block, ends in the sixth
    image[0, 7, 33:37] = 1
    seen = []

    decode_blocks(_components, _read(image, seen), (10, 100), (10, 10), (0, 4))

    again = [box[1] for box in seen if box[1].start == 0]
    assert [part.stop for part in again[:5]] == [14, 18, 26, 42, 74]
    # Every other block was decoded once.
    assert len(seen) == 10 + 4


def test_one_that_ends_with_the_halo_may_go_on():
    image = np.zeros((1, 1, 30), dtype=np.float32)
    image[0, 0, 3:14] = 1
    seen = []

    found = decode_blocks(_components, _read(image, seen), (1, 30), (1, 10), (0, 4))

    assert seen[0][1] == slice(0, 14) and seen[1][1] == slice(0, 18)
    assert found.labels.max() == 1


def test_a_margin_asks_for_more_around_an_instance():
    image = np.zeros((1, 1, 30), dtype=np.float32)
    image[0, 0, 3:12] = 1
    seen = []

    decode_blocks(_components, _read(image, seen), (1, 30), (1, 10), (0, 6), margin=5)

    # Of the 16 voxels that are seen, the last five begin at 15 with a halo of 10.
    assert [box[1].stop for box in seen[:2]] == [20, 30]


def test_ids_go_into_the_array_that_is_given(tmp_path):
    image = _blobs(4, (40, 50))[None]
    file = np.lib.format.open_memmap(
        tmp_path / "labels.npy", mode="w+", dtype=np.int32, shape=(40, 50)
    )

    found = decode_blocks(
        _components, _read(image), (40, 50), (16, 16), (4, 4), labels=file
    )

    assert found.labels is file
    assert np.array_equal(file > 0, image[0] > 0)


def test_progress_tells_every_block():
    told = []

    decode_blocks(
        _components,
        _read(np.zeros((1, 8, 8), np.float32)),
        (8, 8),
        (4, 8),
        (1, 1),
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(1, 2), (2, 2)]


def test_numbering_in_pieces_changes_nothing(monkeypatch):
    labels = _components({"mask": _blobs(5, (30, 40))[None]}).labels

    whole = number_in_order(Instances(labels.copy())).labels
    monkeypatch.setattr(blockwise, "PIECE", 80)
    pieces = number_in_order(Instances(labels.copy())).labels

    assert np.array_equal(whole, pieces)
    firsts = [np.flatnonzero(whole.ravel() == i)[0] for i in range(1, whole.max() + 1)]
    assert firsts == sorted(firsts)


def test_an_object_that_two_blocks_see_differently_is_there_once():
    def decode(outputs):
        """A decoder that shifts what it sees by where its input begins."""
        mask = outputs["mask"][0] > 0
        start = int(outputs["start"])
        mask[:, : 9 - start if start == 0 else 11 - start] = False
        return Instances(mask.astype(np.int32))

    image = np.zeros((1, 1, 20), dtype=np.float32)
    image[0, 0, 8:18] = 1

    found = decode_blocks(
        decode,
        lambda box: {"mask": image[(slice(None), *box)], "start": box[1].start},
        (1, 20),
        (1, 10),
        (0, 9),
    )

    # The first block says 9 to 17, the second 11 to 17.
    assert found.labels[0].tolist() == [0] * 9 + [1] * 9 + [0] * 2


def test_a_class_of_one_segment_is_one_in_all_blocks():
    def decode(outputs):
        """Objects, and everything below 0 as one segment of class 9."""
        found = _components(outputs)
        labels = found.labels.copy()
        rest = outputs["mask"][0] < 0
        new = int(labels.max()) + 1
        labels[rest] = new
        if not rest.any():
            return found
        scores = {**found.scores, new: float(rest.sum())}
        return Instances(labels, {**found.classes, new: 9}, scores)

    shape = (40, 160)
    image = _blobs(6, shape, share=0.2)[None] - _blobs(7, shape, share=0.2)[None]
    once = number_in_order(decode({"mask": image}))

    seen = []
    found = decode_blocks(
        decode, _read(image, seen), shape, (8, 8), (4, 4), one_segment=(9,)
    )

    assert np.array_equal(found.labels, once.labels)
    assert found.classes == once.classes
    assert list(found.classes.values()).count(9) == 1
    widest = max(part.stop - part.start for box in seen for part in box)
    assert widest < 80  # the halo did not grow for the segment


def test_an_object_that_is_too_large_is_put_together_of_pieces(caplog):
    image = np.zeros((1, 60, 60), dtype=np.float32)
    image[0, 3:55, 4:57] = 1  # from the first block to the last
    image[0, 10:50, 10:50] = 0
    image[0, 57:59, 20:25] = 1
    seen = []

    found = decode_blocks(
        _components, _read(image, seen), (60, 60), (12, 12), (4, 4), most=20**2
    )

    # A block with its halo has 20 x 20 pixels, so none was decoded with more.
    sizes = [np.prod([part.stop - part.start for part in box]) for box in seen]
    assert max(sizes) == 20**2
    ring, expected = found.labels[3, 4], image[0] > 0
    assert np.array_equal(found.labels > 0, expected)
    expected[57:59] = False
    assert np.array_equal(found.labels == ring, expected)
    assert found.labels.max() == 2
    assert "1 objects are larger" in caplog.text


def test_objects_of_a_giant_size_that_do_not_touch_stay_two():
    image = np.zeros((1, 40, 60), dtype=np.float32)
    image[0, 2:18, 2:58] = 1
    image[0, 19:38, 2:58] = 1

    found = decode_blocks(
        _components, _read(image), (40, 60), (10, 10), (4, 4), most=18**2
    )

    assert np.array_equal(found.labels > 0, image[0] > 0)
    assert set(np.unique(found.labels[2:18, 2:58])) == {1}
    assert set(np.unique(found.labels[19:38, 2:58])) == {2}


def test_what_a_decoder_drops_at_the_edge_is_found_with_more_around_it():
    def decode(outputs):
        """A decoder that drops what the edge of its input cuts."""
        labels = _components(outputs).labels
        for axis in (0, 1):
            for end in (0, -1):
                labels[np.isin(labels, np.take(labels, end, axis))] = 0
        return Instances(labels)

    image = np.zeros((1, 60, 60), dtype=np.float32)
    image[0, 5:50, 5:50] = 1
    image[0, 20:25, 20:25] = 0

    found = decode_blocks(
        decode,
        _read(image),
        (60, 60),
        (15, 15),
        (4, 4),
        presence=lambda outputs: outputs["mask"][0] > 0,
    )

    assert np.array_equal(found.labels, image[0])


def test_a_neighbor_that_is_cut_is_seen_whole():
    def decode(outputs):
        """A decoder that looks at what two objects that touch are like."""
        labels = outputs["mask"][0].astype(np.int32)
        for one, other in ((1, 2), (2, 1)):
            if (labels == one).sum() < 20:  # the smaller loses to the larger
                labels[labels == one] = other
        return Instances(labels)

    image = np.zeros((1, 1, 60), dtype=np.float32)
    image[0, 0, 2:12], image[0, 0, 12:45] = 1, 2

    found = decode_blocks(decode, _read(image), (1, 60), (1, 15), (0, 8))

    assert found.labels[0].tolist() == [0] * 2 + [1] * 43 + [0] * 15
