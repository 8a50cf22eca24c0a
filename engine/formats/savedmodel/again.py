"""SavedModel → SavedModel: the same model, served as it is asked for.

A model that somebody else saved (Keras, say) gets the signatures and the versioned folder that ours
have; what it was trained with and other signatures of its own stay behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.formats.savedmodel.building import TENSORFLOW, Built, conversion_errors, save
from engine.formats.savedmodel.framework import tf
from engine.formats.savedmodel.options import SavedModelOptions
from engine.formats.savedmodel.running import Loaded
from engine.registry import Conversion, converter
from engine.registry import load as load_artifact
from engine.types import Artifact, Signature, Step


@converter("savedmodel", "savedmodel")
def savedmodel_from_savedmodel(
    source: Artifact, out: Path, options: SavedModelOptions
) -> Conversion:
    """The signature that is run becomes ``serving_default``; ``options`` may add another."""
    built = _wrapped(load_artifact(source), source.signature)
    save(built, source.signature, out, options)
    step = Step("save again", "TensorFlow", TENSORFLOW.version or "")
    return Conversion(source.signature, step, options.variant or "saved again")


def _wrapped(loaded: Loaded, signature: Signature) -> Built:
    """The loaded model under a function of the signature's own order."""
    arguments = [loaded.names.inputs[spec.name] for spec in signature.inputs]
    known = loaded.function.structured_input_signature[1]

    def serve(*tensors: Any) -> dict[str, Any]:
        made = loaded.function(**dict(zip(arguments, tensors, strict=True)))
        return {
            result: tf.identity(made[result], name=result)
            for result in loaded.names.outputs.values()
        }

    specs = [
        tf.TensorSpec(known[argument].shape, known[argument].dtype, name=argument)
        for argument in arguments
    ]
    with conversion_errors("tracing the model"):
        function = tf.function(serve, input_signature=specs, autograph=False)
        module = tf.Module()
        module.model = loaded.model
        return Built(module, function.get_concrete_function(), loaded.names)
