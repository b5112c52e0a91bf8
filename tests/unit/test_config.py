"""The configuration's completion and cross-checks, on hand-written models."""

from pathlib import Path

import pytest
import yaml

from dnalm import config as configuration
from dnalm.errors import UserError

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
MODELS = {
    "small": configuration.ModelFacts("small", "v2_6mer", 513, 3, (), ""),
    "head": configuration.ModelFacts("head", "v2_6mer", 2048, 3, ("exon",), "own_strand"),
    "overlapping": configuration.ModelFacts("overlapping", "overlapping_6mer", 512, 12, (), ""),
    "pairs": configuration.ModelFacts("pairs", "bpe", 512, 12, (), ""),
}


def facts(name):
    if name not in MODELS:
        raise UserError(name, f"unknown model '{name}'", f"Known: {', '.join(MODELS)}.")
    return MODELS[name]


def load(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    where = configuration.locator([path])
    config = yaml.safe_load(text)
    configuration.check_schema(config, SCHEMA, where)
    return configuration.resolve(config, facts, where)


BASE = """
species:
  fly: {genome: a.fa, annotation: a.gtf}
  worm: {genome: b.fa}
defaults:
  windows:
    tiles: {kind: tiles}
    tss: {kind: tss, upstream_bp: 100, downstream_bp: 200}
"""


def test_defaults_reach_every_species(tmp_path):
    settings = load(tmp_path, BASE + "embeddings: {run: {model: small, windows: tiles}}\n")
    assert settings["species"]["worm"]["mask"] == {"soft_masked": "keep", "iupac": "mask"}
    assert settings["embeddings"]["run"]["species"] == ["fly", "worm"]


@pytest.mark.parametrize(
    ("models", "length_bp"),
    [
        (["small"], 3072),
        (["head"], 6000),
        (["head", "small"], 3072),
        (["overlapping", "small"], 515),
        (["pairs"], 1530),
    ],
    ids=["by the model", "at most 6000", "the smallest model decides", "one token a base", "an estimate"],
)
def test_auto_length(tmp_path, models, length_bp):
    runs = "\n".join(f"  {model}: {{model: {model}, windows: tiles}}" for model in models)
    settings = load(tmp_path, BASE + f"embeddings:\n{runs}\n")
    assert settings["species"]["fly"]["windows"]["tiles"]["length_bp"] == length_bp


def test_models_that_split_limit_no_window(tmp_path):
    runs = (
        "  a: {model: small, windows: tiles}\n  b: {model: overlapping, windows: tiles, long_inputs: split}\n"
    )
    windows = load(tmp_path, BASE + f"embeddings:\n{runs}")["species"]["fly"]["windows"]
    tiles = windows["tiles"]
    assert (tiles["length_bp"], tiles["max_tokens"], tiles["tokenizer"]) == (3072, 513, "v2_6mer")
    only = BASE.replace("{kind: tiles}", "{kind: tiles, length_bp: 5000}")
    runs = "  b: {model: overlapping, windows: tiles, long_inputs: split, split_overlap: 30}\n"
    tiles = load(tmp_path, only + f"embeddings:\n{runs}")["species"]["fly"]["windows"]["tiles"]
    assert tiles["length_bp"] == 5000 and tiles["max_tokens"] is None
    with pytest.raises(
        UserError, match=r"5000 bp \(4997 tokens\) are longer than model 'overlapping' allows"
    ):
        load(tmp_path, only + "embeddings: {b: {model: overlapping, windows: tiles}}\n")


def test_tokenizers_name_a_species(tmp_path):
    settings = load(tmp_path, BASE + "tokenizers: {t: {species: worm, cycles: [10, 20]}}\n")
    assert settings["tokenizers"] == {"t": {"species": "worm", "cycles": [10, 20]}}
    with pytest.raises(UserError, match=r"tokenizers\.t\.species: unknown species 'mouse'"):
        load(tmp_path, BASE + "tokenizers: {t: {species: mouse}}\n")


def test_all_means_the_species_that_have_what_is_needed(tmp_path):
    text = BASE + "tasks: {one: {suite: annotation, task: promoter, models: [small]}}\n"
    assert load(tmp_path, text)["tasks"]["one"]["species"] == ["fly"]


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("embeding: {}", r"config.yaml:9 embeding: unknown key 'embeding'. Did you mean 'embeddings'\?"),
        ("embeddings: {run: {model: small, windws: tiles}}", "unknown key 'windws'. Did you mean 'windows'"),
        ("embeddings: {run: {model: nope, windows: tiles}}", "unknown model 'nope'. Known: small, head"),
        ("embeddings: {run: {model: small, windows: nope}}", "no window set 'nope'. Known: tiles, tss"),
        ("embeddings: {run: {model: small, windows: tiles, layers: [4]}}", r"layer 4 of small \(it has 3\)"),
        ("embeddings: {run: {model: small, windows: tiles, species: [cat]}}", "unknown species 'cat'"),
        ("embeddings: {run: {model: small}}", "the key 'windows' is missing"),
        (
            "embeddings: {run: {model: small, windows: tiles, dtype: int8}}",
            "found 'int8', expected one of float16, float32",
        ),
        ("embeddings: {run: {model: 7, windows: tiles}}", "found 7, expected text"),
        ("segmentation: {run: {model: small}}", "model 'small' has no segmentation head"),
        ("segmentation: {run: {model: head, window_bp: 100}}", "found 100 bp, expected a multiple of 24 bp"),
        ("segmentation: {run: {model: head, overlap: 1}}", "found 1, expected a number at least 0 below 1"),
        (
            "expression: {run: {models: [small], windows: tss, species: [worm]}}",
            "species 'worm' has no annotation",
        ),
        ("figures: {maps: {nope: last}}", "no run 'nope' in embeddings"),
        (
            "embeddings: {run: {model: small, windows: tiles, pooling: none}}\nfigures: {maps: {run: last}}",
            "a map needs pooled embeddings",
        ),
        (
            "training: {t: {kind: segmentation, species: fly, settings: r.yaml, tokenizer: p}}",
            "training.t.tokenizer: is for pretraining from scratch",
        ),
        (
            "training: {t: {kind: pretrain, species: fly, settings: r.yaml, tokenizer: p, initial: small}}",
            "is for pretraining from scratch",
        ),
        ("species: {cat: {genome: c.fa}}", "the key species stands twice"),
        ("title: [", "is not YAML"),
    ],
)
def test_a_fault_is_one_clear_line(tmp_path, addition, message):
    with pytest.raises(UserError, match=message) as fault:
        load(tmp_path, BASE + addition + "\n")
    assert "\n" not in str(fault.value) and "config.yaml" in str(fault.value)


@pytest.mark.parametrize(
    ("window_set", "message"),
    [
        (
            "{kind: tiles, length_bp: 6000}",
            r"6000 bp \(1001 tokens\) are longer than model 'small' allows \(3072 bp, 513 tokens\)",
        ),
        ("{kind: tiles, length_bp: 600, overlap_bp: 600}", "overlap_bp 600 is not below length_bp 600"),
        ("{kind: tss, upstream_bp: 3000, downstream_bp: 3000}", "6000 bp .* longer than model 'small'"),
    ],
)
def test_windows_that_cannot_be(tmp_path, window_set, message):
    text = f"""
species: {{fly: {{genome: a.fa, annotation: a.gtf}}}}
defaults: {{windows: {{mine: {window_set}}}}}
embeddings: {{run: {{model: small, windows: mine}}}}
"""
    with pytest.raises(UserError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    "genome", ["{ensembl: homo_sapiens}", "{ncbi: nonsense}", "[a, b]", "{ensembl: x, release: 1, relase: 2}"]
)
def test_a_genome_that_cannot_be(tmp_path, genome):
    with pytest.raises(UserError, match=r"config\.yaml"):
        load(tmp_path, f"species: {{fly: {{genome: {genome}}}}}\n")


def test_an_empty_configuration_is_never_the_default(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("# nothing\n")
    with pytest.raises(UserError, match="the configuration is empty"):
        configuration.locator([path])


@pytest.mark.parametrize(
    ("model", "precision", "memory_mb"),
    [
        ("demo_nt", "float32", 8000),
        ("50M_multi_species_v2", "float32", 8000),
        ("2B5_multi_species", "float32", 16740),
        ("2B5_multi_species", "bfloat16", 23109),  # on a CPU the float32 copies stay
    ],
)
def test_a_job_s_memory_follows_from_its_model(model, precision, memory_mb):
    assert configuration.model_facts(model).memory_mb(precision) == memory_mb
