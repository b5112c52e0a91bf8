"""The genomes of AgroNT as an example: planned, never fetched."""

import re

import yaml
from workflow.conftest import ROOT, snakemake

from dnalm import config
from dnalm.download import ncbi

EXAMPLE = ROOT / "config" / "examples" / "agront_species.yaml"
SPECIES_OF_AGRONT = 48  # the model's card
NAMED_IN_COMMENTS, MISSING = 1, 13  # Dioscorea alata; what no source could be read for


def genomes() -> dict[str, str]:
    """Returns species -> accession."""
    return {
        name: entry["genome"]["ncbi"]
        for name, entry in yaml.safe_load(EXAMPLE.read_text())["species"].items()
    }


def planned_jobs(text: str) -> dict[str, int]:
    """Returns rule -> jobs from the first table of a dry run."""
    table = text.split("Job stats:")[1].split("\n\n")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def test_every_species_is_planned_once(tmp_path):
    plan = snakemake(
        ROOT, "-n", "--quiet", "rules", "--configfile", str(EXAMPLE), "--directory", str(tmp_path)
    )
    assert plan.returncode == 0, plan.stdout[-3000:]
    jobs, count = planned_jobs(plan.stdout), len(genomes())
    for rule in ("fetch_genome", "mask_genome", "make_windows", "embed"):
        assert jobs.pop(rule) == count, rule
    assert jobs.pop("fetch_checkpoint") == jobs.pop("convert_checkpoint") == 1
    assert jobs.pop("total") == 4 * count + 2 + sum(jobs.values())
    assert set(jobs.values()) == {1}  # the report, the settings, the target


def test_each_accession_is_one_species_and_has_an_address():
    accessions = list(genomes().values())
    assert len(set(accessions)) == len(accessions)
    for accession in accessions:
        assert accession.startswith("GCF_") and f"/accession/{accession}/" in ncbi.download_url(
            accession, "genome"
        )


def test_the_example_says_what_is_missing():
    text, count = EXAMPLE.read_text(), len(genomes())
    subset = text.count(" [subset]\n")
    assert f"embedded with it: {count} of its {SPECIES_OF_AGRONT} species" in text
    assert f"- {count - subset} stand" in text and f"- {subset}, marked [subset]" in text
    assert f"- {MISSING} species are missing" in text
    assert count + NAMED_IN_COMMENTS + MISSING == SPECIES_OF_AGRONT


def test_a_window_is_whole_tokens_that_the_model_takes():
    settings = yaml.safe_load(EXAMPLE.read_text())
    (run,) = settings["embeddings"].values()
    facts = config.model_facts(run["model"], None)
    length = settings["defaults"]["windows"][run["windows"]]["length_bp"]
    assert length % facts.k == 0 and length <= facts.longest_window_bp
