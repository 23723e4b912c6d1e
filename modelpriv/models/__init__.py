"""EncryptedEstimator: an estimator that is ciphertext wherever it is written."""
