"""Options of the primitives: every field in its range, wrong values refused by name, and how they leave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from qiskit.transpiler import CouplingMap
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_ibm_runtime import RuntimeEncoder

from qrt_async import (
    DynamicalDecouplingOptions,
    EstimatorOptions,
    EstimatorPub,
    ExecutionOptions,
    InvalidOption,
    LayerNoiseLearningOptions,
    MeasureNoiseLearningOptions,
    PecOptions,
    Platform,
    ResilienceOptions,
    SamplerOptions,
    SamplerPub,
    SimulatorOptions,
    TwirlingOptions,
    ZneOptions,
)
from qrt_async.models.primitive_options import UNSET
from qrt_async.models.typed import LayerError, NoiseLearnerResult, Qpy
from qrt_async.primitives import estimator_job, sampler_job
from qrt_async.wire.primitives import estimator_params, sampler_params

TEXT = "OPENQASM 3.0; x $0;"


def sent(options: Any) -> Any:
    """Return the options of a job, and its resilience level, as they leave."""
    if isinstance(options, SamplerOptions):
        params = sampler_params([SamplerPub(TEXT)], options)
    else:
        params = estimator_params([EstimatorPub(TEXT, "Z")], options)
    return json.loads(json.dumps(params, allow_nan=False))


def test_what_is_not_set_is_not_sent() -> None:
    """Options without anything set leave no trace, also where their parts are there."""
    for options in (
        SamplerOptions(),
        SamplerOptions(twirling=TwirlingOptions()),
        EstimatorOptions(resilience={"zne": {}}),
    ):
        assert not sent(options).keys() - {"pubs", "version"}
    assert SamplerOptions().default_shots is UNSET
    assert repr(SamplerOptions(default_shots=5)) == "SamplerOptions(default_shots=5)"
    assert repr(UNSET) == "UNSET"


def test_every_option_of_the_sampler_leaves_as_the_api_nests_it() -> None:
    """All of the sampler's options, given as classes or as mappings, have the API's names and places."""
    written = {
        "default_shots": 100,
        "dynamical_decoupling": {
            "enable": True,
            "sequence_type": "XY4",
            "extra_slack_distribution": "edges",
            "scheduling_method": "asap",
            "skip_reset_qubits": True,
        },
        "execution": {"init_qubits": False, "rep_delay": 0.00025, "meas_type": "kerneled"},
        "twirling": {
            "enable_gates": True,
            "enable_measure": False,
            "num_randomizations": 32,
            "shots_per_randomization": "auto",
            "strategy": "all",
        },
        "simulator": {"noise_model": None, "seed_simulator": 7, "coupling_map": [[0, 1]], "basis_gates": ["cz"]},
        "experimental": {"anything": {"goes": [1, 2]}},
    }
    classes = SamplerOptions(
        default_shots=np.int64(100),  # type: ignore[arg-type]
        dynamical_decoupling=DynamicalDecouplingOptions(**written["dynamical_decoupling"]),  # type: ignore[arg-type]
        execution=ExecutionOptions(init_qubits=False, rep_delay=0.00025, meas_type="kerneled"),
        twirling=TwirlingOptions(
            enable_gates=True,
            enable_measure=False,
            num_randomizations=32,
            shots_per_randomization="auto",
            strategy="all",
        ),
        simulator=SimulatorOptions(
            noise_model=None, seed_simulator=7, coupling_map=CouplingMap([[0, 1]]), basis_gates=["cz"]
        ),
        experimental={"anything": {"goes": [1, 2]}},
    )

    assert sent(classes)["options"] == written
    assert SamplerOptions.of(written) == classes


def test_every_option_of_the_estimator_leaves_as_the_api_nests_it() -> None:
    """All of the estimator's options have the API's names and places, the resilience level beside them."""
    written = {
        "default_precision": 0.5,
        "default_shots": None,
        "seed_estimator": 0,
        "twirling": {"enable_gates": None, "enable_measure": None},
        "execution": {"rep_delay": None},
        "resilience": {
            "measure_mitigation": True,
            "measure_noise_learning": {"num_randomizations": 1, "shots_per_randomization": "auto"},
            "zne_mitigation": True,
            "zne": {
                "amplifier": "pea",
                "noise_factors": [1.0, 1.5, 2.0, 3.0],
                "extrapolator": ["double_exponential", "polynomial_degree_3"],
                "extrapolated_noise_factors": [0.0, 0.5],
            },
            "pec_mitigation": False,
            "pec": {"max_overhead": None, "noise_gain": 0.0},
            "layer_noise_learning": {
                "max_layers_to_learn": None,
                "shots_per_randomization": 1,
                "num_randomizations": 1,
                "layer_pair_depths": [0, 1],
            },
            "layer_noise_model": None,
        },
    }
    found = sent(EstimatorOptions.of(written | {"resilience_level": 2}))

    assert (found["options"], found["resilience_level"]) == (written, 2)


def test_a_noise_model_and_learnt_layers_are_typed_values() -> None:
    """Aer's noise model is sent as the official client sends it, the noise learner's result as it came."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x"])
    found = sent(SamplerOptions(simulator={"noise_model": model}))["options"]["simulator"]["noise_model"]
    assert found == json.loads(json.dumps(model, cls=RuntimeEncoder))

    layer = LayerError(Qpy(b"QISKIT"), (0, 1))
    for value, kind in ((NoiseLearnerResult((layer,)), "NoiseLearnerResult"), ([layer], "_json")):
        options = EstimatorOptions(resilience=ResilienceOptions(layer_noise_model=value))
        learnt = sent(options)["options"]["resilience"]["layer_noise_model"]
        assert (learnt[0] if isinstance(learnt, list) else learnt)["__type__"] == kind


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda: SamplerOptions(default_shots=0),
            "SamplerOptions.default_shots is a whole number of at least 1, not 0",
        ),
        (lambda: SamplerOptions(default_shots=True), "default_shots"),
        (lambda: SamplerOptions(default_shots=None), "default_shots"),  # type: ignore[arg-type]
        (lambda: SamplerOptions(default_shots=1.0), "default_shots"),  # type: ignore[arg-type]
        (lambda: EstimatorOptions(default_shots=0), "at least 1, or None, not 0"),
        (lambda: EstimatorOptions(default_precision=0), "default_precision is a finite number above 0, not 0"),
        (lambda: EstimatorOptions(default_precision=float("nan")), "default_precision"),
        (lambda: EstimatorOptions(seed_estimator=-1), "seed_estimator"),
        (
            lambda: EstimatorOptions.of({"resilience_level": 3}),
            "resilience_level is a whole number of at least 0 and at most 2",
        ),
        (lambda: DynamicalDecouplingOptions(enable=1), "enable is True or False, not 1"),  # type: ignore[arg-type]
        (lambda: DynamicalDecouplingOptions(sequence_type="YY"), "sequence_type is one of XX, XpXm, XY4"),  # type: ignore[arg-type]
        (lambda: TwirlingOptions(num_randomizations="many"), "at least 1, or 'auto', not 'many'"),  # type: ignore[arg-type]
        (lambda: TwirlingOptions(shots_per_randomization=0), "shots_per_randomization"),
        (lambda: TwirlingOptions(strategy="none"), "strategy"),  # type: ignore[arg-type]
        (lambda: ExecutionOptions(rep_delay=-1.0), "rep_delay is a finite number of at least 0, or None, not -1"),
        (lambda: ExecutionOptions(meas_type="raw"), "meas_type"),  # type: ignore[arg-type]
        (lambda: MeasureNoiseLearningOptions(num_randomizations=0), "num_randomizations"),
        (lambda: LayerNoiseLearningOptions(max_layers_to_learn=-1), "max_layers_to_learn"),
        (lambda: LayerNoiseLearningOptions(layer_pair_depths=[0, -1]), "layer_pair_depths is a list of whole numbers"),
        (lambda: LayerNoiseLearningOptions(layer_pair_depths=[]), "layer_pair_depths"),
        (lambda: PecOptions(max_overhead=0), "max_overhead is a finite number above 0, or None"),
        (lambda: PecOptions(noise_gain=-0.1), "noise_gain is a finite number of at least 0, or 'auto'"),
        (lambda: ZneOptions(amplifier="tape"), "amplifier"),  # type: ignore[arg-type]
        (lambda: ZneOptions(noise_factors=[0.5, 1, 2]), "noise_factors is a list of finite numbers of at least 1"),
        (lambda: ZneOptions(noise_factors="123"), "noise_factors"),  # type: ignore[arg-type]
        (lambda: ZneOptions(noise_factors=[1]), "has 1 numbers, but exponential needs at least 2"),
        (lambda: ZneOptions(extrapolator="cubic"), "extrapolator is one or several of linear"),
        (lambda: ZneOptions(extrapolator=[]), "extrapolator"),
        (lambda: ZneOptions(extrapolator="polynomial_degree_3"), "3 numbers, but polynomial_degree_3 needs at least 4"),
        (lambda: ZneOptions(extrapolator=["linear", "double_exponential"]), "double_exponential needs at least 4"),
        (lambda: ResilienceOptions(zne_mitigation=True, pec_mitigation=True), "exclude each other"),
        (
            lambda: ResilienceOptions(measure_mitigation=False, measure_noise_learning={"num_randomizations": 3}),
            "measure_noise_learning needs measure_mitigation",
        ),
        (
            lambda: EstimatorOptions(
                resilience_level=0, resilience={"measure_noise_learning": {"num_randomizations": 3}}
            ),
            "off at resilience_level 0",
        ),
        (lambda: ResilienceOptions(layer_noise_model=[1]), "layer_noise_model"),  # type: ignore[list-item]
        (lambda: SimulatorOptions(coupling_map=[[0, 1, 2]]), "coupling_map is a list of pairs of qubits"),
        (lambda: SimulatorOptions(noise_model="none"), "noise_model"),
        (lambda: SamplerOptions(twirling=5), "twirling is a TwirlingOptions or a mapping"),  # type: ignore[arg-type]
        (lambda: SamplerOptions(twirling=TwirlingOptions(enable_gates=None)), "True or False, not None"),
        (lambda: SamplerOptions(experimental=[1]), "experimental is a mapping"),  # type: ignore[arg-type]
        (lambda: EstimatorOptions(execution={"meas_type": "kerneled"}), "meas_type is an option of the sampler"),
        (
            lambda: SamplerOptions(twirling={"enable": True}),
            "TwirlingOptions has no option 'enable'; it has enable_gates",
        ),
        (lambda: SamplerOptions.of({"shots": 5}), "SamplerOptions has no option 'shots'; it has default_shots"),
    ],
)
def test_a_wrong_option_is_refused_when_it_is_made(make: Callable[[], Any], problem: str) -> None:
    """The error names the option, its range, and what was given."""
    with pytest.raises(InvalidOption, match=problem):
        make()


def test_what_belongs_together_is_accepted() -> None:
    """Enough noise factors, one of two mitigations, and learning where measurements are mitigated."""
    ZneOptions(noise_factors=[1, 2, 3, 4], extrapolator="polynomial_degree_3")
    ResilienceOptions(zne_mitigation=False, pec_mitigation=True)
    EstimatorOptions(resilience={"measure_noise_learning": {"num_randomizations": 3}})
    EstimatorOptions(
        resilience_level=0, resilience={"measure_mitigation": True, "measure_noise_learning": {"num_randomizations": 3}}
    )


async def params_of(
    job: Callable[..., Any], pub: Any, options: Mapping[str, Any], platform: Platform, **others: Any
) -> Any:
    """Return the params of a job with these options."""
    request = await job(
        [pub],
        platform=platform,
        backend="ibm_fez",
        options=options,
        tags=(),
        private=False,
        max_time=None,
        **others,
    )
    return request.params


async def test_a_mapping_is_checked_on_todays_platform() -> None:
    """Unknown options are refused by name before anything is sent, known ones leave as they were written."""
    today = Platform.IBM_QUANTUM
    good = {"twirling": {"enable_gates": True}}
    assert (await params_of(sampler_job, TEXT, good, today, shots=None))["options"] == good
    level = await params_of(estimator_job, (TEXT, "Z"), {"resilience_level": 1}, today, precision=None)
    assert (level["resilience_level"], "options" in level) == (1, False)
    for bad, problem in (
        ({"twirlling": {}}, "no option 'twirlling'"),
        ({"transpilation": {"optimization_level": 1}}, "'transpilation' is the legacy platform's alone"),
        ({"resilience_level": 1}, "SamplerOptions has no option 'resilience_level'"),
    ):
        with pytest.raises(InvalidOption, match=problem):
            await params_of(sampler_job, TEXT, bad, today, shots=None)
    with pytest.raises(InvalidOption, match="a SamplerOptions or a mapping, not EstimatorOptions"):
        await params_of(sampler_job, TEXT, EstimatorOptions(), today, shots=None)  # type: ignore[arg-type]


async def test_a_mapping_is_left_alone_on_the_legacy_platform() -> None:
    """That platform's own options go out as they are, and the classes work there as well."""
    options = {"transpilation": {"optimization_level": 1}, "dynamical_decoupling": {"enable": True}}

    assert (await params_of(sampler_job, TEXT, options, Platform.LEGACY, shots=None))["options"] == options
    chosen = SamplerOptions(default_shots=7)
    assert (await params_of(sampler_job, TEXT, chosen, Platform.LEGACY, shots=None))["options"] == {"default_shots": 7}  # type: ignore[arg-type]
