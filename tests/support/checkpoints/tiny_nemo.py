"""Random NeMo models of a few thousand weights, saved as `.nemo` files in the layout of the published ones.

Canary: FastConformer encoder, Transformer decoder, the unified SentencePiece tokenizer with prompt tokens, prompt
format `canary2` (or the older `canary`). Parakeet: FastConformer encoder and a token-and-duration transducer (TDT).
"""

from collections.abc import Callable
from pathlib import Path

import sentencepiece

from curation.models.torch_compat import import_torchaudio

TEXT = """And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power.
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.
He was not an ill disposed young man, unless to be rather cold hearted, and rather selfish, is to be ill disposed.
"""
HIDDEN = 32
PROMPT_TOKENS = [
    *("<|nospeech|>", "<pad>", "<|endoftext|>", "<|startoftranscript|>", "<|pnc|>", "<|nopnc|>", "<|startofcontext|>"),
    *("<|emo:undefined|>", "<|itn|>", "<|noitn|>", "<|timestamp|>", "<|notimestamp|>", "<|diarize|>", "<|nodiarize|>"),
    *("<|en|>", "<|de|>", "<|fr|>", "<|zh|>", "<|transcribe|>", "<|translate|>"),
]


def save_canary(path: Path, prompt_format: str = "canary2") -> Path:
    """A multitask model that speaks English, German and French, and has a token for Chinese."""
    from nemo.collections.asr.models import EncDecMultiTaskModel

    tokenizer = _tokenizer(path.with_suffix(".tokenizer"), PROMPT_TOKENS)
    tokenizer["custom_tokenizer"] = {
        "_target_": "nemo.collections.common.tokenizers.canary_tokenizer.CanaryBPETokenizer"
    }
    decoder = {
        "hidden_size": HIDDEN,
        "inner_size": 64,
        "num_layers": 1,
        "num_attention_heads": 2,
        "max_sequence_length": 32,
        "learn_positional_encodings": False,
        "pre_ln": True,
        "vocab_size": "None",
    }
    config = {
        "sample_rate": 16000,
        "prompt_format": prompt_format,
        "restore_timestamps_model": False,
        "model_defaults": {"asr_enc_hidden": HIDDEN, "lm_enc_hidden": HIDDEN, "lm_dec_hidden": HIDDEN},
        "tokenizer": tokenizer,
        "preprocessor": _preprocessor(),
        "encoder": _encoder(),
        "transf_encoder": {"num_layers": 0},
        "transf_decoder": {
            "_target_": "nemo.collections.asr.modules.transformer.get_nemo_transformer",
            "model_name": None,
            "pretrained": False,
            "encoder": None,
            "pre_ln_final_layer_norm": True,
            "config_dict": decoder,
        },
        "head": {
            "_target_": "nemo.collections.asr.parts.submodules.token_classifier.TokenClassifier",
            "num_layers": 1,
            "activation": "relu",
            "log_softmax": True,
            "hidden_size": HIDDEN,
            "num_classes": "None",
            "dropout": 0.0,
            "use_transformer_init": True,
        },
        "decoding": {"strategy": "beam", "beam": {"beam_size": 1, "len_pen": 0.0, "max_generation_delta": 20}},
        "loss": {"_target_": "nemo.collections.common.losses.smoothed_cross_entropy.SmoothedCrossEntropyLoss"},
        "optim": {"name": "adamw", "lr": 1e-3},
    }
    return _save(EncDecMultiTaskModel, config, path, _say_words)


def save_parakeet(path: Path) -> Path:
    """A transducer with the durations 0 to 4 of Parakeet-TDT."""
    from nemo.collections.asr.models import EncDecRNNTBPEModel

    durations = [0, 1, 2, 3, 4]
    config = {
        "sample_rate": 16000,
        "model_defaults": {
            "enc_hidden": HIDDEN,
            "pred_hidden": HIDDEN,
            "joint_hidden": HIDDEN,
            "tdt_durations": durations,
            "num_tdt_durations": len(durations),
        },
        "tokenizer": _tokenizer(path.with_suffix(".tokenizer"), []),
        "preprocessor": _preprocessor(),
        "encoder": _encoder(),
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": HIDDEN, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.0},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "num_extra_outputs": len(durations),
            "jointnet": {
                "joint_hidden": HIDDEN,
                "activation": "relu",
                "dropout": 0.0,
                "encoder_hidden": HIDDEN,
                "pred_hidden": HIDDEN,
            },
        },
        "decoding": {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": durations,
            "greedy": {"max_symbols": 3},
            "beam": {"beam_size": 2},
        },
        "loss": {"loss_name": "tdt", "tdt_kwargs": {"durations": durations, "sigma": 0.02, "omega": 0.1}},
        "optim": {"name": "adamw", "lr": 1e-3},
    }
    return _save(EncDecRNNTBPEModel, config, path, _walk_in_time)


def _say_words(model) -> None:
    """No prompt tokens in the answer, and louder preferences among the others."""
    import torch

    last = model.log_softmax.mlp.layer0
    with torch.no_grad():
        last.bias[: len(PROMPT_TOKENS) + 1] -= 100  # they follow <unk>
        layer = model.transf_decoder.decoder.layers[0]
        layer.first_sub_layer.value_net.weight *= 30  # attends to the prompt
        layer.first_sub_layer.out_projection.weight *= 30
        layer.second_sub_layer.out_projection.weight *= 3000  # attends to the audio
        layer.second_sub_layer.query_net.weight *= 30


def _walk_in_time(model) -> None:
    """Tokens that differ, each lasting 4 frames: a random transducer would say the same one in place."""
    import torch

    last = model.joint.joint_net[-1]
    with torch.no_grad():
        last.weight *= 30
        last.bias[-1] += 100


def _save(model_class: type, config: dict, path: Path, change: Callable) -> Path:
    import torch
    from omegaconf import OmegaConf

    torch.manual_seed(5)
    model = model_class(cfg=OmegaConf.create(config))
    change(model)
    model.eval()
    model.save_to(str(path))
    return path


def _tokenizer(folder: Path, symbols: list[str]) -> dict:
    """A SentencePiece BPE model of 128 pieces, with `symbols` among them."""
    folder.mkdir(parents=True)
    (folder / "text.txt").write_text(TEXT)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=128,
        model_type="bpe",
        user_defined_symbols=symbols,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    lines = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    (folder / "vocab.txt").write_text("\n".join(lines[1:]))
    return {"dir": str(folder), "type": "bpe"}


def _preprocessor() -> dict:
    return {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "sample_rate": 16000,
        "normalize": "per_feature",
        "window_size": 0.025,
        "window_stride": 0.01,
        "window": "hann",
        "features": 80,
        "n_fft": 512,
        "log": True,
        "dither": 1e-5,
        "pad_to": 0,
    }


def _encoder() -> dict:
    return {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": 80,
        "feat_out": -1,
        "n_layers": 1,
        "d_model": HIDDEN,
        "subsampling": "dw_striding",
        "subsampling_factor": 8,
        "subsampling_conv_channels": 16,
        "ff_expansion_factor": 2,
        "self_attention_model": "rel_pos",
        "n_heads": 2,
        "conv_kernel_size": 9,
        "dropout": 0.0,
        "dropout_pre_encoder": 0.0,
        "dropout_emb": 0.0,
        "dropout_att": 0.0,
    }


import_torchaudio()
