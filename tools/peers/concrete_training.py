"""Trains concrete-ml's SGDClassifier on encrypted records of a CSV, and prints one JSON object.

The records named in --test-rows (a CSV with a column `row`: what `confide train --out` writes) are held out.
Features are brought to [-1, 1], as the library's documentation advises. Batch size (8), learning rate (1),
bits (6) and error probability (0.01 an operation) are fixed by the library.
"""

import argparse
import contextlib
import io
import json
import re
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
from concrete.ml.sklearn import SGDClassifier
from sklearn.preprocessing import MinMaxScaler


def train(features, labels, iterations, mode, seed):
    """A trained model, and what the library printed."""
    model = SGDClassifier(
        random_state=seed, max_iter=iterations, fit_encrypted=True, parameters_range=(-1.0, 1.0), verbose=True
    )
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        model.fit(features, labels, fhe=mode)
    return model, told.getvalue()


def seconds_of(pattern, text):
    return [float(found) for found in re.findall(pattern, text)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--test-rows", required=True)
    parser.add_argument("--iterations", type=int, default=3, help="on ciphertexts: minutes each on two cores")
    parser.add_argument("--long-iterations", type=int, default=60, help="in the library's simulation, and without encryption")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    table = pd.read_csv(args.csv)
    # Rows are counted from 1, without the header.
    held_out = pd.read_csv(args.test_rows)["row"].to_numpy() - 1
    labels = (table[args.label] == sorted(table[args.label].unique())[1]).astype(int).to_numpy()
    features = table.drop(columns=[args.label]).select_dtypes("number").to_numpy(dtype=float)
    test = np.zeros(len(table), dtype=bool)
    test[held_out] = True
    scaler = MinMaxScaler((-1, 1)).fit(features[~test])
    x, y = scaler.transform(features[~test]), labels[~test]
    x_test, y_test = np.clip(scaler.transform(features[test]), -1, 1), labels[test]

    def accuracy(model):
        return float(np.mean(model.predict(x_test) == y_test))

    began = time.perf_counter()
    encrypted, told = train(x, y, args.iterations, "execute", args.seed)
    total = time.perf_counter() - began
    print(told, file=sys.stderr)
    steps = seconds_of(r"Iteration \d+ took ([\d.]+) seconds", told)
    circuit = encrypted.training_quantized_module.fhe_circuit
    batch = encrypted.batch_size
    sample = [np.zeros((1, batch, x.shape[1]), dtype=np.int64), np.zeros((1, batch, 1), dtype=np.int64), None, None]
    batch_bytes = sum(len(part.serialize()) for part in circuit.encrypt(*sample)[:2])
    print(json.dumps({
        "peer": f"concrete-ml {version('concrete-ml')}",
        "records": len(y), "features": x.shape[1], "test_records": len(y_test),
        "batch": batch, "iterations": len(steps),
        "seconds_total": total, "seconds_compile": sum(seconds_of(r"Compilation took ([\d.]+) seconds", told)),
        "seconds_keys": sum(seconds_of(r"Key generation took ([\d.]+) seconds", told)),
        "seconds_training": sum(steps), "seconds_step": float(np.median(steps)),
        "key_bytes": len(circuit.keys.evaluation.serialize()), "data_bytes": batch_bytes * len(steps),
        "accuracy_encrypted": accuracy(encrypted), "long_iterations": args.long_iterations,
        "accuracy_simulated": accuracy(train(x, y, args.long_iterations, "simulate", args.seed)[0]),
        "accuracy_clear": accuracy(train(x, y, args.long_iterations, "disable", args.seed)[0]),
    }))


if __name__ == "__main__":
    main()
