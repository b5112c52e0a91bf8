"""Expression: tables, ridge regression against scikit-learn, subsets and folds, joined by name."""

import gzip

import numpy as np
import pandas as pd
import predict_expression
import pytest
import toy_expression as toy
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut

from dnalm import expression
from dnalm.errors import UserError
from dnalm.expression import ridge
from dnalm.expression.features import align
from dnalm.figures import tables
from dnalm.files import read_manifest
from dnalm.metrics import r2_score


def read(folder, text, **options):
    path = folder / "t.tsv"
    path.write_text(text, encoding="utf-8")
    return expression.read_expression(path, **options)


def test_counts_become_log2_cpm(tmp_path):
    found = read(tmp_path, "id\ta\tb\ng1\t1\t0\ng2\t3\t10\n", unit="counts", mean=True)
    expected = np.log2([[250_001, 1], [750_001, 1_000_001]])
    assert np.allclose(found.values[["a", "b"]], expected)
    assert np.allclose(found.values["mean"], expected.mean(axis=1))
    assert found.values.index.tolist() == ["g1", "g2"]
    assert found.expressed.to_numpy().tolist() == [[True, False, True], [True, True, True]]


@pytest.mark.parametrize(
    ("unit", "expected"), [("tpm", [0, 2]), ("cpm", [0, 2]), ("log2", [0, 3])], ids=["tpm", "cpm", "log2"]
)
def test_units(tmp_path, unit, expected):
    found = read(tmp_path, "id\ta\ng1\t0\ng2\t3\n", unit=unit)
    assert found.values["a"].tolist() == expected
    assert (found.expressed is None) == (unit == "log2")


READS = {"unit": "log2", "value_columns": ["v"]}
EXPRESSED = [
    ("counts of other columns", {**READS, "count_columns": ["r1", "r2"]}, [True, False, True]),
    ("threshold", {**READS, "expressed_threshold": -1.0}, [False, True, False]),
    ("counts first", {**READS, "count_columns": ["r2"], "expressed_threshold": 9.0}, [False, False, True]),
    ("values above 0", {"unit": "tpm", "value_columns": ["r1"]}, [True, False, False]),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), [c[1:] for c in EXPRESSED], ids=[c[0] for c in EXPRESSED])
def test_expressed_genes(tmp_path, options, expected):
    text = "id\tv\tr1\tr2\ng1\t-2\t1\t0\ng2\t0\t0\t0\ng3\t-1\t0\t4\n"
    assert read(tmp_path, text, **options).expressed.iloc[:, 0].tolist() == expected


def test_columns_missing_values_and_names_that_look_like_numbers(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"note,gene,a,b\nx,NA,1,NA\ny,1e5,,2\nz,007,3,4\n", mtime=0))
    found = expression.read_expression(path, "log2", gene_column="gene")
    assert found.values.index.tolist() == ["NA", "1e5", "007"]
    assert found.values.columns.tolist() == ["a", "b"], "a text column was taken for values"
    assert found.values.isna().sum().tolist() == [1, 1]


BAD_TABLES = [
    ("no number", "id\ta\ng1\t1\ng2\tx\n", {"value_columns": ["a"]}, r"t\.tsv:3: column a holds 'x'"),
    ("infinite", "id\ta\ng1\tinf\n", {"value_columns": ["a"]}, r"t\.tsv:2: column a holds 'inf'"),
    ("negative", "id\ta\ng1\t1\ng2\t-4\n", {"unit": "tpm"}, r"g2 has -4 in a, expected tpm of at least 0"),
    ("no such value", "id\ta\ng1\t1\n", {"value_columns": ["b"]}, r"no column 'b' \(it has a\)"),
    ("no such gene column", "id\ta\ng1\t1\n", {"gene_column": "gene"}, r"no gene column 'gene' .it has id"),
    ("gene twice", "id\ta\ng1\t1\ng1\t2\n", {}, r"1 genes occur more than once \(g1\)"),
    ("only text", "id\ta\ng1\tx\n", {}, r"has no numeric column"),
    ("one column", "id\ng1\n", {}, r"has 1 columns and 1 rows"),
    ("no rows", "id\ta\n", {}, r"has 2 columns and 0 rows"),
    ("a column too many", "id\ta\n\ng1\t1\ng2\t1\t2\n", {}, r"t\.tsv:4: found 3 columns, expected 2"),
    ("names of rows as R writes them", "a\tb\ng1\t1\t2\n", {}, r"t\.tsv:2: found 3 columns.*write\.table"),
    ("blank", " \n\n", {}, r"has 1 columns and 0 rows"),
    ("byte order mark alone", "\ufeff", {}, r"has 0 columns and 0 rows"),
    ("column twice", "id\ta\ta\ng1\t1\t2\n", {}, r"repeats a column name \(id, a, a\)"),
    ("empty sample", "id\ta\ng1\t0\ng2\t0\n", {"unit": "counts"}, r"column a sums to 0"),
    ("unit", "id\ta\ng1\t0\n", {"unit": "rpkm"}, r"found 'rpkm', expected one of counts, cpm, tpm, log2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options", "pattern"), [c[1:] for c in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_a_bad_table_is_named(tmp_path, text, options, pattern):
    with pytest.raises(UserError, match=pattern):
        read(tmp_path, text, **({"unit": "log2"} | options))


def problem(rows=60, columns=8, targets=2, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, columns)) * generator.uniform(0.1, 50, columns) + 3
    values = (features[:, :targets] - 3) / features[:, :targets].std(axis=0) + generator.normal(
        size=(rows, targets)
    )
    return features, values, generator.integers(0, 12, rows)


@pytest.mark.parametrize("columns", [8, 90], ids=["fewer columns than rows", "more columns than rows"])
def test_left_out_groups_as_fitted_anew(columns):
    features, values, groups = problem(columns=columns)
    centred, target = features - features.mean(axis=0), values - values.mean(axis=0)
    spectrum, basis = ridge._decompose(centred)
    penalties = np.array([0.3, 30.0, 3e4])
    found = ridge.group_errors(centred @ basis, spectrum, target, groups, penalties)
    for place, penalty in enumerate(penalties):
        residuals = np.zeros_like(values)
        for train, test in LeaveOneGroupOut().split(features, groups=groups):
            model = Ridge(alpha=penalty).fit(features[train], values[train])
            residuals[test] = values[test] - model.predict(features[test])
        assert np.allclose(found[place], (residuals**2).sum(axis=0), rtol=1e-8)


@pytest.mark.parametrize("columns", [8, 90], ids=["fewer columns than rows", "more columns than rows"])
def test_predictions_are_those_of_scikit_learn(columns):
    features, values, groups = problem(columns=columns)
    features[:, 5] = 7.7  # constant: no weight, no NaN
    fold = groups % 4
    predicted, chosen = ridge.cross_validate(features, values, groups, fold)
    for number in range(4):
        train = fold != number
        scale = features[train].std(axis=0)
        scale[5] = 1
        known, new = ((features[part] - features[train].mean(axis=0)) / scale for part in (train, ~train))
        model = Ridge(alpha=chosen[number]).fit(known, values[train])
        assert np.allclose(predicted[~train], model.predict(new), atol=1e-8)


def test_a_fold_is_predicted_without_its_values():
    features, values, groups = problem()
    fold = groups % 4
    predicted, chosen = ridge.cross_validate(features, values, groups, fold)
    changed = values.copy()
    changed[fold == 2] = 1e6
    again, chosen_again = ridge.cross_validate(features, changed, groups, fold)
    assert np.array_equal(predicted[fold == 2], again[fold == 2])
    assert np.array_equal(chosen[2], chosen_again[2]) and not np.allclose(
        predicted[fold == 1], again[fold == 1]
    )


def test_the_penalty_follows_the_signal():
    generator = np.random.default_rng(0)
    features, groups = generator.normal(size=(200, 30)), np.arange(200)
    values = np.stack([features @ generator.normal(size=30), generator.normal(size=200)], axis=1)
    predicted, chosen = ridge.cross_validate(features, values, groups, groups % 5)
    assert (chosen[:, 0] <= 10).all() and (chosen[:, 1] >= 1e3).all()
    assert r2_score(values[:, 0], predicted[:, 0]) > 0.99


def test_rows_join_by_name():
    rows = np.arange(6.0).reshape(3, 2)
    found = align(["a", "b", "c"], rows, ["c", "x", "a"], "e.h5ad")
    assert np.array_equal(found[[0, 2]], rows[[2, 0]]) and np.isnan(found[1]).all()
    with pytest.raises(UserError, match="'a' more than once"):
        align(["a", "b", "a"], rows, ["a"], "e.h5ad")
    with pytest.raises(UserError, match=r"no name matches a window \(here: a, b, c; windows: x, y, z\)"):
        align(["a", "b", "c"], rows, ["x", "y", "z", "w"], "e.h5ad")


def genes(values, expressed=None, groups=None, held_out=None, number=5):
    count = len(values)
    groups = np.arange(count) if groups is None else groups
    return expression.Genes(
        [f"g{i}" for i in range(count)],
        ["v"],
        values[:, None],
        None if expressed is None else expressed[:, None],
        np.zeros(count, bool) if held_out is None else held_out,
        {"grouped": (groups, groups % number), "random": (np.arange(count), np.arange(count) // 2 % number)},
    )


def test_repeated_genes_fool_random_folds_alone():
    """Each gene comes three times; features say which gene it is and nothing about its value."""
    generator = np.random.default_rng(0)
    features = np.repeat(generator.normal(size=(60, 200)), 3, axis=0)
    values = np.repeat(generator.normal(size=60), 3)
    shuffled = genes(values, groups=np.repeat(np.arange(60), 3))
    shuffled.folds["random"] = (np.arange(180), np.tile([0, 1, 2], 60))
    metrics, _ = expression.evaluate(shuffled, [expression.FeatureSet("m", "1", features)])
    scores = metrics[metrics["subset"] == "all"].set_index("folds")
    assert scores["R2_pooled"]["random"] > 0.9 and scores["R2_pooled"]["grouped"] < 0.1
    assert scores["groups"].to_dict() == {"grouped": 60, "random": 180}


def test_subsets_are_fitted_and_scored_as_described():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(100, 5))
    values = features[:, 0] + 0.3 * generator.normal(size=100)
    values[7] = np.nan
    expressed, held_out = np.arange(100) % 3 > 0, np.arange(100) < 40
    metrics, predictions = expression.evaluate(
        genes(values, expressed, held_out=held_out), [expression.FeatureSet("m", "3", features)]
    )
    assert tuple(metrics.columns) == tables.EXPRESSION_COLUMNS
    assert set(tables.PREDICTION_COLUMNS) <= set(predictions.columns)
    grouped = metrics[metrics["folds"] == "grouped"].set_index("subset")
    assert grouped["n"].to_dict() == {"all": 99, "expressed": 65, "held_out": 39}
    assert predictions["gene_id"].tolist() == [f"g{i}" for i in range(100) if i != 7]
    own = {
        "all": predictions,
        "held_out": predictions[predictions["held_out"]],
        "expressed": predictions[predictions["expressed"]].assign(
            predicted=predictions["predicted_expressed"]
        ),
    }
    for subset, table in own.items():
        observed, predicted = table["observed"].to_numpy(), table["predicted"].to_numpy()
        each = [r2_score(*part[["observed", "predicted"]].to_numpy().T) for _, part in table.groupby("fold")]
        row = grouped.loc[subset]
        assert row["R2_pooled"] == pytest.approx(r2_score(observed, predicted))
        assert row["r2_pearson"] == pytest.approx(np.corrcoef(observed, predicted)[0, 1] ** 2)
        assert row["R2_mean"] == pytest.approx(np.mean(each))
        assert row["R2_2sd"] == pytest.approx(2 * np.std(each, ddof=1))
    assert predictions.loc[~predictions["expressed"], "predicted_expressed"].isna().all()


def run(folder, output, **changes):
    arguments = toy.arguments(folder, output=output, predictions=output.with_suffix(".parquet"), **changes)
    assert predict_expression.main([str(word) for word in arguments]) == 0
    return pd.read_csv(output, sep="\t", keep_default_na=False), pd.read_parquet(
        output.with_suffix(".parquet")
    )


def test_a_run_from_files(tmp_path):
    toy.write_all(tmp_path)
    metrics, predictions = run(tmp_path, tmp_path / "a" / "e.tsv")
    scores = metrics.set_index(["features", "layer", "subset", "folds"])["R2_pooled"]
    assert scores["toy", "2", "all", "grouped"] > 0.99 > 0.2 > scores["kmer", "", "all", "grouped"]
    assert len(scores) == 12 and metrics["n"].unique().tolist() == [60, 48, 30]
    assert predictions.groupby("features").size().to_dict() == {"toy": 60, "kmer": 60}
    content = read_manifest(tmp_path / "a" / "e.tsv")["content"]
    assert content["genes"] == 60 and content["groups"] == 60
    assert set(content["inputs"]) == {"table", "windows", "genome", "embeddings toy"}
    run(tmp_path, tmp_path / "b" / "e.tsv")
    for name in ("e.tsv", "e.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rows_in_another_order_change_nothing(tmp_path):
    toy.write_all(tmp_path)
    metrics, predictions = run(tmp_path, tmp_path / "a" / "e.tsv")
    order = np.random.default_rng(0).permutation(toy.GENES)
    toy.write_embeddings(tmp_path / "e.h5ad", order=order)
    shuffled = pd.read_csv(tmp_path / "expression.tsv", sep="\t").iloc[order[::-1]]
    shuffled.to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    again, predictions_again = run(tmp_path, tmp_path / "b" / "e.tsv")
    pd.testing.assert_frame_equal(metrics, again)
    pd.testing.assert_frame_equal(predictions, predictions_again)


def test_genes_without_partner_are_counted(tmp_path, capsys):
    toy.write_all(tmp_path)
    table = pd.read_csv(tmp_path / "expression.tsv", sep="\t")
    table["gene"] = table["gene"].replace({"g5": "elsewhere"})
    table.to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    rows = toy.signal()
    rows[9] = np.nan
    toy.write_embeddings(tmp_path / "e.h5ad", {1: rows, 2: toy.signal()}, order=np.arange(58))
    metrics, predictions = run(tmp_path, tmp_path / "out" / "e.tsv")
    assert set(metrics["layer"]) == {"1", "2", ""}
    assert metrics.loc[metrics["subset"] == "all", "n"].unique().tolist() == [56]
    assert not {"g5", "g9", "g58", "g59"} & set(predictions["gene_id"])
    content = read_manifest(tmp_path / "out" / "e.tsv")["content"]
    assert [content[key] for key in ("genes", "windows_without_row", "rows_without_window")] == [59, 1, 1]
    assert content["genes_without_features"] == 3
    errors = capsys.readouterr().err
    assert "59 genes, 1 windows without row, 1 rows without window" in errors
    assert "3 genes lack features" in errors


def test_the_baseline_reads_the_genes_strand(tmp_path):
    path, bases = toy.write_genome(tmp_path)
    values = expression.Expression(pd.DataFrame({"v": 0.0}, index=["g0", "g1"]), None)
    from dnalm.genome import Genome, reverse_complement_text

    with Genome(path) as genome:
        found, _ = expression.gather_genes(toy.windows(), values, genome, ["c1:0-419", "c1:5000-6000"], "t")
    assert found["sequence"].tolist() == [bases[:120], reverse_complement_text(bases[300:420])]
    assert found["held_out"].tolist() == [True, False], "one base outside was taken as held out"


def test_shuffled_genes_have_the_same_features_and_no_signal(tmp_path):
    from dnalm.expression.features import FeatureSet, shuffled_features

    rows = np.arange(12.0).reshape(6, 2)
    rows[3, 1] = np.nan
    found = shuffled_features(FeatureSet("m", "2", rows), 0)
    assert (found.name, found.layer) == ("m.shuffled", "2")
    assert np.isnan(found.values[3, 1]), "a gene without features stays without"
    assert sorted(map(tuple, np.delete(found.values, 3, 0))) == sorted(map(tuple, np.delete(rows, 3, 0)))
    assert not np.array_equal(np.delete(found.values, 3, 0), np.delete(rows, 3, 0))
    toy.write_all(tmp_path)
    metrics, _ = run(tmp_path, tmp_path / "out" / "e.tsv", baselines=["kmer", "shuffled"])
    pooled = metrics[(metrics["subset"] == "all") & (metrics["folds"] == "grouped")].set_index("features")[
        "R2_pooled"
    ]
    name = next(name for name in pooled.index if not name.startswith("kmer") and "." not in name)
    assert pooled[name].max() > 0.5 > 0.2 > pooled[f"{name}.shuffled"]
