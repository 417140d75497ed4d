"""Libraries that open files in C, where nobody sees it, by the names of their distributions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

_TABLES: Final = (
    "pyarrow",
    "polars",
    "polars-lts-cpu",
    "polars-u64-idx",
    "duckdb",
    "fastparquet",
    "datafusion",
    "vaex-core",
)
_ARRAYS: Final = (
    "h5py",
    "tables",
    "netcdf4",
    "h5netcdf",
    "zarr",
    "tensorstore",
    "tiledb",
    "xarray",
    "anndata",
    "scanpy",
)
_MODELS: Final = ("xgboost", "xgboost-cpu", "lightgbm", "catboost", "onnxruntime", "onnxruntime-gpu", "safetensors")
_TEXT: Final = ("sentencepiece", "tokenizers", "fasttext", "datasets")
_IMAGES: Final = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
_MEDIA: Final = ("soundfile", "torchaudio", "torchvision", "torchcodec", "av", "decord", "simpleitk", "pydicom-gdcm")
_MAPS: Final = ("rasterio", "fiona", "pyogrio", "gdal", "geopandas", "rioxarray")
_OTHERS: Final = ("dask", "tensorflow", "tensorflow-cpu", "faiss-cpu", "faiss-gpu", "pysam")
_READERS: Final = frozenset((*_TABLES, *_ARRAYS, *_MODELS, *_TEXT, *_IMAGES, *_MEDIA, *_MAPS, *_OTHERS))


# pandas hands these on to pyarrow and tables; whatever else it reads, it opens itself.
_BY_NAME: Final = {"pandas": frozenset({"read_parquet", "read_hdf", "HDFStore"})}


def reads_unseen(libraries: Iterable[str], names: Callable[[], Collection[str]]) -> bool:
    """Whether code that reaches these distributions may read files that no audit event tells of.

    ``names`` gives the names that the code uses, for libraries of which only some functions do.
    """
    reached = set(libraries)
    if not _READERS.isdisjoint(reached):
        return True
    return any(library in reached and not some.isdisjoint(names()) for library, some in _BY_NAME.items())
