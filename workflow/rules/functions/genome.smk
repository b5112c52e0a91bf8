# what the rules of genome.smk ask of the configuration


def genome_source(wildcards):
    """Returns the options that say where a species' genome comes from; what is fetched is pinned in a lock file."""
    genome = SPECIES[wildcards.species]["genome"]
    if genome_input(wildcards):
        return options(source=resource(genome))
    source = {"source": genome} if isinstance(genome, str) else dict(genome)
    contigs = [
        word for name in source.pop("contigs", []) for word in ("--contig", name)
    ]
    source["not_soft_masked"] = source.pop("soft_masked", True) is False
    return options(**source, lock_file="config/genomes.lock.json") + contigs


def genome_input(wildcards):
    """A local genome is an input, so that editing it runs the chain again; a download is not."""
    genome = SPECIES[wildcards.species]["genome"]
    path = resource(genome) if isinstance(genome, str) else ""
    return [path] if path and "://" not in path else []


def contig_options(wildcards):
    return options(**SPECIES[wildcards.species]["contigs"])


def annotation_source(wildcards):
    return resource(SPECIES[wildcards.species]["annotation"])


def annotation_input(wildcards):
    source = annotation_source(wildcards)
    return [source] if "://" not in source else []


def annotation_options(wildcards):
    entry = SPECIES[wildcards.species]
    names = entry.get("contig_names")
    return options(
        cds_verified=entry.get("cds_verified"),
        contig_names=resource(names) if names else None,
    )


def mask_options(wildcards):
    mask = SPECIES[wildcards.species]["mask"]
    bed = mask.get("bed")
    return options(
        soft_masked=mask["soft_masked"],
        iupac=mask["iupac"],
        bed=resource(bed) if bed else None,
    )
