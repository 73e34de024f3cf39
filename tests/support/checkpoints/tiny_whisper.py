"""A random Whisper of large-v3's format: 128 mel bands, 100 languages, 51,866 tokens; converted by CTranslate2."""

import json
from pathlib import Path

from curation.models.store import resolve
from curation.models.torch_compat import import_torchaudio

TEXT_TOKENS = 50_257
BANDS = 128
VOCABULARY = 51_866


def save_large_v3(folder: Path, *, preprocessor: bool = True) -> Path:
    """A CTranslate2 folder like faster-whisper-large-v3; `preprocessor`: with preprocessor_config.json."""
    from ctranslate2.converters import TransformersConverter

    source = folder / "transformers"
    _save_transformers(source)
    files = ["tokenizer.json", "preprocessor_config.json"] if preprocessor else ["tokenizer.json"]
    converter = TransformersConverter(str(source), copy_files=files)
    converter.convert(str(folder / "ct2"), quantization="int8")
    return folder / "ct2"


def _save_transformers(folder: Path) -> None:
    """The files of the transformers repository that the converter reads."""
    import torch

    import_torchaudio()
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    folder.mkdir(parents=True)
    tokens = _save_tokenizer(folder)
    torch.manual_seed(11)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        num_mel_bins=BANDS,
        d_model=64,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=TEXT_TOKENS,
        bos_token_id=TEXT_TOKENS,
        eos_token_id=TEXT_TOKENS,
        decoder_start_token_id=tokens["<|startoftranscript|>"],
        init_std=0.2,
    )
    model = WhisperForConditionalGeneration(config)
    languages = {
        name: number for name, number in tokens.items() if len(name.strip("<|>")) in {2, 3} or name == "<|haw|>"
    }
    model.generation_config = GenerationConfig(
        is_multilingual=True,
        lang_to_id=languages,
        task_to_id={"transcribe": tokens["<|transcribe|>"], "translate": tokens["<|translate|>"]},
        no_timestamps_token_id=tokens["<|notimestamps|>"],
        alignment_heads=[[1, 0], [1, 1]],
        decoder_start_token_id=tokens["<|startoftranscript|>"],
        eos_token_id=TEXT_TOKENS,
        pad_token_id=TEXT_TOKENS,
        suppress_tokens=[],
        begin_suppress_tokens=[220, TEXT_TOKENS],
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=BANDS).save_pretrained(folder)


def _save_tokenizer(folder: Path) -> dict[str, int]:
    """The multilingual tokenizer with what large-v3 added: Cantonese, which moves everything behind it by one."""
    tokenizer = json.loads((resolve("whisper-base") / "tokenizer.json").read_text())
    names = [item["content"] for item in sorted(tokenizer["added_tokens"], key=lambda item: item["id"])]
    names.insert(names.index("<|su|>") + 1, "<|yue|>")
    tokens = {name: TEXT_TOKENS + place for place, name in enumerate(names)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer["added_tokens"] = [
        {"id": number, "content": name, "special": number < TEXT_TOKENS + 108} | flags
        for name, number in tokens.items()
    ]
    tokenizer["post_processor"] = None  # it holds the old ids
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    ends = dict.fromkeys(("eos_token", "unk_token", "bos_token"), "<|endoftext|>")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | ends
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokens
