"""Privacy for machine learning: protect the data a model is trained on, and the model itself."""

__version__ = "0.1.0.dev0"
