"""Times CKKS operations of Microsoft SEAL through TenSEAL's Python wheel.

Prints one JSON object a line: op, n, log_q, log_p, threads, peer, peer_ms.
SEAL runs on one thread, knows one special prime only, and needs the `sealapi`
module that TenSEAL brings. Parameters keep N and log2(QP) of Confide's own bench;
SEAL's security check is left to the caller because its table (881 bits at 2^15)
is wider than the one used here (868).
"""

import argparse
import json
import math
import statistics
import time

import tenseal
import tenseal.sealapi as seal


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
    parser.add_argument("--log-qp", type=int, help="bits of all primes together; as Confide's set has when absent")
    parser.add_argument("--threads", type=int, default=1, choices=[1])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()

    if args.log_qp is None:
        args.log_qp = {13: 163, 14: 378, 15: 832, 16: 1570}[args.log_n]
    n = 1 << args.log_n
    # SEAL's table of secure sizes ends at 2^15; Confide checks its own set of 2^16.
    level = seal.SEC_LEVEL_TYPE.TC128 if args.log_n < 16 else seal.SEC_LEVEL_TYPE.NONE
    count = math.ceil(args.log_qp / 51)
    bits = [args.log_qp // count] * count
    for i in range(args.log_qp - sum(bits)):
        bits[i] += 1
    log_p = bits[-1]
    log_q = sum(bits) - log_p

    literal = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    literal.set_poly_modulus_degree(n)
    literal.set_coeff_modulus(seal.CoeffModulus.Create(n, bits))
    context = seal.SEALContext(literal, True, level)
    keygen = seal.KeyGenerator(context)
    secret = keygen.secret_key()
    public = seal.PublicKey()
    keygen.create_public_key(public)
    relin = seal.RelinKeys()
    relin_ms = median_ms(lambda: keygen.create_relin_keys(relin), 3)
    galois = seal.GaloisKeys()
    keygen.create_galois_keys([3], galois)  # Galois element 3 turns by one slot

    encoder = seal.CKKSEncoder(context)
    encryptor = seal.Encryptor(context, public)
    decryptor = seal.Decryptor(context, secret)
    evaluator = seal.Evaluator(context)
    scale = 2.0 ** 40
    values = [math.sin(i) for i in range(n // 2)]
    plain = seal.Plaintext()
    encoder.encode(values, scale, plain)
    ciphertext = seal.Ciphertext()
    encryptor.encrypt(plain, ciphertext)

    out = seal.Ciphertext()
    decrypted = seal.Plaintext()

    def rotate():
        evaluator.rotate_vector(ciphertext, 1, galois, out)

    def multiply():
        evaluator.multiply(ciphertext, ciphertext, out)
        evaluator.relinearize_inplace(out, relin)
        evaluator.rescale_to_next_inplace(out)

    def decrypt():
        decryptor.decrypt(ciphertext, decrypted)
        encoder.decode_double(decrypted)

    operations = [
        ("rotate", lambda: median_ms(rotate, args.rounds)),
        ("mul_relin_rescale", lambda: median_ms(multiply, args.rounds)),
        ("encrypt", lambda: median_ms(lambda: encryptor.encrypt(plain, out), args.rounds)),
        ("decrypt_decode", lambda: median_ms(decrypt, args.rounds)),
        ("relin_keygen", lambda: relin_ms),
    ]
    for op, measure in operations:
        print(json.dumps({
            "op": op, "n": n, "log_q": log_q, "log_p": log_p, "threads": 1,
            "peer": f"SEAL via tenseal {tenseal.__version__}", "peer_ms": round(measure(), 3),
        }), flush=True)


if __name__ == "__main__":
    main()
