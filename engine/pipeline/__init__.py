"""The jobs, each an ordered set of tasks: bring a model or data, convert, look into, try, measure.

The same functions run in the host (each task a durable step) and in the shell (each task at
once); ``Steps`` is the difference. Nothing here imports a framework: tasks do, in their workers.
"""

from engine.pipeline.converting import convert
from engine.pipeline.excluding import exclude
from engine.pipeline.explaining import explain, look_at_layers
from engine.pipeline.importing import import_model
from engine.pipeline.measuring import measure
from engine.pipeline.preparing import prepare_data
from engine.pipeline.requests import (
    ConvertRequest,
    DataRequest,
    ExcludeRequest,
    ExplainRequest,
    ImportRequest,
    MeasureRequest,
    SensitivityRequest,
    TryRequest,
)
from engine.pipeline.trying import artifact_to_try, try_out

__all__ = [
    "ConvertRequest",
    "DataRequest",
    "ExcludeRequest",
    "ExplainRequest",
    "ImportRequest",
    "MeasureRequest",
    "SensitivityRequest",
    "TryRequest",
    "artifact_to_try",
    "convert",
    "exclude",
    "explain",
    "import_model",
    "look_at_layers",
    "measure",
    "prepare_data",
    "try_out",
]
