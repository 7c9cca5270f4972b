"""Training of networks with degree-2 activations, for evaluation under homomorphic encryption.

A network is data: :mod:`networks.architecture` describes it as a list of layers, which the trainer
(:mod:`networks.network`), the folding (:mod:`networks.fold`) and the Rust evaluator all interpret.
"""
