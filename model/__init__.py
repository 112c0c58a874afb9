"""The bundled bilingual text-to-image demo model: data, training, evaluation and weights."""
