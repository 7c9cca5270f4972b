"""Small tables of written records from MedQuAD (A. Ben Abacha, D. Demner-Fushman, BMC Bioinformatics 20, 511, 2019; CC BY 4.0).

    python medquad.py --data medquad.tar.gz --task cancer --out medquad-cancer.csv
    python medquad.py --data medquad.tar.gz --task kind --out medquad-kind.csv

`cancer`: answers of cancer.gov (NCI) against those of the other institutes of the NIH. `kind`: what an answer is about, five
classes. Columns topic, label, text; `topic` is the disease, to be given as --group, so that no disease is in both training and test.

What would give the label away without being read is taken out: sentences that name an institute, its site or its programmes;
the question that some answers repeat; answers made of a form letter; answers that occur twice. Topic and style of an
institute stay: cancer.gov writes about cancer, so the first task is to tell diseases apart, not risks of patients.
"""

import argparse
import csv
import random
import re
import tarfile
import xml.etree.ElementTree as xml
from collections import defaultdict

CANCER = "1_CancerGov_QA"
KINDS = {"information": "information", "symptoms": "symptoms", "treatment": "treatment", "causes": "causes", "exams and tests": "tests"}
GIVES_AWAY = re.compile(
    r"https?:|www\.|\.gov\b|\.org\b|\b(NIH|NCI|PDQ|CDC|NIDDK|NINDS|NHLBI|NIA|GARD|GHR|OMIM|MedlinePlus|Orphanet)\b"
    r"|National (Cancer )?Institutes?|Genetics Home Reference|Genetic Testing Registry|Rare Diseases"
    r"|Centers for Disease Control|Genetic and Rare|summar(y|ies)|clinical trials? (search|is also)|Key Points",
    re.IGNORECASE,
)
FORM_LETTERS = re.compile(r"Human Phenotype Ontology|These resources address|resources? (below|from)", re.IGNORECASE)


def clean(answer, most):
    """The answer's sentences without those that give the label away, up to `most` characters; None where little is left."""
    if FORM_LETTERS.search(answer):
        return None
    sentences = re.split(r"(?<=[.?!])\s+", re.sub(r"\s+", " ", answer).strip())
    while sentences and sentences[0].endswith("?"):
        sentences.pop(0)
    text = ""
    for sentence in sentences:
        if GIVES_AWAY.search(sentence):
            continue
        if len(text) + len(sentence) + 1 > most:
            break
        text = f"{text} {sentence}".strip()
    return text if len(text) >= 80 else None


def answers(archive, most):
    """Collection, kind, topic and text of every answer that is left, each text once."""
    seen = set()
    with tarfile.open(archive) as files:
        for member in sorted(files.getmembers(), key=lambda member: member.name):
            if not member.name.endswith(".xml"):
                continue
            root = xml.parse(files.extractfile(member)).getroot()
            topic = re.sub(r"\s+", " ", root.findtext("Focus") or "").strip().lower()
            for pair in root.iter("QAPair"):
                text = clean(pair.findtext("Answer") or "", most)
                key = re.sub(r"\W+", " ", text or "").lower()[:200]
                if text and topic and key not in seen:
                    seen.add(key)
                    yield member.name.split("/")[-2], pair.find("Question").get("qtype"), topic, text


def take(groups, rows, draw):
    """`rows` records, as evenly over the groups as they have them."""
    lists = [list(group) for _, group in sorted(groups.items())]
    for records in lists:
        draw.shuffle(records)
    taken = []
    while len(taken) < rows and any(lists):
        for records in lists:
            if records and len(taken) < rows:
                taken.append(records.pop())
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", choices=["cancer", "kind"], required=True)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--characters", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    of_class = defaultdict(lambda: defaultdict(list))
    for collection, kind, topic, text in answers(options.data, options.characters):
        if options.task == "cancer":
            label = "cancer" if collection == CANCER else "other"
        else:
            label = KINDS.get(kind)
        if label:
            of_class[label][collection].append((topic, label, text))
    records, left = [], options.rows
    # The smallest class first: what it lacks, the others give.
    for place, groups in enumerate(sorted(of_class.values(), key=lambda groups: sum(map(len, groups.values())))):
        records += take(groups, left // (len(of_class) - place), draw)
        left = options.rows - len(records)
    draw.shuffle(records)
    with open(options.out, "w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["topic", "label", "text"])
        rows.writerows(records)


if __name__ == "__main__":
    main()
