"""Packages that tell their makers of their use are told not to: nothing leaves the machine that nobody sent."""
import os
import sys

# What each reads before it asks or tells a server; a variable that the user has set stays as it is.
VARIABLES = dict(
    ORT_DISABLE_TELEMETRY='1',  # ONNX Runtime 1.32: events and an identifier of the device, by HTTPS to Microsoft
    RAY_USAGE_STATS_ENABLED='0',  # Ray: what a cluster is made of and which of its libraries are used
    NO_ALBUMENTATIONS_UPDATE='1',  # albumentations: asks for a newer version when it is imported
    HF_HUB_DISABLE_TELEMETRY='1')  # huggingface_hub: versions of packages and the platform, beside each request
TELLING = ('openvino_telemetry',)  # OpenVINO does without it, and has no variable


def hush():
    """Set the variables, and let what cannot be told be missing unless it is imported already."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    for package in TELLING:
        sys.modules.setdefault(package, None)
