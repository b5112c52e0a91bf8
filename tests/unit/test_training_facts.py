"""What the configuration knows of a model that it trains: from its recipe, and from the initial model."""

import pytest

from dnalm.config import ModelFacts
from dnalm.errors import UserError
from dnalm.training.facts import trained_facts

KINDS = ("pretrain", "segmentation")


def initial(tokenizer):
    return ModelFacts("before", tokenizer, 512, 2, (), "", parameters=1000, embed_dim=16)


def facts(folder, kind, text, before=None):
    (folder / "recipe.yaml").write_text(text)
    return trained_facts("after", kind, folder / "recipe.yaml", before)


def test_a_model_from_scratch_has_its_recipe_s_sizes(tmp_path):
    text = "tokenizer: v2_3mer\nwindow_bp: 27\nembed_dim: 8\nnum_layers: 5\n"
    expected = ModelFacts("after", "v2_3mer", 10, 5, (), "", 0, 8)
    assert facts(tmp_path, "pretrain", text) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_of_the_initial_model_s_tokens(tmp_path, kind):
    """A recipe that names no tokenizer means 6-mers; a model of 3-mers takes its 27 bp."""
    found = facts(tmp_path, kind, "window_bp: 27\n", initial("v2_3mer"))
    assert (found.tokenizer, found.num_layers, found.embed_dim) == ("v2_3mer", 2, 16)
    with pytest.raises(
        UserError, match=r"window_bp: found 27, expected a multiple of 6 \(the k of v2_6mer\)"
    ):
        facts(tmp_path, kind, "window_bp: 27\n")
    with pytest.raises(
        UserError, match=r"window_bp: found 27, expected a multiple of 6 \(the k of v1_6mer\)"
    ):
        facts(tmp_path, kind, "tokenizer: v2_3mer\nwindow_bp: 27\n", initial("v1_6mer"))


@pytest.mark.parametrize("tokenizer", ["bpe", "overlapping_6mer"])
def test_an_initial_model_of_other_tokens_is_refused_before_any_job(tmp_path, tokenizer):
    expected = rf"tokenizer of the initial model: found '{tokenizer}', expected v1_6mer or .*Name another"
    with pytest.raises(UserError, match=expected):
        facts(tmp_path, "segmentation", "steps: 5\n", initial(tokenizer))


def test_pretraining_in_longer_windows_makes_a_model_of_longer_windows(tmp_path):
    assert facts(tmp_path, "pretrain", "window_bp: 27\n", initial("v2_3mer")).max_tokens == 512
    assert facts(tmp_path, "pretrain", "window_bp: 3072\n", initial("v2_3mer")).max_tokens == 1025


def test_pretraining_goes_on_from_any_tokens(tmp_path):
    """Windows of a byte-pair encoding, whose tokens differ in length, need be no multiple of anything."""
    found = facts(tmp_path, "pretrain", "window_bp: 31\n", initial("bpe"))
    assert (found.name, found.tokenizer) == ("after", "bpe")
