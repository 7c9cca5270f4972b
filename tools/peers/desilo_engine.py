"""Times CKKS operations of desilofhe through its Python wheel, on the CPU.

Prints one JSON object a line: op, n, log_q, log_p, threads, peer, peer_ms, note.
The library chooses its primes itself and does not tell their sizes, so log_q and
log_p are null. It takes the number of levels only.
"""

import argparse
import json
import math
import statistics
import time
from importlib.metadata import version

from desilofhe import Engine

# Levels whose engine has that degree and as many ciphertext primes as Confide's set.
LEVELS = {15: 15, 16: 26}


def median_ms(run, rounds):
    run()  # first call touches fresh memory
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        samples.append((time.perf_counter() - start) * 1e3)
    return statistics.median(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log-n", type=int, default=15, choices=LEVELS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()

    options = {"max_level": LEVELS[args.log_n], "mode": "cpu"}
    if args.threads > 1:
        options |= {"mode": "parallel", "thread_count": args.threads}
    engine = Engine(**options)
    n = 2 * engine.slot_count
    if n != 1 << args.log_n:
        raise SystemExit(f"its engine of {options['max_level']} levels has N = {n}")
    secret = engine.create_secret_key()
    public = engine.create_public_key(secret)
    relin = engine.create_relinearization_key(secret)
    rotations = [engine.create_fixed_rotation_key(secret, step) for step in range(1, 9)]
    values = [math.sin(i) for i in range(n // 2)]
    plain = engine.encode(values)
    ciphertext = engine.encrypt(values, public)

    operations = [
        ("rotate", lambda: engine.rotate(ciphertext, rotations[0]), args.rounds),
        ("mul_relin_rescale", lambda: engine.rescale(engine.multiply(ciphertext, ciphertext, relin)),
         args.rounds),
        ("rotate_hoisted_8", lambda: engine.rotate_many(ciphertext, rotations), 3),
        ("encode", lambda: engine.encode(values), args.rounds),
        ("encrypt", lambda: engine.encrypt(plain, public), args.rounds),
        ("decrypt_decode", lambda: engine.decrypt(ciphertext, secret), args.rounds),
        ("relin_keygen", lambda: engine.create_relinearization_key(secret), 3),
        ("galois_keygen", lambda: engine.create_fixed_rotation_key(secret, 1), 3),
    ]
    for op, run, rounds in operations:
        print(json.dumps({
            "op": op, "n": n, "log_q": None, "log_p": None, "threads": args.threads,
            "peer": f"desilofhe {version('desilofhe')}", "peer_ms": round(median_ms(run, rounds), 3),
            "note": f"{engine.max_level} levels; the sizes of its primes are not told",
        }), flush=True)


if __name__ == "__main__":
    main()
