import math
import tomllib

import pytest

from freerun.config import resolve
from freerun.config_files import bundled, load_tables, to_toml
from freerun.constraints.length import Anything, Length
from freerun.errors import UsageError
from freerun.methods.seqgan import SeqGAN
from freerun.methods.teacher_forcing import TeacherForcing


def test_every_bundled_config_resolves_and_survives_writing(tmp_path):
    for name in bundled():
        config = resolve(load_tables(name))
        path = tmp_path / f"{name}.toml"
        path.write_text(to_toml(config.tables()))
        assert resolve(load_tables(str(path))) == config


def test_defaults_fill_what_a_file_leaves_out():
    config = resolve({})
    assert config.method == TeacherForcing()
    assert config.corpus.name == "moses-mini"


def test_overrides_are_toml_values_or_plain_strings():
    tables = load_tables("quickstart", ["method.descent.lr=1e-4", "corpus.name=my file.csv", "run.patience = 3"])
    config = resolve(tables)
    assert isinstance(config.method, TeacherForcing)
    assert config.method.descent.lr == 1e-4
    assert config.corpus.name == "my file.csv"
    assert config.run.patience == 3


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ('objective.shapes."mine.py:f"={shape = "clip", worst = 0, best = 9}', "mine.py:f", 9),
        ("objective.shapes.'expression:a=b'={shape = 'clip', worst = 0, best = 8}", "expression:a=b", 8),
        ("objective.shapes.logp={shape = 'clip', worst = 0, best = 7}", "logp", 7),
    ],
)
def test_a_key_may_stand_in_quotation_marks(override, name, value):
    tables = load_tables("quickstart", [override])
    assert tables["objective"]["shapes"][name]["best"] == value


def test_a_number_that_is_infinite_or_none_survives_writing(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(to_toml({"method": {"a": math.inf, "b": -math.inf, "c": math.nan, "d": "inf"}}))
    read = tomllib.loads(path.read_text())["method"]
    assert (read["a"], read["b"], read["d"]) == (math.inf, -math.inf, "inf")
    assert math.isnan(read["c"])


@pytest.mark.parametrize(
    ("config", "override", "message"),
    [
        ("organ_qed", "method.n_rollouts=-1", "n_rollouts = -1 must be at least 0"),
        ("organ_qed", "method.turns_every=0", "turns_every = 0 must be at least 1"),
        ("organ_qed", "method.critic_enough=nan", "critic_enough = nan must be at least 0"),
        ("maligan_oracle", "method.n_critic=-1", "n_critic = -1 must be at least 0"),
        ("scheduled_sampling_oracle", "method.teacher={start = 0.0}", "belongs to schedule = 'linear'"),
        ("gumbel_gan_oracle", "method.loss=wasserstein", "needs a bounded critic"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_is_read(config, override, message):
    with pytest.raises(UsageError, match=message):
        resolve(load_tables(config, [override]))


def test_another_method_keeps_the_settings_that_it_has_too():
    config = resolve(load_tables("organ_qed", ["method.critic_enough=0.9", "method.name=seqgan"]))
    assert isinstance(config.method, SeqGAN)
    assert (config.method.batch_size, config.method.descent.lr) == (384, 7e-4)
    assert config.method.critic_enough == 0.9
    with pytest.raises(UsageError, match=r"method\.kl is not known"):
        resolve(load_tables("organ_qed", ["method.name=seqgan", "method.kl=0.1"]))
    with pytest.raises(UsageError, match=r"did you mean 'seqgan'"):
        resolve(load_tables("organ_qed", ["method.name=seqgam"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.n_epoch=3", "did you mean 'n_epochs'"),
        ("method.descent.lrr=3", "did you mean 'lr'"),
        ("metod.n_epochs=3", r"did you mean 'method'"),
        ("method.n_epochs='three'", "must be a number, not 'three'"),
        ("method.batch_size=1.5", "must be a whole number, not 1.5"),
        ("corpus.strict='False'", "must be true or false, not 'False'"),
        ("model.cell='lstmm'", "must be one of 'lstm', 'gru'"),
        ("method.name='teacher_forcin'", "did you mean 'teacher_forcing'"),
        ("representation.name='smile'", "did you mean 'smiles'"),
        ("method", "must be TABLE.KEY=VALUE"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_nearest_right_one(override, message):
    with pytest.raises(UsageError, match=message):
        resolve(load_tables("quickstart", [override]))


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[method\n")
    with pytest.raises(UsageError, match="cannot read the config"):
        load_tables(str(path))
    with pytest.raises(UsageError, match="did you mean 'quickstart'"):
        load_tables("quikstart")


def test_the_constraint_is_the_representations_own_unless_named():
    def built(table):
        config = resolve({"representation": {"name": "text"}, "constraint": table})
        return config.build_constraint(config.build_representation().with_vocab("ab"))

    assert built({"name": "none"}) == Anything(6)
    assert built({"name": "representation"}) == Anything(6)
    assert built({"name": "length", "longest": 5}) == Length(6, longest=5)
    with pytest.raises(UsageError, match="did you mean 'length'"):
        built({"name": "lenght"})
