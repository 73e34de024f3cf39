"""A random SeamlessM4T v2 of a few thousand weights, in the files of the Hub's facebook/seamless-m4t-v2-large."""

import json
from pathlib import Path

import sentencepiece

from curation.models.torch_compat import import_torchaudio

import_torchaudio()

TEXT = """And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power.
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.
He was not an ill disposed young man, unless to be rather cold hearted, and rather selfish, is to be ill disposed.
"""
PIECES = 120
LANGUAGES = ["arb", "cmn", "eng", "fra", "pes", "yue", "ast"]


def save_seamless(folder: Path) -> Path:
    """config.json, generation_config.json, model.safetensors, preprocessor and tokenizer files."""
    import torch
    from transformers import GenerationConfig, SeamlessM4TFeatureExtractor, SeamlessM4Tv2ForSpeechToText

    folder.mkdir(parents=True)
    codes = _save_tokenizer(folder)
    torch.manual_seed(3)
    model = SeamlessM4Tv2ForSpeechToText(_config(max(codes.values()) + 1))
    with torch.no_grad():
        for layer in model.text_decoder.layers:  # what is heard and asked for must matter
            layer.cross_attention.out_proj.weight *= 40
            layer.self_attn.out_proj.weight *= 10
    model.generation_config = GenerationConfig(
        bos_token_id=2, decoder_start_token_id=3, eos_token_id=3, pad_token_id=0, text_decoder_lang_to_code_id=codes
    )
    model.save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def _config(vocabulary: int):
    from transformers import SeamlessM4Tv2Config

    return SeamlessM4Tv2Config(
        vocab_size=vocabulary,
        hidden_size=32,
        initializer_range=0.3,
        encoder_layers=1,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=64,
        decoder_attention_heads=2,
        speech_encoder_layers=2,
        speech_encoder_attention_heads=2,
        speech_encoder_intermediate_size=64,
    )


def _save_tokenizer(folder: Path) -> dict[str, int]:
    """`sentencepiece.bpe.model` and the language tokens behind its pieces; gives back language -> token."""
    (folder / "text.txt").write_text(TEXT)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=PIECES,
        model_type="bpe",
        minloglevel=2,
    )
    (folder / "text.txt").unlink()
    (folder / "sentencepiece.bpe.vocab").unlink()
    first = PIECES + 1  # <pad> comes before the pieces
    names = [f"__{code}__" for code in LANGUAGES]
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {str(first + place): {"content": name} | flags for place, name in enumerate(names)}
    specials = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    settings = {
        "tokenizer_class": "SeamlessM4TTokenizer",
        "processor_class": "SeamlessM4TProcessor",
        "src_lang": "eng",
        "tgt_lang": "fra",
        "additional_special_tokens": names,
        "added_tokens_decoder": added,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | specials))
    (folder / "special_tokens_map.json").write_text(json.dumps(specials | {"additional_special_tokens": names}))
    (folder / "added_tokens.json").write_text(json.dumps({name: first + i for i, name in enumerate(names)}))
    return {code: first + place for place, code in enumerate(LANGUAGES)}
