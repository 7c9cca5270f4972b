"""Times CKKS operations of OpenFHE through its Python wheel.

Prints one JSON object a line: op, n, log_q, log_p, threads, peer, peer_ms.
The thread count is OpenMP's: start with OMP_NUM_THREADS=1 or 2. The wheels are
built for particular Python versions (`xtask peers` picks one that fits).
"""

import argparse
import json
import math
import os
import statistics
import time
from importlib.metadata import version

import openfhe as fhe


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
    parser.add_argument("--log-n", type=int, default=15)
    parser.add_argument("--primes", type=int, help="ciphertext primes; as Confide's set has when absent")
    parser.add_argument("--bits", type=int, help="bits of a ciphertext prime; likewise")
    parser.add_argument("--digits", type=int, default=4, help="key-switching digits")
    parser.add_argument("--threads", type=int, default=1, help="OMP_NUM_THREADS has to say the same")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()

    primes, bits = {14: (7, 41), 16: (27, 45)}.get(args.log_n, (16, 42))
    args.primes = args.primes or primes
    args.bits = args.bits or bits

    literal = fhe.CCParamsCKKSRNS()
    literal.SetRingDim(1 << args.log_n)
    literal.SetMultiplicativeDepth(args.primes - 1)
    literal.SetScalingModSize(args.bits)
    literal.SetFirstModSize(args.bits + 1)
    literal.SetScalingTechnique(fhe.FIXEDMANUAL)
    literal.SetKeySwitchTechnique(fhe.HYBRID)
    literal.SetNumLargeDigits(args.digits)
    literal.SetSecurityLevel(fhe.HEStd_128_classic)
    context = fhe.GenCryptoContext(literal)
    for feature in (fhe.PKE, fhe.KEYSWITCH, fhe.LEVELEDSHE):
        context.Enable(feature)
    keys = context.KeyGen()
    context.EvalMultKeyGen(keys.secretKey)
    steps = list(range(1, 9))
    context.EvalRotateKeyGen(keys.secretKey, steps)

    n = 1 << args.log_n
    log_q = args.primes * args.bits + 1
    # OpenFHE sizes P to the largest digit, in primes of 60 bits.
    digit = math.ceil(args.primes / args.digits) * args.bits + 1
    log_p = 60 * math.ceil(digit / 60)

    plain = context.MakeCKKSPackedPlaintext([math.sin(i) for i in range(n // 2)])
    ciphertext = context.Encrypt(keys.publicKey, plain)

    def hoisted():
        digits = context.EvalFastRotationPrecompute(ciphertext)
        for step in steps:
            context.EvalFastRotation(ciphertext, step, 2 * n, digits)

    def relin_keygen():
        fhe.ClearEvalMultKeys()  # an existing key would be kept, not made again
        context.EvalMultKeyGen(keys.secretKey)

    def decrypt():
        context.Decrypt(ciphertext, keys.secretKey).GetRealPackedValue()

    operations = [
        ("rotate", lambda: context.EvalRotate(ciphertext, 1), args.rounds),
        ("mul_relin_rescale",
         lambda: context.Rescale(context.EvalMult(ciphertext, ciphertext)), args.rounds),
        ("rotate_hoisted_8", hoisted, max(3, args.rounds // 3)),
        ("encrypt", lambda: context.Encrypt(keys.publicKey, plain), args.rounds),
        ("decrypt_decode", decrypt, args.rounds),
        ("relin_keygen", relin_keygen, 3),
    ]
    for op, run, rounds in operations:
        print(json.dumps({
            "op": op, "n": n, "log_q": log_q, "log_p": log_p,
            "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
            "peer": f"OpenFHE {version('openfhe')}", "peer_ms": round(median_ms(run, rounds), 3),
        }), flush=True)


if __name__ == "__main__":
    main()
