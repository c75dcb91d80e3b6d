from __future__ import annotations

import hashlib
from pathlib import Path

from labs.distributed.image_lists import draw_lists


def test_lists_have_their_sizes_and_no_two_images_are_the_same(tmp_path: Path) -> None:
    directory = tmp_path / "images"
    lists = draw_lists({"first": 7, "second": 5}, directory)
    assert [(each.dag_id, len(each.images)) for each in lists] == [("first", 7), ("second", 5)]
    digests = [digest for each in lists for digest in each.keys]
    assert len(set(digests)) == 12
    for each in lists:
        for image in each.images:
            content = (directory / image.file).read_bytes()
            assert each.keys[hashlib.sha256(content).hexdigest()] == image.image_id
    numbers = [image.fields["Number"] for each in lists for image in each.images if image.fields]
    assert numbers[0] != numbers[6]  # another person in the second round
