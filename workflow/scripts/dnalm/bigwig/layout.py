"""What lies where in a bigWig file: headers, blocks, and the two trees that find contigs and blocks."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped

MAGIC = 0x888FFC26  # first and last four bytes of a whole file
CONTIGS_MAGIC, INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0  # of the contigs' B+ tree, of the blocks' R tree
VERSION = 4
HEADER = struct.Struct("<IHHQQQHHQQIQ")
ZOOM_HEADER = struct.Struct("<IIQQ")  # bases per bin, 0, place of the blocks, place of their index
SUMMARY = struct.Struct("<Qdddd")  # bases with a value, smallest, largest, sum, sum of squares
MOST_ZOOMS = 10  # the file keeps room for so many headers
HEADERS_BYTES = HEADER.size + MOST_ZOOMS * ZOOM_HEADER.size + SUMMARY.size

BLOCK_HEADER = struct.Struct("<IIIIIBBH")  # contig, start, end, step, span, kind, 0, items
RUNS, EVERY_BASE = 1, 3  # kinds of block: start, end and value of each run; one value per base
RUN = np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")])
STATISTICS = ("min", "max", "sum", "squares")
ZOOM_BIN = np.dtype(
    [(name, "<u4") for name in ("contig", "start", "end", "count")] + [(name, "<f4") for name in STATISTICS]
)

CONTIGS_HEADER = struct.Struct("<IIIIQQ")
INDEX_HEADER = struct.Struct("<IIQIIIIQII")
NODE = struct.Struct("<BBH")  # is it a leaf, 0, children
NODE_ITEMS = 256  # children that a node has room for
_SPAN = [(name, "<u4") for name in ("contig", "start", "end_contig", "end")]
LEAF = np.dtype([*_SPAN, ("at", "<u8"), ("size", "<u8")])
BRANCH = np.dtype([*_SPAN, ("at", "<u8")])

Items = Shaped[np.ndarray, " N"]


def write_contigs(file: BinaryIO, lengths: Mapping[str, int]) -> None:
    """Writes the tree of contigs: sorted by name, as readers search it, numbered in the order given."""
    named = sorted((name.encode(), number) for number, name in enumerate(lengths))
    key_bytes = max((len(name) for name, _ in named), default=1)
    sizes = list(lengths.values())
    leaf = np.dtype([("key", f"S{key_bytes}"), ("number", "<u4"), ("length", "<u4")])
    branch = np.dtype([("key", f"S{key_bytes}"), ("at", "<u8")])

    def parents(children: np.ndarray) -> np.ndarray:
        made = np.zeros(-(-len(children) // NODE_ITEMS), branch)
        made["key"] = children["key"][::NODE_ITEMS]
        return made

    file.write(CONTIGS_HEADER.pack(CONTIGS_MAGIC, NODE_ITEMS, key_bytes, 8, len(named), 0))
    _write_tree(file, np.array([(name, number, sizes[number]) for name, number in named], leaf), parents)


def write_index(file: BinaryIO, blocks: Items, data_end: int, block_items: int) -> None:
    """Writes the tree of a level's blocks (rows of `LEAF`, in the order of the genome).

    Args:
        data_end: place behind the last block.
        block_items: the most items of a block.
    """

    def parents(children: np.ndarray) -> np.ndarray:
        made = np.zeros(-(-len(children) // NODE_ITEMS), BRANCH)
        last = np.minimum(np.arange(1, len(made) + 1) * NODE_ITEMS, len(children)) - 1
        for name in ("contig", "start"):
            made[name] = children[name][::NODE_ITEMS]
        for name in ("end_contig", "end"):
            made[name] = children[name][last]
        return made

    first, last = (blocks[0], blocks[-1]) if len(blocks) else np.zeros(2, LEAF)
    spanned = [int(number) for number in (first["contig"], first["start"], last["end_contig"], last["end"])]
    file.write(INDEX_HEADER.pack(INDEX_MAGIC, NODE_ITEMS, len(blocks), *spanned, data_end, block_items, 0))
    _write_tree(file, blocks, parents)


def _write_tree(file: BinaryIO, leaves: Items, parents: Callable[[np.ndarray], np.ndarray]) -> None:
    """Writes a tree's nodes, the root first, each padded to `NODE_ITEMS` children."""
    levels = [leaves]
    while len(levels[0]) > NODE_ITEMS:
        levels.insert(0, parents(levels[0]))
    place = file.tell()
    for depth, items in enumerate(levels):
        is_leaf = depth == len(levels) - 1
        nodes = max(1, -(-len(items) // NODE_ITEMS))
        node_bytes = NODE_ITEMS * items.itemsize
        place += nodes * (NODE.size + node_bytes)  # of the next level's first node
        if not is_leaf:
            child_bytes = NODE.size + NODE_ITEMS * levels[depth + 1].itemsize
            items["at"] = place + np.arange(len(items)) * child_bytes
        for node in range(nodes):
            children = items[node * NODE_ITEMS : (node + 1) * NODE_ITEMS]
            file.write(NODE.pack(is_leaf, 0, len(children)) + children.tobytes().ljust(node_bytes, b"\0"))
