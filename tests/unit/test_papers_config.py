"""`figures.papers`: what each of the papers' figures draws, checked before any job."""

from pathlib import Path

import pytest
import yaml
from test_config import BASE, load
from workflow.conftest import ROOT, snakemake

from dnalm import config as configuration
from dnalm.config.papers import PAPERS
from dnalm.errors import UserError

EXAMPLES = sorted((ROOT / "config" / "examples").glob("figure_*.yaml"))
RUNS = """
segmentation: {genes: {model: head, species: [fly]}}
tokenizers: {pieces: {species: fly}}
embeddings: {windows: {model: small, windows: tiles, species: [fly]}}
tasks:
  enhancers: {suite: nt_revised, task: enhancers, models: [small]}
  old: {suite: nt_original, task: H3, models: [small]}
  maize: {suite: pgb, task: gene_exp.zea_mays, models: [small]}
  leaf: {suite: pgb, task: promoter_strength.leaf, models: [small]}
  donors: {suite: annotation, task: splice_donor, models: [small]}
"""


def papers(tmp_path, text):
    return load(tmp_path, f"{BASE}{RUNS}figures: {{maps: {{windows: last}}, papers: {{{text}}}}}\n")[
        "figures"
    ]["papers"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nt_benchmark: {}", {"tasks": ["enhancers", "old"]}),
        ("nt_benchmark: {tasks: [old]}", {"tasks": ["old"]}),
        ("agront_expression: {}", {"tasks": ["maize"], "expression": []}),
        ("agront_strength: {}", {"tasks": ["leaf"]}),
        ("layers: {}", {"tasks": ["enhancers", "old", "maize", "leaf", "donors"]}),
        ("context: {tasks: [donors]}", {"tasks": ["donors"]}),
        ("segmentnt_metrics: {}", {"run": "genes", "species": "fly"}),
        (
            "segmentnt_tracks: {regions: ['c:0-9']}",
            {"regions": ["c:0-9"], "run": "genes", "species": "fly"},
        ),
        ("attention: {model: small, region: 'c:0-9'}", {"species": "fly"}),
        ("dnabert_attention: {model: overlapping, region: 'c:0-9', species: worm}", {"species": "worm"}),
        ("grover_tokens: {tokenizer: pieces, map: windows}", {"species": "fly", "map": "windows"}),
        ("grover_tokens: {model: pairs}", {"model": "pairs"}),
    ],
)
def test_what_is_left_out_is_chosen_from_the_runs(tmp_path, text, expected):
    (settings,) = papers(tmp_path, text).values()
    assert {key: settings[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("nt_benchmarks: {}", r"unknown key 'nt_benchmarks'\. Did you mean 'nt_benchmark'\?"),
        ("nt_benchmark: {tasks: [leaf]}", r"no such task 'leaf' to draw\. Known: enhancers, old"),
        ("agront_expression: {expression: [x]}", r"no run 'x' in expression\. Known: none"),
        ("segmentnt_tracks: {}", r"the key 'regions' is missing"),
        ("segmentnt_metrics: {run: other}", r"no run 'other' in segmentation\. Known: genes"),
        ("segmentnt_metrics: {species: worm}", r"species 'worm' cannot be drawn here\. Known: fly"),
        ("attention: {model: nothing, region: 'c:0-9'}", r"attention\.model: model 'nothing': unknown model"),
        (
            "attention: {model: small, region: 'c:0-9', heads: ['4:0']}",
            r"attention\.heads: layer of 4:0 \(model 'small' has 3\)\. Name layers 1 to 3",
        ),
        ("attention: {model: small, region: 'c:0-9', heads: ['0:1']}", r"expected the form"),
        ("grover_tokens: {}", r"names neither a model nor a tokenizer"),
        ("grover_tokens: {tokenizer: x}", r"no 'x' in tokenizers\. Known: pieces"),
        ("grover_tokens: {model: pairs, map: x}", r"no 'x' in embeddings"),
        (
            "grover_tokens: {model: pairs, map: windows, species: worm}",
            r"'worm' cannot be drawn here\. Known: fly",
        ),
    ],
)
def test_what_is_not_there_is_named(tmp_path, text, pattern):
    with pytest.raises(UserError, match=pattern):
        papers(tmp_path, text)


def test_nothing_to_draw(tmp_path):
    with pytest.raises(
        UserError, match=r"papers\.agront_strength: there is nothing to draw\. Add a task promoter"
    ):
        load(tmp_path, BASE + "figures: {papers: {agront_strength: {}}}\n")
    with pytest.raises(UserError, match=r"papers\.layers: there is nothing to draw\. Add a task to `tasks`"):
        load(tmp_path, BASE + "figures: {papers: {layers: {}}}\n")


def test_a_configuration_of_published_tasks_needs_no_species(tmp_path):
    text = "tasks: {one: {suite: nt_revised, task: enhancers, models: [small]}}\n"
    assert load(tmp_path, text)["species"] == {}
    with pytest.raises(UserError, match="the key 'species' is missing"):
        load(tmp_path, "title: nothing\n")


def test_every_figure_has_an_example_that_says_what_it_needs():
    assert {path.stem.removeprefix("figure_") for path in EXAMPLES} == set(PAPERS)
    for path in EXAMPLES:
        text = path.read_text()
        name = path.stem
        assert f"snakemake {name} --profile slurm-gpu --configfile config/examples/{path.name}\n" in text
        for word in ("# Data: ", "Model: ", "# Cost, estimated", "# To run it for real: "):
            assert word in text, (path.name, word)
        assert list(yaml.safe_load(text)["figures"]["papers"]) == [name.removeprefix("figure_")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(path):
    where = configuration.locator([path])
    config = yaml.safe_load(path.read_text())
    configuration.check_schema(config, Path(ROOT / "workflow/schemas/config.schema.yaml"), where)
    settings = configuration.resolve(config, configuration.model_facts, where)
    (drawn,) = settings["figures"]["papers"].values()
    assert drawn


def test_a_target_plans_its_figure_and_nothing_else(tmp_path):
    example = str(ROOT / "config" / "examples" / "figure_grover_tokens.yaml")
    plan = snakemake(
        ROOT, "figure_grover_tokens", "-n", "--quiet", "rules", "--configfile", example,
        "--directory", str(tmp_path),
    )  # fmt: skip
    assert plan.returncode == 0, plan.stdout[-3000:]
    for rule in ("count_tokens", "train_tokenizer", "plot_embedding_map", "plot_grover_tokens"):
        assert rule in plan.stdout, rule
    assert "make_report" not in plan.stdout
    absent = snakemake(ROOT, "figure_layers", "-n", "--configfile", example, "--directory", str(tmp_path))
    assert absent.returncode == 2
    assert (
        "figure_layers: the configuration has no figures.papers.layers. Add it, or start from"
        in absent.stdout
    )
