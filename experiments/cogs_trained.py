"""COGS by case of generalisation, for a small encoder-decoder that is trained here.

Run `python experiments/cogs_trained.py`. A transformer (two blocks on each side, width 128) is trained for some passes over all
sentences of `data/train.tsv` and writes the forms of the first `--num` sentences of every case of `data/gen.tsv`, word by word,
each given its own previous words. The script prints its exact matches on sentences of `data/test.tsv`, which have the training
distribution, and the table of `cogs_rows.py`: both scores of all 21 cases, with the nearest trained sentence as the null. The
last line is the mean over cases, with its interval over cases. Forms are encoded with fewer words than they are written with,
such as `( x _ 1 ,` as one, and are decoded again before scoring. No form longer than the longest trained one is written, so
deeper ones are wrong. Needs the data set `cogs` (`assay data`). Processor time, one thread.
"""

import argparse
import math
import re
import time
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.computation.decoding import greedy
from assay.logical_forms import score_forms
from assay.models.encoder_decoder import EncoderDecoder
from assay.objective import PAD
from assay.stats import mean_interval
from assay.subject import Subject
from experiments.cogs_rows import first_of_each, nearest, rows_of, told

START, END = "<start>", "<end>"
_WORD = re.compile(r"\( x _ \d+ [,)]|x _ \d+ \)|\. \w+|\S+")
_WARMUP, _CLIP = 200, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--num",
        type=int,
        default=100,
        help="sentences of every case; five times as many in-distribution ones",
    )
    parser.add_argument("--passes", type=float, default=8.0, help="passes over all training sentences")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, asked, alike = rows_of("train"), first_of_each(rows_of("gen"), given.num), rows_of("test")[: 5 * given.num]
    wanted, cases = [form for _, form, _ in asked], [case for *_, case in asked]
    null = score_forms(nearest([one[0] for one in asked], train), wanted, cases)
    for seed in given.seeds:
        start = time.process_time()
        writer = Writer([row[0] for row in [*train, *asked, *alike]], [row[1] for row in train], given.width, seed)
        loss = writer.fit(train, passes=given.passes, batch=given.batch, rate=given.rate, seed=seed)
        trained = time.process_time()
        same = score_forms(writer([row[0] for row in alike]), [row[1] for row in alike], ["as trained"] * len(alike))
        found = score_forms(writer([row[0] for row in asked]), wanted, cases)
        print(f"seed {seed}: loss {loss:.4f} in {trained - start:.0f} s, {time.process_time() - trained:.0f} s written")
        print("| case | sentences | exact | canonical | nearest trained sentence, canonical |\n| --- | --- | --- | --- | --- |")
        for case, score in [*same.items(), *found.items()]:
            beside = f"{null[case].canonical:.3f}" if case in null else ""
            print(f"| {case} | {score.num} | {told(score, 'exact')} | {told(score, 'canonical')} | {beside} |")
        of_cases = [torch.tensor([getattr(score, which) for score in found.values()]) for which in ("exact", "canonical")]
        print(f"| mean of {len(found)} cases | | {' | '.join(shown(units) for units in of_cases)} | |", flush=True)


def shown(units: Tensor) -> str:
    interval = mean_interval(units, bounds=(0.0, 1.0))
    return f"{float(units.mean()):.3f}" + (f" [{interval.low:.3f}, {interval.high:.3f}]" if interval else "")


def words_of(form: str) -> list[str]:
    """A form in fewer words: joined by blanks they are the form again.

    Example::

        assert words_of("cat ( x _ 1 ) AND run . agent ( x _ 2 , x _ 1 )")[:4] == ["cat", "( x _ 1 )", "AND", "run"]
    """
    return _WORD.findall(form)


class Writer:
    """An encoder-decoder from sentences to forms. `sentences`: all sentences to be read; `forms`: all training forms."""

    def __init__(self, sentences: Sequence[str], forms: Sequence[str], width: int, seed: int):
        self.source = _numbers(sentence.split() for sentence in sentences)
        self.target = _numbers([[START, END], *(words_of(form) for form in forms)])
        self.named = {number: word for word, number in self.target.items()}
        self.longest = max(len(words_of(form)) for form in forms) + 1
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module = EncoderDecoder(
                source_vocab=len(self.source) + 1,
                source_length=max(len(sentence.split()) for sentence in sentences),
                target_vocab=len(self.target) + 1,
                target_length=self.longest,
                width=width,
            )

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        source = _padded([[self.source[word] for word in sentence.split()] for sentence in sentences])
        prefix = torch.full((len(source), self.longest), PAD)
        prefix[:, 0] = self.target[START]
        written = greedy(Subject(self.module))({"source": source, "prefix": prefix})
        return [self._said(row) for row in written.tolist()]

    def _said(self, row: list[int]) -> str:
        end = self.target[END]
        return " ".join(self.named.get(word, "?") for word in (row[: row.index(end)] if end in row else row))

    def fit(self, rows: Sequence[tuple[str, str, str]], *, passes: float, batch: int, rate: float, seed: int) -> float:
        """AdamW along a cosine, in batches of sentences whose forms are of like length; the mean loss of the last hundred."""
        sources = [[self.source[word] for word in sentence.split()] for sentence, *_ in rows]
        targets = [[self.target[word] for word in [*words_of(form), END]] for _, form, _ in rows]
        generator = Generator().manual_seed(seed)
        steps = round(passes * len(rows) / batch)
        optimiser = torch.optim.AdamW(self.module.parameters(), lr=rate, weight_decay=0.01)
        losses: list[float] = []
        self.module.train()
        while len(losses) < steps:
            near = torch.tensor([len(one) for one in targets]) + 2 * torch.rand(len(rows), generator=generator)
            batches = near.argsort().split(batch)
            for k in torch.randperm(len(batches), generator=generator).tolist()[: steps - len(losses)]:
                some = batches[k].tolist()
                answer = _padded([targets[row] for row in some])
                first = torch.full((len(some), 1), self.target[START])
                prefix = torch.cat([first, answer[:, :-1]], 1)
                said = self.module(_padded([sources[row] for row in some]), prefix)
                loss = F.cross_entropy(said.flatten(0, 1), answer.flatten(), ignore_index=PAD)
                done = len(losses)
                for group in optimiser.param_groups:
                    group["lr"] = rate * min(1.0, (done + 1) / _WARMUP) * 0.5 * (1 + math.cos(math.pi * done / steps))
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.module.parameters(), _CLIP)
                optimiser.step()
                losses.append(loss.item())
        self.module.eval()
        return sum(losses[-100:]) / max(1, len(losses[-100:]))


def _numbers(texts) -> dict[str, int]:
    """The index of every word, in order of first occurrence; 0 is padding."""
    return {word: number for number, word in enumerate(dict.fromkeys(word for text in texts for word in text), start=1)}


def _padded(rows: list[list[int]]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


if __name__ == "__main__":
    main()
