"""CAE-AV takes whatever its host sets, and only the enrichment is its own."""

import pytest
from pydantic import ValidationError

from core.errors import BenchError
from core.resolving import resolve
from core.running.axes import axis_names
from core.running.probing import probe_method
from methods.cae_av import HOSTS, CaeAv
from methods.parts.config import EnrichmentConfig


@pytest.mark.parametrize("host", sorted(HOSTS))
def test_a_hosts_defaults_are_taken_over(host: str) -> None:
    own, its = CaeAv.Config(host=host).model_dump(), HOSTS[host].Config().model_dump()
    shared = its.keys() - EnrichmentConfig.model_fields.keys()
    assert {key: own[key] for key in shared} == {key: its[key] for key in shared}
    assert own["enrichment"] == "caste-case"


def test_what_is_given_wins_over_the_host() -> None:
    config = CaeAv.Config(host="gaid", support_weight=0.2, enrichment="case")
    assert (config.fusion, config.support_weight, config.enrichment) == ("frame", 0.2, "case")


@pytest.mark.parametrize("host", ["cae_av", "gaidd", 3, ["gaid"]])
def test_an_unknown_host_is_refused(host: object) -> None:
    with pytest.raises(ValidationError, match="host"):
        CaeAv.Config(host=host)
    with pytest.raises(BenchError, match=r"config\.host|host"):
        resolve("cae_av", "avworld-tiny", {"config.host": host})


@pytest.mark.parametrize("host", sorted(HOSTS))
def test_a_complete_spec_builds_the_same_method_again(host: str) -> None:
    spec = resolve("cae_av", "avworld-tiny", {"config.host": host})
    assert CaeAv.Config(**spec.config).model_dump(mode="json") == spec.config
    assert spec.config["fusion"] == HOSTS[host].Config().fusion


@pytest.mark.parametrize("host", sorted(HOSTS))
def test_it_scores_by_own_captions_exactly_if_its_host_does(host: str) -> None:
    method = probe_method(resolve("cae_av", "avworld-tiny", {"config.host": host}))
    assert (method.released is not None) == HOSTS[host].own_captions


def test_it_asks_for_sound_patches_and_captions_and_its_hosts_do_not() -> None:
    needs = {
        name: (method.needs.sound, method.needs.patches, method.needs.video_captions)
        for name in ("cae_av", *HOSTS)
        for method in [probe_method(resolve(name, "avworld-tiny", {}))]
    }
    assert needs["cae_av"] == (True, True, True)
    assert not any(patches or captions for name, (_, patches, captions) in needs.items() if name in HOSTS)
    assert "audio_encoder" in axis_names("cae_av")
