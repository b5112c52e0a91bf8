"""Shards: computed once, made again when damaged or foreign, never half there."""

import numpy as np
import pytest
import toy_models

from dnalm.engine.shards import Shards, run_key, weights_sha256
from dnalm.models import init_params

KEY = run_key({"model": "toy", "layers": [1, 2]})
VALUES = {"values": np.arange(6, dtype=np.float16).reshape(2, 3)}


class Computation:
    def __init__(self, values=VALUES):
        self.values, self.times = values, 0

    def __call__(self):
        self.times += 1
        return self.values


def get(shards, computation, number=0, part="rows 0-2"):
    arrays = shards.get(number, part, computation)
    np.testing.assert_array_equal(arrays["values"], VALUES["values"])
    assert arrays["values"].dtype == VALUES["values"].dtype


def test_a_shard_is_computed_once(tmp_path):
    first, second = Computation(), Computation()
    get(Shards(tmp_path, KEY), first)
    get(Shards(tmp_path, KEY), second)
    assert (first.times, second.times) == (1, 0)
    assert Shards(tmp_path, KEY).finished() == 1
    assert [path.name for path in Shards(tmp_path, KEY).folder.iterdir()] == ["shard_000000.npz"]


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(bytes(data))


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "no zip": lambda path: path.write_text("hello"),
    "flipped": lambda path: flip(path, path.read_bytes().index(VALUES["values"].tobytes()) + 3),
    "flipped name": lambda path: flip(path, path.read_bytes().rindex(b"values.npy")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_shard_is_made_again(tmp_path, caplog, damage):
    shards, computation = Shards(tmp_path, KEY), Computation()
    get(shards, computation)
    damage(shards.folder / "shard_000000.npz")
    get(shards, computation)
    assert computation.times == 2
    assert "shard_000000.npz: damaged" in caplog.text
    get(shards, computation)  # and it is whole again
    assert computation.times == 2


@pytest.mark.parametrize("part, number", [("rows 0-3", 0), ("rows 0-2", 1)])
def test_a_foreign_shard_is_made_again(tmp_path, caplog, part, number):
    shards, computation = Shards(tmp_path, KEY), Computation()
    get(shards, computation, 0, "rows 0-2")
    path = shards.folder / "shard_000000.npz"
    path.rename(shards.folder / f"shard_{number:06d}.npz")
    get(shards, computation, number, part)
    assert computation.times == 2
    assert "belongs to another run" in caplog.text


def test_runs_do_not_mix(tmp_path):
    other = Shards(tmp_path, run_key({"model": "toy", "layers": [1]}))
    mine = Shards(tmp_path, KEY)
    assert other.folder != mine.folder
    get(other, Computation())
    get(mine, Computation())
    mine.remove()
    assert (other.finished(), mine.finished()) == (1, 0)
    other.remove()
    assert not tmp_path.exists()  # the empty working folder goes too


def test_63_two_copies_of_a_run_do_not_disturb_each_other(tmp_path):
    def slower():
        get(Shards(tmp_path, KEY), Computation())  # the other copy finishes the same shard meanwhile,
        Shards(tmp_path, KEY).remove()  # and then the whole run
        return VALUES

    get(Shards(tmp_path, KEY), slower)
    assert [path.name for path in Shards(tmp_path, KEY).folder.iterdir()] == ["shard_000000.npz"]


def test_a_fault_leaves_no_shard(tmp_path):
    def fails():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        Shards(tmp_path, KEY).get(0, "rows 0-2", fails)
    assert Shards(tmp_path, KEY).finished() == 0


def test_weights_are_told_apart():
    config = toy_models.config()
    hashes = {
        weights_sha256(init_params(config, 0), config),
        weights_sha256(init_params(config, 1), config),
        weights_sha256(init_params(config, 0), toy_models.config(layer_norm_eps=1e-12)),
    }
    assert len(hashes) == 3
    assert weights_sha256(init_params(config, 0), config) in hashes
