from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.options.lists.shard import Shard, shards


def test_shards_are_written_for_people() -> None:
    assert shards(4) == ["1/4", "2/4", "3/4", "4/4"]
    assert shards(1) == ["1/1"]


@pytest.mark.parametrize("number", [0, -1])
def test_a_list_without_shards_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        shards(number)


@pytest.mark.parametrize("text", ["5/4", "0/4", "1/0"])
def test_a_shard_that_there_is_not_is_refused_saying_how_to_count(text: str) -> None:
    with pytest.raises(ValueError, match=r"counts from 1 .* shards\(4\)"):
        Shard.parse(text)


@pytest.mark.parametrize("text", ["", "2", "2 of 4", "a/b", "-1/4", "1/4/2", "1.5/4"])
def test_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 2/4"):
        Shard.parse(text)


@given(st.integers(1, 20), st.data())
def test_a_shard_reads_back_as_it_is_written(of: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(1, of)), of)
    assert Shard.parse(str(shard)) == shard
    assert Shard.parse(shard) == shard


@given(st.text(), st.integers(1, 50))
def test_every_key_is_in_exactly_one_shard(image_key: str, of: int) -> None:
    assert sum(Shard.parse(each).holds(image_key) for each in shards(of)) == 1


def test_shards_of_numbered_keys_are_of_about_one_size() -> None:
    parts = [Shard.parse(each) for each in shards(8)]
    sizes = Counter(str(part) for key in range(16_000) for part in parts if part.holds(str(key)))
    assert min(sizes.values()) > 1_800
    assert max(sizes.values()) < 2_200


def test_a_key_stays_in_its_shard_from_release_to_release() -> None:
    held = {key: [each for each in shards(4) if Shard.parse(each).holds(key)] for key in ("1", "a-2", "港澳")}
    assert held == {"1": ["3/4"], "a-2": ["2/4"], "港澳": ["3/4"]}


def test_the_phases_of_a_lists_shards_are_spread_evenly() -> None:
    assert [Shard.parse(each).phase for each in shards(4)] == [0, 0.25, 0.5, 0.75]
