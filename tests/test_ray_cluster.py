"""The cluster file is what Ray's own schema and code accept."""

import json
from pathlib import Path

import jsonschema
import ray
import yaml

ROOT = Path(__file__).parents[1]


def test_cluster_file_is_valid_for_ray():
    config = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    jsonschema.validate(config, schema)
    assert config["head_node_type"] in config["available_node_types"]
    mounted = [target for target in config["file_mounts"] if target.endswith("curation")]
    assert mounted
    assert any("curation" in command for command in config["setup_commands"])
