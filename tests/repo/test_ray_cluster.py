"""The cluster files are what Ray's own schema and code accept, and run a build that the command line accepts."""

import json
import shlex
from pathlib import Path

import jsonschema
import pytest
import ray
import typer
import yaml

from curation.cli import app
from curation.pipeline.assemble import worker_needs
from curation.pipeline.config import load_config

ROOT = Path(__file__).parents[2]
CLUSTER = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
JOB = yaml.safe_load((ROOT / "docker/kuberay-rayjob.yaml").read_text())
# Fields of KubeRay's ray.io/v1, by name; the CRD itself is in no package. Kubernetes refuses fields it does not know.
POD = {"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object", "required": ["containers"]}}}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}


def closed(required, **properties):
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


WORKERS = closed(
    ["groupName", "template"],
    groupName={"type": "string"},
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    numOfHosts=COUNT,
    idleTimeoutSeconds=COUNT,
    rayStartParams=TEXTS,
    template=POD,
)
SCALING = closed([], upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]}, idleTimeoutSeconds=COUNT)
RAY_CLUSTER = closed(
    ["headGroupSpec"],
    rayVersion={"type": "string"},
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=SCALING,
    headGroupSpec=closed(["template"], rayStartParams=TEXTS, serviceType={"type": "string"}, template=POD),
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
RAY_JOB = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata={"type": "object", "required": ["name"]},
    spec=closed(
        ["entrypoint", "rayClusterSpec"],
        entrypoint={"type": "string"},
        backoffLimit=COUNT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        activeDeadlineSeconds=COUNT,
        rayClusterSpec=RAY_CLUSTER,
    ),
)


def build_options(command: str) -> dict:
    """What `curation build ...` sets, by the command line's own parser."""
    program, name, *rest = shlex.split(command)
    assert (program, name) == ("curation", "build")
    build = typer.main.get_command(app).commands["build"]
    return build.make_context("build", rest).params


def test_cluster_file_is_valid_for_ray():
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    jsonschema.validate(CLUSTER, schema)
    assert CLUSTER["head_node_type"] in CLUSTER["available_node_types"]
    mounted = [target for target in CLUSTER["file_mounts"] if target.endswith("curation")]
    assert mounted
    assert any("curation" in command for command in CLUSTER["setup_commands"])


def test_node_types_fit_within_the_cluster():
    types = CLUSTER["available_node_types"]
    assert sum(kind.get("max_workers", 0) for kind in types.values()) <= CLUSTER["max_workers"]
    assert types["head"]["resources"]["CPU"] == 0
    for name in ("cpu_worker", "gpu_worker"):
        assert types[name]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_gpu_nodes_do_all_that_the_others_do_and_more():
    common = CLUSTER["setup_commands"]
    own = CLUSTER["available_node_types"]["gpu_worker"]["worker_setup_commands"]
    assert set(common) < set(own)
    assert own.index(common[-2]) < own.index(common[-1])


def test_the_documented_job_of_the_cluster_parses():
    lines = [line.removeprefix("#").strip(" \\") for line in (ROOT / "ray_cluster.yaml").read_text().splitlines()]
    command = next(line for line in lines if line.startswith("curation build"))
    assert build_options(command)["output"] == "s3://BUCKET/corpus"


def test_ray_job_has_the_fields_of_kuberay():
    jsonschema.validate(JOB, RAY_JOB)
    groups = {group["groupName"]: group for group in JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]}
    assert set(groups) == {"cpu", "gpu"}
    for group in groups.values():
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    limits = groups["gpu"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


def test_ray_job_starts_the_same_image_everywhere():
    cluster = JOB["spec"]["rayClusterSpec"]
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        pod = group["template"]["spec"]
        assert [item["image"] for item in pod["containers"]] == ["curation:latest"]
        mounted = {mount["name"] for item in pod["containers"] for mount in item["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_ray_job_runs_a_build_that_fits_its_groups():
    options = build_options(JOB["spec"]["entrypoint"])
    assert options["wait"] > 60
    config = load_config(preset=options["preset"], overrides=options["overrides"])
    assert config.engine.address == "auto"
    gpu = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"][1]
    needs = worker_needs(config)
    assert 0 < config.engine.workers * needs.gpus <= gpu["maxReplicas"]
    limits = gpu["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert needs.cpus <= float(limits["cpu"])
    assert config.engine.max_worker_gib <= float(limits["memory"].removesuffix("Gi"))


def test_a_field_that_kuberay_does_not_know_is_found():
    wrong = json.loads(json.dumps(JOB))
    wrong["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minWorkers"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minWorkers"):
        jsonschema.validate(wrong, RAY_JOB)
