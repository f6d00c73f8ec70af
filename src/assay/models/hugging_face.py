"""A local Hugging Face folder as a subject. Nothing is fetched and no code of the folder is run."""

import copy
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from assay.bounds import MOST_WEIGHTS_FILE, check_configuration, check_file, first_line, is_file, read_json_value
from assay.encoding.hugging_face import num_positions, refuse_hub_code, silent_transformers
from assay.errors import AssayError
from assay.isolation import seeded
from assay.models.causal_language import answers_sources
from assay.models.meta import only_shapes
from assay.objective import PAD, Classification
from assay.subject import Subject
from assay.task import Task

_NAMES = {"tokens": "input_ids", "source": "input_ids", "prefix": "decoder_input_ids"}
_SPARE = 2**24  # weights that any machine can hold, so that missing ones can be named
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")


def is_hugging_face(folder: Path) -> bool:
    """Whether the folder's `config.json` names a model type."""
    try:
        config = read_json_value(folder / "config.json") if is_file(folder / "config.json") else None
    except AssayError:
        return False
    return isinstance(config, dict) and "model_type" in config


def load_hugging_face(folder: Path, *, task: Task | None) -> Subject:
    """The model that the folder's configuration names, with its weights.

    Its forward is called with `tokens` as `input_ids`, or with `source` (PAD masked) and `prefix` as `input_ids` and
    `decoder_input_ids`, of a causal language model as one sequence of ids; `text` (UTF-8 padded with 0) goes through the
    folder's tokenizer; other inputs keep their names. A decoder that classifies and names no padding token reads the last
    token. For a task with one class as answer, logits at every position `(n, length, classes)` become those of the last
    position that is no padding.

    **Raises:** `AssayError` without transformers, and when the folder does not hold a model that it can load.
    """
    try:
        import transformers
    except ImportError as error:
        raise AssayError(
            "a Hugging Face folder needs transformers", given=str(error), next_step="run `pip install assay[hf]`"
        ) from error
    check_configuration(folder / "config.json")
    refuse_hub_code(folder)
    try:
        with silent_transformers():
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a damaged folder makes transformers raise many kinds of errors
        raise AssayError("the folder's config.json must be one that transformers knows", given=first_line(error)) from error
    config.use_cache = False
    named = config.architectures[0] if isinstance(config.architectures, list) and config.architectures else ""
    architecture = getattr(transformers, named, None) if isinstance(named, str) else None
    if not (isinstance(architecture, type) and issubclass(architecture, transformers.PreTrainedModel)):
        raise AssayError(
            "config.json must name an architecture of transformers, such as BertForSequenceClassification",
            given=named or "none",
            next_step=f"add it under `architectures` in {folder / 'config.json'}, or install a newer transformers",
        )
    _check_weights(folder, config, architecture)
    try:
        # Safetensors only: a pickle could run code.
        with silent_transformers():
            loaded: Any = architecture.from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        module, loading = loaded
    except (OSError, ValueError, RuntimeError) as error:
        raise _unloadable(folder, first_line(error)) from error
    except Exception as error:
        raise _unloadable(folder, f"a truncated or altered file ({first_line(error)})") from error
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise _unloadable(
            folder, f"weights without {', '.join(missing[:5])} ({len(missing)} missing), which would stay untrained"
        )

    def fresh(generator: Generator) -> nn.Module:
        with seeded(generator):
            return _adapted(architecture(config), task, folder)

    return Subject(_adapted(module, task, folder), name=folder.resolve().name, fresh=fresh)


def _check_weights(folder: Path, config: Any, architecture: Any) -> None:
    """Check, before any is allocated, that the files can hold the weights of the architecture."""
    files = [path for path in folder.iterdir() if path.suffix == ".safetensors"]
    for path in files:
        check_file(path, most=MOST_WEIGHTS_FILE)
    try:
        with only_shapes():
            made = architecture(config)
    except Exception as error:
        rule = "the folder's config.json must be one that transformers can build"
        raise AssayError(rule, given=first_line(error)) from error
    wanted, held = sum(value.numel() for value in made.parameters()), sum(path.stat().st_size for path in files)
    if wanted > 2 * held + _SPARE:  # a weight takes at least half a byte
        raise _unloadable(folder, f"{held:,} bytes for an architecture of {wanted:,} weights")


def _unloadable(folder: Path, given: str) -> AssayError:
    return AssayError(
        f"{folder} must hold the architecture's whole weights as safetensors",
        given=given,
        next_step="save the model again with save_pretrained",
    )


def _adapted(module: nn.Module, task: Task | None, folder: Path) -> nn.Module:
    """Hooks on the module itself, so that sites keep its own names."""
    if "ForSequenceClassification" in type(module).__name__ and getattr(module.config, "pad_token_id", 0) is None:
        module.config = copy.copy(module.config)
        module.register_forward_pre_hook(partial(_pad_named, folder.absolute()), with_kwargs=True)
    answers_sources(module, task)
    module.register_forward_pre_hook(partial(_renamed, folder.absolute()), with_kwargs=True)
    if task is not None and isinstance(task.objective, Classification):
        module.register_forward_hook(_last_position, with_kwargs=True)
    return module.float().eval()


def _pad_named(folder: Path, module: Any, args: tuple, kwargs: dict) -> None:
    """Set the padding token of a classifying decoder, which reads the last token that is no padding and refuses a batch without
    one. Texts are padded by the tokenizer and sources with PAD; other inputs are not padded, and get an id that does not
    occur."""
    no_padding = PAD if "source" in kwargs else -1
    module.config.pad_token_id = _tokenizer(folder).pad_token_id if "text" in kwargs else no_padding


def _renamed(folder: Path, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    if "text" in kwargs:
        return args, _tokenised(folder, kwargs["text"], module)
    renamed = {_NAMES.get(name, name): value for name, value in kwargs.items()}
    if "source" in kwargs:
        renamed.setdefault("attention_mask", (kwargs["source"] != PAD).long())
    return args, renamed


def _tokenised(folder: Path, text: Tensor, module: nn.Module) -> dict[str, Tensor]:
    tokenizer = _tokenizer(folder)
    texts = [bytes(row.tolist()).rstrip(b"\0").decode("utf-8") for row in text]
    longest = min(tokenizer.model_max_length, num_positions(module) or 512)
    # Padded at the end: most decoders count positions from the left, padding included.
    batch = tokenizer(texts, padding=True, padding_side="right", truncation=True, max_length=longest, return_tensors="pt")
    return {name: batch[name].to(text.device) for name in ("input_ids", "attention_mask")}


@cache
def _tokenizer(folder: Path) -> Any:
    import transformers

    given = "no such file"
    if any((folder / name).is_file() for name in _VOCABULARIES):  # without this check transformers makes an empty tokenizer
        try:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # a damaged folder makes transformers raise many kinds of errors
            given = first_line(error)
        else:
            tokenizer.pad_token = (
                tokenizer.pad_token or tokenizer.eos_token
            )  # decoders trained without padding; the token is masked
            return tokenizer
    raise AssayError(
        f"a task of texts needs the tokenizer in the folder of the weights, {folder}",
        given=given,
        choices=_VOCABULARIES,
        next_step="save it there with tokenizer.save_pretrained",
    )


def _last_position(module: nn.Module, args: tuple, kwargs: dict, output: object) -> Tensor | object:
    """Logits at the last position that is no padding, where logits come for each position."""
    logits = getattr(output, "logits", output)
    if not (isinstance(logits, Tensor) and logits.ndim == 3):
        return logits
    mask = kwargs.get("decoder_attention_mask" if "decoder_input_ids" in kwargs else "attention_mask")
    if mask is None or mask.shape != logits.shape[:2]:
        return logits[:, -1]
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)
    return logits[torch.arange(len(logits), device=logits.device), last]
