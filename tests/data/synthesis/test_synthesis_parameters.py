import subprocess
import sys
from dataclasses import fields, replace

import pytest

from seisvision.data.synthesis.parameters import SOURCE_TYPES, SynthesisParameters
from seisvision.errors import ConfigurationError


def test_defaults_are_the_size_of_the_atlas():
    parameters = SynthesisParameters()
    assert (parameters.n_events, parameters.classes, parameters.seed) == (885, ("tectonic", "glacial"), 3407)
    assert parameters.n_samples == 3600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["tectonc"]}, "Did you mean 'tectonic'"),
        ({"classes": "tectonic"}, "a list of source types"),
        ({"classes": []}, "a list of source types"),
        ({"classes": ["noise", "noise"]}, "every source type once"),
        ({"n_events": 0}, "n_events=0"),
        ({"n_events": 2.5}, "n_events=2.5"),
        ({"seed": True}, "seed=True"),
        ({"noise_db": float("nan")}, "noise_db=nan"),
        ({"noise_db": "loud"}, "noise_db='loud'"),
        ({"sampling_rate_hz": 100}, "from 0.5 to 20"),
        ({"n_stations": (24, 12)}, "smaller number first"),
        ({"n_stations": 12}, "two numbers"),
        ({"offset_range_deg": (2, 120)}, "from 0.25 to 90"),
        ({"magnitude": (4.6, 9)}, "from 3 to 7"),
        ({"earth_model": "ak135"}, "Did you mean 'ak135f_no_mud'"),
        ({"geometry": "ring"}, "geometry: 'ring' is not known"),
        ({"noise": 3}, "Unknown synthesis parameter 'noise'. Did you mean 'noise_db'"),
    ],
)
def test_bad_values_are_refused_by_name(change, message):
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        SynthesisParameters.from_mapping(change)


def test_fingerprint_ignores_how_a_value_is_written():
    given = SynthesisParameters(noise_db=10, n_stations=[12, 24], classes=["tectonic", "glacial"], n_events=885.0)
    assert given.fingerprint() == SynthesisParameters().fingerprint()


def test_fingerprint_changes_with_every_parameter():
    changes = {
        "n_events": 10,
        "classes": ("glacial", "tectonic"),
        "seed": 1,
        "noise_db": 0,
        "sampling_rate_hz": 1,
        "length_s": 900,
        "lead_s": 300,
        "n_stations": (12, 12),
        "offset_range_deg": (2, 20),
        "magnitude": (4, 5),
        "heterogeneity": 0,
        "fault": 0,
        "coda": 0,
        "earth_model": "prem",
        "geometry": "network",
    }
    assert set(changes) == {field.name for field in fields(SynthesisParameters)}
    prints = {replace(SynthesisParameters(), **{name: value}).fingerprint() for name, value in changes.items()}
    assert len(prints | {SynthesisParameters().fingerprint()}) == len(changes) + 1


def test_sets_without_a_lead_keep_the_fingerprint_they_had_before_there_was_one():
    assert SynthesisParameters().fingerprint() == SynthesisParameters(lead_s=0).fingerprint() == "e4d8222f8da6"


def test_a_lead_as_long_as_the_record_is_refused():
    with pytest.raises(ConfigurationError, match=r"lead_s=600\.0 is not allowed: give less than length_s=600"):
        SynthesisParameters(length_s=600, lead_s=600)


def test_classes_are_balanced():
    parameters = SynthesisParameters(classes=SOURCE_TYPES)
    dealt = [parameters.source_type(index) for index in range(70)]
    assert {kind: dealt.count(kind) for kind in SOURCE_TYPES} == dict.fromkeys(SOURCE_TYPES, 10)


def test_naming_a_set_imports_nothing_heavy():
    code = (
        "import sys; from seisvision.commands.sets import data_synth; from seisvision.data.synthesis import source;"
        "source.SyntheticSource(n_events=3).fingerprint('.');"
        "print([m for m in ('torch', 'obspy', 'scipy', 'h5py', 'pandas', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
