"""Install mlaface; ranges are declared here, the tested versions stand in requirements/constraints.txt."""
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / 'mlaface' / 'version.py').read_text(), VERSION)

INSTALL = [
    'torch>=2.4', 'mmengine-lite>=0.10.7', 'numpy>=1.26', 'opencv-python-headless>=4.8', 'simplejpeg>=1.7',
    'matplotlib>=3.8', 'rich>=13', 'jinja2>=3.1', 'tensorboard>=2.15', 'safetensors>=0.4',
    'scipy>=1.11',
]
ONNX = ['onnx>=1.16', 'onnxruntime>=1.18']
TESTS = [*ONNX, 'pytest>=8', 'pytest-xdist>=3', 'pytest-timeout>=2.3', 'hypothesis>=6', 'scikit-learn>=1.4',
         'faiss-cpu>=1.8', 'ruff>=0.6', 'playwright>=1.45', 'psutil>=5.9']

setup(
    name='mlaface',
    version=VERSION['__version__'],
    description='Face recognition as a config: backbones, attention, margins, sharded heads and stated protocols',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mlaface', 'mlaface.*']),
    package_data={'mlaface': ['**/*.html', '**/*.css', '**/*.js']},
    install_requires=INSTALL,
    extras_require=dict(onnx=ONNX, search=['faiss-cpu>=1.8'], mmcv=['mmcv-lite>=2.1'], tests=TESTS),
)
