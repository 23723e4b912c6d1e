"""The benchmarks: ours, a peer and the limit of the machine, measured side by side in one run.

``python -m benchmarks`` runs all of them, ``python -m benchmarks NAME`` one. A benchmark is a module in this
folder with a tuple ``ROWS``, one `benchmarks.harness.Row` for each line of its table; nothing is registered anywhere.
How to write one stands in `benchmarks.harness`.
"""
