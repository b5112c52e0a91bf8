"""Jobs in a container: what Apptainer is asked, by a program in its place."""

import os
import sys

import pytest
from workflow.conftest import TINY, copy_checkout, snakemake

APPTAINER = """#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "apptainer version 1.3.4"; exit; fi
printf '%s\\n' "$*" >> calls
while [ "$1" != image.sif ]; do shift; done
shift
PATH=$PWD/in_image:/usr/bin:/bin exec "$@"
"""
GENOME = "results/species/fly_slice/genome.fa"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a false Apptainer, whose image holds a `python` that leaves a mark."""
    folder = copy_checkout(tmp_path / "checkout")
    programs = {
        "bin/apptainer": APPTAINER,
        "in_image/python": f'#!/bin/sh\n: > python_of_the_image\nexec "{sys.executable}" "$@"\n',
    }
    for name, text in programs.items():
        path = folder / name
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o755)
    (folder / "image.sif").touch()
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return folder


def test_a_step_runs_with_the_images_python(checkout):
    options = ("--sdm", "apptainer", "--apptainer-args=--nv", "--config", "container=image.sif")
    run = snakemake(checkout, "--configfile", TINY, *options, "--", GENOME)
    assert run.returncode == 0, run.stdout[-3000:]
    (call,) = (checkout / "calls").read_text().splitlines()
    assert call.startswith(f"exec --home {checkout} --nv") and " image.sif bash -c " in call
    assert (checkout / "python_of_the_image").exists() and (checkout / GENOME).exists()


def test_without_an_image_it_runs_on_the_machine(checkout):
    run = snakemake(checkout, "--configfile", TINY, "--sdm", "apptainer", "--", GENOME)
    assert run.returncode == 0, run.stdout[-3000:]
    assert not (checkout / "calls").exists() and (checkout / GENOME).exists()
