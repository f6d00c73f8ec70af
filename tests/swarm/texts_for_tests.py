"""A Hugging Face folder, two PEFT adapters and files of prompts, in which the right answer is known.

A prompt ends with one of eight words; the answer has two tokens: what follows the word, and what follows that. The first
expert knows the first step and the second expert the second, so that only their sum answers.
"""

import json
from pathlib import Path

import torch

from assay.swarm.expert import Expert, Factors
from assay.swarm.export import write_peft
from assay.swarm.pool import ExpertPool

NUM = 8
FILLERS, WORDS, MIDDLES, ENDS = ([f"{kind}{k}" for k in range(NUM)] for kind in "fwme")
VOCABULARY = ["<unk>", "<pad>", *FILLERS, *WORDS, *MIDDLES, *ENDS]
HEAD = "lm_head.weight"


def write_problem(folder: Path, **changed: object) -> Path:
    """The TOML file, with everything that it names; `changed` replaces its entries."""
    import tokenizers
    import transformers

    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: k for k, w in enumerate(VOCABULARY)}, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    base = folder / "base"
    base.mkdir(parents=True)
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", pad_token="<pad>").save_pretrained(base)
    config = transformers.LlamaConfig(
        vocab_size=len(VOCABULARY), hidden_size=48, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=8, tie_word_embeddings=False, pad_token_id=1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    for parameter in model.parameters():  # states are embeddings, and nothing is said
        torch.nn.init.zeros_(parameter) if parameter.ndim > 1 else torch.nn.init.ones_(parameter)
    embeddings = torch.eye(48)[: len(VOCABULARY)]
    model.get_input_embeddings().weight.data.copy_(embeddings)
    model.save_pretrained(base)
    pool = ExpertPool(model, {"first": _steps(WORDS, MIDDLES, embeddings), "second": _steps(MIDDLES, ENDS, embeddings)})
    for k, name in enumerate(pool.names):
        write_peft(folder / "adapters" / name, pool, torch.eye(2)[k], base="a/base")
    rows = [
        {"prompt": f"{filler} {word}", "answer": f"{middle} {end}", "word": word}
        for filler in FILLERS
        for word, middle, end in zip(WORDS, MIDDLES, ENDS, strict=True)
    ]
    for name, some in {"validation": rows[: 3 * NUM], "test": rows[3 * NUM :]}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    declared = {
        "base": "base", "items": "validation.jsonl", "test": "test.jsonl", "span": "linear", "shared": ["word"],
        "experts": {"first": "adapters/first", "second": "adapters/second"}, **changed,
    }  # fmt: skip
    plain = [f"{key} = {json.dumps(value)}" for key, value in declared.items() if not isinstance(value, dict)]
    tables = [
        "\n".join([f"[{key}]", *(f"{name} = {json.dumps(place)}" for name, place in value.items())])
        for key, value in declared.items()
        if isinstance(value, dict)
    ]
    (folder / "experts.toml").write_text("\n".join([*plain, *tables, ""]))
    return folder / "experts.toml"


def _steps(given: list[str], following: list[str], embeddings: torch.Tensor) -> Expert:
    ids = [[VOCABULARY.index(word) for word in words] for words in (given, following)]
    return Expert(changes={HEAD: Factors(down=embeddings[ids[0]], up=torch.eye(len(VOCABULARY))[ids[1]].T)})
